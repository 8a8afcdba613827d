"""The small HTML table behind every `_repr_html_`. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 8px;border-bottom:1px solid #ddd;text-align:"


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """An HTML table with every text escaped; the first column is left-aligned, the others right-aligned."""

    def cells(values: Sequence[object], tag: str) -> str:
        return "".join(
            f'<{tag} style="{_CELL}{"left" if i == 0 else "right"}">{escape(str(value))}</{tag}>'
            for i, value in enumerate(values)
        )

    head = f"<thead><tr>{cells(columns, 'th')}</tr></thead>" if columns else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    title = f'<caption style="text-align:left;font-weight:600">{escape(caption)}</caption>' if caption else ""
    return f'<table style="{_STYLE}">{title}{head}<tbody>{body}</tbody></table>'


def neutralise_formula(text: str) -> str:
    """Text that a spreadsheet will not read as a formula (a leading ``=``, ``+``, ``-``, ``@``, tab or return)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
