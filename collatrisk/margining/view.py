"""The questions that can be put to the outcomes of one account, or of the book."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.liquidation.by_account import SUMMARY_LEVEL, AccountView
from collatrisk.margining.gather import Gathered
from collatrisk.margining.names import EVENTS
from collatrisk.risk import Estimate, estimate_probability

if TYPE_CHECKING:
    import pandas as pd

_MEANS = ("debt_repaid", "collateral_seized", "liquidator_bonus", "shortfall", "min_health_factor")
_TAILS = ("debt_repaid", "shortfall", "collateral_loss", "min_health_factor")
_ANY_SIGN = ("collateral_loss", "min_health_factor")  # an interval below zero is no mistake; health factors are turned


@dataclass(frozen=True, slots=True, repr=False)
class AccountOutcomes(AccountView):
    """What happened to one account over all paths, or to the whole book.

    Attributes
    ----------
    name : of the account, or ``"book"``. currency : of the amounts. n_paths : number of paths.
    times : float64 (n_steps + 1,), days of the clock.
    """

    title: ClassVar[str] = "Outcomes"
    event_names: ClassVar[tuple[str, ...]] = EVENTS

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
        return self._probability(event, horizon_days, at_end=("shortfall",))

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
        return self._measured("value_at_risk", metric, level)

    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """Expected shortfall of a quantity: the Acerbi-Tasche tail mean; as `value_at_risk` otherwise."""
        return self._measured("expected_shortfall", metric, level)

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
        return self._mean(metric, floor=-math.inf if metric == "collateral_loss" else 0.0)

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

    def estimates(self, level: float = SUMMARY_LEVEL) -> dict[str, Estimate]:
        """The main numbers: probabilities of events, means, and VaR and ES at `level`."""
        found = {f"P({event})": self.probability(event) for event in EVENTS}
        found |= {f"mean {metric}": self.mean(metric) for metric in _MEANS}
        for metric in _TAILS:
            found[f"VaR {level:g} {metric}"] = self.value_at_risk(metric, level)
            found[f"ES {level:g} {metric}"] = self.expected_shortfall(metric, level)
        return found

    def _measured(self, measure: str, metric: str, level: float) -> Estimate:
        self._check_tail(measure, metric, level)
        lower = metric == "min_health_factor"
        if lower and self._owes_nothing:
            return Estimate.exact(math.inf, "no debt on any path", self.n_paths)
        floor = -math.inf if metric in _ANY_SIGN else 0.0
        found = self._tail(measure, metric, level, floor, lower=lower)
        return found.mapped(-1.0, floor=0.0, method=f"{found.method}; lower tail") if lower else found

    @property
    def _owes_nothing(self) -> bool:
        return self.data.debt_free[self.row]
