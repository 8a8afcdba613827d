"""From a plain market model to the float32 arrays of the path kernel, and what makes a model too rich for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.market.clock import Clock
from collatrisk.simulation.law_inputs import law_inputs
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.path_inputs import dependence_drawn
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.simulation.score_inputs import score_inputs
from collatrisk.simulation.step_inputs import Drift, step_inputs
from collatrisk.volatility.recursions import GarchCoefficients
from collatrisk.volatility.tail_law import HistoricalLaw

if TYPE_CHECKING:
    from collatrisk.kernels.laws import LawInputs
    from collatrisk.kernels.paths_single import SingleInputs
    from collatrisk.kernels.scores import ScoreInputs
    from collatrisk.kernels.steps import StepInputs

    Part = TypeVar("Part", ScoreInputs, LawInputs, StepInputs)

Precision: TypeAlias = Literal["double", "single"]
PRECISIONS: tuple[Precision, ...] = ("double", "single")

TOLERANCE = 3e-7  # of the tables: the rounding of a few operations in float32
_LEAST_SPOT, _MOST_SPOT = 1e-10, 1e10  # times exp(64) or exp(-64), still a float32


def single_spot(spot: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spot prices that float32 holds, the nearest."""
    return spot.astype(np.float32).astype(np.float64)


def too_rich(model: MarketModel) -> list[str]:
    """What of a model has no kernel in float32, in words; empty for plain models."""
    found = [f"{one.asset} {rich}" for one in model.marginals if (rich := _rich_marginal(one))]
    if model.jumps:
        found.append("it has jumps")
    if model.dependence.rows is not None:
        found.append("it draws rows of history")
    if model.dependence.dynamics is not None:
        found.append("its correlation moves")
    beyond = [name for name, spot in zip(model.assets, model.spot.tolist(), strict=True) if not _in_range(spot)]
    if beyond:
        found.append(f"the price of {', '.join(beyond)} is not between {_LEAST_SPOT:g} and {_MOST_SPOT:g}")
    return found


def _in_range(spot: float) -> bool:
    return _LEAST_SPOT <= spot <= _MOST_SPOT


def _rich_marginal(marginal: Marginal | PegMarginal) -> str:
    if isinstance(marginal, PegMarginal):
        return "is a peg"
    recursion = marginal.coefficients
    lags = max(recursion.residual_lags, recursion.variance_lags) if isinstance(recursion, GarchCoefficients) else 2
    # The kernel moves the variance itself: a recursion in another power of it would run as if it were one of variances.
    in_variances = isinstance(recursion, GarchCoefficients) and (recursion.power == 2.0 or lags == 0)
    if lags > 1 or not in_variances:
        return f"has a volatility of its own kind ({marginal.spec})"
    if marginal.spec.mean == "ar1":
        return "has an AR(1) mean"
    if marginal.season is not None:
        return "has a season"
    return "draws its history" if isinstance(marginal.innovations, HistoricalLaw) else ""


def single_inputs(model: MarketModel, clock: Clock, seed: int, drift: Drift, n_steps: int) -> SingleInputs:
    """Everything that `collatrisk.kernels.paths_single.simulate_single` reads; parameters as for `path_inputs`."""
    from collatrisk.kernels.paths_single import SingleInputs

    marginals = [one for one in model.marginals if isinstance(one, Marginal)]
    dependence = dependence_drawn(model.dependence)
    scores = score_inputs(dependence, seed, TOLERANCE)
    steps, _ = step_inputs(marginals, model.clock, clock, drift, n_steps)
    return SingleInputs(
        model.spot.astype(np.float32),
        _narrow(scores._replace(key=stream_key(seed, Purpose.PATHS_SINGLE))),
        _narrow(law_inputs(marginals, dependence.nus, TOLERANCE)),
        _narrow(steps),
    )


def _narrow(part: Part) -> Part:
    """A part of the kernel's inputs with every float in float32."""
    return type(part)(*map(_narrowed, part))


def _narrowed(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return np.float32(value) if isinstance(value, float) else value
