"""`PricePaths`: paths in memory, and `simulate`, which puts them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.errors import InputError
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import is_correlation
from collatrisk.market.clock import Clock
from collatrisk.simulation.reading import check_range, describe_paths, frozen_array, path_ranges, step_times
from collatrisk.simulation.source import FloatArray, PathBlock, PathSource


@dataclass(frozen=True, eq=False, repr=False)
class PricePaths:
    """Price paths in memory; a path source like any other.

    Attributes
    ----------
    assets : names, in the order of the price axis.
    clock : the clock of the steps.
    block : float64 (n_steps + 1, n_assets, n_paths), prices > 0 in the quote currency, row 0 the spot; read-only.
    step_variance : float64 (n_steps, n_assets, n_paths) or None, as in `PathBlock`; read-only.
    correlation : correlation of the innovations (n_assets, n_assets), or None without a model.
    seed : int in [0, 2**64), for draws that a question adds (bridge, cure, bootstrap).
    overlap : 1 if the paths are independent, else the steps that neighbours may share.
    origin : what made the paths, as plain JSON values.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    assets: tuple[str, ...]
    clock: Clock
    block: FloatArray
    step_variance: FloatArray | None = None
    correlation: FloatArray | None = None
    seed: int = 0
    overlap: int = 1
    origin: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "assets", tuple(self.assets))
        object.__setattr__(self, "block", frozen_array(self.block))
        object.__setattr__(self, "origin", MappingProxyType(dict(self.origin)))
        for name in ("step_variance", "correlation"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen_array(getattr(self, name)))
        problems = Problems("PricePaths")
        self._check(problems)
        problems.raise_if_any()

    def _check(self, problems: Problems) -> None:
        problems.integer("seed", self.seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")
        problems.integer("overlap", self.overlap, low=1, remedy="1 for independent paths")
        named = bool(self.assets) and all(isinstance(name, str) and name.strip() for name in self.assets)
        problems.check(named, "assets", self.assets, "must be names", "give the names of the price axis")
        rule = "must not repeat"
        problems.check(
            not named or len(set(self.assets)) == len(self.assets), "assets", self.assets, rule, "give each asset once"
        )
        size, shape = len(self.assets), self.block.shape
        good = len(shape) == 3 and shape[0] >= 2 and shape[1] == size and min(shape) >= 1
        rule = f"must have at least one step, {size} assets (as named) and one path"
        if not problems.check(good, "prices", shape, rule, "the shape is (n_paths, n_steps + 1, n_assets)"):
            return
        valid = bool(np.all(np.isfinite(self.block) & (self.block > 0.0)))
        problems.check(valid, "prices", "nan, inf or <= 0", "must be finite and above zero", "drop or mend those paths")
        same = bool(np.all(self.block[0] == self.block[0, :, :1]))
        rule = "all paths must start at one spot"
        problems.check(
            same, "prices at step 0", "differ", rule, "divide each path by its start and multiply by the spot"
        )
        for name, wanted in (("step_variance", (shape[0] - 1, *shape[1:])), ("correlation", (size, size))):
            array = getattr(self, name)
            if array is not None:
                problems.check(array.shape == wanted, name, array.shape, f"must have shape {wanted}", "or leave it out")
                problems.check(bool(np.all(np.isfinite(array))), name, "nan or inf", "must be finite", "mend it")
        if self.step_variance is not None:
            rule = "must not be below zero"
            problems.check(not np.any(self.step_variance < 0.0), "step_variance", "negative", rule, "mend it")
        if self.correlation is not None and self.correlation.shape == (size, size):
            rule = "must be a correlation matrix: symmetric, ones on the diagonal, positive semi-definite"
            valid = is_correlation(self.correlation)
            problems.check(valid, "correlation", self.correlation.tolist(), rule, "see nearest_correlation")

    @classmethod
    def from_array(
        cls,
        prices: ArrayLike,
        assets: Sequence[str],
        clock: Clock | str,
        *,
        step_variance: ArrayLike | None = None,
        correlation: ArrayLike | None = None,
        seed: int = 0,
        overlap: int = 1,
        origin: Mapping[str, object] | None = None,
    ) -> PricePaths:
        """Paths made elsewhere.

        Parameters
        ----------
        prices : (n_paths, n_steps + 1, n_assets), finite and > 0; every path starts at the same prices.
        clock : a `Clock` or ``"24/7"`` or ``"business"`` (daily steps).
        step_variance : (n_paths, n_steps, n_assets) variances of the log-return steps; None: no bridge between steps.
        correlation, seed, overlap, origin : as the attributes.

        Raises
        ------
        InputError : with all broken rules at once.
        """
        problems = Problems("PricePaths")
        remedy = "give the names of the price axis"
        problems.check(isinstance(assets, Iterable), "assets", assets, "must be names", remedy)
        said = origin is None or isinstance(origin, Mapping)
        problems.check(said, "origin", origin, "must be a mapping or None", "leave it out")
        problems.raise_if_any()
        variance = None if step_variance is None else _path_innermost(step_variance, "step_variance")
        return cls(
            tuple(assets),
            Clock.of(clock),
            _path_innermost(prices, "prices"),
            variance,
            None if correlation is None else _as_floats(correlation, "correlation"),
            seed,
            overlap,
            {"kind": "array"} if origin is None else origin,
        )

    @property
    def prices(self) -> FloatArray:
        """Prices (n_paths, n_steps + 1, n_assets), a read-only view."""
        return self.block.transpose(2, 0, 1)

    @property
    def n_paths(self) -> int:
        """The number of paths."""
        return int(self.block.shape[2])

    @property
    def n_steps(self) -> int:
        """Steps after the spot."""
        return int(self.block.shape[0] - 1)

    @property
    def spot(self) -> FloatArray:
        """Prices at step 0, float64 (n_assets,)."""
        return self.block[0, :, 0]

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""
        return step_times(self.clock, self.n_steps)

    def read(self, first: int, last: int) -> PathBlock:
        """The paths `first` to `last` - 1, copied together.

        Raises
        ------
        InputError : unless 0 <= first <= last <= n_paths.
        """
        check_range(first, last, self.n_paths)
        variance = self.step_variance
        return PathBlock(
            first,
            np.ascontiguousarray(self.block[:, :, first:last]),
            None if variance is None else np.ascontiguousarray(variance[:, :, first:last]),
        )

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order, `size` at a time."""
        return (self.read(first, last) for first, last in path_ranges(self.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        """What made the paths, as plain JSON values."""
        return {
            "kind": "PricePaths",
            "n_paths": self.n_paths,
            "n_steps": self.n_steps,
            "clock": str(self.clock),
            "seed": self.seed,
            "overlap": self.overlap,
            "origin": dict(self.origin),
        }

    def __repr__(self) -> str:
        return describe_paths(self)

    def _repr_html_(self) -> str:
        ends = self.block[-1] / self.block[0]
        levels = (0.01, 0.5, 0.99)
        rows = [
            [asset, f"{self.spot[i]:.6g}", *(f"{q:.4f}" for q in np.quantile(ends[i], levels))]
            for i, asset in enumerate(self.assets)
        ]
        columns = ["asset", "spot", *(f"end / spot, {level:.0%} quantile" for level in levels)]
        return html_table(columns, rows, describe_paths(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # A plain pickle would give back writeable arrays and cannot hold read-only mappings.
        values = {f.name: getattr(self, f.name) for f in fields(self)} | {"origin": dict(self.origin)}
        return PricePaths, tuple(values.values())


def simulate(source: PathSource) -> PricePaths:
    """All paths of a source, in memory: 8 (2 n_steps + 1) n_assets n_paths bytes. Large plans are better streamed.

    Parameters
    ----------
    source : a `PathPlan`, or any other path source.

    Raises
    ------
    InputError : for what is no source, or more paths than memory can hold.
    """
    problems = Problems("simulate")
    usable = callable(getattr(source, "read", None)) and hasattr(source, "n_paths")
    problems.check(usable, "source", source, "must be a source of paths", "give a PathPlan")
    problems.raise_if_any()
    try:
        block = source.read(0, source.n_paths)
    except (MemoryError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        size = 8 * (2 * source.n_steps + 1) * len(source.assets) * source.n_paths
        rule = f"must fit in memory, and these paths take {size / 2**30:,.0f} GiB"
        problems.add("source", describe_paths(source), rule, "give the plan itself to run_margin and the like")
        raise InputError(problems.title, problems.found) from error
    for array in (block.prices, block.step_variance):
        if array is not None:
            array.flags.writeable = False  # freshly read, so nobody else holds it: freezing saves a copy
    return PricePaths(
        source.assets,
        source.clock,
        block.prices,
        block.step_variance,
        source.correlation,
        source.seed,
        source.overlap,
        source.describe(),
    )


def _as_floats(values: ArrayLike, name: str) -> FloatArray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        problems = Problems("PricePaths")
        problems.add(name, values, "must be a table of numbers", "give a float64 array")
        raise InputError(problems.title, problems.found) from error


def _path_innermost(values: ArrayLike, name: str) -> FloatArray:
    """(n_paths, steps, assets) to the inner layout (steps, assets, n_paths)."""
    array = _as_floats(values, name)
    problems = Problems("PricePaths")
    rule = "must have three dimensions: (n_paths, steps, n_assets)"
    problems.check(array.ndim == 3, name, array.shape, rule, "add an axis: prices[:, :, None] for one asset")
    problems.raise_if_any()
    return np.array(array.transpose(1, 2, 0), order="C")
