"""Expected variances of a TGARCH(1,1): its recursion is linear in the volatility, so two moments follow two lines.

s_{t+1} = omega + A_t s_t with A = beta + (alpha + gamma 1{z < 0}) |z|, independent of s_t and h = s^2. Hence

    E s_{t+1}   = omega + E[A] E s_t,
    E s_{t+1}^2 = omega^2 + 2 omega E[A] E s_t + E[A^2] E s_t^2,

and h has a mean if E[A^2] < 1. Source: J.-M. Zakoian, "Threshold heteroskedastic models", Journal of Economic Dynamics
and Control 18 (1994), 931-955.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import ROUNDING


def factor_moments(up: float, down: float, beta: float, law: Law) -> tuple[float, float]:
    """E[A] and E[A^2] of A = beta + up z for z > 0 and beta + down |z| for z < 0."""
    below, above = law.half_moments(1.0)
    below_square, above_square = law.half_moments(2.0)
    once = above * up + below * down
    twice = above_square * up * up + below_square * down * down
    return beta + once, beta * beta + 2.0 * beta * once + twice


def expected_squares(first: float, omega: float, moments: tuple[float, float], horizon: int) -> Array:
    """E s^2 of each of `horizon` steps, (horizon,), from the known s of the next one."""
    mean, square = first, first * first
    found = np.empty(horizon)
    for step in range(horizon):
        found[step] = square
        square = omega * omega + 2.0 * omega * moments[0] * mean + moments[1] * square
        mean = omega + moments[0] * mean
    return found


def long_run_square(omega: float, moments: tuple[float, float]) -> float:
    """The stationary E s^2; inf where E[A^2] >= 1, nan where omega is 0 too."""
    if moments[1] >= 1.0 - ROUNDING:
        return math.inf if omega > 0.0 else math.nan
    mean = omega / (1.0 - moments[0])
    return (omega * omega + 2.0 * omega * moments[0] * mean) / (1.0 - moments[1])
