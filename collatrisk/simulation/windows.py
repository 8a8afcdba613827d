"""`HistoricalWindows`: every window of real prices as a path. No model, no random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.errors import DataError
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.simulation.reading import check_range, describe_paths, frozen_array, path_ranges, step_times
from collatrisk.simulation.source import FloatArray, PathBlock

if TYPE_CHECKING:
    import pandas as pd

_TITLE = "HistoricalWindows"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class HistoricalWindows:
    """Every run of `horizon_days` in a price history, rebased to the spot: path w has the prices
    ``spot * history[w + t] / history[w]`` at step t.

    Neighbouring windows share all but one step, so the paths are far from independent: `overlap` says so, and intervals
    must come from a block bootstrap. There is no model of what lies between two steps (`step_variance` is None).

    Parameters
    ----------
    prices : one column an asset, an increasing DatetimeIndex, finite, > 0. A row is a step: see `missing_steps`.
    horizon_days : days of the clock, > 0, a whole number of steps and shorter than the history.
    clock : a `Clock`, ``"24/7"`` or ``"business"``; None: inferred from the dates.
    spot : prices from which the windows start, by asset; assets not named (or None: all) start at their last price.
    seed : int in [0, 2**64), for draws that a question adds (cure, bootstrap).

    Attributes
    ----------
    assets, clock, horizon_days, spot, seed : as given.
    history : float64 (n_rows, n_assets), read-only.
    first_date, last_date : ISO stamps of the first and last row.
    missing_steps : steps of the clock between them that have no row (holidays that the clock does not know included);
        each makes the windows over it longer than they say. Counted on daily clocks.

    Raises
    ------
    DataError : prices that cannot be used, or a history that is too short.
    InputError : any other argument that breaks a rule.
    """

    assets: tuple[str, ...]
    clock: Clock
    horizon_days: float
    spot: FloatArray
    seed: int
    history: FloatArray
    first_date: str
    last_date: str
    missing_steps: int

    def __init__(
        self,
        prices: pd.DataFrame,
        horizon_days: float,
        *,
        clock: Clock | str | None = None,
        spot: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        from collatrisk.market.frames import ordered_prices
        from collatrisk.market.patterns import resolve_clock

        frame = ordered_prices(prices, _TITLE)
        history = frozen_array(np.array(frame.to_numpy(dtype=np.float64), order="C"))
        assets = tuple(map(str, frame.columns))
        _check_history(assets, history)
        chosen = resolve_clock(frame, clock)
        problems = Problems(_TITLE)
        days = problems.number("horizon_days", horizon_days, low=0, open_low=True, remedy="30 for a month")
        problems.integer("seed", seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")
        mapped = spot is None or isinstance(spot, Mapping)
        problems.check(mapped, "spot", spot, "must map assets to prices", "give {'ETH': 2000.0}, or leave it out")
        start = _spot(problems, assets, history[-1], spot if spot is not None and mapped else {})
        if clock is not None:
            _check_clock(problems, frame, chosen)
        problems.raise_if_any()
        _check_length(len(history), chosen.steps(days, "horizon_days"), days, chosen)
        expected = len(chosen.expected_index(frame.index[0], frame.index[-1])) if chosen.steps_per_day == 1 else 0
        for name, value in (
            ("assets", assets),
            ("clock", chosen),
            ("horizon_days", days),
            ("spot", start),
            ("seed", int(seed)),
            ("history", history),
            ("first_date", frame.index[0].isoformat()),
            ("last_date", frame.index[-1].isoformat()),
            ("missing_steps", max(expected - len(history), 0)),
        ):
            object.__setattr__(self, name, value)

    @property
    def n_paths(self) -> int:
        """The number of windows: rows less steps."""
        return len(self.history) - self.n_steps

    @property
    def n_steps(self) -> int:
        """Steps after the spot."""
        return round(self.horizon_days * self.clock.steps_per_day)

    @property
    def times(self) -> FloatArray:
        """Days of the clock since the spot, float64 (n_steps + 1,)."""
        return step_times(self.clock, self.n_steps)

    @property
    def correlation(self) -> None:
        """None: history has no model of its innovations."""
        return None

    @property
    def overlap(self) -> int:
        """The number of steps: windows that start closer than this share some."""
        return self.n_steps

    def read(self, first: int, last: int) -> PathBlock:
        """The windows that start at the rows `first` to `last` - 1.

        Raises
        ------
        InputError : unless 0 <= first <= last <= n_paths.
        """
        check_range(first, last, self.n_paths)
        rows = np.arange(self.n_steps + 1)[:, None] + np.arange(first, last)
        windows = self.history[rows].transpose(0, 2, 1)  # (steps + 1, assets, windows)
        prices = windows / windows[0] * self.spot[:, None]
        return PathBlock(first, np.ascontiguousarray(prices), None)

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All windows in order of time, `size` at a time."""
        return (self.read(first, last) for first, last in path_ranges(self.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        """What makes the windows reproducible, as plain JSON values."""
        return {
            "kind": _TITLE,
            "history_sha256": hashlib.sha256(self.history.tobytes()).hexdigest(),
            "first_date": self.first_date,
            "last_date": self.last_date,
            "missing_steps": self.missing_steps,
            "n_paths": self.n_paths,
            "n_steps": self.n_steps,
            "overlap": self.overlap,
            "clock": str(self.clock),
            "seed": self.seed,
        }

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        for array in (self.history, self.spot):
            array.flags.writeable = False  # a pickle forgets it

    def __repr__(self) -> str:
        return describe_paths(self)

    def _repr_html_(self) -> str:
        return html_table(["", ""], list(self.describe().items()), describe_paths(self))


def _check_history(assets: tuple[str, ...], history: FloatArray) -> None:
    problems = Problems(_TITLE, DataError)
    problems.check(len(history) > 0, "prices", "0 rows", "must hold at least one row", "load more history")
    for k, asset in enumerate(assets):
        bad = np.flatnonzero(~(np.isfinite(history[:, k]) & (history[:, k] > 0.0)))
        if bad.size:
            value = f"{history[bad[0], k]} in row {bad[0]} ({bad.size} such rows)"
            problems.add(asset, value, "prices must be finite and above zero", "see check_prices and align_prices")
    problems.raise_if_any()


def _check_clock(problems: Problems, frame: pd.DataFrame, clock: Clock) -> None:
    """A window of n rows is n steps of the clock only if the rows come as the clock ticks."""
    from collatrisk.market.patterns import asset_patterns, common_kind

    kind, _ = common_kind(asset_patterns(frame))
    has = "prices at weekends" if kind == "24/7" else "no prices at weekends"
    rule = f"does not fit the history, which has {has}: a window of n rows would not last n steps"
    problems.check(kind in {None, clock.kind}, "clock", clock.kind, rule, f"use clock={kind!r} or leave it out")


def _check_length(rows: int, steps: int, days: float, clock: Clock) -> None:
    problems = Problems(_TITLE, DataError)
    rule = f"needs {steps + 1} rows of prices and there are {rows}"
    longest = clock.days(max(rows - 1, 0))
    problems.check(rows > steps, "horizon_days", days, rule, f"ask for at most {longest:g} days or give more prices")
    problems.check(steps >= 1, "horizon_days", days, "must be at least one step", "see the clock's steps_per_day")
    problems.raise_if_any()


def _spot(problems: Problems, assets: tuple[str, ...], last: FloatArray, given: Mapping[str, float]) -> FloatArray:
    problems.known("spot", given, assets)
    remedy = "give a price above zero or leave the asset out"
    values = [
        problems.number(f"spot[{asset}]", given.get(asset, float(price)), low=0, open_low=True, remedy=remedy)
        for asset, price in zip(assets, last, strict=True)
    ]
    return frozen_array(np.array(values))
