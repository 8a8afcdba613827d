"""The margin engine: from a block of price paths to what happened to each account on each path.

Paths go through in tiles of 64 lanes (measured: 8 lanes cost three times as much, 128 no less). A tile is copied once
into contiguous scratch (in the block its lines are a power of two apart and would evict each other) and then serves
every account. Values, health factors and bridge minima are computed for all lanes at once in vector code; the rules
(call, cure, sale) are scalar code that only runs on the lanes and steps where something is due. No lane ever depends
on another, so results do not depend on the block size.

Slots: the assets in use, then cash at price 1 in the last slot.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from collatrisk.kernels.random import uniform
from collatrisk.kernels.sale import (
    BRIDGE,
    CALL,
    CALLED,
    CURE,
    CURE_STEPS,
    CURED,
    DELAY,
    EXHAUSTED,
    GROWTH,
    INTEREST,
    LIQUIDATED,
    MIN_HEALTH,
    OUTSTANDING,
    REMAINING,
    RESTORE,
    SALE_PRICE,
    SHORT,
    SHORTFALL,
    TOP_UP,
    UNCURED_SELLS,
    price_factor,
    sell,
)
from collatrisk.kernels.special import exp, log

LANES = 64
NEVER = -1
# Columns of the state of a lane (int64).
_DUE, _FORCED, _OPEN, _DEADLINE, _CALLS = range(5)


@njit(cache=True, nogil=True, error_model="numpy")
def margin_block(  # type: ignore[no-untyped-def]
    prices,
    variance,
    columns,
    correlation,
    first_path,
    n_steps,
    held,
    owed,
    thresholds,
    impacts,
    rules,
    switches,
    bridge_key,
    cure_key,
    amounts,
    events,
):
    """Run every account over every path of a block.

    Parameters
    ----------
    prices : float64 (>= n_steps + 1, n_assets, n_paths), currency per unit.
    variance : float64 (>= n_steps, n_assets, n_paths), of the log-return steps; (0, 0, 0): no bridge.
    columns : int64 (n_slots - 1,), the asset behind each slot but the last, which is cash.
    correlation : float64 (n_slots - 1, n_slots - 1), of the slots' steps.
    first_path : int, index of path 0 in the whole source.
    n_steps : int, steps to run.
    held, owed : float64 (n_accounts, n_slots), units.
    thresholds, impacts : float64 (n_accounts, n_slots).
    rules : float64 (n_accounts, N_RULES). switches : int64 (n_accounts, N_SWITCHES).
    bridge_key, cure_key : uint64, the streams' keys.
    amounts : float64 (n_accounts, n_paths, N_AMOUNTS), overwritten.
    events : int32 (n_accounts, n_paths, N_EVENTS), step of the first occurrence or -1, overwritten.
    """
    n_paths = prices.shape[2]
    n_slots = columns.size + 1
    bridged = variance.shape[0] > 0
    tile = np.ones((n_steps + 1, n_slots, LANES))
    spread = np.zeros((n_steps + 1, n_slots, LANES))
    twice_log = np.zeros((n_steps + 1, LANES))
    units = np.empty((2, n_slots, LANES))
    worth = np.empty((2, n_slots, LANES))
    shares = np.empty((n_slots, LANES))
    lane = np.empty((8, LANES))
    state = np.empty((LANES, 5), np.int64)
    slots = np.empty((3, n_slots), np.int64)
    rho = np.empty((n_slots, n_slots))
    market = np.empty((2, n_slots))
    for first in range(0, n_paths, LANES):
        width = min(LANES, n_paths - first)
        _load(prices, columns, first, width, tile)
        if bridged:
            _load_spread(variance, columns, first, width, spread)
            _load_twice_log(bridge_key, first_path + first, twice_log)
        for account in range(held.shape[0]):
            for i in range(n_slots):
                for k in range(LANES):
                    units[0, i, k] = held[account, i]
                    units[1, i, k] = owed[account, i]
            _run_account(
                tile,
                spread,
                twice_log,
                bridged and switches[account, BRIDGE] == 1,
                correlation,
                first_path + first,
                width,
                thresholds[account],
                impacts[account],
                rules[account],
                switches[account],
                cure_key,
                units,
                worth,
                shares,
                lane,
                state,
                slots,
                rho,
                market,
                amounts[account, first : first + width],
                events[account, first : first + width],
            )


@njit(cache=True, nogil=True, error_model="numpy")
def _load(prices, columns, first, width, tile):  # type: ignore[no-untyped-def]
    """Copy a tile; lanes beyond the block repeat its first path, so that loops over lanes have a fixed length."""
    for t in range(tile.shape[0]):
        for i in range(columns.size):
            row = prices[t, columns[i]]
            for k in range(LANES):
                tile[t, i, k] = row[first + k if k < width else first]


@njit(cache=True, nogil=True, error_model="numpy")
def _load_spread(variance, columns, first, width, spread):  # type: ignore[no-untyped-def]
    """Copy a tile of step variances as standard deviations; row t is the step that ends at t."""
    for t in range(1, spread.shape[0]):
        for i in range(columns.size):
            row = variance[t - 1, columns[i]]
            for k in range(LANES):
                spread[t, i, k] = row[first + k if k < width else first]
            for k in range(LANES):
                spread[t, i, k] = math.sqrt(spread[t, i, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _load_twice_log(key, first_path, twice_log):  # type: ignore[no-untyped-def]
    """-2 ln U of the bridge, one U a path and step, shared by all accounts."""
    for t in range(1, twice_log.shape[0]):
        for k in range(LANES):
            twice_log[t, k] = -2.0 * log(uniform(key, first_path + k, t, 0))


@njit(cache=True, nogil=True, error_model="numpy")
def _find_slots(units, correlation, slots, rho):  # type: ignore[no-untyped-def]
    """The slots held, owed, and either of them but cash; the correlation of the last packed into `rho`."""
    cash = units.shape[1] - 1
    n_held = n_owed = n_risky = 0
    for i in range(cash + 1):
        if units[0, i, 0] > 0.0:
            slots[0, n_held] = i
            n_held += 1
        if units[1, i, 0] > 0.0:
            slots[1, n_owed] = i
            n_owed += 1
        if i < cash and (units[0, i, 0] > 0.0 or units[1, i, 0] > 0.0):
            slots[2, n_risky] = i
            n_risky += 1
    for j in range(n_risky):
        for m in range(j):
            rho[j, m] = correlation[slots[2, j], slots[2, m]]
    return n_held, n_owed, n_risky


@njit(cache=True, nogil=True, error_model="numpy")
def _value(prices, units, weights, weighted, n_used, used, worth, total):  # type: ignore[no-untyped-def]
    """Value of each slot, times its weight where `weighted`, and the sum, for all lanes."""
    for k in range(LANES):
        total[k] = 0.0
    for j in range(n_used):
        i = used[j]
        w = weights[i] if weighted else 1.0
        for k in range(LANES):
            worth[i, k] = units[i, k] * prices[i, k] * w
        for k in range(LANES):
            total[k] += worth[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _health(counted, debt, health):  # type: ignore[no-untyped-def]
    for k in range(LANES):
        health[k] = counted[k] / debt[k] if debt[k] > 0.0 else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge_variance(worth, spread, counted, debt, n_risky, risky, rho, shares, out):  # type: ignore[no-untyped-def]
    """Variance of the step of ln(health factor): e' Sigma e, e the collateral shares less the debt shares."""
    for j in range(n_risky):
        i = risky[j]
        for k in range(LANES):
            shares[j, k] = (worth[0, i, k] / counted[k] - worth[1, i, k] / debt[k]) * spread[i, k]
    for k in range(LANES):
        out[k] = 0.0
    for j in range(n_risky):
        for k in range(LANES):
            out[k] += shares[j, k] * shares[j, k]
        for m in range(j):
            twice = 2.0 * rho[j, m]
            for k in range(LANES):
                out[k] += twice * shares[j, k] * shares[m, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge_minimum(start, end, variance, twice_log, mark):  # type: ignore[no-untyped-def]
    """The sampled minimum of the health factor inside the step; the lower end where nothing moves between.

    Inverse of the law of the minimum of a Brownian bridge from x0 to x1 with variance s2:
    exp((x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2).
    """
    for k in range(LANES):
        x0 = log(start[k])
        x1 = log(end[k])
        gap = x1 - x0
        low = exp(0.5 * (x0 + x1 - math.sqrt(gap * gap + max(variance[k], 0.0) * twice_log[k])))
        least = min(start[k], end[k])
        # Zero and infinite health factors have no logarithm here and no bridge.
        usable = variance[k] > 0.0 and start[k] > 0.0 and end[k] > 0.0 and max(start[k], end[k]) < np.inf
        mark[k] = min(low, least) if usable else least


@njit(cache=True, nogil=True, error_model="numpy")
def _run_account(  # type: ignore[no-untyped-def]
    tile,
    spread,
    twice_log,
    bridged,
    correlation,
    first_path,
    width,
    thresholds,
    impacts,
    rules,
    switches,
    cure_key,
    units,
    worth,
    shares,
    lane,
    state,
    slots,
    rho,
    market,
    amounts,
    events,
):
    """One account on the paths of a tile."""
    start = lane[0]
    end = lane[1]
    counted = lane[2]
    debt = lane[3]
    mark = lane[4]
    lowest = lane[5]
    variance = lane[6]
    interest = lane[7]
    amounts[:] = 0.0
    events[:] = NEVER
    state[:] = NEVER
    state[:, _CALLS] = 0
    lowest[:] = np.inf
    interest[:] = 0.0
    worth[:] = 0.0
    n_held, n_owed, n_risky = _find_slots(units, correlation, slots, rho)
    growth = rules[GROWTH]
    call = rules[CALL]
    for t in range(tile.shape[0]):
        if t > 0:
            # Now `worth`, `counted` and `debt` are still those of the end of the last step, after its actions.
            for k in range(LANES):
                interest[k] += debt[k] * (growth - 1.0)
                debt[k] *= growth
            for j in range(n_owed):
                i = slots[1, j]
                for k in range(LANES):
                    units[1, i, k] *= growth
                    worth[1, i, k] *= growth
            _health(counted, debt, start)
            if bridged:
                _bridge_variance(worth, spread[t], counted, debt, n_risky, slots[2], rho, shares, variance)
        _value(tile[t], units[0], thresholds, True, n_held, slots[0], worth[0], counted)
        _value(tile[t], units[1], thresholds, False, n_owed, slots[1], worth[1], debt)
        _health(counted, debt, end)
        if t == 0:
            start[:] = end
        if bridged and t > 0:
            _bridge_minimum(start, end, variance, twice_log[t], mark)
        else:
            mark[:] = end
        for k in range(LANES):
            lowest[k] = min(lowest[k], mark[k])
        for k in range(width):
            if mark[k] < call or state[k, _DUE] == t or state[k, _OPEN] == 1:
                _act(
                    k,
                    t,
                    tile[t],
                    first_path + k,
                    thresholds,
                    impacts,
                    rules,
                    switches,
                    cure_key,
                    units,
                    worth,
                    lane,
                    state[k],
                    n_held,
                    n_owed,
                    slots,
                    market,
                    amounts[k],
                    events[k],
                )
    last = tile.shape[0] - 1
    for k in range(width):
        value = 0.0
        for j in range(n_held):
            i = slots[0, j]
            value += units[0, i, k] * tile[last, i, k]
        amounts[k, SHORTFALL] = max(debt[k] - value, 0.0)
        amounts[k, OUTSTANDING] = debt[k]
        amounts[k, REMAINING] = value
        amounts[k, INTEREST] = interest[k]
        amounts[k, MIN_HEALTH] = lowest[k]
        if amounts[k, SHORTFALL] > 0.0:
            events[k, SHORT] = last


@njit(cache=True, nogil=True, error_model="numpy")
def _act(  # type: ignore[no-untyped-def]
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
    counted, debt, mark = lane[2], lane[3], lane[4, k]
    health_at_end = lane[1, k]
    healthy_at_start = lane[0, k] >= 1.0
    delay = switches[DELAY]
    mode = switches[SALE_PRICE]
    sold = 0.0
    sells = False
    forced = False
    if state[_DUE] == t:
        sells = True
        forced = state[_FORCED] == 1
        state[_DUE] = NEVER
    if mark < rules[CALL] and state[_OPEN] != 1:
        state[_OPEN] = 1
        state[_DEADLINE] = t + switches[CURE_STEPS]
        state[_CALLS] += 1
        if events[CALLED] == NEVER:
            events[CALLED] = t
    # A sale in this step answers this step's mark: it does not trigger another.
    if mark < 1.0 and not sells and state[_DUE] == NEVER and counted[k] > 0.0:
        if delay == 0:
            sells = True
        else:
            state[_DUE] = t + delay
            state[_FORCED] = 0
    if sells:
        factor = price_factor(mode, forced, health_at_end, healthy_at_start)
        sold = _sell_lane(
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
    if state[_OPEN] != 1 or t < state[_DEADLINE]:
        return
    health = counted[k] / debt[k] if debt[k] > 0.0 else np.inf
    if health >= rules[RESTORE]:
        state[_OPEN] = NEVER
        return
    if t > state[_DEADLINE]:
        return
    if counted[k] > 0.0 and uniform(cure_key, path, state[_CALLS] - 1, 0) < rules[CURE]:
        ratio = rules[RESTORE] / health
        for j in range(n_held):
            i = slots[0, j]
            amounts[TOP_UP] += units[0, i, k] * prices[i, k] * (ratio - 1.0)
            units[0, i, k] *= ratio
            worth[0, i, k] *= ratio
        counted[k] *= ratio
        state[_OPEN] = NEVER
        state[_DUE] = NEVER
        if events[CURED] == NEVER:
            events[CURED] = t
        return
    if switches[UNCURED_SELLS] != 1:
        return
    state[_OPEN] = NEVER
    if state[_DUE] != NEVER or counted[k] <= 0.0:
        return
    if delay > 0:
        state[_DUE] = t + delay
        state[_FORCED] = 1
        return
    _sell_lane(
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
def _sell_lane(  # type: ignore[no-untyped-def]
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
    counted, debt = lane[2], lane[3]
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
