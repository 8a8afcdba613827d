"""Scalar code of the margin engine: what is due on one lane at one step - a sale, a call, a liquidation, a deadline."""

from __future__ import annotations

import numpy as np
from numba import njit

from collatrisk.kernels.random import uniform
from collatrisk.kernels.sale import (
    CALL,
    CALLED,
    CURE,
    CURE_STEPS,
    CURED,
    DELAY,
    EXHAUSTED,
    HEALTHY,
    LIQUIDATED,
    RESTORE,
    SALE_PRICE,
    TOP_UP,
    UNCURED_SELLS,
    price_factor,
    sell,
)

NEVER = -1
# Columns of the state of a lane (int64).
DUE, FORCED, OPEN, DEADLINE, CALLS = range(5)
N_STATES = 5
# Rows of the vectors of a tile (float64, by lane).
START, END_HEALTH, COUNTED, DEBT, MARK, LOWEST, VARIANCE, INTEREST = range(8)
N_VECTORS = 8


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def is_due(state, t, mark, health, call, restore):  # type: ignore[no-untyped-def]
    """Whether `act` has anything to do on a lane: a sale, a liquidation, a call to open, to decide or to close."""
    if mark < 1.0 or state[DUE] == t:
        return True
    if state[OPEN] != 1:
        return mark < call
    return t == state[DEADLINE] or (t > state[DEADLINE] and health >= restore)


@njit(cache=True, nogil=True, error_model="numpy")
def act(  # type: ignore[no-untyped-def]
    k,
    t,
    prices,
    path,
    thresholds,
    impacts,
    rules,
    switches,
    cure_key,
    units,
    worth,
    lane,
    state,
    n_held,
    n_owed,
    slots,
    market,
    amounts,
    events,
):
    """Steps 3 to 6 of the law on one lane: a sale that is due, a call, a liquidation, the deadline of a call.

    Opens and closes calls in `state`, scales `units`, and leaves values and sums as they are after the actions.
    """
    counted, debt, mark = lane[COUNTED], lane[DEBT], lane[MARK, k]
    health_at_end = lane[END_HEALTH, k]
    healthy_at_start = lane[START, k] >= HEALTHY
    delay = switches[DELAY]
    mode = switches[SALE_PRICE]
    sold = 0.0
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
    if mark < 1.0 and not sells and state[DUE] == NEVER and counted[k] > 0.0:
        if delay == 0:
            sells = True
        else:
            state[DUE] = t + delay
            state[FORCED] = 0
    if sells:
        factor = price_factor(mode, forced, health_at_end, healthy_at_start)
        sold = sell_lane(
            k,
            t,
            prices,
            factor,
            sold,
            impacts,
            rules,
            thresholds,
            units,
            worth,
            lane,
            n_held,
            n_owed,
            slots,
            market,
            amounts,
            events,
        )
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
    sell_lane(
        k,
        t,
        prices,
        1.0,
        sold,
        impacts,
        rules,
        thresholds,
        units,
        worth,
        lane,
        n_held,
        n_owed,
        slots,
        market,
        amounts,
        events,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def sell_lane(  # type: ignore[no-untyped-def]
    k,
    t,
    prices,
    factor,
    sold,
    impacts,
    rules,
    thresholds,
    units,
    worth,
    lane,
    n_held,
    n_owed,
    slots,
    market,
    amounts,
    events,
):
    """Sell on one lane, scale its units and values, and note the events. Returns the value sold in this step."""
    counted, debt = lane[COUNTED], lane[DEBT]
    if counted[k] <= 0.0 or debt[k] <= 0.0:
        return sold
    for j in range(n_held):
        i = slots[0, j]
        market[0, i] = units[0, i, k] * prices[i, k]
        market[1, i] = worth[0, i, k]
    cash = units.shape[1] - 1
    kept, rest, sold = sell(
        market[0], market[1], impacts, n_held, slots[0], cash, factor, debt[k], rules, sold, amounts
    )
    for j in range(n_held):
        i = slots[0, j]
        units[0, i, k] *= kept
        worth[0, i, k] *= kept
    for j in range(n_owed):
        i = slots[1, j]
        units[1, i, k] *= rest
        worth[1, i, k] *= rest
    counted[k] *= kept
    debt[k] *= rest
    if events[LIQUIDATED] == NEVER:
        events[LIQUIDATED] = t
    if kept == 0.0 and debt[k] > 0.0 and events[EXHAUSTED] == NEVER:
        events[EXHAUSTED] = t
    return sold
