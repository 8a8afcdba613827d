"""Prices of a block of paths as the book kernel reads them: tiles of thirty-two paths, in an order of the caller's.

The price of a column is that of its asset, divided by the growth of the debt since step 0 unless the column is owed.
Lanes beyond the block repeat its first path. Step 0 is left out: on it all paths are alike.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.tile import LANES, STEPS


@njit(cache=True, nogil=True, error_model="numpy")
def discounts_of(growth, n_steps):  # type: ignore[no-untyped-def]
    """What a debt of 1 at each step was worth at step 0, float64 (a multiple of STEPS,), from step 1 on.

    Beyond `n_steps` not a number, so that no sum there is below anything.
    """
    discounts = np.full(-(-n_steps // STEPS) * STEPS, np.nan)
    discount = 1.0
    for t in range(n_steps):
        discount /= growth
        discounts[t] = discount
    return discounts


@njit(cache=True, nogil=True, error_model="numpy")
def lay_worst(prices, order, sources, owed, discounts):  # type: ignore[no-untyped-def]
    """The worst price of every column over all steps, flat: (n_tiles, n_columns, LANES) by path, and the same by tile,
    (tiles of tiles, n_columns, LANES). The worst is the highest of a column that is owed, else the lowest."""
    n_steps, n_columns = prices.shape[0] - 1, sources.size
    n_tiles = -(-order.size // LANES)
    n_blocks = -(-n_tiles // LANES)
    by_path = np.empty(n_tiles * n_columns * LANES)
    by_tile = np.empty(n_blocks * n_columns * LANES)
    for c in range(n_columns):
        for tile in range(n_blocks * LANES):
            # Lanes beyond the tiles repeat the last one.
            source = min(tile, n_tiles - 1)
            lanes = by_path[(source * n_columns + c) * LANES : (source * n_columns + c + 1) * LANES]
            if source == tile:
                _worst_of_lanes(prices[:, sources[c]], order, tile * LANES, n_steps, owed[c], discounts, lanes)
            worst = lanes.max() if owed[c] else lanes.min()
            by_tile[(tile // LANES * n_columns + c) * LANES + tile % LANES] = worst
    return by_path, by_tile


@njit(cache=True, nogil=True, error_model="numpy")
def _worst_of_lanes(prices, order, first, n_steps, owed, discounts, lanes):  # type: ignore[no-untyped-def]
    lanes[:] = 0.0 if owed else np.inf
    for t in range(n_steps):
        for k in range(LANES):
            price = prices[t + 1, order[first + k if first + k < order.size else 0]]
            lanes[k] = max(lanes[k], price) if owed else min(lanes[k], price * discounts[t])


@njit(cache=True, nogil=True, error_model="numpy")
def lay_by_step(prices, order, sources, owed, discounts):  # type: ignore[no-untyped-def]
    """All prices, flat: (n_tiles, n_steps, n_columns, LANES)."""
    n_steps, n_columns = prices.shape[0] - 1, sources.size
    n_tiles = -(-order.size // LANES)
    laid = np.empty(n_tiles * n_steps * n_columns * LANES)
    for tile in range(n_tiles):
        for t in range(n_steps):
            for c in range(n_columns):
                row = prices[t + 1, sources[c]]
                factor = 1.0 if owed[c] else discounts[t]
                at = ((tile * n_steps + t) * n_columns + c) * LANES
                for k in range(LANES):
                    n = tile * LANES + k
                    laid[at + k] = row[order[n if n < order.size else 0]] * factor
    return laid


@njit(cache=True, nogil=True, error_model="numpy")
def lay_by_path(prices, order, sources, owed, discounts):  # type: ignore[no-untyped-def]
    """All prices, flat: (n_paths, n_columns, n_steps), and some more, so that STEPS can be read from every one on."""
    n_steps, n_columns = prices.shape[0] - 1, sources.size
    laid = np.zeros(order.size * n_columns * n_steps + STEPS)
    for n in range(order.size):
        for c in range(n_columns):
            at = (n * n_columns + c) * n_steps
            for t in range(n_steps):
                laid[at + t] = prices[t + 1, sources[c], order[n]] * (1.0 if owed[c] else discounts[t])
    return laid
