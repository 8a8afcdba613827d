"""A sale along every path of a source: what it brings, what it costs, how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.liquidation.path_columns import PathColumns
from collatrisk.liquidation.selling.fill import CALM, MarketState, SalesVenue
from collatrisk.liquidation.selling.splitting import Splitting, sell_over
from collatrisk.liquidation.stale import stale_findings
from collatrisk.simulation.source import PathSource, check_source

FloatArray = NDArray[np.float64]
_METRICS = ("proceeds", "cost", "slippage", "left", "days")


def run_sale(
    source: PathSource,
    units: float,
    venue: SalesVenue,
    splitting: Splitting = Splitting(),  # noqa: B008 - frozen
    *,
    asset: str | None = None,
    state: MarketState = CALM,
    start_days: float = 0.0,
    stress_depth: float = 0.0,
    executor: Executor | None = None,
    block_size: int = 4 * MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
) -> PathColumns:
    """Sell `units` of an asset on every path of a source, one part a step.

    Parameters
    ----------
    source : any `PathSource`. units : to sell, >= 0. venue : where. splitting : how much each step may sell.
    asset : which; None where the source has one only. state : of the market at the start.
    start_days : days of the source's clock at which the sale starts; its first part has that day's price.
    stress_depth : how fast depth goes with the price: times ``min(price / spot, 1)**stress_depth``, >= 0; 0: it stays.
    executor, block_size, progress : as for `run_margin`. Results do not depend on them.

    Returns
    -------
    PathColumns with `proceeds` (currency), `cost` (value of what was sold at the first price less proceeds, currency),
    `slippage` (value at the prices of the steps less proceeds, currency), `left` (units), `days` (to the last
    settlement).

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("run_sale")
    check_source(problems, source)
    problems.raise_if_any()
    column = _column(problems, source, asset)
    problems.number("units", units, low=0, remedy="give what is to be sold")
    first = source.clock.steps(start_days, "start_days")
    rule = f"must be at most the {source.clock.days(source.n_steps):g} days of the paths"
    problems.check(0 <= first <= source.n_steps, "start_days", start_days, rule, "simulate longer paths")
    problems.raise_if_any()
    task = _SaleTask(source, column, first, float(units), venue, splitting, state, stress_depth)
    parts = list(iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress))
    columns = dict(zip(_METRICS, np.concatenate(parts, axis=1), strict=True))
    words = dict(zip(_METRICS, ("currency", "currency", "currency", "units", "days"), strict=True))
    found = (*stale_findings(source, [source.assets[column]]), *_findings(columns["left"], float(units)))
    return PathColumns("sale", columns, words, source.overlap, source.seed, found)


def _column(problems: Problems, source: PathSource, asset: str | None) -> int:
    if asset is None:
        rule, remedy = f"must be named: the source has {', '.join(source.assets)}", "give asset=..."
        problems.check(len(source.assets) == 1, "asset", asset, rule, remedy)
        return 0
    problems.choice("asset", asset, source.assets)
    return source.assets.index(asset) if asset in source.assets else 0


def _findings(left: FloatArray, units: float) -> tuple[Finding, ...]:
    unsold = left > 1e-12 * units
    if not unsold.any():
        return ()
    text = f"{unsold.mean():.2%} of paths end with units unsold, {left.max():.6g} at most"
    return (Finding("unsold", "warning", "sale", f"{text}; allow more time, volume or slippage"),)


@dataclass(frozen=True, slots=True)
class _SaleTask:
    """A picklable function of a range of paths: the metrics of each, float64 (n_metrics, n_paths)."""

    source: PathSource
    column: int
    first_step: int
    units: float
    venue: SalesVenue
    splitting: Splitting
    state: MarketState
    stress_depth: float

    def __call__(self, first: int, last: int) -> FloatArray:
        block = self.source.read(first, last)
        prices = np.ascontiguousarray(block.prices[self.first_step :, self.column, :])
        done = sell_over(
            self.venue,
            self.units,
            prices,
            self.splitting,
            step_days=self.source.clock.step_days,
            state=self.state,
            stress_depth=self.stress_depth,
            calm_price=float(self.source.spot[self.column]),
        )
        return np.stack([done.proceeds.sum(axis=0), done.cost, done.slippage, done.left, done.days])
