"""Refits of simulated histories: how parameters scatter where no covariance can say so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collatrisk.base.errors import CollatriskError, FitError, Problem
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.fit import fit_volatility
from collatrisk.volatility.likelihood import Presample, parameter_names
from collatrisk.volatility.panel import fit_panel
from collatrisk.volatility.specs import Garch, GarchCoefficients, VolatilitySpec

_CHUNK = 200  # histories simulated at once: some megabytes
_ROUNDS = 3


def is_fast(spec: VolatilitySpec) -> bool:
    """Whether `fit_panel` knows the spec."""
    return isinstance(spec, Garch) and spec.p == 1 and spec.q == 1 and spec.o in {0, 1}


def simulate_returns(mean: float, coefficients: GarchCoefficients, shocks: Array, start: float) -> Array:
    """Returns (n_steps, n) of a GJR recursion driven by standardised shocks (n_steps, n).

    As in the likelihood, the squared residuals and the variances before the first step are `start`, the squared
    negative parts half of it.
    """
    n_steps, size = shocks.shape
    alpha, gamma, beta = coefficients.alpha, coefficients.gamma, coefficients.beta
    lags = max(coefficients.residual_lags, coefficients.variance_lags, 1)
    squares = np.full((n_steps + lags, size), start)
    negatives = np.full((n_steps + lags, size), 0.5 * start)
    variances = np.full((n_steps + lags, size), start)
    residuals = np.empty((n_steps, size))
    for t in range(n_steps):
        now = t + lags
        h = np.full(size, coefficients.omega)
        for lag, weight in enumerate(alpha, 1):
            h += weight * squares[now - lag]
        for lag, weight in enumerate(gamma, 1):
            h += weight * negatives[now - lag]
        for lag, weight in enumerate(beta, 1):
            h += weight * variances[now - lag]
        e = np.sqrt(h) * shocks[t]
        residuals[t], variances[now], squares[now] = e, h, e * e
        negatives[now] = np.minimum(e, 0.0) ** 2
    return mean + residuals


def bootstrap_params(
    spec: VolatilitySpec, presample: Presample, simulate: Callable[[int], Array], n: int
) -> tuple[Array, int]:
    """Estimates (n, k) from simulated histories, and how many histories could not be fitted and were drawn again.

    Parameters
    ----------
    simulate : gives that many histories, (n_steps, count).

    Raises
    ------
    FitError : far too few histories can be fitted.
    """
    found: list[Array] = []
    tried = 0
    # Whole chunks, so that the draws of a smaller n are the first ones of a larger.
    count = _CHUNK if is_fast(spec) else 1
    while len(found) < n and tried < _ROUNDS * max(n, _CHUNK):
        tried += count
        found += refit(spec, presample, simulate(count))
    if len(found) < n:
        rule = f"must be fitted on simulated histories, but {tried - len(found)} of {tried} failed"
        raise FitError("bootstrap", [Problem("parameters", str(spec), rule, "use a simpler spec or more history")])
    return np.array(found[:n]).reshape(n, len(parameter_names(spec))), tried - len(found)


def refit(spec: VolatilitySpec, presample: Presample, histories: Array) -> list[Array]:
    """The estimates of each history (a column) that could be fitted."""
    columns = np.ascontiguousarray(histories.T)
    if isinstance(spec, Garch) and is_fast(spec):
        panel = fit_panel(list(columns), spec, presample=presample)
        kept = panel.params.loc[panel.converged.to_numpy()]
        return list(kept.loc[:, list(parameter_names(spec))].to_numpy(dtype=np.float64))
    found = []
    for column in columns:
        try:
            fit = fit_volatility(column, spec, presample=presample)
        except CollatriskError:
            continue
        if not any(finding.code == "not-converged" for finding in fit.findings):
            found.append(as_vector(spec, fit.params))
    return found
