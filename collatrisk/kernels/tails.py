"""The pass that gathers a tail: read every loss once, keep the few above a threshold."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

CHUNK = 1024


@njit(cache=True, nogil=True, error_model="numpy")
def compress_above(values: NDArray[np.float64], threshold: float, out: NDArray[np.float64]) -> tuple[int, int, int]:
    """Copy the values above `threshold` to the front of `out`, in their order.

    Parameters
    ----------
    values : float64 (n,).
    threshold : values strictly above it are copied.
    out : float64 (capacity,), overwritten; must hold `CHUNK` more than are found.

    Returns
    -------
    (above, equal, bad): how many were copied (-1: `out` is too small, nothing else is then meaningful), how many equal
    the threshold, how many are NaN or infinite.
    """
    above = 0
    equal = 0
    bad = 0
    for start in range(0, values.size, CHUNK):
        stop = min(start + CHUNK, values.size)
        if above + CHUNK > out.size:
            return -1, 0, bad
        for i in range(start, stop):
            x = values[i]
            # Always store, advance only if it counts: no branch to mispredict.
            out[above] = x
            above += 1 if x > threshold else 0
            equal += 1 if x == threshold else 0
            bad += 0 if x - x == 0.0 else 1
    return above, equal, bad
