"""The heterogeneous autoregression of a realised measure in logarithms: least squares, expected measures ahead."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.volatility.distributions import Array


def regressors(log_x: Array, lags: tuple[int, ...]) -> Array:
    """(n - max(lags) + 1, 1 + len(lags)) a constant and the means of the last `lags`; the last row: the next step."""
    sums = np.concatenate(([0.0], np.cumsum(log_x)))
    first = lags[-1]
    ends = np.arange(first, log_x.size + 1)
    return np.column_stack([np.ones(ends.size), *((sums[ends] - sums[ends - lag]) / lag for lag in lags)])


def estimate(log_x: Array, lags: tuple[int, ...]) -> tuple[Array, float, Array]:
    """Coefficients (1 + len(lags),), the variance of the error, and their covariance.

    The covariance is that of Newey and West (1987) with floor(4 (n / 100)^(2/9)) lags.
    """
    design = regressors(log_x, lags)[:-1]
    target = log_x[lags[-1] :]
    found = np.linalg.lstsq(design, target, rcond=None)[0]
    error = target - design @ found
    scores = design * error[:, None]
    meat = scores.T @ scores
    reach = math.floor(4.0 * (target.size / 100.0) ** (2.0 / 9.0))
    for lag in range(1, reach + 1):
        cross = scores[lag:].T @ scores[:-lag]
        meat += (1.0 - lag / (reach + 1.0)) * (cross + cross.T)
    bread = np.linalg.pinv(design.T @ design)
    variance = float(error @ error) / max(target.size - found.size, 1)
    return np.asarray(found, dtype=np.float64), variance, np.asarray(bread @ meat @ bread, dtype=np.float64)


def expected_measures(coefficients: Array, variance: float, log_x: Array, lags: tuple[int, ...], horizon: int) -> Array:
    """E x of each of the next steps (horizon,) for normal errors: exp(forecast + variance / 2 sum of psi^2)."""
    weights = np.zeros(lags[-1])
    for lag, coefficient in zip(lags, coefficients[1:].tolist(), strict=True):
        weights[:lag] += coefficient / lag
    history = log_x[-lags[-1] :].tolist()
    psi = [1.0]
    found = np.empty(horizon)
    squares = 0.0
    for k in range(horizon):
        ahead = float(coefficients[0]) + float(weights @ np.array(history[: -lags[-1] - 1 : -1]))
        squares += psi[k] ** 2
        found[k] = math.exp(ahead + 0.5 * variance * squares)
        history.append(ahead)
        near = np.array(psi[: -lags[-1] - 1 : -1])
        psi.append(float(weights[: near.size] @ near))
    return found
