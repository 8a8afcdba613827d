"""`Law`: the law of the standardised residual with its shapes, and the moments that recursions ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from collatrisk.volatility import distributions, generalised_error
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.tail_law import InnovationLaw, ParetoTail, TailLaw

_GRID = (np.arange(100_000) + 0.5) / 100_000


@dataclass(frozen=True, slots=True)
class Law:
    """A law of mean 0 and variance 1.

    Attributes
    ----------
    dist : ``"normal"``, ``"t"``, ``"skewt"`` or ``"ged"``. nu, lam : its shapes, as far as it has them.
    innovations : a law that takes the place of that one. Of rows of history only E[z^2 1(z < 0)] is known here: for
        other moments `dist` stands in.
    """

    dist: str = "normal"
    nu: float = math.inf
    lam: float = 0.0
    innovations: InnovationLaw | None = None

    @classmethod
    def of(cls, dist: str, params: Mapping[str, float]) -> Law:
        """The law of a model with these parameters."""
        return cls(dist, params.get("nu", math.inf), params.get("lambda", 0.0))

    @property
    def below_zero(self) -> float:
        """E[z^2 1(z < 0)]."""
        if self.innovations is not None:
            return self.innovations.below_zero
        return distributions.second_moment_below_zero(self.dist, self.nu, self.lam)

    @property
    def exponential_tails(self) -> bool:
        """Whether E exp(b |z|) is finite for every b."""
        return self.dist in {"normal", "ged"} and not isinstance(self.innovations, TailLaw)

    def quantile(self, u: Array) -> Array:
        """z with P(Z <= z) = u."""
        if isinstance(self.innovations, TailLaw):
            return self.innovations.ppf(u)
        return distributions.ppf(self.dist, u, self.nu, self.lam)

    def half_moments(self, power: float) -> tuple[float, float]:
        """E[|z|^power 1(z < 0)] and E[z^power 1(z > 0)]; infinite where the tails are too heavy."""
        if power == 2.0:
            return self.below_zero, 1.0 - self.below_zero
        if isinstance(self.innovations, TailLaw):
            z = self.innovations.ppf(_GRID)
            sizes = np.abs(z) ** power
            return float(np.mean(sizes * (z < 0.0))), float(np.mean(sizes * (z > 0.0)))
        if self.dist == "ged":
            half = 0.5 * generalised_error.absolute_moment(power, self.nu)
            return half, half
        if self.dist == "normal" or math.isinf(self.nu):
            half = 0.5 * math.exp(0.5 * power * math.log(2.0) + math.lgamma(0.5 * (power + 1.0))) / math.sqrt(math.pi)
            return half, half
        if power >= self.nu:
            return math.inf, math.inf
        if self.dist == "t" or self.lam == 0.0:
            log_moment = 0.5 * power * math.log(self.nu - 2.0) + math.lgamma(0.5 * (power + 1.0))
            log_moment += math.lgamma(0.5 * (self.nu - power)) - math.lgamma(0.5 * self.nu)
            half = 0.5 * math.exp(log_moment) / math.sqrt(math.pi)
            return half, half
        below = self._integral(-1.0, power, 0.0)
        return below, self._integral(1.0, power, 0.0)

    def exponential_moment(self, size: float, sign: float) -> float:
        """E exp(size |z| + sign z), in closed form for the normal, by quadrature for the GED.

        Infinite for t laws as soon as one side grows, for Pareto tails where the side that grows has xi > 0 (or xi = 0
        and a scale of at least 1 / its rate).
        """
        up, down = size + sign, size - sign
        if isinstance(self.innovations, TailLaw):
            if _explodes(up, self.innovations.upper) or _explodes(down, self.innovations.lower):
                return math.inf
            z = self.innovations.ppf(_GRID)
            return float(np.mean(np.exp(np.where(z > 0.0, up, down) * np.abs(z))))
        if self.dist == "normal" or (self.dist == "t" and math.isinf(self.nu)):
            above = math.exp(0.5 * up * up) * float(special.ndtr(up))
            return above + math.exp(0.5 * down * down) * float(special.ndtr(down))
        if not self.exponential_tails and max(up, down) > 0.0:
            return math.inf
        return self._integral(1.0, 0.0, up) + self._integral(-1.0, 0.0, down)

    def _integral(self, side: float, power: float, rate: float) -> float:
        """The integral of x^power exp(rate x) f(side x) over x > 0."""
        from scipy import integrate

        def integrand(x: float) -> float:
            if x == 0.0 and power > 0.0:
                return 0.0
            logarithm = (power * math.log(x) if power else 0.0) + rate * x
            return math.exp(logarithm + float(distributions.logpdf(self.dist, side * x, self.nu, self.lam)))

        near = integrate.quad(integrand, 0.0, 3.0, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
        return float(near + integrate.quad(integrand, 3.0, math.inf, epsabs=1e-13, epsrel=1e-10, limit=200)[0])


def _explodes(rate: float, tail: ParetoTail) -> bool:
    """Whether E exp(rate y) is infinite, y beyond the threshold of the tail."""
    return rate > 0.0 and (tail.xi > 0.0 or (tail.xi == 0.0 and rate * tail.scale >= 1.0))
