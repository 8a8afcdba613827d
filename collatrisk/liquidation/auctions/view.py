"""The questions that can be put to the auctions of one account, or of the book."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.liquidation.auctions.gather import Gathered
from collatrisk.liquidation.auctions.names import EVENTS, METRICS, RATIOS
from collatrisk.liquidation.auctions.task import COLUMNS
from collatrisk.liquidation.by_account import SUMMARY_LEVEL, AccountView, FloatArray
from collatrisk.risk import Estimate, FixedInterval, Interval, NormalInterval, block_estimate

_MEANS = ("shortfall", "debt_auctioned", "debt_repaid", "borrower_cost", "keeper_rewards", "slippage_cost")
_TAILS = ("shortfall", "debt_auctioned", "clearing_days")
_NO_FLOOR = ("keeper_profit", "borrower_cost", "interest")


@dataclass(frozen=True, slots=True, repr=False)
class AccountAuctions(AccountView):
    """What came of the auctions of one account over all paths, or of the whole book.

    Attributes
    ----------
    name : of the account, or ``"book"``. currency : of the amounts. n_paths : number of paths.
    times : float64 (n_steps + 1,), days of the clock.
    """

    title: ClassVar[str] = "AuctionOutcomes"
    event_names: ClassVar[tuple[str, ...]] = EVENTS

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
        return self._probability(event, horizon_days)

    def mean(self, metric: str) -> Estimate:
        """The mean of a quantity over all paths, those without an auction included."""
        problems = Problems("mean")
        problems.choice("metric", metric, METRICS)
        problems.raise_if_any()
        return self._mean(metric, _floor(metric))

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
        self._check_tail("value_at_risk", metric, level)
        return self._tail("value_at_risk", metric, level, _floor(metric))

    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """The Acerbi-Tasche tail mean of a quantity; as `value_at_risk` otherwise."""
        self._check_tail("expected_shortfall", metric, level)
        return self._tail("expected_shortfall", metric, level, _floor(metric))

    def estimates(self, level: float = SUMMARY_LEVEL) -> dict[str, Estimate]:
        """The main numbers: probabilities of events, means, ratios, and VaR and ES at `level`."""
        found = {f"P({event})": self.probability(event) for event in EVENTS}
        found |= {f"mean {metric}": self.mean(metric) for metric in _MEANS}
        found |= {f"ratio {name}": self.ratio(name) for name in RATIOS}
        for metric in _TAILS:
            found[f"VaR {level:g} {metric}"] = self.value_at_risk(metric, level)
            found[f"ES {level:g} {metric}"] = self.expected_shortfall(metric, level)
        return found


def _floor(metric: str) -> float:
    """What the quantity cannot fall below."""
    return -math.inf if metric in _NO_FLOOR else 0.0
