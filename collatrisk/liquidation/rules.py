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
from collatrisk.kernels import columns as at
from collatrisk.liquidation.rule_columns import write_rule, write_slots
from collatrisk.market.clock import Clock

FloatArray = NDArray[np.float64]
_SALE_PRICES = ("worse", "end", "barrier")


@dataclass(frozen=True, slots=True)
class RuleArrays:
    """The terms of every account, in the columns of `collatrisk.kernels.columns`.

    Attributes
    ----------
    thresholds, impacts : float64 (n_accounts, n_assets + 1), by slot, cash last. Slots that an account does not hold
        have threshold 1 and impact 0.
    by_slot : float64 (n_accounts, N_BY_SLOT, n_assets + 1), what the liquidation rule says of each slot.
    rules : float64 (n_accounts, N_RULES), levels, sizes, and how the bonus grows.
    switches : int64 (n_accounts, N_SWITCHES), times in steps, and choices.
    """

    thresholds: FloatArray
    impacts: FloatArray
    by_slot: FloatArray
    rules: FloatArray
    switches: NDArray[np.int64]

    @property
    def settles(self) -> bool:
        """Whether any rule can write debt off or hand collateral over: their amounts are kept then."""
        handed = bool((self.switches[:, at.KIND] != at.SALE).any())
        return handed or bool((self.rules[:, at.WRITE_OFF_FROM] < math.inf).any())


def rule_arrays(accounts: Sequence[Account], terms: Sequence[Terms], assets: Sequence[str], clock: Clock) -> RuleArrays:
    """The terms of each account as arrays on the steps of `clock`.

    Parameters
    ----------
    accounts, terms : one of each a row.
    assets : the slots but cash, in order.

    Raises
    ------
    InputError : with all held assets that have no threshold or no bonus, and all times that are not whole steps.
    """
    problems = Problems("Terms")
    shape = len(accounts), len(assets) + 1
    arrays = RuleArrays(
        thresholds=np.ones(shape),
        impacts=np.zeros(shape),
        by_slot=np.zeros((shape[0], at.N_BY_SLOT, shape[1])),
        rules=np.zeros((shape[0], at.N_RULES)),
        switches=np.zeros((shape[0], at.N_SWITCHES), dtype=np.int64),
    )
    for row, (account, rule) in enumerate(zip(accounts, terms, strict=True)):
        held = {}
        for slot, asset in enumerate((*assets, account.currency)):
            if account.holdings.get(asset, 0.0) > 0:
                held[slot] = asset
                try:
                    arrays.thresholds[row, slot] = rule.threshold_of(asset, account.currency)
                except InputError as error:
                    problems.found.extend(error.problems)
                arrays.impacts[row, slot] = rule.impact_of(asset, account.currency)
        _write_times(arrays, row, rule, clock, problems)
        write_rule(arrays.rules[row], arrays.switches[row], rule.rule)
        try:
            write_slots(arrays.by_slot[row], held, rule, account.currency)
        except InputError as error:
            problems.found.extend(error.problems)
        # A call cannot come after the liquidation, at whichever health that is.
        arrays.rules[row, at.CALL] = max(rule.margin_call, arrays.rules[row, at.TRIGGER])
    problems.found[:] = list(dict.fromkeys(problems.found))
    problems.raise_if_any()
    return arrays


def _write_times(arrays: RuleArrays, row: int, terms: Terms, clock: Clock, problems: Problems) -> None:
    rules, switches = arrays.rules[row], arrays.switches[row]
    rules[at.RESTORE] = terms.restore_to
    rules[at.CURE] = terms.cure_probability
    rules[at.GROWTH] = math.exp(terms.borrow_rate * clock.step_years)
    switches[at.CURE_STEPS] = _steps(clock, terms.cure_days, "cure_days", problems)
    switches[at.DELAY] = _steps(clock, terms.liquidation_delay_days, "liquidation_delay_days", problems)
    switches[at.UNCURED_SELLS] = terms.uncured == "liquidate"
    switches[at.SALE_PRICE] = _SALE_PRICES.index(terms.sale_price)
    switches[at.BRIDGE] = terms.mark == "bridge"
    delay = getattr(terms.liquidation, "resale_delay_days", 0.0)
    switches[at.RESALE_STEPS] = _steps(clock, delay, "resale_delay_days", problems)


def _steps(clock: Clock, days: float, name: str, problems: Problems) -> int:
    try:
        return clock.steps(days, name)
    except InputError as error:
        problems.found.extend(error.problems)
        return 0
