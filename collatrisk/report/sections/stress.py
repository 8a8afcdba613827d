"""Scenarios: what each would do to each book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collatrisk.report import text
from collatrisk.report.palette import OUTCOMES, Mark
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.study.result import StudyResult

_ORDER = ("failed", "shortfall", "liquidation", "margin call", "none")
_MOST_COLUMNS = 8


def stress_section(result: StudyResult) -> Section:
    """A matrix of outcomes per term sheet, then the numbers."""
    table = result.stress
    if not len(table):
        return Section("stress", "Stress tests", "The study asks for no scenario.")
    matrices = tuple(
        _matrix(table[table["terms"] == terms], terms)
        for terms in result.study.terms
        if (table["terms"] == terms).any()
    )
    lead = (
        "Every scenario is applied to the book as it stands. The matrix shows what happens first: the margin call, the"
        " liquidation, or a shortfall that liquidation cannot cover. An asset that a scenario does not name follows a"
        " stated proxy, or the cell is refused."
    )
    return Section("stress", "Stress tests", lead, tables=matrices, after=(_numbers(table),))


def _matrix(rows: pd.DataFrame, terms: str) -> Table:
    books = list(dict.fromkeys(rows["book"]))
    cells = {(row["scenario"], row["book"]): row for row in rows.to_dict("records")}
    scenarios = list(dict.fromkeys(rows["scenario"]))
    scenarios.sort(key=lambda name: min(_rank(cells.get((name, book))) for book in books))
    heads = (Column("Scenario", "worst first", "left"), *(Column(book, "", "left") for book in books))
    body = []
    for name in scenarios:
        named = next(row for (scenario, _), row in cells.items() if scenario == name)
        body.append(
            (Cell(named["title"] or name, named["kind"]), *(_outcome(cells.get((name, book))) for book in books))
        )
    style = "matrix" if len(books) <= _MOST_COLUMNS else "matrix narrow"
    return Table(heads, tuple(body), f"Outcome under terms \u201c{terms}\u201d: first event, collateral change", style)


def _rank(row: dict[Any, Any] | None) -> tuple[int, float]:
    if row is None:
        return len(_ORDER), 0.0
    outcome = row["outcome"] if row["status"] == "ok" else "failed"
    place = _ORDER.index(outcome) if outcome in _ORDER else len(_ORDER)
    health = row["health_factor"]
    return (place if place else len(_ORDER)), health if health == health else 9.0


def _outcome(row: dict[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("")
    if row["status"] != "ok":
        return Cell("", row["reason"], OUTCOMES["failed"])
    mark = OUTCOMES.get(row["outcome"], Mark(row["outcome"], "", "grey"))
    change = row["collateral_change"]
    note = f"{100 * change:+.0f}\u202f%".replace("-", "\u2212") if change == change else ""
    if row["shortfall"] > 0:
        note += f", short {text.money(row['shortfall'])}"
    return Cell("", note, mark)


def _numbers(rows: pd.DataFrame) -> Table:
    heads = (
        Column("Scenario", "kind", "left"),
        Column("Book", "terms", "left"),
        Column("Collateral", "change"),
        Column("LTV", "after"),
        Column("Health factor", "after"),
        Column("Margin call", "probability"),
        Column("Liquidation", "probability"),
        Column("Debt repaid", "currency"),
        Column("Shortfall", "currency"),
        Column("Proxies and notes", "", "left"),
    )
    return Table(
        heads, tuple(_line(row) for row in rows.to_dict("records")), "Every cell of the stress test", "details"
    )


def _line(row: dict[Any, Any]) -> tuple[Cell, ...]:
    head = Cell(row["title"] or row["scenario"], row["kind"]), Cell(row["book"], row["terms"])
    if row["status"] != "ok":
        return *head, Cell(f"Not computed: {row['reason']}", span=8)
    notes = "; ".join(part for part in (row["proxies"], row["note"]) if part)
    return (
        *head,
        Cell(text.percent(row["collateral_change"])),
        Cell(text.percent(row["ltv"])),
        Cell(text.number(row["health_factor"], 3)),
        Cell(text.probability(row["call_probability"])),
        Cell(text.probability(row["liquidation_probability"])),
        Cell(text.money(row["debt_repaid"])),
        Cell(text.money(row["shortfall"])),
        Cell(notes),
    )
