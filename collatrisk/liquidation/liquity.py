"""Liquity v1 (archetype D): who is liquidated in which mode, and where debt and collateral go.

Source: liquity/dev, TroveManager.sol (rules and figures only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import AMOUNT, BELOW_ONE, POSITIVE, Range, check, record

Action = Literal["none", "offset", "offset+redistribute", "redistribute", "capped offset"]


@dataclass(frozen=True, slots=True)
class LiquityTerms:
    """Collateral ratios and fees.

    Parameters
    ----------
    minimum_ratio : collateral over debt below which a position is liquidated, > 1 (MCR).
    critical_ratio : of the whole system, below which recovery mode starts, >= `minimum_ratio` (CCR).
    gas_share : share of the seized collateral that goes to the caller first, [0, 1). reserve : debt tokens put aside at
        the opening, paid to the caller too. min_debt : smallest net debt.
    """

    minimum_ratio: float
    critical_ratio: float
    gas_share: float
    reserve: float
    min_debt: float

    def __post_init__(self) -> None:
        problems = Problems("LiquityTerms")
        ratios = dict.fromkeys(("minimum_ratio", "critical_ratio"), Range(1.0, open_low=True))
        for name, allowed in {**ratios, "gas_share": BELOW_ONE, "reserve": AMOUNT, "min_debt": AMOUNT}.items():
            record(problems, name, getattr(self, name), allowed)
        if not problems.found:
            rule = f"must be at least minimum_ratio = {self.minimum_ratio:g}"
            holds = self.critical_ratio >= self.minimum_ratio
            problems.check(holds, "critical_ratio", self.critical_ratio, rule, "raise it")
        problems.raise_if_any()


def action(
    ratio: float, system_ratio: float, debt: float, pool: float, terms: LiquityTerms, *, last: bool = False
) -> Action:
    """What happens to a position.

    Normal mode (``system_ratio >= critical_ratio``): below `minimum_ratio`, offset against the pool and redistribute
    the rest. Recovery mode: up to 1, redistribute; above 1 and below `minimum_ratio`, as in normal mode; from
    `minimum_ratio` to below the system's ratio, offset if the pool covers all of the debt, with the seizure capped;
    otherwise nothing.

    Parameters
    ----------
    ratio : the position's collateral over debt, >= 0. system_ratio : of all positions. debt : with what was
        redistributed to it, > 0. pool : debt tokens in the stability pool, >= 0. last : it is the only position
        (never liquidated).
    """
    numbers = {"ratio": (ratio, AMOUNT), "system_ratio": (system_ratio, Range(infinite=True))}
    check("liquity", {**numbers, "debt": (debt, POSITIVE), "pool": (pool, AMOUNT)})
    if last:
        return "none"
    recovery = system_ratio < terms.critical_ratio
    if recovery and ratio <= 1.0:
        return "redistribute"
    if ratio < terms.minimum_ratio:
        if pool == 0.0:
            return "redistribute"
        return "offset" if pool >= debt else "offset+redistribute"
    return "capped offset" if recovery and ratio < system_ratio and pool >= debt else "none"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a position's debt and collateral go; the parts add up to what it had."""

    action: Action
    offset_debt: float = 0.0
    offset_collateral: float = 0.0
    redistributed_debt: float = 0.0
    redistributed_collateral: float = 0.0
    to_caller: float = 0.0
    claimable: float = 0.0
    kept_debt: float = 0.0
    kept_collateral: float = 0.0


def settle(
    collateral: float,
    debt: float,
    *,
    price: float,
    system_ratio: float,
    pool: float,
    last: bool = False,
    terms: LiquityTerms,
) -> Settlement:
    """Split a position by the rules of `action`.

    Parameters
    ----------
    collateral : units, > 0. debt : > 0. price : of a unit, > 0. system_ratio, pool, last : as for `action`.

    Returns
    -------
    Settlement : `to_caller` is the gas share of the seized collateral; a capped offset seizes
        ``minimum_ratio * debt / price`` and leaves the rest `claimable` by the owner.
    """
    check("liquity", {"collateral": (collateral, POSITIVE), "debt": (debt, POSITIVE), "price": (price, POSITIVE)})
    what = action(collateral * price / debt, system_ratio, debt, pool, terms, last=last)
    if what == "none":
        return Settlement(what, kept_debt=debt, kept_collateral=collateral)
    seized = min(terms.minimum_ratio * debt / price, collateral) if what == "capped offset" else collateral
    gas = terms.gas_share * seized
    offset = 0.0 if what == "redistribute" else min(debt, pool)
    rest = debt - offset
    to_pool = (seized - gas) * (offset / debt)
    to_others = seized - gas - to_pool if rest > 0 else 0.0
    return Settlement(what, offset, to_pool, rest, to_others, gas, collateral - seized)
