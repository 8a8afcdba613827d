"""Scalar code of the margin engine: what is due on one lane at one step - a sale, a call, a liquidation, a deadline."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.absorb import absorb, offset, resell
from collatrisk.kernels.columns import (
    ABSORB,
    CALL,
    CALLED,
    CURE,
    CURE_STEPS,
    CURED,
    DELAY,
    EXHAUSTED,
    KIND,
    LIQUIDATED,
    LOSS,
    RESALE_STEPS,
    RESTORE,
    SALE,
    SALE_PRICE,
    TOP_UP,
    TRIGGER,
    UNCURED_SELLS,
    WRITE_OFF_FROM,
    WRITTEN_OFF,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.random import uniform
from collatrisk.kernels.sale import HEALTHY, price_factor, sell

NEVER = -1
# Columns of the state of a lane (int64).
DUE, FORCED, OPEN, DEADLINE, CALLS, TAKEN_AT = range(6)
N_STATES = 6
# Rows of the vectors of a tile (float64, by lane). CREDIT and PAID: cash that a fund owes the account, and all that it
# gave for the collateral.
START, END_HEALTH, COUNTED, DEBT, MARK, LOWEST, VARIANCE, INTEREST, CREDIT, PAID = range(10)
N_VECTORS = 10
# Rows of the scratch of one lane (float64, by slot).
VALUES, COUNTED_VALUES, SOLD, KEPT = range(4)
N_SCRATCH = 4


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def is_due(state, t, mark, health, call, restore, trigger):  # type: ignore[no-untyped-def]
    """Whether `act` has anything to do on a lane: a sale, a liquidation, a call to open, to decide or to close."""
    if mark < trigger or state[DUE] == t:
        return True
    if state[OPEN] != 1:
        return mark < call
    return t == state[DEADLINE] or (t > state[DEADLINE] and health >= restore)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def act(  # type: ignore[no-untyped-def]
    k, t, prices, path, impacts, by_slot, rules, switches, cure_key, units, worth, lane, state, n_held,
    n_owed, slots, market, amounts, events,
):  # fmt: skip
    """Steps 3 to 6 of the law on one lane: a sale that is due, a call, a liquidation, the deadline of a call.

    Put into the loop by force: handing over its many arrays costs more than most of what it does.
    Opens and closes calls in `state`, scales `units`, and leaves values and sums as they are after the actions.
    """
    counted, debt, mark = lane[COUNTED], lane[DEBT], lane[MARK, k]
    delay = switches[DELAY]
    sells = False
    forced = False
    if state[DUE] == t:
        sells = True
        forced = state[FORCED] == 1
        state[DUE] = NEVER
    if mark < rules[CALL] and state[OPEN] != 1:
        state[OPEN] = 1
        state[DEADLINE] = t + switches[CURE_STEPS]
        state[CALLS] += 1
        if events[CALLED] == NEVER:
            events[CALLED] = t
    # A sale in this step answers this step's mark: it does not trigger another.
    bare = counted[k] <= 0.0 and not (debt[k] > 0.0 and rules[WRITE_OFF_FROM] < np.inf)
    if mark < rules[TRIGGER] and not sells and state[DUE] == NEVER and not bare:
        if delay == 0:
            sells = True
        else:
            state[DUE] = t + delay
            state[FORCED] = 0
    if sells:
        market[SOLD] = 0.0
        healthy_at_start = lane[START, k] >= HEALTHY * rules[TRIGGER]
        factor = price_factor(switches[SALE_PRICE], forced, lane[END_HEALTH, k], healthy_at_start, rules[TRIGGER])
        sell_lane(
            k, t, prices, factor, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots,
            market, amounts, events,
        )  # fmt: skip
    if state[OPEN] != 1 or t < state[DEADLINE]:
        return
    health = counted[k] / debt[k] if debt[k] > 0.0 else np.inf
    if health >= rules[RESTORE]:
        state[OPEN] = NEVER
        return
    if t > state[DEADLINE]:
        return
    if counted[k] > 0.0 and uniform(cure_key, path, state[CALLS] - 1, 0) < rules[CURE]:
        ratio = rules[RESTORE] / health
        for j in range(n_held):
            i = slots[0, j]
            amounts[TOP_UP] += units[0, i, k] * prices[i, k] * (ratio - 1.0)
            units[0, i, k] *= ratio
            worth[0, i, k] *= ratio
        counted[k] *= ratio
        state[OPEN] = NEVER
        state[DUE] = NEVER
        if events[CURED] == NEVER:
            events[CURED] = t
        return
    if switches[UNCURED_SELLS] != 1:
        return
    state[OPEN] = NEVER
    if state[DUE] != NEVER or counted[k] <= 0.0:
        return
    if delay > 0:
        state[DUE] = t + delay
        state[FORCED] = 1
        return
    if not sells:
        market[SOLD] = 0.0
    sell_lane(
        k, t, prices, 1.0, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots, market,
        amounts, events,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def sell_lane(  # type: ignore[no-untyped-def]
    k, t, prices, factor, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots, market,
    amounts, events,
):  # fmt: skip
    """Sell or hand over on one lane by the rule of the account, scale its units and values, and note the events."""
    counted, debt = lane[COUNTED], lane[DEBT]
    values, kept, held = market[VALUES], market[KEPT], slots[0]
    owing = debt[k]
    if owing <= 0.0 or (counted[k] <= 0.0 and rules[WRITE_OFF_FROM] == np.inf):
        return
    cash = units.shape[1] - 1
    for j in range(n_held):
        i = held[j]
        f = 1.0 if i == cash or counted[k] <= 0.0 else factor
        values[i] = units[0, i, k] * prices[i, k] * f
        market[COUNTED_VALUES, i] = worth[0, i, k] * f
        kept[i] = 0.0
    owed = 0.0
    if switches[KIND] == SALE:
        if counted[k] > 0.0:
            owed = sell(
                values, market[COUNTED_VALUES], impacts, by_slot, n_held, held, owing, rules, switches, values[:0],
                market[SOLD], kept, amounts,
            )  # fmt: skip
            untouched = True
            for j in range(n_held):
                untouched = untouched and kept[held[j]] == 1.0
            if untouched:
                return  # the rule allows no call
        else:
            owed = 1.0
    elif not _hand_over(
        k, t, factor, impacts, by_slot, rules, switches, units, lane, state, n_held, held, owing, values, kept, amounts
    ):
        return
    left = even = 0.0
    for j in range(n_held):
        i = held[j]
        units[0, i, k] *= kept[i]
        worth[0, i, k] *= kept[i]
        left += worth[0, i, k]
        even += 0.0 if kept[i] == kept[held[0]] else 1.0
    counted[k] = counted[k] * kept[held[0]] if even == 0.0 and n_held > 0 else left
    debt[k] *= owed
    if events[LIQUIDATED] == NEVER:
        events[LIQUIDATED] = t
    if left <= 0.0 and debt[k] > 0.0 and owing >= rules[WRITE_OFF_FROM]:
        amounts[WRITTEN_OFF] += debt[k]
        amounts[LOSS] += debt[k]
        owed = debt[k] = 0.0
    if events[EXHAUSTED] == NEVER and (amounts[WRITTEN_OFF] > 0.0 or (left <= 0.0 and debt[k] > 0.0)):
        events[EXHAUSTED] = t
    for j in range(n_owed):
        i = slots[1, j]
        units[1, i, k] *= owed
        worth[1, i, k] *= owed


@njit(cache=True, nogil=True, error_model="numpy")
def _hand_over(  # type: ignore[no-untyped-def]
    k, t, factor, impacts, by_slot, rules, switches, units, lane, state, n_held, held, owing, values, kept, amounts
):
    """Give collateral and debt to the fund, or to the pool and the other borrowers; whether anything happened."""
    passed_on, taken, balance = 1.0, 1.0, 0.0
    if switches[KIND] == ABSORB:
        balance = absorb(values, by_slot, n_held, held, owing, amounts)
    else:
        total = 0.0
        for j in range(n_held):
            total += values[held[j]]
        # A price that was set to the touch of the barrier counts as below it, whichever way it is rounded.
        ratio = total / owing if factor == 1.0 else HEALTHY * total / owing
        taken, passed_on = offset(total, ratio, owing, rules, amounts)
        if taken == 0.0:
            return False
    lane[CREDIT, k] += balance
    lane[PAID, k] = owing + balance
    for j in range(n_held):
        i = held[j]
        kept[i] = 1.0 - taken
        units[2, i, k] = units[0, i, k] * (taken * passed_on)
        values[i] *= taken * passed_on
    if switches[RESALE_STEPS] > 0:
        state[TAKEN_AT] = t
    else:
        resell(values, impacts, by_slot, n_held, held, lane[PAID, k], amounts)
    return True
