"""Shortfalls of one account under many terms at once: the counts of the margin engine from the few paths that matter.

Two ways to know that a path has no shortfall under some terms, without running it:

*Cover.* Let r be the value of the collateral over the debt if nothing is ever sold, p the penalty. A sale at a ratio
of at least 1 + p does not lower the ratio. Where r >= 1 + p at the end of every step, without price impact and with
every threshold at most 1 / (1 + p), every sale is of that kind, by induction over the sales: also one at the price of
the barrier, where the ratio is 1 / threshold. So the ratio never falls below r, and at the end it is above 1. This
serves all such terms at once.

*Health.* Where the health factor stays above the level at which anything can happen, nothing is sold. For terms that
only scale the thresholds, health factors scale too, so one pass serves them all.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.borrowed import borrowed
from collatrisk.kernels.bridge_uniforms import lead_rows
from collatrisk.kernels.columns import BRIDGE, GROWTH, SHORT
from collatrisk.kernels.jit import njit
from collatrisk.kernels.lanes import LANES, find_slots, load_roots, load_rows, load_twice_log
from collatrisk.kernels.machine import borrow_room, open_lanes, open_room, run_account, whole_eights
from collatrisk.kernels.margin_rules import INTEREST
from collatrisk.kernels.quiet import N_WORK, NEAR, NEARER, TILE, follow, note_eventful, open_book
from collatrisk.kernels.quiet_bridge import AT_ONCE, SHARES, follow_bridges, load_leads

COVERED = -1  # in `base`: terms for which the cover decides


@njit(cache=True, nogil=True, error_model="numpy")
def sweep_block(  # type: ignore[no-untyped-def]
    prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds, impacts,
    by_slot, rules, switches, base, levels, cover, bridge_key, cure_key, counts,
):  # fmt: skip
    """Add to `counts` the paths of a block that end with a shortfall under each of the terms.

    Parameters
    ----------
    prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, bridge_key, cure_key : as in
        `collatrisk.kernels.margin`.
    held, owed : float64 (n_slots,), the one account.
    thresholds, impacts, by_slot, rules, switches : of every terms, as there.
    base : int64 (n_terms,), COVERED, or the terms whose health factors decide: the terms themselves, or earlier ones
        of which they are a multiple.
    levels : float64 (n_terms,), the health factor of those base terms below which something may happen.
    cover : float64, 1 + p for the COVERED terms.
    counts : int64 (n_terms,), added to.
    """
    n_terms, n_slots = thresholds.shape[0], columns.size + 1
    bridged = variance.size > 0
    followed = np.zeros(n_terms, np.bool_)
    highest = np.zeros(n_terms)  # of the levels that the same terms decide
    with_bridge = False
    growth = rules[:, GROWTH].max()  # the ratio of collateral to debt is lowest where debts grow fastest
    for a in range(n_terms):
        followed[a] = base[a] == a
        with_bridge = with_bridge or (followed[a] and bridged and switches[a, BRIDGE] == 1)
        if base[a] >= 0:
            highest[base[a]] = max(highest[base[a]], levels[a])
    eventful = np.empty((n_terms + 1, n_paths), np.int64)
    starts = np.empty(n_paths, np.int64)
    n_eventful = np.zeros(n_terms + 1, np.int64)
    rows = n_steps + 1 if with_bridge else 1
    history = np.empty(3 * rows * TILE)
    leads = np.empty(lead_rows(n_steps) * TILE if with_bridge else 0, np.uint64)
    near = np.empty(2 * AT_ONCE, np.int64)
    packed = np.empty((SHARES + 2 + n_slots) * AT_ONCE + rows)
    work = np.ones(N_WORK)
    scratch = np.empty((3, n_slots))
    slots = np.empty((2, 3, n_slots), np.int64)
    rho = np.empty((n_slots, n_slots))
    ones = np.ones(n_slots)
    for first in range(0, n_paths, TILE):
        width = min(TILE, n_paths - first)
        if with_bridge:
            load_leads(bridge_key, first_path + first, n_steps, leads)
        if cover > 0.0:
            book = open_book(held, owed, ones, columns, correlation, slots[0], slots[1], scratch, rho)
            follow(
                prices, n_assets, n_paths, first, width, n_steps, growth, cover, held, owed, ones, book, history, rows,
                work,
            )  # fmt: skip
            n_eventful[n_terms] = note_eventful(
                work, cover, first, width, eventful[n_terms], starts, n_eventful[n_terms]
            )
        for a in range(n_terms):
            if not followed[a]:
                continue
            book = open_book(held, owed, thresholds[a], columns, correlation, slots[0], slots[1], scratch, rho)
            level = highest[a] * NEARER
            follow(
                prices, n_assets, n_paths, first, width, n_steps, rules[a, GROWTH], level, held, owed, thresholds[a],
                book, history, rows, work,
            )  # fmt: skip
            if with_bridge and switches[a, BRIDGE] == 1:
                follow_bridges(
                    prices, variance, n_assets, n_paths, first, width, n_steps, rules[a, GROWTH], level, held, owed,
                    thresholds[a], book, rho, bridge_key, first_path + first, leads, history, near, packed,
                    work,
                )  # fmt: skip
            for b in range(a, n_terms):
                if base[b] == a:
                    n_eventful[b] = note_eventful(
                        work, levels[b] * NEAR, first, width, eventful[b], starts, n_eventful[b]
                    )
    if cover > 0.0:
        _count_shortfalls(
            prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds,
            impacts, by_slot, rules, switches, base, COVERED, bridge_key, cure_key,
            eventful[n_terms, : n_eventful[n_terms]], counts,
        )  # fmt: skip
    for a in range(n_terms):
        if base[a] != COVERED:
            _count_shortfalls(
                prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed,
                thresholds[a : a + 1], impacts[a : a + 1], by_slot[a : a + 1], rules[a : a + 1], switches[a : a + 1],
                base[a : a + 1], base[a], bridge_key, cure_key, eventful[a, : n_eventful[a]], counts[a : a + 1],
            )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _count_shortfalls(  # type: ignore[no-untyped-def]
    prices, variance, n_assets, n_paths, columns, correlation, first_path, n_steps, held, owed, thresholds, impacts,
    by_slot, rules, switches, base, chosen, bridge_key, cure_key, paths, counts,
):  # fmt: skip
    """Run the terms whose `base` is the chosen one over some paths of the block, gathered once for all of them."""
    prices, variance, columns, held, owed = (
        borrowed(prices), borrowed(variance), borrowed(columns), borrowed(held), borrowed(owed)
    )  # fmt: skip
    thresholds, impacts, by_slot, rules, switches = (
        borrowed(thresholds), borrowed(impacts), borrowed(by_slot), borrowed(rules), borrowed(switches)
    )  # fmt: skip
    n_slots, n_rows = columns.size + 1, n_steps + 1
    bridged = variance.size > 0
    room = open_room(n_rows, n_slots)  # lanes begin at step 0: sales before the ratio falls below the cover count too
    (
        tile, spread, twice_log, units, worth, shares, lane, state, slots, rho, market, ones, lanes, begun, amounts,
        events,
    ) = borrow_room(room)  # fmt: skip
    for k in range(LANES):
        begun[k] = 0
    n_held, n_owed, n_risky = find_slots(held, owed, correlation, slots, rho)
    for start in range(0, paths.size, LANES):
        width = min(LANES, paths.size - start)
        n = whole_eights(width)
        for k in range(n):
            lanes[k] = paths[start + min(k, width - 1)]
        for m in range(n_risky):
            i = slots[2, m]
            load_rows(prices, columns[i], n_assets, n_paths, lanes, begun, n, tile[:, i])
            if bridged:
                load_roots(variance, columns[i], n_assets, n_paths, lanes, begun, n, spread[1:, i])
        if bridged:
            load_twice_log(bridge_key, first_path, lanes, begun, n, twice_log)
        for a in range(thresholds.shape[0]):
            if base[a] != chosen:
                continue
            open_lanes(
                held, owed, 1.0, prices, columns, n_assets, n_paths, lanes, begun, n, slots, n_owed, units,
                lane[INTEREST],
            )  # fmt: skip
            run_account(
                tile, spread, twice_log, bridged and switches[a, BRIDGE] == 1, rho, first_path, lanes, begun, width,
                n_steps, thresholds[a], ones, impacts[a], by_slot[a], rules[a], switches[a], cure_key, units, worth,
                shares, lane, state, slots, n_held, n_owed, n_risky, market, amounts, events,
            )  # fmt: skip
            for k in range(width):
                if events[k, SHORT] >= 0:
                    counts[a] += 1
    return room[0].size  # which holds it until here
