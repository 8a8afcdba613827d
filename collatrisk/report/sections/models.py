"""The models behind the paths: parameters with standard errors, dependence, findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collatrisk.report import text
from collatrisk.report.palette import SEVERITIES
from collatrisk.report.tables import records
from collatrisk.report.view import Cell, Column, Section, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from collatrisk.base.findings import Finding
    from collatrisk.study.result import StudyResult

_MOST_ROWS = 6
_OF_PEGS = "center"


def model_section(result: StudyResult) -> Section:
    """Volatility, parameters, dependence and what the fits noticed."""
    tables = [_summary(result.model_summary), *_parameters(result.model_parameters)]
    if len(set(result.correlation["asset"])) > 1:
        tables.append(_correlation(result.correlation))
    tables.append(findings_table(result.model_findings, "Findings on models and terms"))
    lead = (
        "Volatilities are annualised on the study\u2019s clock; parameters are per step, in decimals of log returns."
        " The average is what the sample showed; the long run is the model\u2019s own, and hardly known where the"
        " persistence is near 1."
        " Standard errors are robust (Bollerslev\u2013Wooldridge) and stand beneath each parameter. Intervals elsewhere"
        " hold the parameters fixed: they are the error of the simulation, not of the model."
    )
    facts = (
        ("Dependence", result.run.dependence),
        ("Drift of the paths", result.run.drift),
        ("Clock", result.run.clock),
    )
    return Section("models", "Models", lead, facts=facts, tables=tuple(tables))


def data_section(result: StudyResult) -> Section:
    """Where the numbers come from and what is wrong with them."""
    run = result.run
    facts = [
        ("Window", f"{run.first} to {run.last}" if run.first else "not stated"),
        ("Return observations", text.count(run.n_obs) if run.n_obs else "not stated"),
        *((name.replace("_", " ").capitalize(), value) for name, value in run.provenance.items()),
    ]
    lead = "Nothing is filled forward: a date on which one asset has no price is dropped for all, and counted here."
    return Section(
        "data",
        "Data quality",
        lead,
        facts=tuple(facts),
        tables=(findings_table(result.data_findings, "Findings on data"),),
    )


def findings_table(findings: Sequence[Finding], caption: str) -> Table:
    """Findings, the most severe first."""
    heads = (Column("Severity", "", "left"), Column("Subject", "", "left"), Column("Finding", "code", "left"))
    order = {"error": 0, "warning": 1, "info": 2}
    rows = [
        (
            Cell("", mark=SEVERITIES[finding.severity]),
            Cell(finding.subject),
            Cell(finding.message, f"{finding.code}{_rows(finding.rows)}"),
        )
        for finding in sorted(findings, key=lambda finding: order[finding.severity])
    ]
    if not rows:
        rows = [(Cell("none"), Cell(""), Cell("Nothing was noticed."))]
    return Table(heads, tuple(rows), caption, "findings")


def _rows(rows: tuple[str, ...]) -> str:
    if not rows:
        return ""
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f": {', '.join(rows[:_MOST_ROWS])}{more}"


def _summary(frame: pd.DataFrame) -> Table:
    heads = (
        Column("Asset", "", "left"),
        Column("Volatility model", "innovations", "left"),
        Column("Spot", "currency"),
        Column("Volatility now", "annual"),
        Column("Average", "annual"),
        Column("Long run", "annual"),
        Column("Persistence", ""),
        Column("Half-life", "days"),
        Column("Log-likelihood", ""),
        Column("Returns", "n"),
        Column("Findings", "count"),
    )
    rows = tuple(
        (
            Cell(row["asset"]),
            Cell(row["volatility_model"], row["innovations"]),
            Cell(text.number(row["spot"], 6)),
            Cell(text.percent(row["current_volatility"])),
            Cell(text.percent(row["average_volatility"])),
            Cell(
                text.percent(row["long_run_volatility"])
                if row["long_run_volatility"] == row["long_run_volatility"]
                else "none"
            ),
            Cell(f"{row['persistence']:.4f}" if row["persistence"] == row["persistence"] else text.MISSING),
            Cell(text.number(row["half_life_days"], 3)),
            Cell(f"{row['loglikelihood']:,.1f}" if row["loglikelihood"] == row["loglikelihood"] else text.MISSING),
            Cell(text.count(row["n_obs"])),
            Cell(text.count(row["findings"])),
        )
        for row in records(frame)
    )
    return Table(heads, rows, "One asset over time", "model")


def _parameters(frame: pd.DataFrame) -> list[Table]:
    """One table for volatility models and one for pegs, which share but the shape of the law."""
    pegs = frame["asset"].isin(set(frame.loc[frame["parameter"] == _OF_PEGS, "asset"]))
    parts = (
        (frame[~pegs], "Parameters, standard errors in brackets"),
        (frame[pegs], "Parameters of pegs, standard errors in brackets"),
    )
    return [_parameter_table(part, caption) for part, caption in parts if len(part)]


def _parameter_table(frame: pd.DataFrame, caption: str) -> Table:
    names = list(dict.fromkeys(frame["parameter"]))
    found = {(row["asset"], row["parameter"]): row for row in records(frame)}
    rows = []
    for asset in dict.fromkeys(frame["asset"]):
        cells = [Cell(asset)]
        for name in names:
            row = found.get((asset, name))
            value, error = text.with_error(row["value"], row["std_error"]) if row else ("", "")
            cells.append(Cell(value, f"({error})" if error else ""))
        rows.append(tuple(cells))
    heads = (Column("Asset", "", "left"), *(Column(_greek(name)) for name in names))
    return Table(heads, tuple(rows), caption, "model")


def _greek(name: str) -> str:
    letters = {
        "mu": "\u03bc",
        "omega": "\u03c9",
        "alpha": "\u03b1",
        "gamma": "\u03b3",
        "beta": "\u03b2",
        "nu": "\u03bd",
        "lambda": "\u03bb",
        "delta": "\u03b4",
        "phi": "\u03c6",
        "sigma": "\u03c3",
    }
    stem, _, lag = name.partition("[")
    stem, _, regime = stem.partition("_")
    return f"{letters.get(stem, stem)}{lag.rstrip(']')}{' ' + regime if regime else ''}"


def _correlation(frame: pd.DataFrame) -> Table:
    assets = list(dict.fromkeys(frame["asset"]))
    found = {(row["asset"], row["other"]): row["correlation"] for row in records(frame)}
    rows = tuple(
        (Cell(one), *(Cell(text.correlation(found[one, other]) if j <= i else "") for j, other in enumerate(assets)))
        for i, one in enumerate(assets)
    )
    heads = (Column("", "", "left"), *(Column(asset) for asset in assets))
    return Table(heads, rows, "Correlation of the innovations (parameter of the copula)", "model")
