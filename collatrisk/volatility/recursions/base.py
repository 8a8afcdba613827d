"""What estimation, forecasts, files and path kernels ask of a volatility model, whichever it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.law import Law

# alpha + beta = (1 - decay) + decay may miss 1 by a rounding: an integrated recursion all the same.
ROUNDING = 4.0 * float(np.finfo(np.float64).eps)

Constraint: TypeAlias = tuple[Array, float, str]
"""A row r, a limit and a label: ``r @ values >= limit``."""


class Recursion(Protocol):
    """A recursion of the variance with its numbers: h_t from residuals and variances before t.

    Its state after a sample is `residual_lags` residuals and `variance_lags` variances, oldest first.
    """

    @property
    def residual_lags(self) -> int:
        """How many past residuals the next variance needs."""
        ...

    @property
    def variance_lags(self) -> int:
        """How many past variances the next variance needs."""
        ...

    @property
    def closed_form(self) -> bool:
        """Whether `forecast` is exact; a simulation with a fixed seed otherwise."""
        ...

    def variances(self, residuals: Array, start: Array) -> Array:
        """h (n,) along residuals (n,), from the pre-sample variance(s) `start`."""
        ...

    def state(self, residuals: Array, variances: Array, start: Array) -> tuple[Array, Array]:
        """Where `variances(residuals, start)` leaves off: last residuals and last variances, oldest first."""
        ...

    def forecast(self, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
        """E h of each of the next steps (horizon,) from a state."""
        ...

    def persistence(self, law: Law) -> float:
        """What is left of a shock after a step, in the scale in which the recursion is linear."""
        ...

    def long_run_variance(self, law: Law) -> float:
        """The mean of h; inf where there is none, nan where it is not defined (EWMA)."""
        ...

    def half_life(self, law: Law) -> float:
        """Steps after which half of a shock is left, in the scale in which the recursion is linear."""
        ...

    def stretch(self, now: float, wanted: float) -> float:
        """The factor for the residuals of the state (its square for the variances) that moves the next h to `wanted`.

        1 where no state can do it.
        """
        ...

    def run(self, residuals: Array, variances: Array, shocks: Array) -> Array:
        """h (n_steps, n) driven by standardised shocks (n_steps, n) from states (lags, n)."""
        ...


@dataclass(frozen=True, slots=True)
class Walk:
    """A recursion run over a sample, with what its derivatives need.

    Attributes
    ----------
    residuals, variances : (n,). residual_slopes : (m, n) d e / d(mean parameters).
    start : (s,) pre-sample variances. start_slopes : (m, s) their derivatives.
    """

    residuals: Array
    variances: Array
    residual_slopes: Array
    start: Array
    start_slopes: Array


class Family(Protocol):
    """A spec as estimation sees it: its own parameters (without mean and shapes), and what may be done to them.

    Vectors of parameters (k,) are in the order of `names`.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters by arch's names."""
        ...

    @property
    def curved(self) -> bool:
        """Whether the search must keep the persistence at or below 1 by a constraint that is not linear."""
        ...

    @property
    def omega_is_positive(self) -> bool:
        """Whether omega is a variance or a power of it, and not a logarithm."""
        ...

    @property
    def unbounded(self) -> frozenset[str]:
        """The parameters that may take every value, so that no bound bends their law."""
        ...

    @property
    def power(self) -> float | None:
        """Of |z| whose mean the persistence reads; None where it is estimated."""
        ...

    def recursion(self, values: Array) -> Recursion:
        """The recursion with these numbers."""
        ...

    def slopes(self, values: Array, walk: Walk) -> Array:
        """d h / d(mean parameters, own parameters), (m + k, n)."""
        ...

    def bounds(self, variance: float) -> list[tuple[float, float]]:
        """Lowest and highest value of each parameter, for returns of this variance."""
        ...

    def constraints(self) -> list[Constraint]:
        """Linear constraints beside the bounds."""
        ...

    def starts(self, variance: float) -> Iterator[list[float]]:
        """A grid of starting points."""
        ...

    def backcast(self, residuals: Array) -> Array:
        """arch's pre-sample variance(s), from the first residuals."""
        ...

    def rescale(self, values: Array, factor: float) -> tuple[Array, Array]:
        """The parameters of the returns times `factor`, and their derivatives (k, k)."""
        ...

    def free(self, values: Array, law: Law) -> Array:
        """Coordinates in which every point is a valid, stationary model; infinite on a bound."""
        ...

    def values(self, free: Array, law: Law) -> Array:
        """The parameters at finite coordinates: the inverse of `free`."""
        ...

    def pull(self, values: Array, law: Law, gap: float) -> Array:
        """The parameters, those of a persistence above 1 - gap brought down to it."""
        ...


class PowerFamily:
    """What families share whose recursion runs in a power of the volatility, and whose parameters all have bounds."""

    __slots__ = ()

    omega_is_positive: bool = True
    unbounded: frozenset[str] = frozenset()


def lagged(values: Array, lag: int, before: float) -> Array:
    """Values (n,) shifted by `lag` steps, `before` in the place of what came before the sample."""
    shifted = np.empty_like(values)
    shifted[:lag] = before
    shifted[lag:] = values[:-lag]
    return shifted


def filtered(inputs: Array, beta: tuple[float, ...], before: Array) -> Array:
    """``y_t = inputs_t + sum_j beta_j y_{t-j}`` for every row, y = before[row] in front of the sample."""
    from scipy.signal import lfilter

    if not beta:
        return inputs
    tails = np.cumsum(np.asarray(beta)[::-1])[::-1]
    state = before[:, None] * tails[None, :]
    found, _ = lfilter([1.0], np.concatenate(([1.0], -np.asarray(beta))), inputs, axis=-1, zi=state)
    return np.asarray(found, dtype=np.float64)


def weighted_head(values: Array) -> float:
    """arch's back-cast: exponentially weighted mean (0.94) of the first 75 values."""
    head = values[:75]
    weights = 0.94 ** np.arange(head.size)
    return float(np.sum(head * weights) / np.sum(weights))


def largest_root(weights: Array) -> float:
    """The largest root in size of x^k = sum_i weights_i x^(k-i)."""
    return float(np.max(np.abs(np.roots(np.concatenate(([1.0], -weights)))), initial=0.0))


def decay_time(root: float) -> float:
    """Steps after which half is left of what shrinks by `root` a step."""
    if root >= 1.0 - ROUNDING:
        return math.inf
    return math.log(0.5) / math.log(root) if root > 0.0 else 0.0


def simulate_residuals(recursion: Recursion, shocks: Array, start: float) -> Array:
    """Residuals (n_steps, n) of histories that begin at the variance `start`, after a rise on every other path."""
    signs = np.where(np.arange(shocks.shape[1]) % 2 == 0, -1.0, 1.0)
    residuals = np.tile(math.sqrt(start) * signs, (recursion.residual_lags, 1))
    variances = np.full((recursion.variance_lags, shocks.shape[1]), start)
    return np.asarray(np.sqrt(recursion.run(residuals, variances, shocks)) * shocks, dtype=np.float64)


def simulated_forecast(recursion: Recursion, residuals: Array, variances: Array, horizon: int, law: Law) -> Array:
    """E h (horizon,) over `FORECAST_PATHS` continuations with a fixed seed, where there is no closed form.

    Each step's shocks are a shuffled even grid of quantiles. The first step is exact.
    """
    rng = np.random.default_rng(0)
    grid = _even_shocks(law)
    shocks = np.array([rng.permutation(grid) for _ in range(horizon)])
    e, h = (np.repeat(values[:, None], FORECAST_PATHS, axis=1) for values in (residuals, variances))
    return np.asarray(np.mean(recursion.run(e, h, shocks), axis=1), dtype=np.float64)


def _even_shocks(law: Law) -> Array:
    """`FORECAST_PATHS` quantiles in the middle of cells of equal probability, of mean 0 and variance 1.

    What the middle of the first and the last cell misses of both moments, those two shocks take on: to scale all of
    them up for what is missing in a heavy tail would inflate the body, and with it every persistence.
    """
    grid = law.quantile((np.arange(FORECAST_PATHS) + 0.5) / FORECAST_PATHS)
    inner = grid[1:-1]
    middle = -0.5 * math.fsum(inner)
    spread = 0.5 * (FORECAST_PATHS - math.fsum(inner * inner)) - middle * middle
    if spread <= 0.0:
        return np.asarray((grid - np.mean(grid)) / np.std(grid), dtype=np.float64)
    grid[0], grid[-1] = middle - math.sqrt(spread), middle + math.sqrt(spread)
    return grid


FORECAST_PATHS = 4096
