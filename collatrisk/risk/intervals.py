"""Confidence intervals, one class for each kind of estimate. All are plain frozen values: picklable and comparable.

Every class answers ``ci(confidence) -> (low, high)``; an end that the sample cannot support is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special


class Interval(Protocol):
    """What an `Estimate` needs of its interval."""

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The bounds at a confidence in (0, 1)."""


@dataclass(frozen=True, slots=True)
class ExactValue:
    """A value without error: both bounds are the value."""

    value: float

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The value twice."""
        return self.value, self.value


@dataclass(frozen=True, slots=True)
class FixedInterval:
    """Bounds that the sample cannot move: unknown ends are infinite."""

    low: float = -math.inf
    high: float = math.inf

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The bounds, whatever the confidence."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class NormalInterval:
    """value -+ t standard errors, not below `floor`: Student's t where the error is that of few observations.

    Attributes
    ----------
    value, standard_error, floor : as they say.
    degrees : degrees of freedom of the standard error, one less than the observations behind it; infinite: the normal.
    """

    value: float
    standard_error: float
    floor: float = -math.inf
    degrees: float = math.inf

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The bounds by the normal law or Student's t."""
        upper = 0.5 + 0.5 * confidence
        normal = math.isinf(self.degrees)
        quantile = float(special.ndtri(upper) if normal else special.stdtrit(self.degrees, upper))
        reach = quantile * self.standard_error
        return max(self.value - reach, self.floor), self.value + reach


@dataclass(frozen=True, slots=True)
class BinomialInterval:
    """Clopper and Pearson (1934): exact bounds of a probability; zero hits do not make the upper bound zero.

    Attributes
    ----------
    hits, n : counts; need not be whole, so that overlapping windows can give their effective counts.
    """

    hits: float
    n: float

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The exact bounds: each tail holds at most (1 - confidence) / 2."""
        tail = 0.5 * (1.0 - confidence)
        misses = self.n - self.hits
        low = 0.0 if self.hits <= 0 else float(special.betaincinv(self.hits, misses + 1, tail))
        high = 1.0 if misses <= 0 else float(special.betaincinv(self.hits + 1, misses, 1.0 - tail))
        return low, high


def clopper_pearson(
    hits: NDArray[np.int64], n: int, overlap: int | NDArray[np.int64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds of `BinomialInterval` for many counts at once: one inversion for each that differs.

    Parameters
    ----------
    hits : int64, any shape, in [0, n]. n : int >= 1.
    overlap : whole number >= 1, or several that broadcast against `hits`: hits and n count as their overlap-th part.
    confidence : in (0, 1).

    Returns
    -------
    (low, high), float64 of the shape of `hits`.
    """
    shared = np.broadcast_to(overlap, hits.shape)
    codes, back = np.unique(hits * np.int64(shared.max()) + (shared - 1), return_inverse=True)
    worth = codes % np.int64(shared.max()) + 1
    some = codes // np.int64(shared.max()) / worth
    misses = n / worth - some
    tail = 0.5 * (1.0 - confidence)
    with np.errstate(all="ignore"):
        low = np.where(some <= 0, 0.0, special.betaincinv(some, misses + 1, tail))
        high = np.where(misses <= 0, 1.0, special.betaincinv(some + 1, misses, 1.0 - tail))
    return low[back].reshape(hits.shape), high[back].reshape(hits.shape)


@dataclass(frozen=True, slots=True)
class OrderInterval:
    """Distribution-free bounds of a quantile: two order statistics whose ranks come from the exact binomial law.

    The number of losses at or below the quantile is Binomial(n, level), so the r-th and s-th smallest losses enclose
    it with probability P(r <= Bin <= s - 1), whatever the distribution; atoms only add coverage (David and Nagaraja,
    Order Statistics, 3rd ed., 7.1).

    Attributes
    ----------
    values : the order statistics kept, ascending.
    first_rank : the rank (from 1) of ``values[0]`` among all `n`.
    n : the number of losses.
    level : the level of the quantile.
    n_effective : less than n where windows overlap; the ranks are then those of a sample of this size, scaled to n.
    """

    values: tuple[float, ...]
    first_rank: int
    n: int
    level: float
    n_effective: float

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two order statistics; infinite where the sample has none far enough out."""
        tail = 0.5 * (1.0 - confidence)
        scale = self.n / self.n_effective
        low, high = binomial_ranks(self.n_effective, self.level, tail)
        return (
            -math.inf if low < 1 else self._at(math.floor(low * scale), -math.inf),
            math.inf if high > self.n_effective else self._at(math.ceil(high * scale), math.inf),
        )

    def _at(self, rank: int, otherwise: float) -> float:
        place = rank - self.first_rank
        return self.values[place] if 0 <= place < len(self.values) else otherwise


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """Percentile bounds from bootstrap replicates.

    Attributes
    ----------
    replicates : the statistic on each resample, ascending.
    n_effective : the number of independent observations that the sample is worth.
    level : of a quantile or tail mean: resamples never go beyond the sample's extremes, so where `n_effective`
        observations are too few for any distribution-free bound at this level, the bound is infinite; None for others.
    """

    replicates: tuple[float, ...]
    n_effective: float
    level: float | None = None

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The replicates of rank (B + 1) a / 2 and (B + 1)(1 - a / 2)."""
        tail = 0.5 * (1.0 - confidence)
        rank = math.floor((len(self.replicates) + 1) * tail)
        if rank < 1:
            return -math.inf, math.inf
        low, high = self.replicates[rank - 1], self.replicates[-rank]
        if self.level is not None and (1.0 - self.level) ** self.n_effective > tail:
            low = -math.inf
        if self.level is not None and self.level**self.n_effective > tail:
            high = math.inf
        return low, high


@dataclass(frozen=True, slots=True)
class MappedInterval:
    """scale x (bounds of another interval) + shift, inside [floor, cap]; a negative scale swaps the ends."""

    inner: Interval
    scale: float = 1.0
    shift: float = 0.0
    floor: float = -math.inf
    cap: float = math.inf

    def ci(self, confidence: float = 0.95) -> tuple[float, float]:
        """The mapped bounds."""
        ends = sorted(self.scale * end + self.shift for end in self.inner.ci(confidence))
        low, high = (min(max(end, self.floor), self.cap) for end in ends)
        return low, high


@lru_cache(maxsize=256)
def binomial_ranks(n: float, level: float, tail: float) -> tuple[int, int]:
    """The largest r with P(Bin(n, level) <= r - 1) <= tail and the smallest s with P(Bin >= s) <= tail.

    r = 0 means that no order statistic is low enough, s > n that none is high enough.
    """
    last = math.floor(n)

    def at_most(count: int) -> float:
        """P(Bin(n, level) <= count)."""
        return 0.0 if count < 0 else 1.0 if count >= n else float(special.betaincc(count + 1.0, n - count, level))

    def at_least(count: int) -> float:
        """P(Bin(n, level) >= count)."""
        return 1.0 if count <= 0 else 0.0 if count > n else float(special.betainc(count, n - count + 1.0, level))

    # Where the normal law puts the ranks the search begins: a handful of calls instead of two for each binary digit.
    reach = float(special.ndtri(tail)) * math.sqrt(n * level * (1.0 - level))
    low = _largest(lambda r: at_most(r - 1) <= tail, 0, last, round(n * level + reach))
    high = 1 + _largest(lambda s: at_least(s) > tail, 0, last, round(n * level - reach))
    return low, high


def _largest(holds: Callable[[int], bool], low: int, high: int, guess: int) -> int:
    """The largest whole number in [low, high] for which a rule holds that holds at `low` and then fails for good."""
    step = 2
    at = min(max(guess, low), high)
    if holds(at):
        low = at
        while low < high and holds(min(low + step, high)):
            low, step = min(low + step, high), 2 * step
        high = min(low + step, high)
    else:
        high = at
        while high > low and not holds(max(high - step, low)):
            high, step = max(high - step, low), 2 * step
        low = max(high - step, low)
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
