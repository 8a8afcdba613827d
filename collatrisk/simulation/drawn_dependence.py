"""A dependence drawn within its estimation error: correlations, degrees of freedom, and the motion of a correlation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence.correlation import correlation_factor
from collatrisk.dependence.dynamics import CorrelationDynamics
from collatrisk.dependence.historical import FilteredHistorical, resampled
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import Independent
from collatrisk.volatility.likelihood import NU_BOUNDS

FloatArray = NDArray[np.float64]

_LEAST_SLACK = 1e-4


def draw_dependence(fit: DependenceFit, rng: np.random.Generator) -> Iterator[DependenceFit]:
    """Endless draws of a dependence within its estimation error; the same again where nothing was estimated.

    Correlations scatter as those of a normal sample, of n_obs observations over what the estimator and the motion cost.
    a, b, g and nu of a moving correlation come from their two-step covariance, in the logarithms of the shares a, b,
    delta g and slack, so that every draw is valid; without a covariance they are held. The state and N follow S by the
    linear map that takes one factor of S to the other, which keeps them positive definite.
    """
    if fit.rows is not None and fit.n_obs > 0:
        return _histories(fit, rng)
    if fit.n_obs == 0 or isinstance(fit.spec, Independent) or len(fit.assets) < 2:
        return repeat(fit)
    return _dependences(fit, rng)


def _dependences(fit: DependenceFit, rng: np.random.Generator) -> Iterator[DependenceFit]:
    factor = correlation_factor(fit.correlation)
    size = max(round(fit.n_obs / _inflation(fit)), len(fit.assets) + 1)
    while True:
        drawn = _drawn_correlation(fit, factor, size, rng)
        groups = tuple(
            replace(one, nu=_drawn_nu(one.nu, one.nu_std_error, float(rng.standard_normal())), nu_std_error=None)
            for one in fit.groups
        )
        nu, motion = fit.nu, fit.dynamics
        if motion is not None:
            motion, nu = _drawn_motion(fit, motion, drawn, rng)
        elif nu is not None:
            nu = _drawn_nu(nu, fit.nu_std_error, float(rng.standard_normal()))
        yield replace(
            fit,
            correlation=drawn,
            nu=nu,
            nu_std_error=None,
            loglikelihood=None,
            n_obs=0,
            dynamics=motion,
            groups=groups,
        )


def _drawn_correlation(fit: DependenceFit, factor: FloatArray, size: int, rng: np.random.Generator) -> FloatArray:
    """The sample correlation of `size` normal observations; an EWMA's, which only the filter makes, is held."""
    if fit.dynamics is not None and fit.dynamics.motion == "ewma":
        return fit.correlation
    sample = rng.standard_normal((size, len(fit.assets))) @ factor.T
    moments = sample.T @ sample
    unit = np.sqrt(np.maximum(np.diag(moments), 1e-300))
    drawn = fit.correlation + (1.0 - fit.shrinkage) * (moments / np.outer(unit, unit) - fit.correlation)
    drawn = 0.5 * (drawn + drawn.T)
    np.fill_diagonal(drawn, 1.0)
    return np.asarray(drawn)


def _inflation(fit: DependenceFit) -> float:
    """By how much the variance of a correlation exceeds that of independent normal observations.

    Kendall's tau of a t copula: 1.3 to 1.8 times at nu = 4, 1.2 to 1.3 at nu = 30, measured for correlations of 0 to
    0.85. Where correlation moves, products of scores are an ARMA(1, 1) with persistence a + b: the variance of their
    mean is ((1 - b) / (1 - a - b))^2 / (1 + a^2 / (1 - (a + b)^2)) times that of independent ones.
    """
    nus = [nu for nu in fit.nus if nu is not None]
    by_law = 1.15 + 2.0 / min(nus) if nus else 1.0
    motion = fit.dynamics
    if motion is None or motion.motion == "ewma":
        return by_law
    a, persistence = motion.a + 0.5 * motion.g, min(motion.persistence, 0.999)
    return by_law * ((1.0 - motion.b) / (1.0 - persistence)) ** 2 / (1.0 + a * a / (1.0 - persistence**2))


def _drawn_motion(
    fit: DependenceFit, motion: CorrelationDynamics, correlation: FloatArray, rng: np.random.Generator
) -> tuple[CorrelationDynamics, float | None]:
    """The motion with drawn parameters around the drawn long-run level, and nu."""
    if motion.motion == "ewma":
        return motion, None if fit.nu is None else _drawn_nu(fit.nu, fit.nu_std_error, float(rng.standard_normal()))
    negatives = None if motion.negatives is None else _moved(motion.negatives, fit.correlation, correlation)
    held = replace(motion, state=_moved(motion.state, fit.correlation, correlation), negatives=negatives)
    if motion.covariance is None:
        return held, fit.nu
    limit = motion.limit(fit.correlation)
    slack = max(1.0 - motion.a - motion.b - limit * motion.g, _LEAST_SLACK)
    values = {"a": motion.a, "b": motion.b, "g": limit * motion.g, "nu": (fit.nu or 3.0) - 2.0}
    unit = np.array([limit if name == "g" else 1.0 for name in motion.names])
    error = rng.multivariate_normal(np.zeros(len(unit)), motion.covariance * np.outer(unit, unit), method="eigh")
    moved = dict(zip(motion.names, error.tolist(), strict=True))
    fallen = -sum(value for name, value in moved.items() if name != "nu")
    logs = {name: math.log(values[name]) + _capped(change / values[name]) for name, change in moved.items()}
    logs["slack"] = math.log(slack) + _capped(fallen / slack)
    drawn = {name: math.exp(value) for name, value in logs.items()}
    total = sum(value for name, value in drawn.items() if name != "nu")
    nu = fit.nu
    if "nu" in drawn:
        nu = min(max(2.0 + drawn["nu"], NU_BOUNDS[0]), NU_BOUNDS[1])
    return replace(
        held,
        a=drawn["a"] / total,
        b=drawn["b"] / total,
        g=drawn.get("g", 0.0) / total / limit,
        names=(),
        covariance=None,
    ), nu


def _capped(change: float) -> float:
    """The change of a logarithm, to first order, within what an exponential bears."""
    return min(max(change, -20.0), 20.0)


def _moved(matrix: FloatArray, before: FloatArray, after: FloatArray) -> FloatArray:
    """A positive definite matrix under the map that takes the factor of `before` to that of `after`."""
    floor = 1e-12 * np.eye(len(before))
    turn = np.linalg.solve(np.linalg.cholesky(before + floor).T, np.linalg.cholesky(after + floor).T).T
    moved = turn @ matrix @ turn.T
    return np.asarray(0.5 * (moved + moved.T))


def _histories(fit: DependenceFit, rng: np.random.Generator) -> Iterator[DependenceFit]:
    """Rows drawn from the rows: histories of the same length that might have been."""
    assert fit.rows is not None
    assert isinstance(fit.spec, FilteredHistorical)
    while True:
        rows = resampled(fit.rows, fit.spec.mean_block, rng)
        correlation = np.atleast_2d(np.corrcoef(rows, rowvar=False))
        np.fill_diagonal(correlation, 1.0)
        yield replace(fit, rows=rows, correlation=correlation, n_obs=0)


def _drawn_nu(nu: float, error: float | None, normal: float) -> float:
    """nu by a normal law of log(nu - 2), within the bounds of the estimation; held where it has no error."""
    if error is None or nu <= 2.0:
        return nu
    drawn = 2.0 + (nu - 2.0) * math.exp(min(max(normal * error / (nu - 2.0), -20.0), 20.0))
    return min(max(drawn, NU_BOUNDS[0]), NU_BOUNDS[1])
