"""APARCH as estimation sees it: a GARCH recursion in the power delta, which may be estimated too."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import Constraint, PowerFamily, Walk, filtered, lagged, weighted_head
from collatrisk.volatility.recursions.garch import GarchCoefficients
from collatrisk.volatility.recursions.shares import between, from_shares, log_ratios, logit
from collatrisk.volatility.specs_asymmetric import Aparch

DELTA_BOUNDS = (0.05, 4.0)
_GAMMA = 0.9997  # arch's


@dataclass(frozen=True, slots=True)
class AparchFamily(PowerFamily):
    """omega, alpha[i], gamma[i], beta[j] and, unless it is given, delta."""

    spec: Aparch

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        spec = self.spec
        letters = (("alpha", spec.p), ("gamma", spec.o), ("beta", spec.q))
        own = [f"{letter}[{lag}]" for letter, order in letters for lag in range(1, order + 1)]
        return ("omega", *own, *(("delta",) if spec.delta is None else ()))

    @property
    def curved(self) -> bool:
        """The persistence is a product of alpha with a function of gamma, delta and the shapes."""
        return True

    @property
    def power(self) -> float | None:
        """delta where it is given."""
        return self.spec.delta

    def recursion(self, values: Array) -> GarchCoefficients:
        """The coefficients of the GARCH recursion in the power delta."""
        alpha, gamma, beta, delta = self._parts(values)
        up, down = alpha * (1.0 - gamma) ** delta, alpha * (1.0 + gamma) ** delta
        rises, falls, kept, before = (tuple(part.tolist()) for part in (up, down - up, beta, alpha))
        return GarchCoefficients(float(values[0]), rises, falls, kept, delta, before)

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters, own); ln h = (2 / delta) ln s, and s obeys a linear recursion."""
        alpha, gamma, beta, delta = self._parts(values)
        e, start = walk.residuals, float(walk.start[0])
        level = start ** (0.5 * delta)
        n_mean = walk.residual_slopes.shape[0]
        rows = np.zeros((n_mean + len(self.names), e.size))
        rows[n_mean] = 1.0
        before = np.zeros(rows.shape[0])
        before[:n_mean] = 0.5 * delta * level / start * walk.start_slopes[:, 0]
        p, o = self.spec.p, self.spec.o
        along_delta = np.zeros(e.shape)
        for lag in range(1, p + 1):
            a, g = float(alpha[lag - 1]), float(gamma[lag - 1])
            shock = np.abs(e) - g * e
            size = shock**delta
            logs = np.log(np.where(shock > 0.0, shock, 1.0))
            steep = a * delta * np.where(shock > 0.0, size / np.where(shock > 0.0, shock, 1.0), 0.0)
            for row in range(n_mean):
                moved = steep * (np.sign(e) - g) * walk.residual_slopes[row]
                rows[row] += lagged(moved, lag, a * float(before[row]))
            rows[n_mean + lag] = lagged(size, lag, level)
            if lag <= o:
                rows[n_mean + p + lag] = lagged(-steep * e, lag, 0.0)
            along_delta += lagged(a * size * logs, lag, a * level * 0.5 * math.log(start))
        s = walk.variances ** (0.5 * delta)
        for lag in range(1, self.spec.q + 1):
            rows[n_mean + p + o + lag] = lagged(s, lag, level)
        if self.spec.delta is None:
            rows[-1] = along_delta
            before[-1] = 0.5 * math.log(start) * level
        derivatives = filtered(rows, tuple(beta.tolist()), before) * (2.0 / delta / s)
        if self.spec.delta is None:
            derivatives[-1] -= np.log(walk.variances) / delta
        return np.asarray(derivatives * walk.variances, dtype=np.float64)

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """arch's, but for the ceiling on alpha, which weighs E(|z| - gamma z)^delta and may exceed 1."""
        spec = self.spec
        powers = DELTA_BOUNDS if spec.delta is None else (spec.delta,)
        scales = [variance ** (0.5 * power) for power in powers]
        found = [(1e-8 * min(scales), 10.0 * max(scales)), *[(0.0, 2.0)] * spec.p]
        found += [*[(-_GAMMA, _GAMMA)] * spec.o, *[(0.0, 1.0)] * spec.q]
        return found + ([DELTA_BOUNDS] if spec.delta is None else [])

    def constraints(self) -> list[Constraint]:
        """None but the bounds; the persistence is kept by the search."""
        return []

    def starts(self, variance: float) -> Iterator[list[float]]:
        """arch's grid, a little coarser."""
        spec = self.spec
        deltas = (1.0, 1.5, 2.0) if spec.delta is None else (spec.delta,)
        gammas = (-0.3, 0.0, 0.3) if spec.o else (0.0,)
        for alpha, total, gamma, delta in product((0.05, 0.12), (0.90, 0.97, 0.99), gammas, deltas):
            scale = variance ** (0.5 * delta)
            beta = (total - alpha) if spec.q else 0.0
            values = [scale * (1.0 - alpha - beta), *[alpha / spec.p] * spec.p, *[gamma] * spec.o]
            values += [beta / max(spec.q, 1)] * spec.q
            yield values + ([delta] if spec.delta is None else [])

    def backcast(self, residuals: Array) -> Array:
        """Of the squared residuals, whatever delta."""
        return np.array([weighted_head(residuals**2)])

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """omega takes factor^delta, and so leans on delta; the rest has no unit."""
        delta = self._parts(values)[3]
        found, jacobian = np.array(values), np.eye(values.size)
        found[0] *= factor**delta
        jacobian[0, 0] = factor**delta
        if self.spec.delta is None:
            jacobian[0, -1] = found[0] * math.log(factor)
        return found, jacobian

    def free(self, values: Array, law: Law) -> Array:
        """log omega, the log-ratios of the shares kappa_i alpha_i and beta_j, the logits of gamma_i and delta."""
        alpha, gamma, beta, delta = self._parts(values)
        shares = np.concatenate((alpha * _kappa(gamma, delta, law), beta))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios, omega = log_ratios(shares), np.log(values[0])
        p, o = self.spec.p, self.spec.o
        asymmetry = [logit(float(g), -_GAMMA, _GAMMA) for g in gamma[:o]]
        power = [logit(delta, *DELTA_BOUNDS)] if self.spec.delta is None else []
        return np.concatenate(([omega], ratios[:p], asymmetry, ratios[p:], power))

    def values(self, free: Array, law: Law) -> Array:
        """The inverse of `free`."""
        p, o, q = self.spec.p, self.spec.o, self.spec.q
        delta = between(float(free[-1]), *DELTA_BOUNDS) if self.spec.delta is None else self.spec.delta
        gamma = np.array([between(float(g), -_GAMMA, _GAMMA) for g in free[1 + p : 1 + p + o]])
        shares = from_shares(np.concatenate((free[1 : 1 + p], free[1 + p + o : 1 + p + o + q])))
        alpha = shares[:p] / _kappa(np.concatenate((gamma, np.zeros(p - o))), delta, law)
        power = [delta] if self.spec.delta is None else []
        return np.concatenate(([math.exp(free[0])], alpha, gamma, shares[p:], power))

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """alpha and beta shrunk by one factor."""
        alpha, gamma, beta, delta = self._parts(values)
        total = float(np.sum(alpha * _kappa(gamma, delta, law)) + np.sum(beta))
        if total <= 1.0 - gap:
            return values
        found = np.array(values)
        p, o, q = self.spec.p, self.spec.o, self.spec.q
        if math.isinf(total):
            found[1 : 1 + p] = 0.0
            total = float(np.sum(beta))
        factor = min((1.0 - gap) / total, 1.0) if total > 0.0 else 1.0
        found[1 : 1 + p] *= factor
        found[1 + p + o : 1 + p + o + q] *= factor
        return found

    def _parts(self, values: Array) -> tuple[Array, Array, Array, float]:
        """alpha (p,), gamma (p,) with zeros for the lags that have none, beta (q,), delta."""
        p, o, q = self.spec.p, self.spec.o, self.spec.q
        gamma = np.concatenate((values[1 + p : 1 + p + o], np.zeros(p - o)))
        delta = float(values[-1]) if self.spec.delta is None else self.spec.delta
        return values[1 : 1 + p], gamma, values[1 + p + o : 1 + p + o + q], delta


def _kappa(gamma: Array, delta: float, law: Law) -> Array:
    """E(|z| - gamma z)^delta for each gamma."""
    below, above = law.half_moments(delta)
    return np.asarray(above * (1.0 - gamma) ** delta + below * (1.0 + gamma) ** delta, dtype=np.float64)
