"""`TailLaw`: the semiparametric law of a standardised residual, empirical in its centre and generalised Pareto beyond.

The quantile is written in the normal score x, z = Q(x) with ``P(Z <= Q(x)) = Phi(x)``. In the centre Q is a monotone
piecewise cubic (Fritsch and Carlson 1980, SIAM Journal on Numerical Analysis 17(2)) between knots; beyond the outermost
knots, the thresholds, it is that of generalised Pareto tails. The law is continuous and increasing everywhere, so that
it can be inverted, tabulated and joined to any copula. Mean 0 and variance 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.pareto import LOWEST_XI, depth_of, growth

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
_HALVINGS = 45
_MOST_DRAWN = 0.49


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """One tail: P(beyond y) = share (1 + xi y / scale)^(-1 / xi), y the distance beyond the threshold.

    Attributes
    ----------
    share : probability of the tail, in (0, 1/2). xi : shape. scale : > 0.
    n_exceedances : observations behind it, 0 where it was given: the error of xi and scale when models are drawn.
    """

    share: float
    xi: float
    scale: float
    n_exceedances: int = 0

    def __post_init__(self) -> None:
        problems = Problems("ParetoTail")
        problems.number("share", self.share, low=0, high=0.5, open_low=True, open_high=True, remedy="0.1 is usual")
        problems.number("xi", self.xi, low=LOWEST_XI, remedy="0 is an exponential tail")
        problems.number("scale", self.scale, low=0, open_low=True, remedy="0.6 is usual for residuals of variance 1")
        problems.integer("n_exceedances", self.n_exceedances, low=0, remedy="0 where the tail was given")
        problems.raise_if_any()

    def draw(self, rng: np.random.Generator) -> ParetoTail:
        """The tail within the error of its estimation; see `TailLaw.draw`."""
        first, second = rng.standard_normal(2)
        if self.n_exceedances == 0:
            return self
        up, root = 1.0 + self.xi, math.sqrt(self.n_exceedances)
        xi = self.xi + up * first / root
        # ln scale = -(xi error) / (1 + xi) and what is left: 2 (1 + xi) - 1 of the variance.
        left = math.sqrt(max(2.0 * up - 1.0, 0.0))
        scale = self.scale * math.exp((-first + left * second) / root)
        return replace(self, xi=min(max(xi, LOWEST_XI), max(_MOST_DRAWN, self.xi)), scale=scale)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"share": self.share, "xi": self.xi, "scale": self.scale, "n_exceedances": self.n_exceedances}


@dataclass(frozen=True, slots=True)
class TailLaw:
    """The law of a standardised residual: mean 0 and variance 1.

    Attributes
    ----------
    lower, upper : the tails.
    knots : the quantiles at normal scores spaced evenly from that of ``lower.share`` to that of ``1 - upper.share``,
        increasing; the first and the last are the thresholds.

    Raises
    ------
    InputError : fewer than four knots, or knots that do not increase.
    """

    lower: ParetoTail
    upper: ParetoTail
    knots: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.asarray(self.knots, dtype=np.float64)
        problems = Problems("TailLaw")
        increasing = values.ndim == 1 and values.size >= 4 and bool(np.all(np.isfinite(values)))
        increasing = increasing and bool(np.all(np.diff(values) > 0.0))
        problems.check(increasing, "knots", self.knots, "must be four or more increasing numbers", "fit_tails gives it")
        problems.raise_if_any()
        object.__setattr__(self, "knots", tuple(values.tolist()))

    def ppf(self, u: ArrayLike) -> Array:
        """The quantile of probabilities in [0, 1]; exact on the left down to 1e-300, on the right see `isf`."""
        u = np.asarray(u, dtype=np.float64)
        return self._quantile(u, 1.0 - u)

    def isf(self, s: ArrayLike) -> Array:
        """The upper quantile: z with P(Z > z) = s, exact down to s = 1e-300."""
        s = np.asarray(s, dtype=np.float64)
        return self._quantile(1.0 - s, s)

    def cdf(self, z: ArrayLike) -> Array:
        """P(Z <= z), accurate in relative terms far in the left tail."""
        z = np.asarray(z, dtype=np.float64)
        low, high = self.knots[0], self.knots[-1]
        left = self.lower.share * np.exp(-depth_of(np.maximum(low - z, 0.0), self.lower.xi, self.lower.scale))
        right = self.upper.share * np.exp(-depth_of(np.maximum(z - high, 0.0), self.upper.xi, self.upper.scale))
        centre = special.ndtr(self._score(np.clip(z, low, high)))
        return np.asarray(np.where(z < low, left, np.where(z > high, 1.0 - right, centre)), dtype=np.float64)

    def logpdf(self, z: ArrayLike) -> Array:
        """The logarithm of the density; -inf beyond the end of a bounded tail (xi < 0)."""
        z = np.asarray(z, dtype=np.float64)
        low, high = self.knots[0], self.knots[-1]
        left = _log_density(self.lower, np.maximum(low - z, 0.0))
        right = _log_density(self.upper, np.maximum(z - high, 0.0))
        x = self._score(np.clip(z, low, high))
        with np.errstate(divide="ignore"):
            centre = -0.5 * x * x - _LOG_SQRT_2PI - np.log(self._centre(x)[1])
        return np.asarray(np.where(z < low, left, np.where(z > high, right, centre)), dtype=np.float64)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and variance; inf variance where a tail has xi >= 1/2, nan mean where xi >= 1."""
        if max(self.lower.xi, self.upper.xi) >= 1.0:
            return math.nan, math.inf
        mean = self._centre_moment(1) + _tail_moment(self.upper, self.knots[-1], 1)
        mean -= _tail_moment(self.lower, -self.knots[0], 1)
        if max(self.lower.xi, self.upper.xi) >= 0.5:
            return mean, math.inf
        square = self._centre_moment(2) + _tail_moment(self.upper, self.knots[-1], 2)
        square += _tail_moment(self.lower, -self.knots[0], 2)
        return mean, square - mean * mean

    @property
    def below_zero(self) -> float:
        """E[z^2 1(z < 0)]: the weight of gamma in the persistence. 1/2 where the law has no variance."""
        if self.lower.xi >= 0.5 or not self.knots[0] < 0.0 < self.knots[-1]:
            return 0.5
        edge = float(self._score(np.zeros(1))[0])
        return self._centre_moment(2, edge) + _tail_moment(self.lower, -self.knots[0], 2)

    def tail_mean(self, p: float) -> float:
        """E[Z | Z <= q], q the p-quantile: minus the expected shortfall of a unit-variance return; -inf for xi >= 1.

        Parameters
        ----------
        p : probability in (0, 1/2).
        """
        problems = Problems("TailLaw.tail_mean")
        problems.number("p", p, low=0, high=0.5, open_low=True, open_high=True, remedy="0.01 for the worst 1 %")
        problems.raise_if_any()
        xi, scale = self.lower.xi, self.lower.scale
        if xi >= 1.0:
            return -math.inf
        edge = min(p, self.lower.share)
        over = self.knots[0] - float(self.ppf(edge))
        total = edge * (self.knots[0] - over - (scale + xi * over) / (1.0 - xi))
        if p > edge:
            total += self._centre_moment(1, float(special.ndtri(p)))
        return total / p

    def moved(self, centre: float, spread: float) -> TailLaw:
        """The law of (Z - centre) / spread."""
        return TailLaw(
            replace(self.lower, scale=self.lower.scale / spread),
            replace(self.upper, scale=self.upper.scale / spread),
            tuple((knot - centre) / spread for knot in self.knots),
        )

    def draw(self, rng: np.random.Generator) -> TailLaw:
        """The law with xi and scale of both tails drawn within their estimation error, again of mean 0 and variance 1.

        (xi, ln scale) is normal with the covariance of Smith (1987), ((1 + xi)^2, -(1 + xi); -(1 + xi), 2 (1 + xi)) / k
        after k exceedances, xi held to [-1/2, 0.49]: a law without variance would not fit the volatility model. Tails
        that were given stay, as does the centre but for the move back to mean 0 and variance 1.
        """
        drawn = TailLaw(self.lower.draw(rng), self.upper.draw(rng), self.knots)
        mean, variance = drawn.moments
        if not math.isfinite(variance):
            return drawn
        return drawn.moved(mean, math.sqrt(variance))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        kept = {"lower": self.lower.to_dict(), "upper": self.upper.to_dict(), "knots": list(self.knots)}
        return {"kind": "pareto-tails", **kept}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TailLaw:
        """The inverse of `to_dict`."""
        return cls(ParetoTail(**data["lower"]), ParetoTail(**data["upper"]), tuple(data["knots"]))

    def __str__(self) -> str:
        return f"empirical with Pareto tails (xi {self.lower.xi:.3g} below, {self.upper.xi:.3g} above)"

    def _edges(self) -> tuple[float, float]:
        return float(special.ndtri(self.lower.share)), -float(special.ndtri(self.upper.share))

    def _slopes(self) -> tuple[Array, float]:
        """dQ/dx at the knots, and their distance in x. At the ends those of the tails, as far as monotony allows."""
        first, last = self._edges()
        width = (last - first) / (len(self.knots) - 1)
        secants = np.diff(self.knots) / width
        inner = 2.0 * secants[:-1] * secants[1:] / (secants[:-1] + secants[1:])
        ends = [
            min(tail.scale / tail.share * math.exp(-0.5 * edge * edge - _LOG_SQRT_2PI), 3.0 * secant)
            for tail, edge, secant in ((self.lower, first, secants[0]), (self.upper, last, secants[-1]))
        ]
        return np.concatenate(([ends[0]], inner, [ends[1]])), width

    def _centre(self, x: Array) -> tuple[Array, Array]:
        """Q and dQ/dx between the thresholds."""
        first, _ = self._edges()
        slopes, width = self._slopes()
        values = np.asarray(self.knots)
        place = np.clip(((x - first) / width).astype(np.int64), 0, values.size - 2)
        t = np.clip((x - first) / width - place, 0.0, 1.0)
        rise, m0, m1 = values[place + 1] - values[place], slopes[place] * width, slopes[place + 1] * width
        c2, c3 = 3.0 * rise - 2.0 * m0 - m1, m0 + m1 - 2.0 * rise
        value = values[place] + t * (m0 + t * (c2 + t * c3))
        return value, np.asarray((m0 + t * (2.0 * c2 + 3.0 * t * c3)) / width, dtype=np.float64)

    def _score(self, z: Array) -> Array:
        """x with Q(x) = z between the thresholds, by halving."""
        first, last = self._edges()
        low, high = np.full(z.shape, first), np.full(z.shape, last)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self._centre(middle)[0] < z
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high), dtype=np.float64)

    def _quantile(self, u: Array, s: Array) -> Array:
        """The quantile from both tail probabilities, of which the smaller is read."""
        first, last = self._edges()
        with np.errstate(divide="ignore", invalid="ignore"):
            left = self.knots[0] - self.lower.scale * growth(-np.log(u / self.lower.share), self.lower.xi)
            right = self.knots[-1] + self.upper.scale * growth(-np.log(s / self.upper.share), self.upper.xi)
            x = np.where(u < s, special.ndtri(u), -special.ndtri(s))
        centre = self._centre(np.clip(np.nan_to_num(x), first, last))[0]
        found = np.where(u < self.lower.share, left, np.where(s < self.upper.share, right, centre))
        return np.asarray(np.where((u < 0.0) | (s < 0.0) | np.isnan(u), np.nan, found), dtype=np.float64)

    def _centre_moment(self, power: int, to: float | None = None) -> float:
        """The integral of Q(x)^power phi(x) over the centre, up to the score `to`."""
        first, last = self._edges()
        width = (last - first) / (len(self.knots) - 1)
        starts = first + width * np.arange(len(self.knots) - 1)
        ends = starts + width
        if to is not None:
            starts, ends = np.minimum(starts, to), np.minimum(ends, to)
        x = starts[:, None] + (ends - starts)[:, None] * _NODES
        found = self._centre(x)[0] ** power * np.exp(-0.5 * x * x - _LOG_SQRT_2PI)
        return float(np.sum((ends - starts)[:, None] * _WEIGHTS * found))


def _log_density(tail: ParetoTail, excess: Array) -> Array:
    return np.asarray(
        math.log(tail.share / tail.scale) - (1.0 + tail.xi) * depth_of(excess, tail.xi, tail.scale), dtype=np.float64
    )


def _tail_moment(tail: ParetoTail, threshold: float, power: int) -> float:
    """E[(threshold + Y)^power] times the share: E Y = scale / (1 - xi), E Y^2 = 2 scale^2 / ((1 - xi) (1 - 2 xi))."""
    mean = tail.scale / (1.0 - tail.xi)
    if power == 1:
        return tail.share * (threshold + mean)
    return tail.share * (threshold**2 + 2.0 * threshold * mean + 2.0 * tail.scale * mean / (1.0 - 2.0 * tail.xi))


@dataclass(frozen=True, slots=True)
class HistoricalLaw:
    """Innovations drawn as rows of history: what the recursion of the variance has to know of one asset's column.

    Attributes
    ----------
    below_zero : E[z^2 1(z < 0)] over the rows, in [0, 1]: the weight of gamma in the persistence.
    """

    below_zero: float

    def __post_init__(self) -> None:
        problems = Problems("HistoricalLaw")
        problems.number("below_zero", self.below_zero, low=0, high=1, remedy="1/2 for a symmetric law")
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "historical", "below_zero": self.below_zero}

    def __str__(self) -> str:
        return "rows of history"


InnovationLaw: TypeAlias = TailLaw | HistoricalLaw
"""A law that takes the place of the one by which the volatility was estimated."""


def law_from_dict(data: Mapping[str, Any]) -> InnovationLaw:
    """The law that `to_dict` wrote.

    Raises
    ------
    InputError : an unknown kind, a missing key, or a value that breaks a rule.
    """
    problems = Problems("law of the innovations")
    problems.choice("kind", data.get("kind"), ("pareto-tails", "historical"))
    problems.raise_if_any()
    keys = ("below_zero",) if data["kind"] == "historical" else ("lower", "upper", "knots")
    for key in keys:
        problems.check(key in data, key, "nothing", "is missing", "save the model again")
    problems.known("key", data, ("kind", *keys))
    problems.raise_if_any()
    if data["kind"] == "historical":
        return HistoricalLaw(float(data["below_zero"]))
    return TailLaw.from_dict(data)
