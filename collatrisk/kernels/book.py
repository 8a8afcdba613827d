"""First margin calls and liquidations of the accounts of a book, from ends of steps.

A row is a sum over columns of weight x price, plus cash, against barriers: an account with debts in its currency is one
row (counted collateral against two barriers), one with debts in assets is a row for its call and one for its
liquidation (counted collateral less level x debt, against zero). Rows go through register tiles, as mixes do.

Most rows never come near on most paths, and two bounds prove it: the lowest price of each column over all steps (the
highest where the weight is negative), first for the thirty-two paths of a tile together, then for each of them. The
bounds are the same chains of fused multiply-adds as the sums, and rounding is monotone: what they exclude cannot
happen in floating point either, so the answer is that of all products, to the last bit. Nearly all pairs of a row and a
path that are left do fall, so they are followed one by one, eight steps at a time.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.book_layout import discounts_of, lay_by_path, lay_by_step, lay_worst
from collatrisk.kernels.jit import njit
from collatrisk.kernels.tile import HALF, LANES, ROWS, STEPS, steps_below, tile_below
from collatrisk.kernels.vectors import lowest_bit

CALL, LIQUIDATION, N_EVENTS = 0, 1, 2
NEVER = -np.inf
_PANEL = 512  # tiles of rows whose weights stay in the second-level cache while all paths go by
_ONE = np.uint64(1)
_LANE_BITS = np.uint64((1 << LANES) - 1)
_ROW_BITS = np.uint64((1 << STEPS) - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def open_rows(spot, bounds, columns, weights, cash, barriers, levels):  # type: ignore[no-untyped-def]
    """Move `levels` past the barriers that rows are below at step 0. Parameters as in `book_block`; spot float64
    (n_columns,), the prices at step 0."""
    prices = np.empty(spot.size * LANES)
    for c in range(spot.size):
        prices[c * LANES : (c + 1) * LANES] = spot[c]
    limits = np.full(ROWS * LANES, np.inf)
    values = np.empty(ROWS * LANES)
    for q in range(bounds.size - 1):
        start = cash[q * ROWS : (q + 1) * ROWS]
        tile_below(prices, 0, columns, bounds[q], bounds[q + 1], weights, start, 1.0, limits, values)
        for r in range(ROWS):
            row = q * ROWS + r
            while levels[row] < N_EVENTS and values[r * LANES] < barriers[row, levels[row]]:
                levels[row] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def book_block(  # type: ignore[no-untyped-def]
    prices, order, sources, owed, growth, bounds, columns, weights, cash, barriers, levels, debts, pruned, hits, sums,
):  # fmt: skip
    """Follow every row over the paths of a block, from step 1 on.

    Parameters
    ----------
    prices : float64 (n_steps + 1, n_assets, n_paths), currency per unit; at least one step.
    order : int64 (n_paths,), in which paths share tiles: alike beside each other. It does not change the answer.
    sources : int64 (n_columns,), the asset of each column. owed : bool (n_columns,), whether its weights are negative;
        prices of the others are divided by the growth of the debt, as the cash is.
    growth : float64, of the debt in a step.
    bounds, columns, weights : of `collatrisk.kernels.tile.pack_rows`.
    cash : float64 (n_rows,), counted cash >= 0; n_rows a multiple of ROWS.
    barriers : float64 (n_rows, N_EVENTS), of the call and the liquidation, descending or NEVER.
    levels : int64 (n_rows,), the first barrier that each row has not fallen below, of `open_rows`.
    debts : float64 (n_rows,), what counts as called and as liquidated.
    pruned : bool, whether the bounds are used.
    hits : int64 (n_rows, N_EVENTS), added to: the paths on which a row falls below its barrier after step 0.
    sums : float64 (N_EVENTS, 2, n_steps + 1, n_paths), overwritten: how many rows, and debts, fell by each step.
    """
    n_steps, n_paths, n_columns = prices.shape[0] - 1, prices.shape[2], sources.size
    n_groups = bounds.size - 1
    discounts = discounts_of(growth, n_steps)
    least_discount = discounts[:n_steps].min()
    worst, worst_of_tiles = lay_worst(prices, order, sources, owed, discounts)
    if pruned:
        laid = lay_by_path(prices, order, sources, owed, discounts)
    else:
        laid = lay_by_step(prices, order, sources, owed, discounts)
    ahead = _barriers_ahead(barriers, levels)
    marks = np.empty(_PANEL, np.uint64)
    noted = np.empty((n_steps, LANES, N_EVENTS, 2))
    sums[:] = 0.0
    for panel in range(0, n_groups, _PANEL):
        panel_end = min(panel + _PANEL, n_groups)
        for tile in range(-(-n_paths // LANES)):
            paths = order[tile * LANES : (tile + 1) * LANES]
            at = tile * LANES * n_columns
            noted[:] = 0.0
            if pruned:
                if tile % LANES == 0:
                    _mark_tiles(
                        worst_of_tiles, tile * n_columns, bounds, columns, weights, cash, least_discount, ahead, panel,
                        panel_end, marks,
                    )  # fmt: skip
                any_noted = _follow_marked(
                    marks, np.uint64(tile % LANES), worst, laid, at, paths.size, n_columns, bounds, columns, weights,
                    cash, discounts, least_discount, ahead, debts, panel, panel_end, hits, noted,
                )  # fmt: skip
            else:
                any_noted = _follow_all(
                    laid, at, paths.size, n_columns, bounds, columns, weights, cash, discounts, barriers, levels,
                    debts, panel, panel_end, hits, noted,
                )  # fmt: skip
            if any_noted:
                _add_noted(noted, paths, sums)
    for t in range(1, n_steps + 1):
        sums[:, :, t] += sums[:, :, t - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _barriers_ahead(barriers, levels):  # type: ignore[no-untyped-def]
    """Barriers that rows have yet to fall below; NEVER for those that they are below at step 0."""
    ahead = barriers.copy()
    for row in range(levels.size):
        ahead[row, : levels[row]] = NEVER
    return ahead


@njit(cache=True, nogil=True, error_model="numpy")
def _mark_tiles(  # type: ignore[no-untyped-def]
    worst, at, bounds, columns, weights, cash, scale, ahead, panel, panel_end, marks,
):  # fmt: skip
    """Which of thirty-two tiles of paths each group of rows has to look at, as bits: where one of them may fall."""
    limits, values = np.empty(ROWS * LANES), np.empty(ROWS * LANES)
    for q in range(panel, panel_end):
        start = cash[q * ROWS : (q + 1) * ROWS]
        _limit_lanes(ahead, q * ROWS, LANES, limits)
        low, high = tile_below(worst, at, columns, bounds[q], bounds[q + 1], weights, start, scale, limits, values)
        marks[q - panel] = _any_row(low, high)


@njit(cache=True, nogil=True, error_model="numpy")
def _limit_lanes(ahead, row, width, limits):  # type: ignore[no-untyped-def]
    """Limits of four rows on a tile: the first barrier ahead, and none on lanes beyond `width`."""
    for r in range(ROWS):
        barrier = max(ahead[row + r, CALL], ahead[row + r, LIQUIDATION])
        for k in range(LANES):
            limits[r * LANES + k] = barrier
        for k in range(width, LANES):
            limits[r * LANES + k] = NEVER


@njit(cache=True, nogil=True, error_model="numpy")
def _any_row(low, high):  # type: ignore[no-untyped-def]
    """The lanes of a tile, as bits, on which one of the four rows is below its limit."""
    either = low | high
    return (either | either >> np.uint64(LANES)) & _LANE_BITS


@njit(cache=True, nogil=True, error_model="numpy")
def _follow_marked(  # type: ignore[no-untyped-def]
    marks, mark, worst, laid, at, width, n_columns, bounds, columns, weights, cash, discounts, least_discount, ahead,
    debts, panel, panel_end, hits, noted,
):  # fmt: skip
    """Follow the rows of a panel on those paths of a tile on which they may fall; `laid` by path. Whether any may."""
    n_steps = noted.shape[0]
    limits, values = np.empty(ROWS * LANES), np.empty(ROWS * LANES)
    followed = np.empty(LANES, np.int64)
    below, waiting = np.empty((LANES, N_EVENTS), np.uint64), np.empty((LANES, N_EVENTS), np.uint64)
    any_followed = False
    for q in range(panel, panel_end):
        if (marks[q - panel] >> mark) & _ONE == 0:
            continue
        first, last = bounds[q], bounds[q + 1]
        _limit_lanes(ahead, q * ROWS, width, limits)
        start = cash[q * ROWS : (q + 1) * ROWS]
        low, high = tile_below(worst, at, columns, first, last, weights, start, least_discount, limits, values)
        lanes = _any_row(low, high)
        n_lanes = 0
        while lanes != 0:
            followed[n_lanes] = lowest_bit(lanes)
            lanes &= lanes - _ONE
            n_lanes += 1
        any_followed |= n_lanes > 0
        waiting[:n_lanes] = ~np.uint64(0)
        for step in range(0, n_steps, STEPS):
            # All sums before the first answer is looked at: a branch guessed wrong then does not wait for them.
            for n in range(n_lanes):
                path = (at + followed[n] * n_columns) * n_steps
                below[n, CALL], below[n, LIQUIDATION] = steps_below(
                    laid, path + step, n_steps, columns, first, last, weights, q * ROWS, cash, discounts, step, ahead
                )
            for n in range(n_lanes):
                for event in range(N_EVENTS):
                    bits = below[n, event] & waiting[n, event]
                    while bits != 0:
                        k = lowest_bit(bits)
                        r = k // STEPS
                        _note(step + k % STEPS, followed[n], event, q * ROWS + r, debts, hits, noted)
                        others = ~(_ROW_BITS << np.uint64(r * STEPS))
                        bits &= others
                        waiting[n, event] &= others
    return any_followed


@njit(cache=True, nogil=True, error_model="numpy")
def _follow_all(  # type: ignore[no-untyped-def]
    laid, at, width, n_columns, bounds, columns, weights, cash, discounts, barriers, levels, debts, panel, panel_end,
    hits, noted,
):  # fmt: skip
    """Follow the rows of a panel on all paths of a tile; `laid` by step. Whether anything was noted."""
    n_steps = noted.shape[0]
    limits, values = np.empty(ROWS * LANES), np.empty(ROWS * LANES)
    fallen = np.empty(ROWS * LANES, np.int64)
    any_noted = False
    for q in range(panel, panel_end):
        start = cash[q * ROWS : (q + 1) * ROWS]
        for k in range(ROWS * LANES):
            row = q * ROWS + k // LANES
            fallen[k] = levels[row]
            limits[k] = barriers[row, fallen[k]] if fallen[k] < N_EVENTS and k % LANES < width else NEVER
        for t in range(n_steps):
            step = at * n_steps + t * n_columns * LANES
            low, high = tile_below(
                laid, step, columns, bounds[q], bounds[q + 1], weights, start, discounts[t], limits, values
            )
            any_noted |= low != 0 or high != 0
            for half in range(2):
                bits = low if half == 0 else high
                while bits != 0:
                    k = half * HALF + lowest_bit(bits)
                    bits &= bits - _ONE
                    row = q * ROWS + k // LANES
                    while values[k] < limits[k]:
                        _note(t, k % LANES, fallen[k], row, debts, hits, noted)
                        fallen[k] += 1
                        limits[k] = barriers[row, fallen[k]] if fallen[k] < N_EVENTS else NEVER
    return any_noted


@njit(cache=True, nogil=True, error_model="numpy")
def _note(t, lane, event, row, debts, hits, noted):  # type: ignore[no-untyped-def]
    hits[row, event] += 1
    noted[t, lane, event, 0] += 1.0
    noted[t, lane, event, 1] += debts[row]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_noted(noted, order, sums):  # type: ignore[no-untyped-def]
    for t in range(noted.shape[0]):
        for k in range(order.size):
            for event in range(N_EVENTS):
                for which in range(2):
                    sums[event, which, t + 1, order[k]] += noted[t, k, event, which]
