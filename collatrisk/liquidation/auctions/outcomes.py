"""The outcomes of a run of auctions: every account's, the book's, and each auction's where they were kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.liquidation.auctions.gather import Gathered
from collatrisk.liquidation.auctions.names import RECORD
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.liquidation.auctions.view import AccountAuctions
from collatrisk.market.clock import Clock
from collatrisk.risk import Estimate

if TYPE_CHECKING:
    import pandas as pd

BOOK = "book"
_WHOLE = ("path", "resets", "purchases")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class AuctionOutcomes:
    """What the auctions of each account came to over all paths. Every number comes as an `Estimate` with its interval.

    Questions are put to one account, ``out[name]`` or ``out[i]``, or to the book, ``out.book``: sums of the accounts'
    amounts on each path, the longest of their times to clear, events on any of them. With one account they can be put
    to the outcomes themselves.

    Attributes
    ----------
    accounts : names, each once. assets : of the auctions. terms : of all. clock, currency : of the source and accounts.
    times : float64 (n_steps + 1,), days of the clock. tick_s : seconds between the moments at which things happen.
    n_paths, overlap, seed : of the source. findings : what is worth knowing before the numbers are used.
    """

    accounts: tuple[str, ...]
    assets: tuple[str, ...]
    terms: AuctionTerms
    clock: Clock
    currency: str
    times: NDArray[np.float64]
    tick_s: float
    n_paths: int
    overlap: int
    seed: int
    data: Gathered = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def book(self) -> AccountAuctions:
        """All accounts together."""
        return self._view(len(self.accounts) if len(self.accounts) > 1 else 0, BOOK)

    def __getitem__(self, account: str | int) -> AccountAuctions:
        """One account by name or number.

        Raises
        ------
        InputError : for an unknown name or number.
        """
        problems = Problems("AuctionOutcomes")
        number = isinstance(account, int | np.integer)
        if number:
            rule = f"must be a number from 0 to {len(self.accounts) - 1}"
            problems.check(0 <= int(account) < len(self.accounts), "account", account, rule, "or give its name")
        else:
            problems.choice("account", account, self.accounts)
        problems.raise_if_any()
        row = int(account) if number else self.accounts.index(str(account))
        return self._view(row, self.accounts[row])

    def __iter__(self) -> Iterator[AccountAuctions]:
        return (self[row] for row in range(len(self.accounts)))

    def __len__(self) -> int:
        return len(self.accounts)

    def probability(self, event: str, account: str | int | None = None, horizon_days: float | None = None) -> Estimate:
        """See `AccountAuctions.probability`. `account` may be left out when there is only one."""
        return self._of(account).probability(event, horizon_days)

    def mean(self, metric: str, account: str | int | None = None) -> Estimate:
        """See `AccountAuctions.mean`."""
        return self._of(account).mean(metric)

    def ratio(self, name: str, account: str | int | None = None) -> Estimate:
        """See `AccountAuctions.ratio`."""
        return self._of(account).ratio(name)

    def value_at_risk(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """See `AccountAuctions.value_at_risk`."""
        return self._of(account).value_at_risk(metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """See `AccountAuctions.expected_shortfall`."""
        return self._of(account).expected_shortfall(metric, level)

    def summary(self, level: float = 0.99) -> pd.DataFrame:
        """The main numbers of every account, and of the book if there are several: (account, quantity) -> value, 95 %
        bounds, standard error, method."""
        import pandas as pd

        views = [*self, self.book] if len(self.accounts) > 1 else list(self)
        return pd.concat({view.name: view.summary(level) for view in views}, names=["account"])

    def to_frame(self) -> pd.DataFrame:
        """One row an account and path: see `AccountAuctions.to_frame`. Needs ``keep="paths"``."""
        import pandas as pd

        return pd.concat({view.name: view.to_frame() for view in self}, names=["account"])

    def auctions(self) -> pd.DataFrame:
        """One row an auction, in order of paths and ends. Needs ``keep="paths"``.

        Columns: path, account, asset; first_s, start_s, end_s (seconds since the start of the path: first start, last
        start or reset, end; inf: still running); feed and top (at the first and the last start); collateral, sold,
        returned, lot (units: at first, sold, given back, still for sale); debt, target, raised, given_up, tab (money:
        to repay, with the penalty, raised, given up, still to raise); value_sold and resold (what was sold, at the
        undisturbed price, and what keepers got for it); gas_paid, rewards, resets, purchases.
        ``collateral = sold + returned + lot`` and ``target = raised + given_up + tab``.
        """
        import pandas as pd

        problems = Problems("AuctionOutcomes")
        kept = self.data.records is not None
        problems.check(kept, "keep", "summary", "this run kept no auctions", "run with keep='paths'")
        problems.raise_if_any()
        assert self.data.records is not None
        table = pd.DataFrame(self.data.records, columns=list(RECORD))
        for name in _WHOLE:
            table[name] = table[name].astype(np.int64)
        for name, labels in (("account", self.accounts), ("asset", self.assets)):
            table[name] = [labels[int(i)] for i in table[name]]
        return table

    def _of(self, account: str | int | None) -> AccountAuctions:
        if account is not None:
            return self[account]
        problems = Problems("AuctionOutcomes")
        rule = f"there are {len(self.accounts)} accounts"
        remedy = "name one, or ask `.book` for all of them together"
        problems.check(len(self.accounts) == 1, "account", None, rule, remedy)
        problems.raise_if_any()
        return self[0]

    def _view(self, row: int, name: str) -> AccountAuctions:
        return AccountAuctions(
            name, self.currency, self.clock, self.times, self.n_paths, self.overlap, self.seed, row, self.data
        )

    def __repr__(self) -> str:
        return f"AuctionOutcomes({len(self.accounts)} accounts, {self.n_paths} paths, {self.times[-1]:g} days)"

    def _repr_html_(self) -> str:
        from html import escape

        views = [self.book, *self] if len(self.accounts) > 1 else list(self)
        notes = (f"{found.severity}: {found.message} [{found.code}: {found.subject}]" for found in self.findings)
        return "".join(f"<p>{escape(note)}</p>" for note in notes) + "".join(v._repr_html_() for v in views[:10])
