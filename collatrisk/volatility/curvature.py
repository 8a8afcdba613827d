"""The shape of a likelihood around a point: natural steps, directions, Newton's step, curvature, covariances."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import Likelihood

_STENCIL = 1e-3  # natural steps over which scores are differenced
# Kinks lie some hundredths of a natural step apart: differences are finer there, and taken where none is near.
_FINE_STENCIL, _CLEAR = 1e-5, 1e-4
_ROUNDING = 1e-14  # of an orthonormal direction


def natural_units(outer: Array) -> Array:
    """A natural step for each parameter, its standard error were the others known, from the scores' outer products."""
    size = np.sqrt(np.diag(outer))
    return np.where(size > 0.0, 1.0 / np.maximum(size, 1e-300), 1.0)


def free_directions(active_rows: Array, unit: Array) -> Array:
    """(k, free) directions that keep the active constraints, each about one natural step long."""
    if active_rows.shape[0] == 0:
        return np.asarray(np.diag(unit), dtype=np.float64)
    basis = linalg.null_space(active_rows * unit)
    # Exactly 0 where it is so but for rounding: a step then leaves a parameter exactly on its bound.
    return np.asarray(unit[:, None] * np.where(np.abs(basis) < _ROUNDING, 0.0, basis), dtype=np.float64)


def newton_step(curvature: Array, gradient: Array) -> tuple[Array, float]:
    """The ascent step and its decrement; directions of negative or no curvature are turned and bounded."""
    if not np.all(np.isfinite(curvature)):
        return gradient, float(gradient @ gradient)
    values, vectors = np.linalg.eigh(curvature)
    safe = np.maximum(np.abs(values), 1e-8 * max(float(np.abs(values).max()), 1e-12))
    along = vectors.T @ gradient
    return np.asarray(vectors @ (along / safe), dtype=np.float64), float(np.sum(along**2 / safe))


def curvature(likelihood: Likelihood, theta: Array, free: Array, unit: Array) -> Array:
    """The Hessian along the free directions: central differences of the analytic score over a small natural step.

    With kinks it is that of the stretch between them. What a kink adds to the slope has mean 0 given the past, as every
    score has, so that the estimate has the usual covariance.
    """
    step = _STENCIL
    if not likelihood.is_smooth:
        step, theta = _FINE_STENCIL, _clear_of_kinks(likelihood, theta, float(unit[0]))
    ends = likelihood.totals(np.concatenate((theta + step * free.T, theta - step * free.T)))
    if ends is None:
        return np.full((free.shape[1], free.shape[1]), np.nan)
    ahead, behind = np.split(ends[1], 2)
    found = (ahead - behind) @ free / (2.0 * step)
    return np.asarray(0.5 * (found + found.T), dtype=np.float64)


def mean_curvature(likelihood: Likelihood, theta: Array, free: Array) -> Array | None:
    """The Hessian of the mean log-likelihood along directions (k, m), (m, m); None where it is not safely negative."""
    found = curvature(likelihood, theta, free, np.abs(free).max(axis=1)) / likelihood.n
    return found if np.all(np.isfinite(found)) and _well_conditioned(-found) else None


def _clear_of_kinks(likelihood: Likelihood, theta: Array, unit: float) -> Array:
    """The parameters, or the nearest ones with a higher mu at which no residual is nearly 0."""
    place = np.array(theta)
    while np.abs(likelihood.filter(place).residuals).min() < _CLEAR * unit:
        # By more than is asked for: exactly that much, and rounding would decide whether it is enough.
        place[0] += 2.0 * _CLEAR * unit
    return place


def covariances(outer: Array, free: Array, information: Array) -> tuple[bool, tuple[Array, Array, Array]]:
    """Whether `information`, minus the Hessian along the free directions, is positive definite; three covariances.

    `outer` (k, k) is the sum of the scores' outer products.
    """
    unit, unknown = natural_units(outer), np.full(outer.shape, np.nan)
    if free.shape[1] == 0:
        return True, (unknown, unknown, unknown)
    if not (np.all(np.isfinite(information)) and _well_conditioned(information)):
        return False, (unknown, unknown, unknown)
    inverse = np.linalg.inv(information)
    meat = free.T @ outer @ free
    middle = np.linalg.inv(meat) if _well_conditioned(meat) else np.full(meat.shape, np.nan)
    still = np.all(np.abs(free) < 1e-12 * unit[:, None], axis=1)
    found = []
    for part in (inverse, inverse @ meat @ inverse, middle):
        covariance = free @ part @ free.T
        covariance = 0.5 * (covariance + covariance.T)  # inverses of what is nearly singular are not quite symmetric
        covariance[still, :] = covariance[:, still] = np.nan
        found.append(covariance)
    return True, (found[0], found[1], found[2])


def _well_conditioned(information: Array) -> bool:
    """Whether a symmetric matrix in natural steps is safely positive definite."""
    values = np.linalg.eigvalsh(information)
    return bool(values[0] > 1e-10 * values[-1])
