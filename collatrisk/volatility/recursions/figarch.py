"""FIGARCH: a weighted sum of past residuals to a power, with weights that die off like a power of the lag."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import (
    ROUNDING,
    Constraint,
    PowerFamily,
    Walk,
    simulated_forecast,
    weighted_head,
)
from collatrisk.volatility.recursions.shares import between, logit
from collatrisk.volatility.specs_memory import Figarch

_D_MOST = 1.0 - 1.5e-8  # arch's
_NEAR_BOUND = 1e-12


@dataclass(frozen=True, slots=True)
class ArchWeights:
    """``s_t = level + sum_{i=1}^{L} weights_i |e_{t-i}|^power``, s = h^(power/2): an ARCH model with many lags.

    The state is the last L residuals; where the sample is shorter, what stands for those before it has the size of the
    pre-sample value. Their signs do not matter.

    Attributes
    ----------
    level : > 0. weights : nearest lag first. power : > 0.
    """

    level: float
    weights: tuple[float, ...]
    power: float = 2.0

    @property
    def residual_lags(self) -> int:
        """How many weights there are."""
        return len(self.weights)

    @property
    def variance_lags(self) -> int:
        """No variance is fed back."""
        return 0

    @property
    def closed_form(self) -> bool:
        """Linear in the variance for power 2."""
        return self.power == 2.0

    def variances(self, residuals: Array, start: Array) -> Array:
        """h (n,) along residuals (n,)."""
        return self._from_power(
            self.level + weighted_past(np.array(self.weights), self._sizes(residuals), self.before(start))
        )

    def before(self, start: Array) -> float:
        """|e|^power in front of the sample."""
        return float(start[0] ** (0.5 * self.power))

    def state(self, residuals: Array, variances: Array, start: Array) -> tuple[Array, Array]:
        """The last L residuals, filled up in front by the pre-sample size."""
        missing = max(self.residual_lags - residuals.size, 0)
        filled = np.concatenate((np.full(missing, math.sqrt(float(start[0]))), residuals))
        return filled[filled.size - self.residual_lags :], np.empty(0)

    def run(self, residuals: Array, variances: Array, shocks: Array) -> Array:
        """h (n_steps, n) along shocks, from states (L, n)."""
        lags, (steps, size) = self.residual_lags, shocks.shape
        backwards = np.array(self.weights)[::-1]
        past = np.empty((lags + steps, size))
        past[:lags] = self._sizes(residuals)
        found = np.empty_like(shocks)
        for t in range(steps):
            found[t] = self._from_power(self.level + backwards @ past[t : t + lags])
            past[lags + t] = self._sizes(np.sqrt(found[t]) * shocks[t])
        return found

    def base_path(self, residuals: Array, horizon: int) -> Array:
        """level and what the known residuals add to s at each of the next steps (horizon,)."""
        sizes, weights = self._sizes(residuals)[::-1], np.array(self.weights)
        ahead = range(min(horizon, weights.size))
        found = np.full(horizon, self.level)
        found[: len(ahead)] += [float(weights[k:] @ sizes[: weights.size - k]) for k in ahead]
        return found

    def forecast(self, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
        """E h (horizon,): exact for power 2, by simulation otherwise."""
        if not self.closed_form:
            return simulated_forecast(self, residuals, variances, horizon, law)
        found, weights = self.base_path(residuals, horizon), np.array(self.weights)
        for k in range(1, horizon):
            known = min(k, weights.size)
            found[k] += float(weights[:known] @ found[k - known : k][::-1])
        return found

    def persistence(self, law: Law) -> float:
        """The sum of the weights, times E|z|^power."""
        return math.fsum(self.weights) * sum(law.half_moments(self.power))

    def long_run_variance(self, law: Law) -> float:
        """level / (1 - persistence) for power 2: of the cut model. nan for other powers, which have no closed form."""
        gap = 1.0 - self.persistence(law)
        if gap <= ROUNDING:
            return math.inf
        return self.level / gap if self.power == 2.0 else math.nan

    def half_life(self, law: Law) -> float:
        """Steps until half of the response of E s to a shock is gone; inf if there are too few lags to tell."""
        weights = np.array(self.weights) * sum(law.half_moments(self.power))
        response = np.zeros(weights.size)
        for k in range(weights.size):
            response[k] = weights[k] + float(weights[:k] @ response[:k][::-1])
            if response[k] <= 0.5 * response[0]:
                return float(k)
        return math.inf

    def stretch(self, now: float, wanted: float) -> float:
        """g with level + g^power (s - level) = s*."""
        target, current = (value ** (0.5 * self.power) for value in (wanted, now))
        if current <= self.level or target <= self.level:
            return 1.0
        return float(((target - self.level) / (current - self.level)) ** (1.0 / self.power))

    def _sizes(self, residuals: Array) -> Array:
        return np.asarray(np.abs(residuals) ** self.power, dtype=np.float64)

    def _from_power(self, values: Array) -> Array:
        return np.asarray(values ** (2.0 / self.power), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FigarchFamily(PowerFamily):
    """omega, phi (p = 1), d, beta (q = 1)."""

    spec: Figarch

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return ("omega", *(("phi",) if self.spec.p else ()), "d", *(("beta",) if self.spec.q else ()))

    @property
    def curved(self) -> bool:
        """The weights add up to less than 1 by construction."""
        return False

    @property
    def power(self) -> float | None:
        """Of the residuals."""
        return self.spec.power

    def recursion(self, values: Array) -> ArchWeights:
        """The weights."""
        phi, d, beta = self._parts(values)
        weights = figarch_weights(phi, d, beta, self.spec.truncation)[0]
        return ArchWeights(float(values[0]) / (1.0 - beta), tuple(weights.tolist()), self.spec.power)

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters, own): sums over the past with the weights or with their derivatives."""
        phi, d, beta = self._parts(values)
        power, e = self.spec.power, walk.residuals
        found = self.recursion(values)
        weights, along_phi, along_d, along_beta = figarch_weights(phi, d, beta, self.spec.truncation)
        before, start = found.before(walk.start), float(walk.start[0])
        sizes = np.abs(e) ** power
        steep = power * np.abs(e) ** (power - 1.0) * np.sign(e)
        rows = [
            weighted_past(weights, steep * slope, 0.5 * power * before / start * float(moved))
            for slope, moved in zip(walk.residual_slopes, walk.start_slopes[:, 0], strict=True)
        ]
        rows.append(np.full(e.shape, 1.0 / (1.0 - beta)))
        if self.spec.p:
            rows.append(weighted_past(along_phi, sizes, before))
        rows.append(weighted_past(along_d, sizes, before))
        if self.spec.q:
            level = float(values[0]) / (1.0 - beta) ** 2
            rows.append(level + weighted_past(along_beta, sizes, before))
        s = walk.variances ** (0.5 * power)
        return np.asarray(np.array(rows) * (2.0 / power * walk.variances / s), dtype=np.float64)

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """arch's."""
        scale = variance ** (0.5 * self.spec.power)
        found = [(1e-8 * scale, 10.0 * scale), *[(0.0, 0.5)] * self.spec.p, (0.0, _D_MOST)]
        return found + [(0.0, _D_MOST)] * self.spec.q

    def constraints(self) -> list[Constraint]:
        """phi <= (1 - d) / 2 and beta <= d + phi: all weights are positive (Baillie, Bollerslev and Mikkelsen 1996)."""
        names = self.names

        def row(**weights: float) -> Array:
            return np.array([weights.get(name, 0.0) for name in names])

        found: list[Constraint] = []
        if self.spec.p:
            found.append((row(phi=-2.0, d=-1.0), -1.0, "phi <= (1 - d) / 2"))
        if self.spec.q:
            found.append((row(phi=1.0, d=1.0, beta=-1.0), 0.0, "beta <= d + phi"))
        return found

    def starts(self, variance: float) -> Iterator[list[float]]:
        """arch's grid."""
        spec, scale = self.spec, variance ** (0.5 * self.spec.power)
        phis = (0.2, 0.5, 0.8) if spec.p else (0.0,)
        betas = (0.1, 0.5, 0.9) if spec.q else (0.0,)
        for d, ratio, share in product((0.2, 0.5, 0.7), phis, betas):
            phi = ratio * (1.0 - d) / 2.0
            beta = share * (d + phi)
            gap = 1.0 - float(np.sum(figarch_weights(phi, d, beta, spec.truncation)[0]))
            yield [max((1.0 - beta) * scale * gap, 1e-6 * scale), *[phi] * spec.p, d, *[beta] * spec.q]

    def backcast(self, residuals: Array) -> Array:
        """Of |e|^power, as a variance."""
        power = self.spec.power
        return np.array([weighted_head(np.abs(residuals) ** power) ** (2.0 / power)])

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """omega takes factor^power."""
        units = np.ones(values.size)
        units[0] = factor**self.spec.power
        return values * units, np.diag(units)

    def free(self, values: Array, law: Law) -> Array:
        """log omega and logits: of d in (0, 1), of phi in (0, (1 - d) / 2), of beta in (0, min(d + phi, 1))."""
        phi, d, beta = self._parts(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            omega = float(np.log(values[0]))
        found = [omega, *[logit(phi, 0.0, 0.5 * (1.0 - d))] * self.spec.p, logit(d, 0.0, _D_MOST)]
        return np.array(found + [logit(beta, 0.0, min(d + phi, _D_MOST))] * self.spec.q)

    def values(self, free: Array, law: Law) -> Array:
        """The inverse of `free`."""
        p = self.spec.p
        d = max(between(float(free[1 + p]), 0.0, _D_MOST), _NEAR_BOUND)
        phi = between(float(free[1]), 0.0, 0.5 * (1.0 - d)) if p else 0.0
        found = [math.exp(free[0]), *[phi] * p, d]
        return np.array(found + [between(float(free[-1]), 0.0, min(d + phi, _D_MOST))] * self.spec.q)

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """Nothing to do: the cut leaves a gap."""
        return values

    def _parts(self, values: Array) -> tuple[float, float, float]:
        """phi, d, beta; 0 for what the model has not."""
        found = dict(zip(self.names, values.tolist(), strict=True))
        return found.get("phi", 0.0), found["d"], found.get("beta", 0.0)


def figarch_weights(phi: float, d: float, beta: float, lags: int) -> tuple[Array, Array, Array, Array]:
    """lambda_1 ... lambda_lags and their derivatives in phi, d and beta."""
    from scipy.signal import lfilter

    i = np.arange(2.0, lags + 1.0)
    product_of_ratios = np.concatenate(([1.0], np.cumprod((i - 1.0 - d) / i)))
    delta = d * product_of_ratios
    # d delta / d d by the product rule; 1 - d is kept away from 0 by the bounds.
    falling = np.concatenate(([0.0], np.cumsum(-1.0 / (i - 1.0 - d))))
    delta_slope = product_of_ratios + delta * falling
    inputs = delta - phi * np.concatenate(([0.0], delta[:-1]))
    inputs[0] += phi - beta
    phi_inputs = np.concatenate(([1.0], -delta[:-1]))
    d_inputs = delta_slope - phi * np.concatenate(([0.0], delta_slope[:-1]))
    feedback = [1.0, -beta]
    weights = lfilter([1.0], feedback, inputs)
    beta_inputs = np.concatenate(([-1.0], weights[:-1]))
    slopes = lfilter([1.0], feedback, np.array([phi_inputs, d_inputs, beta_inputs]), axis=-1)
    return np.asarray(weights, dtype=np.float64), slopes[0], slopes[1], slopes[2]


def weighted_past(weights: Array, sizes: Array, before: float) -> Array:
    """``sum_{i=1}^{L} weights_i x_{t-i}`` for every t, x = `sizes` (n,) in the sample and `before` in front of it."""
    n, lags = sizes.size, weights.size
    size = 1 << (n + lags).bit_length()
    deviations = np.fft.irfft(np.fft.rfft(weights, size) * np.fft.rfft(sizes - before, size), size)
    return np.asarray(before * float(np.sum(weights)) + np.concatenate(([0.0], deviations[: n - 1])), dtype=np.float64)
