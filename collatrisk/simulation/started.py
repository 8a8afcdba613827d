"""Models that start at a volatility forecast elsewhere: by a realised measure, or implied by options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.simulation.marginals import Marginal

if TYPE_CHECKING:
    from collatrisk.simulation.model import MarketModel

_REACH = 10.0  # of ln g: a factor of 22 000
_HALVINGS = 60

_TITLE = "MarketModel.with_next_volatility"


def with_next_volatility(model: MarketModel, volatility: Mapping[str, float]) -> MarketModel:
    """See `MarketModel.with_next_volatility`."""
    problems = Problems(_TITLE)
    listed = isinstance(volatility, Mapping) and len(volatility) > 0
    problems.check(listed, "volatility", volatility, "must map assets to sds a step", "give {'ETH': 0.04}")
    problems.raise_if_any()
    problems.known("volatility", volatility, model.assets)
    problems.raise_if_any()
    moved = {}
    for asset, given in volatility.items():
        name = f"volatility[{asset}]"
        sd = problems.number(name, given, low=0, open_low=True, remedy="the sd of the next log return, 0.04 for 4 %")
        marginal = model.marginal(asset)
        if not isinstance(marginal, Marginal):
            problems.add(name, given, "is of a peg, whose next step has no one volatility", "use started_at")
        elif sd > 0.0 and math.isfinite(sd):
            found = started_with(marginal, sd / _first_factor(marginal, model.clock.steps_per_day))
            rule = f"cannot be the next volatility: that is above {_floor(marginal):.3g} whatever the state"
            if problems.check(found is not None, name, given, rule, "give a higher one, or use stress_model"):
                assert found is not None
                moved[asset] = found
    problems.raise_if_any()
    text = ", ".join(f"{asset} {float(given):.4g}" for asset, given in volatility.items())
    note = Finding("state-given", "info", "model", f"the volatility of the next step was given, not filtered: {text}")
    return replace(
        model,
        marginals=tuple(moved.get(marginal.asset, marginal) for marginal in model.marginals),
        provenance={**model.provenance, "state": f"next volatility given: {text}"},
        findings=(*model.findings, note),
    )


def started_with(marginal: Marginal, sd: float) -> Marginal | None:
    """The marginal whose next standard deviation is `sd`, or None where no state of it has that.

    Lagged residuals are multiplied by g and lagged variances by g^2, as in `Marginal.started_at`; the next variance
    grows with g in every model, so g is found by halving. A constant volatility has no state and becomes `sd` for good.
    """
    wanted = sd * sd
    if not marginal.last_residuals:
        return marginal.scaled(sd / math.sqrt(marginal.next_variance))
    low, high = -_REACH, _REACH
    if not stretched(marginal, low).next_variance < wanted < stretched(marginal, high).next_variance:
        return None
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if stretched(marginal, middle).next_variance < wanted:
            low = middle
        else:
            high = middle
    return stretched(marginal, 0.5 * (low + high))


def stretched(marginal: Marginal, log_factor: float) -> Marginal:
    """The marginal with its lagged residuals times exp(log_factor), its lagged variances times the square of that."""
    factor = math.exp(log_factor)
    return replace(
        marginal,
        last_residuals=tuple(factor * value for value in marginal.last_residuals),
        last_variances=tuple(factor * factor * value for value in marginal.last_variances),
        loglikelihood=None,
        uncertainty=None if marginal.uncertainty is None else marginal.uncertainty.with_given_state(),
    )


def _first_factor(marginal: Marginal, steps_per_day: int) -> float:
    return 1.0 if marginal.season is None else float(marginal.season.steps(steps_per_day)[0])


def _floor(marginal: Marginal) -> float:
    """What the next standard deviation is, near enough, after a state of no movement at all."""
    return math.sqrt(stretched(marginal, -_REACH).next_variance)
