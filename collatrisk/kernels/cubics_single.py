"""`collatrisk.kernels.cubics` in float32: the same tables, coarser, in half the bytes and twice the lanes."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.cubics import evaluate
from collatrisk.kernels.jit import njit

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_NO_ROWS = np.int32(0)
_BIAS = np.int32(127)
_23, _31 = np.uint32(23), np.uint32(31)


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_even_single(cubics, scale, x, rows):  # type: ignore[no-untyped-def]
    """`collatrisk.kernels.cubics.interpolate_even` for float32.

    Parameters
    ----------
    cubics : float32 (2 m, 4). scale : float32. x : float32 (n,), overwritten by the result. rows : int32 (n,), scratch.
    """
    segments = np.int32(cubics.shape[0] // 2)
    last = np.float32(segments - 1)
    for n in range(x.size):
        s = abs(x[n]) * scale
        row = min(np.floor(s), last)
        rows[n] = np.int32(np.int32(row) + (segments if x[n] < _ZERO else _NO_ROWS))
        x[n] = s - row
    evaluate(cubics, rows, x)


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_octaves_single(cubics, power, x, rows):  # type: ignore[no-untyped-def]
    """`collatrisk.kernels.cubics.interpolate_octaves` for float32; arrays as in `interpolate_even_single`."""
    segments = np.int32(cubics.shape[0] // 2)
    last = np.int32(segments - 1)
    # LLVM keeps 32-bit lanes only where it sees that an unsigned shift is below 32.
    shift = np.uint32(np.uint32(_23 - np.uint32(power)) & _31)
    first = np.int32(_BIAS << np.int32(power))
    for n in range(x.size):
        s = abs(x[n]) + _ONE
        row = np.int32(np.int32(np.uint32(np.float32(s).view(np.uint32) >> shift)) - first)
        row = row if row < last else last
        rows[n] = np.int32(row + (segments if x[n] < _ZERO else _NO_ROWS))
        x[n] = s - np.uint32(np.uint32(np.int32(row + first)) << shift).view(np.float32)
    evaluate(cubics, rows, x)
