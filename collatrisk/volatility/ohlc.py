"""Bars of open, high, low and close: checked, in logarithms, with implausible wicks clipped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array

COLUMNS = ("open", "high", "low", "close")
MAX_WICK = 5.0
_USUAL = 21  # bars whose median log range is what is usual
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars relative to their open.

    Attributes
    ----------
    index : the rows. up, down, body : (n,) ln(high / open) >= 0, ln(low / open) <= 0, ln(close / open).
    gap : (n,) ln(open / last close), nan in the first row.
    """

    index: pd.Index
    up: Array
    down: Array
    body: Array
    gap: Array


def checked_bars(ohlc: object) -> Bars:
    """The bars of a frame, or all that is wrong with it.

    Raises
    ------
    DataError : not a frame, columns are missing or there twice, prices are not positive numbers, or
        low <= open, close <= high does not hold; with the rows.
    """
    problems = Problems("OHLC bars", DataError)
    frame = isinstance(ohlc, pd.DataFrame)
    problems.check(frame, "ohlc", type(ohlc).__name__, "must be a DataFrame", "give columns open, high, low, close")
    problems.raise_if_any()
    assert isinstance(ohlc, pd.DataFrame)
    given = [str(name).strip().lower() for name in ohlc.columns]
    for name in COLUMNS:
        rule = "must be there exactly once"
        problems.check(given.count(name) == 1, "column", name, rule, f"the columns are {list(map(str, ohlc.columns))}")
    problems.check(len(ohlc) > 0, "rows", 0, "must be at least one", "give bars")
    problems.raise_if_any()
    prices = {name: _prices(problems, ohlc.iloc[:, given.index(name)], name) for name in COLUMNS}
    problems.raise_if_any()
    _check_order(problems, ohlc.index, prices)
    problems.raise_if_any()
    logs = {name: np.log(values) for name, values in prices.items()}
    gap = np.full(len(ohlc), np.nan)
    gap[1:] = logs["open"][1:] - logs["close"][:-1]
    up, down, body = (logs[name] - logs["open"] for name in ("high", "low", "close"))
    # The logarithms of equal prices are equal; rounding cannot put a close outside its range.
    return Bars(ohlc.index, up, down, body, gap)


def clipped_bars(bars: Bars, most: float) -> tuple[Bars, tuple[Finding, ...]]:
    """Bars without implausible wicks, and a finding that names those that were clipped.

    The upper wick is ln(high / max(open, close)), the lower ln(min(open, close) / low). Each may be `most` times the
    median log range of the 21 bars before, or as long as the bar's own body if that is more; a median of 0 clips
    nothing.
    """
    top, bottom = np.maximum(bars.body, 0.0), np.minimum(bars.body, 0.0)
    usual = _usual_range(bars.up - bars.down)
    limit = np.where(usual > 0.0, np.maximum(most * usual, np.abs(bars.body)), np.inf)
    up, down = np.minimum(bars.up, top + limit), np.maximum(bars.down, bottom - limit)
    rows = np.flatnonzero((up < bars.up) | (down > bars.down))
    if rows.size == 0:
        return bars, ()
    worst = float(np.max(np.maximum(bars.up - top, bottom - bars.down)[rows] / usual[rows]))
    text = (
        f"{rows.size} bars had a wick longer than {most:g} times the usual range and than their body (the longest "
        f"{worst:.3g} times the usual range) and were clipped to that: bad prints or real spikes; look at them, or "
        "give max_wick=None"
    )
    shown = tuple(str(label) for label in bars.index[rows[:_SHOWN]])
    more = ("...",) if rows.size > _SHOWN else ()
    return replace(bars, up=up, down=down), (Finding("clipped-wicks", "warning", "bars", text, (*shown, *more)),)


def _usual_range(ranges: Array) -> Array:
    """The median of the 21 ranges before each; for the first bars, of the first 21 of all."""
    before = pd.Series(ranges).rolling(_USUAL).median().shift(1).to_numpy(dtype=np.float64)
    return np.where(np.isnan(before), np.median(ranges[:_USUAL]), before)


def _prices(problems: Problems, column: pd.Series, name: str) -> Array:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError):
        problems.add(name, column.dtype, "must hold numbers", "give prices as floats")
        return np.empty(0)
    bad = ~(np.isfinite(values) & (values > 0.0))
    problems.check(
        not bad.any(), name, _rows(column.index, bad), "must be finite and above zero", "drop or mend these rows"
    )
    return values


def _check_order(problems: Problems, index: pd.Index, prices: dict[str, Array]) -> None:
    """low <= open, close <= high, with the rows that break it."""
    for small, large in (("low", "high"), ("open", "high"), ("close", "high"), ("low", "open"), ("low", "close")):
        bad = prices[small] > prices[large]
        rule = f"must hold {small} <= {large}"
        problems.check(not bad.any(), "bars", _rows(index, bad), rule, "drop or mend these rows")


def _rows(index: pd.Index, bad: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    places = np.flatnonzero(bad)
    more = ", ..." if places.size > _SHOWN else ""
    return f"{places.size} at {', '.join(str(label) for label in index[places[:_SHOWN]])}{more}"
