"""The result of a backtest of auctions: tables of promises and of the worst windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collatrisk.backtest.auction_tests import Comparison
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.liquidation.auctions import AuctionOutcomes

if TYPE_CHECKING:
    import pandas as pd

ACCEPTED = 0.05


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AuctionBacktest:
    """Rules of auctions held against real prices, side by side.

    Attributes
    ----------
    promised, realised : the outcomes by rule, on the source of the promise and on the windows of history.
    comparisons : by rule, one `Comparison` a measure.
    first_date, last_date : of the history. n_windows : all of them. n_disjoint : those that share no step.
    worst_windows : the worst windows, which share no step: index window (its first stamp) and rule; fall of the book's
        collateral in it, hours to clear, recovery (nan: no auction), shortfall.
    """

    promised: Mapping[str, AuctionOutcomes]
    realised: Mapping[str, AuctionOutcomes]
    comparisons: Mapping[str, tuple[Comparison, ...]]
    first_date: str
    last_date: str
    n_windows: int
    n_disjoint: int
    worst_windows: pd.DataFrame
    findings: tuple[Finding, ...] = ()

    def table(self) -> pd.DataFrame:
        """One row a rule and measure: promised and realised with 95 % bounds, p-value, the test, and whether it passes
        at 5 %."""
        import pandas as pd

        rows = [
            {
                "rule": rule,
                "measure": one.measure,
                "promised": one.promised.value,
                "promised_low": one.promised.ci()[0],
                "promised_high": one.promised.ci()[1],
                "realised": one.realised.value,
                "realised_low": one.realised.ci()[0],
                "realised_high": one.realised.ci()[1],
                "p_value": one.p_value,
                "passes": not one.p_value < ACCEPTED,
                "test": one.test,
            }
            for rule, found in self.comparisons.items()
            for one in found
        ]
        return pd.DataFrame(rows).set_index(["rule", "measure"])

    def passes(self, rule: str) -> bool:
        """Whether no test of a rule rejects its promise, at 5 % shared out among the tests (Bonferroni).

        A rule that starts no auction though accounts are due does not pass.
        """
        found, book = self.comparisons[rule], self.realised[rule].book
        if book.probability("auctioned").value == 0.0 < book.probability("triggered").value:
            return False
        return not any(one.p_value < ACCEPTED / len(found) for one in found)

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{rule} {'passes' if self.passes(rule) else 'fails'}" for rule in self.comparisons)
        return f"AuctionBacktest({self.n_windows} windows {self.first_date} to {self.last_date}: {verdicts})"

    def _repr_html_(self) -> str:
        rows = [
            (rule, one.measure, one.promised.format(), one.realised.format(), f"{one.p_value:.3f}")
            for rule, found in self.comparisons.items()
            for one in found
        ]
        dates = f"{self.first_date} to {self.last_date}"
        title = f"{self.n_windows:,} windows, {self.n_disjoint:,} of them disjoint, {dates}"
        return html_table(("rule", "measure", "promised", "realised", "p"), rows, title)
