"""A liquidation rule as columns of the kernel's rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.collateral import (
    AbsorbRule,
    CloseFactor,
    FixedBonus,
    GrowingBonus,
    GrowingDiscount,
    LiquidationRule,
    PoolRule,
    SaleRule,
    Terms,
)
from collatrisk.collateral.per_asset import PerAsset, figure_of
from collatrisk.kernels import columns as at

FloatArray = NDArray[np.float64]
_LAST = 1e9  # the priority of assets that an order does not name


def write_rule(rules: FloatArray, switches: NDArray[np.int64], rule: LiquidationRule) -> None:
    """Write what a rule says of the account as a whole into its rows (of zeros)."""
    rules[at.TRIGGER] = 1.0
    rules[at.LEAST_BONUS] = 1.0
    rules[at.FULL_HEALTH] = -1.0
    rules[at.WRITE_OFF_FROM] = math.inf
    switches[at.KIND] = at.SALE
    switches[at.ROUNDS] = 1
    if isinstance(rule, SaleRule):
        _write_sale(rules, switches, rule)
    elif isinstance(rule, AbsorbRule):
        switches[at.KIND] = at.ABSORB
        rules[at.WRITE_OFF_FROM] = 0.0
    else:
        _write_pool(rules, switches, rule)


def _write_sale(rules: FloatArray, switches: NDArray[np.int64], rule: SaleRule) -> None:
    bonus, size = rule.bonus, rule.size
    rules[at.FEE] = rule.fee
    rules[at.LIQUIDATOR_FEE] = rule.liquidator_fee
    rules[at.TRIGGER] = math.nextafter(1.0, math.inf) if rule.at_one else 1.0
    rules[at.WRITE_OFF_FROM] = math.inf if rule.write_off_from is None else rule.write_off_from
    switches[at.ROUNDS] = rule.calls_a_step
    switches[at.LEAST_COST] = rule.order == "least_cost"
    if isinstance(bonus, GrowingBonus):
        rules[at.LEAST_BONUS], rules[at.MOST_AT] = bonus.least, bonus.most_at
    elif isinstance(bonus, GrowingDiscount):
        switches[at.BY_DISCOUNT] = 1
        rules[at.DISCOUNT], rules[at.BOOST], rules[at.MOST_DISCOUNT] = bonus.at_one, bonus.booster, bonus.most
        rules[at.MOST_BOOST] = math.inf if bonus.most_boost is None else bonus.most_boost
    rules[at.CLOSE] = 1.0
    if isinstance(size, CloseFactor):
        rules[at.CLOSE], rules[at.FULL_VALUE], rules[at.LEAST_LEFT] = size.share, size.full_below, size.least_left
        rules[at.FULL_HEALTH] = size.full_at if size.full_at > 0 else -1.0
    else:
        rules[at.TARGET], rules[at.DUST] = size.health, size.dust


def _write_pool(rules: FloatArray, switches: NDArray[np.int64], rule: PoolRule) -> None:
    system = math.inf if rule.system_ratio is None else rule.system_ratio
    switches[at.KIND] = at.OFFSET
    rules[at.POOL], rules[at.GAS] = rule.pool, rule.gas_share
    rules[at.MINIMUM_RATIO], rules[at.CRITICAL_RATIO] = rule.minimum_ratio, rule.critical_ratio
    rules[at.SYSTEM_RATIO] = system
    if system < rule.critical_ratio:
        rules[at.TRIGGER] = max(system / rule.minimum_ratio, 1.0)


def write_slots(by_slot: FloatArray, held: Mapping[int, str], terms: Terms, currency: str) -> None:
    """Write what a rule says of each asset held into rows of zeros.

    Parameters
    ----------
    by_slot : float64 (N_BY_SLOT, n_slots). held : slot -> asset, cash in `currency` included.

    Raises
    ------
    InputError : with all held assets for which the rule has no figure.
    """
    rule = terms.rule
    figures: dict[int, tuple[str, PerAsset]] = {}
    if isinstance(rule, SaleRule):
        figures[at.FEE_OF_BONUS] = "fee_of_bonus", rule.fee_of_bonus
        if isinstance(rule.bonus, FixedBonus):
            figures[at.BONUS_OF] = "bonus", rule.bonus.bonus
        elif isinstance(rule.bonus, GrowingBonus):
            figures[at.BONUS_OF] = "most", rule.bonus.most
    elif isinstance(rule, AbsorbRule):
        figures = {at.CREDIT_OF: ("credit", rule.credit), at.DISCOUNT_OF: ("resale_discount", rule.resale_discount)}
    problems = Problems("liquidation")
    for column, (name, figure) in figures.items():
        for slot, asset in held.items():
            cash = (1.0 if column == at.CREDIT_OF else 0.0) if asset == currency else None
            if cash is not None and isinstance(rule, AbsorbRule) and not isinstance(figure, Mapping):
                by_slot[column, slot] = cash  # cash counts in full, as with thresholds
                continue
            try:
                by_slot[column, slot] = figure_of("liquidation", name, figure, asset, cash=cash)
            except InputError as error:
                problems.found.extend(error.problems)
    problems.raise_if_any()
    if isinstance(rule, SaleRule):
        priorities = _priorities(rule, held, terms, currency)
        for slot in held:
            by_slot[at.PRIORITY, slot] = priorities[slot]


def _priorities(rule: SaleRule, held: Mapping[int, str], terms: Terms, currency: str) -> dict[int, float]:
    """The lowest goes first; equal ones go together."""
    order = rule.order
    if order == "pro_rata":
        return dict.fromkeys(held, 0.0)
    if order == "least_cost":
        return {slot: float(slot) for slot in held}  # each by itself; the kernel picks
    if order == "most_liquid":
        return {slot: terms.impact_of(asset, currency) for slot, asset in held.items()}
    if order == "most_volatile":
        return {slot: -rule.volatility.get(asset, 0.0) for slot, asset in held.items()}
    names = list(order)
    return {slot: float(names.index(asset)) if asset in names else _LAST for slot, asset in held.items()}
