"""The margin engine: from a block of price paths to what happened to each account on each path.

Two passes. The first (`collatrisk.kernels.quiet`) follows every account as if nothing happened, in vector code, and
finds the paths on which something may. Those are gathered into tiles of 64 lanes for the second, the state machine:
values, health factors and bridge minima of all lanes at once; the rules (call, cure, sale) are scalar code that only
runs on the lanes and steps where something is due. No lane depends on another, nor on the tile it falls in, so results
do not depend on the block size.

Slots: the assets in use, then cash at price 1 in the last slot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.columns import (
    BRIDGE,
    CALL,
    COLLATERAL_LOSS,
    GROWTH,
    INTEREST,
    MIN_HEALTH,
    N_ALL_AMOUNTS,
    N_EVENTS,
    OUTSTANDING,
    REMAINING,
    SHORT,
    SHORTFALL,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.lanes import LANES, load_prices, load_spread, load_twice_log
from collatrisk.kernels.machine import run_account
from collatrisk.kernels.margin_rules import N_SCRATCH, N_STATES, N_VECTORS, NEVER
from collatrisk.kernels.quiet import (
    DEBT as DEBT_OF_TILE,
    INTEREST as INTEREST_OF_TILE,
    LOWEST as LOWEST_HEALTH,
    N_WORK,
    NEAR,
    TILE,
    VALUE,
    follow,
    load_steps,
    note_eventful,
    open_book,
    value_assets,
)

FloatArray = NDArray[np.float64]
PathArray = NDArray[np.float64] | NDArray[np.float32]
IntArray = NDArray[np.int64]


def margin_block(
    prices: PathArray,
    variance: PathArray,
    columns: IntArray,
    correlation: FloatArray,
    first_path: int,
    n_steps: int,
    held: FloatArray,
    owed: FloatArray,
    thresholds: FloatArray,
    impacts: FloatArray,
    by_slot: FloatArray,
    rules: FloatArray,
    switches: IntArray,
    bridge_key: np.uint64,
    cure_key: np.uint64,
    amounts: FloatArray,
    events: NDArray[np.int32],
) -> None:
    """Run every account over every path of a block: the two passes, one kernel each (one for both compiles longer).

    Parameters
    ----------
    prices : float64 or float32 (>= n_steps + 1, n_assets, n_paths), currency per unit.
    variance : as `prices` (>= n_steps, n_assets, n_paths), of the log-return steps; (0, 0, 0): no bridge.
    columns : int64 (n_slots - 1,), the asset behind each slot but the last, which is cash.
    correlation : float64 (n_slots - 1, n_slots - 1), of the slots' steps.
    first_path : int, index of path 0 in the whole source.
    n_steps : int, steps to run.
    held, owed : float64 (n_accounts, n_slots), units.
    thresholds, impacts : float64 (n_accounts, n_slots). by_slot : float64 (n_accounts, N_BY_SLOT, n_slots).
    rules : float64 (n_accounts, N_RULES). switches : int64 (n_accounts, N_SWITCHES).
    bridge_key, cure_key : uint64, the streams' keys.
    amounts : float64 (n_accounts, n_paths, N_AMOUNTS or N_ALL_AMOUNTS), overwritten.
    events : int32 (n_accounts, n_paths, N_EVENTS), step of the first occurrence or -1, overwritten.
    """
    eventful = np.empty((held.shape[0], prices.shape[2]), np.int64)
    n_eventful = np.zeros(held.shape[0], np.int64)
    _find_eventful(
        prices, variance, columns, correlation, first_path, n_steps, held, owed, thresholds, rules, switches,
        bridge_key, eventful, n_eventful, amounts, events,
    )  # fmt: skip
    _run_eventful(
        prices, variance, columns, correlation, first_path, n_steps, held, owed, thresholds, impacts, by_slot, rules,
        switches, bridge_key, cure_key, eventful, n_eventful, amounts, events,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _find_eventful(  # type: ignore[no-untyped-def]
    prices, variance, columns, correlation, first_path, n_steps, held, owed, thresholds, rules, switches, bridge_key,
    eventful, n_eventful, amounts, events,
):  # fmt: skip
    """Every outcome as if nothing happened, and the paths of each account on which something may."""
    n_paths = prices.shape[2]
    n_slots = columns.size + 1
    n_accounts = held.shape[0]
    bridged = False
    for a in range(n_accounts):
        bridged = bridged or (variance.shape[0] > 0 and switches[a, BRIDGE] == 1)
    spread = np.zeros((n_steps + 1, n_slots if bridged else 0, TILE))
    twice_log = np.zeros((n_steps + 1, TILE))
    work = np.ones(N_WORK)
    shares = np.empty((n_slots, TILE))
    at_start = np.empty(TILE)
    scratch = np.empty((3, n_slots))
    cash = n_slots - 1
    slots = np.empty((2, 3, n_slots), np.int64)
    rho = np.empty((n_slots, n_slots))
    for first in range(0, n_paths, TILE):
        width = min(TILE, n_paths - first)
        if bridged:
            load_steps(variance, columns, first, width, bridge_key, first_path, spread, twice_log)
        for a in range(n_accounts):
            book = open_book(held[a], owed[a], thresholds[a], columns, correlation, slots[0], slots[1], scratch, rho)
            follow(
                prices, first, width, n_steps, bridged and switches[a, BRIDGE] == 1, spread, twice_log,
                rules[a, GROWTH], held[a], owed[a], thresholds[a], columns, rho, book, shares, work,
            )  # fmt: skip
            level = max(rules[a, CALL], 1.0) * NEAR
            n_eventful[a] = note_eventful(work, level, first, width, eventful[a], n_eventful[a])
            at_end = work[VALUE : VALUE + TILE]
            _value(prices[0], first, first + width, held[a, cash], book[7], book[1][0], book[4], at_start)
            _value(prices[n_steps], first, first + width, held[a, cash], book[7], book[1][0], book[4], at_end)
            _write_quiet(first, width, n_steps, at_start, work, amounts[a], events[a])


@njit(cache=True, nogil=True, error_model="numpy")
def _value(prices, first, last, cash, factors, assets, n, out):  # type: ignore[no-untyped-def]
    """`value_assets`, compiled once for both ends of a path."""
    value_assets(prices, first, last, cash, factors, assets, n, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _write_quiet(first, width, n_steps, at_start, work, amounts, events):  # type: ignore[no-untyped-def]
    """The outcome of each path of a tile if nothing happens on it."""
    for k in range(width):
        row = amounts[first + k]
        debt, value = work[DEBT_OF_TILE + k], work[VALUE + k]
        row[:] = 0.0
        row[SHORTFALL] = max(debt - value, 0.0)
        row[OUTSTANDING] = debt
        row[REMAINING] = value
        row[INTEREST] = work[INTEREST_OF_TILE + k]
        row[MIN_HEALTH] = work[LOWEST_HEALTH + k]
        row[COLLATERAL_LOSS] = at_start[k] - value
        events[first + k] = NEVER
        if row[SHORTFALL] > 0.0:
            events[first + k, SHORT] = n_steps


@njit(cache=True, nogil=True, error_model="numpy")
def _run_eventful(  # type: ignore[no-untyped-def]
    prices, variance, columns, correlation, first_path, n_steps, held, owed, thresholds, impacts, by_slot, rules,
    switches, bridge_key, cure_key, eventful, n_eventful, amounts, events,
):  # fmt: skip
    """The state machine on the paths of each account that the first pass found.

    What the collateral as put in has lost is the first pass's answer on every path.
    """
    n_slots = columns.size + 1
    bridged = variance.shape[0] > 0
    tile = np.ones((n_steps + 1, n_slots, LANES))
    spread = np.zeros((n_steps + 1, n_slots, LANES))
    twice_log = np.zeros((n_steps + 1, LANES))
    units = np.zeros((3, n_slots, LANES))  # held, owed, and taken over by a fund or pool
    worth = np.empty((2, n_slots, LANES))
    shares = np.empty((n_slots, LANES))
    lane = np.empty((N_VECTORS, LANES))
    state = np.empty((LANES, N_STATES), np.int64)
    slots = np.empty((3, n_slots), np.int64)
    rho = np.empty((n_slots, n_slots))
    market = np.empty((N_SCRATCH, n_slots + 1))
    lanes = np.empty(LANES, np.int64)
    of_lanes = np.empty((LANES, N_ALL_AMOUNTS))
    n_amounts = amounts.shape[2]
    on_lanes = np.empty((LANES, N_EVENTS), np.int32)
    for a in range(held.shape[0]):
        for start in range(0, n_eventful[a], LANES):
            width = min(LANES, n_eventful[a] - start)
            # Lanes beyond the last path repeat the first, so that loops over lanes have a fixed length.
            for k in range(LANES):
                lanes[k] = eventful[a, start + k if k < width else start]
            load_prices(prices, columns, lanes, tile)
            bridged_here = bridged and switches[a, BRIDGE] == 1
            if bridged_here:
                load_spread(variance, columns, lanes, spread)
                load_twice_log(bridge_key, first_path, lanes, twice_log)
            for i in range(n_slots):
                units[0, i, :] = held[a, i]
                units[1, i, :] = owed[a, i]
            run_account(
                tile, spread, twice_log, bridged_here, correlation, first_path, lanes, width, thresholds[a], impacts[a],
                by_slot[a], rules[a], switches[a], cure_key, units, worth, shares, lane, state, slots, rho, market,
                of_lanes, on_lanes,
            )  # fmt: skip
            for k in range(width):
                of_lanes[k, COLLATERAL_LOSS] = amounts[a, lanes[k], COLLATERAL_LOSS]
                amounts[a, lanes[k]] = of_lanes[k, :n_amounts]
                events[a, lanes[k]] = on_lanes[k]
