"""The joint quasi-likelihood of the log-linear Realized GARCH, with the measurement equation concentrated out.

Given (mu, omega, beta, gamma) the variances follow from the observed measures by a linear filter, and the best
measurement equation is a least-squares regression: four parameters are searched, the rest is algebra. Before the
sample ln x is its mean and ln h that of the mean squared residual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from collatrisk.volatility.distributions import Array

NAMES = ("mu", "omega", "beta", "gamma", "xi", "phi", "tau1", "tau2", "sigma_u")
_LOG_2PI = math.log(2.0 * math.pi)
_HIGHEST = 0.9999  # of beta + phi gamma
_SIMPLEX = (0.05, 0.3, -0.1, 0.1)  # mu, level of ln h, beta, gamma
_RESTARTS = (1.0, 0.3, 0.1, 0.03, 0.01)


@dataclass(frozen=True, slots=True)
class RealizedPath:
    """The model along a sample: residuals z, ln h (n,), the whole error w = ln x - xi - phi ln h of each measure."""

    z: Array
    log_h: Array
    errors: Array


def log_variances(mu: float, omega: float, beta: float, gamma: float, returns: Array, log_x: Array) -> Array:
    """ln h (n,) along a sample."""
    from scipy.signal import lfilter

    before_x = float(np.mean(log_x))
    before_h = math.log(max(float(np.mean((returns - mu) ** 2)), 1e-300))
    drive = omega + gamma * np.concatenate(([before_x], log_x[:-1]))
    found, _ = lfilter([1.0], [1.0, -beta], drive, zi=[beta * before_h])
    return np.asarray(found, dtype=np.float64)


def measurement(z: Array, log_h: Array, log_x: Array) -> tuple[Array, float]:
    """xi, phi, tau1, tau2 by least squares, and the sd of u."""
    design = np.column_stack([np.ones(z.size), log_h, z, z * z - 1.0])
    found = np.linalg.lstsq(design, log_x, rcond=None)[0]
    u = log_x - design @ found
    return np.asarray(found, dtype=np.float64), math.sqrt(max(float(np.mean(u * u)), 1e-300))


def terms(theta: Array, returns: Array, log_x: Array) -> Array:
    """The log-likelihood of each step at the whole parameter vector (in the order of `NAMES`)."""
    mu, omega, beta, gamma, xi, phi, tau1, tau2, sigma = theta.tolist()
    log_h = log_variances(mu, omega, beta, gamma, returns, log_x)
    z = (returns - mu) * np.exp(-0.5 * log_h)
    u = log_x - xi - phi * log_h - tau1 * z - tau2 * (z * z - 1.0)
    own = -0.5 * (_LOG_2PI + log_h + z * z)
    return np.asarray(own - 0.5 * (_LOG_2PI + 2.0 * math.log(sigma) + (u / sigma) ** 2), dtype=np.float64)


def maximise(returns: Array, log_x: Array, start: Array | None = None) -> Array:
    """The parameter vector of the highest joint likelihood, from a few starts or from a given one.

    Parameters
    ----------
    returns : (n,), of unit-ish variance. log_x : (n,).
    start : (mu, omega, beta, gamma) of a fit before.

    Raises
    ------
    ArithmeticError : no start has a finite likelihood.
    """
    from scipy.optimize import minimize

    centre_h, centre_x = math.log(float(np.var(returns))), float(np.mean(log_x))

    def minus(point: Array) -> float:
        mu, level, beta, gamma = point.tolist()
        if not (-0.5 < beta < 1.0) or abs(gamma) > 3.0:
            return 1e10
        # omega through the level of ln h at the mean measure: the two hardly move together.
        omega = (1.0 - beta) * level - gamma * centre_x
        log_h = log_variances(mu, omega, beta, gamma, returns, log_x)
        if not np.all(np.abs(log_h) < 60.0):
            return 1e10
        z = (returns - mu) * np.exp(-0.5 * log_h)
        coefficients, sigma = measurement(z, log_h, log_x)
        if beta + float(coefficients[1]) * gamma > _HIGHEST:
            return 1e10
        return float(0.5 * np.sum(log_h + z * z) / z.size) + math.log(sigma)

    if start is None:
        tries = [(float(np.mean(returns)), centre_h, beta, gamma) for beta, gamma in ((0.6, 0.35), (0.8, 0.15))]
    else:
        mu, omega, beta, gamma = start[:4].tolist()
        tries = [(mu, (omega + gamma * centre_x) / (1.0 - beta), beta, gamma)]
    ends = []
    for first in tries:
        point, reached = np.array(first), math.inf
        for size in _RESTARTS:
            # A simplex of its own at each restart: a stuck one is opened again.
            simplex = np.vstack([point, point + size * np.diag(_SIMPLEX)])
            found = minimize(
                minus,
                point,
                method="Nelder-Mead",
                options={"initial_simplex": simplex, "xatol": 1e-7, "fatol": 1e-11, "maxiter": 2000, "maxfev": 4000},
            )
            point, gain, reached = np.asarray(found.x, dtype=np.float64), reached - float(found.fun), float(found.fun)
            if gain < 1e-9:
                break
        ends.append((reached, point))
    value, best = min(ends, key=lambda end: end[0])
    if not value < 1e9:
        raise ArithmeticError("the likelihood is not finite at any start")
    mu, level, beta, gamma = best.tolist()
    omega = (1.0 - beta) * level - gamma * centre_x
    log_h = log_variances(mu, omega, beta, gamma, returns, log_x)
    coefficients, sigma = measurement((returns - mu) * np.exp(-0.5 * log_h), log_h, log_x)
    return np.concatenate(([mu, omega, beta, gamma], coefficients, [sigma]))


def path(theta: Array, returns: Array, log_x: Array) -> RealizedPath:
    """Residuals, variances and whole measurement errors along the sample."""
    mu, omega, beta, gamma = theta[:4].tolist()
    log_h = log_variances(mu, omega, beta, gamma, returns, log_x)
    z = (returns - theta[0]) * np.exp(-0.5 * log_h)
    return RealizedPath(z, log_h, np.asarray(log_x - theta[4] - theta[5] * log_h, dtype=np.float64))


def expected_variances(theta: Array, last_log_h: float, last_log_x: float, errors: Array, horizon: int) -> Array:
    """E h of each of the next steps (horizon,).

    ln h is an autoregression, ``ln h_{t+1} = omega + gamma xi + (beta + phi gamma) ln h_t + gamma w_t``, whose errors w
    are as likely as those of the sample: E exp(s w) is their mean.
    """
    _, omega, beta, gamma, xi, phi = theta[:6].tolist()
    persistence = beta + phi * gamma
    log_h = omega + beta * last_log_h + gamma * last_log_x
    found = np.empty(horizon)
    grown, weight = 0.0, gamma
    for k in range(horizon):
        found[k] = math.exp(log_h + grown)
        log_h = omega + gamma * xi + persistence * log_h
        grown += math.log(float(np.mean(np.exp(weight * errors))))
        weight *= persistence
    return found
