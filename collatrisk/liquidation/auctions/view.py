"""The questions that can be put to the auctions of one account, or of the book."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.liquidation.auctions.gather import Gathered
from collatrisk.liquidation.auctions.names import EVENTS, METRICS, RATIOS, TAIL_METRICS
from collatrisk.liquidation.auctions.task import COLUMNS
from collatrisk.market.clock import Clock
from collatrisk.risk import (
    Estimate,
    FixedInterval,
    Interval,
    NormalInterval,
    block_estimate,
    check_levels,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_probability,
    estimate_value_at_risk,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_MEANS = ("shortfall", "debt_auctioned", "debt_repaid", "borrower_cost", "keeper_rewards", "slippage_cost")
_TAILS = ("shortfall", "debt_auctioned", "clearing_days")
_NO_FLOOR = ("keeper_profit", "borrower_cost", "interest")


@dataclass(frozen=True, slots=True, repr=False)
class AccountAuctions:
    """What came of the auctions of one account over all paths, or of the whole book.

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
        event : ``"triggered"`` (health factor below 1), ``"auctioned"``, ``"reset"``, ``"failed"`` (an auction ended
            without its debt, or still ran at the end), ``"zero_bid"`` (sold for nothing), ``"shortfall"``.
        horizon_days : days of the clock.

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
        problems.raise_if_any()
        hits = int(self.data.counts[self.row, EVENTS.index(event), : steps + 1].sum())
        return estimate_probability(hits, self.n_paths, overlap=self.overlap)

    def mean(self, metric: str) -> Estimate:
        """The mean of a quantity over all paths, those without an auction included."""
        problems = Problems("mean")
        problems.choice("metric", metric, METRICS)
        problems.raise_if_any()
        floor = -math.inf if metric in _NO_FLOOR else 0.0
        if self.overlap > 1:
            return estimate_mean(self.values(metric), overlap=self.overlap, seed=self.seed, floor=floor)
        return self.data.moments[self.row][METRICS.index(metric)].estimate(floor=floor)

    def ratio(self, name: str) -> Estimate:
        """A ratio of two means, such as the share of auctions that failed.

        Parameters
        ----------
        name : ``"failed_share"`` and ``"zero_bid_share"`` (of auctions), ``"recovery"`` and ``"loss_rate"`` (debt
            repaid, shortfall, over debt auctioned), ``"penalty_share"`` (what the sale cost the borrower over the debt
            that it repaid), ``"clearing_days"`` (from the first trigger to the end of the last auction, where there was
            a trigger).

        Returns
        -------
        Estimate; standard error by the delta method, or by block bootstrap where windows overlap; nan without any
        denominator.
        """
        problems = Problems("ratio")
        problems.choice("name", name, tuple(RATIOS))
        problems.raise_if_any()
        top, bottom = RATIOS[name]
        method = f"mean {top} / mean {bottom}"
        if self.overlap > 1:
            return self._ratio_of_windows(top, bottom, method)
        moments = self.data.moments[self.row]
        over, under = moments[COLUMNS.index(top)], moments[COLUMNS.index(bottom)]
        both = moments[len(COLUMNS) + list(RATIOS).index(name)].mean
        n = self.n_paths
        if under.mean == 0:
            return self._undefined(method, f"no {bottom} on any path")
        value = over.mean / under.mean
        covariance = (both - over.mean * under.mean) * n / max(n - 1, 1)
        squared = max(over.variance - 2 * value * covariance + value**2 * under.variance, 0.0) if n > 1 else math.inf
        error = math.sqrt(squared / n) / under.mean
        interval: Interval = NormalInterval(value, error, 0.0, max(n - 1, 1))
        if not 0 < error < math.inf:
            interval, method = FixedInterval(0.0, math.inf), f"{method}; no bounds: the same on all paths"
        else:
            method += "; delta method"
        return Estimate(value, error, "mean", method, n, float(n), interval, error)

    def _ratio_of_windows(self, top: str, bottom: str, method: str) -> Estimate:
        over, under = self._column(top), self._column(bottom)
        if not under.any():
            return self._undefined(method, f"no {bottom} in any window")

        def ratio(rows: FloatArray) -> float:
            chosen = rows.astype(np.int64)
            total = float(under[chosen].sum())
            return float(over[chosen].sum()) / total if total else 0.0

        rows = np.arange(self.n_paths, dtype=np.float64)
        return block_estimate(rows, ratio, self.overlap, self.seed, kind="mean", method=method)

    def _undefined(self, method: str, why: str) -> Estimate:
        return Estimate(math.nan, math.inf, "mean", f"{method}; {why}", self.n_paths, 0.0, FixedInterval())

    def _column(self, name: str) -> FloatArray:
        if name == "triggered":
            return (self.steps(name) >= 0).astype(np.float64)
        return self.values(name)

    def value_at_risk(self, metric: str, level: float = 0.99) -> Estimate:
        """The order statistic ceil(n x level) of a quantity: one of `TAIL_METRICS`, any where paths were kept."""
        return self._tail("value_at_risk", metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """The Acerbi-Tasche tail mean of a quantity; as `value_at_risk` otherwise."""
        return self._tail("expected_shortfall", metric, level)

    def values(self, metric: str) -> FloatArray:
        """The quantity on every path, float64 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems("AuctionOutcomes")
        problems.choice("metric", metric, METRICS)
        self._check_kept(problems)
        assert self.data.amounts is not None
        return np.ascontiguousarray(self.data.amounts[self.row, :, METRICS.index(metric)])

    def steps(self, event: str) -> NDArray[np.int32]:
        """The step of the first occurrence on every path, -1 if never, int32 (n_paths,). Needs ``keep="paths"``."""
        problems = Problems("AuctionOutcomes")
        problems.choice("event", event, EVENTS)
        self._check_kept(problems)
        assert self.data.events is not None
        return np.ascontiguousarray(self.data.events[self.row, :, EVENTS.index(event)])

    def to_frame(self) -> pd.DataFrame:
        """One row a path: day of the first occurrence of each event (NaN: never) and every quantity."""
        import pandas as pd

        columns: dict[str, FloatArray] = {}
        for event in EVENTS:
            steps = self.steps(event)
            columns[f"{event}_day"] = np.where(steps < 0, np.nan, self.times[np.maximum(steps, 0)])
        columns |= {metric: self.values(metric) for metric in METRICS}
        return pd.DataFrame(columns, index=pd.RangeIndex(self.n_paths, name="path"))

    def estimates(self, level: float = 0.99) -> dict[str, Estimate]:
        """The main numbers: probabilities of events, means, ratios, and VaR and ES at `level`."""
        found = {f"P({event})": self.probability(event) for event in EVENTS}
        found |= {f"mean {metric}": self.mean(metric) for metric in _MEANS}
        found |= {f"ratio {name}": self.ratio(name) for name in RATIOS}
        for metric in _TAILS:
            found[f"VaR {level:g} {metric}"] = self.value_at_risk(metric, level)
            found[f"ES {level:g} {metric}"] = self.expected_shortfall(metric, level)
        return found

    def summary(self, level: float = 0.99) -> pd.DataFrame:
        """`estimates` as a table: one row a quantity; value, 95 % bounds, standard error, method."""
        import pandas as pd

        rows = {name: (e.value, *e.ci(), e.standard_error, e.method) for name, e in self.estimates(level).items()}
        columns = ["value", "low", "high", "standard_error", "method"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("quantity")

    def _tail(self, measure: str, metric: str, level: float) -> Estimate:
        kept = self.data.amounts is not None
        problems = Problems(measure)
        if not kept and metric in METRICS and metric not in TAIL_METRICS:
            problems.add("metric", metric, "has no streamed tail", "run with keep='paths'")
        else:
            problems.choice("metric", metric, METRICS if kept else TAIL_METRICS)
        check_levels(level, problems)
        problems.raise_if_any()
        floor = -math.inf if metric in _NO_FLOOR else 0.0
        if kept:
            values = self.values(metric)
            if measure == "value_at_risk":
                return estimate_value_at_risk(values, level, overlap=self.overlap, seed=self.seed)
            return estimate_expected_shortfall(values, level, overlap=self.overlap, seed=self.seed, floor=floor)
        sketch = self.data.tails[self.row][TAIL_METRICS.index(metric)]
        if measure == "value_at_risk":
            return sketch.estimate_value_at_risk(level)
        return sketch.estimate_expected_shortfall(level, floor=floor)

    def _check_kept(self, problems: Problems) -> None:
        kept = self.data.amounts is not None
        problems.check(kept, "keep", "summary", "this run kept no paths", "run with keep='paths'")
        problems.raise_if_any()

    def __repr__(self) -> str:
        events = ", ".join(f"{event} {self.probability(event)}" for event in EVENTS)
        return f"AccountAuctions({self.name!r}, {self.n_paths} paths, {self.times[-1]:g} days: {events})"

    def _repr_html_(self) -> str:
        rows = [(name, estimate.format()) for name, estimate in self.estimates().items()]
        caption = f"{self.name}: {self.n_paths:,} paths, {self.times[-1]:g} days, amounts in {self.currency}"
        return html_table(("quantity", "estimate [95 % interval]"), rows, caption)
