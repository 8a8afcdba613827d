"""Price impact of a sale, as pure functions of values in currency.

Formulas: linear impact as stated; constant product x y = k; the square-root law with an empirical constant of about 1.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])


def power_proceeds(value: Number, coefficient: float, exponent: float, sold: Number, room: Number) -> Number:
    """What selling `value` fetches after `sold`, the price falling by ``coefficient * sold**exponent`` below `room`.

    Formula: ``value * room - coefficient / (p + 1) * ((sold + value)**(p + 1) - sold**(p + 1))``. With p = 1 and
    room 1 this is `linear_proceeds`, as long as the price stays above zero.

    Parameters
    ----------
    value, sold : currency, >= 0, numbers or arrays. coefficient : >= 0. exponent : p > 0.
    room : the price before any of it, relative to the price at which values are counted.
    """
    if exponent == 1.0:
        return value * (room - coefficient * (sold + 0.5 * value))
    power = exponent + 1.0
    swept: Number = (sold + value) ** power - sold**power
    return value * room - coefficient / power * swept


def linear_proceeds(value: float, impact: float, sold: float = 0.0) -> float:
    """What selling `value` (at the price before the first sale) fetches after `sold`, the price falling linearly.

    Formula: ``value * (1 - impact * sold) - impact * value**2 / 2``; nothing once the price has reached zero.

    Parameters
    ----------
    value, sold : currency, >= 0. impact : relative fall of the price per unit of currency sold, >= 0.
    """
    slope = 1.0 - impact * sold
    if slope <= 0:
        return 0.0
    fetching = value if impact * value <= slope else slope / impact
    return fetching * (slope - 0.5 * impact * fetching)


def linear_value(proceeds: float, impact: float, sold: float = 0.0) -> float:
    """The inverse of `linear_proceeds`: what must be sold to fetch `proceeds`; inf if no amount does."""
    slope = 1.0 - impact * sold
    inside = slope * slope - 2.0 * impact * proceeds
    if slope <= 0 or inside < 0:
        return math.inf if proceeds > 0 else 0.0
    return 2.0 * proceeds / (slope + math.sqrt(inside))


def mixed_impact(weights: list[float], impacts: list[float]) -> float:
    """The impact of selling a mix pro rata: ``sum(weight_i**2 * impact_i)``, weights by value."""
    return math.fsum(w * w * impact for w, impact in zip(weights, impacts, strict=True))


def constant_product(amount: Number, reserve_in: Number, reserve_out: Number) -> Number:
    """What a constant-product pool without fee pays for `amount`: ``reserve_out * amount / (reserve_in + amount)``."""
    return reserve_out * amount / (reserve_in + amount)


def square_root_impact(quantity_over_adv: float, daily_sigma: float, k: float = 1.0) -> float:
    """The square-root law: relative impact ``k * daily_sigma * sqrt(quantity / average daily volume)``."""
    return k * daily_sigma * math.sqrt(quantity_over_adv)
