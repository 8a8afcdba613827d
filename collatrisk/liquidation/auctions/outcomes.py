"""The outcomes of a run of auctions: every account's, the book's, and each auction's where they were kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.liquidation.auctions.gather import Gathered
from collatrisk.liquidation.auctions.names import RECORD
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.liquidation.auctions.view import AccountAuctions
from collatrisk.liquidation.by_account import ByAccount, FloatArray
from collatrisk.market.clock import Clock
from collatrisk.risk import Estimate

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = ("path", "resets", "purchases")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class AuctionOutcomes(ByAccount[AccountAuctions]):
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
    times: FloatArray
    tick_s: float
    n_paths: int
    overlap: int
    seed: int
    data: Gathered = field(repr=False)
    findings: tuple[Finding, ...] = ()

    def ratio(self, name: str, account: str | int | None = None) -> Estimate:
        """See `AccountAuctions.ratio`."""
        return self._of(account).ratio(name)

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

    def _view(self, row: int, name: str) -> AccountAuctions:
        return AccountAuctions(
            name, self.currency, self.clock, self.times, self.n_paths, self.overlap, self.seed, row, self.data
        )
