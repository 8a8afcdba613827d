"""First margin calls by mix, loan-to-value ratio and step, from ends of steps, without a running minimum in memory.

The ratio of mix m at step t is A_t = exp(-rate t) (cash_m + sum_i coefficient_mi S_i(t) / S_i(0)), as in `running_min`.
Each lane remembers the highest barrier that its path has not yet fallen below; a step at which no lane of a tile falls
below its own writes nothing.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.tile import HALF, LANES, ROWS, tile_below
from collatrisk.kernels.vectors import lowest_bit

NEVER = -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def first_calls(prices, bounds, columns, weights, cash, growth, barriers, bins, counts):  # type: ignore[no-untyped-def]
    """Add to `counts` the paths whose ratio first falls below each barrier in each bin of steps.

    Parameters
    ----------
    prices : float64 (>= n_steps + 1, n_assets, n_paths), currency per unit.
    bounds, columns, weights : of `pack_rows`: weight x liquidation threshold, mixes by fours.
    cash : float64 (n_rows,), the same for cash; n_rows a multiple of ROWS.
    growth : float64, of the debt in a step.
    barriers : float64 (n_barriers,), descending.
    bins : int64 (n_steps + 1,), the bin of each step from 0 on.
    counts : int64 (n_rows, n_bins, n_barriers), added to.
    """
    n_steps, n_assets, n_paths = bins.size - 1, prices.shape[1], prices.shape[2]
    relative = np.empty((n_steps + 1) * n_assets * LANES)
    discounts = np.empty(n_steps + 1)
    discounts[0] = 1.0
    for t in range(n_steps):
        discounts[t + 1] = discounts[t] / growth
    opening = np.zeros(bounds.size * ROWS, np.int64)
    limits = np.empty(ROWS * LANES)
    values = np.empty(ROWS * LANES)
    level = np.empty(ROWS * LANES, np.int64)
    for first in range(0, n_paths, LANES):
        width = min(LANES, n_paths - first)
        _load_relative(prices, first, width, discounts, relative)
        for q in range(bounds.size - 1):
            start = cash[q * ROWS : (q + 1) * ROWS]
            if first == 0:
                # All paths begin alike: what the first of them falls below at once, they all do.
                limits[:] = np.inf
                tile_below(relative, 0, columns, bounds[q], bounds[q + 1], weights, start, 1.0, limits, values)
                for r in range(ROWS):
                    opening[q * ROWS + r] = _count_above(barriers, values[r * LANES])
                    counts[q * ROWS + r, bins[0], : opening[q * ROWS + r]] += n_paths
            for r in range(ROWS):
                b = opening[q * ROWS + r]
                for k in range(LANES):
                    level[r * LANES + k] = b
                    limits[r * LANES + k] = barriers[b] if b < barriers.size and k < width else NEVER
            for t in range(1, n_steps + 1):
                at = t * n_assets * LANES
                low, high = tile_below(
                    relative, at, columns, bounds[q], bounds[q + 1], weights, start, discounts[t], limits, values
                )
                if low != 0:
                    _note_falls(low, 0, values, barriers, limits, level, counts[q * ROWS :, bins[t]])
                if high != 0:
                    _note_falls(high, HALF, values, barriers, limits, level, counts[q * ROWS :, bins[t]])


@njit(cache=True, nogil=True, error_model="numpy")
def _count_above(barriers, value):  # type: ignore[no-untyped-def]
    above = 0
    for b in range(barriers.size):
        above += 1 if value < barriers[b] else 0
    return above


@njit(cache=True, nogil=True, error_model="numpy")
def _note_falls(bits, begin, values, barriers, limits, level, counts):  # type: ignore[no-untyped-def]
    """Count what the lanes in `bits` fall below, and set the limits to the next barriers."""
    while bits != 0:
        k = np.uint64(begin + lowest_bit(bits))
        bits &= bits - np.uint64(1)
        b = level[k]
        row = counts[k // np.uint64(LANES)]
        value = values[k]
        limit = limits[k]
        while value < limit:
            row[b] += 1
            b += 1
            limit = barriers[b] if b < barriers.size else NEVER
        level[k] = b
        limits[k] = limit


@njit(cache=True, nogil=True, error_model="numpy")
def _load_relative(prices, first, width, discounts, relative):  # type: ignore[no-untyped-def]
    """S_i(t) / S_i(0), discounted, of a tile; lanes beyond the block repeat its first path."""
    n_assets = prices.shape[1]
    for t in range(discounts.size):
        for i in range(n_assets):
            row, spot = prices[t, i], prices[0, i]
            place = (t * n_assets + i) * LANES
            for k in range(LANES):
                lane = first + (k if k < width else 0)
                relative[place + k] = row[lane] / spot[lane] * discounts[t]
