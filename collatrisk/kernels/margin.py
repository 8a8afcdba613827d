"""The margin engine: from a block of price paths to what happened to each account on each path.

Two passes. The first (`collatrisk.kernels.quiet`, `collatrisk.kernels.quiet_bridge`) follows every account as if
nothing happened, in vector code, and finds the paths on which something may. The second runs the state machine
(`collatrisk.kernels.machine`) on those, gathered into tiles, from the step on which it may happen. No lane depends on
another, nor on the tile it falls in, so results do not depend on the block size.

Few paths have events, so outcomes are sparse: a path on which nothing happens has only the columns INTEREST
to COLLATERAL_LOSS; those with events have rows of everything else as well. What the collateral as put in has lost is
the first pass's answer on every path.

Slots: the assets in use, then cash at price 1 in the last slot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.bridge_uniforms import lead_rows
from collatrisk.kernels.columns import BRIDGE, CALL, GROWTH, INTEREST, MIN_HEALTH, N_EVENTS
from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.lanes import LANES, find_slots, load_roots, load_rows, load_twice_log
from collatrisk.kernels.machine import open_lanes, open_room, run_account, whole_eights
from collatrisk.kernels.margin_rules import INTEREST as INTEREST_OF_LANE
from collatrisk.kernels.quiet import (
    DEBT,
    INTEREST as INTEREST_OF_TILE,
    LOWEST,
    N_WORK,
    NEAR,
    TILE,
    fill,
    follow,
    note_eventful,
    open_book,
    value_assets,
)
from collatrisk.kernels.quiet_bridge import AT_ONCE, SHARES, follow_bridges, load_leads

_Floats = NDArray[np.float64]
_Reals = NDArray[np.float64] | NDArray[np.float32]
_Wholes = NDArray[np.int64]


def find_eventful(
    prices: _Reals, variance: _Reals, n_assets: int, n_paths: int, columns: _Wholes, correlation: _Floats,
    first_path: int, n_steps: int, held: _Floats, owed: _Floats, thresholds: _Floats, rules: _Floats, switches: _Wholes,
    bridge_key: np.uint64, kept: _Floats, eventful: _Wholes, starts: _Wholes, n_eventful: _Wholes,
    floors: _Floats | None = None,
) -> None:  # fmt: skip
    """Follow every account as if nothing happened, and list the paths on which something may.

    Scratch is made here, so that the kernel can do without counts of references.

    Parameters
    ----------
    prices : float64 or float32, flat (>= n_steps + 1, n_assets, n_paths), currency per unit.
    variance : as `prices`, flat (>= n_steps, n_assets, n_paths), of the log-return steps; without elements: no bridge.
    columns : int64 (n_slots - 1,), the asset behind each slot but the last, which is cash.
    correlation : float64 (n_slots - 1, n_slots - 1), of the slots' steps.
    first_path : int, index of path 0 in the whole source.
    n_steps : int, steps to run.
    held, owed, thresholds : float64 (n_accounts, n_slots), units and shares that count.
    rules : float64 (n_accounts, N_RULES). switches : int64 (n_accounts, N_SWITCHES).
    bridge_key : uint64, the stream's key.
    kept : float64 (>= n_accounts, N_COLUMNS, n_paths), overwritten: the columns of paths without events.
    eventful, starts : int64 (n_accounts, n_paths), overwritten: the paths in ascending order, and the step from which
        on to run each. n_eventful : int64 (n_accounts,), overwritten.
    floors : float64 (n_accounts,), down to which the lowest health factors in `kept` are wanted, where they are below
        the level of the call; None: no further than that level.
    """
    n_slots = columns.size + 1
    floors = np.maximum(rules[:, CALL], 1.0) if floors is None else floors
    bridged = variance.size > 0 and bool((switches[:, BRIDGE] == 1).any())
    rows = n_steps + 1 if bridged else 1
    _find_eventful(
        prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds, rules,
        switches, floors, bridge_key, kept, eventful, starts, n_eventful, bridged, np.empty(3 * rows * TILE),
        np.empty(lead_rows(n_steps) * TILE, np.uint64), np.empty(2 * AT_ONCE, np.int64),
        np.empty((SHARES + 2 + n_slots) * AT_ONCE + rows), np.ones(N_WORK), np.empty((3, n_slots)),
        np.empty((n_slots, n_slots)), np.empty((2, 3, n_slots), np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _find_eventful(  # type: ignore[no-untyped-def]
    prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds, rules,
    switches, floors, bridge_key, kept, eventful, starts, n_eventful, bridged, history, leads, near, packed, work,
    scratch, rho, slots,
):  # fmt: skip
    n_accounts = held.shape[0]
    rows = n_steps + 1 if bridged else 1
    for a in range(n_accounts):
        n_eventful[a] = 0
    for first in range(0, n_paths, TILE):
        width = min(TILE, n_paths - first)
        if bridged:
            load_leads(bridge_key, first_path + first, n_steps, leads)
        for a in range(n_accounts):
            book = open_book(held[a], owed[a], thresholds[a], columns, correlation, slots[0], slots[1], scratch, rho)
            level = max(rules[a, CALL], 1.0) * NEAR
            debt = follow(
                prices, n_assets, n_paths, first, width, n_steps, rules[a, GROWTH], level, held[a], owed[a],
                thresholds[a], book, history, rows, work,
            )  # fmt: skip
            if bridged and switches[a, BRIDGE] == 1:
                follow_bridges(
                    prices, variance, n_assets, n_paths, first, width, n_steps, rules[a, GROWTH], level,
                    min(floors[a] * NEAR, level), held[a], owed[a], thresholds[a], book, rho, bridge_key,
                    first_path + first, leads, history, near, packed, work,
                )  # fmt: skip
            n_eventful[a] = note_eventful(work, level, first, width, eventful[a], starts[a], n_eventful[a])
            _write_columns(
                prices, n_assets, n_paths, first, width, n_steps, held[a], debt, book, history, rows, work, kept[a]
            )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _write_columns(  # type: ignore[no-untyped-def]
    prices, n_assets, n_paths, first, width, n_steps, held, debt, book, history, rows, work, kept
):
    """The columns of the paths of a tile if nothing happens on them."""
    last = first + width
    _, places, _, _, n_held, n_owed, _, packed = book
    _copy(work[INTEREST_OF_TILE : INTEREST_OF_TILE + width], kept[0, first:last])
    if n_owed == 0:
        fill(debt, kept[1, first:last])
    else:
        at = (DEBT * rows + rows - 1) * TILE
        _copy(history[at : at + width], kept[1, first:last])
    cash, value, lost = held[held.size - 1], kept[2, first:last], kept[4, first:last]
    value_assets(prices, first, n_paths, width, cash, packed, places[0], n_held, lost)
    start = n_steps * n_assets * n_paths + first
    value_assets(prices, start, n_paths, width, cash, packed, places[0], n_held, value)
    _copy(work[LOWEST : LOWEST + width], kept[3, first:last])
    for k in range(width):
        lost[k] -= value[k]


@leaf()
def _copy(row, out):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        out[k] = row[k]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _by_start(starts, n, n_steps, places, order):  # type: ignore[no-untyped-def]
    """`order` <- 0 to n - 1 by their starting steps, ascending; `places` is scratch."""
    for t in range(n_steps + 2):
        places[t] = 0
    for j in range(n):
        places[starts[j] + 1] += 1
    for t in range(n_steps + 1):
        places[t + 1] += places[t]
    for j in range(n):
        order[places[starts[j]]] = j
        places[starts[j]] += 1


def run_eventful(
    prices: _Reals, variance: _Reals, n_assets: int, n_paths: int, columns: _Wholes, correlation: _Floats,
    first_path: int, n_steps: int, held: _Floats, owed: _Floats, thresholds: _Floats, impacts: _Floats,
    by_slot: _Floats, rules: _Floats, switches: _Wholes, bridge_key: np.uint64, cure_key: np.uint64, lists: _Wholes,
    eventful: _Wholes, starts: _Wholes, n_eventful: _Wholes, amounts: _Floats, events: NDArray[np.int32], kept: _Floats,
) -> None:  # fmt: skip
    """The state machine on the paths of each account that `find_eventful` listed; most parameters as there.

    Accounts may share a list: neighbours with the same holdings under different terms.

    Parameters
    ----------
    impacts : float64 (n_accounts, n_slots). by_slot : float64 (n_accounts, N_BY_SLOT, n_slots).
    cure_key : uint64, the stream's key.
    lists : int64 (n_accounts,), ascending: the row of `eventful`, `starts` and `n_eventful` that each account runs.
    amounts : float64 (runs, N_AMOUNTS or N_ALL_AMOUNTS or 0), overwritten: account after account, in the order of
        `eventful`. events : int32 (runs, N_EVENTS), overwritten: step of the first occurrence or -1.
    kept : the columns, overwritten where there are events; without elements: not wanted.
    """
    none: _Reals = np.empty(0, np.float32)
    wide, narrow = (prices, variance), (none, none)
    if prices.dtype == np.float32:
        none = np.empty(0)
        wide, narrow = (none, none), wide
    _run_eventful(
        *wide, *narrow, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds, impacts,
        by_slot, rules, switches, bridge_key, cure_key, lists, eventful, starts, n_eventful, amounts, events, kept,
        open_room(n_steps + 1, columns.size + 1), np.empty(n_steps + 2, np.int64), np.empty(n_paths, np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _run_eventful(  # type: ignore[no-untyped-def]
    prices, variance, narrow, narrow_variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed,
    thresholds, impacts, by_slot, rules, switches, bridge_key, cure_key, lists, eventful, starts, n_eventful, amounts,
    events, kept, room, places, order,
):  # fmt: skip
    """The prices and variances are those that have elements, in double or in single precision: they are read in few
    places, so that one compilation serves both."""
    n_rows = n_steps + 1
    single = narrow.size > 0
    bridged = variance.size > 0 or narrow_variance.size > 0
    (
        tile, spread, twice_log, units, worth, shares, lane, state, slots, rho, market, ones, lanes, base, of_lanes,
        on_lanes,
    ) = room  # fmt: skip
    row = next_account = 0
    for which in range(n_eventful.size):
        first_account = next_account
        with_bridge = False
        while next_account < lists.size and lists[next_account] == which:
            with_bridge = with_bridge or (bridged and switches[next_account, BRIDGE] == 1)
            next_account += 1
        if next_account == first_account:
            continue
        found = n_eventful[which]
        _by_start(starts[which], found, n_steps, places, order)
        n_held, n_owed, n_risky = find_slots(held[first_account], owed[first_account], correlation, slots, rho)
        for done in range(0, found, LANES):
            width = min(LANES, found - done)
            n = whole_eights(width)
            # Lanes beyond the last path repeat it.
            for k in range(n):
                j = order[done + min(k, width - 1)]
                lanes[k], base[k] = eventful[which, j], starts[which, j]
            end = n_rows - base[0]
            for m in range(n_risky):
                i = slots[2, m]
                row_of_tile, roots = tile[:end, i], spread[1:end, i]
                if single:
                    load_rows(narrow, columns[i], n_assets, n_paths, lanes, base, n, row_of_tile)
                    if with_bridge:
                        load_roots(narrow_variance, columns[i], n_assets, n_paths, lanes, base, n, roots)
                else:
                    load_rows(prices, columns[i], n_assets, n_paths, lanes, base, n, row_of_tile)
                    if with_bridge:
                        load_roots(variance, columns[i], n_assets, n_paths, lanes, base, n, roots)
            if with_bridge:
                load_twice_log(bridge_key, first_path, lanes, base, n, twice_log[:end])
            for a in range(first_account, next_account):
                open_lanes(
                    held[a], owed[a], rules[a, GROWTH], prices, narrow, columns, n_assets, n_paths, lanes, base, n,
                    slots, n_owed, units, lane[INTEREST_OF_LANE],
                )  # fmt: skip
                run_account(
                    tile, spread, twice_log, bridged and switches[a, BRIDGE] == 1, rho, first_path, lanes, base, width,
                    n_steps, thresholds[a], ones, impacts[a], by_slot[a], rules[a], switches[a], cure_key, units, worth,
                    shares, lane, state, slots, n_held, n_owed, n_risky, market, of_lanes, on_lanes,
                )  # fmt: skip
                for k in range(width):
                    at = row + (a - first_account) * found + order[done + k]
                    for m in range(amounts.shape[1]):
                        amounts[at, m] = of_lanes[k, m]
                    for m in range(N_EVENTS):
                        events[at, m] = on_lanes[k, m]
                    for m in range(MIN_HEALTH + 1 - INTEREST if kept.size > 0 else 0):
                        kept[a, m, lanes[k]] = of_lanes[k, INTEREST + m]
        row += (next_account - first_account) * found
