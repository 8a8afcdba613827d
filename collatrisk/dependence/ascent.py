"""The search for a, b and g: quasi-Newton steps on the shares that add up to one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Evaluate = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

LEAST_SLACK = 1e-6
LEAST_B = 1e-4
DONE = 1e-9  # Newton decrement: (distance to the optimum in standard errors)^2
_MAX_STEPS = 100
_HALVINGS = 30


@dataclass(frozen=True)
class Peak:
    """Where a search ended.

    Attributes
    ----------
    theta : (a, b, g). value : the log-likelihood. decrement : the squared distance to the optimum, in standard errors,
        that is left. curvature : (3, 3) of minus the log-likelihood in the shares a, delta g and slack.
    """

    theta: FloatArray
    value: float
    decrement: float
    curvature: FloatArray


def climb(
    evaluate: Evaluate,
    start: FloatArray,
    limit: float,
    *,
    asymmetric: bool,
    curvature: FloatArray | None = None,
    done: float = DONE,
) -> Peak:
    """Maximise a log-likelihood in (a, b, g) with a, g >= 0, b >= 1e-4 and a + b + limit g <= 1 - 1e-6.

    The variables are the shares a, limit g and the slack 1 - a - b - limit g, so that all bounds but that of b are a
    box and are met exactly. BFGS on the variables that the bounds leave free; the first curvature is the outer product
    of the scores.

    Parameters
    ----------
    evaluate : theta -> (log-likelihood of each observation (n,), its score (n, 3)).
    start : (a, b, g) inside the bounds. limit : delta of an asymmetric model, else 1.
    curvature : from the end of a similar search. done : the decrement at which to stop.
    """
    shares = np.array([start[0], limit * start[2], 1.0 - start[0] - start[1] - limit * start[2]])
    low = np.array([0.0, 0.0, LEAST_SLACK])
    movable = np.array([True, asymmetric, True])
    value, slopes, outer = _total(evaluate, shares, limit)
    hessian = outer if curvature is None else curvature
    decrement = math.inf
    for _ in range(_MAX_STEPS):
        step = _direction(shares, low, slopes, hessian, movable)
        decrement = float(slopes @ step)
        if decrement < done:
            break
        found = _search(evaluate, shares, low, limit, value, slopes, step)
        if found is None:
            break
        moved, new_value, new_slopes = found
        hessian = _updated(hessian, moved - shares, slopes - new_slopes)
        shares, value, slopes = moved, new_value, new_slopes
    return Peak(_theta(shares, limit), value, decrement, hessian)


def _theta(shares: FloatArray, limit: float) -> FloatArray:
    return np.array([shares[0], 1.0 - float(shares.sum()), shares[1] / limit])


def _total(evaluate: Evaluate, shares: FloatArray, limit: float) -> tuple[float, FloatArray, FloatArray]:
    """The log-likelihood, its slopes in the shares and the outer product of the scores in them."""
    values, scores = evaluate(_theta(shares, limit))
    own = np.column_stack([scores[:, 0] - scores[:, 1], scores[:, 2] / limit - scores[:, 1], -scores[:, 1]])
    value = float(np.sum(values))
    return (value if math.isfinite(value) else -math.inf), own.sum(axis=0), own.T @ own


def _direction(
    shares: FloatArray, low: FloatArray, slopes: FloatArray, hessian: FloatArray, movable: NDArray[np.bool_]
) -> FloatArray:
    """The Newton step of the variables that are free and that it does not push through a bound at once."""
    free = movable & ~((shares <= low) & (slopes <= 0.0))
    while True:
        step = np.zeros(3)
        chosen = np.flatnonzero(free)
        if chosen.size == 0:
            return step
        block = hessian[np.ix_(chosen, chosen)]
        ridge = 1e-10 * max(float(np.trace(block)), 1e-300)
        step[chosen] = np.linalg.solve(block + ridge * np.eye(chosen.size), slopes[chosen])
        blocked = free & (shares <= low) & (step < 0.0)
        if not blocked.any():
            return step
        free &= ~blocked


def _search(
    evaluate: Evaluate,
    shares: FloatArray,
    low: FloatArray,
    limit: float,
    value: float,
    slopes: FloatArray,
    step: FloatArray,
) -> tuple[FloatArray, float, FloatArray] | None:
    """Armijo's rule along the step projected on the box; None where nothing gains.

    Near the optimum the value is all rounding; a point that is no worse by more than that is taken if the slope along
    the step has fallen (Hager and Zhang 2005).
    """
    size, noise = 1.0, 1e-12 * (1.0 + abs(value))
    for _ in range(_HALVINGS):
        trial = np.maximum(shares + size * step, low)
        if 1.0 - trial.sum() < LEAST_B:
            size *= 0.5
            continue
        found, ahead, _ = _total(evaluate, trial, limit)
        expected = float(slopes @ (trial - shares))
        after = float(ahead @ (trial - shares)) if math.isfinite(found) else math.inf
        if found >= value + 1e-4 * expected or (found >= value - noise and after <= 0.8 * expected):
            return trial, found, ahead
        drop = 2.0 * (expected - (found - value))
        size *= min(max(expected / drop, 0.1), 0.5) if math.isfinite(found) and drop > 0 else 0.1
    return None


def _updated(hessian: FloatArray, moved: FloatArray, fallen: FloatArray) -> FloatArray:
    """Powell's damped BFGS update of the curvature: `fallen` is by how much the slopes fell."""
    bent = hessian @ moved
    curvature, along = float(moved @ bent), float(moved @ fallen)
    if not curvature > 0.0:
        return hessian
    keep = 1.0 if along >= 0.1 * curvature else 0.9 * curvature / (curvature - along)
    gained = keep * fallen + (1.0 - keep) * bent
    return np.asarray(hessian - np.outer(bent, bent) / curvature + np.outer(gained, gained) / float(gained @ moved))
