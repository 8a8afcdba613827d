"""Piecewise cubics with breakpoints that arithmetic finds: interpolation tables in place of exact quantiles."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import fma
from collatrisk.kernels.vector_cubics import cubics_wide
from collatrisk.kernels.vectors import WIDE


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_plain(cubics, rows, x):  # type: ignore[no-untyped-def]
    """The cubic of each row at its local variable, in place. Unsigned indices spare the test for negative ones.

    Parameters
    ----------
    cubics : (n_rows, 4), coefficients from the constant up. rows : whole numbers (n,). x : (n,), as `cubics` float64
        or float32.
    """
    for n in range(x.size):
        row = np.uint64(rows[n])
        t = x[n]
        c2 = fma(t, cubics[row, np.uint64(3)], cubics[row, np.uint64(2)])
        x[n] = fma(t, fma(t, c2, cubics[row, np.uint64(1)]), cubics[row, np.uint64(0)])


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_wide(cubics, rows, x):  # type: ignore[no-untyped-def]
    """`evaluate_plain`, 64 bytes of `x` at a time."""
    lanes = 64 // x.itemsize
    whole = x.size // lanes * lanes
    for n in range(0, whole, lanes):
        cubics_wide(cubics, rows, n, x)
    if whole < x.size:
        evaluate_plain(cubics, rows[whole:], x[whole:])


evaluate = evaluate_wide if WIDE else evaluate_plain


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_even(cubics, scale, x, rows):  # type: ignore[no-untyped-def]
    """Piecewise cubics with `scale` segments to a unit of |x|; the second half of the rows serves x < 0.

    Parameters
    ----------
    cubics : (2 m, 4). x : float64 (n,), overwritten by the result. rows : int64 (n,), scratch.
    """
    segments = np.int64(cubics.shape[0] // 2)
    for n in range(x.size):
        s = abs(x[n]) * scale
        row = min(np.floor(s), np.float64(segments - 1))
        rows[n] = np.int64(row) + (segments if x[n] < 0.0 else 0)
        x[n] = s - row
    evaluate(cubics, rows, x)


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_octaves(cubics, power, x, rows):  # type: ignore[no-untyped-def]
    """Piecewise cubics in s = 1 + |x|, 2**power segments to a doubling of s, named by its leading bits.

    Parameters
    ----------
    cubics, x, rows : as in `interpolate_even`.
    """
    segments = np.int64(cubics.shape[0] // 2)
    shift = np.int64(52) - power
    first = np.int64(1023) << np.int64(power)
    for n in range(x.size):
        s = 1.0 + abs(x[n])
        row = min((np.float64(s).view(np.int64) >> shift) - first, segments - 1)
        rows[n] = row + (segments if x[n] < 0.0 else 0)
        x[n] = s - np.int64((row + first) << shift).view(np.float64)
    evaluate(cubics, rows, x)
