"""The recursions of the assets, and where they start, as arrays of the path kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.volatility.recursions import (
    ArchWeights,
    EgarchCoefficients,
    EwmaMixture,
    GarchCoefficients,
    Recursion,
)
from collatrisk.volatility.recursions.egarch import CENTRE

if TYPE_CHECKING:
    from collatrisk.kernels.extras import ExtraInputs
    from collatrisk.kernels.steps import StepInputs

FloatArray = NDArray[np.float64]
Drift: TypeAlias = Literal["martingale", "zero_log", "fitted"]
DRIFTS: tuple[Drift, ...] = ("martingale", "zero_log", "fitted")

_LETTERS = ("alpha", "gamma", "beta")


def step_inputs(
    marginals: Sequence[Marginal], fitted: Clock, clock: Clock, drift: Drift, n_steps: int
) -> tuple[StepInputs, ExtraInputs]:
    """What `collatrisk.kernels.steps` and `extras` read: coefficients and filtered state, padded to the longest lag.

    An AR(1) mean: with drift ``"fitted"`` it is as it was fitted; with ``"zero_log"`` what a log return inherits is
    counted from the mean of the fit, which is moved to 0; a ``"martingale"`` inherits nothing.

    Parameters
    ----------
    fitted, clock : of the model and of the simulated steps, which are finer only where every variance is constant.
    n_steps : the longest horizon that will be simulated.
    """
    from collatrisk.kernels.extras import ExtraInputs
    from collatrisk.kernels.steps import CONSTANT, StepInputs

    refinement = clock.steps_per_day / fitted.steps_per_day
    recursions = [marginal.coefficients for marginal in marginals]
    size, longest = len(marginals), max(1, *map(_ring_lags, recursions))
    arrays = {name: np.zeros((size, longest)) for name in (*_LETTERS, "residuals", "variances")}
    omega, power = np.zeros(size), np.full(size, 2.0)
    kind, lags, slot = (np.zeros(size, dtype=np.int64) for _ in range(3))
    bases, weights = list[FloatArray](), list[FloatArray]()
    for i, (marginal, recursion) in enumerate(zip(marginals, recursions, strict=True)):
        kind[i], lags[i], slot[i] = _kind(recursion), _ring_lags(recursion), -1
        if isinstance(recursion, ArchWeights | EwmaMixture):
            slot[i] = len(bases)
            power[i] = recursion.power if isinstance(recursion, ArchWeights) else 2.0
            base, weight = _memory(recursion, marginal, n_steps)
            bases.append(base)
            weights.append(weight)
        elif isinstance(recursion, GarchCoefficients | EgarchCoefficients):
            for name in _LETTERS:
                values = getattr(recursion, name)
                arrays[name][i, : len(values)] = values
            omega[i] = recursion.omega
            if isinstance(recursion, GarchCoefficients):
                power[i] = recursion.power
            else:
                omega[i] -= CENTRE * math.fsum(recursion.alpha)
            residuals, variances = _ring_state(recursion, marginal)
            arrays["residuals"][i, longest - residuals.size :] = residuals
            arrays["variances"][i, longest - variances.size :] = variances
        if kind[i] == CONSTANT:
            omega[i] /= refinement
            arrays["variances"][i] = omega[i]
    reach = max((weight.size for weight in weights), default=0)
    steps = StepInputs(
        mean=np.array([marginal.mu / refinement if drift == "fitted" else 0.0 for marginal in marginals]),
        variance_drift=-0.5 if drift == "martingale" else 0.0,
        kind=kind,
        omega=omega,
        **arrays,
    )
    extras = ExtraInputs(
        season=_seasons(marginals, clock),
        inherited=np.array([0.0 if drift == "martingale" else marginal.ar for marginal in marginals]),
        last_return=np.array([_last_return(marginal, drift) for marginal in marginals]),
        lags=lags,
        power=power,
        slot=slot,
        base=np.array(bases).reshape(len(bases), n_steps),
        weights=np.array([np.pad(weight, (0, reach - weight.size)) for weight in weights]).reshape(len(weights), reach),
    )
    return steps, extras


def _seasons(marginals: Sequence[Marginal], clock: Clock) -> NDArray[np.float64]:
    """(d, P) factors of a week's steps from the last observation on; (d, 1) ones where no asset has a season."""
    if all(marginal.season is None for marginal in marginals):
        return np.ones((len(marginals), 1))
    period = 7 * clock.steps_per_day
    return np.array([np.ones(period) if m.season is None else m.season.steps(clock.steps_per_day) for m in marginals])


def is_constant(marginal: Marginal) -> bool:
    """Whether the variance of this marginal never moves and no return leans on the one before: any step will do."""
    recursion = marginal.coefficients
    return recursion.residual_lags == 0 and recursion.variance_lags == 0 and marginal.spec.mean != "ar1"


def _kind(recursion: Recursion) -> int:
    from collatrisk.kernels.steps import CONSTANT, GARCH, LOG, MEMORY, POWER

    if isinstance(recursion, GarchCoefficients):
        if not (recursion.residual_lags or recursion.variance_lags):
            return CONSTANT
        return GARCH if recursion.power == 2.0 else POWER
    return LOG if isinstance(recursion, EgarchCoefficients) else MEMORY


def _ring_lags(recursion: Recursion) -> int:
    """Rows of the rings that a recursion uses."""
    if isinstance(recursion, ArchWeights | EwmaMixture):
        return 0
    return max(recursion.residual_lags, recursion.variance_lags)


def _ring_state(recursion: GarchCoefficients | EgarchCoefficients, marginal: Marginal) -> tuple[FloatArray, FloatArray]:
    """The state in the scale in which the recursion is linear, oldest first."""
    residuals, variances = np.array(marginal.last_residuals), np.array(marginal.last_variances)
    if isinstance(recursion, EgarchCoefficients):
        z = residuals / np.sqrt(variances[variances.size - residuals.size :])
        return z, np.log(variances)
    if recursion.power == 2.0:
        return residuals, variances
    return np.sign(residuals) * np.abs(residuals) ** recursion.power, recursion.to_power(variances)


def _memory(recursion: ArchWeights | EwmaMixture, marginal: Marginal, n_steps: int) -> tuple[FloatArray, FloatArray]:
    """What the history adds to each step, and the weights of the simulated steps."""
    residuals = np.array(marginal.last_residuals)
    if isinstance(recursion, ArchWeights):
        return recursion.base_path(residuals, n_steps), np.array(recursion.weights[:n_steps])
    variances = np.array(marginal.last_variances)
    return recursion.base_path(residuals, variances, n_steps), recursion.lag_weights(n_steps)


def _last_return(marginal: Marginal, drift: Drift) -> float:
    """What the first simulated return inherits from: the last return, or its distance from the mean."""
    last = marginal.last_return or 0.0
    return last if drift == "fitted" or marginal.ar == 0.0 else last - marginal.mu / (1.0 - marginal.ar)
