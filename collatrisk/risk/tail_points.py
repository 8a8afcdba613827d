"""VaR and ES of a whole sample from one pass over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.execution.scratch import kept_buffer
from collatrisk.risk import tailmath
from collatrisk.risk.levels import tail_count
from collatrisk.risk.losses import HUGE, SMALL, check_finite, largest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def var_and_es_of(values: FloatArray, levels: tuple[float, ...], problems: Problems) -> list[tuple[float, float]]:
    """(VaR, ES) at each of some checked levels; NaN, infinite and absurdly large values go to `problems`.

    The same numbers as `tail_var` and `tail_es` of the sorted losses, to the last bit.
    """
    n = values.size
    if n <= SMALL or not levels:
        keep = max((tailmath.most_needed(n, level) for level in levels), default=1)
        tail = largest(values, keep, problems)
        if problems.found:
            return []
        return [(tailmath.tail_var(tail, n, level), tailmath.tail_es(tail, n, level)) for level in levels]
    search = _plan(n, levels)
    points = _search(values, search, problems)
    return [] if problems.found else [_read(values, reading, points[reading.row]) for reading in search.readings]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How VaR and ES at one level are read off a row of points: `count` losses in the tail, `inside` of them whole."""

    row: int
    inside: int
    count: float
    var_at_place: bool
    last_at_place: bool


@dataclass(frozen=True, slots=True)
class _Search:
    """What to ask of `tail_points` for some levels of n losses; fields as its parameters."""

    places: IntArray
    inside: IntArray
    stride: int
    rank: int
    room: int
    room_for_all: int
    readings: tuple[_Reading, ...]


@lru_cache(maxsize=64)
def _plan(n: int, levels: tuple[float, ...]) -> _Search:
    # Imported here because numba is slow to import and small samples do not need it.
    from collatrisk.kernels.tail_search import plan_gather
    from collatrisk.kernels.tails import CHUNK

    counts = [tail_count(n, level) for level in levels]
    wanted = [
        (tailmath.most_needed(n, level), math.ceil(count) - 1) for level, count in zip(levels, counts, strict=True)
    ]
    rows = sorted(set(wanted), reverse=True)
    readings = tuple(
        _Reading(rows.index((place, inside)), inside, count, tailmath.needed(n, level) == place, inside + 1 == place)
        for level, count, (place, inside) in zip(levels, counts, wanted, strict=True)
    )
    stride, rank, capacity = plan_gather(n, rows[0][0])
    places, inside = np.array(rows, dtype=np.int64).T.copy()
    return _Search(places, inside, stride, rank, 2 * (capacity + CHUNK), 2 * (n + CHUNK), readings)


def _search(values: FloatArray, search: _Search, problems: Problems) -> list[list[float]]:
    """The rows of `tail_points`."""
    from collatrisk.kernels.tail_search import N_POINTS, tail_points

    points = np.empty((search.places.size, N_POINTS))
    places, inside = search.places, search.inside
    bad = tail_points(values, places, inside, search.stride, search.rank, kept_buffer("tail", search.room), points)
    if bad < 0:
        work = kept_buffer("tail", search.room_for_all)
        bad = tail_points(values, places, inside, search.stride, 0, work, points)
    rows: list[list[float]] = points.tolist()
    if bad or not max(max(map(abs, row)) for row in rows) <= HUGE:
        check_finite(values, problems)
    return rows


def _read(values: FloatArray, reading: _Reading, point: Sequence[float]) -> tuple[float, float]:
    at_place, following, high, low, magnitude = point
    inside, count = reading.inside, reading.count
    total = tailmath.rounded_sum(high, low, magnitude, inside)
    if total is None:
        total = math.fsum(np.partition(values, values.size - inside)[values.size - inside :])
    last = at_place if reading.last_at_place else following
    return at_place if reading.var_at_place else following, tailmath.mean_with_last(total, inside, last, count)
