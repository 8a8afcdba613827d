"""The margin engine: from a block of price paths to what happened to each account on each path.

Paths go through in tiles of 64 lanes (measured: 8 lanes cost three times as much, 128 no less). A tile is copied once
into contiguous scratch (in the block its lines are a power of two apart and would evict each other) and then serves
every account. Values, health factors and bridge minima are computed for all lanes at once in vector code; the rules
(call, cure, sale) are scalar code that only runs on the lanes and steps where something is due. No lane ever depends
on another, so results do not depend on the block size.

Slots: the assets in use, then cash at price 1 in the last slot.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from collatrisk.kernels.lanes import (
    LANES,
    bridge_minimum,
    bridge_variance,
    find_slots,
    health_factors,
    load_prices,
    load_spread,
    load_twice_log,
    value_slots,
)
from collatrisk.kernels.margin_rules import (
    CALLS,
    COUNTED,
    DEBT,
    DUE,
    END_HEALTH,
    INTEREST as INTEREST_SO_FAR,
    LOWEST,
    MARK,
    N_STATES,
    N_VECTORS,
    NEVER,
    OPEN,
    START,
    VARIANCE,
    act,
)
from collatrisk.kernels.sale import (
    BRIDGE,
    CALL,
    GROWTH,
    INTEREST,
    MIN_HEALTH,
    OUTSTANDING,
    REMAINING,
    SHORT,
    SHORTFALL,
)


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
    lane = np.empty((N_VECTORS, LANES))
    state = np.empty((LANES, N_STATES), np.int64)
    slots = np.empty((3, n_slots), np.int64)
    rho = np.empty((n_slots, n_slots))
    market = np.empty((2, n_slots))
    for first in range(0, n_paths, LANES):
        width = min(LANES, n_paths - first)
        load_prices(prices, columns, first, width, tile)
        if bridged:
            load_spread(variance, columns, first, width, spread)
            load_twice_log(bridge_key, first_path + first, twice_log)
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
    start = lane[START]
    end = lane[END_HEALTH]
    counted = lane[COUNTED]
    debt = lane[DEBT]
    mark = lane[MARK]
    lowest = lane[LOWEST]
    variance = lane[VARIANCE]
    interest = lane[INTEREST_SO_FAR]
    amounts[:] = 0.0
    events[:] = NEVER
    state[:] = NEVER
    state[:, CALLS] = 0
    lowest[:] = np.inf
    interest[:] = 0.0
    worth[:] = 0.0
    n_held, n_owed, n_risky = find_slots(units, correlation, slots, rho)
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
            health_factors(counted, debt, start)
            if bridged:
                bridge_variance(worth, spread[t], counted, debt, n_risky, slots[2], rho, shares, variance)
        value_slots(tile[t], units[0], thresholds, True, n_held, slots[0], worth[0], counted)
        value_slots(tile[t], units[1], thresholds, False, n_owed, slots[1], worth[1], debt)
        health_factors(counted, debt, end)
        if t == 0:
            start[:] = end
        if bridged and t > 0:
            bridge_minimum(start, end, variance, twice_log[t], mark)
        else:
            mark[:] = end
        for k in range(LANES):
            lowest[k] = min(lowest[k], mark[k])
        for k in range(width):
            if mark[k] < call or state[k, DUE] == t or state[k, OPEN] == 1:
                act(
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
