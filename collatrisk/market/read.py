"""Tables to raw prices: which column is the date, wide or long, which columns are assets. No row is judged here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError, InputError, Problem, show_value
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.market.dates import looks_like_date, parse_dates
from collatrisk.market.frames import (
    INDEX_NAME,
    FloatArray,
    IntArray,
    RowNames,
    as_problem,
    counted,
    is_real,
    note,
    repeated,
)
from collatrisk.market.numbers import Decimal, decimal_mark, parse_numbers
from collatrisk.market.source import Table, read_table

Assets = Sequence[str] | Mapping[str, str] | None
_DATE_NAMES = frozenset(
    {"date", "dates", "datetime", "date_utc", "date_time", "datetime_utc", "day", "time", "time_utc", "timestamp", "ts"}
    | {"unix", "open_time", "open_time_utc", "close_time", "index"}
)
_ROW_NAMES = frozenset({"", "id", "no", "nr", "#", "row", "unnamed:_0"})
_ASSET_NAMES = ("asset", "symbol", "ticker", "instrument", "security", "coin", "name", "pair")
_SURE_ASSET_NAMES = _ASSET_NAMES[:4]
_PRICE_NAMES = ("close", "price", "close_price", "closing_price", "last", "px_last", "settle", "adj_close", "value")
_BARS = frozenset({"open", "high", "low", "close"})


@dataclass(frozen=True, slots=True)
class RawPrices:
    """Prices as the file has them: in its order, with its repeated dates, NaN where there is no price.

    Attributes
    ----------
    frame : DataFrame, UTC index, float64 columns; rows without a readable date are left out.
    names : the names of the rows, by line.
    findings : what was noticed while parsing (severity error included).
    """

    frame: pd.DataFrame
    names: RowNames
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: Any


def read_raw(path: str | os.PathLike[str], *, assets: Assets = None, day_first: bool | None = None) -> RawPrices:
    """Parse a file of prices without judging them.

    Parameters
    ----------
    path : CSV (wide, or long with date, asset and close), gzipped CSV, or Parquet.
    assets : the columns or symbols to keep; a mapping renames them (``{"Close": "SPX"}``).
    day_first : for dates such as 01/02/2024; None finds out, and refuses where it cannot.

    Raises
    ------
    InputError : no such file, unknown asset.
    DataError : the file has no dates or no asset column.
    """
    table = read_table(path)
    findings = list(table.findings)
    date, rest = _split_date(table, findings)
    parsed = parse_dates(date.cells, lambda i: f"{table.unit} {table.lines[i]}", subject=date.name, day_first=day_first)
    findings.extend(parsed.findings)
    lines = np.asarray(table.lines, dtype=np.int64)
    asset, price = _long_columns(rest)
    if asset is not None and price is not None:
        frame, cells = _long(parsed.stamps, asset, price, lines, table.unit, findings)
        frame, cells = _select_long(frame, cells, assets)
    else:
        rest = _select_wide(rest, assets)
        frame = _wide(parsed.stamps, rest, RowNames(parsed.stamps, lines[:, None], table.unit), findings)
        cells = lines[:, None]
    dated = np.flatnonzero(frame.index.notna())
    if not dated.size:
        raise DataError("Prices are not usable", [as_problem(f) for f in findings if f.severity == "error"])
    names = RowNames(pd.DatetimeIndex(frame.index), cells, table.unit).take(dated)
    return RawPrices(frame.iloc[dated], names, tuple(findings))


def _plain(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def _cells(column: _Column) -> list[str]:
    """The cells as text."""
    if isinstance(column.cells, list):
        return column.cells
    return ["" if pd.isna(value) else str(value).strip() for value in column.cells]


def _split_date(table: Table, findings: list[Finding]) -> tuple[_Column, list[_Column]]:
    """The date column and the others: the first column, unless it holds no dates and one named as a date does.

    A name is not enough: TS, DAY and TIME are tickers too, and columns of prices stay assets.
    """
    columns = [_Column(name, cells) for name, cells in zip(table.names, table.columns, strict=True)]
    dated = [k for k, column in enumerate(columns) if _plain(column.name) in _DATE_NAMES and _holds_dates(column)]
    first = 0 if not dated or _holds_dates(columns[0]) else dated[0]
    rest: list[_Column] = []
    for k, column in enumerate(columns):
        if k == first:
            continue
        numbered = k == 0 and _plain(column.name) in _ROW_NAMES and first > 0
        if k in dated or numbered or (not column.name and not any(_cells(column))):
            rule = f"column {k + 1} ({column.name!r}) is not read as an asset: it is a date, a row number or empty"
            findings.append(note("ignored-column", "info", column.name or "column", rule, "remove it to silence this"))
        else:
            rest.append(column)
    problems = Problems("Prices are not usable", DataError)
    if not rest:
        rule = f"the file has no asset column: its columns are {', '.join(map(repr, table.names))}"
        remedy = "give a first column of dates and one column of prices an asset, separated by , ; tab or |"
        problems.add("columns", table.names, rule, remedy)
    elif looks_like_date(columns[first].name) or any(_is_number(column.name) for column in rest):
        rule = "the header must name the columns, and it holds numbers"
        problems.add("header", ", ".join(table.names), rule, "add a first line such as date,BTC,ETH")
    problems.raise_if_any()
    return _Column(columns[first].name or INDEX_NAME, columns[first].cells), rest


def _holds_dates(column: _Column) -> bool:
    if not isinstance(column.cells, list) and pd.api.types.is_datetime64_any_dtype(column.cells.dtype):
        return True
    return any(looks_like_date(cell) for cell in _cells(column)[:20])


def _is_number(text: str) -> bool:
    """A price, not a symbol made of digits such as 600519 or 0700: those have no decimal point."""
    return re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", text) is not None


def _find(columns: Sequence[_Column], names: Sequence[str]) -> _Column | None:
    """The column with the first of the names that there is."""
    plain = {_plain(column.name): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), None)


def _long_columns(columns: Sequence[_Column]) -> tuple[_Column | None, _Column | None]:
    """The asset and the price column of a long file, None and None for a wide one.

    A column of numbers named "coin" holds prices of Coinbase; one named "symbol" holds symbols made of digits.
    """
    asset = _find(columns, _ASSET_NAMES)
    if asset is None:
        return None, None
    if _plain(asset.name) not in _SURE_ASSET_NAMES and not parse_numbers(_cells(asset), "point")[1]:
        return None, None
    others = [column for column in columns if column is not asset]
    price = _find(others, _PRICE_NAMES)
    if price is None:
        problems = Problems("Prices are not usable", DataError)
        rule = f"column {asset.name!r} names assets, and no column is named close or price"
        problems.add("columns", [column.name for column in others], rule, "rename the column of prices to close")
        problems.raise_if_any()
    return asset, price


def _select_wide(columns: list[_Column], assets: Assets) -> list[_Column]:
    if assets is not None:
        new_names = _new_names(assets, [column.name for column in columns])
        return [_Column(new_names[name], _by_name(columns, name).cells) for name in new_names]
    bars = [column.name for column in columns if _plain(column.name) in _BARS]
    if len(bars) > 1:
        problems = Problems("Prices are not usable", DataError)
        rule = "these are bars of one asset whose name is not in the file"
        problems.add("columns", bars, rule, f"name it, for example assets={{{bars[-1]!r}: 'SPX'}}")
        problems.raise_if_any()
    return columns


def _by_name(columns: Sequence[_Column], name: str) -> _Column:
    return next(column for column in columns if column.name == name)


def _new_names(assets: Sequence[str] | Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """What to keep, and under which name; every unknown name is a problem."""
    given: object = assets
    if not isinstance(given, Iterable):
        problem = Problem("assets", show_value(assets), "must be names, or a mapping to new names", "give ['BTC']")
        raise InputError("load_prices", [problem])
    wanted = [assets] if isinstance(assets, str) else assets
    names = dict(wanted) if isinstance(wanted, Mapping) else {name: name for name in wanted}
    problems = Problems("load_prices")
    problems.check(bool(names), "assets", assets, "must name at least one asset", "name one, or leave it out for all")
    problems.known("assets", list(names), list(dict.fromkeys(known)))
    problems.raise_if_any()
    return {name: str(new) for name, new in names.items()}


def _select_long(frame: pd.DataFrame, lines: IntArray, assets: Assets) -> tuple[pd.DataFrame, IntArray]:
    if assets is None:
        return frame, lines
    new_names = _new_names(assets, list(frame.columns))
    places = [list(frame.columns).index(name) for name in new_names]
    chosen = frame.iloc[:, places].set_axis(list(new_names.values()), axis=1)
    # Rows that only the others have are not this selection's missing prices.
    there = np.flatnonzero((lines[:, places] > 0).any(axis=1))
    return chosen.iloc[there], lines[there][:, places]


def _wide(stamps: pd.DatetimeIndex, columns: list[_Column], names: RowNames, findings: list[Finding]) -> pd.DataFrame:
    for name in repeated([column.name for column in columns]):
        rule = f"{[column.name for column in columns].count(name)} columns have this name"
        findings.append(note("duplicate-column", "error", name or "column", rule, "rename or remove the others"))
    columns = [column for k, column in enumerate(columns) if column.name not in {c.name for c in columns[:k]}]
    for k, column in enumerate(columns):
        if not column.name:
            rule = f"asset column {k + 1} has prices and no name"
            findings.append(note("unnamed-column", "error", "header", rule, "name the asset in the header"))
    mark = _mark(columns, findings)
    values = [_prices(column, mark, names, findings) for column in columns]
    labels = [column.name for column in columns]
    return pd.DataFrame(np.column_stack(values), index=stamps.rename(INDEX_NAME), columns=labels)


def _mark(columns: Sequence[_Column], findings: list[Finding]) -> Decimal:
    mark, finding = decimal_mark([_cells(column) for column in columns if not _is_typed(column)])
    if finding:
        findings.append(finding)
    return mark


def _is_typed(column: _Column) -> bool:
    return not isinstance(column.cells, list) and is_real(column.cells.dtype)


def _prices(column: _Column, mark: Decimal, rows: RowNames, findings: list[Finding]) -> FloatArray:
    """The prices of a column; cells that are not numbers become NaN and a finding of severity error."""
    if _is_typed(column):
        return np.asarray(column.cells.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    cells = _cells(column)
    values, bad = parse_numbers(cells, mark)
    if bad:
        where = [f"{rows.name(i)}: {show_value(cells[i])}" for i in bad[:10]]
        if np.isnan(values).all():
            where = where[:2]
            rule, code, remedy = "the column holds text, not prices", "text-column", "remove it, or choose with assets="
        else:
            rule, code, remedy = (
                f"{counted(len(bad), 'price')} not a number",
                "unreadable-price",
                "correct or empty the cells",
            )
        findings.append(note(code, "error", column.name, rule, remedy, where, len(bad)))
    return values


def _long(
    stamps: pd.DatetimeIndex, asset: _Column, price: _Column, lines: IntArray, unit: str, findings: list[Finding]
) -> tuple[pd.DataFrame, IntArray]:
    """Pivot (date, asset, price). A repeated (date, asset) opens a second row of that date: nothing is overwritten."""
    names = RowNames(stamps, lines[:, None], unit)
    rows = pd.DataFrame(
        {"asset": _cells(asset), "price": _prices(price, _mark([price], findings), names, findings), "line": lines}
    )
    rows["date"] = stamps
    unnamed = np.flatnonzero(rows["asset"] == "")
    if unnamed.size:
        rule = f"{counted(int(unnamed.size), 'row')} without the name of an asset"
        where = names.names(unnamed)
        findings.append(note("unnamed-asset", "error", asset.name, rule, "name it", where, int(unnamed.size)))
    _check_long_order(rows, names, findings)
    rows = rows[(rows["asset"] != "") & rows["date"].notna()]
    if rows.empty:  # the findings say why: no readable date, or no named asset
        return pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC", name=INDEX_NAME)), np.empty((0, 1), dtype=np.int64)
    order = list(dict.fromkeys(rows["asset"]))
    rows = rows.assign(occurrence=rows.groupby(["date", "asset"]).cumcount())
    table = rows.set_index(["date", "occurrence", "asset"])[["price", "line"]].unstack("asset")
    prices = pd.DataFrame(table["price"]).reindex(columns=order)
    frame = pd.DataFrame(
        prices.to_numpy(dtype=np.float64),
        index=pd.DatetimeIndex(prices.index.get_level_values("date")).rename(INDEX_NAME),
        columns=order,
    )
    cells = pd.DataFrame(table["line"]).reindex(columns=order).fillna(0).to_numpy(dtype=np.int64)
    return frame, cells


def _check_long_order(rows: pd.DataFrame, names: RowNames, findings: list[Finding]) -> None:
    """Dates should rise (or fall) within each asset; the pivot sorts them whatever they do."""
    dated = rows[rows["date"].notna()]
    steps = dated.groupby("asset", sort=False)["date"].diff().dt.total_seconds()
    if (steps < 0).any() and (steps > 0).any():
        places = np.flatnonzero(rows.index.isin(dated.index[steps < 0]))
        rule = f"{counted(int(places.size), 'row')} out of the order of dates of the asset; all are read in order"
        findings.append(
            note("unsorted", "warning", "date", rule, "check the export", names.names(places), int(places.size))
        )
