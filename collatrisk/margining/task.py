"""What a worker does: read paths, run the kernel on them, and boil the columns down before they travel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution import MICRO_BLOCK
from collatrisk.execution.scratch import kept_array
from collatrisk.kernels.columns import BRIDGE, N_COLUMNS
from collatrisk.liquidation import RuleArrays
from collatrisk.margining.names import EVENTS, metrics_of, tail_metrics_of
from collatrisk.pricing import Positions
from collatrisk.simulation.scratch import read_native
from collatrisk.simulation.source import PathSource

FloatArray = NDArray[np.float64]
Part = tuple[FloatArray, NDArray[np.int64], NDArray[np.int64], FloatArray, NDArray[np.int32]]
_LARGEST_ROOT = 1e150  # a debt of almost nothing has a health factor whose square would overflow
_CACHED_FLOATS = 1 << 19  # 4 MiB: what a worker writes and soon reads again stays in the last-level cache


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
    floors : float64 (n_rows, n_tails), values that no tail can need at or below: whoever gathers may raise it while
        the blocks run (workers that share this memory then send less). It changes what travels, never what comes out.
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
    floors: FloatArray = field(init=False)
    _bridge: bool = field(init=False)
    _correlation: FloatArray = field(init=False)
    _metrics: tuple[int, int, NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        """What is the same for all blocks: accounts and the book, quantities, those with tails, whether to bridge."""
        n_accounts, tails = len(self.positions.held), tail_metrics_of(self.settles)
        metrics = metrics_of(self.settles)
        n_rows = n_accounts + 1 if n_accounts > 1 else 1
        wanted = np.array([metrics.index(name) for name in tails])
        bridge = self.correlation is not None and bool(self.rules.switches[:, BRIDGE].any())
        correlation = np.eye(self.positions.columns.size) if self.correlation is None else self.correlation
        object.__setattr__(self, "floors", np.full((n_rows, wanted.size), -np.inf))
        object.__setattr__(self, "_bridge", bridge)
        object.__setattr__(self, "_correlation", correlation)
        object.__setattr__(self, "_metrics", (n_rows, len(metrics), wanted))

    def __call__(self, first: int, last: int) -> BlockResult:
        """Run the paths `first` to `last` - 1: as many at a time as the caches hold."""
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin_columns import sum_outcomes, write_paths

        n_rows, n_metrics, wanted = self._metrics
        n_micro = -(-(last - first) // MICRO_BLOCK)
        counts = np.zeros((n_rows, len(EVENTS), self.n_steps + 1), dtype=np.int64)
        sums = np.zeros((2, n_micro, n_rows, n_metrics))
        tails = kept_array("tails", (n_rows, wanted.size, last - first))
        sizes = np.zeros((n_rows, wanted.size), dtype=np.int64)
        kept = _Columns(n_rows, last - first, n_metrics) if self.keep_paths else None
        bridged = True
        size = self._paths_at_once(n_micro)
        for low in range(first, last, size):
            high = min(low + size, last)
            part, with_bridge = self._part(low, high)
            bridged = bridged and with_bridge
            micro = slice((low - first) // MICRO_BLOCK, -(-(high - first) // MICRO_BLOCK))
            sum_outcomes(*part, MICRO_BLOCK, _LARGEST_ROOT, wanted, self.floors, *sums[:, micro], counts, tails, sizes)
            if kept is not None:
                write_paths(*part, low - first, kept.amounts, kept.events)
        return BlockResult(
            n_paths=last - first,
            counts=counts,
            sums=sums[0],
            squares=sums[1],
            tails=_tails(tails, sizes),
            amounts=kept.amounts if kept else None,
            events=kept.events if kept else None,
            bridged=bridged,
        )

    @property
    def largest_block(self) -> int:
        """Paths of a block where nobody chose: a single account holds little beside its part, so few blocks do."""
        return (25 if self._metrics[0] == 1 else 16) * MICRO_BLOCK

    def _paths_at_once(self, n_micro: int) -> int:
        """Whole micro-blocks whose prices and outcomes fit the last-level cache, about as many in each part of a block;
        half a one where none fits, which is as few paths as the kernel simulates at once."""
        n_rows, n_metrics, _ = self._metrics
        steps = self.n_steps * (2 if self._bridge else 1) + 1
        floats = len(self.source.assets) * steps + n_rows * n_metrics
        fitting = _CACHED_FLOATS // (floats * MICRO_BLOCK)
        return -(-n_micro // -(-n_micro // fitting)) * MICRO_BLOCK if fitting else MICRO_BLOCK // 2

    def _part(self, first: int, last: int) -> tuple[Part, bool]:
        """Outcomes of the paths `first` to `last` - 1, until this thread's next call, and whether the source gave step
        variances."""
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin import find_eventful, run_eventful
        from collatrisk.kernels.margin_columns import add_book

        prices, variance = read_native(self.source, first, last, self.n_steps, variance=self._bridge)
        bridged = variance is not None and self.correlation is not None
        if variance is None or self.correlation is None:
            variance = np.empty(0, prices.dtype)
        (n_rows, n_metrics, _), n_accounts, n_paths = self._metrics, len(self.positions.held), last - first
        kept = kept_array("columns", (n_rows, N_COLUMNS, n_paths))
        eventful = kept_array("eventful", (n_rows, n_paths), np.int64)
        starts = kept_array("starts", (n_rows, n_paths), np.int64)
        n_eventful = np.zeros(n_rows, dtype=np.int64)
        paths = (
            prices.reshape(-1),
            variance.reshape(-1),
            prices.shape[1],
            n_paths,
            self.positions.columns,
            self._correlation,
            first,
            self.n_steps,
            self.positions.held,
            self.positions.owed,
            self.rules.thresholds,
        )
        rules, switches = self.rules.rules, self.rules.switches
        find_eventful(*paths, rules, switches, self.bridge_key, kept, eventful, starts, n_eventful)
        found = int(n_eventful.sum())
        rows = found + min(found, n_paths) if n_accounts > 1 else found
        amounts = kept_array("amounts", (rows, n_metrics))
        events = kept_array("events", (rows, len(EVENTS)), np.int32)
        if found:
            run_eventful(
                *paths,
                self.rules.impacts,
                self.rules.by_slot,
                rules,
                switches,
                self.bridge_key,
                self.cure_key,
                np.arange(n_accounts),
                eventful,
                starts,
                n_eventful,
                amounts,
                events,
                kept,
            )
        if n_accounts > 1:
            add_book(kept, eventful, starts, n_eventful, amounts, events)
        return (kept, eventful, n_eventful, amounts, events), bridged


class _Columns:
    """Rows of every path of a block, for those who keep them."""

    def __init__(self, n_rows: int, n_paths: int, n_metrics: int) -> None:
        self.amounts = np.empty((n_rows, n_paths, n_metrics))
        self.events = np.empty((n_rows, n_paths, len(EVENTS)), dtype=np.int32)


def _tails(values: FloatArray, sizes: NDArray[np.int64]) -> tuple[tuple[FloatArray, ...], ...]:
    """By row and tail metric, a copy of the values that were gathered."""
    return tuple(
        tuple(metric[:size].copy() for metric, size in zip(row, found, strict=True))
        for row, found in zip(values, sizes.tolist(), strict=True)
    )
