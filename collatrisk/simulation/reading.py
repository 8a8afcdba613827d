"""What the path sources share: ranges, times and checks."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.simulation.source import FloatArray, PathSource


def check_range(first: int, last: int, n_paths: int) -> None:
    """Refuse a range of paths that is not 0 <= first <= last <= n_paths."""
    problems = Problems("paths")
    ends: tuple[object, ...] = (first, last)
    holds = all(isinstance(end, Integral) for end in ends) and 0 <= first <= last <= n_paths
    problems.check(holds, "range", (first, last), f"must be 0 <= first <= last <= {n_paths}", "ask for fewer paths")
    problems.raise_if_any()


def path_ranges(n_paths: int, size: int) -> Iterator[tuple[int, int]]:
    """(first, last) of consecutive blocks of `size` >= 1 paths; the last may be shorter."""
    problems = Problems("blocks")
    problems.integer("size", size, low=1, remedy="4096 fits a processor's cache")
    problems.raise_if_any()
    return ((first, min(first + size, n_paths)) for first in range(0, n_paths, size))


def step_times(clock: Clock, n_steps: int) -> FloatArray:
    """Days of the clock at every step, float64 (n_steps + 1,)."""
    return np.arange(n_steps + 1) / clock.steps_per_day


def frozen_array(values: FloatArray) -> FloatArray:
    """A C-contiguous float64 array that cannot be written to: the array itself if it is one, a copy otherwise."""
    array = np.asarray(values)
    ready = array.dtype == np.float64 and array.flags.c_contiguous and not array.flags.writeable
    if not ready:
        array = np.array(array, dtype=np.float64, order="C")
        array.flags.writeable = False
    return array


def describe_paths(source: PathSource) -> str:
    """One line about a source."""
    unit = "days" if source.clock.kind == "24/7" else "business days"
    return (
        f"{type(source).__name__}: {source.n_paths:,} paths of {', '.join(source.assets)} over "
        f"{source.times[-1]:g} {unit} ({source.n_steps:,} steps)"
    )
