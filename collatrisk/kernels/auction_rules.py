"""The arithmetic of Maker's auctions as plain numbers: one source for the pure objects and for the compiled engine.

Nothing here is compiled: `collatrisk.liquidation` calls these functions as they are, `collatrisk.kernels.auctions`
compiles the same ones. Source of the rules: makerdao/dss, src/abaci.sol, src/dog.sol and src/clip.sol (rules only).
"""

from __future__ import annotations

import math

LINEAR, STAIRSTEP, EXPONENTIAL = range(3)


def curve_share(curve: int, first: float, step_s: float, elapsed_s: float) -> float:
    """The price as a share of its start, `elapsed_s` >= 0 seconds later.

    Parameters
    ----------
    curve : LINEAR, STAIRSTEP or EXPONENTIAL. first : the length in seconds (linear), else the cut. step_s : of stairs.
    """
    if curve == LINEAR:
        return (first - elapsed_s) / first if elapsed_s < first else 0.0
    # A whole number as a float: compiled code would multiply an integer power out, with other roundings.
    power = float(math.floor(elapsed_s / step_s)) if curve == STAIRSTEP else elapsed_s
    return float(first**power)


def reset_due(share: float, elapsed_s: float, tail_s: float, cusp: float) -> bool:
    """Whether nobody may buy before a reset: strictly past the tail, or strictly below the cusp."""
    return elapsed_s > tail_s or share < cusp


def bark_size(debt: float, room: float, penalty: float, dust: float) -> float:
    """The debt that goes to auction; -1 if the part that fits into `room` would itself be dust.

    ``min(debt, room / (1 + penalty))``, but all of it if the rest would be below `dust` (a rest of exactly `dust` may
    stay). `room` is then exceeded by less than ``dust * (1 + penalty)``.
    """
    part = min(debt, room / (1.0 + penalty))
    if part == debt or debt - part < dust:
        return debt
    return part if part >= dust else -1.0


def purchase_size(
    lot: float, tab: float, price: float, smallest_rest: float, amount: float
) -> tuple[float, float, float]:
    """Units sold, money paid and money still to raise when a buyer asks for `amount` at `price`.

    Nobody pays more than `tab`; a purchase that would leave less than `smallest_rest` to be raised while collateral
    remains is cut so as to leave exactly that, and is not allowed (-1 units) if `tab` is not above it.
    """
    units = min(lot, amount)
    paid = units * price
    if paid > tab:
        return min(tab / price, units), tab, 0.0
    if paid < tab and units < lot and tab - paid < smallest_rest:
        if tab <= smallest_rest:
            return -1.0, 0.0, tab
        paid = tab - smallest_rest
        return min(paid / price, units), paid, smallest_rest
    return units, paid, tab - paid
