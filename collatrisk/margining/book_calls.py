"""What became of a book: the probabilities of every account, and how much is called or liquidated by each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.collateral import Book
from collatrisk.market.clock import Clock
from collatrisk.risk import Estimate, Moments, TailSketch, check_levels, clopper_pearson, estimate_probability

if TYPE_CHECKING:
    import pandas as pd

EVENTS = ("margin_called", "liquidated")
METRICS = ("accounts_called", "debt_called", "accounts_liquidated", "debt_liquidated")
N_METRICS = len(METRICS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class BookCalls:
    """Margin calls and liquidations of a book over all paths; of `book_margin_calls`.

    Quantities of the book on a path by a step, start included, in `METRICS`:

    - ``accounts_called``, ``accounts_liquidated`` : how many have been called, or have fallen below a health factor
      of 1, at least once.
    - ``debt_called``, ``debt_liquidated`` : what those accounts owe, at the prices of step 0, in the book's currency,
      without interest: how much of it a liquidation repays is a matter of the terms.

    Attributes
    ----------
    book : the accounts. clock : of the source. times : float64 (n_steps + 1,), days of the clock.
    n_paths, overlap : of the source.
    hits : int64 (n_accounts, 2), the paths on which each account is called, and liquidated, by the end.
    findings : what is worth knowing before the numbers are used.
    """

    book: Book
    clock: Clock
    times: NDArray[np.float64]
    n_paths: int
    overlap: int
    hits: NDArray[np.int64]
    moments: tuple[tuple[Moments, ...], ...] = field(repr=False)
    tails: tuple[tuple[TailSketch, ...], ...] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def horizon_days(self) -> float:
        """Days of the clock that were run."""
        return float(self.times[-1])

    def probability(self, event: str, account: str | int) -> Estimate:
        """The probability that an account is ``"margin_called"`` or ``"liquidated"`` by the end of the run.

        Parameters
        ----------
        event : one of the two. account : its name, or its row in the book.

        Raises
        ------
        InputError : for an unknown event, name or row.
        """
        problems = Problems("BookCalls")
        problems.choice("event", event, EVENTS)
        row = -1
        if isinstance(account, (int, np.integer)):
            row = int(account)
            rule = f"must be a row from 0 to {len(self.book) - 1}"
            problems.check(0 <= row < len(self.book), "account", account, rule, "or give the account's name")
        elif problems.check(
            isinstance(account, str) and account in self.book.names,
            "account",
            account,
            "is not in the book",
            "see book.names",
        ):
            row = self.book.names.index(account)
        problems.raise_if_any()
        return estimate_probability(int(self.hits[row, EVENTS.index(event)]), self.n_paths, overlap=self.overlap)

    def to_frame(self, confidence: float = 0.95) -> pd.DataFrame:
        """Both probabilities of every account with their exact binomial bounds.

        Returns
        -------
        DataFrame, one row an account in the order of the book: account, then for each event the probability by the end
        of the run, ``_low`` and ``_high``.

        Raises
        ------
        InputError : for a confidence outside (0, 1).
        """
        import pandas as pd

        problems = Problems("to_frame")
        check_levels(confidence, problems, "confidence")
        problems.raise_if_any()
        low, high = clopper_pearson(self.hits, self.n_paths, self.overlap, confidence)
        columns: dict[str, object] = {"account": list(self.book.names)}
        for e, event in enumerate(EVENTS):
            columns |= {event: self.hits[:, e] / self.n_paths, f"{event}_low": low[:, e], f"{event}_high": high[:, e]}
        return pd.DataFrame(columns)

    def mean(self, metric: str, horizon_days: float | None = None) -> Estimate:
        """The mean over paths of a quantity by `horizon_days` (None: the end of the run).

        Raises
        ------
        InputError : for an unknown metric, or a horizon outside the run.
        """
        m, step = self._where(metric, horizon_days)
        return self.moments[m][step].estimate(overlap=self.overlap, floor=0.0)

    def value_at_risk(self, metric: str, level: float = 0.99, horizon_days: float | None = None) -> Estimate:
        """Value at risk of a quantity by `horizon_days`: the order statistic ceil(n x level) over the paths.

        Raises
        ------
        InputError : for an unknown metric, a horizon outside the run, a level below `lowest_level` of the run.
        """
        m, step = self._where(metric, horizon_days)
        return self.tails[m][step].estimate_value_at_risk(level, overlap=self.overlap)

    def expected_shortfall(self, metric: str, level: float = 0.99, horizon_days: float | None = None) -> Estimate:
        """Expected shortfall of a quantity: the Acerbi-Tasche tail mean; as `value_at_risk` otherwise."""
        m, step = self._where(metric, horizon_days)
        return self.tails[m][step].estimate_expected_shortfall(level, overlap=self.overlap, floor=0.0)

    def liquidations_at_risk(self, level: float = 0.99, horizon_days: float | None = None) -> Estimate:
        """LaR: the quantile at `level` of the debts liquidated by `horizon_days`, ``debt_liquidated``."""
        return self.value_at_risk("debt_liquidated", level, horizon_days)

    def term_structure(self, metric: str, level: float = 0.99, confidence: float = 0.95) -> pd.DataFrame:
        """A quantity by every step.

        Returns
        -------
        DataFrame, one row a step, the start included: days, mean, mean_low, mean_high, value_at_risk (at `level`),
        value_at_risk_low, value_at_risk_high.

        Raises
        ------
        InputError : as `value_at_risk`.
        """
        import pandas as pd

        rows = []
        for days in self.times.tolist():
            mean, var = self.mean(metric, days), self.value_at_risk(metric, level, days)
            rows.append((days, mean.value, *mean.ci(confidence), var.value, *var.ci(confidence)))
        names = [f"{name}{end}" for name in ("mean", "value_at_risk") for end in ("", "_low", "_high")]
        return pd.DataFrame(rows, columns=["days", *names])

    def _where(self, metric: str, horizon_days: float | None) -> tuple[int, int]:
        problems = Problems("BookCalls")
        problems.choice("metric", metric, METRICS)
        last = len(self.times) - 1
        step = last if horizon_days is None else self.clock.steps(horizon_days, "horizon_days")
        rule = f"must be from 0 to the {self.horizon_days:g} days of the run"
        problems.check(0 <= step <= last, "horizon_days", horizon_days, rule, "run longer paths")
        problems.raise_if_any()
        return METRICS.index(metric), step

    def __repr__(self) -> str:
        return f"BookCalls({len(self.book):,} accounts, {self.n_paths:,} paths, {self.horizon_days:g} days)"

    def _repr_html_(self) -> str:
        rows = [(f"mean {metric}", self.mean(metric).format()) for metric in METRICS]
        rows += [(f"99 % {metric}", self.value_at_risk(metric).format()) for metric in METRICS]
        rows += [(finding.code, finding.message) for finding in self.findings]
        caption = (
            f"{len(self.book):,} accounts, {self.n_paths:,} paths, {self.horizon_days:g} days, {self.book.currency}"
        )
        return html_table(("quantity", "estimate [95 % interval]"), rows, caption)
