"""The recursions of the assets, and where they start, as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from collatrisk.simulation.marginals import Marginal

if TYPE_CHECKING:
    from collatrisk.kernels.steps import StepInputs

Drift: TypeAlias = Literal["martingale", "zero_log", "fitted"]
DRIFTS: tuple[Drift, ...] = ("martingale", "zero_log", "fitted")


def step_inputs(marginals: Sequence[Marginal], refinement: float, drift: Drift) -> StepInputs:
    """What `collatrisk.kernels.steps` reads: coefficients and filtered state, padded with zeros to the longest lag.

    Parameters
    ----------
    refinement : simulated steps to a step of the model; above 1 only where every variance is constant.
    """
    from collatrisk.kernels.steps import StepInputs

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
        constant=constant,
        omega=omega,
        **arrays,
    )


def is_constant(marginal: Marginal) -> bool:
    """Whether the variance of this marginal never moves."""
    c = marginal.coefficients
    return c.residual_lags == 0 and c.variance_lags == 0
