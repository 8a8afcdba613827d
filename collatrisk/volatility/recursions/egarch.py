"""EGARCH: linear in the logarithm of the variance, driven by standardised shocks."""

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
    Walk,
    decay_time,
    largest_root,
    weighted_head,
)
from collatrisk.volatility.recursions.shares import from_shares, log_ratios
from collatrisk.volatility.specs_asymmetric import Egarch

CENTRE = math.sqrt(2.0 / math.pi)  # E|z| of the normal law, taken off under every law as in arch
_LONGEST_MEMORY = 100_000


@dataclass(frozen=True, slots=True)
class EgarchCoefficients:
    """``ln h_t = omega + sum_i (alpha_i (|z_{t-i}| - CENTRE) + gamma_i z_{t-i}) + sum_j beta_j ln h_{t-j}``.

    The state keeps max(p, o, q) variances, because a residual says its z only together with its variance.

    Attributes
    ----------
    omega : of any sign, in the logarithm of the squared unit of the returns.
    alpha, gamma, beta : one number a lag, the nearest lag first.
    """

    omega: float
    alpha: tuple[float, ...]
    gamma: tuple[float, ...]
    beta: tuple[float, ...]

    @property
    def residual_lags(self) -> int:
        """max(p, o)."""
        return max(len(self.alpha), len(self.gamma))

    @property
    def variance_lags(self) -> int:
        """max(p, o, q)."""
        return max(self.residual_lags, len(self.beta))

    @property
    def closed_form(self) -> bool:
        """Forecasts are products of one-dimensional integrals."""
        return True

    def variances(self, residuals: Array, start: Array) -> Array:
        """h (n,); before the sample ln h is that of `start` and there are no shocks."""
        from collatrisk.kernels.log_variance import filter_log

        logs = np.empty(residuals.size)
        alpha, gamma, beta = (np.array(part, dtype=np.float64) for part in (self.alpha, self.gamma, self.beta))
        filter_log(residuals, self.omega, alpha, gamma, beta, CENTRE, math.log(float(start[0])), logs)
        return np.exp(logs)

    def state(self, residuals: Array, variances: Array, start: Array) -> tuple[Array, Array]:
        """The last residuals and variances."""
        n = residuals.size
        return residuals[n - self.residual_lags :], variances[n - self.variance_lags :]

    def run(self, residuals: Array, variances: Array, shocks: Array) -> Array:
        """h (n_steps, n) along shocks, from states (lags, n)."""
        lags, depth = self.residual_lags, self.variance_lags
        found = np.empty_like(shocks)
        logs = list(np.log(variances))
        z = list(residuals / np.sqrt(variances[depth - lags :]))
        for t, shock in enumerate(shocks):
            now = np.full(shock.shape, self.omega)
            for lag, weight in enumerate(self.alpha, 1):
                now += weight * (np.abs(z[-lag]) - CENTRE)
            for lag, weight in enumerate(self.gamma, 1):
                now += weight * z[-lag]
            for lag, weight in enumerate(self.beta, 1):
                now += weight * logs[-lag]
            found[t] = np.exp(now)
            z, logs = [*z, shock][-lags:], [*logs, now][-depth:]
        return found

    def forecast(self, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
        """E h (horizon,): ln h is known but for a sum of independent terms, one for each shock to come.

        E exp(a |z| + c z) is infinite for t laws as soon as a + |c| > 0; so is then every variance but the next.
        """
        e, h = residuals[:, None], variances[:, None]
        zero = np.zeros((horizon, 1))
        known = np.log(self.run(e, h, zero)[:, 0]) if horizon else np.empty(0)
        # A shock of 0 stands for -alpha CENTRE: what |z| and z add to it is left to the integrals.
        weights = self.responses(horizon)
        found = np.empty(horizon)
        total = 0.0
        for k in range(horizon):
            if k > 0:
                size, sign = weights[k - 1]
                total += math.log(law.exponential_moment(size, sign)) if math.isfinite(total) else 0.0
            found[k] = math.inf if math.isinf(total) else math.exp(known[k] + total)
        return found

    def responses(self, horizon: int) -> list[tuple[float, float]]:
        """What |z_0| and z_0 add to ln h_1, ln h_2, ...: (horizon,) pairs."""
        size, sign = np.zeros(horizon), np.zeros(horizon)
        for response, own in ((size, self.alpha), (sign, self.gamma)):
            for k in range(horizon):
                value = own[k] if k < len(own) else 0.0
                value += math.fsum(b * response[k - lag] for lag, b in enumerate(self.beta, 1) if k >= lag)
                response[k] = value
        return list(zip(size.tolist(), sign.tolist(), strict=True))

    def persistence(self, law: Law) -> float:
        """sum(beta): what is left of a shock to ln h."""
        return math.fsum(self.beta)

    def long_run_variance(self, law: Law) -> float:
        """exp((omega - sum(alpha) CENTRE) / (1 - sum(beta))) prod_j E exp(a_j |z| + c_j z), with the responses a, c."""
        gap = 1.0 - self.persistence(law)
        if gap <= ROUNDING:
            return math.inf
        half_life = self.half_life(law)
        steps = int(min(60.0 * max(half_life, 1.0) + 10.0, _LONGEST_MEMORY))
        total = (self.omega - CENTRE * math.fsum(self.alpha)) / gap
        for size, sign in self.responses(steps):
            moment = law.exponential_moment(size, sign)
            if math.isinf(moment):
                return math.inf
            total += math.log(moment)
        return math.exp(total) if total < 700.0 else math.inf

    def half_life(self, law: Law) -> float:
        """Of a shock to ln h."""
        return decay_time(largest_root(np.array(self.beta))) if self.beta else 0.0

    def stretch(self, now: float, wanted: float) -> float:
        """g with sum(beta) ln g^2 = ln(wanted / now): all lagged variances move, the lagged z stay."""
        total = math.fsum(self.beta)
        return math.exp(0.5 * math.log(wanted / now) / total) if total > 0.0 else 1.0


@dataclass(frozen=True, slots=True)
class EgarchFamily:
    """omega, alpha[i], gamma[i], beta[j]."""

    spec: Egarch

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        spec = self.spec
        letters = (("alpha", spec.p), ("gamma", spec.o), ("beta", spec.q))
        return ("omega", *(f"{letter}[{lag}]" for letter, order in letters for lag in range(1, order + 1)))

    @property
    def omega_is_positive(self) -> bool:
        """It is a logarithm."""
        return False

    @property
    def unbounded(self) -> frozenset[str]:
        """All but beta."""
        return frozenset(name for name in self.names if not name.startswith("beta"))

    @property
    def curved(self) -> bool:
        """The persistence is sum(beta)."""
        return False

    @property
    def power(self) -> float | None:
        """ln h does not ask for moments."""
        return 0.0

    def recursion(self, values: Array) -> EgarchCoefficients:
        """The coefficients."""
        alpha, gamma, beta = (tuple(part.tolist()) for part in self._parts(values))
        return EgarchCoefficients(float(values[0]), alpha, gamma, beta)

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters, own), by the recursion of the derivatives."""
        from collatrisk.kernels.log_variance import filter_log_slopes

        alpha, gamma, beta = (np.ascontiguousarray(part) for part in self._parts(values))
        logs = np.log(walk.variances)
        begin = math.log(float(walk.start[0]))
        moved = np.ascontiguousarray(walk.start_slopes[:, 0] / walk.start[0])
        along = np.ascontiguousarray(walk.residual_slopes)
        found = np.empty((along.shape[0] + values.size, logs.size))
        filter_log_slopes(walk.residuals, logs, alpha, gamma, beta, CENTRE, begin, along, moved, found)
        return np.asarray(found * walk.variances, dtype=np.float64)

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """Wider than arch's in omega; alpha and gamma to 5 in size, beta in [0, 1]."""
        spec, middle = self.spec, math.log(variance)
        return [(middle - 10.0, middle + 10.0), *[(-5.0, 5.0)] * (spec.p + spec.o), *[(0.0, 1.0)] * spec.q]

    def constraints(self) -> list[Constraint]:
        """sum(beta) <= 1."""
        spec = self.spec
        if spec.q == 0:
            return []
        row = np.concatenate((np.zeros(1 + spec.p + spec.o), -np.ones(spec.q)))
        return [(row, -1.0, "persistence")]

    def starts(self, variance: float) -> Iterator[list[float]]:
        """arch's grid, a little coarser."""
        p, o, q = self.spec.p, self.spec.o, self.spec.q
        gammas = (-0.1, 0.0, 0.1) if o else (0.0,)
        betas = (0.5, 0.9, 0.98) if q else (0.0,)
        for alpha, gamma, beta in product((0.05, 0.15, 0.3), gammas, betas):
            own = [*[alpha / max(p, 1)] * p, *[gamma / max(o, 1)] * o, *[beta / max(q, 1)] * q]
            yield [(1.0 - beta) * math.log(variance), *own]

    def backcast(self, residuals: Array) -> Array:
        """Of the squared residuals."""
        return np.array([weighted_head(residuals**2)])

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """omega gains (1 - sum(beta)) ln factor^2, and so leans on beta."""
        shift = 2.0 * math.log(factor)
        beta = self._parts(values)[2]
        found, jacobian = np.array(values), np.eye(values.size)
        found[0] += (1.0 - math.fsum(beta.tolist())) * shift
        jacobian[0, values.size - beta.size :] = -shift
        return found, jacobian

    def free(self, values: Array, law: Law) -> Array:
        """beta as log-ratios; the rest as it is."""
        found = np.array(values)
        q = self.spec.q
        if q:
            found[-q:] = log_ratios(values[-q:])
        return found

    def values(self, free: Array, law: Law) -> Array:
        """The inverse of `free`."""
        found = np.array(free)
        q = self.spec.q
        if q:
            found[-q:] = from_shares(free[-q:])
        return found

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """beta shrunk by one factor."""
        beta = self._parts(values)[2]
        total = math.fsum(beta.tolist())
        if total <= 1.0 - gap:
            return values
        found = np.array(values)
        found[values.size - beta.size :] *= (1.0 - gap) / total
        return found

    def _parts(self, values: Array) -> tuple[Array, Array, Array]:
        p, o = self.spec.p, self.spec.o
        return values[1 : 1 + p], values[1 + p : 1 + p + o], values[1 + p + o :]
