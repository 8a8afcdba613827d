"""What a worker of the sweep does: follow the paths once, list those that matter, run the state machine on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution import MICRO_BLOCK
from collatrisk.execution.scratch import kept_array
from collatrisk.kernels import columns as at
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathSource

_Wholes: TypeAlias = NDArray[np.int64]
_Paths: TypeAlias = tuple[FloatArray, FloatArray, int, int, _Wholes, FloatArray, int, int]
_FLOATS_AT_ONCE = 1 << 19
_MOST_MICRO_BLOCKS = 4


class Accounts(NamedTuple):
    """One account under several terms: fields as in `collatrisk.kernels.margin`, in its order."""

    held: FloatArray
    owed: FloatArray
    thresholds: FloatArray
    impacts: FloatArray
    by_slot: FloatArray
    rules: FloatArray
    switches: _Wholes


@dataclass(frozen=True, slots=True)
class SweepTask:
    """A picklable function of a range of paths: int64 (n_terms,), paths with a shortfall.

    Parameters
    ----------
    source, columns, correlation, n_steps, bridge_key, cure_key : as in `MarginTask`.
    terms : the account under each of the terms; the first `n_covered` of them share a list of paths.
    followed : accounts that nothing happens to, whose lowest health factors decide: that of the cover first, if any.
    rows : int64 (n_terms,), which of them decides. levels : float64 (n_terms,), below which something may happen.
    """

    source: PathSource
    columns: _Wholes
    correlation: FloatArray | None
    n_steps: int
    bridge_key: np.uint64
    cure_key: np.uint64
    terms: Accounts
    followed: Accounts
    rows: _Wholes
    n_covered: int
    levels: FloatArray

    def __call__(self, first: int, last: int) -> _Wholes:
        """Run the paths `first` to `last` - 1, some micro-blocks at a time.

        The few paths that matter fill tiles of 64: the more paths at once, the fuller the last tile; but not so many
        that the prices leave the second-level cache for good.
        """
        counts = np.zeros(len(self.rows), dtype=np.int64)
        numbers = (2 * self.n_steps + 1) * len(self.source.assets) * MICRO_BLOCK
        step = min(max(_FLOATS_AT_ONCE // numbers, 1), _MOST_MICRO_BLOCKS) * MICRO_BLOCK
        for low in range(first, last, step):
            paths = self._read(low, min(low + step, last))
            counts += self._run(paths, *self._listed(paths))
        return counts

    def _read(self, first: int, last: int) -> _Paths:
        """What both kernels are told of some paths."""
        wanted = self.correlation is not None and bool((self.terms.switches[:, at.BRIDGE] == 1).any())
        block = read_scratch(self.source, first, last, self.n_steps, variance=wanted)
        variance, correlation = block.step_variance, self.correlation
        if variance is None or correlation is None:
            variance, correlation = np.empty(0), np.eye(self.columns.size)
        prices, n_assets = block.prices.reshape(-1), block.prices.shape[1]
        return prices, variance.reshape(-1), n_assets, block.n_paths, self.columns, correlation, first, self.n_steps

    def _listed(self, paths: _Paths) -> tuple[_Wholes, _Wholes, _Wholes]:
        """The paths to run, the steps to begin with and how many there are: the list of the covered terms, if any, then
        one for each of the others."""
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.margin import find_eventful
        from collatrisk.kernels.quiet import NEAR

        held, owed, thresholds, _, _, rules, switches = self.followed
        n_rows, n_paths = len(held), paths[3]
        kept = kept_array("columns", (n_rows, at.N_COLUMNS, n_paths))
        found, begun = kept_array("eventful", (2, n_rows, n_paths), np.int64)
        n_found = np.zeros(n_rows, dtype=np.int64)
        floors = np.full(n_rows, np.inf)
        np.minimum.at(floors, self.rows, self.levels)
        out = kept, found, begun, n_found
        find_eventful(*paths, held, owed, thresholds, rules, switches, self.bridge_key, *out, floors)
        lowest = kept[:, at.MIN_HEALTH - at.INTEREST]
        shared = min(self.n_covered, 1)
        n_lists = shared + len(self.rows) - self.n_covered
        eventful, starts = kept_array("listed", (2, n_lists, n_paths), np.int64)
        sizes = np.empty(n_lists, dtype=np.int64)
        if shared:
            # From the start: a sale before the ratio falls below the cover counts too.
            sizes[0] = n_found[0]
            eventful[0, : n_found[0]], starts[0, : n_found[0]] = found[0, : n_found[0]], 0
        for place, term in enumerate(range(self.n_covered, len(self.rows)), shared):
            row = self.rows[term]
            some, since = found[row, : n_found[row]], begun[row, : n_found[row]]
            near = lowest[row, some] < self.levels[term] * NEAR
            sizes[place] = n = np.count_nonzero(near)
            eventful[place, :n], starts[place, :n] = some[near], since[near]
        return eventful, starts, sizes

    def _run(self, paths: _Paths, eventful: _Wholes, starts: _Wholes, sizes: _Wholes) -> _Wholes:
        """How many of the listed paths have a shortfall, by terms."""
        from collatrisk.kernels.margin import run_eventful

        lists = np.maximum(np.arange(len(self.rows)) - max(self.n_covered - 1, 0), 0)
        ends = np.cumsum(sizes[lists])
        events = kept_array("events", (int(ends[-1]), at.N_EVENTS), np.int32)
        amounts, kept = np.empty((len(events), 0)), np.empty((0, 0, 0))
        keys = self.bridge_key, self.cure_key
        run_eventful(*paths, *self.terms, *keys, lists, eventful, starts, sizes, amounts, events, kept)
        hits = np.append(0, np.cumsum(events[:, at.SHORT] >= 0))
        return np.asarray(hits[ends] - hits[ends - sizes[lists]])
