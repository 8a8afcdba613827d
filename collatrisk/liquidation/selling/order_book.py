"""An order book as a table of depth: walked level by level, and exhaustible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.validation import Problems
from collatrisk.liquidation.selling.checks import check_array, check_half_life
from collatrisk.liquidation.selling.fill import (
    CALM,
    Amount,
    Fill,
    FloatArray,
    MarketState,
    faded,
    make_fill,
    plain,
    sale_inputs,
)

Level = tuple[float, float]


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The bids of a book by their distance below the price, so that the same book serves any price on a path.

    Parameters
    ----------
    distances : of each level below the price, relative, rising, in [0, 1). sizes : units bid at each, > 0.
    half_life_days : after which half of what was taken is bid again, >= 0; inf: never.

    Raises
    ------
    InputError : with all broken rules at once: an empty book, levels that cross or are out of order.
    """

    distances: tuple[float, ...]
    sizes: tuple[float, ...]
    half_life_days: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("OrderBook")
        object.__setattr__(self, "distances", tuple(self.distances))
        object.__setattr__(self, "sizes", tuple(self.sizes))
        remedy = "give at least one level: a book without bids buys nothing"
        problems.check(len(self.distances) > 0, "distances", (), "must not be empty", remedy)
        same = len(self.sizes) == len(self.distances)
        problems.check(
            same, "sizes", len(self.sizes), f"must be {len(self.distances)}, one a level", "add or drop some"
        )
        numbers = [
            problems.number(f"distances[{i}]", d, low=0, high=1, open_high=True, remedy="0.01 for 1 % below the price")
            for i, d in enumerate(self.distances)
        ]
        for i, size in enumerate(self.sizes):
            problems.number(f"sizes[{i}]", size, low=0, open_low=True, remedy="drop levels without bids")
        for i in range(1, len(numbers)):
            rule = f"must be above {numbers[i - 1]:g}, that of the level before"
            problems.check(numbers[i] > numbers[i - 1], f"distances[{i}]", numbers[i], rule, "sort, and merge equals")
        check_half_life(problems, self.half_life_days)
        problems.raise_if_any()

    @classmethod
    def from_levels(
        cls,
        bids: Sequence[Level],
        asks: Sequence[Level] = (),
        *,
        price: float | None = None,
        half_life_days: float = 0.0,
    ) -> OrderBook:
        """A book from (price, units) levels, in any order.

        Parameters
        ----------
        bids, asks : levels; asks serve to find the middle and may be left out.
        price : that the distances are measured from; None: the middle, or the best bid without asks.

        Raises
        ------
        InputError : with all broken rules at once: no bids, prices or sizes that are no positive numbers, a best bid at
            or above the best ask (a crossed book), a bid above `price`.
        """
        problems = Problems("OrderBook")
        problems.check(len(bids) > 0, "bids", (), "must not be empty", "a book without bids buys nothing")
        for side, levels in (("bids", bids), ("asks", asks)):
            for i, (level, size) in enumerate(levels):
                problems.number(f"{side}[{i}] price", level, low=0, open_low=True, remedy="give a price above 0")
                problems.number(f"{side}[{i}] size", size, low=0, open_low=True, remedy="drop levels without size")
        problems.raise_if_any()
        best, lowest_ask = max(level for level, _ in bids), min((level for level, _ in asks), default=np.inf)
        rule = f"must be below the best ask of {lowest_ask:g}: the book is crossed"
        problems.check(best < lowest_ask, "best bid", best, rule, "drop stale levels, or match them first")
        middle = (best + lowest_ask) / 2.0 if asks else best
        reference = middle if price is None else price
        if price is not None:
            problems.number("price", price, low=best, remedy="a bid above the price would have been taken")
        problems.raise_if_any()
        merged: dict[float, float] = {}
        for level, size in sorted(bids, reverse=True):
            merged[level] = merged.get(level, 0.0) + size
        distances = tuple((reference - level) / reference for level in merged)
        return cls(distances, tuple(merged.values()), half_life_days)

    @classmethod
    def from_depth(cls, sizes: ArrayLike, moves: ArrayLike, price: float, *, half_life_days: float = 0.0) -> OrderBook:
        """A book from a table of depth: selling `sizes` (value, currency) makes the price fall by `moves` (relative).

        Quotes need not be monotone: the falls are replaced by their monotone (isotonic) regression on size. Between two
        sizes the book pays the price after the larger one, which is cautious.

        Parameters
        ----------
        sizes : (n,), > 0, different. moves : (n,), [0, 1). price : at which values are units, > 0.

        Raises
        ------
        InputError : with all broken rules at once: an empty table, negative sizes, moves outside their range.
        """
        from scipy.optimize import isotonic_regression

        problems = Problems("OrderBook.from_depth")
        values = check_array(problems, "sizes", sizes, open_low=True, remedy="drop empty quotes")
        falls = check_array(problems, "moves", moves, high=1.0, remedy="give falls as positive numbers")
        problems.number("price", price, low=0, open_low=True, remedy="give currency a unit")
        same = values.ndim == 1 and values.shape == falls.shape and values.size > 0
        rule = "must be two flat columns of the same length, not empty"
        problems.check(same, "sizes, moves", (values.shape, falls.shape), rule, "give one move a size")
        problems.raise_if_any()
        order = np.argsort(values, kind="stable")
        fitted = np.asarray(isotonic_regression(falls[order]).x)
        ends = values[order]
        # Levels of one distance are one level, up to its last size.
        last = np.append(np.flatnonzero(np.diff(fitted) > 0.0), fitted.size - 1)
        units = np.diff(np.concatenate([[0.0], ends[last]])) / price
        return cls(tuple(fitted[last].tolist()), tuple(units.tolist()), half_life_days)

    @property
    def delay_days(self) -> float:
        """None: a sale is settled at once."""
        return 0.0

    def sell(self, units: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Fill:
        """Sell `units` at once, level by level; what the book cannot take is left. See `SalesVenue.sell`."""
        offered, prices, consumed, permanent, depth = sale_inputs(units, price, state)
        ends, worth = self._curves()
        start = np.minimum(consumed / depth, ends[-1])
        fits = offered / depth <= ends[-1] - start
        end = np.where(fits, start + offered / depth, ends[-1])
        sold = np.where(fits, offered, (end - start) * depth)
        base = prices * (1.0 - permanent)
        # Between the ends of levels what they pay is linear in units, so that interpolation is exact.
        proceeds = base * depth * (np.interp(end, ends, worth) - np.interp(start, ends, worth))
        state = replace(state, consumed=plain(consumed + sold))
        return make_fill(offered, sold, proceeds, prices, base * self._next(start), base * self._next(end), state)

    def capacity(self, slippage: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Amount:
        """See `SalesVenue.capacity`: all levels at or above the limit."""
        limit, _, consumed, permanent, depth = sale_inputs(slippage, price, state, "slippage")
        ends, _ = self._curves()
        furthest = 1.0 - (1.0 - limit) / (1.0 - permanent)
        tolerance = 1e-12  # a level at the limit itself counts, whatever the last bit of its distance
        levels = np.searchsorted(np.asarray(self.distances), furthest + tolerance, side="right")
        return plain(np.maximum(ends[levels] * depth - consumed, 0.0))

    def rest(self, state: MarketState, days: float) -> MarketState:
        """Half of what was taken is bid again after each half-life."""
        return replace(state, consumed=faded(state.consumed, days, self.half_life_days))

    def _curves(self) -> tuple[FloatArray, FloatArray]:
        """Units up to the end of each level, and what they fetch at a price of 1; both start at 0."""
        sizes = np.asarray(self.sizes)
        paid = sizes * (1.0 - np.asarray(self.distances))
        return np.concatenate([[0.0], np.cumsum(sizes)]), np.concatenate([[0.0], np.cumsum(paid)])

    def _next(self, taken: FloatArray) -> FloatArray:
        """What the next unit fetches at a price of 1; 0 when the book is exhausted."""
        ends, _ = self._curves()
        levels = np.concatenate([1.0 - np.asarray(self.distances), [0.0]])
        return np.asarray(levels[np.searchsorted(ends[1:], taken, side="right")])
