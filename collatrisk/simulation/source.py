"""The protocol that joins worlds to questions: anything that yields blocks of price paths.

Monte Carlo plans, paths in memory, windows of history and stress scenarios all implement `PathSource`, so that the
margin engine, the haircut and the report are the same code on each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock

FloatArray = NDArray[np.float64]
PathArray = NDArray[np.float64] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PathBlock:
    """A run of consecutive paths, path index innermost so that kernels sweep across paths.

    Attributes
    ----------
    first_path : the index in the whole source of the first path here.
    prices : float64 (n_steps + 1, n_assets, n_paths), C-contiguous, > 0, quote currency per unit; row 0 is the spot.
    step_variance : float64 (n_steps, n_assets, n_paths), the variance of each log-return step (given the step's mixing
        variable where the sampler has one), or None where the source has no model of what lies between its steps, as
        history has not: then there is no bridge between steps.
    """

    first_path: int
    prices: FloatArray
    step_variance: FloatArray | None = None

    @property
    def n_paths(self) -> int:
        """The number of paths in this block."""
        return int(self.prices.shape[2])


@runtime_checkable
class PathSource(Protocol):
    """Anything that yields price paths. Implementations are frozen and picklable (workers may be processes)."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets, in the order of the price axis."""

    @property
    def clock(self) -> Clock:
        """The clock of the steps."""

    @property
    def n_paths(self) -> int:
        """The number of paths."""

    @property
    def n_steps(self) -> int:
        """The number of steps after the spot."""

    @property
    def spot(self) -> FloatArray:
        """Prices at step 0, float64 (n_assets,)."""

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""

    @property
    def seed(self) -> int:
        """The seed from which every further draw (bridge, cure, bootstrap) derives its stream."""

    @property
    def correlation(self) -> FloatArray | None:
        """Correlation of the steps' innovations (n_assets, n_assets), None where the source has no model."""

    @property
    def overlap(self) -> int:
        """1 if the paths are independent; the number of steps that neighbouring windows may share otherwise."""

    def read(self, first: int, last: int) -> PathBlock:
        """The paths `first` to `last` - 1. The same bits whatever other paths are read before, after or beside."""

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order, `size` at a time."""

    def describe(self) -> Mapping[str, object]:
        """What makes this source reproducible: kind, seed, counts, hashes. Plain JSON values."""


def check_source(problems: Problems, source: object) -> bool:
    """A source must be able to give paths."""
    remedy = "give a PathPlan, PricePaths, HistoricalWindows or ScenarioPaths"
    usable = callable(getattr(source, "read", None)) and hasattr(source, "n_paths")
    return problems.check(usable, "source", source, "must be a source of paths", remedy)
