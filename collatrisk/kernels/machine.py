"""The state machine of the margin engine: one account over a tile of up to 64 lanes, with calls, cures and sales.

Values, health factors and bridge minima are computed for all lanes at once; the rules are scalar code that only runs on
the lanes and steps where something is due. A lane begins at a step of its path before which nothing happens to it, and
the lanes of a tile are in the order of those steps: the longest first, so that the tile narrows as lanes end. No lane
depends on another, nor on the tile that it falls in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.absorb import resell
from collatrisk.kernels.columns import (
    CALL,
    GROWTH,
    INTEREST,
    LOSS,
    MIN_HEALTH,
    N_ALL_AMOUNTS,
    N_EVENTS,
    OUTSTANDING,
    REMAINING,
    RESALE_STEPS,
    RESTORE,
    SHORT,
    SHORTFALL,
    TRIGGER,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.lanes import EIGHT, LANES, bridge_minimum, bridge_variance, health_factors, value_slots
from collatrisk.kernels.margin_rules import (
    CALLS,
    COUNTED,
    CREDIT,
    DEADLINE,
    DEBT,
    DUE,
    END_HEALTH,
    INTEREST as INTEREST_SO_FAR,
    LOWEST,
    MARK,
    N_SCRATCH,
    N_STATES,
    N_VECTORS,
    NEVER,
    OPEN,
    PAID,
    START,
    TAKEN_AT,
    VARIANCE,
    act,
    is_due,
)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def whole_eights(width):  # type: ignore[no-untyped-def]
    """`width` up to a whole number of eights: vector code has no rest to do."""
    return -(-width // EIGHT) * EIGHT


def open_room(n_rows: int, n_slots: int) -> tuple[NDArray[np.float64] | NDArray[np.int64] | NDArray[np.int32], ...]:
    """Memory for tiles of `n_rows` steps.

    tile, spread, twice_log : prices (cash costs 1), standard deviations and -2 ln U of the lanes, by local step.
    units : held, owed, and taken over by a fund or pool. worth : held and owed. shares : of the bridge.
    lane, state : vectors and whole numbers by lane. slots, rho : of `find_slots`. market : scratch of a sale.
    ones : weights of debts. lanes, base : paths and the steps with which they begin. amounts, events : of the lanes.
    """
    return (
        np.ones((n_rows, n_slots, LANES)),
        np.empty((n_rows, n_slots, LANES)),
        np.empty((n_rows, LANES)),
        np.empty((3, n_slots, LANES)),
        np.empty((2, n_slots, LANES)),
        np.empty((n_slots, LANES)),
        np.empty((N_VECTORS, LANES)),
        np.empty((LANES, N_STATES), np.int64),
        np.empty((3, n_slots), np.int64),
        np.empty((n_slots, n_slots)),
        np.empty((N_SCRATCH, n_slots + 1)),
        np.ones(n_slots),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.empty((LANES, N_ALL_AMOUNTS)),
        np.empty((LANES, N_EVENTS), np.int32),
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def open_lanes(  # type: ignore[no-untyped-def]
    held, owed, growth, prices, narrow, columns, n_assets, n_paths, lanes, base, n, slots, n_owed, units, interest
):
    """Units and interest of lanes that begin at step `base`, before which nothing but interest happens to them."""
    for i in range(held.size):
        for k in range(n):
            units[0, i, k] = held[i]
            units[1, i, k] = owed[i]
    cash = held.size - 1
    for k in range(n):
        interest[k] = 0.0
        for t in range(base[k] if growth != 1.0 else 0):
            debt = 0.0
            for j in range(n_owed):
                i = slots[1, j]
                price = 1.0
                if i < cash:
                    at = (t * n_assets + columns[i]) * n_paths + lanes[k]
                    price = np.float64(narrow[at]) if narrow.size > 0 else prices[at]
                debt += units[1, i, k] * price
                units[1, i, k] *= growth
            interest[k] += debt * (growth - 1.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _clear(n, worth, lane, state, amounts, events):  # type: ignore[no-untyped-def]
    """All lanes as they are before their first step."""
    for i in range(worth.shape[1]):
        for k in range(n):
            worth[0, i, k] = 0.0
            worth[1, i, k] = 0.0
    for k in range(n):
        lane[LOWEST, k] = np.inf
        lane[CREDIT, k] = 0.0
        for m in range(amounts.shape[1]):
            amounts[k, m] = 0.0
        for m in range(events.shape[1]):
            events[k, m] = NEVER
        for m in range(state.shape[1]):
            state[k, m] = NEVER
        state[k, CALLS] = 0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _grow(growth, n, slots, n_owed, units, worth, debt, interest):  # type: ignore[no-untyped-def]
    for k in range(n):
        interest[k] += debt[k] * (growth - 1.0)
        debt[k] *= growth
    for j in range(n_owed):
        i = slots[1, j]
        for k in range(n):
            units[1, i, k] *= growth
            worth[1, i, k] *= growth


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _close(  # type: ignore[no-untyped-def]
    k, tile, begun, n_steps, impacts, by_slot, switches, units, lane, state, slots, n_held, market, amounts, events
):
    """What a lane ends with, at the last step of its path; `begun` is the step with which it began."""
    if state[k, TAKEN_AT] != NEVER:
        sold_at = min(state[k, TAKEN_AT] + switches[RESALE_STEPS], n_steps) - begun
        for j in range(n_held):
            i = slots[0, j]
            market[0, i] = units[2, i, k] * tile[sold_at, i, k]
        resell(market[0], impacts, by_slot, n_held, slots[0], lane[PAID, k], amounts[k])
    value = lane[CREDIT, k]
    for j in range(n_held):
        i = slots[0, j]
        value += units[0, i, k] * tile[n_steps - begun, i, k]
    amounts[k, SHORTFALL] = max(lane[DEBT, k] - value, 0.0) + amounts[k, LOSS]
    amounts[k, OUTSTANDING] = lane[DEBT, k]
    amounts[k, REMAINING] = value
    amounts[k, INTEREST] = lane[INTEREST_SO_FAR, k]
    amounts[k, MIN_HEALTH] = lane[LOWEST, k]
    if amounts[k, SHORTFALL] > 0.0:
        events[k, SHORT] = n_steps


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def run_account(  # type: ignore[no-untyped-def]
    tile, spread, twice_log, bridged, rho, first_path, lanes, base, width, n_steps, thresholds, ones, impacts, by_slot,
    rules, switches, cure_key, units, worth, shares, lane, state, slots, n_held, n_owed, n_risky, market, amounts,
    events,
):  # fmt: skip
    """One account on the lanes of a tile, as `open_lanes` left them: `lanes` count from `first_path`; the first `width`
    of them matter."""
    counted, debt, mark, lowest = lane[COUNTED], lane[DEBT], lane[MARK], lane[LOWEST]
    start, end, variance, interest = lane[START], lane[END_HEALTH], lane[VARIANCE], lane[INTEREST_SO_FAR]
    growth, call, restore, trigger = rules[GROWTH], rules[CALL], rules[RESTORE], rules[TRIGGER]
    n = whole_eights(width)
    _clear(n, worth, lane, state, amounts, events)
    for s in range(n_steps - base[0] + 1):
        if s > 0:
            # Now `worth`, `counted` and `debt` are still those of the end of the last step, after its actions.
            if growth != 1.0:
                _grow(growth, n, slots, n_owed, units, worth, debt, interest)
            health_factors(counted, debt, n, start)
            if bridged:
                bridge_variance(worth, spread, s, counted, debt, n_risky, slots, rho, n, shares, variance)
        value_slots(0, tile, s, units, thresholds, n_held, slots, n, worth, counted)
        value_slots(1, tile, s, units, ones, n_owed, slots, n, worth, debt)
        health_factors(counted, debt, n, end)
        if bridged and s > 0:
            bridge_minimum(start, end, variance, twice_log, s, n, mark)
        else:
            for k in range(n):
                mark[k] = end[k]
                start[k] = end[k] if s == 0 else start[k]
        for k in range(n):
            lowest[k] = min(lowest[k], mark[k])
        for k in range(width):
            due, opened, deadline = state[k, DUE], state[k, OPEN], state[k, DEADLINE]
            if is_due(due, opened, deadline, base[k] + s, mark[k], end[k], call, restore, trigger):
                act(
                    k, base[k] + s, tile, s, first_path + lanes[k], impacts, by_slot, rules, switches, cure_key, units,
                    worth, lane, state, n_held, n_owed, slots, market, amounts, events,
                )  # fmt: skip
        while width > 0 and base[width - 1] + s == n_steps:
            width -= 1
            _close(
                width, tile, base[width], n_steps, impacts, by_slot, switches, units, lane, state, slots, n_held,
                market, amounts, events,
            )  # fmt: skip
        n = whole_eights(width)
