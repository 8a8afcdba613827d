"""The outcomes of a margin run: every account's, and the book's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.collateral import Terms
from collatrisk.margining.gather import Gathered
from collatrisk.margining.view import AccountOutcomes
from collatrisk.market.clock import Clock
from collatrisk.risk import Estimate

if TYPE_CHECKING:
    import pandas as pd

BOOK = "book"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Outcomes:
    """What happened to each account over all paths. Every number comes as an `Estimate` with its interval.

    Questions are put to one account, ``out[name]`` or ``out[i]``, or to the book, ``out.book``: sums of the accounts'
    amounts on each path, the lowest of their health factors, events on any of them. With one account they can be put
    to the outcomes themselves.

    Attributes
    ----------
    accounts : names, each once. terms : of each account. clock, currency : of the source and the accounts.
    times : float64 (n_steps + 1,), days of the clock. n_paths, overlap, seed : of the source.
    findings : what is worth knowing before the numbers are used, such as ``no-bridge``.
    """

    accounts: tuple[str, ...]
    terms: tuple[Terms, ...]
    clock: Clock
    currency: str
    times: NDArray[np.float64]
    n_paths: int
    overlap: int
    seed: int
    data: Gathered = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def n_steps(self) -> int:
        """Steps that were run."""
        return len(self.times) - 1

    @property
    def horizon_days(self) -> float:
        """Days of the clock that were run."""
        return float(self.times[-1])

    @property
    def book(self) -> AccountOutcomes:
        """All accounts together."""
        row = len(self.accounts) if len(self.accounts) > 1 else 0
        return self._view(row, BOOK)

    def __getitem__(self, account: str | int) -> AccountOutcomes:
        """One account by name or number.

        Raises
        ------
        InputError : for an unknown name or number.
        """
        problems = Problems("Outcomes")
        if isinstance(account, (int, np.integer)):
            rule = f"must be a number from 0 to {len(self.accounts) - 1}"
            problems.check(0 <= account < len(self.accounts), "account", account, rule, "or give the account's name")
        else:
            problems.choice("account", account, self.accounts)
        problems.raise_if_any()
        row = int(account) if isinstance(account, (int, np.integer)) else self.accounts.index(account)
        return self._view(row, self.accounts[row])

    def __iter__(self) -> Iterator[AccountOutcomes]:
        return (self[row] for row in range(len(self.accounts)))

    def __len__(self) -> int:
        return len(self.accounts)

    def probability(self, event: str, account: str | int | None = None, horizon_days: float | None = None) -> Estimate:
        """See `AccountOutcomes.probability`. `account` may be left out when there is only one."""
        return self._of(account).probability(event, horizon_days)

    def value_at_risk(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """See `AccountOutcomes.value_at_risk`."""
        return self._of(account).value_at_risk(metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99, account: str | int | None = None) -> Estimate:
        """See `AccountOutcomes.expected_shortfall`."""
        return self._of(account).expected_shortfall(metric, level)

    def mean(self, metric: str, account: str | int | None = None) -> Estimate:
        """See `AccountOutcomes.mean`."""
        return self._of(account).mean(metric)

    def term_structure(self, event: str, account: str | int | None = None, level: float = 0.95) -> pd.DataFrame:
        """See `AccountOutcomes.term_structure`."""
        return self._of(account).term_structure(event, level)

    def summary(self, level: float = 0.99) -> pd.DataFrame:
        """The main numbers of every account, and of the book if there are several: (account, quantity) -> value, 95 %
        bounds, standard error, method."""
        import pandas as pd

        views = [*self, self.book] if len(self.accounts) > 1 else list(self)
        return pd.concat({view.name: view.summary(level) for view in views}, names=["account"])

    def to_frame(self) -> pd.DataFrame:
        """One row an account and path: see `AccountOutcomes.to_frame`. Needs ``keep="paths"``."""
        import pandas as pd

        return pd.concat({view.name: view.to_frame() for view in self}, names=["account"])

    def _of(self, account: str | int | None) -> AccountOutcomes:
        if account is not None:
            return self[account]
        problems = Problems("Outcomes")
        rule = f"there are {len(self.accounts)} accounts"
        remedy = "name one, or ask `.book` for all of them together"
        problems.check(len(self.accounts) == 1, "account", None, rule, remedy)
        problems.raise_if_any()
        return self[0]

    def _view(self, row: int, name: str) -> AccountOutcomes:
        return AccountOutcomes(
            name, self.currency, self.clock, self.times, self.n_paths, self.overlap, self.seed, row, self.data
        )

    def __repr__(self) -> str:
        return f"Outcomes({len(self.accounts)} accounts, {self.n_paths} paths, {self.horizon_days:g} days)"

    def _repr_html_(self) -> str:
        views = [self.book, *self] if len(self.accounts) > 1 else list(self)
        notes = "".join(f"<p>{_escaped(finding)}</p>" for finding in self.findings)
        return notes + "".join(view._repr_html_() for view in views[:10])


def _escaped(finding: Finding) -> str:
    from html import escape

    return escape(f"{finding.severity}: {finding.message} [{finding.code}: {finding.subject}]")
