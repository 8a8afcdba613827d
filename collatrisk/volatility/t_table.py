"""The cdf of Student's t at very many points, from a table of its logarithm."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from collatrisk.volatility.distributions import Array

_PER_UNIT = 64
_LARGEST, _SMALLEST = 1e6, 1e-280


def reaches(largest: float, nu: float) -> bool:
    """Whether the table goes as far as |x| = `largest`: not where the tail is all but too small for a float."""
    return largest < _LARGEST and float(special.stdtr(nu, -1.1 * largest)) > _SMALLEST


def t_cdf_of_many(x: Array, nu: float) -> Array:
    """P(T <= x), on the left in relative terms: to 5e-12 for nu up to 500 (tested).

    With x = -sinh(y) the logarithm of the lower tail is all but straight in y. It is put together of quintic
    polynomials with exact values, slopes and curvatures at 64 nodes a unit of y.

    Parameters
    ----------
    x : float64 of any shape, as far as it `reaches`. nu : > 0.
    """
    from collatrisk.kernels.quintics import fit_quintics, odd_quintic

    y = np.arcsinh(x).ravel()
    last = int(_PER_UNIT * np.max(np.abs(y), initial=0.0)) + 1
    rows, log_tail = np.empty((last, 6)), np.empty(y.size)
    fit_quintics(*_log_tail(np.arange(last + 1) / _PER_UNIT, nu), rows)
    odd_quintic(y, float(_PER_UNIT), rows, log_tail)
    tail = np.exp(-np.abs(log_tail)).reshape(x.shape)
    return np.where(x < 0.0, tail, 1.0 - tail)


def _log_tail(y: Array, nu: float) -> tuple[Array, Array, Array]:
    """log P(T < -sinh y) at nodes y >= 0, with its slope and its curvature from one node to the next.

    With h = f / F at x = -sinh y: dh/dx = h (d log f / dx - h) and dx/dy = -cosh y.
    """
    x, wide = -np.sinh(y), np.cosh(y)
    # P(T < -t) = I_{nu / (nu + t^2)}(nu / 2, 1 / 2) / 2, which near 0 has too few digits of t
    tail = np.where(x < -1.0, 0.5 * special.betainc(nu / 2.0, 0.5, nu / (nu + x * x)), special.stdtr(nu, x))
    constant = float(special.gammaln(0.5 * nu + 0.5) - special.gammaln(0.5 * nu)) - 0.5 * math.log(nu * math.pi)
    hazard = np.exp(constant - 0.5 * (nu + 1.0) * np.log1p(x * x / nu)) / tail
    bend = hazard * (-(nu + 1.0) * x / (nu + x * x) - hazard) * wide * wide + hazard * x
    return np.log(tail), -hazard * wide / _PER_UNIT, bend / _PER_UNIT**2
