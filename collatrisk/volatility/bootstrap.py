"""Refits of simulated histories: how parameters scatter where no covariance can say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from collatrisk.base.errors import FitError, Problem
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.estimate import search
from collatrisk.volatility.likelihood import Likelihood, Presample, parameter_names
from collatrisk.volatility.panel import fit_panel
from collatrisk.volatility.quasi import is_fast
from collatrisk.volatility.recursions import recursion_of, simulate_residuals
from collatrisk.volatility.specs import Garch, VolatilitySpec

_CHUNK = 200  # histories simulated at once: some megabytes
_ROUNDS = 3
_CONVERGED = 1e-2  # Newton decrement: a tenth of a standard error


def simulate_returns(
    spec: VolatilitySpec, params: Mapping[str, float], shocks: Array, start: float, first: float = 0.0
) -> Array:
    """Returns (n_steps, n) of a model driven by standardised shocks (n_steps, n), from the pre-sample variance `start`.

    With an AR(1) mean (n_steps + 1, n): `first` is the return before the first shock.
    """
    mean = params.get("mu", 0.0)
    residuals = simulate_residuals(recursion_of(spec, params), shocks, start)
    if spec.mean != "ar1":
        return mean + residuals
    found = np.empty((len(shocks) + 1, shocks.shape[1]))
    found[0] = first
    for t, residual in enumerate(residuals, 1):
        found[t] = mean + params["ar[1]"] * found[t - 1] + residual
    return found


def bootstrap_params(
    spec: VolatilitySpec, presample: Presample, simulate: Callable[[int], Array], n: int, near: Array
) -> tuple[Array, int]:
    """Estimates (n, k) from simulated histories, and how many histories could not be fitted and were drawn again.

    Parameters
    ----------
    simulate : gives that many histories, (n_steps, count).
    near : (k,) the parameters that make them, where the search of specs without a fast path begins.

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
        found += refit(spec, presample, simulate(count), near)
    if len(found) < n:
        rule = f"must be fitted on simulated histories, but {tried - len(found)} of {tried} failed"
        raise FitError("bootstrap", [Problem("parameters", str(spec), rule, "use a simpler spec or more history")])
    return np.array(found[:n]).reshape(n, len(parameter_names(spec))), tried - len(found)


def refit(spec: VolatilitySpec, presample: Presample, histories: Array, near: Array) -> list[Array]:
    """The estimates of each history (a column) that could be fitted; `near`: the parameters that made them."""
    columns = np.ascontiguousarray(histories.T)
    if isinstance(spec, Garch) and is_fast(spec):
        panel = fit_panel(list(columns), spec, presample=presample)
        kept = panel.params.loc[panel.converged.to_numpy()]
        return list(kept.loc[:, list(parameter_names(spec))].to_numpy(dtype=np.float64))
    found = [_refit_near(column, spec, presample, near) for column in columns]
    return [theta for theta in found if theta is not None]


def _refit_near(values: Array, spec: VolatilitySpec, presample: Presample, near: Array) -> Array | None:
    """The optimum that a search from the true parameters ends in; None where it fails."""
    scale = float(np.std(values))
    if not 0.0 < scale < np.inf:
        return None
    likelihood = Likelihood(values / scale, spec, presample)
    try:
        optimum, _ = search(likelihood, [likelihood.rescaled(near, 1.0 / scale)[0]])
    except (ArithmeticError, np.linalg.LinAlgError):
        return None
    converged = 0.0 <= optimum.decrement <= _CONVERGED
    return likelihood.rescaled(optimum.theta, scale)[0] if converged else None
