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
from collatrisk.kernels.jit import leaf, njit
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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def is_due(due, opened, deadline, t, mark, health, call, restore, trigger):  # type: ignore[no-untyped-def]
    """Whether `act` has anything to do on a lane: a sale, a liquidation, a call to open, to decide or to close.

    due, opened, deadline : of the lane's state.
    """
    if mark < trigger or due == t:
        return True
    if opened != 1:
        return mark < call
    return t == deadline or (t > deadline and health >= restore)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _nothing_sold(market):  # type: ignore[no-untyped-def]
    for i in range(market.shape[1]):
        market[SOLD, i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def act(  # type: ignore[no-untyped-def]
    k, t, tile, s, path, impacts, by_slot, rules, switches, cure_key, units, worth, lane, state, n_held, n_owed, slots,
    market, amounts, events,
):  # fmt: skip
    """Steps 3 to 6 of the law on one lane: a sale that is due, a call, a liquidation, the deadline of a call.

    Put into the loop by force: handing over its many arrays costs more than most of what it does.
    Opens and closes calls in `state`, scales `units`, and leaves values and sums as they are after the actions.
    """
    mark = lane[MARK, k]
    delay = switches[DELAY]
    sells = False
    forced = False
    if state[k, DUE] == t:
        sells = True
        forced = state[k, FORCED] == 1
        state[k, DUE] = NEVER
    if mark < rules[CALL] and state[k, OPEN] != 1:
        state[k, OPEN] = 1
        state[k, DEADLINE] = t + switches[CURE_STEPS]
        state[k, CALLS] += 1
        if events[k, CALLED] == NEVER:
            events[k, CALLED] = t
    # A sale in this step answers this step's mark: it does not trigger another.
    bare = lane[COUNTED, k] <= 0.0 and not (lane[DEBT, k] > 0.0 and rules[WRITE_OFF_FROM] < np.inf)
    if mark < rules[TRIGGER] and not sells and state[k, DUE] == NEVER and not bare:
        if delay == 0:
            sells = True
        else:
            state[k, DUE] = t + delay
            state[k, FORCED] = 0
    if sells:
        _nothing_sold(market)
        healthy_at_start = lane[START, k] >= HEALTHY * rules[TRIGGER]
        factor = price_factor(switches[SALE_PRICE], forced, lane[END_HEALTH, k], healthy_at_start, rules[TRIGGER])
        sell_lane(
            k, t, tile, s, factor, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots,
            market, amounts, events,
        )  # fmt: skip
    if state[k, OPEN] != 1 or t < state[k, DEADLINE]:
        return
    health = lane[COUNTED, k] / lane[DEBT, k] if lane[DEBT, k] > 0.0 else np.inf
    if health >= rules[RESTORE]:
        state[k, OPEN] = NEVER
        return
    if t > state[k, DEADLINE]:
        return
    if lane[COUNTED, k] > 0.0 and uniform(cure_key, path, state[k, CALLS] - 1, 0) < rules[CURE]:
        ratio = rules[RESTORE] / health
        for j in range(n_held):
            i = slots[0, j]
            amounts[k, TOP_UP] += units[0, i, k] * tile[s, i, k] * (ratio - 1.0)
            units[0, i, k] *= ratio
            worth[0, i, k] *= ratio
        lane[COUNTED, k] *= ratio
        state[k, OPEN] = NEVER
        state[k, DUE] = NEVER
        if events[k, CURED] == NEVER:
            events[k, CURED] = t
        return
    if switches[UNCURED_SELLS] != 1:
        return
    state[k, OPEN] = NEVER
    if state[k, DUE] != NEVER or lane[COUNTED, k] <= 0.0:
        return
    if delay > 0:
        state[k, DUE] = t + delay
        state[k, FORCED] = 1
        return
    if not sells:
        _nothing_sold(market)
    sell_lane(
        k, t, tile, s, 1.0, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots, market,
        amounts, events,
    )  # fmt: skip


@leaf()
def sell_lane(  # type: ignore[no-untyped-def]
    k, t, tile, s, factor, impacts, by_slot, rules, switches, units, worth, lane, state, n_held, n_owed, slots, market,
    amounts, events,
):  # fmt: skip
    """Sell or hand over on one lane by the rule of the account, scale its units and values, and note the events."""
    owing = lane[DEBT, k]
    if owing <= 0.0 or (lane[COUNTED, k] <= 0.0 and rules[WRITE_OFF_FROM] == np.inf):
        return
    counted, debt = lane[COUNTED], lane[DEBT]
    values, kept, held = market[VALUES], market[KEPT], slots[0]
    cash = units.shape[1] - 1
    for j in range(n_held):
        i = held[j]
        f = 1.0 if i == cash or counted[k] <= 0.0 else factor
        values[i] = units[0, i, k] * tile[s, i, k] * f
        market[COUNTED_VALUES, i] = worth[0, i, k] * f
        kept[i] = 0.0
    owed = 0.0
    if switches[KIND] == SALE:
        if counted[k] > 0.0:
            owed = sell(
                values, market[COUNTED_VALUES], impacts, by_slot, n_held, held, owing, rules, switches, values[:0],
                market[SOLD], kept, amounts[k],
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
    if events[k, LIQUIDATED] == NEVER:
        events[k, LIQUIDATED] = t
    if left <= 0.0 and debt[k] > 0.0 and owing >= rules[WRITE_OFF_FROM]:
        amounts[k, WRITTEN_OFF] += debt[k]
        amounts[k, LOSS] += debt[k]
        owed = debt[k] = 0.0
    if events[k, EXHAUSTED] == NEVER and (amounts[k, WRITTEN_OFF] > 0.0 or (left <= 0.0 and debt[k] > 0.0)):
        events[k, EXHAUSTED] = t
    for j in range(n_owed):
        i = slots[1, j]
        units[1, i, k] *= owed
        worth[1, i, k] *= owed


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _hand_over(  # type: ignore[no-untyped-def]
    k, t, factor, impacts, by_slot, rules, switches, units, lane, state, n_held, held, owing, values, kept, amounts
):
    """Give collateral and debt to the fund, or to the pool and the other borrowers; whether anything happened."""
    passed_on, taken, balance = 1.0, 1.0, 0.0
    if switches[KIND] == ABSORB:
        balance = absorb(values, by_slot, n_held, held, owing, amounts[k])
    else:
        total = 0.0
        for j in range(n_held):
            total += values[held[j]]
        # A price that was set to the touch of the barrier counts as below it, whichever way it is rounded.
        ratio = total / owing if factor == 1.0 else HEALTHY * total / owing
        taken, passed_on = offset(total, ratio, owing, rules, amounts[k])
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
        state[k, TAKEN_AT] = t
    else:
        resell(values, impacts, by_slot, n_held, held, lane[PAID, k], amounts[k])
    return True
