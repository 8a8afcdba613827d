"""`run_bands`: positions in bands over the paths of any source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import Problems
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.liquidation.bands import BandPosition, BandTerms
from collatrisk.liquidation.path_columns import PathColumns
from collatrisk.liquidation.stale import stale_findings
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import PathSource, check_source

FloatArray = NDArray[np.float64]
UNITS: Final = {
    "soft_loss": "currency",
    "loss_share": "share",
    "fees": "currency",
    "min_health": "health",
    "liquidated": "0 or 1",
    "days": "days",
    "liquidator_gain": "currency",
    "shortfall": "currency",
    "debt": "currency",
    "collateral": "units",
    "stablecoins": "currency",
}
"""Metrics in the order of the kernel, with their units.

soft_loss : what conversions cost against the market price at the time, fees that stay in the bands taken off.
loss_share : of the collateral that would come back if the price rose slowly above all bands, 1 - that over the start.
fees : paid into the bands. min_health : lowest on the path. liquidated : whether a liquidator closed the position;
days : until then, or to the end. liquidator_gain : value taken over less debt repaid. shortfall : at the end,
max(debt - value, 0). debt, collateral, stablecoins : what is left at the end; 0 after a liquidation.
"""


@dataclass(frozen=True, slots=True, eq=False)
class BandStates:
    """Each step of each path: float64 (n_paths, n_steps + 1); nan after a liquidation."""

    oracle: FloatArray
    stablecoins: FloatArray
    collateral: FloatArray
    health: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BandOutcomes:
    """What came of positions in bands: by name, `out["loan"]`, each a `PathColumns` with the metrics of `UNITS`.

    Attributes
    ----------
    positions : by name. first_bands : the highest-priced band of each. states : by name; empty unless kept.
    """

    positions: Mapping[str, PathColumns]
    first_bands: Mapping[str, int]
    states: Mapping[str, BandStates]

    def __getitem__(self, name: str | int) -> PathColumns:
        """One position by name or number.

        Raises
        ------
        InputError : for an unknown name or number.
        """
        problems = Problems("BandOutcomes")
        names = tuple(self.positions)
        if isinstance(name, int):
            problems.integer("position", name, low=0, high=len(names) - 1, remedy="or give its name")
        else:
            problems.choice("position", name, names)
        problems.raise_if_any()
        return self.positions[names[name] if isinstance(name, int) else name]

    def __iter__(self) -> Iterator[PathColumns]:
        return iter(self.positions.values())

    def __len__(self) -> int:
        return len(self.positions)


def run_bands(
    source: PathSource,
    positions: BandPosition | Sequence[BandPosition],
    terms: BandTerms,
    *,
    asset: str | None = None,
    base_price: float | None = None,
    substeps: int = 1,
    keep_states: bool = False,
    executor: Executor | None = None,
    block_size: int = 4 * MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
) -> BandOutcomes:
    """Soft liquidation of positions in bands on every path: conversions, losses, health, hard liquidation, shortfall.

    Parameters
    ----------
    source : any `PathSource`. positions : one or several; they do not disturb each other, as shares of a band convert
        alike. terms : of the market.
    asset : the collateral; None where the source has one asset only.
    base_price : at which band 0 starts, > 0; None: the spot.
    substeps : trades within each step of the source, at prices on the geometric line between its ends. Coarse steps
        overstate the loss of a jump, as the oracle jumps too; a straight line understates that of the way.
    keep_states : whether oracle, stablecoins, collateral and health of each step are kept (for few paths).
    executor, block_size, progress : as for `run_margin`. Results do not depend on them.

    Returns
    -------
    BandOutcomes

    Raises
    ------
    InputError : with all broken rules at once; a debt that is too high for its collateral.

    Notes
    -----
    At each step the debt grows, the oracle moves to the price (at once, or as an exponential average), and arbitrage
    trades every band until its price, with the fee, is the market's. Then, if health is below 0 (strictly) and what
    the bands hold is worth the debt and the keeper's margin, a liquidator repays the debt and takes all. If it is not,
    nobody comes, and the position goes on.
    """
    problems = Problems("run_bands")
    check_source(problems, source)
    remedy = "give BandPosition(collateral=10, debt=15_000)"
    held = problems.listed("positions", positions, (BandPosition,), remedy)
    problems.check(isinstance(terms, BandTerms), "terms", terms, "must be BandTerms", 'venues.load("crvusd").terms()')
    if base_price is not None:
        problems.number("base_price", base_price, low=0, open_low=True, remedy="leave it out to start at the spot")
    substeps = problems.integer("substeps", substeps, low=1, remedy="give 24 for hours within days")
    problems.raise_if_any()
    one = len(source.assets) == 1
    rule, remedy = f"must be named: the source has {', '.join(source.assets)}", "give asset=..."
    problems.check(asset is not None or one, "asset", asset, rule, remedy)
    if asset is not None:
        problems.choice("asset", asset, source.assets)
    problems.raise_if_any()
    column = 0 if asset is None else source.assets.index(asset)
    spot = float(source.spot[column])
    base = spot if base_price is None else float(base_price)
    names = _names(held)
    stale = (*stale_findings(source, [source.assets[column]]), *_slow_oracle(source, terms))
    columns, bands, states = {}, {}, {}
    for name, position in zip(names, held, strict=True):
        bands[name] = position.placed(terms, base, spot)
        rules = terms.rule_array(base, source.clock.step_years, source.clock.step_days / substeps)
        task = _BandTask(source, column, position, bands[name], substeps, rules, keep_states)
        parts = list(iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress))
        amounts = np.concatenate([part[0] for part in parts])
        by_metric = {metric: np.ascontiguousarray(amounts[:, i]) for i, metric in enumerate(UNITS)}
        found = (*stale, *_findings(name, by_metric))
        columns[name] = PathColumns(name, by_metric, UNITS, source.overlap, source.seed, found)
        if keep_states:
            kept = np.concatenate([part[1] for part in parts])
            states[name] = BandStates(*(np.ascontiguousarray(kept[:, :, i]) for i in range(4)))
    return BandOutcomes(FrozenDict(columns), FrozenDict(bands), FrozenDict(states))


@dataclass(frozen=True, slots=True, eq=False)
class _BandTask:
    """A picklable function of a range of paths: amounts, and states if kept."""

    source: PathSource
    column: int
    position: BandPosition
    first_band: int
    substeps: int
    rules: FloatArray
    keep_states: bool

    def __call__(self, first: int, last: int) -> tuple[FloatArray, FloatArray]:
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.bands import N_AMOUNTS, band_block

        n_steps, position = self.source.n_steps, self.position
        prices = read_scratch(self.source, first, last, n_steps, variance=False).prices
        amounts = np.empty((last - first, N_AMOUNTS))
        states = np.full((last - first if self.keep_states else 0, n_steps + 1, 4), np.nan)
        size = (float(position.collateral), float(position.debt), self.first_band, position.bands)
        steps = (n_steps, self.source.clock.step_days, self.substeps)
        band_block(prices, self.column, *steps, *size, self.rules, amounts, states)
        return amounts, states


def _names(positions: Sequence[BandPosition]) -> list[str]:
    """A name for each that occurs once."""
    names = [position.name or f"position {i}" for i, position in enumerate(positions)]
    return [name if names.count(name) == 1 else f"{name} #{i}" for i, name in enumerate(names)]


def _slow_oracle(source: PathSource, terms: BandTerms) -> tuple[Finding, ...]:
    """An average that is longer than the paths hardly follows them."""
    if terms.oracle_days <= source.clock.days(source.n_steps):
        return ()
    text = f"the oracle averages over {terms.oracle_days:g} days, longer than the paths: it hardly follows the price"
    return (Finding("slow-oracle", "warning", "oracle_days", f"{text}; give minutes as days, 0.007 for ten"),)


def _findings(name: str, columns: Mapping[str, FloatArray]) -> tuple[Finding, ...]:
    stuck = (columns["min_health"] < 0.0) & (columns["liquidated"] == 0.0)
    if not stuck.any():
        return ()
    text = f"{stuck.mean():.2%} of paths fall below health 0 and no liquidator comes"
    return (Finding("no-liquidator", "warning", name, f"{text}; their shortfall is that at the end of the path"),)
