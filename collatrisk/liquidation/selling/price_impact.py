"""Price impact by a power law of what is sold: linear, square-root or fitted; a part decays and a part stays.

Sources: Almgren and Chriss (2000) for linear permanent and temporary impact; Obizhaeva and Wang (2013) for the decay;
the square-root law as in Toth et al. (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.validation import Problems
from collatrisk.liquidation.impact import power_proceeds, square_root_impact
from collatrisk.liquidation.selling.checks import check_half_life
from collatrisk.liquidation.selling.fill import CALM, Amount, Fill, MarketState, faded, make_fill, plain, sale_inputs


@dataclass(frozen=True, slots=True)
class PriceImpact:
    """The price falls by ``coefficient * value**exponent`` (relative) while `value` is sold.

    A sale pays the average of the fall over what it sells, not its end: half of it for linear impact, two thirds for
    the square root. After the sale, `permanent_share` of the fall stays for good; the rest is gone by half after each
    half-life, and the next sale starts from what is left of it. With depth d, the fall is that of ``value / d``.

    Parameters
    ----------
    coefficient : relative fall at a value of one unit of currency, >= 0; 0 for a market without impact.
    exponent : (0, 2]; 1 linear, 0.5 square root.
    permanent_share : of the fall, [0, 1].
    half_life_days : of the part that decays, >= 0; 0: it is gone before the next sale, inf: it stays.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    coefficient: float
    exponent: float = 1.0
    permanent_share: float = 0.0
    half_life_days: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("PriceImpact")
        problems.number("coefficient", self.coefficient, low=0, remedy="give 1e-8 for 1 % per million (linear)")
        remedy = "1 is linear, 0.5 the square-root law"
        problems.number("exponent", self.exponent, low=0, high=2, open_low=True, remedy=remedy)
        problems.number("permanent_share", self.permanent_share, low=0, high=1, remedy="0.5 if half of the fall stays")
        check_half_life(problems, self.half_life_days)
        problems.raise_if_any()

    @classmethod
    def linear(cls, transient: float, permanent: float = 0.0, half_life_days: float = 0.0) -> PriceImpact:
        """Linear impact: relative fall per unit of currency sold, the part that decays and the part that stays."""
        total = transient + permanent
        return cls(total, 1.0, permanent / total if total else 0.0, half_life_days)

    @classmethod
    def square_root(
        cls, daily_sigma: float, adv: float, k: float = 1.0, permanent_share: float = 0.0, half_life_days: float = 0.0
    ) -> PriceImpact:
        """The square-root law: the price falls by ``k * daily_sigma * sqrt(value / adv)``.

        Parameters
        ----------
        daily_sigma : volatility of daily returns, > 0. adv : average daily volume in currency, > 0. k : about 1.
        """
        problems = Problems("PriceImpact.square_root")
        for name, value in (("daily_sigma", daily_sigma), ("adv", adv), ("k", k)):
            problems.number(name, value, low=0, open_low=True, remedy="give a number above 0")
        problems.raise_if_any()
        return cls(square_root_impact(1.0 / adv, daily_sigma, k), 0.5, permanent_share, half_life_days)

    @property
    def delay_days(self) -> float:
        """None: a sale is settled at once."""
        return 0.0

    def sell(self, units: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Fill:
        """Sell `units` at once; what is offered beyond a price of zero stays unsold. See `SalesVenue.sell`."""
        offered, prices, consumed, permanent, depth = sale_inputs(units, price, state)
        room = 1.0 - permanent
        before = consumed * prices / depth
        wanted, most = offered * prices / depth, np.maximum(self._value_at(room) - before, 0.0)
        value = np.minimum(wanted, most)
        sold = np.where(wanted <= most, offered, value * depth / prices)
        proceeds = depth * np.maximum(power_proceeds(value, self.coefficient, self.exponent, before, room), 0.0)
        start, end = self._fall(before), self._fall(before + value)
        stays = self.permanent_share * (end - start)
        after = MarketState(
            plain(self._value_at(end - stays) * depth / prices) if self.coefficient else plain(consumed + sold),
            plain(np.minimum(permanent + stays, np.nextafter(1.0, 0.0))),
            state.depth,
        )
        marginal = prices * np.maximum(room - end, 0.0)
        return make_fill(offered, sold, proceeds, prices, prices * np.maximum(room - start, 0.0), marginal, after)

    def capacity(self, slippage: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Amount:
        """See `SalesVenue.capacity`."""
        limit, prices, consumed, permanent, depth = sale_inputs(slippage, price, state, "slippage")
        value = self._value_at(np.maximum(limit - permanent, 0.0)) * depth
        return plain(np.maximum(value / prices - consumed, 0.0))

    def rest(self, state: MarketState, days: float) -> MarketState:
        """The fall that decays halves after each half-life; what is consumed follows by the law's inverse."""
        return replace(state, consumed=faded(state.consumed, days, self.half_life_days * self.exponent))

    def _fall(self, value: np.ndarray) -> np.ndarray:
        return np.asarray(self.coefficient * value**self.exponent)

    def _value_at(self, fall: np.ndarray) -> np.ndarray:
        """The value that makes the price fall so far; inf without impact."""
        if self.coefficient == 0.0:
            return np.full_like(fall, math.inf)
        return np.asarray((fall / self.coefficient) ** (1.0 / self.exponent))
