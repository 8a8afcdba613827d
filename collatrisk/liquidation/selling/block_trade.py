"""A block sold over the counter: at a discount, after a delay, without moving the market."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.validation import Problems
from collatrisk.liquidation.selling.fill import CALM, Amount, Fill, MarketState, make_fill, plain, sale_inputs


@dataclass(frozen=True, slots=True)
class BlockTrade:
    """A buyer who takes up to `largest` units at ``price * (1 - discount)``, at the price after `delay_days`.

    `sell` takes the price of the settlement; `sell_over` and `run_sale` look it up after the delay. Depth and memory of
    the market do not matter, but its permanent fall does.

    Parameters
    ----------
    discount : [0, 1). delay_days : from agreement to the price of settlement, >= 0. largest : units, > 0, may be inf.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    discount: float
    delay_days: float = 0.0
    largest: float = math.inf

    def __post_init__(self) -> None:
        problems = Problems("BlockTrade")
        problems.number("discount", self.discount, low=0, high=1, open_high=True, remedy="give 0.03 for 3 %")
        problems.number("delay_days", self.delay_days, low=0, remedy="give days of the clock")
        if self.largest != math.inf:
            problems.number("largest", self.largest, low=0, open_low=True, remedy="give units, or inf")
        problems.raise_if_any()

    def sell(self, units: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Fill:
        """Sell `units` at once, up to `largest` in all. See `SalesVenue.sell`."""
        offered, prices, consumed, permanent, _ = sale_inputs(units, price, state)
        sold = np.minimum(offered, np.maximum(self.largest - consumed, 0.0))
        agreed = prices * (1.0 - permanent) * (1.0 - self.discount)
        following = np.where(consumed + sold < self.largest, agreed, 0.0)
        after = replace(state, consumed=plain(consumed + sold))
        return make_fill(offered, sold, sold * agreed, prices, agreed, following, after, self.delay_days)

    def capacity(self, slippage: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Amount:
        """See `SalesVenue.capacity`: all that the buyer still takes if the discount is allowed, else nothing."""
        limit, _, consumed, permanent, _ = sale_inputs(slippage, price, state, "slippage")
        allowed = (1.0 - permanent) * (1.0 - self.discount) >= 1.0 - limit
        return plain(np.where(allowed, np.maximum(self.largest - consumed, 0.0), 0.0))

    def rest(self, state: MarketState, days: float) -> MarketState:
        """A buyer who has bought does not come again."""
        return state
