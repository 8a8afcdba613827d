"""The recursions of the assets, and where they start, as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal

if TYPE_CHECKING:
    from collatrisk.kernels.steps import StepInputs

Drift: TypeAlias = Literal["martingale", "zero_log", "fitted"]
DRIFTS: tuple[Drift, ...] = ("martingale", "zero_log", "fitted")


def step_inputs(marginals: Sequence[Marginal], fitted: Clock, clock: Clock, drift: Drift) -> StepInputs:
    """What `collatrisk.kernels.steps` reads: coefficients and filtered state, padded with zeros to the longest lag.

    Parameters
    ----------
    fitted, clock : of the model and of the simulated steps, which are finer only where every variance is constant.
    """
    from collatrisk.kernels.steps import StepInputs

    refinement = clock.steps_per_day / fitted.steps_per_day
    coefficients = [marginal.coefficients for marginal in marginals]
    lags = max(1, *(max(c.residual_lags, c.variance_lags) for c in coefficients))
    constant = np.array([is_constant(marginal) for marginal in marginals])
    names = ("alpha", "gamma", "beta", "residuals", "variances")
    arrays = {name: np.zeros((len(marginals), lags)) for name in names}
    omega = np.array([c.omega for c in coefficients])
    omega[constant] /= refinement
    for i, (marginal, c) in enumerate(zip(marginals, coefficients, strict=True)):
        for name in ("alpha", "gamma", "beta"):
            values = getattr(c, name)
            arrays[name][i, : len(values)] = values
        for name, values in (("residuals", marginal.last_residuals), ("variances", marginal.last_variances)):
            arrays[name][i, lags - len(values) :] = values
        if constant[i]:
            arrays["variances"][i] = omega[i]
    return StepInputs(
        mean=np.array([marginal.mu / refinement if drift == "fitted" else 0.0 for marginal in marginals]),
        variance_drift=-0.5 if drift == "martingale" else 0.0,
        season=_seasons(marginals, clock),
        constant=constant,
        omega=omega,
        **arrays,
    )


def _seasons(marginals: Sequence[Marginal], clock: Clock) -> NDArray[np.float64]:
    """(d, P) factors of a week's steps from the last observation on; (d, 1) ones where no asset has a season."""
    if all(marginal.season is None for marginal in marginals):
        return np.ones((len(marginals), 1))
    period = 7 * clock.steps_per_day
    return np.array([np.ones(period) if m.season is None else m.season.steps(clock.steps_per_day) for m in marginals])


def is_constant(marginal: Marginal) -> bool:
    """Whether the variance of this marginal never moves."""
    c = marginal.coefficients
    return c.residual_lags == 0 and c.variance_lags == 0
