"""Text to prices: decimal points or commas, thousands separators, and the marks that vendors use for no price."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.market.frames import FloatArray, note

Decimal = Literal["point", "comma"]
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "--", ".", "#n/a", "#n/a n/a", "#value!", "nat"})
_SPACES = str.maketrans("", "", " '\u00a0\u202f\u2009")
_POINT_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_COMMA_DECIMAL = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_POINT_DECIMAL = re.compile(r"[+-]?\d*\.(\d{1,2}|\d{4,})([eE][+-]?\d+)?")
_COMMA_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")


def decimal_mark(columns: Sequence[Sequence[str]]) -> tuple[Decimal, Finding | None]:
    """Which mark the price columns of a file use, proved over all their cells.

    ``1.234,5`` or ``1,23`` prove a comma; ``1,234.5``, ``1,234,567`` or ``1.23`` prove a point. A file with ``1,234``
    and no proof is an error, as is a file with both.
    """
    if not any("," in cell for column in columns for cell in column):
        return "point", None
    cells = {cell.translate(_SPACES) for column in columns for cell in column if "," in cell or "." in cell}
    with_comma = {cell for cell in cells if "," in cell}
    comma = {cell for cell in with_comma if _COMMA_DECIMAL.fullmatch(cell) and not _POINT_THOUSANDS.fullmatch(cell)}
    thousands = {cell for cell in with_comma if _POINT_THOUSANDS.fullmatch(cell)}
    proved_point = {cell for cell in thousands if not _COMMA_DECIMAL.fullmatch(cell)} | {
        cell for cell in cells - with_comma if _POINT_DECIMAL.fullmatch(cell)
    }
    remedy = "write prices with a decimal point and no thousands separator"
    if comma and proved_point:
        rule = f"decimal commas ({min(comma)}) and decimal points ({min(proved_point)}) in one file"
        return "point", note("mixed-numbers", "error", "file", rule, remedy)
    if comma:
        return "comma", None
    if thousands and not proved_point:
        rule = f"{min(thousands)} may be a decimal comma or a thousands separator, and no cell settles it"
        return "point", note("ambiguous-numbers", "error", "file", rule, remedy)
    return "point", None


def parse_numbers(cells: Sequence[str], decimal: Decimal) -> tuple[FloatArray, list[int]]:
    """Prices (NaN where there is none) and the positions of the cells that are not numbers."""
    values = np.full(len(cells), np.nan)
    bad: list[int] = []
    for i, cell in enumerate(cells):
        if cell.lower() in _MISSING:
            continue
        number = _number(cell, decimal)
        if number is None:
            bad.append(i)
        else:
            values[i] = number
    return values, bad


def _number(cell: str, decimal: Decimal) -> float | None:
    if decimal == "point" and "_" not in cell:
        try:
            return float(cell)
        except ValueError:
            pass
    text = cell.translate(_SPACES)
    if decimal == "comma":
        if "." in text and not (_COMMA_DECIMAL.fullmatch(text) or _COMMA_THOUSANDS.fullmatch(text)):
            return None
        text = text.replace(".", "").replace(",", ".", 1)
    elif "," in text:
        if not _POINT_THOUSANDS.fullmatch(text):
            return None
        text = text.replace(",", "")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
