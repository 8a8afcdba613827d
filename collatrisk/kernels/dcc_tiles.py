"""`collatrisk.kernels.dcc.evaluate_dcc` in tiles, for processors with registers of eight numbers.

The same formulas in the same order of observations; only where the numbers lie differs. Fewer stretches of history run
side by side (eight of many assets, sixteen of two), so that their matrices stay in the first-level cache. Where tiles
do not divide the assets, scores of zero with a variance of one fill them up, and add nothing.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.packed import row_place
from collatrisk.kernels.special import log
from collatrisk.kernels.tile_machine import LANES_OF_SIDE
from collatrisk.kernels.vector_tiles import (
    add_along_tile,
    advance_falls_tile,
    advance_tile,
    factor_tile,
    invert_tile,
    slope_tile,
    solve_tile,
    standardise_tile,
    subtract_dot,
    transposed_tile,
)

_PARTS = 4  # Q and its derivatives in a, b and g
_VECTORS = 9  # u, its derivatives in a and b, x, sd, x sd (then solved), v, weighted v, 1 / diagonal of the factor


def shape_for(size: int) -> tuple[int, ...]:
    """A tuple as long as the side of a tile: the one of two to five that has the fewest assets to fill up."""
    side = min(range(2, 6), key=lambda side: (-size % side, abs(side - 4)))
    return (0,) * side


def tiles_work_size(size: int) -> int:
    """Numbers that `evaluate_tiles` needs for `size` assets."""
    side = len(shape_for(size))
    lanes = LANES_OF_SIDE[side]
    tiles = -(-size // side)
    whole = tiles * (tiles + 1) // 2 * side**2 * lanes
    # Seven matrices, vectors, ratios and sums, then two tables of single numbers.
    return 7 * whole + (_VECTORS * tiles * side + tiles + 6) * lanes + 2 * _PARTS * whole // lanes


@njit(cache=True, nogil=True, error_model="numpy")
def element_place(i, j, side):  # type: ignore[no-untyped-def]
    """Where element (i, j), j <= i, lies in a matrix of tiles, in runs."""
    return ((row_place(i // side) + j // side) * side + i % side) * side + j % side


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_table(packed, size, flat, start, count, b, level, side):  # type: ignore[no-untyped-def]
    """Numbers packed by rows (4, p) to the order of tiles; the filling's variance starts at 1 and stays there."""
    for part in range(_PARTS):
        for k in range(count):
            flat[start + part * count + k] = 0.0
        for i in range(size):
            for j in range(i + 1):
                value = packed[part, row_place(i) + j]
                flat[start + part * count + element_place(i, j, side)] = value
                if i // side == j // side:  # both of its places in a tile on the diagonal
                    flat[start + part * count + element_place(i, j, side) + (j - i) * (side - 1)] = value
    filled = -(-size // side) * side
    for i in range(size, filled):
        flat[start + element_place(i, i, side)] = 1.0 if level else 1.0 - b
        flat[start + 2 * count + element_place(i, i, side)] = 0.0 if level else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _load_row(laid, row, flat, place, shape):  # type: ignore[no-untyped-def]
    """The runs of one row of observations; those of the filling stay 0."""
    lanes = LANES_OF_SIDE[len(shape)]
    for i in range(laid.shape[1]):
        for n in range(lanes):
            flat[place + i * lanes + n] = laid[row, i, n]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _advance(flat, tiles, whole, u, constants, data, row, point, shape):  # type: ignore[no-untyped-def]
    """Q and its derivatives one observation on."""
    lanes = LANES_OF_SIDE[len(shape)]
    count, vector = whole // lanes, tiles * len(shape) * lanes
    corrected = data.along.shape[1] > 0
    _load_row(data.driving, row, flat, u, shape)
    if corrected:
        _load_row(data.along[0], row, flat, u + vector, shape)
        _load_row(data.along[1], row, flat, u + 2 * vector, shape)
    for i in range(tiles):
        for j in range(i + 1):
            if corrected:
                # Divided by b, because the recursion that follows multiplies by it.
                factor = point.a / point.b
                add_along_tile(flat, whole, u, u + vector, factor, i, j, shape)
                add_along_tile(flat, 2 * whole, u, u + 2 * vector, factor, i, j, shape)
            advance_tile(flat, np.int64(0), whole, u, constants, count, point.a, point.b, i, j, shape)
            if point.asymmetric:
                advance_falls_tile(flat, np.int64(0), whole, u, constants, count, point.g, point.b, i, j, shape)


@njit(cache=True, nogil=True, error_model="numpy")
def _inherit(flat, whole, kept, rows, start, b, shape):  # type: ignore[no-untyped-def]
    """From where every stretch ended when it began at zero to where it begins; see `kernels.dcc`."""
    lanes = LANES_OF_SIDE[len(shape)]
    power, slope = b**rows, rows * b ** (rows - 1)
    count = whole // lanes
    for k in range(count):
        for part in range(kept - 1, -1, -1):
            carried, level = flat[start + part * count + k], flat[start + k]
            for lane in range(lanes):
                place = part * whole + k * lanes + lane
                end = flat[place] + power * carried
                if part == 2:
                    end += slope * level
                    level = flat[k * lanes + lane] + power * level
                flat[place] = carried
                carried = end


@njit(cache=True, nogil=True, error_model="numpy")
def _density(flat, size, tiles, ratios, sums, nu, shape):  # type: ignore[no-untyped-def]
    """The value from ln|R| and minus the quadratic form; minus the weight w of the form's slope."""
    lanes = LANES_OF_SIDE[len(shape)]
    logs = flat[ratios : ratios + tiles * lanes]
    for n in range(logs.size):
        logs[n] = log(logs[n])
    value, weight = flat[sums : sums + lanes], flat[sums + 5 * lanes : sums + 6 * lanes]
    quadratic = flat[sums + 4 * lanes : sums + 5 * lanes]
    for n in range(lanes):
        total = 0.0
        for i in range(tiles):
            total += logs[i * lanes + n]
        value[n], weight[n] = total, -1.0
    if nu > 0.0:
        for n in range(lanes):
            value[n] -= 0.5 * (nu + size) * log(1.0 - quadratic[n] / (nu - 2.0))
            weight[n] = -(nu + size) / (nu - 2.0 - quadratic[n])
    else:
        for n in range(lanes):
            value[n] += 0.5 * quadratic[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(flat, v, weight, weighted, runs, shape):  # type: ignore[no-untyped-def]
    lanes = LANES_OF_SIDE[len(shape)]
    source, target, factor = flat[v : v + runs * lanes], flat[weighted : weighted + runs * lanes], flat[weight:]
    for k in range(runs):
        for n in range(lanes):
            target[k * lanes + n] = source[k * lanes + n] * factor[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _clear(flat, start, count):  # type: ignore[no-untyped-def]
    part = flat[start : start + count]
    for n in range(part.size):
        part[n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _row_slopes(flat, size, tiles, whole, x, ratios, sums, nu, shape):  # type: ignore[no-untyped-def]
    """Value and P of one row of observations; Q is at 0, the factor, K and P behind the four parts."""
    side, lanes = len(shape), LANES_OF_SIDE[len(shape)]
    vector = tiles * side * lanes
    factor, inverse, slopes = 4 * whole, 5 * whole, 6 * whole
    sd, scaled, v, weighted, inverses = x + vector, x + 2 * vector, x + 3 * vector, x + 4 * vector, x + 5 * vector
    for i in range(tiles):
        for j in range(i + 1):
            factor_tile(flat, np.int64(0), factor, inverses, i, j, shape)
    for j in range(tiles):
        for i in range(j, tiles):
            invert_tile(flat, factor, inverse, inverses, i, j, shape)
    for i in range(tiles):
        standardise_tile(flat, np.int64(0), inverses, x, sd, scaled, ratios, i, shape)
    for i in range(tiles):
        solve_tile(flat, factor, inverses, scaled, i, shape)
    _clear(flat, sums + 4 * lanes, lanes)
    subtract_dot(flat, scaled, scaled, tiles * side, sums + 4 * lanes, shape)
    for j in range(tiles):
        transposed_tile(flat, inverse, scaled, v, j, tiles, shape)
    _density(flat, size, tiles, ratios, sums, nu, shape)
    _weigh(flat, v, sums + 5 * lanes, weighted, tiles * side, shape)
    for i in range(tiles):
        for j in range(i + 1):
            slope_tile(flat, inverse, sd, weighted, x, v, slopes, i, j, tiles, shape)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_leaning(flat, size, slopes, leaning, target_slopes, shape):  # type: ignore[no-untyped-def]
    """P of one row of observations, each times how much its Q leans on a target."""
    side, lanes = len(shape), LANES_OF_SIDE[len(shape)]
    for i in range(size):
        for j in range(i + 1):
            # Within a tile on the diagonal P lies in both of its places, half in each.
            factor = 2.0 if i != j and i // side == j // side else 1.0
            place, total = slopes + element_place(i, j, side) * lanes, 0.0
            for n in range(lanes):
                if leaning[n] != 0.0:
                    total += leaning[n] * flat[place + n]
            target_slopes[row_place(i) + j] += factor * total


@njit(cache=True, nogil=True, error_model="numpy", inline="always")  # compiled once, where it is called
def evaluate_tiles(data, point, flat, values, scores, target_slopes, shape):  # type: ignore[no-untyped-def]
    """See `collatrisk.kernels.dcc.evaluate_dcc`; scores laid out with `LANES_OF_SIDE`, flat of `tiles_work_size`.

    shape : from `shape_for`.
    """
    rows, size = data.scores.shape[0], data.scores.shape[1]
    side, lanes = len(shape), LANES_OF_SIDE[len(shape)]
    tiles = -(-size // side)
    whole, vector = row_place(tiles) * side * side * lanes, tiles * side * lanes
    count, kept = whole // lanes, _PARTS if point.asymmetric else _PARTS - 1
    u = 7 * whole
    x = u + 3 * vector
    ratios = u + _VECTORS * vector
    sums = ratios + tiles * lanes
    constants = sums + 6 * lanes
    start = constants + _PARTS * count
    _clear(flat, np.int64(0), 4 * whole)
    _clear(flat, u, _VECTORS * vector)
    _fill_table(point.constants, size, flat, constants, count, point.b, False, side)
    _fill_table(point.start, size, flat, start, count, point.b, True, side)
    for k in range(target_slopes.size):
        target_slopes.flat[k] = 0.0
    # Twice through the rows, with one place that advances: what is inlined is compiled at each place it is called.
    for step in range(2 * rows):
        row = step % rows
        if step == rows:
            _inherit(flat, whole, kept, rows, start, point.b, shape)
        if step >= rows:
            _load_row(data.scores, row, flat, x, shape)
            _row_slopes(flat, size, tiles, whole, x, ratios, sums, point.nu, shape)
            _clear(flat, sums + lanes, 3 * lanes)
            for part in range(1, kept):
                subtract_dot(flat, 6 * whole, part * whole, count, sums + part * lanes, shape)
            for target in range(target_slopes.shape[0]):
                _add_leaning(flat, size, 6 * whole, point.leaning[target, row], target_slopes[target], shape)
            for lane in range(lanes):
                t = lane * rows + row
                if t < data.n_obs:
                    values[t] = flat[sums + lane]
                    for part in range(3):
                        scores[t, part] = -flat[sums + (1 + part) * lanes + lane]
        _advance(flat, tiles, whole, u, constants, data, row, point, shape)
