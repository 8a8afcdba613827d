"""What a worker does: read paths, run the kernel on them, and boil the columns down before they travel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution import MICRO_BLOCK
from collatrisk.liquidation import RuleArrays
from collatrisk.margining.names import EVENTS, METRICS, MIN_HEALTH, TAIL_METRICS
from collatrisk.pricing import Positions
from collatrisk.simulation.source import PathBlock, PathSource

FloatArray = NDArray[np.float64]
_ACCOUNTS_AT_ONCE = 64
_LARGEST_ROOT = 1e150
_TAIL_ROWS = np.array([METRICS.index(name) for name in TAIL_METRICS])


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What came of a block of paths. The last row of each array of accounts is the book, if there are several.

    Attributes
    ----------
    n_paths : how many paths.
    counts : int64 (n_rows, n_events, n_steps + 1), paths by step of the first occurrence.
    sums, squares : float64 (n_micro_blocks, n_rows, n_metrics), sums over each micro-block.
    tails : by row and tail metric, what can be in a bad tail: amounts above zero, all health factors with sign turned.
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
    n_steps : steps to run. bridge_key, cure_key : keys of the streams. keep_paths : whether columns travel back.
    """

    source: PathSource
    positions: Positions
    rules: RuleArrays
    correlation: FloatArray | None
    n_steps: int
    bridge_key: np.uint64
    cure_key: np.uint64
    keep_paths: bool

    @property
    def n_rows(self) -> int:
        """Accounts, and the book if there are several."""
        n_accounts = len(self.positions.held)
        return n_accounts + 1 if n_accounts > 1 else 1

    def __call__(self, first: int, last: int) -> BlockResult:
        """Run the paths `first` to `last` - 1, a micro-block at a time."""
        parts = [self._micro(low, min(low + MICRO_BLOCK, last)) for low in range(first, last, MICRO_BLOCK)]
        amounts, events = [part[0] for part in parts], [part[1] for part in parts]
        return BlockResult(
            n_paths=last - first,
            counts=np.sum([_count_events(found, self.n_steps) for found in events], axis=0),
            sums=np.stack([found.sum(axis=1) for found in amounts]),
            squares=np.stack([_squares(found) for found in amounts]),
            tails=_tails(amounts),
            amounts=np.concatenate(amounts, axis=1) if self.keep_paths else None,
            events=np.concatenate(events, axis=1) if self.keep_paths else None,
            bridged=all(part[2] for part in parts),
        )

    def _micro(self, first: int, last: int) -> tuple[FloatArray, NDArray[np.int32], bool]:
        block = self.source.read(first, last)
        n_accounts, n_paths = len(self.positions.held), last - first
        amounts = np.empty((self.n_rows, n_paths, len(METRICS)))
        events = np.empty((self.n_rows, n_paths, len(EVENTS)), dtype=np.int32)
        for low in range(0, n_accounts, _ACCOUNTS_AT_ONCE):
            rows = slice(low, min(low + _ACCOUNTS_AT_ONCE, n_accounts))
            self._run(block, rows, amounts[rows], events[rows])
        if n_accounts > 1:
            _sum_book(amounts, events, self.n_steps)
        return amounts, events, block.step_variance is not None and self.correlation is not None

    def _run(self, block: PathBlock, rows: slice, amounts: FloatArray, events: NDArray[np.int32]) -> None:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin import margin_block

        n_slots = self.positions.columns.size
        variance, correlation = block.step_variance, self.correlation
        if variance is None or correlation is None:
            variance, correlation = np.empty((0, 0, 0)), np.eye(n_slots)
        margin_block(
            np.ascontiguousarray(block.prices),
            np.ascontiguousarray(variance),
            self.positions.columns,
            correlation,
            block.first_path,
            self.n_steps,
            self.positions.held[rows],
            self.positions.owed[rows],
            self.rules.thresholds[rows],
            self.rules.impacts[rows],
            self.rules.rules[rows],
            self.rules.switches[rows],
            self.bridge_key,
            self.cure_key,
            amounts,
            events,
        )


def _squares(amounts: FloatArray) -> FloatArray:
    """Sums of squares over the paths. A debt of almost nothing has a health factor whose square would overflow."""
    bounded = np.minimum(amounts, _LARGEST_ROOT)
    sums: FloatArray = (bounded * bounded).sum(axis=1)
    return sums


def _sum_book(amounts: FloatArray, events: NDArray[np.int32], n_steps: int) -> None:
    """The last row: sums of the accounts' amounts, the lowest health factor, the first occurrence on any account."""
    amounts[:-1].sum(axis=0, out=amounts[-1])
    amounts[:-1, :, MIN_HEALTH].min(axis=0, out=amounts[-1, :, MIN_HEALTH])
    never = n_steps + 1
    first = np.where(events[:-1] < 0, never, events[:-1]).min(axis=0)
    events[-1] = np.where(first == never, -1, first)


def _count_events(events: NDArray[np.int32], n_steps: int) -> NDArray[np.int64]:
    """Paths by row, event and step of the first occurrence, as integers."""
    n_rows, _, n_events = events.shape
    cell = np.arange(n_rows)[:, None, None] * n_events + np.arange(n_events)
    index = cell * (n_steps + 2) + events + 1
    counts = np.bincount(index.ravel(), minlength=n_rows * n_events * (n_steps + 2))
    return np.ascontiguousarray(counts.reshape(n_rows, n_events, n_steps + 2)[:, :, 1:], dtype=np.int64)


def _tails(parts: list[FloatArray]) -> tuple[tuple[FloatArray, ...], ...]:
    """By row and tail metric, the values that can be in a bad tail. Amounts of zero are left to the count of paths."""
    rows = []
    for row in range(parts[0].shape[0]):
        columns = np.concatenate([part[row][:, _TAIL_ROWS] for part in parts])
        amounts = tuple(columns[columns[:, i] > 0, i] for i in range(len(TAIL_METRICS) - 1))
        rows.append((*amounts, -columns[:, -1]))
    return tuple(rows)
