"""The lowest collateral ratios of blocks of paths: what margin calls at any loan-to-value ratio depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Mix, Terms
from collatrisk.execution import MICRO_BLOCK
from collatrisk.risk import TailSketch
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathBlock, PathSource


@dataclass(frozen=True)
class Minima:
    """Reads paths and gives min A of each mix up to each horizon; A / ltv is the health factor of a loan.

    Attributes
    ----------
    source : the paths.
    coefficients : float64 (n_mixes, n_assets), weight x liquidation threshold.
    cash : float64 (n_mixes,), the same for cash in the currency of the debt.
    growth : what a debt of 1 grows to in a step.
    horizons : int64 (n_horizons,), ascending steps.
    bridge : whether the terms want the minimum inside steps; it is sampled if the source knows its step variance.
    """

    source: PathSource
    coefficients: FloatArray
    cash: FloatArray
    growth: float
    horizons: NDArray[np.int64]
    bridge: bool

    @classmethod
    def of(
        cls, source: PathSource, mixes: Sequence[Mix], terms: Terms, horizons: Sequence[int], currency: str
    ) -> Minima:
        """The arrays of checked mixes, terms and horizons (ascending steps)."""
        coefficients = np.zeros((len(mixes), len(source.assets)))
        cash = np.zeros(len(mixes))
        for m, mix in enumerate(mixes):
            for asset in mix.assets:
                counted = mix.weights[asset] * terms.threshold_of(asset, currency)
                if asset == currency:
                    cash[m] = counted
                else:
                    coefficients[m, source.assets.index(asset)] = counted
        growth = math.exp(terms.borrow_rate * source.clock.step_years)
        steps = np.array(horizons, dtype=np.int64)
        return cls(source, coefficients, cash, growth, steps, terms.mark == "bridge")

    def read(self, first: int, last: int) -> FloatArray:
        """min A, float64 (n_mixes, n_horizons, last - first), of the paths `first` to `last` - 1."""
        block = self.block(first, last)
        return self.lowest(block, self.bridged(block))

    def block(self, first: int, last: int) -> PathBlock:
        """The paths `first` to `last` - 1 up to the last horizon, for use at once."""
        return read_scratch(self.source, first, last, int(self.horizons[-1]), variance=self.bridge)

    def bridged(self, block: PathBlock) -> NDArray[np.bool_]:
        """bool (n_mixes,): whether the lowest ratio within each step is sampled."""
        known = np.full(len(self.cash), self.bridge and block.step_variance is not None)
        if self.source.correlation is None:
            # A single asset needs no correlation; several cannot do without.
            known &= np.count_nonzero(self.coefficients, axis=1) <= 1
        return known

    def lowest(self, block: PathBlock, bridged: NDArray[np.bool_]) -> FloatArray:
        """min A of the paths of a block, float64 (n_mixes, n_horizons, n_paths)."""
        from collatrisk.kernels.running_min import running_minimum

        correlation = self.source.correlation
        out = np.empty((len(self.cash), len(self.horizons), block.n_paths))
        running_minimum(
            block.prices,
            np.empty((0, 0, 0)) if block.step_variance is None else block.step_variance,
            np.eye(len(self.source.assets)) if correlation is None else np.array(correlation),
            block.first_path,
            stream_key(self.source.seed, Purpose.BRIDGE),
            bridged,
            self.coefficients,
            self.cash,
            self.growth,
            self.horizons,
            out,
        )
        return out


@dataclass(frozen=True)
class CallCounts:
    """Counts of paths below each barrier: what a worker of `compare_mixes` returns.

    Attributes
    ----------
    minima : the mixes and horizons. barriers : float64 (n_barriers,), descending.
    order : int64 (n_mixes,), mixes that hold the same assets beside each other, as the tiles have them.
    bounds, columns, weights : the mixes in that order, by fours, as `collatrisk.kernels.tile.pack_rows` gives them.
    """

    minima: Minima
    barriers: FloatArray
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: FloatArray

    @classmethod
    def of(cls, minima: Minima, barriers: FloatArray) -> CallCounts:
        """The worker for some descending barriers."""
        from collatrisk.kernels.tile import pack_rows, rows_by_columns

        order = rows_by_columns(minima.coefficients)
        return cls(minima, barriers, order, *pack_rows(minima.coefficients[order]))

    def __call__(self, first: int, last: int) -> NDArray[np.int64]:
        """int64 (n_mixes, n_horizons, n_barriers): paths whose lowest ratio up to the horizon is below the barrier."""
        from collatrisk.kernels.tile import ROWS

        n_mixes = len(self.order)
        counts = np.zeros(
            (ROWS * (len(self.bounds) - 1), len(self.minima.horizons), len(self.barriers)), dtype=np.int64
        )
        for low in range(first, last, MICRO_BLOCK):
            self._add(low, min(low + MICRO_BLOCK, last), counts)
        answer = np.empty((n_mixes, *counts.shape[1:]), dtype=np.int64)
        answer[self.order] = np.cumsum(counts[:n_mixes], axis=1)
        return answer

    def _add(self, first: int, last: int, counts: NDArray[np.int64]) -> None:
        """Add the paths that fall below a barrier for the first time between two horizons."""
        from collatrisk.kernels.running_min import count_below
        from collatrisk.kernels.surface import first_calls

        minima = self.minima
        block = minima.block(first, last)
        bridged = minima.bridged(block)
        if bridged.any():
            below = np.empty((len(self.order), *counts.shape[1:]), dtype=np.int64)
            count_below(minima.lowest(block, bridged), self.barriers, below)
            counts[: len(self.order)] += np.diff(below[self.order], axis=1, prepend=0)
            return
        cash = np.zeros(len(counts))
        cash[: len(self.order)] = minima.cash[self.order]
        bins = np.searchsorted(minima.horizons, np.arange(int(minima.horizons[-1]) + 1))
        prices = np.ascontiguousarray(block.prices)
        first_calls(prices, self.bounds, self.columns, self.weights, cash, minima.growth, self.barriers, bins, counts)


@dataclass(frozen=True)
class LowestTails:
    """Sketches of -min A at one horizon, one a mix: what a worker of `max_ltv` returns."""

    minima: Minima
    keep: int

    def __call__(self, first: int, last: int) -> list[TailSketch]:
        """A sketch a mix."""
        return [TailSketch(self.keep).add(-row) for row in self.minima.read(first, last)[:, 0]]


@dataclass(frozen=True)
class LowestPaths:
    """-min A at one horizon of every path, for windows that overlap: float64 (n_mixes, n_paths)."""

    minima: Minima

    def __call__(self, first: int, last: int) -> FloatArray:
        """Losses in path order."""
        return -self.minima.read(first, last)[:, 0]
