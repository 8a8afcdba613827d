"""What an impact law is fitted to: amounts and moves, checked, and cut into blocks and into parts for testing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_FEWEST = 4
_FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Signed amounts and the moves that go with them.

    Attributes
    ----------
    kind : ``"depth"`` (quotes, in any order) or ``"trades"`` (steps in order of time).
    amounts, moves : float64 (n,); for depth both at least 0: a fall for what is sold.
    block : observations that are resampled together: 1 for quotes, longer for steps in time.
    """

    kind: Literal["depth", "trades"]
    amounts: FloatArray
    moves: FloatArray
    block: int

    @property
    def size(self) -> int:
        """The number of observations."""
        return int(self.moves.size)

    @property
    def typical(self) -> float:
        """The median of the amounts that are not zero: powers are taken of multiples of it."""
        return float(np.median(np.abs(self.amounts[self.amounts != 0.0])))

    def part(self, rows: NDArray[np.int64]) -> Sample:
        """The same of some of the observations."""
        return Sample(self.kind, self.amounts[rows], self.moves[rows], self.block)

    def starts(self) -> NDArray[np.int64]:
        """The first observation of each block."""
        return np.arange(0, self.size, self.block)

    def tests(self, test_share: float) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """(fitted, tested) rows: the last part of the time for trades; each tenth in turn for quotes."""
        rows = np.arange(self.size)
        if self.kind == "trades":
            cut = self.size - max(1, round(test_share * self.size))
            return [(rows[:cut], rows[cut:])]
        folds = min(self.size, _FOLDS)
        # Neighbouring sizes go to different folds, so that each fold spans the whole range.
        order = np.argsort(self.amounts, kind="stable")
        return [(np.sort(order[np.arange(self.size) % folds != k]), np.sort(order[k::folds])) for k in range(folds)]


def depth_sample(table: pd.DataFrame | Mapping[str, object]) -> Sample:
    """Quotes of a depth table: columns ``size`` (> 0) and ``move`` (relative fall, at least 0).

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("calibrate_impact")
    sizes, moves = _columns(problems, table, "depth", ("size", "move"))
    _check_numbers(problems, "depth", {"size": sizes, "move": moves})
    if not problems.found:
        problems.check(bool((sizes > 0).all()), "size", float(sizes.min()), "must be above 0", "drop empty quotes")
        rule = "must be at least 0 and below 1: the relative fall of the price"
        good = bool(((moves >= 0) & (moves < 1)).all())
        problems.check(good, "move", [float(moves.min()), float(moves.max())], rule, "give falls as positive numbers")
        distinct = np.unique(sizes).size
        problems.check(distinct > 1, "size", distinct, "must hold at least two different sizes", "quote more sizes")
    problems.raise_if_any()
    return Sample("depth", sizes, moves, 1)


def trades_sample(table: pd.DataFrame | Mapping[str, object], lags: int) -> Sample:
    """Steps of a market: columns ``return`` and ``volume`` (signed, purchases positive), in order of time.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("calibrate_impact")
    returns, volumes = _columns(problems, table, "trades", ("return", "volume"))
    _check_numbers(problems, "trades", {"return": returns, "volume": volumes})
    if not problems.found:
        active = int(np.count_nonzero(volumes))
        problems.check(active >= _FEWEST, "volume", active, f"must have {_FEWEST} steps with volume", "give more steps")
        rule = f"must be above {4 * (lags + 2)} steps for {lags} lags"
        problems.check(returns.size > 4 * (lags + 2), "trades", returns.size, rule, "give more steps or fewer lags")
    problems.raise_if_any()
    return Sample("trades", volumes, returns, max(2 * lags, math.ceil(2 * math.cbrt(returns.size))))


def _columns(
    problems: Problems, table: pd.DataFrame | Mapping[str, object], name: str, wanted: tuple[str, str]
) -> tuple[FloatArray, FloatArray]:
    keys = list(table) if hasattr(table, "keys") else []
    for column in wanted:
        problems.check(column in keys, name, keys, f"must have a column {column!r}", "rename it")
    problems.raise_if_any()
    try:
        first, second = (np.asarray(table[column], dtype=np.float64) for column in wanted)
    except (TypeError, ValueError, OverflowError) as error:
        problems.add(name, wanted, "must be columns of numbers", "convert or drop what is none")
        raise InputError(problems.title, problems.found) from error
    same = first.ndim == second.ndim == 1 and first.size == second.size
    shapes = (first.shape, second.shape)
    problems.check(same, name, shapes, "columns must be flat and equally long", "give one row an observation")
    problems.raise_if_any()
    return first, second


def _check_numbers(problems: Problems, name: str, columns: Mapping[str, FloatArray]) -> None:
    for column, values in columns.items():
        missing = int(np.count_nonzero(~np.isfinite(values)))
        rule = "must be finite: a missing price or volume says nothing"
        problems.check(missing == 0, column, f"{missing} rows of nan or inf", rule, "drop those rows")
    size = next(iter(columns.values())).size
    problems.check(size >= _FEWEST, name, size, f"must have at least {_FEWEST} rows", "give more of them")
