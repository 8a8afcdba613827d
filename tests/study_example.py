"""A made-up study result: every table of a report, in closed form, without a simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from collatrisk.base.findings import Finding
from collatrisk.collateral import Loan, Mix, Terms
from collatrisk.study.result import RunInfo, StudyResult, table
from collatrisk.study.spec import Book, Grid, MarketPlan, Sizing
from collatrisk.study.study import Study

N = 50_000
VOLATILITY = {"Equity 60/40": 0.17, "Nasdaq": 0.24, "Equity and oil": 0.21, "Oil": 0.36}
LTVS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8)
HORIZONS = (10.0, 21.0, 63.0)
_SHOCKS = {"covid-2020": -0.34, "gfc-2008": -0.52, "volmageddon-2018": -0.1, "oil-2014": -0.2, "flat-30": -0.3}
_LEVELS = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


def touch(volatility: float, days: float, distance: float) -> float:
    """The probability that a driftless log price falls by `distance` within the days."""
    return float(min(1.0, 2 * ndtr(-max(distance, 0.0) / (volatility * math.sqrt(days / 252)))))


def study(names: tuple[str, ...] = tuple(VOLATILITY), title: str = "Lombard loans, a made-up study") -> Study:
    """A study over these books."""
    books = tuple(Book(name, Loan(Mix({"SP500": 1.0}), 1e6, 0.65, name=name)) for name in names)
    terms = {"standard": Terms(0.85, 1.1, 1.2), "tight": Terms(0.8, 1.15, 1.25)}
    return Study(
        name="example",
        title=title,
        market=MarketPlan(prices="prices.csv"),  # type: ignore[arg-type]
        books=books,
        terms=terms,
        seed=7,
        n_paths=N,
        horizon_days=63,
        grid=Grid(LTVS, HORIZONS),
        sizing=Sizing(),
    )


def _with(name: str, value: float, error: float) -> dict[str, float]:
    low, high = max(value - 1.96 * error, 0.0), value + 1.96 * error
    return {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_se": error}


def _chance(name: str, value: float) -> dict[str, float]:
    error = math.sqrt(value * (1 - value) / N)
    row = _with(name, value, error)
    if value < 1 / N:
        row = {name: 0.0, f"{name}_low": 0.0, f"{name}_high": 3.7 / N, f"{name}_se": 1 / N}
    return row


def _executive(study: Study) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for i, book in enumerate(study.books):
        sigma = list(VOLATILITY.values())[i % 4]
        for name, terms in study.terms.items():
            health = float(terms.liquidation_threshold) / 0.65  # type: ignore[arg-type]
            call, sale = (touch(sigma, 63, math.log(health / level)) for level in (terms.margin_call, 1.0))
            rows.append(
                {
                    "book": book.name,
                    "terms": name,
                    "status": "ok",
                    "reason": "",
                    "rating": "within" if call < 0.045 else "borderline" if call < 0.06 else "breach",
                    "currency": "USD",
                    "collateral_value": 1e6,
                    "debt": 650_000.0,
                    "ltv": 0.65,
                    "threshold": terms.liquidation_threshold,
                    "health_factor": health,
                    "call_at": terms.margin_call / health,
                    "liquidation_at": 1 / health,
                    **_with("haircut", 2.7 * sigma * math.sqrt(10 / 252), 0.002),
                    **_with("max_ltv", 0.8 - sigma / 2, 0.003),
                    **_with("liquidation_threshold", 0.97 - sigma / 3, 0.004),
                    **_chance("call_probability", call),
                    **_chance("liquidation_probability", sale),
                    **_chance("shortfall_probability", touch(sigma, 63, -math.log(0.65)) / 3),
                    **_with("shortfall_es", 1e5 * sigma * touch(sigma, 63, -math.log(0.65)), 200 * sigma),
                    "n_paths": N,
                }
            )
    return rows


def _surface(study: Study) -> list[dict[str, Any]]:
    rows = []
    for name, terms in study.terms.items():
        for i, book in enumerate(study.books):
            sigma = list(VOLATILITY.values())[i % 4]
            for ltv in LTVS:
                for days in HORIZONS:
                    distance = math.log(float(terms.liquidation_threshold) / ltv / terms.margin_call)  # type: ignore[arg-type]
                    row = _chance("p", touch(sigma, days, distance))
                    place = {"terms": name, "book": book.name, "ltv": ltv, "horizon_days": days}
                    rows.append({**place, "probability": row["p"], "low": row["p_low"], "high": row["p_high"], "n": N})
    return rows


def _term_structure(study: Study) -> list[dict[str, Any]]:
    rows = []
    for name, terms in study.terms.items():
        for i, book in enumerate(study.books):
            sigma = list(VOLATILITY.values())[i % 4]
            for event, level in (("margin_called", terms.margin_call), ("liquidated", 1.0)):
                for days in range(1, 64):
                    distance = math.log(float(terms.liquidation_threshold) / 0.65 / level)  # type: ignore[arg-type]
                    row = _chance("p", touch(sigma, days, distance))
                    place = {"terms": name, "book": book.name, "event": event, "days": days}
                    rows.append({**place, "probability": row["p"], "low": row["p_low"], "high": row["p_high"]})
    return rows


def _stress(study: Study) -> list[dict[str, Any]]:
    rows = []
    for name, terms in study.terms.items():
        for i, book in enumerate(study.books):
            for scenario, shock in _SHOCKS.items():
                change = shock * list(VOLATILITY.values())[i % 4] / 0.2
                ltv = 0.65 / (1 + change)
                health = float(terms.liquidation_threshold) / ltv  # type: ignore[arg-type]
                outcome = "shortfall" if ltv > 1 else "liquidation" if health < 1 else "none"
                outcome = "margin call" if outcome == "none" and health < terms.margin_call else outcome
                rows.append(
                    {
                        "book": book.name,
                        "terms": name,
                        "scenario": scenario,
                        "title": scenario.replace("-", " ").title(),
                        "kind": "historical",
                        "application": "shock",
                        "status": "ok",
                        "applied": "SP500 -34.0% (named); WTI -40.0% (proxy SP500 x1.2)",
                        "after_is": "at the shocked prices",
                        "collateral_change": change,
                        "health_factor_after": health,
                        "outcome": outcome,
                        "margin_called": float(health < terms.margin_call),
                        "liquidated": float(health < 1),
                        "shortfall": max(0.65 - (1 + change), 0) * 1e6,
                        "debt_repaid": 0.0,
                    }
                )
    return rows


def _fan(study: Study) -> list[dict[str, Any]]:
    rows = []
    for i, book in enumerate(study.books):
        sigma = list(VOLATILITY.values())[i % 4]
        for days in range(64):
            spread = sigma * math.sqrt(days / 252)
            quantiles = {name: math.exp(spread * float(ndtri(level))) for name, level in _LEVELS.items()}
            for kind, subject in (("book", book.name), ("asset", f"ASSET{i}")):
                rows.append({"kind": kind, "subject": subject, "days": days, **quantiles, "n": 20_000})
    return rows


def _losses(study: Study) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    bins, measures = [], []
    edges = np.linspace(-0.3, 0.3, 121)
    for i, book in enumerate(study.books):
        spread = list(VOLATILITY.values())[i % 4] * math.sqrt(10 / 252)
        counts = np.round(N * np.diff(ndtr(edges / spread)))
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            bins.append({"book": book.name, "left": left, "right": right, "count": count})
        for measure, value in (("VaR", 2.33 * spread), ("ES", 2.67 * spread)):
            size = {"value": value, "low": value * 0.98, "high": value * 1.02, "n": N}
            measures.append({"book": book.name, "measure": measure, "level": 0.99, "horizon_days": 10, **size})
    return bins, measures


def run_info(**changes: Any) -> RunInfo:
    """Facts of a run that never was."""
    facts: dict[str, Any] = {
        "as_of": "2018-12-31",
        "first": "1999-01-04",
        "last": "2018-12-31",
        "n_obs": 4987,
        "clock": "business clock, daily steps, 252 days a year",
        "dependence": "Student t copula, nu = 8.1",
        "drift": "martingale",
        "version": "0.1.0",
        "hashes": {"config": "ab" * 32, "model": "cd" * 32, "input": "ef" * 32},
        "versions": {"python": "3.11.2", "numpy": "2.4.6", "numba": "0.68.1", "arch": "8.0.0"},
        "command": "collatrisk run study.toml --out out",
        "started": "2026-11-21T09:00:00+00:00",
        "seconds": 41.2,
        "source": {"kind": "PathPlan", "seed": 7, "n_paths": N},
        "provenance": {"source": "made up"},
    }
    return RunInfo(**{**facts, **changes})


def result(
    names: tuple[str, ...] = tuple(VOLATILITY), title: str = "Lombard loans, a made-up study", failed: bool = True
) -> StudyResult:
    """A whole result; with `failed`, one cell of it could not be computed."""
    asked = study(names, title)
    executive = _executive(asked)
    failures = []
    if failed:
        reason = "Mix 'Oil': weights = 'BRENT': is not known here (known: SP500, WTI); did you mean 'WTI'?"
        bad = {"book": names[-1], "terms": "tight", "status": "failed", "reason": reason, "rating": "failed"}
        executive[-1] = bad
        failures = [{"cell": "sizing", "book": names[-1], "terms": "tight", "scenario": "", "reason": reason}]
    bins, measures = _losses(asked)
    assets = [f"ASSET{i}" for i in range(len(names))]
    parameters = {"mu": 3e-4, "omega": 1.9e-6, "alpha[1]": 0.01, "gamma[1]": 0.14, "beta[1]": 0.9, "nu": 8.2}
    return StudyResult(
        study=asked,
        run=run_info(),
        data_findings=(
            Finding("gap", "warning", "WTI", "44 business days without a price; dropped, not filled.", ("2001-09-11",)),
            Finding("jump", "info", "WTI", "a return of 17 % on 2008-12-31 is 12.4 robust deviations.", ()),
        ),
        model_findings=(
            Finding(
                "start-disagrees", "warning", "WTI", "two of five starts end elsewhere: read the errors with care."
            ),
        ),
        model=None,
        executive=table("executive", executive),
        call_probability=table("call_probability", _surface(asked)),
        term_structure=table("term_structure", _term_structure(asked)),
        stress=table("stress", _stress(asked)),
        model_summary=table(
            "model_summary",
            [
                {
                    "asset": asset,
                    "spot": 2506.85,
                    "volatility_model": "GJR-GARCH(1,1,1)",
                    "innovations": "Student t",
                    "n_obs": 4987,
                    "persistence": 0.985,
                    "half_life_days": 46.0,
                    "current_volatility": 0.31,
                    "average_volatility": 0.2,
                    "long_run_volatility": 0.19,
                    "loglikelihood": 16_012.0,
                    "findings": 1,
                }
                for asset in assets
            ],
        ),
        model_parameters=table(
            "model_parameters",
            [
                {"asset": asset, "parameter": name, "value": value, "std_error": value / 12}
                for asset in assets
                for name, value in parameters.items()
            ],
        ),
        correlation=table(
            "correlation",
            [
                {"asset": a, "other": b, "correlation": 1.0 if a == b else 0.3 + 0.1 * abs(i - j)}
                for i, a in enumerate(assets)
                for j, b in enumerate(assets)
            ],
        ),
        fan=table("fan", _fan(asked)),
        loss_histogram=table("loss_histogram", bins),
        loss_measures=table("loss_measures", measures),
        failures=table("failures", failures),
        timings=table("timings", [{"step": "fit", "seconds": 6.1, "cells": 1, "resumed": 0}]),
    )
