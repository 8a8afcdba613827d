"""What a worker does: read paths once, run every set of rules on them, and boil the columns down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution import MICRO_BLOCK
from collatrisk.kernels.auction_state import N_AMOUNTS, N_EVENTS, N_RECORD
from collatrisk.liquidation.auctions.names import CLEARING, METRICS, RATIOS, TAIL_METRICS
from collatrisk.liquidation.auctions.rows import AuctionRows
from collatrisk.pricing import Positions
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import PathBlock, PathSource

FloatArray = NDArray[np.float64]
COLUMNS = (*METRICS, "triggered")
PAIRS = tuple((COLUMNS.index(top), COLUMNS.index(bottom)) for top, bottom in RATIOS.values())
_TAILS = [METRICS.index(name) for name in TAIL_METRICS]
_LARGEST_ROOT = 1e150
_TRIGGERED = 0


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What came of a block of paths under one set of rules. The last row is the book, if there are several accounts.

    Attributes
    ----------
    n_paths : how many paths. counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    sums, squares : float64 (n_micro_blocks, n_rows, n_columns), over `COLUMNS`, then the products of each of `PAIRS`.
    tails : by row and tail metric, the values above 0.
    amounts : float64 (n_rows, n_paths, n_metrics), events : int32 (n_rows, n_paths, n_events), records : float64
        (n_auctions, n_fields); None unless kept.
    bridged : whether the source gave step variances.
    """

    n_paths: int
    counts: NDArray[np.int64]
    sums: FloatArray
    squares: FloatArray
    tails: tuple[tuple[FloatArray, ...], ...]
    amounts: FloatArray | None
    events: NDArray[np.int32] | None
    records: FloatArray | None
    bridged: bool


@dataclass(frozen=True, slots=True)
class AuctionTask:
    """A picklable function of a range of paths; one result for each set of rules, on the same paths.

    Parameters
    ----------
    source : where the paths come from. positions : the accounts (debts in cash alone). rows : the sets of rules.
    factor : float64 (n_assets, n_assets), lower triangle with factor @ factor.T = correlation; None: no bridge.
    n_steps : steps to run. n_ticks : ticks a step. within_key, keeper_key : keys of the streams.
    keep_paths : whether columns travel back. keep_records : whether auctions do.
    """

    source: PathSource
    positions: Positions
    rows: tuple[AuctionRows, ...]
    factor: FloatArray | None
    n_steps: int
    n_ticks: int
    within_key: np.uint64
    keeper_key: np.uint64
    keep_paths: bool
    keep_records: bool

    def __call__(self, first: int, last: int) -> tuple[BlockResult, ...]:
        """Run the paths `first` to `last` - 1 under every set of rules."""
        block = read_scratch(self.source, first, last, self.n_steps, variance=self.factor is not None)
        return tuple(self._run(block, last - first, rows) for rows in self.rows)

    def _run(self, block: PathBlock, n_paths: int, rows: AuctionRows) -> BlockResult:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin_sums import sum_block

        n_accounts = len(self.positions.held)
        n_rows = n_accounts + 1 if n_accounts > 1 else 1
        amounts = np.empty((n_rows, n_paths, N_AMOUNTS))
        events = np.empty((n_rows, n_paths, N_EVENTS), dtype=np.int32)
        records = self._fill(block, rows, amounts[:n_accounts], events[:n_accounts])
        if n_accounts > 1:
            _sum_book(amounts, events, self.n_steps)
        columns = _with_products(amounts, events)
        n_micro = -(-n_paths // MICRO_BLOCK)
        sums = np.empty((n_micro, n_rows, columns.shape[2]))
        squares = np.empty_like(sums)
        counts = np.zeros((n_rows, N_EVENTS, self.n_steps + 1), dtype=np.int64)
        sum_block(columns, events, MICRO_BLOCK, _LARGEST_ROOT, sums, squares, counts)
        tails = tuple(tuple(_positive(amounts[row, :, metric]) for metric in _TAILS) for row in range(n_rows))
        return BlockResult(
            n_paths=n_paths,
            counts=counts,
            sums=sums,
            squares=squares,
            tails=tails,
            amounts=amounts if self.keep_paths else None,
            events=events if self.keep_paths else None,
            records=records,
            bridged=block.step_variance is not None and self.factor is not None,
        )

    def _fill(
        self, block: PathBlock, rows: AuctionRows, amounts: FloatArray, events: NDArray[np.int32]
    ) -> FloatArray | None:
        from collatrisk.kernels.auctions import auction_block

        variance, factor = block.step_variance, self.factor
        if variance is None or factor is None:
            variance, factor = np.empty((0, 0, 0)), np.eye(self.positions.columns.size)
        wanted = 4 * block.n_paths + 256 if self.keep_records else 0
        while True:
            records = np.empty((wanted, N_RECORD))
            found = auction_block(
                np.ascontiguousarray(block.prices),
                np.ascontiguousarray(variance),
                self.positions.columns,
                factor,
                block.first_path,
                self.n_steps,
                self.n_ticks,
                self.positions.held,
                np.ascontiguousarray(self.positions.owed[:, -1]),
                rows.thresholds,
                rows.rules,
                rows.book,
                rows.switches,
                rows.ranks,
                rows.margins,
                rows.impacts,
                self.within_key,
                self.keeper_key,
                rows.most_running,
                amounts,
                events,
                records,
            )
            if not self.keep_records:
                return None
            if found <= wanted:
                return records[:found].copy()
            wanted = found


def _sum_book(amounts: FloatArray, events: NDArray[np.int32], n_steps: int) -> None:
    """The last row: sums of the accounts' amounts, the longest time to clear, the first occurrence on any account."""
    amounts[:-1].sum(axis=0, out=amounts[-1])
    amounts[:-1, :, CLEARING].max(axis=0, out=amounts[-1, :, CLEARING])
    never = n_steps + 1
    first = np.where(events[:-1] < 0, never, events[:-1]).min(axis=0)
    events[-1] = np.where(first == never, -1, first)


def _with_products(amounts: FloatArray, events: NDArray[np.int32]) -> FloatArray:
    """The columns, a flag for a trigger, and the product of each pair that a ratio needs."""
    n_rows, n_paths, n_metrics = amounts.shape
    columns = np.empty((n_rows, n_paths, n_metrics + 1 + len(PAIRS)))
    columns[:, :, :n_metrics] = amounts
    columns[:, :, n_metrics] = events[:, :, _TRIGGERED] >= 0
    for i, (top, bottom) in enumerate(PAIRS):
        np.multiply(columns[:, :, top], columns[:, :, bottom], out=columns[:, :, n_metrics + 1 + i])
    return columns


def _positive(values: FloatArray) -> FloatArray:
    return values[values > 0.0]
