"""What the template shows: tables, charts and sections of plain text and SVG. No numbers are computed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from collatrisk.report.palette import Mark

Align = Literal["left", "right", "center"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the main text, a small second line (an interval, a unit) and perhaps a rating."""

    text: str
    note: str = ""
    mark: Mark | None = None
    span: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head: what it is, and its unit or a remark in small."""

    title: str
    unit: str = ""
    align: Align = "right"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of cells."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture that states its finding, with its text alternative inside and its data beneath.

    Attributes
    ----------
    name : unique on the page, and the stem of the data file.
    title : the finding, as a sentence.
    subtitle : what is drawn, with units.
    svg : safe markup made by `collatrisk.report.svg.draw`.
    data : the numbers behind it.
    folded : behind a line that opens it: a variation of the chart above.
    """

    name: str
    title: str
    subtitle: str
    svg: str
    data: Table
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report."""

    key: str
    title: str
    lead: str = ""
    notes: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    facts: tuple[tuple[str, str], ...] = field(default=())
    after: tuple[Table, ...] = ()
