"""Which clock do prices follow? Weekends tell the days, the median spacing tells the steps; mixtures are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError, Problem
from collatrisk.market.clock import Clock, ClockKind
from collatrisk.market.frames import DAY_US, IntArray, microseconds, ordered_prices

# A market that is open at weekends has about as many weekend days as weekdays of its span; a closed one has none.
_OPEN_SHARE, _CLOSED_SHARE = 0.8, 0.05
_DAILY_US = (int(0.8 * DAY_US), int(1.5 * DAY_US))
_MONDAY_SHIFT = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class Pattern:
    """When one asset has prices.

    Attributes
    ----------
    kind : ``"24/7"``, ``"business"``, ``"unclear"`` (some weekends), or None (no whole weekend in the span).
    spacing_us : the median spacing in microseconds; None with one price.
    rows_per_day : the median number of prices on a day that has any.
    """

    kind: str | None
    spacing_us: int | None
    rows_per_day: int

    def steps_per_day(self, kind: ClockKind) -> int | None:
        """The steps of a day; None if the spacing is no step of a day (weekly prices, seven minutes)."""
        if self.spacing_us is None or _DAILY_US[0] <= self.spacing_us <= _DAILY_US[1]:
            return 1
        if self.spacing_us > DAY_US:
            return None
        steps = round(DAY_US / self.spacing_us)
        if steps > 1440 or abs(steps * self.spacing_us - DAY_US) > 0.01 * self.spacing_us:
            return None
        return steps if kind == "24/7" else max(self.rows_per_day, 1)


def weekdays(stamps: IntArray) -> IntArray:
    """Monday 0 to Sunday 6, in UTC."""
    return (stamps // DAY_US + _MONDAY_SHIFT) % 7


def find_pattern(stamps: IntArray) -> Pattern:
    """The pattern of strictly increasing int64 microseconds."""
    if stamps.size < 2:
        return Pattern(None, None, stamps.size)
    day_of_each = stamps // DAY_US
    first_of_day = np.flatnonzero(np.diff(day_of_each, prepend=day_of_each[0] - 1))
    days, per_day = day_of_each[first_of_day], np.diff(first_of_day, append=stamps.size)
    span = np.arange(days[0], days[-1] + 1)
    weekend, weekend_seen = (int(((each + _MONDAY_SHIFT) % 7 >= 5).sum()) for each in (span, days))
    kind = None
    if weekend >= 2 and days.size > weekend_seen:
        share = (weekend_seen / weekend) / ((days.size - weekend_seen) / (span.size - weekend))
        kind = "24/7" if share >= _OPEN_SHARE else "business" if share <= _CLOSED_SHARE else "unclear"
    return Pattern(kind, int(np.median(np.diff(stamps))), int(np.median(per_day)))


def asset_patterns(prices: pd.DataFrame) -> dict[str, Pattern]:
    """The pattern of each asset's own dates (those on which it has a price), for prices in order of date."""
    stamps, known = microseconds(prices.index), ~np.isnan(prices.to_numpy())
    found: dict[bytes, Pattern] = {}  # assets with the same dates share their pattern
    keys = [column.tobytes() for column in known.T]
    for k, key in enumerate(keys):
        if key not in found:
            found[key] = find_pattern(stamps[known[:, k]])
    return {str(name): found[key] for name, key in zip(prices.columns, keys, strict=True)}


def common_kind(patterns: Mapping[str, Pattern]) -> tuple[str | None, str]:
    """The kind of clock that all assets share: (kind, what is wrong); kind is None unless they agree."""
    kinds = {kind: [name for name, p in patterns.items() if p.kind == kind] for kind in ("24/7", "business", "unclear")}
    if kinds["unclear"]:
        return None, f"{_list(kinds['unclear'])} have prices on some weekends only"
    if kinds["24/7"] and kinds["business"]:
        return None, f"{_list(kinds['24/7'])} trade at weekends and {_list(kinds['business'])} do not"
    if kinds["24/7"] or kinds["business"]:
        return ("24/7" if kinds["24/7"] else "business"), ""
    return None, "the prices span no whole weekend, so they do not tell their clock"


def _list(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def common_steps(patterns: Mapping[str, Pattern], kind: ClockKind) -> tuple[int | None, str]:
    """The steps of a day that all assets share: (steps, what is wrong)."""
    known = {name: pattern for name, pattern in patterns.items() if pattern.spacing_us is not None}
    steps = {name: pattern.steps_per_day(kind) for name, pattern in known.items()}
    odd = [name for name, count in steps.items() if count is None]
    if odd:
        spacing = pd.Timedelta(microseconds=known[odd[0]].spacing_us or 0)
        return None, f"{_list(odd)} have a price every {spacing}, which is no step of a day"
    counts = sorted({count for count in steps.values() if count is not None})
    # The bars of a session differ by a few between assets; a day and an hour do not mix.
    if len(counts) > 1 and (kind == "24/7" or counts[0] == 1):
        return None, f"the assets have {' and '.join(map(str, counts))} steps a day"
    return (int(np.median(counts)) if counts else 1), ""


_CHOOSE = (
    "keep the common dates with align_prices(frame), or choose assets of one clock, or pass clock='24/7' or 'business'"
)


def infer_clock(frame: pd.DataFrame) -> Clock:
    """The clock of prices, from their dates.

    Parameters
    ----------
    frame : prices in order of date, one column an asset.

    Returns
    -------
    A ``"24/7"`` clock where weekends have (at least 80 % of) the prices that weekdays have, a ``"business"`` clock
    where they have none (at most 5 %), with the steps a day of the median spacing: a day, or a whole fraction of one
    down to a minute; on a business clock the median number of bars of a session. Holidays are not inferred.

    Raises
    ------
    DataError : where the assets disagree (crypto and equities), the dates do not tell, or the spacing is no step of a
        day.
    """
    return resolve_clock(frame, None)


def resolve_clock(frame: pd.DataFrame, clock: Clock | str | None) -> Clock:
    """The clock to use: a `Clock` as it is, ``"24/7"`` or ``"business"`` with the steps of the data, None inferred.

    Raises
    ------
    DataError : as `infer_clock`, for what is not given.
    """
    if isinstance(clock, Clock):
        return clock
    patterns = asset_patterns(ordered_prices(frame, "Clock of the prices"))
    if clock is None:
        kind, wrong = common_kind(patterns)
        if kind is None:
            raise DataError("Clock of the prices", [Problem("clock", "unknown", wrong, _CHOOSE)])
        clock = kind
    chosen = Clock.of(clock)
    steps, wrong = common_steps(patterns, chosen.kind)
    if steps is None:
        remedy = "choose assets of one spacing, of a day or a whole fraction of one, or resample them"
        raise DataError("Clock of the prices", [Problem("steps_per_day", "unknown", wrong, remedy)])
    return chosen.with_steps_per_day(steps)
