"""Shortfalls of one account under many terms: the counts of `run_margin`, at the cost of little more than one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Account, Loan, Terms
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.kernels import columns as at
from collatrisk.liquidation import RuleArrays, rule_arrays
from collatrisk.margining.run import account_pairs, slot_correlation, steps_to_run
from collatrisk.pricing import positions
from collatrisk.risk import Estimate, estimate_probability
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathSource

_COVERED = -1
_FLOATS_AT_ONCE = 1 << 19
_MOST_MICRO_BLOCKS = 4
_ROUNDING = 1.0 + 1e-6


def shortfall_probabilities(
    source: PathSource,
    account: Account | Loan,
    terms: Sequence[Terms],
    *,
    executor: Executor | None = None,
    horizon_days: float | None = None,
    block_size: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[Estimate]:
    """The probability of a shortfall of one account under each of several terms.

    The same numbers as ``run_margin(source, account, terms).probability("shortfall", i)``, from the paths that can have
    a shortfall alone (`collatrisk.kernels.sweep` says how they are known).

    Parameters, raises : as `run_margin`.

    Returns
    -------
    One Estimate for each of `terms`, with its exact binomial interval.
    """
    spot = dict(zip(source.assets, source.spot.tolist(), strict=True))
    held, rules, _ = account_pairs(account, terms, spot)
    n_steps = steps_to_run(source, horizon_days)
    matrices = positions(held[:1], source.assets)
    arrays = rule_arrays(held, rules, matrices.assets, source.clock)
    base, levels, cover = decide(arrays, matrices.held[0])
    task = SweepTask(
        source=source,
        columns=matrices.columns,
        held=matrices.held[0],
        owed=matrices.owed[0],
        rules=arrays,
        base=base,
        levels=levels,
        cover=cover,
        correlation=slot_correlation(source, matrices),
        n_steps=n_steps,
        bridge_key=stream_key(source.seed, Purpose.BRIDGE),
        cure_key=stream_key(source.seed, Purpose.CURE),
    )
    counts = np.zeros(len(rules), dtype=np.int64)
    for block in iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress):
        counts += block
    return [estimate_probability(hits, source.n_paths, overlap=source.overlap) for hits in counts.tolist()]


def decide(rules: RuleArrays, held: FloatArray) -> tuple[NDArray[np.int64], FloatArray, float]:
    """How each of the terms is decided: `base`, `levels` and `cover` of `collatrisk.kernels.sweep.sweep_block`.

    Parameters
    ----------
    rules : of all terms of one account. held : float64 (n_slots,), its units.
    """
    used = held > 0
    cost = 1.0 + _largest_bonus(rules, used) + rules.rules[:, at.FEE]
    highest = rules.thresholds[:, used].max(axis=1, initial=0.0)
    covered = (highest * cost <= 1.0) & ~(rules.impacts[:, used] > 0).any(axis=1) & _pro_rata(rules, used)
    base = np.where(covered, _COVERED, np.arange(len(cost)))
    # A call that nobody answers, and that leads to no sale, changes nothing.
    matters = (rules.rules[:, at.CURE] > 0) | (rules.switches[:, at.UNCURED_SELLS] == 1)
    levels = np.where(matters, np.maximum(rules.rules[:, at.CALL], 1.0), rules.rules[:, at.TRIGGER])
    first = -1
    for a in np.flatnonzero(~covered).tolist():
        ratio = _multiple(rules, first, a, used) if first >= 0 else None
        if ratio is None:
            first = a
        else:
            base[a] = first
            levels[a] /= ratio
    cover = float(cost[covered].max(initial=0.0)) * _ROUNDING
    return base, levels, cover


def _largest_bonus(rules: RuleArrays, used: NDArray[np.bool_]) -> FloatArray:
    """The most that a liquidator can get under each of the terms, share of the repaid value."""
    most = rules.rules[:, at.MOST_DISCOUNT]
    own = rules.by_slot[:, at.BONUS_OF][:, used].max(axis=1, initial=0.0)
    return np.where(rules.switches[:, at.BY_DISCOUNT] == 1, most / (1.0 - most), own)


def _pro_rata(rules: RuleArrays, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether collateral is sold, and every asset in proportion, so that the mix never changes."""
    priorities = rules.by_slot[:, at.PRIORITY][:, used]
    even = (priorities == priorities[:, :1]).all(axis=1)
    return np.asarray(even & (rules.switches[:, at.KIND] == at.SALE))


def _multiple(rules: RuleArrays, first: int, a: int, used: NDArray[np.bool_]) -> float | None:
    """By what the thresholds of terms `first` are to be multiplied to be those of `a`, if that is all that differs for
    the health factors."""
    ratios = rules.thresholds[a, used] / rules.thresholds[first, used]
    bridge, growth = rules.switches[:, at.BRIDGE], rules.rules[:, at.GROWTH]
    same = bridge[a] == bridge[first] and growth[a] == growth[first]
    even = ratios.size > 0 and float(np.ptp(ratios)) <= 1e-12 * float(ratios[0])
    return float(ratios[0]) if same and even else None


@dataclass(frozen=True, slots=True)
class SweepTask:
    """A picklable function of a range of paths: int64 (n_terms,), paths with a shortfall. Fields as in `MarginTask`."""

    source: PathSource
    columns: NDArray[np.int64]
    held: FloatArray
    owed: FloatArray
    rules: RuleArrays
    base: NDArray[np.int64]
    levels: FloatArray
    cover: float
    correlation: FloatArray | None
    n_steps: int
    bridge_key: np.uint64
    cure_key: np.uint64

    def __call__(self, first: int, last: int) -> NDArray[np.int64]:
        """Run the paths `first` to `last` - 1, some micro-blocks at a time.

        The few paths that matter fill tiles of 64: the more paths at once, the fuller the last tile; but not so many
        that the prices leave the second-level cache for good.
        """
        counts = np.zeros(len(self.base), dtype=np.int64)
        numbers = (2 * self.n_steps + 1) * len(self.source.assets) * MICRO_BLOCK
        step = min(max(_FLOATS_AT_ONCE // numbers, 1), _MOST_MICRO_BLOCKS) * MICRO_BLOCK
        for low in range(first, last, step):
            self._add(low, min(low + step, last), counts)
        return counts

    def _add(self, first: int, last: int, counts: NDArray[np.int64]) -> None:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.sweep import sweep_block

        wanted = self.correlation is not None and bool((self.rules.switches[:, at.BRIDGE] == 1).any())
        block = read_scratch(self.source, first, last, self.n_steps, variance=wanted)
        variance, correlation = block.step_variance, self.correlation
        if variance is None or correlation is None:
            variance, correlation = np.empty(0), np.eye(self.held.size)
        sweep_block(
            np.ascontiguousarray(block.prices).reshape(-1),
            np.ascontiguousarray(variance).reshape(-1),
            block.prices.shape[1],
            block.n_paths,
            self.columns,
            correlation,
            block.first_path,
            self.n_steps,
            self.held,
            self.owed,
            self.rules.thresholds,
            self.rules.impacts,
            self.rules.by_slot,
            self.rules.rules,
            self.rules.switches,
            self.base,
            self.levels,
            self.cover,
            self.bridge_key,
            self.cure_key,
            counts,
        )
