"""The questions that can be put to the outcomes of one account, or of the book."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.margining.gather import Gathered
from collatrisk.margining.names import EVENTS
from collatrisk.market.clock import Clock
from collatrisk.risk import (
    Estimate,
    check_levels,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_probability,
    estimate_value_at_risk,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_SUMMARY_LEVEL = 0.99
_MEANS = ("debt_repaid", "collateral_seized", "liquidator_bonus", "shortfall", "min_health_factor")
_TAILS = ("debt_repaid", "shortfall", "collateral_loss", "min_health_factor")
_ANY_SIGN = ("collateral_loss", "min_health_factor")  # an interval below zero is no mistake; health factors are turned


@dataclass(frozen=True, slots=True, repr=False)
class AccountOutcomes:
    """What happened to one account over all paths, or to the whole book.

    Attributes
    ----------
    name : of the account, or ``"book"``. currency : of the amounts. n_paths : number of paths.
    times : float64 (n_steps + 1,), days of the clock.
    """

    name: str
    currency: str
    clock: Clock
    times: FloatArray
    n_paths: int
    overlap: int
    seed: int
    row: int
    data: Gathered

    def probability(self, event: str, horizon_days: float | None = None) -> Estimate:
        """The probability that an event happens by `horizon_days` (None: by the end of the run).

        Parameters
        ----------
        event : ``"margin_called"``, ``"cured"``, ``"liquidated"``, ``"exhausted"``, ``"shortfall"``.
        horizon_days : days of the clock. ``"shortfall"`` is judged at the end of the run: run with another
            ``horizon_days`` for an earlier one.

        Returns
        -------
        Estimate with the exact binomial interval (of n / overlap windows where they overlap).

        Raises
        ------
        InputError : for an unknown event or a horizon outside the run.
        """
        problems = Problems("probability")
        problems.choice("event", event, EVENTS)
        last = len(self.times) - 1
        steps = last if horizon_days is None else self.clock.steps(horizon_days, "horizon_days")
        inside = f"must be at most the {self.times[-1]:g} days of the run"
        problems.check(steps <= last, "horizon_days", horizon_days, inside, "simulate longer paths")
        if event == "shortfall" and steps < last:
            rule = "shortfall is judged at the end of the run"
            problems.add("horizon_days", horizon_days, rule, "give run_margin(..., horizon_days=...) instead")
        problems.raise_if_any()
        hits = int(self.data.counts[self.row, EVENTS.index(event), : steps + 1].sum())
        return estimate_probability(hits, self.n_paths, overlap=self.overlap)

    def value_at_risk(self, metric: str, level: float = 0.99) -> Estimate:
        """Value at risk of a quantity: the order statistic ceil(n x level) of the amounts.

        Parameters
        ----------
        metric : one of `TAIL_METRICS`, any of `METRICS` when paths were kept. For ``"min_health_factor"`` the bad tail
            is the lower one: level 0.99 gives what one path in a hundred falls below.
        level : in (0, 1).

        Raises
        ------
        InputError : for an unknown metric, or a level lower than a streamed run holds.
        """
        return self._tail("value_at_risk", metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """Expected shortfall of a quantity: the Acerbi-Tasche tail mean; as `value_at_risk` otherwise."""
        return self._tail("expected_shortfall", metric, level)

    def mean(self, metric: str) -> Estimate:
        """The mean of a quantity over all paths.

        Raises
        ------
        InputError : for an unknown metric.
        """
        problems = Problems("mean")
        problems.choice("metric", metric, self.data.metrics)
        problems.raise_if_any()
        if metric == "min_health_factor" and self._owes_nothing:
            return Estimate.exact(math.inf, "no debt on any path", self.n_paths)
        floor = -math.inf if metric == "collateral_loss" else 0.0
        if self.overlap > 1:
            return estimate_mean(self.values(metric), overlap=self.overlap, seed=self.seed, floor=floor)
        return self.data.moments[self.row][self.data.metrics.index(metric)].estimate(floor=floor)

    def term_structure(self, event: str, level: float = 0.95) -> pd.DataFrame:
        """The probability of an event by each step.

        Returns
        -------
        DataFrame: days, probability, low, high (at confidence `level`), one row a step, the start included.

        Raises
        ------
        InputError : for an unknown event, and for ``"shortfall"``, which is judged at the end of the run only.
        """
        import pandas as pd

        problems = Problems("term_structure")
        problems.choice("event", event, [name for name in EVENTS if name != "shortfall"])
        problems.raise_if_any()
        hits = np.cumsum(self.data.counts[self.row, EVENTS.index(event)])
        estimates = [estimate_probability(int(hit), self.n_paths, overlap=self.overlap) for hit in hits]
        bounds = np.array([estimate.ci(level) for estimate in estimates])
        values = [estimate.value for estimate in estimates]
        columns = {"days": self.times, "probability": values, "low": bounds[:, 0], "high": bounds[:, 1]}
        return pd.DataFrame(columns)

    def values(self, metric: str) -> FloatArray:
        """The quantity on every path, float64 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems("Outcomes")
        problems.choice("metric", metric, self.data.metrics)
        self._check_kept(problems)
        assert self.data.amounts is not None
        return np.ascontiguousarray(self.data.amounts[self.row, :, self.data.metrics.index(metric)])

    def steps(self, event: str) -> NDArray[np.int32]:
        """The step of the first occurrence on every path, -1 if never, int32 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems("Outcomes")
        problems.choice("event", event, EVENTS)
        self._check_kept(problems)
        assert self.data.events is not None
        return np.ascontiguousarray(self.data.events[self.row, :, EVENTS.index(event)])

    def to_frame(self) -> pd.DataFrame:
        """One row a path: day of the first occurrence of each event (NaN: never) and every quantity.

        Raises
        ------
        InputError : unless the run kept its paths.
        """
        import pandas as pd

        columns: dict[str, FloatArray] = {}
        for event in EVENTS:
            steps = self.steps(event)
            columns[f"{event}_day"] = np.where(steps < 0, np.nan, self.times[np.maximum(steps, 0)])
        columns |= {metric: self.values(metric) for metric in self.data.metrics}
        return pd.DataFrame(columns, index=pd.RangeIndex(self.n_paths, name="path"))

    def estimates(self, level: float = _SUMMARY_LEVEL) -> dict[str, Estimate]:
        """The main numbers: probabilities of events, means, and VaR and ES at `level`."""
        found = {f"P({event})": self.probability(event) for event in EVENTS}
        found |= {f"mean {metric}": self.mean(metric) for metric in _MEANS}
        for metric in _TAILS:
            found[f"VaR {level:g} {metric}"] = self.value_at_risk(metric, level)
            found[f"ES {level:g} {metric}"] = self.expected_shortfall(metric, level)
        return found

    def summary(self, level: float = _SUMMARY_LEVEL) -> pd.DataFrame:
        """`estimates` as a table: one row a quantity; value, 95 % bounds, standard error, method."""
        import pandas as pd

        rows = {name: (e.value, *e.ci(), e.standard_error, e.method) for name, e in self.estimates(level).items()}
        columns = ["value", "low", "high", "standard_error", "method"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("quantity")

    def _tail(self, measure: str, metric: str, level: float) -> Estimate:
        kept = self.data.amounts is not None
        problems = Problems(measure)
        if not kept and metric in self.data.metrics and metric not in self.data.tail_metrics:
            problems.add("metric", metric, "has no streamed tail", "run with keep='paths'")
        else:
            problems.choice("metric", metric, self.data.metrics if kept else self.data.tail_metrics)
        check_levels(level, problems)
        problems.raise_if_any()
        lower = metric == "min_health_factor"
        if lower and self._owes_nothing:
            return Estimate.exact(math.inf, "no debt on any path", self.n_paths)
        found = self._tail_of_columns(measure, metric, level, lower) if kept else self._sketched(measure, metric, level)
        return found.mapped(-1.0, floor=0.0, method=f"{found.method}; lower tail") if lower else found

    def _tail_of_columns(self, measure: str, metric: str, level: float, lower: bool) -> Estimate:
        losses = -self.values(metric) if lower else self.values(metric)
        if measure == "value_at_risk":
            return estimate_value_at_risk(losses, level, overlap=self.overlap, seed=self.seed)
        floor = -math.inf if metric in _ANY_SIGN else 0.0
        return estimate_expected_shortfall(losses, level, overlap=self.overlap, seed=self.seed, floor=floor)

    def _sketched(self, measure: str, metric: str, level: float) -> Estimate:
        sketch = self.data.tails[self.row][self.data.tail_metrics.index(metric)]
        if measure == "value_at_risk":
            return sketch.estimate_value_at_risk(level)
        floor = -math.inf if metric in _ANY_SIGN else 0.0
        return sketch.estimate_expected_shortfall(level, floor=floor)

    @property
    def _owes_nothing(self) -> bool:
        return self.data.debt_free[self.row]

    def _check_kept(self, problems: Problems) -> None:
        kept = self.data.amounts is not None
        problems.check(kept, "keep", "summary", "this run kept no paths", "run with keep='paths'")
        problems.raise_if_any()

    def __repr__(self) -> str:
        events = ", ".join(f"{event} {self.probability(event)}" for event in EVENTS)
        return f"AccountOutcomes({self.name!r}, {self.n_paths} paths, {self.times[-1]:g} days: {events})"

    def _repr_html_(self) -> str:
        rows = [(name, estimate.format()) for name, estimate in self.estimates().items()]
        caption = f"{self.name}: {self.n_paths:,} paths, {self.times[-1]:g} days, amounts in {self.currency}"
        return html_table(("quantity", "estimate [95 % interval]"), rows, caption)
