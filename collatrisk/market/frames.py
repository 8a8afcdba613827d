"""Price frames: UTC index named ``date``, one float64 column an asset; and how findings about them are worded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from collatrisk.base.errors import DataError, InputError, Problem, show_value
from collatrisk.base.findings import Finding, Severity

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
INDEX_NAME = "date"
DAY_US = 86_400_000_000
_ROWS_SHOWN, _ROWS_IN_ERROR = 10, 5


def note(
    code: str, severity: Severity, subject: str, rule: str, remedy: str, rows: Sequence[str] = (), total: int = 0
) -> Finding:
    """A finding whose message reads ``rule; remedy``; at most ten rows are kept, and a shortened list says so."""
    shown = tuple(rows[:_ROWS_SHOWN])
    more = max(total, len(rows)) - len(shown)
    return Finding(code, severity, subject, f"{rule}; {remedy}", (*shown, f"and {more} more") if more else shown)


def as_problem(finding: Finding) -> Problem:
    """An error finding as a problem of a `DataError`: its rows are the value, its message splits at the last ``; ``."""
    rule, _, remedy = finding.message.rpartition("; ")
    shown = ", ".join(finding.rows[:_ROWS_IN_ERROR])
    if len(finding.rows) > _ROWS_IN_ERROR:
        shown += ", ..."
    return Problem(finding.subject, shown or finding.code, rule or remedy, remedy)


def counted(number: int, noun: str) -> str:
    """``"1 row"``, ``"2 rows"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_stamp(stamp: Any) -> str:
    """A row's date as a person writes it: the time of day only where there is one."""
    if pd.isna(stamp):
        return "no date"
    return str(stamp.strftime("%Y-%m-%d" if stamp == stamp.normalize() else "%Y-%m-%d %H:%M:%S"))


@dataclass(frozen=True, slots=True)
class RowNames:
    """How rows are named in findings: by date, and by line of the file where there is one.

    Attributes
    ----------
    stamps : the dates of the rows.
    lines : int64 (n_rows, 1) or (n_rows, n_assets), the line of each row or cell; None without a file.
    unit : ``"line"`` of a text file, ``"row"`` of a Parquet file or of a frame.
    """

    stamps: pd.DatetimeIndex
    lines: IntArray | None = None
    unit: str = "line"

    def line(self, row: int, column: int | None = None) -> int:
        """The line of a cell, or the first line of the row; 0 where the file has none (a cell that is not there)."""
        if self.lines is None:
            return 0
        cells = self.lines[row]
        if column is not None:
            return int(cells[min(column, cells.size - 1)])
        return int(cells[cells > 0].min(initial=np.iinfo(np.int64).max)) if cells.any() else 0

    def name(self, row: int, column: int | None = None) -> str:
        """``"line 7 (2020-03-12)"`` or ``"2020-03-12"``."""
        date, line = show_stamp(self.stamps[row]), self.line(row, column)
        if not line:
            return date
        return f"{self.unit} {line}" if pd.isna(self.stamps[row]) else f"{self.unit} {line} ({date})"

    def names(self, rows: Sequence[int] | IntArray, column: int | None = None) -> tuple[str, ...]:
        """The names of the first rows, as many as a finding shows."""
        return tuple(self.name(int(row), column) for row in rows[:_ROWS_SHOWN])

    def take(self, rows: IntArray) -> RowNames:
        """The names of some rows, in their order."""
        return RowNames(self.stamps[rows], None if self.lines is None else self.lines[rows], self.unit)


def utc_index(index: pd.Index, title: str) -> pd.DatetimeIndex:
    """A DatetimeIndex in UTC, microsecond unit, named ``date``; an index without a zone is read as UTC.

    Raises
    ------
    InputError : if the index holds no dates.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            title,
            [
                Problem(
                    "index",
                    type(index).__name__,
                    "prices need a DatetimeIndex",
                    "use load_prices, or set frame.index = pd.to_datetime(frame.index, utc=True)",
                )
            ],
        )
    utc = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    return utc.as_unit("us").rename(INDEX_NAME)


def require_frame(frame: object, title: str) -> pd.DataFrame:
    """The argument as a DataFrame (a Series becomes one column); anything else is an `InputError`."""
    if isinstance(frame, pd.Series):
        return frame.to_frame(name="price" if frame.name is None else frame.name)
    if isinstance(frame, pd.DataFrame):
        return frame
    problem = Problem("prices", show_value(frame), "must be a pandas DataFrame", "one column an asset, a DatetimeIndex")
    raise InputError(title, [problem])


def text_columns(frame: pd.DataFrame) -> list[int]:
    """The positions of the columns that do not hold numbers."""
    return [k for k, kind in enumerate(frame.dtypes) if not is_real(kind)]


def is_real(kind: Any) -> bool:
    """Whether a dtype holds real numbers: prices are neither flags nor complex."""
    types = pd.api.types
    return types.is_numeric_dtype(kind) and not (types.is_bool_dtype(kind) or types.is_complex_dtype(kind))


def repeated(names: Sequence[str]) -> list[str]:
    """The names that appear more than once."""
    return sorted({name for name in names if list(names).count(name) > 1})


def unnamed_columns(frame: pd.DataFrame) -> list[int]:
    """The positions of the columns without a name: empty, blank, None or NaN."""
    return [k for k, name in enumerate(frame.columns) if not str(name).strip() or (is_scalar(name) and pd.isna(name))]


def price_frame(frame: object, title: str) -> pd.DataFrame:
    """A float64 copy with a UTC index and text column names. Order, duplicates and NaN are kept as they are.

    Raises
    ------
    InputError : if it is not a frame of dates.
    DataError : if a column holds text or two columns have one name; all such columns at once.
    """
    source = require_frame(frame, title)
    index = utc_index(source.index, title)
    names = [str(name) for name in source.columns]
    problems = [
        Problem(names[k], str(source.iloc[:, k].dtype), "a column of prices must hold numbers", "convert or drop it")
        for k in text_columns(source)
    ]
    problems += [
        Problem(name, "repeated", "each asset must have one column", "rename or drop the others")
        for name in repeated(names)
    ]
    if not names:
        problems.append(Problem("columns", "none", "there must be at least one asset", "add a column of prices"))
    problems += [
        Problem("columns", repr(source.columns[k]), "an asset must have a name", "name the column")
        for k in unnamed_columns(source)
    ]
    if problems:
        raise DataError(title, problems)
    return pd.DataFrame(source.to_numpy(dtype=np.float64, na_value=np.nan), index=index, columns=names)


def ordered_prices(frame: object, title: str) -> pd.DataFrame:
    """`price_frame` whose dates are known and strictly increase.

    Raises
    ------
    DataError : if a date is missing, repeated or out of order.
    """
    prices = price_frame(frame, title)
    stamps = microseconds(prices.index)
    wrong = np.flatnonzero(np.diff(stamps) <= 0) + 1
    if wrong.size or prices.index.hasnans:
        rows = RowNames(pd.DatetimeIndex(prices.index)).names(wrong) or ("no date",)
        problem = Problem(
            "date",
            ", ".join(rows),
            "dates must be known and strictly increase",
            "see check_prices(frame); then sort_index() and drop the repeated rows",
        )
        raise DataError(title, [problem])
    return prices


def microseconds(index: pd.Index) -> IntArray:
    """The dates as int64 microseconds since 1970 (UTC); a missing date is the smallest int64."""
    stamps = utc_index(index, "prices")
    return np.asarray(stamps.tz_localize(None).to_numpy(), dtype="datetime64[us]").astype(np.int64)
