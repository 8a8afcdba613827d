"""Aave v3.3 and later (archetype B): close factor, minimum leftovers, seizure with bonus and protocol fee.

Source: aave-dao/aave-v3-origin, LiquidationLogic.sol and its tests (rules and figures only).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import (
    AMOUNT,
    BELOW_ONE,
    LIMIT,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    check,
    check_fields,
    refuse,
)
from collatrisk.liquidation.seizure import Seizure

_TITLE = "aave_v3"


@dataclass(frozen=True, slots=True)
class AaveV3Terms:
    """Rules of the venue; values are money in its base currency.

    Parameters
    ----------
    bonus : to the liquidator, share of the repaid value, [0, 1). protocol_fee : share of the bonus that the protocol
        keeps, [0, 1].
    close_factor : share of the account's total debt that one call repays at most, (0, 1].
    full_close_health : health factor at and below which everything may be repaid, (0, 1].
    small_position : a reserve debt or collateral below it may be closed in full. min_leftover : what must at least be
        left of both, unless one is zero.
    """

    bonus: float
    protocol_fee: float
    close_factor: float
    full_close_health: float
    small_position: float
    min_leftover: float

    def __post_init__(self) -> None:
        shares = {"close_factor": POSITIVE_SHARE, "full_close_health": POSITIVE_SHARE}
        amounts = {"small_position": AMOUNT, "min_leftover": AMOUNT}
        check_fields(self, {"bonus": BELOW_ONE, "protocol_fee": SHARE, **shares, **amounts})


def liquidatable(health_factor: float) -> bool:
    """Strictly below 1; at 1 the account is healthy."""
    return health_factor < 1.0


def close_factor(health_factor: float, debt_value: float, collateral_value: float, terms: AaveV3Terms) -> float:
    """`terms.close_factor` if the health is above `full_close_health` and neither side is small; 1 otherwise."""
    small = min(debt_value, collateral_value) < terms.small_position
    return 1.0 if small or health_factor <= terms.full_close_health else terms.close_factor


def leftovers_allowed(debt_left: float, collateral_left: float, terms: AaveV3Terms) -> bool:
    """Values after a call: one of them zero, or both at least `min_leftover`."""
    return min(debt_left, collateral_left) == 0.0 or min(debt_left, collateral_left) >= terms.min_leftover


def seize(
    debt: float,
    collateral: float,
    *,
    repay: float,
    debt_price: float = 1.0,
    collateral_price: float = 1.0,
    terms: AaveV3Terms,
    integer: bool = False,
) -> Seizure:
    """Repay `repay` of `debt` out of `collateral`, or as much as all of it covers; asks no health or size rule.

    ``seized = repay * p_debt / p_coll * (1 + bonus)``; capped at the collateral, the repayment is what that covers.
    ``fee = protocol_fee * (seized - seized / (1 + bonus))``.

    Parameters
    ----------
    debt, collateral, repay : units, >= 0; repay at most debt.
    integer : amounts are the token's smallest units: exact arithmetic, rounded as on chain (seizure and base of the
        bonus down, capped repayment and fee up).

    Raises
    ------
    InputError : a negative amount, a repayment above the debt, a price of 0, fractions of a smallest unit.
    """
    amounts = {"debt": (debt, AMOUNT), "collateral": (collateral, AMOUNT), "repay": (repay, AMOUNT)}
    check(_TITLE, {**amounts, "debt_price": (debt_price, POSITIVE), "collateral_price": (collateral_price, POSITIVE)})
    if repay > debt:
        refuse(_TITLE, "repay", repay, f"is above the debt of {debt:g}", "give at most the debt")
    if integer:
        _whole({name: value for name, (value, _) in amounts.items()})
    to: Callable[[float], Any] = _exact if integer else float
    down: Callable[[Any], Any] = math.floor if integer else _same
    up: Callable[[Any], Any] = math.ceil if integer else _same
    reach, ratio = 1 + to(terms.bonus), to(debt_price) / to(collateral_price)
    seized = down(down(to(repay) * ratio) * reach)
    if seized > collateral:
        seized, repay = collateral, min(up(to(collateral) / ratio / reach), repay)
    fee = up((seized - down(seized / reach)) * to(terms.protocol_fee))
    return Seizure(repay, seized, fee, collateral - seized, debt - repay)


def liquidate(
    debt: float,
    collateral: float,
    *,
    health_factor: float,
    debt_price: float = 1.0,
    collateral_price: float = 1.0,
    debt_to_cover: float = math.inf,
    other_debt_value: float = 0.0,
    other_collateral_value: float = 0.0,
    terms: AaveV3Terms,
    integer: bool = False,
) -> Seizure:
    """One liquidation call on one pair of reserves, with every size rule; bad debt is written off.

    Parameters
    ----------
    debt_to_cover : what the liquidator offers to repay, units of the debt asset.
    other_debt_value, other_collateral_value : the rest of the account: it counts in the close factor (a share of the
        *total* debt), and bad debt is written off only once no collateral at all is left.

    Raises
    ------
    InputError : the account is healthy; or the call would leave less than `min_leftover` on one side and not zero.
    """
    money = {"other_debt_value": (other_debt_value, AMOUNT), "other_collateral_value": (other_collateral_value, AMOUNT)}
    amounts = {"debt": (debt, POSITIVE), "collateral": (collateral, POSITIVE)}
    prices = {"debt_price": (debt_price, POSITIVE), "collateral_price": (collateral_price, POSITIVE)}
    check(
        _TITLE,
        {
            **amounts,
            **prices,
            **money,
            "health_factor": (health_factor, AMOUNT),
            "debt_to_cover": (debt_to_cover, LIMIT),
        },
    )
    if not liquidatable(health_factor):
        refuse(_TITLE, "health_factor", health_factor, "is not below 1: the account is healthy", "leave it alone")
    debt_value, collateral_value = debt * debt_price, collateral * collateral_price
    share = close_factor(health_factor, debt_value, collateral_value, terms)
    most = debt if share == 1.0 else min(debt, share * (debt_value + other_debt_value) / debt_price)
    repay = min(most, debt_to_cover)
    whole = math.floor(repay) if integer else repay
    done = seize(
        debt,
        collateral,
        repay=whole,
        debt_price=debt_price,
        collateral_price=collateral_price,
        terms=terms,
        integer=integer,
    )
    left = done.debt_left * debt_price, done.collateral_left * collateral_price
    if not leftovers_allowed(*left, terms):
        rule = f"debt of {left[0]:g} and collateral of {left[1]:g} would be left: both must be 0 or >= min_leftover"
        refuse(_TITLE, "debt_to_cover", debt_to_cover, rule, "repay all, or less")
    if done.collateral_left == 0 and other_collateral_value == 0:
        return replace(done, debt_left=0.0, written_off=done.debt_left)
    return done


def _same(number: float) -> float:
    return number


def _exact(number: float) -> Fraction:
    """The decimal number that is printed, not the double next to it."""
    return Fraction(str(number))


def _whole(amounts: dict[str, float]) -> None:
    problems = Problems(_TITLE)
    for name, amount in amounts.items():
        problems.integer(name, amount, low=0, remedy="give smallest units, or integer=False")
    problems.raise_if_any()
