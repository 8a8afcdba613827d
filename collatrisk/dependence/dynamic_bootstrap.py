"""Parametric bootstrap of a moving correlation: for many assets, and for estimates on a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from collatrisk.base.errors import FitError, Problem
from collatrisk.base.validation import Problems
from collatrisk.dependence.dynamic_specs import Dcc
from collatrisk.dependence.dynamics import CorrelationDynamics
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.result import DependenceFit

FloatArray = NDArray[np.float64]

_EDGE = 1e-15


def bootstrap_dependence(
    fit: DependenceFit, n: int = 100, seed: int = 0, *, executor: Executor | None = None
) -> DependenceFit:
    """The fit with the covariance of a parametric bootstrap in the place of the two-step one.

    Histories of the fitted length are simulated from the fit, from its long-run level, and fitted again with the same
    spec: S and the motion are estimated anew each time. The errors of the marginals are not in it.

    Parameters
    ----------
    fit : of a `Dcc`, fitted (n_obs > 0).
    n : histories, >= 20; 100 give standard errors to about 7 %.
    seed : history k is the same whatever n and the executor. executor : refits side by side.

    Returns
    -------
    DependenceFit: `dynamics.covariance` and `nu_std_error` are those of the refits.

    Raises
    ------
    InputError : an argument breaks a rule. FitError : most histories could not be fitted.
    """
    problems = Problems("bootstrap_dependence")
    known = isinstance(fit, DependenceFit) and isinstance(fit.spec, Dcc) and fit.n_obs > 0
    problems.check(known, "fit", str(getattr(fit, "spec", fit)), "must be a fitted Dcc", "fit_dependence gives one")
    problems.integer("n", n, low=20, high=100_000, remedy="100")
    problems.integer("seed", seed, low=0, high=2**64 - 1, remedy="any whole number")
    problems.raise_if_any()
    run: Callable[..., Iterable[FloatArray | None]] = map if executor is None else executor.map
    found = [row for row in run(_refit, [fit] * n, [(seed, k) for k in range(n)]) if row is not None]
    if len(found) < 0.8 * n:
        rule = "must be fitted in 80 % of the histories"
        raise FitError("bootstrap_dependence", [Problem("n", f"{len(found)} of {n}", rule, "use a longer history")])
    motion = fit.dynamics
    assert motion is not None
    names = _names(motion, fit.nu)
    covariance = np.atleast_2d(np.cov(np.array(found), rowvar=False))
    error = None if fit.nu is None else float(np.sqrt(covariance[-1, -1]))
    return replace(fit, nu_std_error=error, dynamics=replace(motion, names=names, covariance=covariance))


def _names(motion: CorrelationDynamics, nu: float | None) -> tuple[str, ...]:
    return (*("abg" if motion.motion == "asymmetric" else "ab"), *(() if nu is None else ("nu",)))


def _refit(fit: DependenceFit, key: tuple[int, int]) -> FloatArray | None:
    """The estimates (a, b[, g][, nu]) from one simulated history; None where there are none."""
    scores = simulate_scores(fit, fit.n_obs, np.random.default_rng(key))
    uniforms = ndtr(scores) if fit.nu is None else stdtr(fit.nu, scores * np.sqrt(fit.nu / (fit.nu - 2.0)))
    again = fit_dependence(np.clip(uniforms, _EDGE, 1.0 - _EDGE), fit.spec, assets=fit.assets, std_errors=False)
    motion = again.dynamics
    if motion is None or any(finding.code == "not-converged" for finding in again.findings):
        return None
    values = {"a": motion.a, "b": motion.b, "g": motion.g, "nu": again.nu}
    return np.array([values[name] for name in _names(motion, again.nu)], dtype=np.float64)


def simulate_scores(fit: DependenceFit, n_obs: int, rng: np.random.Generator) -> FloatArray:
    """Scores of variance 1 from a fitted motion, from its long-run level; float64 (n_obs, d)."""
    motion, level = fit.dynamics, fit.correlation
    assert motion is not None
    constant, q = motion.constant(level), level.copy()
    normals = rng.standard_normal((n_obs, len(level)))
    mixing = np.ones(n_obs) if fit.nu is None else np.sqrt((fit.nu - 2.0) / rng.chisquare(fit.nu, n_obs))
    scores = np.empty_like(normals)
    for t in range(n_obs):
        sd = np.sqrt(np.diag(q))
        x = (np.linalg.cholesky(q) @ normals[t]) / sd * mixing[t]
        scores[t] = x
        u = x * sd if motion.motion == "corrected" else x
        q = constant + motion.a * np.outer(u, u) + motion.b * q
        if motion.g > 0.0:
            falls = np.minimum(x, 0.0)
            q += motion.g * np.outer(falls, falls)
    return scores
