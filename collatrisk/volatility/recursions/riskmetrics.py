"""RiskMetrics 2006: a weighted mean of exponentially weighted variances with given memories."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions.base import Constraint, PowerFamily, Walk, filtered
from collatrisk.volatility.specs_memory import RiskMetrics2006


@dataclass(frozen=True, slots=True)
class EwmaMixture:
    """``h_t = sum_k weights_k v_{k,t}``, ``v_{k,t} = decays_k v_{k,t-1} + (1 - decays_k) e_{t-1}^2``.

    The state is the last residual and, in the place of the last variances, the last v_k.

    Attributes
    ----------
    weights : > 0, of sum 1. decays : in (0, 1).
    """

    weights: tuple[float, ...]
    decays: tuple[float, ...]

    @property
    def residual_lags(self) -> int:
        """One."""
        return 1

    @property
    def variance_lags(self) -> int:
        """How many components there are."""
        return len(self.weights)

    @property
    def closed_form(self) -> bool:
        """Linear in the variance."""
        return True

    def components(self, residuals: Array, start: Array) -> Array:
        """v (components, n) along residuals (n,)."""
        before = np.broadcast_to(start, (len(self.weights),))
        lagged = np.concatenate(([0.0], residuals[:-1] ** 2))
        rows = []
        for decay, value in zip(self.decays, before.tolist(), strict=True):
            inputs = (1.0 - decay) * lagged
            inputs[0] = (1.0 - decay) * value
            rows.append(filtered(inputs[None, :], (decay,), np.array([value]))[0])
        return np.array(rows)

    def variances(self, residuals: Array, start: Array) -> Array:
        """h (n,) along residuals (n,); `start` is one value or one a component."""
        return np.asarray(np.array(self.weights) @ self.components(residuals, start), dtype=np.float64)

    def state(self, residuals: Array, variances: Array, start: Array) -> tuple[Array, Array]:
        """The last residual and the last v."""
        return residuals[-1:], self.components(residuals, start)[:, -1]

    def run(self, residuals: Array, variances: Array, shocks: Array) -> Array:
        """h (n_steps, n) along shocks, from states (1, n) and (components, n)."""
        weights, decays = np.array(self.weights), np.array(self.decays)[:, None]
        found = np.empty_like(shocks)
        squares, v = residuals[0] ** 2, variances
        for t, shock in enumerate(shocks):
            v = decays * v + (1.0 - decays) * squares
            found[t] = weights @ v
            squares = found[t] * shock**2
        return found

    def base_path(self, residuals: Array, variances: Array, horizon: int) -> Array:
        """What the known past adds to h at each of the next steps (horizon,)."""
        decays = np.array(self.decays)
        next_components = decays * variances + (1.0 - decays) * float(residuals[-1]) ** 2
        powers = decays ** np.arange(horizon)[:, None]
        return np.asarray(np.sum(powers * (np.array(self.weights) * next_components), axis=1), dtype=np.float64)

    def lag_weights(self, lags: int) -> Array:
        """The weight of e^2 of 1, 2, ... steps ago, (lags,)."""
        decays = np.array(self.decays)
        own = np.array(self.weights) * (1.0 - decays)
        return np.asarray(np.sum(decays ** np.arange(lags)[:, None] * own, axis=1), dtype=np.float64)

    def forecast(self, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
        """E h (horizon,). Not flat, as arch has it: each component is pulled towards the mean of all."""
        weights, decays = np.array(self.weights), np.array(self.decays)
        v = decays * variances + (1.0 - decays) * float(residuals[-1]) ** 2
        found = np.empty(horizon)
        for k in range(horizon):
            found[k] = float(weights @ v)
            v = decays * v + (1.0 - decays) * found[k]
        return found

    def persistence(self, law: Law) -> float:
        """1: every component is integrated."""
        return 1.0

    def long_run_variance(self, law: Law) -> float:
        """nan: not defined."""
        return math.nan

    def half_life(self, law: Law) -> float:
        """inf."""
        return math.inf

    def stretch(self, now: float, wanted: float) -> float:
        """h is linear in squares and variances."""
        return math.sqrt(wanted / now)


@dataclass(frozen=True, slots=True)
class RiskMetricsFamily(PowerFamily):
    """Nothing is estimated."""

    spec: RiskMetrics2006

    @property
    def names(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def curved(self) -> bool:
        """No search."""
        return False

    @property
    def power(self) -> float | None:
        """Of the residuals."""
        return 2.0

    def recursion(self, values: Array) -> EwmaMixture:
        """Memories tau1 rho^k, weights falling in the logarithm of the memory (Zumbach 2007)."""
        spec = self.spec
        memories = spec.tau1 * spec.rho ** np.arange(spec.kmax)
        weights = 1.0 - np.log(memories) / math.log(spec.tau0)
        return EwmaMixture(tuple((weights / np.sum(weights)).tolist()), tuple(np.exp(-1.0 / memories).tolist()))

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters)."""
        found = self.recursion(values)
        rows = []
        for slope, moved in zip(walk.residual_slopes, walk.start_slopes, strict=True):
            drive = np.concatenate(([0.0], (2.0 * walk.residuals * slope)[:-1]))
            total = np.zeros(drive.shape)
            own = np.broadcast_to(moved, (len(found.weights),))
            for weight, decay, value in zip(found.weights, found.decays, own.tolist(), strict=True):
                inputs = (1.0 - decay) * drive
                inputs[0] = (1.0 - decay) * value
                total += weight * filtered(inputs[None, :], (decay,), np.array([value]))[0]
            rows.append(total)
        return np.array(rows).reshape(len(rows), walk.residuals.size)

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """None."""
        return []

    def constraints(self) -> list[Constraint]:
        """None."""
        return []

    def starts(self, variance: float) -> Iterator[list[float]]:
        """One, empty."""
        yield []

    def backcast(self, residuals: Array) -> Array:
        """arch's, one a component: weighted means over the first steps, until a weight is below 0.01."""
        found = []
        for k, decay in enumerate(self.recursion(np.empty(0)).decays):
            end = int(max(min(math.floor(math.log(0.01) / math.log(decay)), residuals.size), k))
            weights = decay ** np.arange(end)
            found.append(float(weights @ residuals[:end] ** 2 / np.sum(weights)))
        return np.array(found)

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """Nothing to do."""
        return values, np.eye(0)

    def free(self, values: Array, law: Law) -> Array:
        """Nothing to do."""
        return values

    def values(self, free: Array, law: Law) -> Array:
        """Nothing to do."""
        return free

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """Nothing to do."""
        return values
