"""Compound v2 (archetype B) and Compound v3 (archetype D: absorbed by the protocol, then sold at a discount).

Sources: compound-finance/compound-protocol, Comptroller.sol; compound-finance/comet, Comet.sol (rules and figures
only).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from collatrisk.liquidation.checks import (
    AMOUNT,
    BELOW_ONE,
    LIMIT,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    check,
    check_fields,
    check_lengths,
    refuse,
)
from collatrisk.liquidation.seizure import Seizure

_V2, _V3 = "compound_v2", "compound_v3"


@dataclass(frozen=True, slots=True)
class CompoundV2Terms:
    """`incentive` : collateral value for a value of 1 repaid, > 0. `close_factor` : largest share of the debt, (0,
    1].
    """

    incentive: float
    close_factor: float

    def __post_init__(self) -> None:
        check_fields(self, {"incentive": POSITIVE, "close_factor": POSITIVE_SHARE})


def v2_seize_tokens(
    repay: float, *, incentive: float, price_borrow: float, price_collateral: float, exchange_rate: float = 1.0
) -> float:
    """Collateral tokens for `repay` units of debt: ``repay * incentive * p_borrow / (p_coll * exchange rate)``."""
    prices = {"price_borrow": (price_borrow, POSITIVE), "price_collateral": (price_collateral, POSITIVE)}
    rates = {"incentive": (incentive, POSITIVE), "exchange_rate": (exchange_rate, POSITIVE)}
    check(_V2, {"repay": (repay, AMOUNT), **prices, **rates})
    return repay * incentive * price_borrow / (price_collateral * exchange_rate)


def v2_liquidate(
    debt: float,
    tokens: float,
    *,
    repay: float,
    price_borrow: float = 1.0,
    price_collateral: float = 1.0,
    exchange_rate: float = 1.0,
    terms: CompoundV2Terms,
) -> Seizure:
    """Repay `repay` units of an account with a shortfall. Nothing is written off: bad debt stays in the books.

    Raises
    ------
    InputError : more than ``close_factor * debt`` is offered, or the account has fewer tokens than it would take.
    """
    check(_V2, {"debt": (debt, POSITIVE), "tokens": (tokens, AMOUNT), "repay": (repay, AMOUNT)})
    most = terms.close_factor * debt
    if repay > most:
        refuse(_V2, "repay", repay, f"is above close_factor * debt = {most:g}", "repay that much at most")
    prices = {"price_borrow": price_borrow, "price_collateral": price_collateral, "exchange_rate": exchange_rate}
    seized = v2_seize_tokens(repay, incentive=terms.incentive, **prices)
    if seized > tokens:
        refuse(_V2, "repay", repay, f"would take {seized:g} tokens of {tokens:g}", "repay less")
    return Seizure(repay, seized, 0.0, tokens - seized, debt - repay)


@dataclass(frozen=True, slots=True)
class CompoundV3Terms:
    """Shares of one collateral.

    `liquidate_factor` : of its value, up to which debt is safe. `liquidation_factor` : of its value, credited when it
    is absorbed. `store_front_factor` : of the rest, passed on to buyers as a discount. All in [0, 1].
    """

    liquidation_factor: float
    store_front_factor: float
    liquidate_factor: float

    def __post_init__(self) -> None:
        names = ("liquidation_factor", "store_front_factor", "liquidate_factor")
        check_fields(self, dict.fromkeys(names, SHARE))

    @property
    def discount(self) -> float:
        """Of buyers: ``store_front_factor * (1 - liquidation_factor)``."""
        return self.store_front_factor * (1.0 - self.liquidation_factor)


def v3_liquidatable(debt: float, values: Sequence[float], factors: Sequence[float]) -> bool:
    """Whether ``sum(value * liquidate factor) < debt``: strictly, so debt without collateral is, no debt is not."""
    check_lengths(_V3, values=values, factors=factors)
    return math.fsum(value * factor for value, factor in zip(values, factors, strict=True)) < debt


@dataclass(frozen=True, slots=True)
class Absorption:
    """What absorbing an account did, in the base asset.

    `credited` for all its collateral; `balance` left to the account; `repaid` of its debt out of the credit;
    `written_off` the rest, against reserves; `reserves_used` in all (the collateral is now the protocol's, and its
    price risk too).
    """

    credited: float
    balance: float
    repaid: float
    written_off: float

    @property
    def reserves_used(self) -> float:
        """Fall of the reserves before the collateral is sold: the whole debt and the account's new balance."""
        return self.repaid + self.written_off + self.balance


def v3_absorb(debt: float, values: Sequence[float], liquidation_factors: Sequence[float]) -> Absorption:
    """Take all collateral and credit ``sum(value * liquidation factor)`` against the debt.

    Parameters
    ----------
    debt : > 0, base units. values, liquidation_factors : one each a collateral; values in the base asset.
    """
    check_lengths(_V3, values=values, liquidation_factors=liquidation_factors)
    parts = {f"values[{i}]": (value, AMOUNT) for i, value in enumerate(values)}
    shares = {f"liquidation_factors[{i}]": (share, SHARE) for i, share in enumerate(liquidation_factors)}
    check(_V3, {"debt": (debt, POSITIVE), **parts, **shares})
    credited = math.fsum(value * share for value, share in zip(values, liquidation_factors, strict=True))
    repaid = min(credited, debt)
    return Absorption(credited, credited - repaid, repaid, debt - repaid)


def v3_quote(base: float, *, price_asset: float, price_base: float = 1.0, discount: float) -> float:
    """Units of absorbed collateral for `base`: ``base * p_base / (p_asset * (1 - discount))``; discount in [0, 1)."""
    prices = {"price_asset": (price_asset, POSITIVE), "price_base": (price_base, POSITIVE)}
    check(_V3, {"base": (base, AMOUNT), **prices, "discount": (discount, BELOW_ONE)})
    return base * price_base / (price_asset * (1.0 - discount))


def v3_buy(
    base: float,
    *,
    available: float,
    reserves: float,
    target_reserves: float = math.inf,
    price_asset: float,
    price_base: float = 1.0,
    discount: float,
    min_amount: float = 0.0,
) -> float:
    """Collateral units that a buyer gets for `base`.

    Raises
    ------
    InputError : reserves are at or above their target, the quote is below `min_amount`, or not that much is for sale.
    """
    check(_V3, {"available": (available, AMOUNT), "target_reserves": (target_reserves, LIMIT)})
    if reserves >= target_reserves:
        refuse(_V3, "reserves", reserves, f"are not below their target of {target_reserves:g}: no sale", "wait")
    amount = v3_quote(base, price_asset=price_asset, price_base=price_base, discount=discount)
    if amount < min_amount:
        refuse(_V3, "min_amount", min_amount, f"is above the quote of {amount:g}", "accept less")
    if amount > available:
        refuse(_V3, "base", base, f"would buy {amount:g} of {available:g} for sale", "buy less")
    return amount
