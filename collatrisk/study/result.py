"""What a study found: plain tables, one fact a row, and how to get the same numbers again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from collatrisk.base.findings import Finding, worst_severity
from collatrisk.base.tables import html_table
from collatrisk.study.stress_cells import COLUMNS as STRESS
from collatrisk.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation import MarketModel

Rating = Literal["within", "borderline", "breach", "failed"]
Status = Literal["green", "amber", "red"]

QUANTITIES = (
    "haircut",
    "max_ltv",
    "liquidation_threshold",
    "call_probability",
    "liquidation_probability",
    "shortfall_probability",
    "shortfall_es",
)
"""The estimates of the executive table. Each has the columns NAME, NAME_low, NAME_high and NAME_se."""

_ESTIMATES = tuple(f"{name}{part}" for name in QUANTITIES for part in ("", "_low", "_high", "_se"))

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "executive": (
        "book",
        "terms",
        "status",
        "reason",
        "rating",
        "currency",
        "collateral_value",
        "debt",
        "ltv",
        "threshold",
        "health_factor",
        "call_at",
        "liquidation_at",
        *_ESTIMATES,
        "n_paths",
    ),
    "call_probability": ("terms", "book", "ltv", "horizon_days", "probability", "low", "high", "n"),
    "term_structure": ("terms", "book", "event", "days", "probability", "low", "high"),
    "stress": ("book", "terms", *(name for name in STRESS if name != "account"), "outcome"),
    "model_summary": (
        "asset",
        "spot",
        "volatility_model",
        "innovations",
        "n_obs",
        "persistence",
        "half_life_days",
        "current_volatility",
        "average_volatility",
        "long_run_volatility",
        "loglikelihood",
        "findings",
    ),
    "model_parameters": ("asset", "parameter", "value", "std_error"),
    "correlation": ("asset", "other", "correlation"),
    "fan": ("kind", "subject", "days", "q01", "q05", "q25", "q50", "q75", "q95", "q99", "n"),
    "loss_histogram": ("book", "left", "right", "count"),
    "loss_measures": ("book", "measure", "level", "horizon_days", "value", "low", "high", "n"),
    "failures": ("cell", "book", "terms", "scenario", "reason"),
    "timings": ("step", "seconds", "cells", "resumed"),
}
"""The columns of every table of a `StudyResult`. Fractions are decimals, money is in the book's currency."""


@dataclass(frozen=True)
class RunInfo:
    """How the numbers came about: enough to get them again.

    Attributes
    ----------
    as_of : the last price date (or the calibration's), ISO.
    first, last : the data window, ISO dates; empty where the model states none.
    n_obs : return observations behind the fit, 0 if unknown.
    clock, dependence, drift : in words.
    version : of collatrisk.
    hashes : ``config``, ``model``, ``input``: SHA-256 (hex).
    versions : package -> version; the interpreter and the processor too.
    command : what was typed, or the Python call.
    started : ISO time (UTC) of the run.
    seconds : wall time of the whole run.
    source : what `PathSource.describe` says of the paths.
    """

    as_of: str
    first: str
    last: str
    n_obs: int
    clock: str
    dependence: str
    drift: str
    version: str
    hashes: Mapping[str, str]
    versions: Mapping[str, str]
    command: str
    started: str
    seconds: float
    source: Mapping[str, Any]
    provenance: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class StudyResult:
    """The tables of a study (columns in `COLUMNS`), its findings and how to reproduce it.

    Attributes
    ----------
    study : what was asked.
    run : how it was computed.
    data_findings : of the prices.
    model_findings : of the fits, the dependence, the terms and the runs.
    model : the market model that was used.
    executive : one row a book and term sheet: sized parameters, probabilities at the stated LTV, 95 % intervals.
    call_probability : terms x book x LTV x horizon.
    term_structure : probability of a margin call and of a liquidation by each day.
    stress : one row a book, term sheet and scenario.
    model_summary, model_parameters, correlation : the market model.
    fan : quantiles of the price (or of the book's collateral value) relative to today.
    loss_histogram, loss_measures : losses of each book's collateral over the margin period of risk.
    failures : cells that could not be computed, with their reasons.
    timings : wall time per step.
    """

    study: Study
    run: RunInfo
    data_findings: tuple[Finding, ...]
    model_findings: tuple[Finding, ...]
    model: MarketModel | None
    executive: pd.DataFrame
    call_probability: pd.DataFrame
    term_structure: pd.DataFrame
    stress: pd.DataFrame
    model_summary: pd.DataFrame
    model_parameters: pd.DataFrame
    correlation: pd.DataFrame
    fan: pd.DataFrame
    loss_histogram: pd.DataFrame
    loss_measures: pd.DataFrame
    failures: pd.DataFrame
    timings: pd.DataFrame

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings."""
        return (*self.data_findings, *self.model_findings)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def status(self) -> Status:
        """``"red"``: a failed cell, an error or a breach; ``"amber"``: a warning or a borderline; else ``"green"``."""
        ratings = set(self.executive["rating"])
        worst = worst_severity(self.findings)
        if len(self.failures) or worst == "error" or ratings & {"breach", "failed"}:
            return "red"
        return "amber" if worst == "warning" or "borderline" in ratings else "green"

    @property
    def exit_code(self) -> int:
        """0, or 4 if some cells failed."""
        return 4 if len(self.failures) else 0

    def __repr__(self) -> str:
        books, failed = len(self.executive), len(self.failures)
        rows = f"{books} {'pair' if books == 1 else 'pairs'} of book and terms"
        cells = f"{failed} failed {'cell' if failed == 1 else 'cells'}"
        return f"StudyResult({self.study.headline}: {rows}, {cells}, status {self.status})"

    def _repr_html_(self) -> str:
        columns = ["book", "terms", "rating", *QUANTITIES]
        rows = [
            [*(row[name] for name in columns[:3]), *(_with_interval(row, name) for name in QUANTITIES)]
            for row in self.executive.to_dict("records")
        ]
        return html_table(columns, rows, f"{self.study.headline} ({self.status}); 95 % intervals")


def _with_interval(row: Mapping[Any, Any], name: str) -> str:
    if math.isnan(row[name]):
        return ""
    return f"{row[name]:.4g} [{row[f'{name}_low']:.4g}, {row[f'{name}_high']:.4g}]"


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame with the columns of the table `name`, whatever rows there are; missing entries are empty."""
    import pandas as pd

    columns = COLUMNS[name]
    empty: dict[str, Any] = {column: "" if column in _TEXT else math.nan for column in columns}
    frame = pd.DataFrame([{**empty, **row} for row in rows], columns=list(columns))
    return frame.astype({column: object if column in _TEXT else "float64" for column in columns})


_TEXT = frozenset(
    (
        *("book", "terms", "status", "reason", "rating", "currency", "event", "subject", "measure", "cell", "step"),
        *("scenario", "title", "kind", "application", "applied", "after_is", "outcome"),
        *("asset", "other", "volatility_model", "innovations", "parameter"),
    )
)
