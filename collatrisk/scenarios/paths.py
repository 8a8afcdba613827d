"""Scenarios as path sources: the instantaneous shock, and the replay of a real window."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.scenarios.records import Proxy
from collatrisk.scenarios.scenario import ResolvedShocks, Scenario
from collatrisk.simulation.source import PathBlock

FloatArray = NDArray[np.float64]

# A price path is positive: a fall of 100 % leaves this share of the spot.
NOTHING_LEFT = 1e-9


@dataclass(frozen=True, eq=False)
class TablePaths:
    """Path source over a small table of prices in memory, without a model of what lies between its steps.

    Attributes
    ----------
    assets : names, in the order of the price axis.
    clock : the clock of the steps.
    prices : float64 (n_steps + 1, n_assets, n_paths), > 0; row 0 is the spot.
    labels : one text a path.
    kind : what the paths are, for the reproducibility page.
    seed : from which further draws (cures) derive their streams.
    """

    assets: tuple[str, ...]
    clock: Clock
    prices: FloatArray
    labels: tuple[str, ...]
    kind: str
    seed: int = 0

    def __post_init__(self) -> None:
        self.prices.flags.writeable = False

    @property
    def n_paths(self) -> int:
        """The number of paths."""
        return int(self.prices.shape[2])

    @property
    def n_steps(self) -> int:
        """The number of steps after the spot."""
        return int(self.prices.shape[0]) - 1

    @property
    def spot(self) -> FloatArray:
        """Prices at step 0, float64 (n_assets,)."""
        return np.ascontiguousarray(self.prices[0, :, 0])

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""
        return np.arange(self.n_steps + 1, dtype=np.float64) * self.clock.step_days

    @property
    def correlation(self) -> FloatArray | None:
        """None: there is no model."""
        return None

    @property
    def overlap(self) -> int:
        """1: no path shares a step with another."""
        return 1

    def read(self, first: int, last: int) -> PathBlock:
        """The paths `first` to `last` - 1, without step variances."""
        return PathBlock(first, np.ascontiguousarray(self.prices[:, :, first:last]), None)

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order, `size` at a time."""
        for first in range(0, self.n_paths, size):
            yield self.read(first, min(first + size, self.n_paths))

    def describe(self) -> Mapping[str, object]:
        """What makes this source reproducible."""
        return {
            "kind": self.kind,
            "paths": list(self.labels),
            "assets": list(self.assets),
            "n_paths": self.n_paths,
            "n_steps": self.n_steps,
            "clock": str(self.clock),
            "seed": self.seed,
            "prices_sha256": hashlib.sha256(np.ascontiguousarray(self.prices).tobytes()).hexdigest(),
        }


@dataclass(frozen=True, eq=False)
class ScenarioPaths(TablePaths):
    """Instantaneous shocks as paths: path k is scenario k, the shock comes with the first step, later steps are flat.

    Build it with `ScenarioPaths.of`.

    Attributes
    ----------
    resolved : what each scenario said about the assets, one `ResolvedShocks` a path.

    Notes
    -----
    The price after the shock is ``spot * (1 + shock)``; a fall of 100 % leaves 1e-9 of the spot, for prices stay
    positive. Later steps give deadlines and delays of the terms time to pass.
    """

    resolved: tuple[ResolvedShocks, ...] = field(default=())

    @classmethod
    def of(
        cls,
        scenarios: Scenario | Sequence[Scenario],
        spot: Mapping[str, float],
        *,
        clock: Clock | str = "24/7",
        n_steps: int = 1,
        proxies: Sequence[Proxy] | None = None,
        seed: int = 0,
    ) -> ScenarioPaths:
        """Paths of one or many scenarios over the assets of `spot`.

        Parameters
        ----------
        scenarios : one or many.
        spot : asset -> price before the shock, > 0: these assets, in this order.
        clock : the clock of the steps.
        n_steps : >= 1.
        proxies : as in `Scenario.resolve`.
        seed : passed on to whoever draws cures.

        Raises
        ------
        InputError : no scenario, no asset, a price that is not above zero, or an asset that a scenario refuses - all
            of them at once.
        """
        chosen = (scenarios,) if isinstance(scenarios, Scenario) else tuple(scenarios)
        clock = Clock.of(clock)
        prices, steps = _checked_spot(spot, chosen, n_steps)
        resolved = tuple(scenario.resolve(spot, proxies=proxies) for scenario in chosen)
        _refuse(resolved)
        shocks = np.array([[r.shocks[asset] for asset in spot] for r in resolved], dtype=np.float64).T
        table = np.empty((steps + 1, len(spot), len(chosen)))
        table[0] = prices[:, None]
        table[1:] = prices[:, None] * np.maximum(1.0 + shocks, NOTHING_LEFT)
        labels = tuple(scenario.id for scenario in chosen)
        return cls(tuple(spot), clock, table, labels, "scenario shocks", int(seed), resolved)


def _checked_spot(spot: Mapping[str, float], scenarios: tuple[Scenario, ...], n_steps: int) -> tuple[FloatArray, int]:
    problems = Problems("ScenarioPaths")
    problems.check(bool(scenarios), "scenarios", [], "must name at least one", "take them from load_catalogue()")
    problems.check(bool(spot), "spot", {}, "must name at least one asset", "such as {'BTC': 60000.0}")
    prices = [
        problems.number(f"spot.{asset}", price, low=0, open_low=True, remedy="give the price before the shock")
        for asset, price in spot.items()
    ]
    steps = problems.integer("n_steps", n_steps, low=1, remedy="1 is the shock alone")
    problems.raise_if_any()
    return np.array(prices, dtype=np.float64), steps


def _refuse(resolved: Sequence[ResolvedShocks]) -> None:
    problems = Problems("ScenarioPaths")
    problems.found.extend(problem for r in resolved for problem in r.problems)
    problems.raise_if_any()
