"""Many symmetric matrices at once: Cholesky factors, inverses and solutions of `LANES` matrices side by side.

A matrix is packed: row i of its lower triangle begins at i (i + 1) / 2 and holds columns 0 to i; each element is a run
of `LANES` numbers, one a matrix. All of them lie in one flat array, so that one place (an offset in elements, always a
multiple of `LANES`) names a run. The transpose of a lower factor is packed by columns: column j begins at
j d - j (j - 1) / 2 and holds rows j to d - 1; then every sum below runs over neighbours.

`subtract_products` is the one operation with vectors by hand: its sums stay in registers, where a plain loop loads and
stores them for every product (half as fast at 20 by 20). The bits are the same, lane by lane.
"""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import fma
from collatrisk.kernels.vectors import RUN_LANES, WIDE, subtract_products_wide

LANES = RUN_LANES


@njit(cache=True, nogil=True, error_model="numpy")
def subtract_products_plain(flat, first, second, count, target):  # type: ignore[no-untyped-def]
    """flat[target] -= sum over k < count of flat[first + k] * flat[second + k], each of them a run of lanes; fused.

    Parameters
    ----------
    flat : float64 (n,), C-contiguous. first, second, target : int64, offsets in elements. count : int64 >= 0.
    """
    total = flat[target : target + LANES]
    for k in range(count):
        left = flat[first + k * LANES : first + (k + 1) * LANES]
        right = flat[second + k * LANES : second + (k + 1) * LANES]
        for n in range(LANES):
            total[n] = fma(-left[n], right[n], total[n])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _subtract_products_wide(flat, first, second, count, target):  # type: ignore[no-untyped-def]
    subtract_products_wide(flat, first, second, count, target)


subtract_products = _subtract_products_wide if WIDE else subtract_products_plain


@njit(cache=True, nogil=True, error_model="numpy")
def row_place(i):  # type: ignore[no-untyped-def]
    """Where row i of a packed lower triangle begins, in runs."""
    return i * (i + 1) // 2


@njit(cache=True, nogil=True, error_model="numpy")
def column_place(j, size):  # type: ignore[no-untyped-def]
    """Where the diagonal of column j begins in a triangle packed by columns, in runs."""
    return j * size - j * (j - 1) // 2


@njit(cache=True, nogil=True, error_model="numpy")
def scale_run(factor, run):  # type: ignore[no-untyped-def]
    """run *= factor, over the lanes."""
    for n in range(LANES):
        run[n] *= factor[n]


@njit(cache=True, nogil=True, error_model="numpy")
def root_run(run, inverse):  # type: ignore[no-untyped-def]
    """run <- sqrt(run) and inverse <- 1 / sqrt(run), over the lanes; nan where the matrix is not positive definite."""
    for n in range(LANES):
        root = math.sqrt(run[n])
        run[n] = root
        inverse[n] = 1.0 / root


@njit(cache=True, nogil=True, error_model="numpy")
def clear(flat, start, runs):  # type: ignore[no-untyped-def]
    """Zero `runs` runs from the offset `start`."""
    part = flat[start : start + runs * LANES]  # loops over a slice from 0 need no test for negative indices
    for n in range(part.size):
        part[n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def copy_runs(source, start, target, place, runs):  # type: ignore[no-untyped-def]
    """Copy `runs` runs between flat arrays."""
    origin, copied = source[start : start + runs * LANES], target[place : place + runs * LANES]
    for n in range(origin.size):
        copied[n] = origin[n]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def run_at(flat, start):  # type: ignore[no-untyped-def]
    """The run at an offset, as a slice."""
    return flat[start : start + LANES]


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(flat, matrix, size, inverses):  # type: ignore[no-untyped-def]
    """The lower Cholesky factors in place of the packed matrices; 1 / diagonal from the offset `inverses`.

    Parameters
    ----------
    flat : float64. matrix, inverses : offsets of size (size + 1) / 2 and of `size` runs. size : rows of a matrix.
    """
    for i in range(size):
        row = matrix + row_place(i) * LANES
        for j in range(i + 1):
            other = matrix + row_place(j) * LANES
            place = row + j * LANES
            subtract_products(flat, row, other, j, place)
            inverse = run_at(flat, inverses + j * LANES)
            if i == j:
                root_run(run_at(flat, place), inverse)
            else:
                scale_run(inverse, run_at(flat, place))


@njit(cache=True, nogil=True, error_model="numpy")
def invert_factor(flat, factor, size, inverses, columns):  # type: ignore[no-untyped-def]
    """The inverse of each lower factor, packed by columns from the offset `columns`.

    K_jj = 1 / L_jj and K_ij = -(sum over k = j .. i - 1 of L_ik K_kj) / L_ii.
    """
    clear(flat, columns, row_place(size))
    for j in range(size):
        column = columns + column_place(j, size) * LANES
        copy_runs(flat, inverses + j * LANES, flat, column, 1)
        for i in range(j + 1, size):
            place = column + (i - j) * LANES
            subtract_products(flat, factor + (row_place(i) + j) * LANES, column, i - j, place)
            scale_run(run_at(flat, inverses + i * LANES), run_at(flat, place))


@njit(cache=True, nogil=True, error_model="numpy")
def subtract_inverse(flat, columns, size, target):  # type: ignore[no-untyped-def]
    """target -= K' K, the inverse matrix, packed by rows; K packed by columns as from `invert_factor`."""
    for i in range(size):
        column = columns + column_place(i, size) * LANES
        for j in range(i + 1):
            other = columns + (column_place(j, size) + i - j) * LANES
            subtract_products(flat, column, other, size - i, target + (row_place(i) + j) * LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def solve_lower(flat, factor, size, inverses, vector):  # type: ignore[no-untyped-def]
    """vector <- L^-1 vector in place, `size` runs from the offset `vector`."""
    for i in range(size):
        place = vector + i * LANES
        subtract_products(flat, factor + row_place(i) * LANES, vector, i, place)
        scale_run(run_at(flat, inverses + i * LANES), run_at(flat, place))


@njit(cache=True, nogil=True, error_model="numpy")
def subtract_transposed(flat, columns, size, vector, target):  # type: ignore[no-untyped-def]
    """target -= K' vector, K packed by columns."""
    for j in range(size):
        column = columns + column_place(j, size) * LANES
        subtract_products(flat, column, vector + j * LANES, size - j, target + j * LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def correlate_lanes(flat, factor, size, normals, target):  # type: ignore[no-untyped-def]
    """target <- L normals, `size` runs each."""
    clear(flat, target, size)
    for i in range(size):
        place = target + i * LANES
        subtract_products(flat, factor + row_place(i) * LANES, normals, i + 1, place)
        run = run_at(flat, place)
        for n in range(LANES):
            run[n] = -run[n]
