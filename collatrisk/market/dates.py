"""Text to UTC dates: one format for a whole column, never a guess between day-first and month-first."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collatrisk.base.errors import show_value
from collatrisk.base.findings import Finding
from collatrisk.market.frames import DAY_US, IntArray, counted, note

_SAMPLE = 500
_MISSING = np.iinfo(np.int64).min
_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)
_EARLIEST, _LATEST = dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO_REMEDY = "write dates as 2024-01-31, or 2024-01-31T16:00:00+00:00 with a time"

_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?"
)
_SHAPES: dict[str, re.Pattern[str]] = {
    "ISO": re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})" + _TIME),
    "numeric": re.compile(r"(?P<first>\d{1,2})([-/.])(?P<second_part>\d{1,2})\2(?P<year>\d{4})" + _TIME),
    "YYYYMMDD": re.compile(r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})" + _TIME),
    "day month-name year": re.compile(r"(?P<day>\d{1,2})[-/ ](?P<name>[A-Za-z]{3,9})\.?[-/, ]+(?P<year>\d{4})" + _TIME),
    "month-name day, year": re.compile(r"(?P<name>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})" + _TIME),
    "epoch": re.compile(r"(?P<epoch>\d{9,19})(?:\.\d*)?"),
}


@dataclass(frozen=True, slots=True)
class ParsedDates:
    """A column of dates.

    Attributes
    ----------
    stamps : DatetimeIndex in UTC; NaT where a cell could not be read.
    findings : what was noticed: unreadable rows, an ambiguous order, the reading of the time zone.
    """

    stamps: pd.DatetimeIndex
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Instant:
    """A cell as read: microseconds of the local clock since 1970, and minutes east of UTC (None without a zone)."""

    local: int
    offset: int | None


def parse_dates(
    cells: Any, row_name: Callable[[int], str], *, subject: str = "date", day_first: bool | None = None
) -> ParsedDates:
    """Read a column of dates in one format.

    Parameters
    ----------
    cells : the cells: text, or a pandas Series of dates or numbers.
    row_name : the name of row ``i`` in findings (``"line 7"``).
    subject : the name of the column.
    day_first : True for 31/01/2024, False for 01/31/2024, None to find out from the column.

    Notes
    -----
    ISO dates, day-first or month-first numbers, English month names, YYYYMMDD, and epoch seconds, milliseconds,
    microseconds or nanoseconds (told apart by their number of digits). Dates without a zone are read as UTC; offsets
    are converted. Where every stamp is midnight of a zone other than UTC the file holds dates, not instants: the dates
    are kept (converting would move a Monday of Paris to a Sunday).
    """
    if isinstance(cells, pd.Series):
        if isinstance(cells.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(cells.dtype):
            return _typed_dates(cells, row_name, subject)
        cells = _texts(cells)
    unique = list(dict.fromkeys(cells))
    reader = _Reader(subject, cells, row_name)
    known = reader.read(unique, day_first)
    instants = [known.get(cell) for cell in cells]
    return ParsedDates(reader.to_utc(instants), tuple(reader.findings))


def looks_like_date(text: str) -> bool:
    """Whether a cell has the shape of a date: a header should not."""
    return any(shape.fullmatch(text.strip()) for shape in _SHAPES.values())


def _texts(cells: pd.Series[Any]) -> list[str]:
    """Numbers and objects of a Parquet column as the text that a CSV would hold."""
    if pd.api.types.is_float_dtype(cells.dtype):
        return ["" if pd.isna(value) else f"{value:.0f}" for value in cells]
    return ["" if pd.isna(value) else str(value) for value in cells]


def _typed_dates(cells: pd.Series[Any], row_name: Callable[[int], str], subject: str) -> ParsedDates:
    stamps = pd.DatetimeIndex(cells)
    findings = []
    missing = np.flatnonzero(stamps.isna())
    if missing.size:
        rows = [row_name(int(i)) for i in missing]
        findings.append(
            note("unreadable-date", "error", subject, f"{counted(len(rows), 'date')} missing", _ISO_REMEDY, rows)
        )
    if stamps.tz is None:
        findings.append(_naive(subject))
        return ParsedDates(stamps.tz_localize("UTC").as_unit("us"), tuple(findings))
    local = stamps.tz_localize(None).dropna()
    if not (local == stamps.tz_convert("UTC").tz_localize(None).dropna()).all() and (local == local.normalize()).all():
        findings.append(_local_midnight(subject))
        stamps = stamps.tz_localize(None).tz_localize("UTC")
    return ParsedDates(stamps.tz_convert("UTC").as_unit("us"), tuple(findings))


def _naive(subject: str) -> Finding:
    return note(
        "naive-dates", "info", subject, "the dates have no time zone and are read as UTC", "nothing to do if they are"
    )


def _local_midnight(subject: str) -> Finding:
    rule = "every stamp is midnight of a zone other than UTC: they are read as dates and not converted"
    return note("local-midnight", "info", subject, rule, "give the time of the close if instants are meant")


class _Reader:
    """Reads one column; collects findings."""

    def __init__(self, subject: str, cells: Sequence[str], row_name: Callable[[int], str]) -> None:
        self.subject, self.cells, self.row_name = subject, cells, row_name
        self.findings: list[Finding] = []

    def rows(self, wanted: Callable[[str], bool]) -> list[str]:
        return [f"{self.row_name(i)}: {show_value(cell)}" for i, cell in enumerate(self.cells) if wanted(cell)]

    def error(self, code: str, rule: str, remedy: str, rows: Sequence[str]) -> None:
        self.findings.append(note(code, "error", self.subject, rule, remedy, rows))

    def read(self, unique: list[str], day_first: bool | None) -> dict[str, _Instant]:
        """Each readable cell as an instant; what cannot be read is a finding."""
        sample = [cell for cell in unique if cell][:_SAMPLE]
        shape = max(_SHAPES, key=lambda name: sum(_SHAPES[name].fullmatch(cell) is not None for cell in sample))
        matches = {cell: match for cell in unique if (match := _SHAPES[shape].fullmatch(cell))}
        if not matches:
            self.error(
                "no-dates", f"no cell of {self.subject!r} is a date", _hint(sample), self.rows(lambda cell: True)
            )
            return {}
        if shape == "numeric":
            order = self._day_first(matches, day_first)
            if order is None:
                return {}
            shape, day_first = ("day-first" if order else "month-first"), order
            rule = f"the dates, such as {next(iter(matches))!r}, are read as {shape}"
            self.findings.append(note("date-order", "info", self.subject, rule, "nothing to do if that is right"))
        instants = {cell: instant for cell, match in matches.items() if (instant := _instant(match, day_first))}
        bad = self.rows(lambda cell: cell not in instants)
        if bad:
            rule = f"{counted(len(bad), 'cell')} not {shape} dates between 1900 and 2100, as the rest of the column is"
            self.error("unreadable-date", rule, _ISO_REMEDY, bad)
        return instants

    def _day_first(self, matches: dict[str, re.Match[str]], wanted: bool | None) -> bool | None:
        """Whether the first number is the day: told, or proved by a number above 12. None with a finding if not."""
        if wanted is not None:
            return wanted
        day_first = {cell for cell, match in matches.items() if int(match["first"]) > 12}
        month_first = {cell for cell, match in matches.items() if int(match["second_part"]) > 12}
        remedy = "write ISO dates (2024-01-31), or pass day_first=True or False"
        if day_first and month_first:
            fewer = min(day_first, month_first, key=len)
            rule = f"{len(day_first)} dates are day-first and {len(month_first)} month-first in one column"
            self.error("mixed-date-order", rule, remedy, self.rows(lambda cell: cell in fewer))
            return None
        if day_first or month_first or all(match["first"] == match["second_part"] for match in matches.values()):
            return not month_first
        rule = "the dates are ambiguous: no number is above 12, so day-first and month-first both fit"
        self.error("ambiguous-dates", rule, remedy, self.rows(lambda cell: cell in matches))
        return None

    def to_utc(self, instants: Sequence[_Instant | None]) -> pd.DatetimeIndex:
        """All rows in UTC: naive rows as they are, offsets converted, local midnights as dates."""
        read = [instant for instant in instants if instant]
        naive = sum(instant.offset is None for instant in read)
        if read and naive == len(read):
            self.findings.append(_naive(self.subject))
        elif naive:
            rows = [self.row_name(i) for i, instant in enumerate(instants) if instant and instant.offset is None]
            rule = f"{naive} dates have no time zone while {len(read) - naive} have one"
            self.error("mixed-time-zones", rule, "give every row a zone, or none", rows)
        dates_only = (
            bool(read)
            and not naive
            and any(instant.offset for instant in read)
            and all(instant.local % DAY_US == 0 for instant in read)
        )
        if dates_only:
            self.findings.append(_local_midnight(self.subject))
        stamps: IntArray = np.full(len(instants), _MISSING, dtype=np.int64)
        for i, instant in enumerate(instants):
            if instant:
                shift = 0 if dates_only else (instant.offset or 0) * 60_000_000
                stamps[i] = instant.local - shift
        return pd.DatetimeIndex(stamps.view("datetime64[us]")).tz_localize("UTC")


def _hint(sample: Sequence[str]) -> str:
    """What to do about a column without a single date."""
    if sample and all(re.fullmatch(r"\d{5}(\.\d+)?", cell) for cell in sample):
        return f"these look like Excel day numbers: {_ISO_REMEDY}"
    if sample and all(re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}", cell) for cell in sample):
        return f"two-digit years cannot be told from days: {_ISO_REMEDY}"
    return f"the first column (or one named date or timestamp) must hold dates: {_ISO_REMEDY}"


def _instant(match: re.Match[str], day_first: bool | None) -> _Instant | None:
    parts = match.groupdict()
    try:
        if "epoch" in parts:
            local, zone = _epoch(parts["epoch"]), 0
            when = _EPOCH + local * _MICROSECOND
        else:
            when, zone = _date(parts, day_first) + _time_of_day(parts), _offset(parts["zone"])  # type: ignore[assignment]
            local = (when - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
    return _Instant(local, zone) if _EARLIEST <= when < _LATEST else None


def _epoch(digits: str) -> int:
    """Microseconds from an epoch number: 9-10 digits are seconds, 12-13 milli-, 15-16 micro-, 18-19 nanoseconds."""
    scale = {9: 0, 10: 0, 12: 3, 13: 3, 15: 6, 16: 6, 18: 9, 19: 9}.get(len(digits))
    if scale is None:
        raise ValueError(digits)
    number = int(digits)
    return number // 1000 if scale == 9 else number * 10 ** (6 - scale)


def _date(parts: dict[str, Any], day_first: bool | None) -> dt.datetime:
    if "first" in parts:
        day, month = (parts["first"], parts["second_part"]) if day_first else (parts["second_part"], parts["first"])
    elif "name" in parts:
        day, month = parts["day"], _MONTHS.index(parts["name"][:3].lower()) + 1
    else:
        day, month = parts["day"], parts["month"]
    return dt.datetime(int(parts["year"]), int(month), int(day))


def _time_of_day(parts: dict[str, Any]) -> dt.timedelta:
    if parts["hour"] is None:
        return dt.timedelta(0)
    hour, half = int(parts["hour"]), (parts["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "pm" else 0)
    fraction = int((parts["fraction"] or "0").ljust(6, "0")[:6])
    time = dt.time(hour, int(parts["minute"]), int(parts["second"] or 0), fraction)
    return dt.timedelta(hours=time.hour, minutes=time.minute, seconds=time.second, microseconds=time.microsecond)


def _offset(zone: str | None) -> int | None:
    """Minutes east of UTC."""
    if zone is None:
        return None
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes
