"""The moving-block bootstrap, for statistics of windows that overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key

FloatArray = NDArray[np.float64]
REPLICATES = 999


def block_length(n: int, overlap: int) -> int:
    """Blocks as long as the overlap, and at least the cube root of n."""
    return max(overlap, math.ceil(math.cbrt(n)))


def resamples(n: int, overlap: int, seed: int, replicates: int = REPLICATES) -> Iterator[NDArray[np.int64]]:
    """The rows of each moving-block resample (Kuensch 1989).

    Blocks of `block_length` consecutive observations are drawn with replacement until n are had.

    Yields
    ------
    int64 (n,), `replicates` times; the same for the same arguments (numpy's Philox keyed by `Purpose.BOOTSTRAP`).
    """
    length = min(block_length(n, overlap), n)
    generator = np.random.Generator(np.random.Philox(key=int(stream_key(seed, Purpose.BOOTSTRAP))))
    inside = np.arange(length)
    for _ in range(replicates):
        starts = generator.integers(0, n - length + 1, size=-(-n // length))
        yield (starts[:, None] + inside).ravel()[:n]


def bootstrap(
    losses: FloatArray, statistic: Callable[[FloatArray], float], overlap: int, seed: int
) -> tuple[tuple[float, ...], float]:
    """A statistic on each of 999 moving-block resamples: (ascending replicates, their standard deviation)."""
    values = [statistic(losses[rows]) for rows in resamples(losses.size, overlap, seed)]
    replicates = np.sort(np.array(values))
    return tuple(replicates.tolist()), float(replicates.std(ddof=1))
