"""The generalised error law with variance 1 (Nelson 1991; arch's ``GeneralizedError``).

``f(z) = nu exp(-|z / c|^nu / 2) / (c 2^(1 + 1/nu) Gamma(1/nu))``, ``c^2 = 2^(-2/nu) Gamma(1/nu) / Gamma(3/nu)``. nu = 2
is the normal, nu = 1 the Laplace law; smaller nu has heavier tails, all of which have every moment.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array: TypeAlias = NDArray[np.float64]

_LN2 = math.log(2.0)


def log_scale(nu: Any) -> Any:
    """log c; also for complex nu."""
    return 0.5 * (special.loggamma(1.0 / nu) - special.loggamma(3.0 / nu)) - _LN2 / nu


def log_density(z: Array, nu: Any) -> Any:
    """log f(z), also for complex nu (exact derivatives by a complex step)."""
    log_c = log_scale(nu)
    with np.errstate(divide="ignore"):
        size = np.maximum(np.log(np.abs(z)), -700.0)
    power = np.exp(nu * (size - log_c))
    return np.log(nu) - log_c - special.loggamma(1.0 / nu) - (1.0 + 1.0 / nu) * _LN2 - 0.5 * power


def slope(z: Array, nu: float) -> Array:
    """d log f / dz, 0 at 0."""
    c = math.exp(log_scale(nu))
    return np.asarray(-0.5 * nu * np.sign(z) * np.abs(z / c) ** (nu - 1.0) / c, dtype=np.float64)


def lower_tail(z: Array, nu: float) -> Array:
    """P(Z <= z), accurate in relative terms on the left."""
    w = 0.5 * np.abs(z / math.exp(log_scale(nu))) ** nu
    tail = 0.5 * special.gammaincc(1.0 / nu, w)
    return np.asarray(np.where(z < 0.0, tail, 1.0 - tail), dtype=np.float64)


def lower_quantile(p: Array, nu: float) -> Array:
    """z <= 0 with P(Z <= z) = p, for p in [0, 1/2]."""
    w = special.gammainccinv(1.0 / nu, 2.0 * np.minimum(p, 0.5))
    return np.asarray(-math.exp(log_scale(nu)) * (2.0 * w) ** (1.0 / nu), dtype=np.float64)


def absolute_moment(power: float, nu: float) -> float:
    """E |Z|^power."""
    log_moment = power * (float(log_scale(nu)) + _LN2 / nu)
    log_moment += math.lgamma((power + 1.0) / nu) - math.lgamma(1.0 / nu)
    return math.exp(log_moment)


def mean_below(z: float, nu: float) -> float:
    """E[Z 1(Z <= z)]; minus the same at -z, because the law is symmetric."""
    w = 0.5 * abs(z / math.exp(log_scale(nu))) ** nu
    half = math.exp(float(log_scale(nu)) + (1.0 / nu - 1.0) * _LN2 + math.lgamma(2.0 / nu) - math.lgamma(1.0 / nu))
    return -half * float(special.gammaincc(2.0 / nu, w))
