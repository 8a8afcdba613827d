"""The executive page: what is recommended, what is breached, what drives it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from collatrisk.report.palette import RATINGS
from collatrisk.report.tables import records
from collatrisk.report.text import (
    change,
    days,
    listed,
    money,
    money_estimate,
    percent_estimate,
    plural,
    probability,
    share,
)
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.study.result import StudyResult
    from collatrisk.study.spec import Sizing

_CHANCES = ("call_probability", "liquidation_probability", "shortfall_probability")
_WORST = 3


def executive_section(result: StudyResult) -> Section:
    """The table of sized parameters and probabilities, each with its 95 % interval."""
    study, table = result.study, result.executive
    sizing = study.sizing
    lead = (
        f"Each book under each term sheet, over {days(study.horizon_days)} and {study.n_paths:,} paths. A book is"
        f" within limits when the 95\u202f% intervals of its margin-call and shortfall probabilities lie below the"
        f" tolerated {share(sizing.max_call_probability)} and {share(sizing.max_shortfall_probability)}; in breach when"
        " one lies above; borderline when one straddles the limit. Losses are positive."
    )
    return Section(
        "summary",
        "Executive summary",
        lead,
        notes=tuple(_messages(result)),
        tables=(_table(result, table),),
    )


def _table(result: StudyResult, table: pd.DataFrame) -> Table:
    sizing, study = result.study.sizing, result.study
    measure = "ES" if sizing.measure == "es" else "VaR"
    currencies = listed(sorted({str(value) for value in table["currency"] if value}) or ["currency"])
    columns = (
        Column("Book", "terms", "left"),
        Column("Assessment", "", "left"),
        Column("Haircut", f"{measure}\u00a0{share(sizing.level)}, {days(sizing.mpor_days)}"),
        Column("Max LTV", f"calls \u2264\u00a0{share(sizing.max_call_probability)}"),
        Column("In force", "LTV, threshold"),
        Column("Liquidation threshold", f"shortfall \u2264\u00a0{share(sizing.max_shortfall_probability)}"),
        Column("Margin call", f"in {days(study.horizon_days)}"),
        Column("Liquidation", f"in {days(study.horizon_days)}"),
        Column("Shortfall", f"in {days(study.horizon_days)}"),
        Column("ES of shortfall", f"{currencies}, {share(sizing.level)}"),
    )
    return Table(columns, tuple(_row(row) for row in records(table)), style="executive")


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    book = Cell(row["book"], row["terms"])
    if row["status"] != "ok":
        return book, Cell("", mark=RATINGS["failed"]), Cell(f"Not computed: {row['reason']}", span=8)
    call, sale, short = (_percent(row, name) for name in _CHANCES)
    return (
        book,
        Cell("", mark=RATINGS.get(row["rating"], RATINGS["failed"])),
        _percent(row, "haircut"),
        _percent(row, "max_ltv"),
        Cell(share(round(row["ltv"], 4)), share(round(row["threshold"], 4))),
        _percent(row, "liquidation_threshold"),
        call,
        sale,
        short,
        Cell(*money_estimate(*(row[f"shortfall_es{part}"] for part in ("", "_low", "_high")))),
    )


def _percent(row: dict[str, Any], name: str) -> Cell:
    return Cell(*percent_estimate(*(row[f"{name}{part}"] for part in ("", "_low", "_high", "_se"))))


def _messages(result: StudyResult) -> list[str]:
    """What a committee must hear first, in full sentences."""
    table = result.executive
    done = table[table["status"] == "ok"]
    messages = [_breaches(done, result.study.sizing)] if len(done) else []
    if len(done):
        messages += _room(done)
    messages += _stress(result.stress)
    if len(result.failures):
        cells = plural(len(result.failures), "cell")
        messages.append(f"{cells} could not be computed: the tables show them with their reasons.")
    warnings = sum(finding.severity != "info" for finding in result.findings)
    if warnings:
        messages.append(f"{plural(warnings, 'finding')} on data, models and terms need a reader: see data and models.")
    return messages


def _breaches(done: pd.DataFrame, sizing: Sizing) -> str:
    bad = done[done["rating"] == "breach"].sort_values("call_probability", ascending=False)
    close = done[done["rating"] == "borderline"]
    if not len(bad):
        tail = f"; {plural(len(close), 'row')} cannot be told from the limit with this many paths" if len(close) else ""
        return f"No book breaches its limits{tail}."
    named = [f"{row['book']} ({row['terms']}, {_broken(row, sizing)})" for row in records(bad)[:_WORST]]
    if len(bad) > _WORST:
        named.append(f"{len(bad) - _WORST} more")
    return f"{len(bad)} of {plural(len(done), 'row')} breach a limit: {listed(named)}."


def _broken(row: dict[str, Any], sizing: Sizing) -> str:
    """Which limits a row breaches: those above which its whole interval lies."""
    limits = (
        ("margin call", "call_probability", sizing.max_call_probability),
        ("shortfall", "shortfall_probability", sizing.max_shortfall_probability),
    )
    above = [
        f"{what} {probability(row[name])} against {share(limit)}"
        for what, name, limit in limits
        if row[f"{name}_low"] > limit
    ]
    return listed(above)


def _room(done: pd.DataFrame) -> list[str]:
    """By how much the stated LTV must fall, or may rise, at the two ends; a row in breach has no room."""
    rows = [row for row in records(done) if math.isfinite(row["max_ltv"])]
    rows.sort(key=lambda row: row["max_ltv"] - row["ltv"])
    texts = []
    if rows and rows[0]["max_ltv"] < rows[0]["ltv"]:
        tight = rows[0]
        move = f"from a loan-to-value of {share(round(tight['ltv'], 4))} to {share(round(tight['max_ltv'], 3))}"
        texts.append(
            f"Largest change: {tight['book']} ({tight['terms']}) {move}, the most that keeps a call tolerably rare."
        )
    sound = [row for row in rows if row["rating"] != "breach" and row["max_ltv"] > row["ltv"]]
    if sound:
        loose = sound[-1]
        room = f"could carry {share(round(loose['max_ltv'], 3))} against {share(round(loose['ltv'], 4))} stated"
        texts.append(f"Most room: {loose['book']} ({loose['terms']}) {room}.")
    return texts


def _stress(table: pd.DataFrame) -> list[str]:
    """The worst shock, by shortfall and then by what is left of the collateral."""
    shocks = table[(table["status"] == "ok") & (table["application"] == "shock")]
    if not len(shocks):
        return []
    worst = records(shocks.sort_values(["shortfall", "collateral_change"], ascending=[False, True]))[0]
    effect = (
        f"a shortfall of {money(worst['shortfall'])}"
        if worst["shortfall"] > 0
        else f"a health factor of {worst['health_factor_after']:.2f}"
    )
    moved = f"{worst['title']} moves the collateral of {worst['book']} by {change(worst['collateral_change'])}"
    return [f"Worst shock: {moved} and leaves {effect}."]
