"""The replay of a scenario's real window from the user's own prices, as one path."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import DataError, InputError
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.scenarios.paths import TablePaths
from collatrisk.scenarios.records import Window
from collatrisk.scenarios.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd


def replay(
    prices: pd.DataFrame,
    scenario: Scenario,
    *,
    spot: Mapping[str, float] | None = None,
    assets: Sequence[str] | None = None,
    clock: Clock | str | None = None,
    seed: int = 0,
) -> TablePaths:
    """One path: the real prices of the scenario's replay window, rebased to `spot`.

    Parameters
    ----------
    prices : one column an asset, > 0, sorted index of dates (UTC where it has a zone), as `load_prices` returns.
    scenario : one with a replay window.
    spot : asset -> price from which the path starts; assets it does not name start at their last price in `prices`.
    assets : the columns to replay; all by default.
    clock : the clock of `prices`; found from them by default.
    seed : passed on to whoever draws cures.

    Returns
    -------
    TablePaths of one path: ``price_t = spot * close_t / close_first``, steps as in `prices`, no bridge between them.

    Raises
    ------
    InputError : the scenario has no replay window, or an asset is not a column.
    DataError : the window is not inside the prices, or a price inside it is missing or not above zero.
    """
    if scenario.replay is None:
        raise InputError(f"Scenario {scenario.id}: there is no replay window; give it one, or apply its shocks")
    columns = tuple(str(name) for name in prices.columns) if assets is None else tuple(assets)
    problems = Problems("replay")
    problems.check(bool(columns), "assets", [], "must name at least one column", "give the assets of the account")
    problems.known("assets", columns, tuple(str(name) for name in prices.columns))
    problems.raise_if_any()
    grid = _clock_of(prices, clock)
    values = _window_values(prices[list(columns)], scenario.replay, grid)
    start = {name: (spot or {}).get(name, _last_price(prices[name])) for name in columns}
    first = _positive(start)
    path = first[None, :] * values / values[0]
    path[0] = first
    table = np.ascontiguousarray(path[:, :, None])
    return TablePaths(columns, grid, table, (f"{scenario.id}: {scenario.replay}",), "replay of history", int(seed))


def _clock_of(prices: pd.DataFrame, clock: Clock | str | None) -> Clock:
    if clock is not None:
        return Clock.of(clock)
    from collatrisk.market import infer_clock

    return infer_clock(prices)


def _last_price(column: pd.Series) -> float:
    known = column.dropna()
    return float(known.iloc[-1]) if len(known) else float("nan")


def _positive(start: Mapping[str, float]) -> NDArray[np.float64]:
    problems = Problems("replay")
    values = [
        problems.number(f"spot.{name}", value, low=0, open_low=True, remedy="give the price from which to start")
        for name, value in start.items()
    ]
    problems.raise_if_any()
    return np.array(values, dtype=np.float64)


def _window_values(prices: pd.DataFrame, window: Window, clock: Clock) -> NDArray[np.float64]:
    """The prices inside the window, checked: both ends covered, at least two rows, all above zero."""
    problems = Problems("replay", DataError)
    days = np.array([stamp.date() for stamp in prices.index], dtype=object)
    inside = np.array([window.first <= day <= window.last for day in days], dtype=bool)
    covered = _covers(days, window, clock)
    have = f"{days[0]} to {days[-1]}" if len(days) else "no rows"
    rule = f"must cover the replay window {window}"
    if problems.check(covered, "prices", have, rule, "load prices of these days, or apply the shocks instead"):
        rows = int(inside.sum())
        problems.check(rows >= 2, "prices", rows, f"must have two rows inside {window}", "use a finer grid")
    problems.raise_if_any()
    rows_inside = prices.loc[inside]
    for name in prices.columns:
        column = rows_inside[name].to_numpy(dtype=np.float64)
        bad = ~(np.isfinite(column) & (column > 0))
        if bad.any():
            stamp = rows_inside.index[int(np.argmax(bad))]
            what = f"{int(bad.sum())} of {len(column)} prices inside {window} are missing or not above zero"
            problems.add(str(name), f"{column[bad][0]} on {stamp.date()}", what, "mend them or leave the asset out")
    problems.raise_if_any()
    return rows_inside.to_numpy(dtype=np.float64)


def _covers(days: NDArray[np.object_], window: Window, clock: Clock) -> bool:
    """Whether the data reach over both ends; days on which the clock does not run need not be there."""
    if not len(days):
        return False
    one = dt.timedelta(days=1)
    early = days[0] <= window.first or not len(clock.open_days(window.first, days[0] - one))
    late = days[-1] >= window.last or not len(clock.open_days(days[-1] + one, window.last))
    return bool(early and late)
