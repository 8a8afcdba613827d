"""First margin calls and liquidations of the accounts of a book, from ends of steps.

A row is a sum over columns of weight x price, plus cash, against barriers: an account with debts in its currency is one
row (counted collateral against two barriers), one with debts in assets is a row for its call and one for its
liquidation (counted collateral less level x debt, against zero). Rows go through register tiles, as mixes do.

Most rows never come near on most paths, and two bounds prove it: the lowest price of each column over all steps (the
highest where the weight is negative), first for the thirty-two paths of a tile together, then for each of them. The
bounds are the same chains of fused multiply-adds as the sums, and rounding is monotone: what they exclude cannot
happen in floating point either, so the answer is that of all products, to the last bit.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import fma
from collatrisk.kernels.tile import HALF, LANES, ROWS, tile_below
from collatrisk.kernels.vectors import lowest_bit

CALL, LIQUIDATION, N_EVENTS = 0, 1, 2
NEVER = -np.inf
_PANEL = 512  # tiles of rows whose weights stay in the second-level cache while all paths go by


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
    prices : float64 (n_steps + 1, n_assets, n_paths), currency per unit.
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
    n_tiles = (n_paths + LANES - 1) // LANES
    n_groups = bounds.size - 1
    discounts = np.empty(n_steps + 1)
    discounts[0] = 1.0
    for t in range(n_steps):
        discounts[t + 1] = discounts[t] / growth
    least_discount = discounts[1:].min()
    slab = (n_steps + 1) * n_columns * LANES
    relative = np.empty(n_tiles * slab)
    extremes = np.empty((n_tiles, n_columns))
    for tile in range(n_tiles):
        _load_tile(
            prices, order[tile * LANES : (tile + 1) * LANES], sources, owed, discounts,
            relative[tile * slab : (tile + 1) * slab], extremes[tile],
        )  # fmt: skip
    sums[:] = 0.0
    limits = np.empty(ROWS * LANES)
    values = np.empty(ROWS * LANES)
    level = np.empty(ROWS * LANES, np.int64)
    noted = np.empty((n_steps + 1, N_EVENTS, 2, LANES))
    for panel in range(0, n_groups, _PANEL):
        for tile in range(n_tiles):
            width = min(LANES, n_paths - tile * LANES)
            begin = tile * slab
            noted[:] = 0.0
            any_noted = False
            for q in range(panel, min(panel + _PANEL, n_groups)):
                first, last = bounds[q], bounds[q + 1]
                rows = slice(q * ROWS, (q + 1) * ROWS)
                start = cash[rows]
                if pruned and not _may_fall(
                    extremes[tile], columns, first, last, weights, start, least_discount, barriers[rows], levels[rows]
                ):
                    continue
                _open_lanes(barriers[rows], levels[rows], width, limits)
                if pruned:
                    low, high = tile_below(
                        relative, begin, columns, first, last, weights, start, least_discount, limits, values
                    )
                    if low == 0 and high == 0:
                        continue
                for k in range(ROWS * LANES):
                    level[k] = levels[q * ROWS + k // LANES]
                for t in range(1, n_steps + 1):
                    at = begin + t * n_columns * LANES
                    low, high = tile_below(
                        relative, at, columns, first, last, weights, start, discounts[t], limits, values
                    )
                    if low != 0 or high != 0:
                        any_noted = True
                        _note_events(low, 0, values, barriers[rows], debts[rows], limits, level, hits[rows], noted[t])
                        _note_events(
                            high, HALF, values, barriers[rows], debts[rows], limits, level, hits[rows], noted[t]
                        )
            if any_noted:
                _add_noted(noted, order[tile * LANES : tile * LANES + width], sums)
    for t in range(1, n_steps + 1):
        sums[:, :, t] += sums[:, :, t - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _load_tile(prices, order, sources, owed, discounts, relative, extremes):  # type: ignore[no-untyped-def]
    """Prices of a tile by step and column; in place of step 0 the extremes over all steps, by lane and by column."""
    n_columns = sources.size
    for c in range(n_columns):
        bound = relative[c * LANES : (c + 1) * LANES]
        bound[:] = 0.0 if owed[c] else np.inf
        for t in range(1, discounts.size):
            row = prices[t, sources[c]]
            factor = 1.0 if owed[c] else discounts[t]
            place = (t * n_columns + c) * LANES
            for k in range(LANES):
                # Lanes beyond the block repeat its first path.
                price = row[order[k if k < order.size else 0]] * factor
                relative[place + k] = price
                bound[k] = max(bound[k], price) if owed[c] else min(bound[k], price)
        extremes[c] = bound.max() if owed[c] else bound.min()


@njit(cache=True, nogil=True, error_model="numpy")
def _may_fall(extremes, columns, first, last, weights, start, scale, barriers, levels):  # type: ignore[no-untyped-def]
    """Whether one of four rows may fall on one of the paths of a tile."""
    a, b, c, d = start[0] * scale, start[1] * scale, start[2] * scale, start[3] * scale
    for j in range(first, last):
        price = extremes[columns[j]]
        four = weights[j * ROWS : (j + 1) * ROWS]
        a, b = fma(price, four[0], a), fma(price, four[1], b)
        c, d = fma(price, four[2], c), fma(price, four[3], d)
    fall = levels[0] < N_EVENTS and a < barriers[0, levels[0]]
    fall = fall or (levels[1] < N_EVENTS and b < barriers[1, levels[1]])
    fall = fall or (levels[2] < N_EVENTS and c < barriers[2, levels[2]])
    return fall or (levels[3] < N_EVENTS and d < barriers[3, levels[3]])


@njit(cache=True, nogil=True, error_model="numpy")
def _open_lanes(barriers, levels, width, limits):  # type: ignore[no-untyped-def]
    for r in range(ROWS):
        barrier = barriers[r, levels[r]] if levels[r] < N_EVENTS else NEVER
        for k in range(LANES):
            limits[r * LANES + k] = barrier if k < width else NEVER


@njit(cache=True, nogil=True, error_model="numpy")
def _note_events(bits, begin, values, barriers, debts, limits, level, hits, noted):  # type: ignore[no-untyped-def]
    """Note what happens on the lanes in `bits`, row after row, and set their limits to the next barriers."""
    while bits != 0:
        k = np.uint64(begin + lowest_bit(bits))
        bits &= bits - np.uint64(1)
        r, lane = k // np.uint64(LANES), k % np.uint64(LANES)
        b = level[k]
        limit = limits[k]
        while values[k] < limit:
            hits[r, b] += 1
            noted[b, 0, lane] += 1.0
            noted[b, 1, lane] += debts[r]
            b += 1
            limit = barriers[r, b] if b < N_EVENTS else NEVER
        level[k] = b
        limits[k] = limit


@njit(cache=True, nogil=True, error_model="numpy")
def _add_noted(noted, order, sums):  # type: ignore[no-untyped-def]
    for t in range(1, noted.shape[0]):
        for event in range(N_EVENTS):
            for which in range(2):
                for k in range(order.size):
                    sums[event, which, t, order[k]] += noted[t, event, which, k]
