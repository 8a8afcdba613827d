"""Shortfalls of one account under many terms: the counts of `run_margin`, at the cost of little more than one run.

Two ways to know that a path has no shortfall under some terms, without running it:

*Cover.* Let r be the value of the collateral over the debt if nothing is ever sold, p the penalty. A sale at a ratio
of at least 1 + p does not lower the ratio. Where r >= 1 + p at the end of every step, without price impact and with
every threshold at most 1 / (1 + p), every sale is of that kind, by induction over the sales: also one at the price of
the barrier, where the ratio is 1 / threshold. So the ratio never falls below r, and at the end it is above 1. This
serves all such terms at once.

*Health.* Where the health factor stays above the level at which anything can happen, nothing is sold. For terms that
only scale the thresholds, health factors scale too, so one pass serves them all.

Both are passes of the margin engine over accounts that nothing happens to; the state machine runs what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Account, Loan, Terms
from collatrisk.execution import iter_blocks
from collatrisk.kernels import columns as at
from collatrisk.liquidation import RuleArrays, rule_arrays
from collatrisk.margining.run import account_pairs, slot_correlation, steps_to_run
from collatrisk.margining.sweep_task import Accounts, SweepTask
from collatrisk.pricing import Positions, positions
from collatrisk.risk import Estimate, estimate_probability
from collatrisk.simulation.source import FloatArray, PathSource

_COVERED = -1
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
    a shortfall alone (see above how they are known).

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
    order = np.argsort(decide(arrays, matrices.held[0])[0] != _COVERED, kind="stable")
    arrays = RuleArrays(*(getattr(arrays, field.name)[order] for field in fields(arrays)))
    base, levels, cover = decide(arrays, matrices.held[0])
    task = SweepTask(
        source=source,
        columns=matrices.columns,
        correlation=slot_correlation(source, matrices),
        n_steps=n_steps,
        bridge_key=stream_key(source.seed, Purpose.BRIDGE),
        cure_key=stream_key(source.seed, Purpose.CURE),
        terms=_accounts(matrices, arrays, np.arange(len(base))),
        followed=_followed(matrices, arrays, base, levels, cover),
        rows=np.unique(base, return_inverse=True)[1],
        n_covered=int(np.count_nonzero(base == _COVERED)),
        levels=levels,
    )
    counts = np.zeros(len(rules), dtype=np.int64)
    for block in iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress):
        counts[order] += block
    return [estimate_probability(hits, source.n_paths, overlap=source.overlap) for hits in counts.tolist()]


def _accounts(matrices: Positions, rules: RuleArrays, chosen: NDArray[np.int64]) -> Accounts:
    """The one account under some of the terms, as the kernels take it."""
    held, owed = (np.tile(units[0], (chosen.size, 1)) for units in (matrices.held, matrices.owed))
    return Accounts(held, owed, *(getattr(rules, field.name)[chosen] for field in fields(rules)))


def _followed(
    matrices: Positions, rules: RuleArrays, base: NDArray[np.int64], levels: FloatArray, cover: float
) -> Accounts:
    """Accounts to follow as if nothing happened: one for the cover, if any, then one for each base."""
    chosen = np.unique(base)
    accounts = _accounts(matrices, rules, np.maximum(chosen, 0))
    for row, own in enumerate(chosen.tolist()):
        accounts.rules[row, at.CALL] = levels[base == own].max()
    if cover > 0.0:
        # The ratio of collateral to debt: it is lowest where debts grow fastest.
        accounts.thresholds[0] = 1.0
        accounts.rules[0, [at.CALL, at.GROWTH]] = cover, rules.rules[:, at.GROWTH].max()
        accounts.switches[0, at.BRIDGE] = 0
    return accounts


def decide(rules: RuleArrays, held: FloatArray) -> tuple[NDArray[np.int64], FloatArray, float]:
    """How each of the terms is decided.

    Parameters
    ----------
    rules : of all terms of one account. held : float64 (n_slots,), its units.

    Returns
    -------
    base : int64 (n_terms,), `_COVERED`, or the terms whose health factors decide: the terms themselves, or earlier ones
        of which they are a multiple.
    levels : float64 (n_terms,), the health factor of those base terms below which something may happen.
    cover : float64, 1 + p for the covered terms; 0 if there are none.
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
