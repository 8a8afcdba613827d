"""The recursion of GARCH, GJR, TGARCH and APARCH with its numbers: linear in a power of the volatility."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import (
    ROUNDING,
    decay_time,
    filtered,
    lagged,
    largest_root,
    simulated_forecast,
)
from collatrisk.volatility.recursions.moments import expected_squares, factor_moments, long_run_square


@dataclass(frozen=True, slots=True)
class GarchCoefficients:
    """``s_t = omega + sum_i (alpha_i + gamma_i 1(e_{t-i} < 0)) |e_{t-i}|^power + sum_j beta_j s_{t-j}``.

    s = h^(power / 2): for power 2 the variance itself.
    APARCH has this form too, with alpha (1 - gamma)^delta after a rise and alpha (1 + gamma)^delta after a fall.

    Attributes
    ----------
    omega : >= 0, in the unit of the returns to the `power`.
    alpha, gamma, beta : one number a lag, the nearest lag first; may be empty.
    power : > 0.
    before : weights of the residuals before the sample; alpha_i + gamma_i / 2 where left empty.
    """

    omega: float
    alpha: tuple[float, ...]
    gamma: tuple[float, ...]
    beta: tuple[float, ...]
    power: float = 2.0
    before: tuple[float, ...] = ()

    @property
    def residual_lags(self) -> int:
        """How many past residuals the recursion needs: max(p, o)."""
        return max(len(self.alpha), len(self.gamma))

    @property
    def variance_lags(self) -> int:
        """How many past variances the recursion needs: q."""
        return len(self.beta)

    @property
    def closed_form(self) -> bool:
        """Forecasts are closed where the recursion is linear in the variance, or in the volatility with one lag."""
        return self.power == 2.0 or self._one_lag_in_volatility or not (self.residual_lags or self.variance_lags)

    @property
    def _one_lag_in_volatility(self) -> bool:
        return self.power == 1.0 and self.residual_lags == 1 and self.variance_lags <= 1

    @property
    def weights(self) -> tuple[Array, Array]:
        """The weight of each lag after a rise and after a fall, (residual_lags,) each."""
        up, down = np.zeros(self.residual_lags), np.zeros(self.residual_lags)
        up[: len(self.alpha)] = down[: len(self.alpha)] = self.alpha
        down[: len(self.gamma)] += self.gamma
        return up, down

    def to_power(self, variances: Array) -> Array:
        """h^(power/2)."""
        return variances if self.power == 2.0 else np.asarray(variances ** (0.5 * self.power), dtype=np.float64)

    def from_power(self, values: Array) -> Array:
        """The variances of values of s."""
        return values if self.power == 2.0 else np.asarray(values ** (2.0 / self.power), dtype=np.float64)

    def variances(self, residuals: Array, start: Array) -> Array:
        """h (n,) along residuals (n,)."""
        up, down = self.weights
        level = float(self.to_power(start)[0])
        before = self.before or tuple(0.5 * (up + down))
        if self.power == 2.0 and self.beta:
            from collatrisk.kernels.garch_scores import garch_variances

            found = np.empty(residuals.shape)
            garch_variances(residuals, level, self.omega, up, down, np.array(before), np.array(self.beta), found)
            return found
        sizes = self._sizes(residuals)
        inputs = np.full(residuals.shape, self.omega)
        for lag in range(1, self.residual_lags + 1):
            weighted = np.where(residuals < 0.0, down[lag - 1], up[lag - 1]) * sizes
            inputs += lagged(weighted, lag, before[lag - 1] * level)
        return self.from_power(filtered(inputs[None, :], self.beta, np.array([level]))[0])

    def state(self, residuals: Array, variances: Array, start: Array) -> tuple[Array, Array]:
        """The last max(p, o) residuals and the last q variances."""
        n = residuals.size
        return residuals[n - self.residual_lags :], variances[n - self.variance_lags :]

    def run(self, residuals: Array, variances: Array, shocks: Array) -> Array:
        """h (n_steps, n) along shocks, from states (lags, n)."""
        up, down = self.weights
        lags, depth = self.residual_lags, self.variance_lags
        found = np.empty_like(shocks)
        e, s = list(residuals), [self.to_power(row) for row in variances]
        for t, shock in enumerate(shocks):
            now = np.full(shock.shape, self.omega)
            for lag in range(1, lags + 1):
                now += np.where(e[-lag] < 0.0, down[lag - 1], up[lag - 1]) * self._sizes(e[-lag])
            for lag, weight in enumerate(self.beta, 1):
                now += weight * s[-lag]
            found[t] = self.from_power(now)
            e, s = [*e[1:], np.sqrt(found[t]) * shock][-lags:] if lags else [], [*s[1:], now][-depth:] if depth else []
        return found

    def forecast(self, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
        """E h (horizon,): exact for power 2 and for power 1 with one lag, by simulation otherwise."""
        if self._one_lag_in_volatility:
            first = self.run(residuals[:, None], variances[:, None], np.zeros((1, 1)))[0, 0]
            return expected_squares(math.sqrt(first), self.omega, self._factor_moments(law), horizon)
        if not self.closed_form:
            return simulated_forecast(self, residuals, variances, horizon, law)
        from collatrisk.volatility.forecast import variance_forecast

        return variance_forecast(self, residuals.tolist(), variances.tolist(), horizon, law.below_zero)

    def persistence(self, law: Law) -> float:
        """``sum_i (E[z^power 1(z > 0)] up_i + E[|z|^power 1(z < 0)] down_i) + sum(beta)``."""
        if self.power == 2.0:
            from collatrisk.volatility.forecast import persistence

            return persistence(self, law.below_zero)
        return math.fsum((*self._shares(law), *self.beta))

    def long_run_variance(self, law: Law) -> float:
        """omega / (1 - persistence) for power 2, and exact for power 1 with one lag.

        Otherwise the mean of a long simulation with a fixed seed, which says little where the persistence is near 1.
        """
        if self._one_lag_in_volatility:
            return long_run_square(self.omega, self._factor_moments(law))
        gap = 1.0 - self.persistence(law)
        if gap <= ROUNDING:
            return math.inf if self.omega > 0.0 else math.nan
        level = self.omega / gap
        if self.closed_form:
            return float(self.from_power(np.array([level]))[0])
        if law.nu <= 2.0 and law.dist in {"t", "skewt"}:
            return math.inf
        start = self.from_power(np.array([level]))
        e, h = (np.full(count, float(start[0]) ** 0.5) for count in (self.residual_lags, self.variance_lags))
        half_life = self.half_life(law)
        steps = int(min(20.0 * half_life + 50.0, 2000.0)) if math.isfinite(half_life) else 2000
        path = simulated_forecast(self, e, h**2, steps, law)
        return float(np.mean(path[steps // 2 :]))

    def half_life(self, law: Law) -> float:
        """Of a shock to the expectation of s, by the largest root of its recursion."""
        if self.persistence(law) >= 1.0 - ROUNDING:
            return math.inf
        weights = np.zeros(max(self.residual_lags, self.variance_lags))
        weights[: self.residual_lags] += self._shares(law)
        weights[: self.variance_lags] += self.beta
        return decay_time(largest_root(weights))

    def stretch(self, now: float, wanted: float) -> float:
        """g with omega + g^power (s - omega) = s*."""
        target, current = (float(self.to_power(np.array([value]))[0]) for value in (wanted, now))
        if current <= self.omega or target <= self.omega or not self.residual_lags:
            return 1.0
        return float(((target - self.omega) / (current - self.omega)) ** (1.0 / self.power))

    def _factor_moments(self, law: Law) -> tuple[float, float]:
        up, down = self.weights
        return factor_moments(float(up[0]), float(down[0]), self.beta[0] if self.beta else 0.0, law)

    def _sizes(self, residuals: Array) -> Array:
        if self.power == 2.0:
            return residuals * residuals
        return np.asarray(np.abs(residuals) ** self.power, dtype=np.float64)

    def _shares(self, law: Law) -> Array:
        up, down = self.weights
        below, above = law.half_moments(self.power)
        return np.asarray(above * up + below * down, dtype=np.float64)
