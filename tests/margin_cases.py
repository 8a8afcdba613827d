"""Shared by the margin tests: small sources written by hand, and the twin run over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import naive
import numpy as np

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import as_account
from collatrisk.kernels.bridge_uniforms import bridge_uniform
from collatrisk.kernels.random import uniform
from collatrisk.market.clock import Clock
from collatrisk.simulation.source import PathBlock


@dataclass(frozen=True)
class FakePaths:
    """A path source over arrays: prices (n_paths, n_steps + 1, n_assets)."""

    assets: tuple[str, ...]
    prices: np.ndarray
    variance: np.ndarray | None = None
    correlation: np.ndarray | None = None
    seed: int = 3
    overlap: int = 1
    clock: Clock = Clock()  # noqa: RUF009

    @property
    def n_paths(self) -> int:
        return len(self.prices)

    @property
    def n_steps(self) -> int:
        return self.prices.shape[1] - 1

    @property
    def spot(self) -> np.ndarray:
        return self.prices[0, 0]

    @property
    def times(self) -> np.ndarray:
        return np.arange(self.n_steps + 1) / self.clock.steps_per_day

    def read(self, first: int, last: int) -> PathBlock:
        inside = slice(first, last)
        prices = np.ascontiguousarray(self.prices[inside].transpose(1, 2, 0))
        if self.variance is None:
            return PathBlock(first, prices)
        return PathBlock(first, prices, np.ascontiguousarray(self.variance[inside].transpose(1, 2, 0)))

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        return (self.read(i, min(i + size, self.n_paths)) for i in range(0, self.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        return {"kind": "fake"}


def one_path(*prices: float, asset: str = "X", **options: object) -> FakePaths:
    """One path of one asset."""
    return FakePaths((asset,), np.array(prices, dtype=float)[None, :, None], **options)


def random_paths(rng: np.random.Generator, n_paths: int, n_steps: int, n_assets: int, sigma: float) -> FakePaths:
    """Correlated lognormal paths with their step variances (which differ by step, asset and path)."""
    factor = rng.standard_normal((n_assets, n_assets + 1))
    correlation = np.corrcoef(factor) if n_assets > 1 else np.eye(1)
    variance = sigma**2 * rng.uniform(0.5, 2.0, (n_paths, n_steps, n_assets))
    shocks = rng.standard_normal((n_paths, n_steps, n_assets)) @ np.linalg.cholesky(correlation).T
    logs = np.cumsum(np.sqrt(variance) * shocks - variance / 2, axis=1)
    prices = np.exp(np.concatenate([np.zeros((n_paths, 1, n_assets)), logs], axis=1)) * rng.uniform(1, 100, n_assets)
    return FakePaths(tuple("ABCDEFGH"[:n_assets]), prices, variance, correlation, seed=int(rng.integers(2**32)))


def twin(source, account, terms, path: int, kind: type[naive.NaiveMargin] | None = None) -> naive.NaiveMargin:
    """The naive twin of one account on one path of a source; `kind` : one that is told the names of the assets."""
    account = as_account(account, dict(zip(source.assets, source.spot, strict=True)))
    slots = (*source.assets, account.currency)
    held = [account.holdings.get(slot, 0.0) for slot in slots]
    owed = [account.debts.get(slot, 0.0) for slot in slots]
    thresholds = [terms.threshold_of(slot, account.currency) if held[i] else 1.0 for i, slot in enumerate(slots)]
    impacts = [terms.impact_of(slot, account.currency) for slot in slots]
    clock = source.clock
    given = held, owed, thresholds, impacts, terms, clock.step_years, clock.steps
    slow = naive.NaiveMargin(*given) if kind is None else kind(*given, slots)
    block = source.read(path, path + 1)
    variance = None if block.step_variance is None else block.step_variance[:, :, 0]
    bridge, cure = stream_key(source.seed, Purpose.BRIDGE), stream_key(source.seed, Purpose.CURE)
    return slow.run(
        block.prices[:, :, 0],
        variance,
        source.correlation,
        lambda step: bridge_uniform(bridge, path, step),
        lambda call: uniform(cure, path, call, 0),
    )
