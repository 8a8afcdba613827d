"""Haircuts: how much less than its market value collateral counts for, so that its fall is covered."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.collateral import Mix
from collatrisk.execution.blocks import Progress
from collatrisk.risk import Estimate, TailSketch
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathSource, check_source
from collatrisk.sizing.inputs import (
    MixLike,
    check_days,
    check_fraction,
    check_mixes,
    shared_steps,
)
from collatrisk.sizing.tails import MEASURES, estimate_rows

_CASH = "exact: cash does not fall"


def haircut(
    source: PathSource,
    asset_or_mix: MixLike,
    *,
    level: float,
    mpor_days: float,
    measure: str = "var",
    currency: str = "USD",
    executor: Executor | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """The VaR or ES of the relative fall of collateral over the margin period of risk.

    ``L = 1 - sum(weight x S(mpor) / S(0))``, units held constant; h = VaR or ES of L at `level`, not below 0. For a
    lognormal price without log drift the VaR haircut is 1 - exp(-z sigma sqrt(mpor)). An economic haircut, not that of
    a capital rule. The lows inside the period do not count: it is the price at which the close-out ends.

    Parameters
    ----------
    source : the paths; only their first `mpor_days` matter.
    asset_or_mix : the name of an asset, a mix or its weights.
    level : confidence in (0, 1), 0.99 for 99 %.
    mpor_days : margin period of risk in days of the source's clock, whole steps.
    measure : ``"var"`` (order statistic) or ``"es"`` (Acerbi-Tasche tail mean).
    currency : the name of cash at price 1 in a mix.
    executor, block_size, progress : as for `map_blocks`; they do not change the result.

    Returns
    -------
    Estimate of a share in [0, 1], 1 where what is left rounds to nothing: bounds from order statistics (VaR) or the
    normal law (ES); from the block bootstrap where the source's windows overlap. That of cash alone is exact: 0.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    return haircuts(
        source,
        [asset_or_mix],
        level=level,
        mpor_days=mpor_days,
        measure=measure,
        currency=currency,
        executor=executor,
        block_size=block_size,
        progress=progress,
    )[0]


def haircuts(
    source: PathSource,
    assets_or_mixes: MixLike | Sequence[MixLike],
    *,
    level: float,
    mpor_days: float,
    measure: str = "var",
    currency: str = "USD",
    executor: Executor | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> list[Estimate]:
    """`haircut` of several assets or mixes from one pass over the paths, in their order."""
    found = haircuts_by_measure(
        source,
        assets_or_mixes,
        measures=(measure,),
        level=level,
        mpor_days=mpor_days,
        currency=currency,
        executor=executor,
        block_size=block_size,
        progress=progress,
    )
    return [one[measure] for one in found]


def haircuts_by_measure(
    source: PathSource,
    assets_or_mixes: MixLike | Sequence[MixLike],
    *,
    measures: Sequence[str],
    level: float,
    mpor_days: float,
    currency: str = "USD",
    executor: Executor | None = None,
    block_size: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Estimate]]:
    """`haircuts` by several measures from one pass over the paths: measure -> estimate, for each asset or mix."""
    problems = Problems("haircut")
    check_source(problems, source)
    problems.raise_if_any()
    mixes = check_mixes(problems, source, assets_or_mixes, currency)
    checked = check_fraction(problems, "level", level, "give 0.99 for 99 %")
    step = check_days(problems, source, mpor_days, "mpor_days")
    for measure in measures:
        problems.choice("measure", measure, MEASURES)
    problems.raise_if_any()

    falls = Falls.of(source, mixes, step, currency)
    found = estimate_rows(
        source,
        falls.read,
        partial(FallTails, falls),
        checked,
        measures,
        shared_steps(source, step),
        executor=executor,
        block_size=block_size,
        progress=progress,
    )
    words = f"of the relative fall over {source.clock.days(step):g} days, not below 0: "
    return [
        {
            name: one.mapped(floor=0.0, cap=1.0, method=f"{name.upper()} {words}{one.method}")
            if weights.any()
            else Estimate.exact(0.0, _CASH)
            for name, one in row.items()
        }
        for row, weights in zip(found, falls.weights, strict=True)
    ]


@dataclass(frozen=True)
class Falls:
    """Reads paths and gives the relative fall of each mix to one step.

    Attributes
    ----------
    source : the paths. weights : float64 (n_mixes, n_assets). cash : float64 (n_mixes,). step : int >= 1.
    """

    source: PathSource
    weights: FloatArray
    cash: FloatArray
    step: int

    @classmethod
    def of(cls, source: PathSource, mixes: Sequence[Mix], step: int, currency: str) -> Falls:
        """The arrays of checked mixes."""
        named = [0.0 if asset == currency else 1.0 for asset in source.assets]
        weights = np.array([[mix.weights.get(asset, 0.0) for asset in source.assets] for mix in mixes]) * named
        return cls(source, weights, np.array([mix.weights.get(currency, 0.0) for mix in mixes]), step)

    def read(self, first: int, last: int) -> FloatArray:
        """float64 (n_mixes, last - first), positive = the mix lost value."""
        block = read_scratch(self.source, first, last, self.step, variance=False)
        out = np.empty((len(self.cash), block.n_paths))
        relative = block.prices[self.step] / block.prices[0]
        for m, row in enumerate(self.weights):
            value = np.full(block.n_paths, self.cash[m])
            # Asset by asset and not as a matrix product: the same bits whatever the block size.
            for i in np.flatnonzero(row):
                value += row[i] * relative[i]
            out[m] = 1.0 - value
        return out


@dataclass(frozen=True)
class FallTails:
    """Sketches of the falls, one a mix: what a worker returns."""

    falls: Falls
    keep: int

    def __call__(self, first: int, last: int) -> list[TailSketch]:
        """A sketch a mix."""
        return [TailSketch(self.keep).add(row) for row in self.falls.read(first, last)]
