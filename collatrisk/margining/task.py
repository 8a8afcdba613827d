"""What a worker does: read paths, run the kernel on them, and boil the columns down before they travel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution import MICRO_BLOCK
from collatrisk.execution.scratch import kept_buffer
from collatrisk.kernels.columns import BRIDGE
from collatrisk.liquidation import RuleArrays
from collatrisk.margining.names import EVENTS, MIN_HEALTH, metrics_of, tail_metrics_of
from collatrisk.pricing import Positions
from collatrisk.simulation.scratch import read_native
from collatrisk.simulation.source import PathArray, PathSource

FloatArray = NDArray[np.float64]
_ACCOUNTS_AT_ONCE = 64
_LARGEST_ROOT = 1e150  # a debt of almost nothing has a health factor whose square would overflow
_CACHED_FLOATS = 1 << 20  # 8 MiB: what a worker writes and soon reads again stays in the last-level cache


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What came of a block of paths. The last row of each array of accounts is the book, if there are several.

    Attributes
    ----------
    n_paths : how many paths.
    counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    sums, squares : float64 (n_micro_blocks, n_rows, n_metrics), sums over each micro-block.
    tails : by row and tail metric, what can be in a bad tail: amounts above zero, all collateral losses, all health
        factors with sign turned.
    amounts : float64 (n_rows, n_paths, n_metrics), events : int32 (n_rows, n_paths, n_events); None unless kept.
    bridged : whether the source gave step variances.
    """

    n_paths: int
    counts: NDArray[np.int64]
    sums: FloatArray
    squares: FloatArray
    tails: tuple[tuple[FloatArray, ...], ...]
    amounts: FloatArray | None
    events: NDArray[np.int32] | None
    bridged: bool


@dataclass(frozen=True, slots=True)
class MarginTask:
    """A picklable function of a range of paths.

    Parameters
    ----------
    source : where the paths come from. positions, rules : the accounts and their terms.
    correlation : of the slots but cash; None: no bridge.
    settles : whether a rule can write debt off or hand collateral over.
    n_steps : steps to run. bridge_key, cure_key : keys of the streams. keep_paths : whether columns travel back.
    """

    source: PathSource
    positions: Positions
    rules: RuleArrays
    correlation: FloatArray | None
    settles: bool
    n_steps: int
    bridge_key: np.uint64
    cure_key: np.uint64
    keep_paths: bool

    @property
    def n_rows(self) -> int:
        """Accounts, and the book if there are several."""
        n_accounts = len(self.positions.held)
        return n_accounts + 1 if n_accounts > 1 else 1

    @property
    def metrics(self) -> tuple[str, ...]:
        """The quantities of a path: more where rules write debt off or hand collateral over."""
        return metrics_of(self.settles)

    def __call__(self, first: int, last: int) -> BlockResult:
        """Run the paths `first` to `last` - 1: as many micro-blocks at a time as the caches hold."""
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin_sums import gather_tails, sum_block

        n_micro, n_metrics = -(-(last - first) // MICRO_BLOCK), len(self.metrics)
        tail_rows = np.array([self.metrics.index(name) for name in tail_metrics_of(self.settles)])
        counts = np.zeros((self.n_rows, len(EVENTS), self.n_steps + 1), dtype=np.int64)
        sums = np.empty((n_micro, self.n_rows, n_metrics))
        squares = np.empty_like(sums)
        tails = np.empty((self.n_rows, tail_rows.size, last - first))
        sizes = np.zeros((self.n_rows, tail_rows.size), dtype=np.int64)
        kept: list[tuple[FloatArray, NDArray[np.int32]]] = []
        bridged = True
        size = self._paths_at_once()
        for low in range(first, last, size):
            amounts, events, with_bridge = self._part(low, min(low + size, last))
            bridged = bridged and with_bridge
            micro = slice((low - first) // MICRO_BLOCK, -(-(min(low + size, last) - first) // MICRO_BLOCK))
            sum_block(amounts, events, MICRO_BLOCK, _LARGEST_ROOT, sums[micro], squares[micro], counts)
            for row in range(self.n_rows):
                gather_tails(amounts[row], tail_rows, tails[row], sizes[row])
            if self.keep_paths:
                kept.append((amounts, events))
        return BlockResult(
            n_paths=last - first,
            counts=counts,
            sums=sums,
            squares=squares,
            tails=_tails(tails, sizes),
            amounts=np.concatenate([part[0] for part in kept], axis=1) if kept else None,
            events=np.concatenate([part[1] for part in kept], axis=1) if kept else None,
            bridged=bridged,
        )

    def _paths_at_once(self) -> int:
        """Whole micro-blocks whose prices and outcomes fit the second-level cache, at least one."""
        floats = len(self.source.assets) * (2 * self.n_steps + 1) + self.n_rows * len(self.metrics)
        return max(1, _CACHED_FLOATS // (floats * MICRO_BLOCK)) * MICRO_BLOCK

    def _part(self, first: int, last: int) -> tuple[FloatArray, NDArray[np.int32], bool]:
        """Amounts and events of the paths `first` to `last` - 1, and whether the source gave step variances."""
        wanted = self.correlation is not None and bool(self.rules.switches[:, BRIDGE].any())
        paths = read_native(self.source, first, last, self.n_steps, variance=wanted)
        n_accounts, n_paths = len(self.positions.held), last - first
        shape = (self.n_rows, n_paths, len(self.metrics))
        buffer = np.empty(math.prod(shape)) if self.keep_paths else kept_buffer("amounts", math.prod(shape))
        amounts = buffer.reshape(shape)
        events = np.empty((self.n_rows, n_paths, len(EVENTS)), dtype=np.int32)
        for low in range(0, n_accounts, _ACCOUNTS_AT_ONCE):
            rows = slice(low, min(low + _ACCOUNTS_AT_ONCE, n_accounts))
            self._run(first, paths, rows, amounts[rows], events[rows])
        if n_accounts > 1:
            _sum_book(amounts, events, self.n_steps)
        return amounts, events, paths[1] is not None and self.correlation is not None

    def _run(
        self,
        first: int,
        paths: tuple[PathArray, PathArray | None],
        rows: slice,
        amounts: FloatArray,
        events: NDArray[np.int32],
    ) -> None:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin import margin_block

        n_slots = self.positions.columns.size
        (prices, variance), correlation = paths, self.correlation
        if variance is None or correlation is None:
            variance, correlation = np.empty((0, 0, 0), prices.dtype), np.eye(n_slots)
        margin_block(
            prices,
            variance,
            self.positions.columns,
            correlation,
            first,
            self.n_steps,
            self.positions.held[rows],
            self.positions.owed[rows],
            self.rules.thresholds[rows],
            self.rules.impacts[rows],
            self.rules.by_slot[rows],
            self.rules.rules[rows],
            self.rules.switches[rows],
            self.bridge_key,
            self.cure_key,
            amounts,
            events,
        )


def _sum_book(amounts: FloatArray, events: NDArray[np.int32], n_steps: int) -> None:
    """The last row: sums of the accounts' amounts, the lowest health factor, the first occurrence on any account."""
    amounts[:-1].sum(axis=0, out=amounts[-1])
    amounts[:-1, :, MIN_HEALTH].min(axis=0, out=amounts[-1, :, MIN_HEALTH])
    never = n_steps + 1
    first = np.where(events[:-1] < 0, never, events[:-1]).min(axis=0)
    events[-1] = np.where(first == never, -1, first)


def _tails(values: FloatArray, sizes: NDArray[np.int64]) -> tuple[tuple[FloatArray, ...], ...]:
    """By row and tail metric, a copy of the values that were gathered."""
    return tuple(
        tuple(metric[:size].copy() for metric, size in zip(row, found.tolist(), strict=True))
        for row, found in zip(values, sizes, strict=True)
    )
