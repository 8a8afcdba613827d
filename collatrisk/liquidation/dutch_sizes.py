"""How much goes to auction and how much one buyer gets: the arithmetic of Maker's limits and dust rules, numbers only.

Source: makerdao/dss, src/dog.sol and src/clip.sol (rules only).
"""


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
