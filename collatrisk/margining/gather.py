"""Fold the results of blocks into what `Outcomes` holds, with memory that does not grow with the paths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.margining.names import MIN_HEALTH, metrics_of, tail_metrics_of
from collatrisk.margining.task import BlockResult
from collatrisk.risk import Moments, MomentSums, TailSketch

FloatArray = NDArray[np.float64]
_PENDING = 2048
_SAMPLED, _SDS = 64, 4.0  # every 64th value is sampled; its ranks are off by four standard deviations at most, mostly


@dataclass(frozen=True, slots=True)
class Gathered:
    """The folded results of a run, one row an account and the book last if there are several.

    Attributes
    ----------
    counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    moments : by row and metric. tails : by row and tail metric (health factors with sign turned).
    amounts, events : columns as in `BlockResult`, None unless kept.
    bridged : whether the source gave step variances.
    debt_free : by row, whether nothing is owed: the health factor is infinite on all paths.
    metrics, tail_metrics : the names of the quantities, and of those with tails.
    """

    counts: NDArray[np.int64]
    moments: tuple[tuple[Moments, ...], ...]
    tails: tuple[tuple[TailSketch, ...], ...]
    amounts: FloatArray | None
    events: NDArray[np.int32] | None
    bridged: bool
    debt_free: tuple[bool, ...]
    metrics: tuple[str, ...]
    tail_metrics: tuple[str, ...]


class Tail:
    """Collects values and keeps the largest; what is missing up to the count of paths are zeros (amounts)."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.floor = -np.inf  # `keep` values are at least this: nothing at or below it can be wanted again
        self._held = np.empty(0)  # one array, not a list of parts: thousands of small ones leave holes in the heap
        self._size = 0

    def push(self, values: FloatArray) -> None:
        if self.floor > -np.inf:
            values = np.compress(values > self.floor, values)
        size = self._size + values.size
        if size > self._held.size:
            grown = np.empty(max(size, min(2 * self._size, 2 * self.keep + _PENDING)))
            grown[: self._size] = self._held[: self._size]
            self._held = grown
        self._held[self._size : size] = values
        self._size = size
        if size > self.keep + max(self.keep, _PENDING):
            self.thin()

    def thin(self) -> None:
        """Drop most of what is not wanted: a sample guesses a floor, and it serves if enough values are above it."""
        values = self._held[: self._size]
        sample = values[::_SAMPLED]
        expected = sample.size * self.keep / values.size
        rank = int(expected + _SDS * math.sqrt(expected)) + 1
        if rank < sample.size:
            floor = float(np.partition(sample, sample.size - rank)[sample.size - rank])
            above = np.compress(values > floor, values)  # four times as fast as values[values > floor]
            if above.size >= self.keep:
                self.floor = max(self.floor, floor)
                values[: above.size] = above
                self._size = above.size
                return
        self.fold()

    def fold(self) -> FloatArray:
        """The largest values so far, the smallest of them first."""
        values = self._held[: self._size]
        if values.size > self.keep:
            rest = values.size - self.keep
            values.partition(rest)
            values[: self.keep] = values[rest:]
            self._size = self.keep
            self.floor = float(values[0])
        return self._held[: self._size]

    def sketch(self, count: int) -> TailSketch:
        """The tail of `count` paths; what was collected is let go."""
        largest = self.fold()
        largest.sort()
        tail = np.zeros(max(min(self.keep, count), largest.size))  # zeros that nobody writes take no memory
        tail[tail.size - largest.size :] = largest
        self._held, self._size = np.empty(0), 0
        return TailSketch(self.keep, count, tail)


def gather(
    results: Iterable[BlockResult], keep: int, settles: bool = False, floors: FloatArray | None = None
) -> Gathered:
    """Fold block results in path order.

    Parameters
    ----------
    results : one a block, in path order. keep : how many of the largest values each tail holds.
    settles : whether a rule can write debt off or hand collateral over.
    floors : float64 (n_rows, n_tails), raised to what the tails can still need, for workers that look at it
        (`MarginTask.floors`).
    """
    counts: NDArray[np.int64] | None = None
    sums = MomentSums()
    debt_free: tuple[bool, ...] = ()
    tails: list[list[Tail]] = []
    columns: list[BlockResult] = []
    n_paths, bridged = 0, True
    for result in results:
        counts = result.counts if counts is None else counts + result.counts
        _check_numbers(result.sums)
        sums.push(result.sums, result.squares)
        debt_free = debt_free or tuple(np.isinf(result.sums[0, :, MIN_HEALTH]).tolist())
        tails = tails or [[Tail(keep) for _ in row] for row in result.tails]
        for row, values in zip(tails, result.tails, strict=True):
            for tail, part in zip(row, values, strict=True):
                if part.size:
                    tail.push(part)
        if floors is not None:
            floors[:] = [[tail.floor for tail in row] for row in tails]
        if result.amounts is not None:
            columns.append(result)
        n_paths += result.n_paths
        bridged = bridged and result.bridged
    assert counts is not None
    kept_amounts = [part.amounts for part in columns if part.amounts is not None]
    kept_events = [part.events for part in columns if part.events is not None]
    return Gathered(
        counts=counts,
        moments=sums.moments(n_paths),
        tails=tuple(tuple(tail.sketch(n_paths) for tail in row) for row in tails),
        amounts=np.concatenate(kept_amounts, axis=1) if kept_amounts else None,
        events=np.concatenate(kept_events, axis=1) if kept_events else None,
        bridged=bridged,
        debt_free=debt_free,
        metrics=metrics_of(settles),
        tail_metrics=tail_metrics_of(settles),
    )


def _check_numbers(totals: FloatArray) -> None:
    """Refuse sums that are no numbers: of prices that overflowed, or of a source that gave such prices."""
    usable = np.isfinite(totals)
    if usable.all():
        return
    usable[:, :, MIN_HEALTH] = ~np.isnan(totals[:, :, MIN_HEALTH])  # infinite without debt
    problems = Problems("run_margin")
    rule = "must be finite numbers on every path, and some amount in them is not"
    remedy = "mend the source, or lower a volatility that no market knows"
    problems.check(bool(usable.all()), "prices", "nan or inf", rule, remedy)
    problems.raise_if_any()
