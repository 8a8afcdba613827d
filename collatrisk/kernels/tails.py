"""The passes over losses that VaR and ES need: gather what exceeds a threshold, and sum without rounding errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.vectors import EIGHT, WIDE, compress_eight

CHUNK = 1024
_SUMS = 32  # running sums: enough that an addition need not wait for the one before


@njit(cache=True, nogil=True, error_model="numpy")
def count_bad(values):  # type: ignore[no-untyped-def]
    """How many values are NaN or infinite."""
    bad = 0
    for i in range(values.size):
        bad += 0 if values[i] - values[i] == 0.0 else 1
    return bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_above_wide(values, threshold, out):  # type: ignore[no-untyped-def]
    """`compress_above` with vector compression."""
    above = 0
    equal = 0
    bad = 0
    for start in range(0, values.size, CHUNK):
        stop = min(start + CHUNK, values.size)
        if above + CHUNK > out.size:
            return -1, 0, bad
        seen = 0.0
        whole = start + (stop - start) // EIGHT * EIGHT
        for i in range(start, whole, EIGHT):
            more, same, _, odd = compress_eight(values, i, threshold, np.inf, out, above)
            above += more
            equal += same
            seen += odd
        for i in range(whole, stop):
            x = values[i]
            out[above] = x
            above += 1 if x > threshold else 0
            equal += 1 if x == threshold else 0
            seen += 0.0 if x - x == 0.0 else 1.0
        if seen > 0.0:
            bad += count_bad(values[start:stop])
    return above, equal, bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_above_plain(values, threshold, out):  # type: ignore[no-untyped-def]
    """`compress_above` in plain code."""
    above = 0
    equal = 0
    bad = 0
    for start in range(0, values.size, CHUNK):
        part = values[start : start + CHUNK]
        if above + CHUNK > out.size:
            return -1, 0, bad
        same = 0
        odd = 0
        for i in range(part.size):
            same += 1 if part[i] == threshold else 0
            odd += 0 if part[i] - part[i] == 0.0 else 1
        equal += same
        bad += odd
        for i in range(part.size):
            # Always store, advance only if it counts: no branch to mispredict.
            out[above] = part[i]
            above += 1 if part[i] > threshold else 0
    return above, equal, bad


@njit(cache=True, nogil=True, error_model="numpy")
def compress_between_wide(values, low, high, out):  # type: ignore[no-untyped-def]
    """`compress_between` with vector compression."""
    inside = 0
    above = 0
    whole = values.size // EIGHT * EIGHT
    for i in range(0, whole, EIGHT):
        more, _, beyond, _ = compress_eight(values, i, low, high, out, inside)
        inside += more
        above += beyond
    for i in range(whole, values.size):
        x = values[i]
        out[inside] = x
        inside += 1 if low < x <= high else 0
        above += 1 if x > high else 0
    return inside, above


@njit(cache=True, nogil=True, error_model="numpy")
def compress_between_plain(values, low, high, out):  # type: ignore[no-untyped-def]
    """Copy the values in (low, high] to the front of `out`: (how many, how many are above `high`).

    `out` has room for eight more than there are values, or is the array that they come from.
    """
    inside = 0
    above = 0
    for i in range(values.size):
        x = values[i]
        out[inside] = x
        inside += 1 if low < x <= high else 0
        above += 1 if x > high else 0
    return inside, above


def compress_above(values: NDArray[np.float64], threshold: float, out: NDArray[np.float64]) -> tuple[int, int, int]:
    """Copy the values above `threshold` to the front of `out`, in their order.

    Parameters
    ----------
    values : float64 (n,), C-contiguous.
    threshold : values strictly above it are copied.
    out : float64 (capacity,), overwritten; must hold `CHUNK` more than are found.

    Returns
    -------
    (above, equal, bad): how many were copied (-1: `out` is too small, nothing else is then meaningful), how many equal
    the threshold, how many are NaN or infinite.
    """
    kernel = compress_above_wide if WIDE else compress_above_plain
    found: tuple[int, int, int] = kernel(values, threshold, out)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def sum_twice(values):  # type: ignore[no-untyped-def]
    """The sum as an unevaluated pair of floats, and the sum of magnitudes.

    Thirty-two running sums with the rounding error of every addition kept beside (Knuth's two-sum), so that the
    pair is off by no more than about (n 2**-53)**2 times the sum of magnitudes.

    Parameters
    ----------
    values : float64 (n,), finite.
    """
    high = np.zeros(_SUMS)
    low = np.zeros(_SUMS)
    size = np.zeros(_SUMS)
    whole = values.size // _SUMS * _SUMS
    for i in range(0, whole, _SUMS):
        part = values[i : i + _SUMS]
        for k in range(_SUMS):
            x = part[k]
            total = high[k] + x
            tail = total - high[k]
            low[k] += (high[k] - (total - tail)) + (x - tail)
            high[k] = total
            size[k] += abs(x)
    s = 0.0
    e = 0.0
    magnitude = 0.0
    for k in range(_SUMS + values.size - whole):
        x = high[k] if k < _SUMS else values[whole + k - _SUMS]
        total = s + x
        tail = total - s
        e += (s - (total - tail)) + (x - tail)
        s = total
        if k < _SUMS:
            e += low[k]
            magnitude += size[k]
        else:
            magnitude += abs(x)
    return s, e, magnitude
