"""Which number a path goes by in the counters of the generator.

Paths are numbered one after the other, and a kernel is told the first number of its block. Where a path may change its
number on the way (in splitting, a copy follows its parent up to a step and goes its own way from there), the kernel is
given an array of numbers instead, one row for every pair of steps. Both are served by one source: numba compiles the
kernels once for each kind of argument. The kernel of all parts takes arrays alone, for it takes long to compile.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from collatrisk.kernels.rows import CHUNK

Numbers = int | np.uint64 | NDArray[np.uint64]


def numbers_at(first: Numbers, low: int, pair: int, chunk: NDArray[np.uint64]) -> Numbers:
    """Numbers of the chunk of paths that begins at `low`, in the steps 2 `pair` and 2 `pair` + 1.

    Parameters
    ----------
    first : the number of path 0, or uint64 (n_pairs, n), n a multiple of `CHUNK`; one row serves all pairs.
    chunk : uint64 (CHUNK,), where the numbers are put if there is one for each path.
    """
    if not isinstance(first, np.ndarray):
        return first + low
    chunk[:] = first[min(pair, len(first) - 1), low : low + CHUNK]
    return chunk


def row_of(first: Numbers, n: int) -> NDArray[np.uint64]:
    """The numbers as an array: one row for `n` paths, filled up to whole chunks, where `first` is the first of them."""
    if isinstance(first, np.ndarray):
        return first
    return (np.arange(-(-n // CHUNK) * CHUNK, dtype=np.uint64) + np.uint64(first))[None]


def path_at(first: Numbers, i: int) -> np.uint64:
    """Number of path i of a chunk: `first` + i, or entry i of an array."""
    return np.uint64(first[i] if isinstance(first, np.ndarray) else first + i)


@overload(numbers_at, jit_options={"forceinline": True})
def _numbers_at(first, low, pair, chunk):  # type: ignore[no-untyped-def]
    if isinstance(first, types.Array):
        return _copied
    return lambda first, low, pair, chunk: np.uint64(first) + np.uint64(low)


def _copied(first, low, pair, chunk):  # type: ignore[no-untyped-def]
    row = min(pair, first.shape[0] - 1)
    for n in range(CHUNK):
        chunk[n] = first[row, np.uint64(low) + np.uint64(n)]
    return chunk


@overload(path_at, jit_options={"forceinline": True})
def _path_at(first, i):  # type: ignore[no-untyped-def]
    if isinstance(first, types.Array):
        return lambda first, i: first[i]
    return lambda first, i: np.uint64(first) + np.uint64(i)
