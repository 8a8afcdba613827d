"""Scope, limits and how to get the same numbers again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collatrisk.report.tables import records
from collatrisk.report.text import count, days, listed, money, share
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    from collatrisk.study.result import StudyResult

_DRIFTS = {
    "martingale": "log drift of minus half the variance: prices are martingales, exactly for normal innovations only",
    "zero_log": "no log drift",
    "fitted": "the fitted mean returns",
}


def scope_section(result: StudyResult) -> Section:
    """The books and the term sheets, all defaults printed."""
    heads = (Column("Book", "", "left"), Column("Collateral", "", "left"), Column("Loan or debts", "", "left"))
    books = Table(heads, tuple(_book(book.to_dict()) for book in result.study.books), "Books", "scope")
    sheets = Table(
        (Column("Terms", "", "left"), Column("Every value that was used", "", "left")),
        tuple((Cell(name), Cell(terms.describe())) for name, terms in result.study.terms.items()),
        "Term sheets",
        "scope",
    )
    out = (
        "Out of scope: auctions, order books and automated market makers, funding and legal risk, concentration across"
        " lenders, and moves inside a step beyond those of the Brownian bridge."
    )
    return Section("scope", "Scope", out, tables=(books, sheets))


def _book(body: dict[str, object]) -> tuple[Cell, ...]:
    name = Cell(str(body["name"]))
    mix = body.get("mix")
    if isinstance(mix, dict):
        weights = listed(f"{share(round(weight, 6))} {asset}" for asset, weight in mix["weights"].items())
        value, ltv = float(str(body["collateral_value"])), float(str(body["ltv"]))
        return (
            name,
            Cell(weights),
            Cell(f"{money(value * ltv)} {body['currency']} against {money(value)}, {share(ltv)} loan-to-value"),
        )
    held, owed = body["holdings"], body["debts"]
    assert isinstance(held, dict)
    assert isinstance(owed, dict)
    return name, Cell(_units(held)), Cell(_units(owed))


def _units(amounts: dict[str, float]) -> str:
    return listed(f"{amount:,.6g} {asset}" for asset, amount in amounts.items())


_LIMITS = (
    (
        "Parameter and model error are not in the intervals",
        "high",
        "Every interval is that of the simulation. Run a challenger model and a shorter window beside this one.",
    ),
    (
        "Martingale drift with fat tails",
        "low",
        "With Student t innovations the mean of the price exists only because the"
        " simulation is finite; the drift of minus half the variance is conservative by a small amount.",
    ),
    (
        "Between steps",
        "medium",
        "The bridge is exact for normal steps. Jumps inside a step are seen at its end only; finer"
        " prices give finer steps.",
    ),
    (
        "Dependence is one copula",
        "medium",
        "Correlation does not change with the state of the market within a path. The stressed models raise it.",
    ),
    (
        "Price impact is linear and temporary",
        "medium",
        "One sale does not move the next step\u2019s price and one"
        " borrower\u2019s sale does not hit another\u2019s collateral: cascades are not in these numbers.",
    ),
    (
        "Economic, not regulatory",
        "high",
        "These are model haircuts. They are not a capital number; supervisory haircuts"
        " belong beside them as a cross-check.",
    ),
    (
        "Not in this report",
        "medium",
        "Backtests of haircuts and of VaR, sensitivity to parameters and the change since the"
        " last run. Sign-off should ask for them.",
    ),
)


def limits_section(result: StudyResult) -> Section:
    """The register of assumptions."""
    heads = (
        Column("Assumption", "", "left"),
        Column("Severity", "", "left"),
        Column("What it means, what to do", "", "left"),
    )
    rows = tuple((Cell(name), Cell(severity), Cell(meaning)) for name, severity, meaning in _LIMITS)
    return Section("limits", "Assumptions and limits", tables=(Table(heads, rows, style="findings"),))


def reproduction_section(result: StudyResult) -> Section:
    """The command, the seed, the versions and the hashes; wall time per step; failed cells."""
    run, study = result.run, result.study
    facts = [
        ("Command", run.command),
        ("Study", f"{study.name}, {study.n_paths:,} paths, {days(study.horizon_days)}, seed {study.seed}"),
        ("Drift", _DRIFTS.get(run.drift, run.drift)),
        ("Started", run.started),
        ("Wall time", f"{run.seconds:,.1f} s"),
        *((f"SHA-256, {name}", value) for name, value in run.hashes.items()),
        ("Versions", listed(f"{name} {value}" for name, value in run.versions.items())),
        ("Paths", ", ".join(f"{name} {value}" for name, value in run.source.items())),
    ]
    heads = (Column("Step", "", "left"), Column("Wall time", "s"), Column("Cells", ""), Column("Resumed", "cells"))
    timings = Table(
        heads,
        tuple(
            (Cell(row["step"]), Cell(f"{row['seconds']:.2f}"), Cell(count(row["cells"])), Cell(count(row["resumed"])))
            for row in records(result.timings)
        ),
        "Wall time per step",
        "model",
    )
    lead = (
        "On one kind of processor the same study, seed and versions give the same numbers to the last bit, whatever the"
        " number of workers. Resumed cells were read from an earlier run with the same fingerprint."
    )
    return Section("reproduce", "Reproducibility", lead, facts=tuple(facts), tables=(timings, _failures(result)))


def _failures(result: StudyResult) -> Table:
    heads = (
        Column("Cell", "", "left"),
        Column("Book", "terms", "left"),
        Column("Scenario", "", "left"),
        Column("Reason", "", "left"),
    )
    rows = tuple(
        (Cell(row["cell"]), Cell(row["book"], row["terms"]), Cell(row["scenario"]), Cell(row["reason"]))
        for row in records(result.failures)
    )
    return Table(
        heads,
        rows or ((Cell("none"), Cell(""), Cell(""), Cell("Every cell was computed.")),),
        "Failed cells",
        "findings",
    )
