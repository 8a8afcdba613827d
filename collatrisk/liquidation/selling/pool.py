"""A constant-product pool (automated market maker), exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.validation import Problems
from collatrisk.liquidation.impact import constant_product
from collatrisk.liquidation.selling.checks import check_half_life
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


@dataclass(frozen=True, slots=True)
class ConstantProductPool:
    """Two reserves whose product stays: ``units * currency = k``.

    Arbitrage holds the pool at the outside price along the same product, so at a price p its reserves are
    ``sqrt(k / p)`` and ``sqrt(k * p)``; at ``p = reserve_currency / reserve_units`` they are those given. A sale moves
    it away; it comes back by half after each half-life. Fees go to the providers, not into the reserves. With depth d
    both reserves are d times as large.

    Parameters
    ----------
    reserve_units, reserve_currency : > 0. fee : share of what is sold, [0, 1).
    half_life_days : of the way back to the outside price, >= 0; 0: arbitrage is done before the next sale.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    reserve_units: float
    reserve_currency: float
    fee: float = 0.0
    half_life_days: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("ConstantProductPool")
        for name in ("reserve_units", "reserve_currency"):
            problems.number(name, getattr(self, name), low=0, open_low=True, remedy="an empty pool buys nothing")
        problems.number("fee", self.fee, low=0, high=1, open_high=True, remedy="give 0.003 for 0.3 %")
        check_half_life(problems, self.half_life_days)
        problems.raise_if_any()

    @property
    def delay_days(self) -> float:
        """None: a sale is settled at once."""
        return 0.0

    def sell(self, units: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Fill:
        """Sell `units` at once. The pool never runs dry: it pays ever less. See `SalesVenue.sell`."""
        offered, prices, consumed, permanent, depth = sale_inputs(units, price, state)
        held, paid = self._reserves(prices * (1.0 - permanent), consumed, depth)
        counted = offered * (1.0 - self.fee)
        proceeds = constant_product(counted, held, paid)
        after = held + counted
        marginal = paid * held / after**2 * (1.0 - self.fee)
        first = paid / held * (1.0 - self.fee)
        state = replace(state, consumed=plain(consumed + counted))
        return make_fill(offered, offered, proceeds, prices, first, marginal, state)

    def capacity(self, slippage: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Amount:
        """See `SalesVenue.capacity`: ``sqrt(k (1 - fee) / (price (1 - slippage)))`` less what the pool holds."""
        limit, prices, consumed, permanent, depth = sale_inputs(slippage, price, state, "slippage")
        held, paid = self._reserves(prices * (1.0 - permanent), consumed, depth)
        most = np.sqrt(held * paid * (1.0 - self.fee) / (prices * (1.0 - limit)))
        return plain(np.maximum(most - held, 0.0) / (1.0 - self.fee))

    def rest(self, state: MarketState, days: float) -> MarketState:
        """Half of the units above balance leave the pool after each half-life."""
        return replace(state, consumed=faded(state.consumed, days, self.half_life_days))

    def _reserves(self, price: FloatArray, consumed: FloatArray, depth: FloatArray) -> tuple[FloatArray, FloatArray]:
        product = self.reserve_units * self.reserve_currency * depth**2
        held = np.sqrt(product / price) + consumed
        return held, product / held
