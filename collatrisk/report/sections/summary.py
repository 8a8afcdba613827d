"""The executive page: what is recommended, what is breached, what drives it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from collatrisk.report.palette import RATINGS
from collatrisk.report.text import days, listed, money_estimate, percent_estimate, plural, probability, share
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.study.result import StudyResult

_CHANCES = ("call_probability", "liquidation_probability")
_WORST = 3


def executive_section(result: StudyResult) -> Section:
    """The table of sized parameters and probabilities, each with its 95 % interval."""
    study, table = result.study, result.executive
    sizing = study.sizing
    lead = (
        f"Each book under each term sheet, over {days(study.horizon_days)} and {study.n_paths:,} paths. A book is"
        f" within limits when the 95\u202f% intervals of its margin-call and shortfall probabilities lie below the tolerated"
        f" {share(sizing.max_call_probability)} and {share(sizing.max_shortfall_probability)}; in breach when one lies"
        " above; borderline when one straddles the limit. Losses are positive."
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
        Column("Haircut", f"{measure} {share(sizing.level)}, {days(sizing.mpor_days)}"),
        Column("Max LTV", f"call probability \u2264 {share(sizing.max_call_probability)}"),
        Column("Stated LTV", "today"),
        Column("Liquidation threshold", f"sized; shortfall \u2264 {share(sizing.max_shortfall_probability)}"),
        Column("Threshold in force", "terms"),
        Column("Margin call", f"probability, {days(study.horizon_days)}"),
        Column("Liquidation", f"probability, {days(study.horizon_days)}"),
        Column("ES of shortfall", f"{currencies}, {share(sizing.level)}"),
    )
    return Table(columns, tuple(_row(row) for row in table.to_dict("records")), style="executive")


def _row(row: dict[Any, Any]) -> tuple[Cell, ...]:
    book = Cell(row["book"], row["terms"])
    if row["status"] != "ok":
        return book, Cell("", mark=RATINGS["failed"]), Cell(f"Not computed: {row['reason']}", span=8)
    call, sale = (_percent(row, name) for name in _CHANCES)
    return (
        book,
        Cell("", mark=RATINGS.get(row["rating"], RATINGS["failed"])),
        _percent(row, "haircut"),
        _percent(row, "max_ltv"),
        Cell(share(round(row["ltv"], 4))),
        _percent(row, "liquidation_threshold"),
        Cell(share(round(row["threshold"], 4))),
        call,
        sale,
        Cell(*money_estimate(*(row[f"shortfall_es{part}"] for part in ("", "_low", "_high")))),
    )


def _percent(row: dict[Any, Any], name: str) -> Cell:
    return Cell(*percent_estimate(*(row[f"{name}{part}"] for part in ("", "_low", "_high", "_se"))))


def _messages(result: StudyResult) -> list[str]:
    """What a committee must hear first, in full sentences."""
    table = result.executive
    done = table[table["status"] == "ok"]
    messages = [_breaches(done, result.study.sizing.max_call_probability)] if len(done) else []
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


def _breaches(done: pd.DataFrame, limit: float) -> str:
    bad = done[done["rating"] == "breach"].sort_values("call_probability", ascending=False)
    close = done[done["rating"] == "borderline"]
    if not len(bad):
        tail = f"; {plural(len(close), 'row')} cannot be told from the limit with this many paths" if len(close) else ""
        return f"No book breaches its limits{tail}."
    named = [f"{row['book']} ({row['terms']}, {probability(row['call_probability'])})" for row in _records(bad, _WORST)]
    if len(bad) > _WORST:
        named.append(f"{len(bad) - _WORST} more")
    what = f"breach a limit (a margin call above {share(limit)}, or a shortfall)"
    return f"{len(bad)} of {plural(len(done), 'row')} {what}: {listed(named)}."


def _room(done: pd.DataFrame) -> list[str]:
    """By how much the stated LTV must fall, or may rise, at the two ends."""
    gap = done["max_ltv"] - done["ltv"]
    if gap.isna().all():
        return []
    tight, loose = done.loc[gap.idxmin()], done.loc[gap.idxmax()]
    texts = []
    if gap.min() < 0:
        texts.append(
            f"Largest change: {tight['book']} ({tight['terms']}) from a loan-to-value of"
            f" {share(round(tight['ltv'], 4))} to {share(round(tight['max_ltv'], 3))}, the most that keeps its margin-call probability tolerated."
        )
    if gap.max() > 0:
        texts.append(
            f"Most room: {loose['book']} ({loose['terms']}) could carry {share(round(loose['max_ltv'], 3))} against"
            f" {share(round(loose['ltv'], 4))} stated."
        )
    return texts


def _stress(table: pd.DataFrame) -> list[str]:
    done = table[table["status"] == "ok"]
    known = done[done["collateral_change"].notna()]
    if not len(known):
        return []
    short = known[known["shortfall"] > 0]
    worst = known.loc[known["shortfall"].idxmax()] if len(short) else known.loc[known["health_factor"].idxmin()]
    change = worst["collateral_change"]
    effect = (
        f"leaves a shortfall of {worst['shortfall']:,.0f}"
        if worst["shortfall"] > 0
        else f"leaves a health factor of {worst['health_factor']:.2f}"
    )
    return [
        f"Worst stress: {worst['title'] or worst['scenario']} moves the collateral of {worst['book']} by"
        f" {100 * change:+.0f}\u202f% and {effect} ({worst['terms']})."
    ]


def _records(frame: pd.DataFrame, most: int) -> list[dict[Any, Any]]:
    records: list[dict[Any, Any]] = frame.head(most).to_dict("records")
    return [row for row in records if not math.isnan(row["call_probability"])]
