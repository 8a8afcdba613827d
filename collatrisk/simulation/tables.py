"""Interpolation tables that turn a copula's scores into innovations, in place of exact quantiles on every draw.

Piecewise cubic Hermite polynomials with exact values and slopes at the nodes. A table is refined until its error at
the quarter points of every segment is below `TOLERANCE`, relative to the innovation (to a tenth of a standard deviation
where the innovation is smaller than that). Tables cover every score that the generator can draw, so nothing is ever
extrapolated. At this spacing Hermite cubics of an increasing function increase.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

from collatrisk.volatility import distributions

FloatArray = NDArray[np.float64]
Curve = Callable[[FloatArray], tuple[FloatArray, FloatArray]]  # x -> value and slope

TOLERANCE = 1e-8
EMPIRICAL_TOLERANCE = 1e-4  # of laws with an empirical centre, whose density has corners at its knots
LARGEST_SCORE = 8.58  # of a Box-Muller normal from 52-bit uniforms: sqrt(-2 ln 2**-53) = 8.5717

_COARSEST, _FINEST = 4, 9  # powers of two: segments to a unit or to an octave
_QUARTERS = (0.25, 0.5, 0.75)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class CubicTable:
    """Piecewise cubics for both signs of the argument.

    Attributes
    ----------
    cubics : float64 (2 m, 4), coefficients from the constant up; rows m onwards serve x < 0.
    power : 2**power segments to a unit of |x| (even) or to a doubling of 1 + |x| (octaves).
    octaves : which of the two. The local variable is the share of the segment (even) or 1 + |x| less its left end.
    error : the largest relative error found at quarter points.
    """

    cubics: FloatArray
    power: int
    octaves: bool
    error: float

    @property
    def segments(self) -> int:
        """Rows a side."""
        return len(self.cubics) // 2


def mixing_table(nu: float, tolerance: float = TOLERANCE) -> CubicTable:
    """sqrt(nu / chi2) in the normal score g that chi2, with `nu` degrees of freedom, has the rank of.

    A normal times it is a Student t with `nu` degrees of freedom. chi2 = F^-1(Phi(g)), taken from the nearer tail.
    """

    def curve(g: FloatArray) -> tuple[FloatArray, FloatArray]:
        half = nu / 2.0
        tail = special.ndtr(-np.abs(g))
        chi2, left = np.empty_like(g), g < 0.0
        chi2[left], chi2[~left] = special.gammaincinv(half, tail[left]), special.gammainccinv(half, tail[~left])
        chi2 *= 2.0
        log_density = (half - 1.0) * np.log(chi2) - chi2 / 2.0 - half * math.log(2.0) - special.gammaln(half)
        value = np.sqrt(nu / chi2)
        slope = -0.5 * value / chi2 * np.exp(-0.5 * g * g - _LOG_SQRT_2PI - log_density)
        return value, slope

    return _refine(curve, LARGEST_SCORE, octaves=False, floor=0.0, tolerance=tolerance)


def largest_t_score(nu: float) -> float:
    """The largest |T| that a t copula can draw: the largest normal times the largest mixing variable."""
    return LARGEST_SCORE * math.sqrt(
        nu / (2.0 * float(special.gammaincinv(nu / 2.0, float(special.ndtr(-LARGEST_SCORE)))))
    )


class ScoredLaw(Protocol):
    """What a table asks of a law: quantiles from either tail, and the log density."""

    def ppf(self, u: FloatArray) -> FloatArray:
        """z with P(Z <= z) = u."""

    def isf(self, s: FloatArray) -> FloatArray:
        """z with P(Z > z) = s."""

    def logpdf(self, z: FloatArray) -> FloatArray:
        """The logarithm of the density."""


@dataclass(frozen=True, slots=True)
class ParametricLaw:
    """A law of `collatrisk.volatility.distributions` with its shapes."""

    dist: str
    nu: float
    lam: float

    def ppf(self, u: FloatArray) -> FloatArray:
        """z with P(Z <= z) = u."""
        return distributions.ppf(self.dist, u, self.nu, self.lam)

    def isf(self, s: FloatArray) -> FloatArray:
        """z with P(Z > z) = s."""
        return distributions.isf(self.dist, s, self.nu, self.lam)

    def logpdf(self, z: FloatArray) -> FloatArray:
        """The logarithm of the density."""
        return distributions.logpdf(self.dist, z, self.nu, self.lam)


def normal_score_table(law: ScoredLaw, tolerance: float = TOLERANCE) -> CubicTable:
    """The innovation of rank Phi(z), in the normal score z (Gaussian copula)."""

    def curve(z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value = _quantile(law, z < 0.0, special.ndtr(-np.abs(z)))
        return value, np.exp(-0.5 * z * z - _LOG_SQRT_2PI - law.logpdf(value))

    return _refine(curve, LARGEST_SCORE, octaves=False, floor=0.1, tolerance=tolerance)


def t_score_table(copula_nu: float, law: ScoredLaw, tolerance: float = TOLERANCE) -> CubicTable:
    """The innovation of rank F(T), F the Student t law of the copula, in T (t copula)."""
    unit = math.sqrt((copula_nu - 2.0) / copula_nu)

    def curve(t: FloatArray) -> tuple[FloatArray, FloatArray]:
        value = _quantile(law, t < 0.0, distributions.cdf("t", -np.abs(t) * unit, copula_nu))
        density = distributions.logpdf("t", t * unit, copula_nu) + math.log(unit)
        return value, np.exp(density - law.logpdf(value))

    return _refine(curve, largest_t_score(copula_nu), octaves=True, floor=0.1, tolerance=tolerance)


def _quantile(law: ScoredLaw, left: NDArray[np.bool_], tail: FloatArray) -> FloatArray:
    """The quantile whose nearer tail has the probability `tail`, on the left or on the right."""
    found = np.empty_like(tail)
    found[left], found[~left] = law.ppf(tail[left]), law.isf(tail[~left])
    return found


def _refine(curve: Curve, largest: float, *, octaves: bool, floor: float, tolerance: float = TOLERANCE) -> CubicTable:
    """The coarsest table within the tolerance, or the finest there is."""
    for power in range(_COARSEST, _FINEST + 1):
        table = _build(curve, largest, power, octaves, floor)
        if table.error < tolerance:
            break
    return table


def _build(curve: Curve, largest: float, power: int, octaves: bool, floor: float) -> CubicTable:
    nodes = _octave_nodes(largest, power) if octaves else _even_nodes(largest, power)
    sides, errors = [], []
    for sign in (1.0, -1.0):
        value, slope = curve(sign * nodes)
        cubics = _hermite(np.diff(nodes), value, sign * slope)
        errors.append(_error(cubics, nodes, curve, sign, floor))
        sides.append(cubics if not octaves else cubics / np.diff(nodes)[:, None] ** np.arange(4))
    return CubicTable(np.ascontiguousarray(np.concatenate(sides)), power, octaves, max(errors))


def _even_nodes(largest: float, power: int) -> FloatArray:
    return np.arange(math.ceil(largest * 2**power) + 1) / 2.0**power


def _octave_nodes(largest: float, power: int) -> FloatArray:
    """|x| at the ends of segments that split every doubling of 1 + |x| evenly."""
    count = math.ceil(math.log2(1.0 + largest)) << power
    index = np.arange(count + 1)
    octave, share = index >> power, index % (1 << power)
    nodes: FloatArray = np.ldexp(1.0 + share / 2.0**power, octave) - 1.0
    return nodes


def _hermite(width: FloatArray, value: FloatArray, slope: FloatArray) -> FloatArray:
    """Coefficients (segments, 4) in the share of the segment, from the constant up."""
    rise, left, right = np.diff(value), slope[:-1] * width, slope[1:] * width
    return np.column_stack([value[:-1], left, 3.0 * rise - 2.0 * left - right, left + right - 2.0 * rise])


def _error(cubics: FloatArray, nodes: FloatArray, curve: Curve, sign: float, floor: float) -> float:
    worst = 0.0
    for share in _QUARTERS:
        wanted, _ = curve(sign * (nodes[:-1] + share * np.diff(nodes)))
        found = cubics @ share ** np.arange(4)
        worst = max(worst, float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), floor))))
    return worst
