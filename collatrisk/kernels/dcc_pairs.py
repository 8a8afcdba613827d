"""The sum over pairs of assets of bivariate log-densities, with its slopes in Q: the composite likelihood."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.packed import LANES, clear, copy_runs, row_place, run_at
from collatrisk.kernels.special import log

PARTS = 4  # Q and its derivatives in a, b and g

# Places in the buffer of one pair; at fixed distances, so that the loop over lanes needs no test for overlap.
_XI, _XJ, _SI, _SJ, _Q, _P, _DI, _DJ, _SUM = (k * LANES for k in range(9))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def pair_slopes(flat, size, packed, nu):  # type: ignore[no-untyped-def]
    """Value and P of the sum over pairs of bivariate log-densities."""
    _, _, _, slopes, x = dcc_places(size, packed)
    sd = x + size * LANES
    pair = np.zeros(9 * LANES)
    clear(flat, slopes, packed)
    for i in range(size):
        _invert_root(run_at(flat, (row_place(i) + i) * LANES), run_at(flat, sd + i * LANES))
    for i in range(size):
        copy_runs(flat, x + i * LANES, pair, _XI, 1)
        copy_runs(flat, sd + i * LANES, pair, _SI, 1)
        own = slopes + (row_place(i) + i) * LANES
        copy_runs(flat, own, pair, _DI, 1)
        for j in range(i):
            other = slopes + (row_place(j) + j) * LANES
            copy_runs(flat, x + j * LANES, pair, _XJ, 1)
            copy_runs(flat, sd + j * LANES, pair, _SJ, 1)
            copy_runs(flat, (row_place(i) + j) * LANES, pair, _Q, 1)
            copy_runs(flat, other, pair, _DJ, 1)
            _pair_density(pair, nu)
            copy_runs(pair, _P, flat, slopes + (row_place(i) + j) * LANES, 1)
            copy_runs(pair, _DJ, flat, other, 1)
        copy_runs(pair, _DI, flat, own, 1)
    copy_runs(pair, _SUM, flat, x + 5 * size * LANES, 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_root(variance, inverse):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        inverse[n] = 1.0 / math.sqrt(variance[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _pair_density(pair, nu):  # type: ignore[no-untyped-def]
    """Log-density of two scores with the correlation r = q / (sd_i sd_j), and its slopes in q and both variances."""
    for n in range(LANES):
        xi, xj, si, sj = pair[_XI + n], pair[_XJ + n], pair[_SI + n], pair[_SJ + n]
        r = pair[_Q + n] * si * sj
        left = 1.0 - r * r
        quadratic = (xi * xi + xj * xj - 2.0 * r * xi * xj) / left
        value = -0.5 * log(left)
        weight = 1.0
        if nu > 0.0:
            value -= 0.5 * (nu + 2.0) * log(1.0 + quadratic / (nu - 2.0))
            weight = (nu + 2.0) / (nu - 2.0 + quadratic)
        else:
            value -= 0.5 * quadratic
        slope = (r - weight * (r * quadratic - xi * xj)) / left
        pair[_SUM + n] += value
        pair[_P + n] = slope * si * sj
        pair[_DI + n] -= 0.5 * slope * r * si * si
        pair[_DJ + n] -= 0.5 * slope * r * sj * sj


@njit(cache=True, nogil=True, error_model="numpy")
def dcc_places(size, packed):  # type: ignore[no-untyped-def]
    """Offsets behind Q and its derivatives: factor, 1 / its diagonal, its inverse, P, and the scores with vectors."""
    factor = PARTS * packed * LANES
    inverses = factor + packed * LANES
    columns = inverses + size * LANES
    slopes = columns + packed * LANES
    return factor, inverses, columns, slopes, slopes + packed * LANES
