"""Aave v4 (archetype C): a bonus that grows as health falls, and a size that restores a target health.

Source: aave/aave-v4, src/spoke/libraries/LiquidationLogic.sol and its tests (rules and figures only).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import (
    AMOUNT,
    BELOW_ONE,
    LIMIT,
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Range,
    check,
    record,
    refuse,
)
from collatrisk.liquidation.seizure import Seizure

_TITLE = "aave_v4"
_RANGES = {
    "max_bonus": AMOUNT,
    "bonus_factor": SHARE,
    "health_for_max_bonus": BELOW_ONE,
    "target_health": Range(1.0),
    "collateral_factor": POSITIVE_SHARE,
    "fee_rate": SHARE,
    "dust_value": AMOUNT,
}


@dataclass(frozen=True, slots=True)
class AaveV4Terms:
    """Rules of one collateral on one market. The venue's deployed figures are not known here: give them.

    Parameters
    ----------
    max_bonus : share of the repaid value, >= 0. bonus_factor : the smallest bonus (at a health of 1) over the largest,
        [0, 1]. health_for_max_bonus : health at and below which the bonus is largest, [0, 1).
    target_health : health that a liquidation restores, >= 1.
    collateral_factor : share of the collateral's value that counts, (0, 1];
        ``(1 + max_bonus) * collateral_factor < 1``.
    fee_rate : share of the bonus for the protocol. dust_value : rests below it, on either side, are not left, >= 0.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    max_bonus: float
    target_health: float
    collateral_factor: float
    bonus_factor: float
    health_for_max_bonus: float
    fee_rate: float
    dust_value: float

    def __post_init__(self) -> None:
        problems = Problems("AaveV4Terms")
        for name, allowed in _RANGES.items():
            record(problems, name, getattr(self, name), allowed)
        if not problems.found:
            digs = (1.0 + self.max_bonus) * self.collateral_factor
            rule = f"(1 + max_bonus) * collateral_factor = {digs:g} must be below 1, or a liquidation lowers the health"
            problems.check(digs < 1.0, "max_bonus", self.max_bonus, rule, "lower the bonus or the collateral factor")
        problems.raise_if_any()


def bonus(health_factor: float, terms: AaveV4Terms) -> float:
    """The bonus at a health below 1: from ``max_bonus * bonus_factor`` at 1 straight up to `max_bonus`."""
    if health_factor <= terms.health_for_max_bonus:
        return terms.max_bonus
    least = terms.max_bonus * terms.bonus_factor
    depth = (1.0 - min(health_factor, 1.0)) / (1.0 - terms.health_for_max_bonus)
    return least + (terms.max_bonus - least) * depth


def debt_to_target(
    total_debt_value: float,
    *,
    health_factor: float,
    target_health: float,
    bonus: float,
    collateral_factor: float,
    debt_price: float = 1.0,
) -> float:
    """Debt units whose repayment lifts the account from `health_factor` to `target_health`.

    Formula: ``total_debt (target - HF) / ((target - (1 + bonus) CF) p_debt)``.

    Raises
    ------
    InputError : the target is not above ``(1 + bonus) CF``: no repayment reaches it; or an amount out of its range.
    """
    amounts = {"total_debt_value": (total_debt_value, AMOUNT), "health_factor": (health_factor, AMOUNT)}
    ranges = {"bonus": (bonus, AMOUNT), "collateral_factor": (collateral_factor, POSITIVE_SHARE)}
    prices = {"target_health": (target_health, POSITIVE), "debt_price": (debt_price, POSITIVE)}
    check(_TITLE, {**amounts, **ranges, **prices})
    gain = target_health - (1.0 + bonus) * collateral_factor
    if gain <= 0:
        rule = f"must be above (1 + bonus) * collateral_factor = {target_health - gain:g}: no repayment reaches it"
        refuse(_TITLE, "target_health", target_health, rule, "raise the target or lower the bonus")
    return total_debt_value * max(target_health - health_factor, 0.0) / (gain * debt_price)


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
    terms: AaveV4Terms,
) -> Seizure:
    """One liquidation call on one pair of reserves, to the target health unless that leaves dust.

    Raises
    ------
    InputError : the account is healthy (health of 1 or above); dust would be left and the liquidator offers too little;
        or an amount is out of its range.
    """
    amounts = {"debt": (debt, POSITIVE), "collateral": (collateral, POSITIVE), "health_factor": (health_factor, AMOUNT)}
    prices = {"debt_price": (debt_price, POSITIVE), "collateral_price": (collateral_price, POSITIVE)}
    others = {
        "other_debt_value": (other_debt_value, AMOUNT),
        "other_collateral_value": (other_collateral_value, AMOUNT),
    }
    check(_TITLE, {**amounts, **prices, **others, "debt_to_cover": (debt_to_cover, LIMIT)})
    if health_factor >= 1.0:
        refuse(_TITLE, "health_factor", health_factor, "is not below 1: the account is healthy", "leave it alone")
    share = bonus(health_factor, terms)
    wanted = debt_to_target(
        debt * debt_price + other_debt_value,
        health_factor=health_factor,
        target_health=terms.target_health,
        bonus=share,
        collateral_factor=terms.collateral_factor,
        debt_price=debt_price,
    )
    repay = min(debt, debt_to_cover, wanted)
    if 0 < (debt - repay) * debt_price < terms.dust_value:
        repay = debt
    a_unit = debt_price * (1.0 + share) / collateral_price  # collateral for a unit of debt
    seized = min(repay * a_unit, collateral)
    left = (collateral - seized) * collateral_price
    if seized == collateral or (left < terms.dust_value and repay < debt):
        repay = min(collateral / a_unit, debt)
        seized = min(repay * a_unit, collateral) if repay == debt else collateral
    if repay > debt_to_cover:
        rule = f"must cover {repay:g}: a smaller call would leave dust (dust_value = {terms.dust_value:g})"
        refuse(_TITLE, "debt_to_cover", debt_to_cover, rule, "offer that much")
    fee = terms.fee_rate * seized * share / (1.0 + share)
    done = Seizure(repay, seized, fee, collateral - seized, debt - repay)
    if done.collateral_left == 0 and other_collateral_value == 0:
        return replace(done, debt_left=0.0, written_off=done.debt_left)
    return done
