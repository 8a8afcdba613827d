"""GARCH, GJR and TGARCH, the EWMA and the constant volatility as estimation sees them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import Constraint, PowerFamily, Walk, filtered, lagged, weighted_head
from collatrisk.volatility.recursions.garch import GarchCoefficients
from collatrisk.volatility.recursions.shares import from_shares, log_ratios
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch


@dataclass(frozen=True, slots=True)
class GarchFamily(PowerFamily):
    """Garch: omega, alpha[i], gamma[i], beta[j]. ConstantVolatility: omega. Ewma: nothing is estimated."""

    spec: Garch | Ewma | ConstantVolatility

    @property
    def orders(self) -> tuple[int, int, int]:
        """p, o, q of what is estimated."""
        spec = self.spec
        return (spec.p, spec.o, spec.q) if isinstance(spec, Garch) else (0, 0, 0)

    @property
    def power(self) -> float:
        """Of the residuals."""
        return self.spec.power if isinstance(self.spec, Garch) else 2.0

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        if isinstance(self.spec, Ewma):
            return ()
        return _names(self.orders)

    @property
    def curved(self) -> bool:
        """With power 2 the linear bound of `constraints`, the same under every law, is arch's and is kept."""
        return self.power != 2.0

    def recursion(self, values: Array) -> GarchCoefficients:
        """The coefficients."""
        if isinstance(self.spec, Ewma):
            return GarchCoefficients(0.0, (1.0 - self.spec.decay,), (), (self.spec.decay,))
        cuts = np.cumsum([1, *self.orders])
        alpha, gamma, beta = (tuple(map(float, values[a:b])) for a, b in pairwise(cuts))
        return GarchCoefficients(float(values[0]), alpha, gamma, beta, self.power)

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters, own): each row obeys the recursion, driven by the derivative of its inputs."""
        found, e, power = self.recursion(values), walk.residuals, self.power
        if power == 2.0 and found.beta:
            return self._slopes_of_squares(found, walk)
        rises = 2.0 * e if power == 2.0 else power * np.abs(e) ** (power - 1.0) * np.sign(e)
        falls = np.minimum(rises, 0.0)
        level = float(found.to_power(walk.start)[0])
        rows, before = [], []
        for along, moved in zip(walk.residual_slopes, walk.start_slopes[:, 0], strict=True):
            moved_level = float(moved) * (1.0 if power == 2.0 else 0.5 * power * level / float(walk.start[0]))
            drive = np.zeros(e.shape)
            for lag, weight in enumerate(found.alpha, 1):
                drive += weight * lagged(rises * along, lag, moved_level)
            for lag, weight in enumerate(found.gamma, 1):
                drive += weight * lagged(falls * along, lag, 0.5 * moved_level)
            rows.append(drive)
            before.append(moved_level)
        s = found.to_power(walk.variances)
        if not isinstance(self.spec, Ewma):
            sizes = np.abs(e) ** power if power != 2.0 else e * e
            rows.append(np.ones(e.shape))
            rows.extend(lagged(sizes, lag, level) for lag in range(1, len(found.alpha) + 1))
            rows.extend(lagged(sizes * (e < 0.0), lag, 0.5 * level) for lag in range(1, len(found.gamma) + 1))
            rows.extend(lagged(s, lag, level) for lag in range(1, len(found.beta) + 1))
            before.extend([0.0] * (len(rows) - len(before)))
        if not rows:
            return np.empty((0, e.size))
        derivatives = filtered(np.array(rows), found.beta, np.array(before))
        return derivatives if power == 2.0 else derivatives * (2.0 / power * walk.variances / s)

    def _slopes_of_squares(self, found: GarchCoefficients, walk: Walk) -> Array:
        """The same for a recursion in the variances themselves, compiled."""
        from collatrisk.kernels.garch_scores import garch_slopes

        own = not isinstance(self.spec, Ewma)
        slopes = np.empty((len(walk.residual_slopes) + (len(self.names) if own else 0), walk.residuals.size))
        weights = (np.array(each, dtype=np.float64) for each in (found.alpha, found.gamma, found.beta))
        garch_slopes(
            walk.residuals, walk.variances, walk.residual_slopes, float(walk.start[0]),
            np.ascontiguousarray(walk.start_slopes[:, 0]), *weights, own, slopes,
        )  # fmt: skip
        return slopes

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """arch's."""
        if isinstance(self.spec, Ewma):
            return []
        p, o, q = self.orders
        scale = variance ** (0.5 * self.power)
        gammas = [(-1.0 if lag <= p else 0.0, 2.0) for lag in range(1, o + 1)]
        return [(1e-8 * scale, 10.0 * scale), *[(0.0, 1.0)] * p, *gammas, *[(0.0, 1.0)] * q]

    def constraints(self) -> list[Constraint]:
        """alpha_i + gamma_i >= 0 and, for power 2, sum(alpha) + sum(gamma) / 2 + sum(beta) <= 1 whatever the law."""
        names, (p, o, _) = self.names, self.orders
        found: list[Constraint] = []
        if not isinstance(self.spec, Garch):
            return found
        for lag in range(1, min(p, o) + 1):
            pair = (f"alpha[{lag}]", f"gamma[{lag}]")
            row = np.array([1.0 if name in pair else 0.0 for name in names])
            found.append((row, 0.0, f"alpha[{lag}] + gamma[{lag}]"))
        if self.power == 2.0:
            weights = {"alpha": -1.0, "gamma": -0.5, "beta": -1.0}
            row = np.array([weights.get(name.partition("[")[0], 0.0) for name in names])
            found.append((row, -1.0, "persistence"))
        return found

    def starts(self, variance: float) -> Iterator[list[float]]:
        """Lively, slow and short-memoried, with about the sample variance."""
        if isinstance(self.spec, Ewma):
            yield []
        elif isinstance(self.spec, ConstantVolatility):
            yield [variance]
        else:
            p, o, q = self.orders
            scale = variance ** (0.5 * self.power)
            for alpha, gamma, beta in _GRID:
                a, g, b = alpha / max(p, 1), gamma / max(o, 1), beta / max(q, 1)
                rest = 1.0 - alpha * (p > 0) - 0.5 * gamma * (o > 0) - beta * (q > 0)
                yield [scale * rest, *[a] * p, *[g] * o, *[b] * q]

    def backcast(self, residuals: Array) -> Array:
        """Of |e|^power, as a variance."""
        return np.array([weighted_head(np.abs(residuals) ** self.power) ** (2.0 / self.power)])

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """omega takes factor^power; alpha, gamma and beta have no unit."""
        units = np.array([factor**self.power if name == "omega" else 1.0 for name in self.names])
        return values * units, np.diag(units)

    def free(self, values: Array, law: Law) -> Array:
        """log omega, and the shares of the persistence as log-ratios to what is missing to 1.

        The shares are what a rise adds, above alpha_i, what a fall adds, below (alpha_i + gamma_i), and beta_j, with
        below = E[|z|^power 1(z < 0)] and above the same for z > 0; where lag i has no gamma both count for alpha_i.
        """
        if isinstance(self.spec, Ewma):
            return np.empty(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.concatenate(([np.log(values[0])], log_ratios(self._shares(values, law))))

    def values(self, free: Array, law: Law) -> Array:
        """The inverse of `free`."""
        if isinstance(self.spec, Ewma):
            return np.empty(0)
        p, o, _ = self.orders
        below, above = law.half_moments(self.power)
        shares = from_shares(free[1:])
        alpha, gamma, beta = shares[:p], shares[p : p + o], shares[p + o :]
        paired = min(p, o)
        alphas = np.concatenate((alpha[:paired] / above, alpha[paired:] / (above + below)))
        gammas = gamma / below
        gammas[:paired] -= alphas[:paired]
        return np.concatenate(([math.exp(free[0])], alphas, gammas, beta))

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """alpha, gamma and beta shrunk by one factor."""
        left = 1.0 - float(np.sum(self._shares(values, law)))
        if left >= gap:
            return values
        found = np.array(values)
        found[1:] *= (1.0 - gap) / (1.0 - left)
        return found

    def _shares(self, values: Array, law: Law) -> Array:
        p, o, _ = self.orders
        if values.size == 0:
            return np.empty(0)
        below, above = law.half_moments(self.power)
        alpha, gamma, beta = values[1 : 1 + p], values[1 + p : 1 + p + o], values[1 + p + o :]
        paired = min(p, o)
        rises = np.concatenate((above * alpha[:paired], (above + below) * alpha[paired:]))
        falls = below * gamma
        falls[:paired] += below * alpha[:paired]
        return np.concatenate((rises, falls, beta))


@lru_cache
def _names(orders: tuple[int, int, int]) -> tuple[str, ...]:
    letters = zip(("alpha", "gamma", "beta"), orders, strict=True)
    return ("omega", *(f"{letter}[{lag}]" for letter, order in letters for lag in range(1, order + 1)))


_GRID = (
    (0.05, 0.10, 0.85),
    (0.02, 0.02, 0.95),
    (0.15, 0.10, 0.50),
    (0.08, 0.00, 0.90),
    (0.20, 0.00, 0.70),
    (0.02, 0.15, 0.85),
)
