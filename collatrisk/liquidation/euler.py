"""Euler v1 and v2 (archetype C): the discount grows as health falls, like a Dutch auction that health drives.

Sources: euler-xyz/euler-contracts, Liquidation.sol; euler-xyz/euler-vault-kit, Liquidation.sol (rules and figures
only).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collatrisk.liquidation.checks import (
    AMOUNT,
    BELOW_ONE,
    LIMIT,
    POSITIVE,
    POSITIVE_SHARE,
    Range,
    check,
    check_fields,
    refuse,
)
from collatrisk.liquidation.seizure import Seizure

_V1, _V2 = "euler_v1", "euler_v2"


@dataclass(frozen=True, slots=True)
class EulerV1Terms:
    """`base_discount` at a health of 1; `max_boost` : most that a liquidator's own deposits add; `max_discount`; all
    in [0, 1); `target_health` that a liquidation restores, > 1; `reserve_fee` on top of the repayment, [0, 1).
    """

    base_discount: float
    max_boost: float
    max_discount: float
    target_health: float
    reserve_fee: float

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("base_discount", "max_boost", "max_discount", "reserve_fee"), BELOW_ONE)
        check_fields(self, {**shares, "target_health": Range(1.0, open_low=True)})


def v1_booster(average_liquidity: float, liability: float) -> float:
    """``1 + min(1, liquidator's average liquidity / liability)``: between 1 and 2."""
    return 1.0 + min(1.0, average_liquidity / liability)


def v1_discount(health: float, terms: EulerV1Terms, booster: float = 1.0) -> float:
    """``min(base * booster, base + max_boost, max_discount)`` with ``base = base_discount + 1 - health``."""
    check(_V1, {"health": (health, BELOW_ONE), "booster": (booster, Range(1.0, 2.0))})
    base = terms.base_discount + 1.0 - health
    return min(base * booster, base + terms.max_boost, terms.max_discount)


def v1_liquidate(
    debt: float,
    collateral: float,
    *,
    debt_price: float = 1.0,
    collateral_price: float,
    collateral_factor: float,
    borrow_factor: float = 1.0,
    booster: float = 1.0,
    repay: float = math.inf,
    other_assets: float = 0.0,
    other_liabilities: float = 0.0,
    terms: EulerV1Terms,
) -> Seizure:
    """Repay towards the target health, up to the debt and to what the collateral covers.

    ``most = (target L - V) / (target / BF - CF / (1 - discount)) / p_debt`` with risk-adjusted assets V and
    liabilities L of the whole account; ``seized = repaid * p_debt / p_coll / (1 - discount)``; the reserve fee is
    paid on top.

    Raises
    ------
    InputError : the account is healthy (``V >= L``), or an amount is out of its range.
    """
    amounts = {"debt": (debt, POSITIVE), "collateral": (collateral, POSITIVE), "repay": (repay, LIMIT)}
    prices = {"debt_price": (debt_price, POSITIVE), "collateral_price": (collateral_price, POSITIVE)}
    shares = {
        "collateral_factor": (collateral_factor, POSITIVE_SHARE),
        "borrow_factor": (borrow_factor, POSITIVE_SHARE),
    }
    others = {"other_assets": (other_assets, AMOUNT), "other_liabilities": (other_liabilities, AMOUNT)}
    check(_V1, {**amounts, **prices, **shares, **others})
    assets = collateral * collateral_price * collateral_factor + other_assets
    liabilities = debt * debt_price / borrow_factor + other_liabilities
    if assets >= liabilities:
        refuse(_V1, "health", assets / liabilities, "is not below 1: the account is healthy", "leave it alone")
    kept = 1.0 - v1_discount(assets / liabilities, terms, booster)
    gain = terms.target_health / borrow_factor - collateral_factor / kept
    to_target = (terms.target_health * liabilities - assets) / gain / debt_price if gain > 0 else debt
    covered = collateral * collateral_price * kept / debt_price
    repaid = min(to_target, debt, covered, repay)
    seized = collateral if repaid == covered else min(repaid * debt_price / collateral_price / kept, collateral)
    return Seizure(repaid, seized, 0.0, collateral - seized, debt - repaid, surcharge=terms.reserve_fee * repaid)


@dataclass(frozen=True, slots=True)
class EulerV2Terms:
    """`max_discount` : [0, 1). `socialise` : whether debt without collateral is taken from the lenders at once, if the
    liability is worth at least `min_socialised`.
    """

    max_discount: float
    socialise: bool = True
    min_socialised: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, {"max_discount": BELOW_ONE, "min_socialised": AMOUNT})


def v2_liquidatable(adjusted_collateral: float, liability: float) -> bool:
    """Whether ``adjusted collateral <= liability``: at equality too, with a discount of zero; never without
    liability.
    """
    return liability > 0 and adjusted_collateral <= liability


def v2_discount_factor(health: float, terms: EulerV2Terms) -> float:
    """Price paid over market price: ``max(health, 1 - max_discount)``, at most 1."""
    check(_V2, {"health": (health, AMOUNT)})
    return min(max(health, 1.0 - terms.max_discount), 1.0)


def v2_liquidate(
    debt: float,
    collateral: float,
    *,
    debt_price: float = 1.0,
    collateral_price: float,
    ltv: float,
    other_adjusted: float = 0.0,
    other_collateral: bool = False,
    terms: EulerV2Terms,
) -> Seizure:
    """The largest liquidation: all debt, or what all collateral pays at its discount; if worthless, nothing.

    Parameters
    ----------
    collateral_price : >= 0. ltv : share of the collateral's value that counts, (0, 1]. other_adjusted : counted value
        of the account's other collateral; other_collateral : it has some, so that no debt is written off yet.

    Raises
    ------
    InputError : adjusted collateral is above the liability, or an amount is out of its range.
    """
    amounts = {
        "debt": (debt, POSITIVE),
        "collateral": (collateral, POSITIVE),
        "other_adjusted": (other_adjusted, AMOUNT),
    }
    prices = {"debt_price": (debt_price, POSITIVE), "collateral_price": (collateral_price, AMOUNT)}
    check(_V2, {**amounts, **prices, "ltv": (ltv, POSITIVE_SHARE)})
    liability, value = debt * debt_price, collateral * collateral_price
    adjusted = value * ltv + other_adjusted
    if not v2_liquidatable(adjusted, liability):
        refuse(_V2, "health", adjusted / liability, "is above 1: the account is healthy", "leave it alone")
    factor = v2_discount_factor(adjusted / liability, terms)
    if value < liability / factor:
        repaid, seized = min(value * factor / debt_price, debt), collateral
    else:
        repaid, seized = debt, min(liability / factor / collateral_price, collateral)
    left, rest = collateral - seized, debt - repaid
    lost = left == 0 and not other_collateral and terms.socialise and liability >= terms.min_socialised
    return Seizure(repaid, seized, 0.0, left, 0.0 if lost else rest, rest if lost else 0.0)
