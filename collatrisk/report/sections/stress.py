"""Scenarios: what each would do to each book."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from collatrisk.report import text
from collatrisk.report.palette import OUTCOMES, Mark
from collatrisk.report.tables import records
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.study.result import StudyResult

_ORDER = ("shortfall", "liquidation", "margin call", "none", "failed", "refused")
_MOST_COLUMNS = 8
_CAPTIONS = {
    "shock": "Instantaneous shock: how far it goes, the collateral\u2019s change, and what is short",
    "replay": "Replay of history: how far it goes, the collateral at its lowest",
    "model": "Stressed model: probability of a margin call / a liquidation; tail: the collateral\u2019s mean change in"
    " the worst 1\u202f%; 95\u202f% intervals in the table of every cell",
}


def stress_section(result: StudyResult) -> Section:
    """A matrix of outcomes per application and term sheet, then the numbers."""
    table = result.stress
    if not len(table):
        return Section("stress", "Stress tests", "The study asks for no scenario.")
    said = table[~table["status"].isin(["refused"])]
    silent = len(set(table["scenario"]) - set(said["scenario"]))
    tables = []
    for terms in result.study.terms:
        for application, caption in _CAPTIONS.items():
            rows = said[(said["terms"] == terms) & (said["application"] == application)]
            if len(rows):
                named = table[(table["terms"] == terms) & (table["application"] == application)]
                kept = named[named["scenario"].isin(set(rows["scenario"]))]
                tables.append(_matrix(kept, f"{caption} (terms \u201c{terms}\u201d)", application))
    lead = (
        "Every scenario is applied to the book as it stands. The matrix shows how far it goes: holds, margin call,"
        " liquidation, or a shortfall that liquidation cannot cover. An asset that a scenario does not name follows a"
        " stated proxy, or the cell is refused; the table of all cells says which."
    )
    if "model" in set(said["application"]):
        lead += (
            " A stressed model starts at a multiple of each asset\u2019s average volatility, never below today\u2019s:"
            " where it asks for less and moves nothing else, the figures are those without stress. It fades with the"
            " half-life of the models table: where that is longer than the horizon, the crisis lasts all of it."
        )
    if silent:
        lead += f" {text.plural(silent, 'scenario')} of the catalogue say nothing about these assets and are left out."
    return Section("stress", "Stress tests", lead, tables=tuple(tables), after=(_numbers(said),))


def _matrix(rows: pd.DataFrame, caption: str, application: str) -> Table:
    books = list(dict.fromkeys(rows["book"]))
    cells = {(row["scenario"], row["book"]): row for row in records(rows)}
    scenarios = list(dict.fromkeys(rows["scenario"]))
    scenarios.sort(key=lambda name: min(_rank(cells.get((name, book)), application) for book in books))
    heads = (Column("Scenario", "worst first", "left"), *(Column(book, "", "left") for book in books))
    body = []
    for name in scenarios:
        named = next(row for (scenario, _), row in cells.items() if scenario == name)
        show = _chances if application == "model" else _outcome
        body.append((Cell(named["title"] or name, named["kind"]), *(show(cells.get((name, book))) for book in books)))
    return Table(heads, tuple(body), caption, "matrix" if len(books) <= _MOST_COLUMNS else "matrix narrow")


def _rank(row: dict[str, Any] | None, application: str) -> tuple[float, float]:
    """Small for bad: the place of the outcome, then the collateral's change."""
    if row is None or row["status"] != "ok":
        return float(len(_ORDER)), 0.0
    if application == "model":
        return -row["liquidated"], -row["margin_called"]
    change = row["collateral_change"]
    return float(_ORDER.index(row["outcome"]) if row["outcome"] in _ORDER else len(_ORDER)), change


def _outcome(row: dict[str, Any] | None) -> Cell:
    if row is None or row["status"] != "ok":
        return _silent(row)
    mark = OUTCOMES.get(row["outcome"], Mark(row["outcome"], "", "grey"))
    note = text.change(row["collateral_change"])
    if row["shortfall"] > 0:
        note += f", short {text.money(row['shortfall'])}"
    return Cell("", note, mark)


def _chances(row: dict[str, Any] | None) -> Cell:
    if row is None or row["status"] != "ok":
        return _silent(row)
    called = text.probability(row["margin_called"]).removesuffix(f"{text.THIN}%")
    return Cell(f"{called} / {text.probability(row['liquidated'])}", f"tail {text.change(row['collateral_change'])}")


def _silent(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("")
    return Cell("", row["reason"], OUTCOMES["failed" if row["status"] == "failed" else "refused"])


def _numbers(rows: pd.DataFrame) -> Table:
    heads = (
        Column("Scenario", "applied as", "left"),
        Column("Book", "terms", "left"),
        Column("Collateral", "change"),
        Column("Health factor", "after"),
        Column("Margin call", "probability"),
        Column("Liquidation", "probability"),
        Column("Debt repaid", "mean"),
        Column("Shortfall", "mean"),
        Column("What was applied", "", "left"),
    )
    return Table(heads, tuple(_line(row) for row in records(rows)), "Every cell of the stress test", "details")


def _line(row: dict[str, Any]) -> tuple[Cell, ...]:
    head = Cell(row["title"] or row["scenario"], row["application"]), Cell(row["book"], row["terms"])
    if row["status"] != "ok":
        return *head, Cell(f"Not computed: {row['reason']}", span=7)
    return (
        *head,
        Cell(text.change(row["collateral_change"])),
        Cell(text.number(row["health_factor_after"], 3)),
        _chance(row, "margin_called"),
        _chance(row, "liquidated"),
        _mean(row, "debt_repaid"),
        _mean(row, "shortfall"),
        Cell(row["applied"], row["after_is"]),
    )


def _chance(row: dict[str, Any], name: str) -> Cell:
    """A probability with its interval; one path without chance has none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not low < high:
        return Cell(text.probability(row[name]))
    return Cell(*text.percent_estimate(row[name], low, high, (high - low) / 4))


def _mean(row: dict[str, Any], name: str) -> Cell:
    """A mean with its interval; one path without chance has none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not low < high:
        return Cell(text.money(row[name]))
    if high == math.inf:
        return Cell(text.money(row[name]), "the same on all paths")
    return Cell(*text.money_estimate(row[name], low, high))
