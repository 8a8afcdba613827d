"""The state machine of the margin engine: one account over a tile of 64 paths, with calls, cures and sales.

Values, health factors and bridge minima are computed for all lanes at once; the rules are scalar code that only runs on
the lanes and steps where something is due. No lane depends on another, nor on the tile that it falls in.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.absorb import resell
from collatrisk.kernels.columns import (
    CALL,
    GROWTH,
    INTEREST,
    LOSS,
    MIN_HEALTH,
    OUTSTANDING,
    REMAINING,
    RESALE_STEPS,
    RESTORE,
    SHORT,
    SHORTFALL,
    TRIGGER,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.lanes import LANES, bridge_minimum, bridge_variance, find_slots, health_factors, value_slots
from collatrisk.kernels.margin_rules import (
    CALLS,
    COUNTED,
    CREDIT,
    DEBT,
    END_HEALTH,
    INTEREST as INTEREST_SO_FAR,
    LOWEST,
    MARK,
    NEVER,
    PAID,
    START,
    TAKEN_AT,
    VARIANCE,
    act,
    is_due,
)


@njit(cache=True, nogil=True, error_model="numpy")
def run_account(  # type: ignore[no-untyped-def]
    tile, spread, twice_log, bridged, correlation, first_path, lanes, width, thresholds, impacts, by_slot, rules,
    switches, cure_key, units, worth, shares, lane, state, slots, rho, market, amounts, events,
):  # fmt: skip
    """One account on the paths of a tile: `lanes` count from `first_path`; the first `width` of them matter."""
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
    lane[CREDIT] = 0.0
    worth[:] = 0.0
    n_held, n_owed, n_risky = find_slots(units, correlation, slots, rho)
    growth = rules[GROWTH]
    call = rules[CALL]
    restore = rules[RESTORE]
    trigger = rules[TRIGGER]
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
            if is_due(state[k], t, mark[k], end[k], call, restore, trigger):
                act(
                    k, t, tile[t], first_path + lanes[k], impacts, by_slot, rules, switches, cure_key, units, worth,
                    lane, state[k], n_held, n_owed, slots, market, amounts[k], events[k],
                )  # fmt: skip
    last = tile.shape[0] - 1
    for k in range(width):
        if state[k, TAKEN_AT] != NEVER:
            sold_at = min(state[k, TAKEN_AT] + switches[RESALE_STEPS], last)
            for j in range(n_held):
                i = slots[0, j]
                market[0, i] = units[2, i, k] * tile[sold_at, i, k]
            resell(market[0], impacts, by_slot, n_held, slots[0], lane[PAID, k], amounts[k])
        value = lane[CREDIT, k]
        for j in range(n_held):
            i = slots[0, j]
            value += units[0, i, k] * tile[last, i, k]
        amounts[k, SHORTFALL] = max(debt[k] - value, 0.0) + amounts[k, LOSS]
        amounts[k, OUTSTANDING] = debt[k]
        amounts[k, REMAINING] = value
        amounts[k, INTEREST] = interest[k]
        amounts[k, MIN_HEALTH] = lowest[k]
        if amounts[k, SHORTFALL] > 0.0:
            events[k, SHORT] = last
