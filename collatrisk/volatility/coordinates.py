"""Free coordinates of a volatility spec: every point of the plane is a stationary model, and back.

A GJR model is stationary where the shares of its persistence are positive and add up to less than 1. With
k = E[z^2 1(z < 0)] of the law at hand the shares are

    (1 - k) alpha_i   what a rise adds,     k (alpha_i + gamma_i)   what a fall adds,     beta_j   what is kept,

(alpha_i alone where lag i has no gamma, k gamma_i where it has no alpha), and what is missing to 1 is the gap. The
coordinates are log(share / gap) (Aitchison's additive log-ratio), log omega, logit of nu and of lambda within the
bounds of the estimation, and mu as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collatrisk.volatility.distributions import Array, second_moment_below_zero
from collatrisk.volatility.likelihood import LAMBDA_BOUNDS, NU_BOUNDS, parameter_names
from collatrisk.volatility.specs import VolatilitySpec

_TINY = 1e-12


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

    def free(self, theta: Array) -> Array:
        """The coordinates (k,) of parameters (k,) in the interior; infinite on a bound, nan beyond."""
        below = self._below_zero(theta)
        shares, gap = self._shares(theta, below), self.gap(theta)
        found = np.empty(len(self.names))
        with np.errstate(divide="ignore", invalid="ignore"):
            for place, name in enumerate(self.names):
                value = float(theta[place])
                if name in shares:
                    found[place] = np.log(np.float64(shares[name]) / np.float64(gap))
                elif name == "omega":
                    found[place] = np.log(np.float64(value))
                elif name in _RANGES:
                    low, high = _RANGES[name]
                    found[place] = np.log(np.float64(value - low) / np.float64(high - value))
                else:
                    found[place] = value
        return found

    def params(self, free: Array) -> Array:
        """The parameters (k,) at finite coordinates (k,): the inverse of `free`."""
        names = self.names
        found = np.array(free, dtype=np.float64)
        for place, name in enumerate(names):
            if name == "omega":
                found[place] = math.exp(free[place])
            elif name in _RANGES:
                low, high = _RANGES[name]
                share = 0.5 * (1.0 + math.tanh(0.5 * free[place]))
                found[place] = min(max(low + (high - low) * share, low), high)
        dynamic = [place for place, name in enumerate(names) if name.endswith("]")]
        if not dynamic:
            return found
        top = max(0.0, float(np.max(free[dynamic])))
        weights = np.exp(free[dynamic] - top)
        shares = weights / (math.exp(-top) + float(np.sum(weights)))
        self._unshare(found, dict(zip([names[place] for place in dynamic], shares.tolist(), strict=True)))
        return found

    def jacobian(self, theta: Array) -> Array:
        """d free / d theta (k, k) at an interior point, by central differences well inside the bounds."""
        slack = self._slack(theta)
        size = len(self.names)
        found = np.empty((size, size))
        for place in range(size):
            step = 1e-4 * slack[place]
            ahead, behind = np.array(theta), np.array(theta)
            ahead[place] += step
            behind[place] -= step
            found[:, place] = (self.free(ahead) - self.free(behind)) / (2.0 * step)
        return found

    def gap(self, theta: Array) -> float:
        """1 less the persistence, by the law at theta."""
        return 1.0 - math.fsum(self._shares(theta, self._below_zero(theta)).values())

    def pulled_inside(self, theta: Array, gap: float) -> Array:
        """The parameters with the persistence brought down to 1 - gap where it is above."""
        left = self.gap(theta)
        if left >= gap:
            return theta
        dynamic = [place for place, name in enumerate(self.names) if name.endswith("]")]
        found = np.array(theta)
        found[dynamic] *= (1.0 - gap) / (1.0 - left)
        return found

    def _below_zero(self, theta: Array) -> float:
        values = dict(zip(self.names, map(float, theta), strict=True))
        return second_moment_below_zero(self.spec.dist, values.get("nu", math.inf), values.get("lambda", 0.0))

    def _shares(self, theta: Array, below: float) -> dict[str, float]:
        """The shares of the persistence by the name of the coordinate that holds them."""
        values = dict(zip(self.names, map(float, theta), strict=True))
        found: dict[str, float] = {}
        for name, value in values.items():
            letter, _, lag = name.rstrip("]").partition("[")
            alpha, gamma = values.get(f"alpha[{lag}]"), values.get(f"gamma[{lag}]")
            if letter == "alpha":
                found[name] = value if gamma is None else (1.0 - below) * value
            elif letter == "gamma":
                found[name] = below * (value + (alpha or 0.0))
            elif letter == "beta":
                found[name] = value
        return found

    def _unshare(self, theta: Array, shares: Mapping[str, float]) -> None:
        """Write alpha, gamma and beta from their shares; theta holds the shapes already."""
        below = self._below_zero(theta)
        alphas: dict[str, float] = {}
        for place, name in enumerate(self.names):
            if name not in shares:
                continue
            letter, _, lag = name.rstrip("]").partition("[")
            value = shares[name]
            if letter == "alpha":
                value = value / (1.0 - below) if f"gamma[{lag}]" in shares else value
                alphas[lag] = value
            elif letter == "gamma":
                value = value / below - alphas.get(lag, 0.0)
            theta[place] = value

    def _slack(self, theta: Array) -> Array:
        """A distance from each parameter that stays inside the bounds."""
        gap = self.gap(theta)
        shares = self._shares(theta, self._below_zero(theta))
        found = np.ones(len(self.names))
        for place, name in enumerate(self.names):
            value = float(theta[place])
            if name in shares:
                paired = shares.get(f"gamma[{name[6:-1]}]", 1.0) if name.startswith("alpha") else 1.0
                found[place] = min(shares[name], paired, gap)
            elif name == "omega":
                found[place] = value
            elif name in _RANGES:
                low, high = _RANGES[name]
                # A change of the law moves the weight of gamma, and with it the gap.
                found[place] = min(value - low, high - value, gap)
        return np.maximum(found, _TINY * _TINY)


_RANGES: dict[str, tuple[float, float]] = {"nu": NU_BOUNDS, "lambda": LAMBDA_BOUNDS}


def as_vector(spec: VolatilitySpec, params: Mapping[str, float]) -> Array:
    """The parameters of a spec (k,) in the order of `parameter_names`."""
    return np.array([float(params[name]) for name in parameter_names(spec)], dtype=np.float64)
