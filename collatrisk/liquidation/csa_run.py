"""`run_csa`: calls, deliveries and exposure of a portfolio under an annex, over the paths of any source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.frozen import checked_map
from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.liquidation.csa import CsaTerms
from collatrisk.liquidation.path_columns import PathColumns
from collatrisk.simulation.source import PathSource, check_source

FloatArray = NDArray[np.float64]
UNITS: Final = {
    "peak_exposure": "currency",
    "end_exposure": "currency",
    "mean_exposure": "currency",
    "peak_uncollateralised": "currency",
    "called": "currency",
    "calls": "calls",
    "peak_posted": "currency",
}
"""Metrics in the order of the rows.

peak_exposure, end_exposure, mean_exposure : of max(value now - collateral as it stands from `mpor_days` ago, 0) over
the steps. peak_uncollateralised : of the value itself, for comparison. called : sum of what was called from the other
side; calls : how often. peak_posted : the most that we had posted.
"""


@dataclass(frozen=True, slots=True, eq=False)
class CsaStates:
    """Each step of each path, float64 (n_paths, n_steps + 1): value, collateral counted, delivery called, exposure
    (value less collateral, signed)."""

    value: FloatArray
    collateral: FloatArray
    delivery: FloatArray
    exposure: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CsaOutcomes(PathColumns):
    """See `UNITS` for the metrics.

    Attributes
    ----------
    times : days. expected_exposure : float64 (n_steps + 1,), mean over paths of the positive exposure at each step.
    states : None unless kept.
    """

    times: FloatArray | None = None
    expected_exposure: FloatArray | None = None
    states: CsaStates | None = None


def run_csa(
    source: PathSource,
    portfolio: Mapping[str, float],
    terms: CsaTerms,
    *,
    cash: float = 0.0,
    collateral: str | None = None,
    keep_states: bool = False,
    executor: Executor | None = None,
    block_size: int = 4 * MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
) -> CsaOutcomes:
    """Collateral calls and exposure of a portfolio on every path.

    Parameters
    ----------
    source : any `PathSource`.
    portfolio : asset -> units, signed; its value is ``cash + sum(units price)``, positive if the other side owes us.
    terms : of the annex. cash : currency, signed.
    collateral : the asset that is delivered both ways, counted after its haircut; None: cash.
    keep_states : whether every step is kept (for few paths).
    executor, block_size, progress : as for `run_margin`. Results do not depend on them.

    Returns
    -------
    CsaOutcomes

    Raises
    ------
    InputError : with all broken rules at once: assets without a price, collateral that is not eligible, times that are
        not whole steps.

    Notes
    -----
    At the start the balance is what the terms ask for. At each step deliveries that are due arrive, then the gap is
    called; it arrives after `settlement_days`. The exposure at a step is the value less the collateral that was there
    `mpor_days` before (at today's price of it, without the haircut), less segregated initial margin: what is lost if
    the other side stops delivering `mpor_days` before close-out.
    """
    problems = Problems("run_csa")
    check_source(problems, source)
    problems.check(isinstance(terms, CsaTerms), "terms", terms, "must be CsaTerms", 'venues.load("csa").terms()')
    units = checked_map(problems, "portfolio", portfolio, low=-np.inf, remedy="give {'ETH': 10.0}")
    problems.number("cash", cash, remedy="give currency")
    problems.raise_if_any()
    named = (*units, *([] if collateral is None else [collateral]))
    problems.known("asset without a price", named, source.assets)
    problems.raise_if_any()
    lag = source.clock.steps(terms.settlement_days, "settlement_days")
    mpor = source.clock.steps(terms.mpor_days, "mpor_days")
    weights = np.array([units.get(asset, 0.0) for asset in source.assets])
    kept = 0.0 if collateral is None else terms.haircut(collateral)
    column = -1 if collateral is None else source.assets.index(collateral)
    task = _CsaTask(source, weights, float(cash), terms, column, kept, lag, mpor, keep_states)
    parts = list(iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress))
    rows = np.concatenate([part[0] for part in parts], axis=1)
    profile = np.sum([part[1] for part in parts], axis=0) / source.n_paths
    states = [np.concatenate([part[2][i] for part in parts]) for i in range(4)] if keep_states else None
    return CsaOutcomes(
        title="credit support",
        columns=dict(zip(UNITS, rows, strict=True)),
        units=UNITS,
        overlap=source.overlap,
        seed=source.seed,
        times=np.array(source.times),
        expected_exposure=profile,
        states=None if states is None else CsaStates(*states),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _CsaTask:
    """A picklable function of a range of paths: metrics, sums of exposure by step, states if kept."""

    source: PathSource
    weights: FloatArray
    cash: float
    terms: CsaTerms
    column: int
    haircut: float
    lag: int
    mpor: int
    keep_states: bool

    def __call__(self, first: int, last: int) -> tuple[FloatArray, FloatArray, tuple[FloatArray, ...]]:
        prices = self.source.read(first, last).prices
        value = self.cash + np.einsum("tap,a->tp", prices, self.weights)
        price = prices[:, self.column] if self.column >= 0 else np.ones_like(value)
        held, delivery = self._balances(value, price)
        exposure = np.empty_like(value)
        for t in range(value.shape[0]):
            exposure[t] = value[t] - held[max(t - self.mpor, 0)] * price[t] - self.terms.segregated
        positive = np.maximum(exposure, 0.0)
        counted = held * price * (1.0 - self.haircut)
        calls = np.maximum(delivery, 0.0)
        rows = np.stack(
            [
                positive.max(axis=0),
                positive[-1],
                positive.mean(axis=0),
                np.maximum(value, 0.0).max(axis=0),
                calls.sum(axis=0),
                np.count_nonzero(calls, axis=0).astype(np.float64),
                np.maximum(-counted, 0.0).max(axis=0),
            ]
        )
        kept = (value, counted, delivery, exposure)
        return rows, positive.sum(axis=1), tuple(np.ascontiguousarray(a.T) for a in kept) if self.keep_states else ()

    def _balances(self, value: FloatArray, price: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Units of collateral held at each step, and what is called, both (n_steps + 1, n_paths)."""
        counts_as = 1.0 - self.haircut
        held, delivery = np.zeros_like(value), np.zeros_like(value)
        coming = np.zeros_like(value)  # currency called, by the step of arrival
        units = self.terms.credit_support(value[0]) / (price[0] * counts_as)
        outstanding = np.zeros_like(units)
        for t in range(value.shape[0]):
            units = units + coming[t] / (price[t] * counts_as)
            outstanding = outstanding - coming[t]
            if t > 0:
                delivery[t] = self.terms.delivery(value[t], units * price[t] * counts_as, outstanding)
            if self.lag == 0:
                units = units + delivery[t] / (price[t] * counts_as)
            else:
                outstanding = outstanding + delivery[t]
                if t + self.lag < value.shape[0]:
                    coming[t + self.lag] += delivery[t]
            held[t] = units
        return held, delivery
