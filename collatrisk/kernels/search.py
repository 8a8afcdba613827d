"""Looking for path numbers whose draws fall where rare losses come from.

A draw is a function of the path's number, so a draw from the conditional law of a tail is had by trying one number
after the other until one lands in the tail: rejection sampling, exact whatever the draw is used for afterwards.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.cubics import interpolate_even
from collatrisk.kernels.jit import njit
from collatrisk.kernels.random import MIXING_SLOT, fill_normals, fill_uniforms
from collatrisk.kernels.rows import CHUNK, add_row, multiply_row

MIXING, DIRECTION, SCORE, JUMP = range(4)
"""What the draws of a pair of steps are judged by: the mixing normal, the independent normals along a direction, those
times the mixing variable (a Student t), or an arrival."""


@njit(cache=True, nogil=True, error_model="numpy")
def extremity(kind, key, numbers, pair, direction, mixing, scale, jump, work, rows, out):  # type: ignore[no-untyped-def]
    """The lower of the two draws of a pair of steps, by path.

    Parameters
    ----------
    kind : MIXING, DIRECTION (direction' n of the step's independent normals n), SCORE (that times the mixing variable)
        or JUMP (the uniform of its arrival).
    key : uint64, of the paths or of the jumps. numbers : the first path number, or uint64 (CHUNK,).
    direction : float64 (d,), of length 1. mixing, scale : table of the mixing variable, for SCORE. jump : which jump.
    work : (4, CHUNK), rows : int64 (CHUNK,), scratch. out : (CHUNK,), overwritten.
    """
    a, b, even, odd = work[0], work[1], work[2], work[3]
    if kind == MIXING:
        fill_normals(key, numbers, pair, MIXING_SLOT, a, b)
    elif kind == JUMP:
        fill_uniforms(key, numbers, 2 * pair, jump, a)
        fill_uniforms(key, numbers, 2 * pair + 1, jump, b)
    else:
        a[:] = 0.0
        b[:] = 0.0
        for i in range(direction.size):
            fill_normals(key, numbers, pair, i, even, odd)
            add_row(direction[i], even, a)
            add_row(direction[i], odd, b)
        if kind == SCORE:
            fill_normals(key, numbers, pair, MIXING_SLOT, even, odd)
            interpolate_even(mixing, scale, even, rows)
            interpolate_even(mixing, scale, odd, rows)
            multiply_row(even, a)
            multiply_row(odd, b)
    for n in range(CHUNK):
        out[n] = min(a[n], b[n])


@njit(cache=True, nogil=True, error_model="numpy")
def find_extreme(kind, key, starts, pairs, direction, mixing, scale, jump, threshold, most, found):  # type: ignore[no-untyped-def]
    """For each path the first number from its start on whose pair of draws has an extremity below the threshold.

    Parameters
    ----------
    kind to jump : as in `extremity`. starts : uint64 (n,). pairs : int64 (n,), the pair of steps of each.
    most : int, how many numbers to try.
    found : uint64 (n,), overwritten; the start where none was found, and the count of those is returned.
    """
    work = np.empty((4, CHUNK))
    rows = np.empty(CHUNK, dtype=np.int64)
    out = np.empty(CHUNK)
    missed = 0
    for i in range(starts.size):
        found[i] = starts[i]
        hit = False
        tried = 0
        while not hit and tried < most:
            extremity(
                kind, key, starts[i] + np.uint64(tried), pairs[i], direction, mixing, scale, jump, work, rows, out
            )
            for n in range(CHUNK):
                if out[n] < threshold:
                    found[i] = starts[i] + np.uint64(tried + n)
                    hit = True
                    break
            tried += CHUNK
        if not hit:
            missed += 1
    return missed


@njit(cache=True, nogil=True, error_model="numpy")
def count_extremes(kind, key, numbers, direction, mixing, scale, jump, thresholds, counts):  # type: ignore[no-untyped-def]
    """In how many pairs of steps the extremity of each path lies below each threshold.

    Parameters
    ----------
    kind to jump : as in `extremity`. numbers : uint64 (n_pairs, N), N a multiple of `CHUNK`. thresholds : float64 (m,).
    counts : int64 (m, n), n <= N, overwritten.
    """
    work = np.empty((4, CHUNK))
    rows = np.empty(CHUNK, dtype=np.int64)
    out = np.empty(CHUNK)
    counts[:] = 0
    for low in range(0, counts.shape[1], CHUNK):
        high = min(low + CHUNK, counts.shape[1])
        for pair in range(numbers.shape[0]):
            extremity(
                kind, key, numbers[pair, low : low + CHUNK], pair, direction, mixing, scale, jump, work, rows, out
            )
            for m in range(thresholds.size):
                for n in range(low, high):
                    counts[m, n] += 1 if out[n - low] < thresholds[m] else 0
