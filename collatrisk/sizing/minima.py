"""The lowest collateral ratios of blocks of paths: what margin calls at any loan-to-value ratio depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Mix, Terms
from collatrisk.risk import TailSketch
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathSource


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
        from collatrisk.kernels.running_min import running_minimum

        block = read_scratch(self.source, first, last, int(self.horizons[-1]), variance=self.bridge)
        correlation = self.source.correlation
        known = self.bridge and block.step_variance is not None
        bridged = np.full(len(self.cash), known)
        if correlation is None:
            # A single asset needs no correlation; several cannot do without.
            bridged &= np.count_nonzero(self.coefficients, axis=1) <= 1
            correlation = np.eye(len(self.source.assets))
        out = np.empty((len(self.cash), len(self.horizons), block.n_paths))
        running_minimum(
            block.prices,
            np.empty((0, 0, 0)) if block.step_variance is None else block.step_variance,
            np.ascontiguousarray(correlation),
            first,
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
    """Counts of paths below each barrier: what a worker of `compare_mixes` returns."""

    minima: Minima
    barriers: tuple[float, ...]

    def __call__(self, first: int, last: int) -> NDArray[np.int64]:
        """int64 (n_mixes, n_barriers, n_horizons)."""
        from collatrisk.kernels.running_min import count_below

        lowest = self.minima.read(first, last)
        counts = np.empty((len(lowest), len(self.barriers), lowest.shape[1]), dtype=np.int64)
        count_below(lowest, np.array(self.barriers), counts)
        return counts


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
