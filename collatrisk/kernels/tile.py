"""Products of many rows of weights with the prices of many paths, consumed where they arise.

A tile is four rows (mixes, accounts) by thirty-two paths. Its sums stay in registers; what is asked of them is which
lie below a limit, and mostly the answer is none, so nothing is written. The tile is fixed and every lane is a chain of
fused multiply-adds in the order of the columns: the bits do not depend on how paths are cut into blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.rows import add_row
from collatrisk.kernels.special import fma
from collatrisk.kernels.vectors import TILE_LANES, TILE_ROWS, TILE_STEPS, WIDE, steps_below_wide, tile_below_wide

LANES, ROWS, STEPS = TILE_LANES, TILE_ROWS, TILE_STEPS
HALF = LANES * ROWS // 2
"""Sums whose answers fit into one number of 64 bits."""


@njit(cache=True, nogil=True, error_model="numpy")
def tile_below_plain(prices, at, columns, first, last, weights, start, scale, limits, values):  # type: ignore[no-untyped-def]
    """Which of the sums of four rows on thirty-two paths are below their limits.

    Parameters
    ----------
    prices : float64, flat; the price of column c on lane k is ``prices[at + c LANES + k]``.
    columns : int64, flat; the tile's columns are ``columns[first:last]``.
    weights : float64, flat; the weight of row r in the tile's j-th column is ``weights[j ROWS + r]``, j as in columns.
    start : float64 (ROWS,), what each sum begins with once multiplied by `scale`.
    limits : float64 (ROWS LANES,), row after row.
    values : float64 (ROWS LANES,), overwritten with the sums if any is below its limit.

    Returns
    -------
    Two uint64: bit k of the first is that of sum k, bit k of the second that of sum k + HALF.
    """
    for r in range(ROWS):
        row = values[r * LANES : (r + 1) * LANES]
        row[:] = start[r] * scale
        for j in range(first, last):
            place = at + columns[j] * LANES
            add_row(weights[j * ROWS + r], prices[place : place + LANES], row)
    return _bits_below(values[:HALF], limits[:HALF]), _bits_below(values[HALF:], limits[HALF:])


@njit(cache=True, nogil=True, error_model="numpy")
def _bits_below(values, limits):  # type: ignore[no-untyped-def]
    bits = np.uint64(0)
    for k in range(values.size):
        bits |= np.uint64(1 if values[k] < limits[k] else 0) << np.uint64(k)
    return bits


# Inlined: at ten columns the call itself would be a third of the time.
@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _tile_below_wide(prices, at, columns, first, last, weights, start, scale, limits, values):  # type: ignore[no-untyped-def]
    return tile_below_wide(prices, at, columns, first, last, weights, start, scale, limits, values)


tile_below = _tile_below_wide if WIDE else tile_below_plain


@njit(cache=True, nogil=True, error_model="numpy")
def steps_below_plain(prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits):  # type: ignore[no-untyped-def]
    """At which of sixteen steps the sums of four rows on one path are below two limits each.

    The same chains of fused multiply-adds as in `tile_below_plain`, with the steps side by side instead of the paths.

    Parameters
    ----------
    prices : float64, flat; the price of column c at the k-th of the steps is ``prices[at + c stride + k]``.
    columns, first, last, weights : as in `tile_below_plain`. row : int, the first of the four in `cash` and `limits`.
    cash : float64 (n_rows,); sums begin with ``cash scales[step + k]``. scales : float64, of all steps.
    limits : float64 (n_rows, 2), C-contiguous.

    Returns
    -------
    Two uint64, for the first and the second limit: bit r STEPS + k is that of row r at the k-th of the steps.
    """
    below_first, below_second = np.uint64(0), np.uint64(0)
    for r in range(ROWS):
        for k in range(STEPS):
            total = cash[row + r] * scales[step + k]
            for j in range(first, last):
                total = fma(prices[at + columns[j] * stride + k], weights[j * ROWS + r], total)
            place = np.uint64(r * STEPS + k)
            below_first |= np.uint64(1 if total < limits[row + r, 0] else 0) << place
            below_second |= np.uint64(1 if total < limits[row + r, 1] else 0) << place
    return below_first, below_second


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _steps_below_wide(prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits):  # type: ignore[no-untyped-def]
    return steps_below_wide(prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits)


steps_below = _steps_below_wide if WIDE else steps_below_plain


def rows_by_columns(weights: NDArray[np.float64], key: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """An order, int64 (n_rows,), in which rows that use the same columns are neighbours, these by their `key`."""
    bits = np.packbits(weights != 0.0, axis=1)
    whole = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), dtype=np.uint8)
    whole[:, : bits.shape[1]] = bits
    # As big-endian numbers of 64 bits, sorted several times as fast as column after column.
    words = whole.view(">u8").astype(np.uint64)
    return np.lexsort([np.zeros(len(weights)) if key is None else key, *words.T[::-1]]).astype(np.int64)


def pack_rows(weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of weights by fours, each four with the columns that any of them uses; the last filled up with zeros.

    Parameters
    ----------
    weights : float64 (n_rows, n_columns). Rows with the same columns should be neighbours.

    Returns
    -------
    (bounds, columns, packed): int64 (n_tiles + 1,), the columns of tile q are ``columns[bounds[q]:bounds[q+1]]``;
    packed, float64 flat, the weights as `tile_below_plain` wants them.
    """
    filled = np.zeros((-(-len(weights) // ROWS) * ROWS, weights.shape[1]))
    filled[: len(weights)] = weights
    tiles = filled.reshape(len(filled) // ROWS, ROWS, weights.shape[1])
    used = (tiles != 0.0).any(axis=1)
    which, columns = np.nonzero(used)
    bounds = np.zeros(len(tiles) + 1, dtype=np.int64)
    np.cumsum(used.sum(axis=1), out=bounds[1:])
    return bounds, columns.astype(np.int64), np.ascontiguousarray(tiles[which, :, columns]).ravel()
