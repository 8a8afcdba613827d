"""Degrees of freedom of the t copula by likelihood, given its correlation, with a two-step standard error."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.dependence.density import t_correlation_slope, t_log_density
from collatrisk.dependence.kendall import Concordance
from collatrisk.dependence.score_curve import ScoreCurve

FloatArray = NDArray[np.float64]

NU_LOW, NU_HIGH = 2.1, 200.0
_GRID = (2.1, 3.0, 4.0, 6.0, 9.0, 14.0, 25.0, 60.0, 200.0)
_FLAT = 1e-6
_STEP = 1e-2
_CLOSE = 1e-7  # of 1 / nu, relative: what the rounding of the likelihood lets one see


def fit_nu(curve: ScoreCurve, correlation: FloatArray) -> tuple[float, float]:
    """Degrees of freedom in [2.1, 200] that maximise the copula's likelihood at the given correlation.

    The search runs in 1 / nu, in which the likelihood goes smoothly to the Gaussian limit: a grid, then Brent's method
    between the neighbours of its best point.

    Returns
    -------
    (nu, log-likelihood in nats). nu is exactly a bound if no point inside is better by 1e-6.
    """
    from scipy.optimize import minimize_scalar

    @cache
    def loss(inverse: float) -> float:
        nu = 1.0 / inverse
        return -float(np.sum(t_log_density(curve.quantiles(nu), correlation, nu)))

    losses = [loss(1.0 / nu) for nu in _GRID]
    best = int(np.argmin(losses))
    if 0 < best < len(_GRID) - 1:
        around = 1.0 / _GRID[best + 1], 1.0 / _GRID[best], 1.0 / _GRID[best - 1]
        found = minimize_scalar(loss, bracket=around, method="brent", options={"xtol": _CLOSE})
    else:
        left, right = _GRID[min(best + 1, len(_GRID) - 1)], _GRID[max(best - 1, 0)]
        found = minimize_scalar(loss, bounds=(1.0 / left, 1.0 / right), method="bounded", options={"xatol": 1e-7})
    candidates = [(float(found.fun), 1.0 / float(found.x))]
    candidates += [(losses[i] - _FLAT, _GRID[i]) for i in (0, -1)]
    _, nu = min(candidates)
    return nu, -loss(1.0 / nu)


def nu_standard_error(
    curve: ScoreCurve, correlation: FloatArray, pairs: Concordance, nu: float, passed_on: float = 1.0
) -> float | None:
    """Standard error of nu that allows for the correlation's having been estimated from Kendall's tau first.

    Godambe's sandwich for the two-step estimator (Newey and McFadden, 1994, theorem 6.1): with s_i the score in nu and
    D the mean derivative of s in the correlations, var = mean((s_i + D . influence_i)^2) / (n mean(ds/dnu)^2).
    `pairs` are those of the same uniforms; `passed_on` is the share of the sample's correlation that shrinkage leaves.
    It takes the uniforms as given: the error of the marginals' parameters is not in it, nor is serial dependence.

    Returns
    -------
    float > 0, or None if the likelihood is not concave at nu.
    """
    step = _STEP * min(nu, 20.0)
    low, high = max(nu - step, 2.0 + 0.5 * (nu - 2.0)), nu + step
    half = (high - low) / 2
    middle = (high + low) / 2
    points = (low, middle, high)
    scores = [curve.quantiles(point) for point in points]
    density = [t_log_density(x, correlation, point) for x, point in zip(scores, points, strict=True)]
    score = (density[2] - density[0]) / (2 * half)
    curvature = float(np.mean(density[2] - 2 * density[1] + density[0])) / half**2
    if not curvature < 0:
        return None
    cross = t_correlation_slope(scores[2], correlation, high) - t_correlation_slope(scores[0], correlation, low)
    chain = math.pi / 2 * np.cos(math.pi / 2 * pairs.tau)
    # Half of the double sum: each pair counts once, and the slope already moves both mirrored entries.
    weight = 0.5 * passed_on * cross / (2 * half) * chain
    moved = pairs.influence.reshape(len(score), -1) @ weight.ravel()
    meat = float(np.mean((score - score.mean() + moved) ** 2))
    return math.sqrt(meat / len(score)) / -curvature


def nu_finding(nu: float) -> Finding | None:
    """What to say of a nu on a bound."""
    if nu >= NU_HIGH:
        message = f"nu is on its upper bound {NU_HIGH:g}: the data do not tell the t copula from the Gaussian one"
        return Finding("nu-at-bound", "info", "dependence", message + "; GaussianCopula() would say the same")
    if nu <= NU_LOW:
        message = f"nu is on its lower bound {NU_LOW:g}: joint extremes beyond what a t copula with a variance holds"
        return Finding(
            "nu-at-bound", "warning", "dependence", message + "; look for common outliers or a mixed history"
        )
    return None
