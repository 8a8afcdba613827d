"""Plain frames as tables of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collatrisk.report import text
from collatrisk.report.view import Cell, Column, Table

if TYPE_CHECKING:
    import pandas as pd

_HEADS: dict[str, tuple[str, str]] = {
    "ltv": ("loan-to-value", "%"),
    "low": ("low", "95 %"),
    "high": ("high", "95 %"),
    "n": ("paths", ""),
    "days": ("day", ""),
    "horizon_days": ("horizon", "days"),
    **{f"q{level:02d}": (f"{level} %", "quantile") for level in (1, 5, 25, 50, 75, 95, 99)},
}
_PERCENT = frozenset({"ltv", "value", "level", "correlation", *(f"q{n:02d}" for n in (1, 5, 25, 50, 75, 95, 99))})
_CHANCES = frozenset({"probability", "low", "high"})
_COUNTS = frozenset({"n", "count", "days", "horizon_days"})


def data_table(frame: pd.DataFrame, columns: Sequence[str]) -> Table:
    """The numbers behind a chart, formatted by what each column is."""
    kinds = {name: frame[name].dtype == object for name in columns}
    heads = tuple(
        Column(*_HEADS.get(name, (name.replace("_", " "), "")), "left" if kinds[name] else "right") for name in columns
    )
    chances = "probability" in columns
    rows = tuple(
        tuple(Cell(_shown(name, value, chances)) for name, value in zip(columns, row, strict=True))
        for row in frame[list(columns)].itertuples(index=False, name=None)
    )
    return Table(heads, rows, style="data")


def _shown(name: str, value: Any, chances: bool) -> str:
    if isinstance(value, str):
        return value.replace("_", " ") if name == "event" else value
    if name in _CHANCES and chances:
        return text.probability(value)
    if name in _PERCENT or name in _CHANCES:
        return text.percent(value)
    if name in _COUNTS:
        return text.count(value) if float(value).is_integer() else text.number(value)
    return text.number(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as a list of rows."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
