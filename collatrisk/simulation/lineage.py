"""Paths of a plan whose numbers may change on the way: a copy follows its parent, then goes its own way.

A path of a `PathPlan` is a function of its number. Where a number is given for every pair of steps instead, a copy that
shares its parent's numbers up to some step shares its parent's prices, variances, regimes and jumps up to there, bit
for bit, and is an independent continuation of that state afterwards. No state is stored, whatever the model is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collatrisk.market.clock import Clock
from collatrisk.simulation.plan import PathPlan
from collatrisk.simulation.reading import check_range, path_ranges
from collatrisk.simulation.source import FloatArray, PathBlock

Numbers = NDArray[np.uint64]

FIRST_NUMBER = 2**63
"""Numbers of lineages begin here; a plan's own paths have lower ones."""
NUMBERS_EACH = 2**32
"""How many numbers belong to each lineage: it may search among them."""


def n_pairs(plan: PathPlan) -> int:
    """Pairs of steps: a path can change its number between them only."""
    return -(-plan.n_steps // 2)


def new_numbers(first: int, count: int) -> Numbers:
    """The first numbers of `count` lineages, of which the first is the `first`-th ever: uint64 (count,)."""
    return np.uint64(FIRST_NUMBER) + np.arange(first, first + count, dtype=np.uint64) * np.uint64(NUMBERS_EACH)


@dataclass(frozen=True, eq=False)
class LineagePaths:
    """A path source: the paths of `plan` that have these numbers.

    Parameters
    ----------
    plan : whose model, grid and streams are used; its number of paths does not matter.
    numbers : uint64 (n_pairs, n_paths), the number of each path in the steps 2k and 2k + 1.
    seed : of the draws that a question adds (bridge, cure).
    """

    plan: PathPlan
    numbers: Numbers
    seed: int
    correlation: FloatArray | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "correlation", self.plan.correlation)

    @property
    def assets(self) -> tuple[str, ...]:
        """Those of the plan."""
        return self.plan.assets

    @property
    def clock(self) -> Clock:
        """The clock of the steps."""
        return self.plan.clock

    @property
    def n_paths(self) -> int:
        """The number of paths."""
        return int(self.numbers.shape[1])

    @property
    def n_steps(self) -> int:
        """Steps after the spot."""
        return self.plan.n_steps

    @property
    def spot(self) -> FloatArray:
        """Prices at step 0, float64 (n_assets,)."""
        return self.plan.spot

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""
        return self.plan.times

    @property
    def overlap(self) -> int:
        """1: what the paths share is the business of the estimator that made them."""
        return 1

    def read(self, first: int, last: int) -> PathBlock:
        """Simulate the paths `first` to `last` - 1."""
        check_range(first, last, self.n_paths)
        shape = (len(self.assets), last - first)
        prices = np.empty((self.n_steps + 1, *shape))
        step_variance = np.empty((self.n_steps, *shape))
        self.read_into(first, prices, step_variance)
        return PathBlock(first, prices, step_variance)

    def read_into(self, first: int, prices: FloatArray, step_variance: FloatArray) -> None:
        """As `PathPlan.read_into`."""
        self.plan.read_numbered(self.numbers[:, first : first + prices.shape[2]], prices, step_variance)

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order, `size` at a time."""
        return (self.read(first, last) for first, last in path_ranges(self.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        """What makes the paths, as plain JSON values."""
        return dict(self.plan.describe()) | {"kind": "LineagePaths", "n_paths": self.n_paths, "seed": self.seed}
