"""Free coordinates of a volatility spec: every point of the plane is a valid, stationary model, and back.

The variance part is the business of each family (`Family.free`): log omega and the shares of the persistence as
log-ratios to what is missing to 1 for the GARCH family, logits for FIGARCH, beta as log-ratios for EGARCH. Shapes of
the law and the coefficient of an AR(1) mean are logits within the bounds of the estimation, mu is what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import parameter_names, shape_bounds
from collatrisk.volatility.means import AR_BOUNDS, mean_names
from collatrisk.volatility.recursions import Family, family_of
from collatrisk.volatility.recursions.shares import between, logit
from collatrisk.volatility.specs import VolatilitySpec

_STEP = 1e-5


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The map between the parameters of a spec and its free coordinates, position by position.

    Attributes
    ----------
    spec : the spec; parameters are in the order of `parameter_names(spec)`.
    """

    spec: VolatilitySpec

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the order of every vector."""
        return parameter_names(self.spec)

    @property
    def family(self) -> Family:
        """What the spec does to the variance."""
        return family_of(self.spec)

    def free(self, theta: Array) -> Array:
        """The coordinates (k,) of parameters (k,) in the interior; infinite on a bound, nan beyond."""
        first, last = self._cuts
        found = np.array(theta, dtype=np.float64)
        if "ar[1]" in self.names:
            found[1] = logit(float(theta[1]), *AR_BOUNDS)
        found[first:last] = self.family.free(theta[first:last], self.law(theta))
        for place, bounds in enumerate(shape_bounds(self.spec.dist), last):
            found[place] = logit(float(theta[place]), *bounds)
        return found

    def params(self, free: Array) -> Array:
        """The parameters (k,) at finite coordinates (k,): the inverse of `free`."""
        first, last = self._cuts
        found = np.array(free, dtype=np.float64)
        if "ar[1]" in self.names:
            found[1] = between(float(free[1]), *AR_BOUNDS)
        for place, bounds in enumerate(shape_bounds(self.spec.dist), last):
            found[place] = between(float(free[place]), *bounds)
        found[first:last] = self.family.values(np.asarray(free[first:last]), self.law(found))
        return found

    def jacobian(self, theta: Array) -> Array:
        """d free / d theta (k, k) at an interior point, from central differences of its inverse, smooth everywhere."""
        centre, size = self.free(theta), len(self.names)
        found = np.empty((size, size))
        for place in range(size):
            step = np.zeros(size)
            step[place] = _STEP
            found[:, place] = (self.params(centre + step) - self.params(centre - step)) / (2.0 * _STEP)
        unit = np.maximum(np.max(np.abs(found), axis=1), 1e-300)
        return np.asarray(np.linalg.inv(found / unit[:, None]) / unit[None, :], dtype=np.float64)

    def gap(self, theta: Array) -> float:
        """1 less the persistence, by the law at theta; 1 where nothing of the variance is estimated."""
        first, last = self._cuts
        return 1.0 if first == last else 1.0 - self.family.recursion(theta[first:last]).persistence(self.law(theta))

    def pulled_inside(self, theta: Array, gap: float) -> Array:
        """The parameters with the persistence brought down to 1 - gap where it is above."""
        first, last = self._cuts
        found = np.array(theta, dtype=np.float64)
        found[first:last] = self.family.pull(found[first:last], self.law(theta), gap)
        return found

    def law(self, theta: Array) -> Law:
        """The law at parameters (k,)."""
        return Law.of(self.spec.dist, dict(zip(self.names, map(float, theta), strict=True)))

    @property
    def _cuts(self) -> tuple[int, int]:
        """Where the parameters of the variance begin and end."""
        first = len(mean_names(self.spec.mean))
        return first, first + len(self.family.names)


def as_vector(spec: VolatilitySpec, params: Mapping[str, float]) -> Array:
    """The parameters of a spec (k,) in the order of `parameter_names`."""
    return np.array([float(params[name]) for name in parameter_names(spec)], dtype=np.float64)
