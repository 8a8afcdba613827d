"""Sums over paths that are the same number whatever the block size, the executor and the order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK
from collatrisk.risk.estimate import Estimate
from collatrisk.risk.intervals import FixedInterval, NormalInterval
from collatrisk.risk.levels import check_floor, check_sharing
from collatrisk.risk.losses import as_losses, check_finite
from collatrisk.risk.tailmath import OVERLAP_NOTE

if TYPE_CHECKING:
    from collatrisk.risk.losses import Losses


def micro_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over consecutive micro-blocks of 1024 values; the last one may be shorter.

    Values must start at a micro-block's first path, as blocks of `map_blocks` do: then the same paths are always summed
    together, in the same order.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    whole = values.size // MICRO_BLOCK
    sums = np.empty(-(-values.size // MICRO_BLOCK))
    for block in range(whole):
        sums[block] = values[block * MICRO_BLOCK : (block + 1) * MICRO_BLOCK].sum()
    if sums.size > whole:
        sums[whole] = values[whole * MICRO_BLOCK :].sum()
    return sums


def _accumulate(partials: Iterable[float], numbers: Iterable[float]) -> tuple[float, ...]:
    """Add numbers to a sum held without error as non-overlapping floats (Shewchuk 1997, grow-expansion)."""
    held = list(partials)
    for number in numbers:
        x = float(number)
        kept = 0
        for y in held:
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low:
                held[kept] = low
                kept += 1
            x = high
        held[kept:] = [x]
    return tuple(held)


@dataclass(frozen=True, slots=True)
class Moments:
    """The count, sum and sum of squares of values, held without rounding beyond that inside a micro-block.

    A value: `add` and `merge` return a new one. The mean and the variance depend on the micro-blocks alone, not on
    their order or grouping. Takes a few dozen floats however many values are added.

    Parameters
    ----------
    count : how many values were added.
    total, squares : exact sums of the micro-blocks' sums of values and of squared values, as expansions.
    """

    count: int = 0
    total: tuple[float, ...] = ()
    squares: tuple[float, ...] = ()

    def add(self, values: Losses) -> Moments:
        """These moments and those of more values, which must start at a micro-block's first path.

        Raises
        ------
        InputError : if values are not numbers, NaN or infinite.
        """
        if np.size(values) == 0:
            return self
        problems = Problems("Moments.add")
        array = as_losses(values, problems, "values")
        check_finite(array, problems, "values")
        problems.raise_if_any()
        return Moments(
            self.count + array.size,
            _accumulate(self.total, micro_sums(array).tolist()),
            _accumulate(self.squares, micro_sums(array * array).tolist()),
        )

    def merge(self, *others: Moments) -> Moments:
        """These moments and others'."""
        merged = self
        for other in others:
            merged = Moments(
                merged.count + other.count,
                _accumulate(merged.total, other.total),
                _accumulate(merged.squares, other.squares),
            )
        return merged

    @property
    def mean(self) -> float:
        """The mean; nan without values."""
        return math.fsum(self.total) / self.count if self.count else math.nan

    @property
    def variance(self) -> float:
        """The unbiased variance; nan with fewer than two values."""
        if self.count < 2:
            return math.nan
        total = sum(map(Fraction, self.total), Fraction(0))
        squares = sum(map(Fraction, self.squares), Fraction(0))
        central = float(squares - total * total / self.count)
        # What is left of equal values is the rounding of their squares inside the micro-blocks.
        noise = 4 * np.finfo(np.float64).eps * float(squares)
        return central / (self.count - 1) if central > noise else 0.0

    def estimate(self, *, overlap: float = 1, floor: float = -math.inf) -> Estimate:
        """The mean with its Student t interval.

        Parameters
        ----------
        overlap : steps that neighbouring windows share; n / overlap values are then counted as independent.
        floor : a value that none can fall below, such as 0 for amounts.

        Raises
        ------
        InputError : without any value.
        """
        problems = Problems("Moments.estimate")
        problems.check(self.count > 0, "count", self.count, "must hold at least one value", "add values first")
        overlap = check_sharing(overlap, problems)
        check_floor(floor, problems)
        problems.raise_if_any()
        n_effective = self.count / overlap
        error = math.sqrt(self.variance / n_effective) if self.count > 1 else math.inf
        method = "sample mean" + (OVERLAP_NOTE.format(overlap=overlap) if overlap > 1 else "")
        interval: FixedInterval | NormalInterval = FixedInterval(floor, math.inf)
        if math.isinf(error):
            method += "; no bounds: one value only"
        elif error == 0:
            method += "; no bounds: all values are equal (to rounding), so the sample cannot tell"
        else:
            method += "; Student t interval"
            interval = NormalInterval(self.mean, error, floor, max(n_effective - 1.0, 1.0))
        monte_carlo = error if overlap == 1 else None
        return Estimate(self.mean, error, "mean", method, self.count, n_effective, interval, monte_carlo)
