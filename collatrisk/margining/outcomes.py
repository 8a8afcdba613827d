"""The outcomes of a margin run: every account's, and the book's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collatrisk.base.findings import Finding
from collatrisk.collateral import Terms
from collatrisk.liquidation.by_account import ByAccount, FloatArray
from collatrisk.margining.gather import Gathered
from collatrisk.margining.view import AccountOutcomes
from collatrisk.market.clock import Clock

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Outcomes(ByAccount[AccountOutcomes]):
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
    times: FloatArray
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

    def term_structure(self, event: str, account: str | int | None = None, level: float = 0.95) -> pd.DataFrame:
        """See `AccountOutcomes.term_structure`."""
        return self._of(account).term_structure(event, level)

    def _view(self, row: int, name: str) -> AccountOutcomes:
        return AccountOutcomes(
            name, self.currency, self.clock, self.times, self.n_paths, self.overlap, self.seed, row, self.data
        )
