"""Terms as arrays: what the margin kernel reads, one row an account."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Terms
from collatrisk.market.clock import Clock

FloatArray = NDArray[np.float64]
_SALE_PRICES = ("worse", "end", "barrier")


@dataclass(frozen=True, slots=True)
class RuleArrays:
    """The terms of every account.

    Attributes
    ----------
    thresholds, impacts : float64 (n_accounts, n_assets + 1), by slot, cash last. Slots that an account does not hold
        have threshold 1 and impact 0.
    rules : float64 (n_accounts, 7): margin call, restore to, bonus, fee, close factor, cure probability, growth of the
        debt a step.
    switches : int64 (n_accounts, 5): steps to cure, steps of delay, sells when uncured, sale price, bridge.
    """

    thresholds: FloatArray
    impacts: FloatArray
    rules: FloatArray
    switches: NDArray[np.int64]


def rule_arrays(accounts: Sequence[Account], terms: Sequence[Terms], assets: Sequence[str], clock: Clock) -> RuleArrays:
    """The terms of each account as arrays on the steps of `clock`.

    Parameters
    ----------
    accounts, terms : one of each a row.
    assets : the slots but cash, in order.

    Raises
    ------
    InputError : with all held assets that have no threshold, and all times that are not whole steps.
    """
    problems = Problems("Terms")
    shape = len(accounts), len(assets) + 1
    arrays = RuleArrays(
        np.ones(shape), np.zeros(shape), np.empty((shape[0], 7)), np.empty((shape[0], 5), dtype=np.int64)
    )
    for row, (account, rule) in enumerate(zip(accounts, terms, strict=True)):
        for slot, asset in enumerate((*assets, account.currency)):
            if account.holdings.get(asset, 0.0) > 0:
                try:
                    arrays.thresholds[row, slot] = rule.threshold_of(asset, account.currency)
                except InputError as error:
                    problems.found.extend(error.problems)
                arrays.impacts[row, slot] = rule.impact_of(asset, account.currency)
        arrays.rules[row] = (
            rule.margin_call,
            rule.restore_to,
            rule.liquidation_bonus,
            rule.liquidation_fee,
            rule.close_factor,
            rule.cure_probability,
            math.exp(rule.borrow_rate * clock.step_years),
        )
        arrays.switches[row] = (
            _steps(clock, rule, "cure_days", problems),
            _steps(clock, rule, "liquidation_delay_days", problems),
            rule.uncured == "liquidate",
            _SALE_PRICES.index(rule.sale_price),
            rule.mark == "bridge",
        )
    problems.found[:] = list(dict.fromkeys(problems.found))
    problems.raise_if_any()
    return arrays


def _steps(clock: Clock, rule: Terms, name: str, problems: Problems) -> int:
    try:
        return clock.steps(getattr(rule, name), name)
    except InputError as error:
        problems.found.extend(error.problems)
        return 0
