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
from collatrisk.risk import Moments, TailSketch

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
        self.parts: list[FloatArray] = []
        self.pending = 0
        self.floor = -np.inf  # `keep` values are at least this: nothing at or below it can be wanted again

    def push(self, values: FloatArray) -> None:
        if self.floor > -np.inf:
            values = values[values > self.floor]
        self.parts.append(values)
        self.pending += values.size
        if self.pending > self.keep + max(self.keep, _PENDING):
            self.thin()

    def thin(self) -> None:
        """Drop most of what is not wanted: a sample guesses a floor, and it serves if enough values are above it."""
        values = np.concatenate(self.parts)
        sample = values[::_SAMPLED]
        expected = sample.size * self.keep / values.size
        rank = int(expected + _SDS * math.sqrt(expected)) + 1
        if rank < sample.size:
            floor = float(np.partition(sample, sample.size - rank)[sample.size - rank])
            above = values[values > floor]
            if above.size >= self.keep:
                self.floor = max(self.floor, floor)
                self.parts, self.pending = [above], above.size
                return
        self.parts = [values]
        self.fold()

    def fold(self) -> FloatArray:
        """The largest values so far, the smallest of them first."""
        values = np.concatenate(self.parts) if self.parts else np.empty(0)
        if values.size > self.keep:
            rest = values.size - self.keep
            values = np.partition(values, rest)[rest:].copy()
            self.floor = float(values[0])
        self.parts, self.pending = [values], values.size
        return values

    def sketch(self, count: int) -> TailSketch:
        """The tail of `count` paths; the values go over to the sketch."""
        largest = self.fold()
        self.parts = []
        largest.sort()
        zeros = min(self.keep, count) - largest.size
        return TailSketch(self.keep, count, np.concatenate([np.zeros(zeros), largest]) if zeros > 0 else largest)


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
    sums: list[FloatArray] = []
    squares: list[FloatArray] = []
    tails: list[list[Tail]] = []
    columns: list[BlockResult] = []
    n_paths, bridged = 0, True
    for result in results:
        counts = result.counts if counts is None else counts + result.counts
        sums.append(result.sums)
        squares.append(result.squares)
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
    totals = np.concatenate(sums)
    _check_numbers(totals)
    kept_amounts = [part.amounts for part in columns if part.amounts is not None]
    kept_events = [part.events for part in columns if part.events is not None]
    return Gathered(
        counts=counts,
        moments=_moments(n_paths, totals, np.concatenate(squares)),
        tails=tuple(tuple(tail.sketch(n_paths) for tail in row) for row in tails),
        amounts=np.concatenate(kept_amounts, axis=1) if kept_amounts else None,
        events=np.concatenate(kept_events, axis=1) if kept_events else None,
        bridged=bridged,
        debt_free=tuple(np.isinf(sums[0][0, :, MIN_HEALTH]).tolist()),
        metrics=metrics_of(settles),
        tail_metrics=tail_metrics_of(settles),
    )


def _check_numbers(totals: FloatArray) -> None:
    """Refuse sums that are no numbers: of prices that overflowed, or of a source that gave such prices."""
    usable = np.isfinite(totals)
    usable[:, :, MIN_HEALTH] = ~np.isnan(totals[:, :, MIN_HEALTH])  # infinite without debt
    problems = Problems("run_margin")
    rule = "must be finite numbers on every path, and some amount in them is not"
    remedy = "mend the source, or lower a volatility that no market knows"
    problems.check(bool(usable.all()), "prices", "nan or inf", rule, remedy)
    problems.raise_if_any()


def _moments(n_paths: int, sums: FloatArray, squares: FloatArray) -> tuple[tuple[Moments, ...], ...]:
    """Moments from the sums of the micro-blocks; they add them exactly, in whatever order."""
    return tuple(
        tuple(
            Moments(n_paths, tuple(sums[:, row, metric].tolist()), tuple(squares[:, row, metric].tolist()))
            for metric in range(sums.shape[2])
        )
        for row in range(sums.shape[1])
    )
