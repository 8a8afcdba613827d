"""Fold the results of blocks into what `AuctionOutcomes` holds; only the tails grow with the paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.liquidation.auctions.names import METRICS, TAIL_METRICS
from collatrisk.liquidation.auctions.task import BlockResult
from collatrisk.risk import Moments, MomentSums, TailSketch

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The folded results of a run, one row an account and the book last if there are several.

    Attributes
    ----------
    counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    moments : by row and column (see `BlockResult.sums`). tails : by row and tail metric.
    amounts, events, records : columns as in `BlockResult`, None unless kept.
    bridged : whether the source gave step variances.
    """

    counts: NDArray[np.int64]
    moments: tuple[tuple[Moments, ...], ...]
    tails: tuple[tuple[TailSketch, ...], ...]
    amounts: FloatArray | None
    events: NDArray[np.int32] | None
    records: FloatArray | None
    bridged: bool

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the quantities."""
        return METRICS

    @property
    def tail_metrics(self) -> tuple[str, ...]:
        """The names of those with tails."""
        return TAIL_METRICS


class _Folding:
    """The results of one set of rules so far."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.n_paths = 0
        self.counts: NDArray[np.int64] | None = None
        self.parts: list[BlockResult] = []
        self.sums = MomentSums()
        self.tails: list[list[TailSketch]] = []
        self.bridged = True

    def push(self, result: BlockResult) -> None:
        self.n_paths += result.n_paths
        self.counts = result.counts if self.counts is None else self.counts + result.counts
        self.sums.push(result.sums, result.squares)
        self.tails = self.tails or [[TailSketch(self.keep) for _ in TAIL_METRICS] for _ in result.tails]
        self.tails = [
            [sketch.add(values) for sketch, values in zip(row, found, strict=True)]
            for row, found in zip(self.tails, result.tails, strict=True)
        ]
        self.bridged = self.bridged and result.bridged
        if result.amounts is not None or result.records is not None:
            self.parts.append(result)

    def done(self) -> Gathered:
        assert self.counts is not None
        amounts = [part.amounts for part in self.parts if part.amounts is not None]
        events = [part.events for part in self.parts if part.events is not None]
        records = [part.records for part in self.parts if part.records is not None]
        return Gathered(
            counts=self.counts,
            moments=self.sums.moments(self.n_paths),
            tails=tuple(tuple(self._with_zeros(sketch) for sketch in row) for row in self.tails),
            amounts=np.concatenate(amounts, axis=1) if amounts else None,
            events=np.concatenate(events, axis=1) if events else None,
            records=np.concatenate(records) if records else None,
            bridged=self.bridged,
        )

    def _with_zeros(self, sketch: TailSketch) -> TailSketch:
        """Paths without an amount above zero have zero."""
        zeros = max(min(self.keep, self.n_paths) - sketch.tail.size, 0)
        return TailSketch(self.keep, self.n_paths, np.concatenate([np.zeros(zeros), sketch.tail]))


def gather(results: Iterable[tuple[BlockResult, ...]], keep: int, n_sets: int) -> list[Gathered]:
    """Fold block results in path order, one answer for each set of rules; each tail holds `keep` values."""
    folding = [_Folding(keep) for _ in range(n_sets)]
    for result in results:
        for each, part in zip(folding, result, strict=True):
            each.push(part)
    return [each.done() for each in folding]
