"""Run a study: one set of paths, every question, every failure a row."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.findings import Finding
from collatrisk.collateral import Terms
from collatrisk.study.assemble import executive_row, failure, model_tables, run_info
from collatrisk.study.cells import CellStore, Solved, versions
from collatrisk.study.context import Context
from collatrisk.study.distributions import fan_cells, loss_cells
from collatrisk.study.margins import margin_cells, surface_cells
from collatrisk.study.market import LoadedMarket, load_market
from collatrisk.study.progress import Meter, Report
from collatrisk.study.result import StudyResult, table
from collatrisk.study.scenario_cells import scenario_cell, scenario_names
from collatrisk.study.sizes import MEASURES, haircut_cells, ltv_cells, threshold_cell
from collatrisk.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

_FIT, _PASS, _MARGIN, _THRESHOLD, _SCENARIO, _FAN = 8.0, 1.0, 1.0, 0.5, 1.0, 0.5
"""Rough weights of the passes, for the estimate of the time that is left."""
_DISTRIBUTIONS = 2 * _PASS + _FAN

Rows = list[dict[str, Any]]


def run_study(
    study: Study,
    *,
    executor: Executor | None = None,
    progress: Report | None = None,
    cells_dir: str | Path | None = None,
    command: str = "collatrisk.run_study(study)",
) -> StudyResult:
    """Compute every cell of a study.

    Parameters
    ----------
    study : what to compute.
    executor : any `concurrent.futures.Executor`; None runs in this thread. Results do not depend on it.
    progress : called as ``progress(what, done, total)``.
    cells_dir : where finished cells are kept; a run that was killed goes on from them. None keeps nothing.
    command : what the reproducibility page shows.

    Returns
    -------
    StudyResult. A cell that fails is a row with its reason, and a row of `failures`.

    Raises
    ------
    DataError, FitError, InputError : the market itself could not be had: then there is nothing to compute.
    """
    started = dt.datetime.now(dt.UTC)
    clock = time.perf_counter()
    store = CellStore(None if cells_dir is None else Path(cells_dir))
    meter = Meter(progress, _total(study))
    with meter.step("market: read and fit", _FIT) as row:
        market = load_market(study.market, store)
        row |= {"cells": 1, "resumed": int(market.resumed)}
    context = _context(study, market, store, meter, executor)
    gathered = _Gathered(context)
    gathered.distributions()
    for name, terms in study.terms.items():
        gathered.margins(name, terms)
    for name, terms in study.terms.items():
        gathered.stress(name, terms)
    meter.skip("done", meter.total)
    seconds = time.perf_counter() - clock
    info = run_info(study, market, context.plan, command, started.isoformat(timespec="seconds"), seconds)
    return gathered.result(market, info)


def run_stress(study: Study, *, executor: Executor | None = None, progress: Report | None = None) -> pd.DataFrame:
    """Only the stress tests of a study: the table `stress` of its result, the cells that failed among its rows."""
    store = CellStore(None)
    meter = Meter(progress, _FIT + len(study.terms) * len(scenario_names(study)) * _SCENARIO)
    with meter.step("market: read and fit", _FIT):
        market = load_market(study.market, store)
    gathered = _Gathered(_context(study, market, store, meter, executor))
    for name, terms in study.terms.items():
        gathered.stress(name, terms)
    failed = [{**row, "status": "failed"} for row in gathered.rows.get("failures", []) if not row["book"]]
    return table("stress", [*gathered.rows.get("stress", []), *failed])


def _total(study: Study) -> float:
    per_terms = _MARGIN + _PASS + _sizing(study) + len(scenario_names(study)) * _SCENARIO
    return _FIT + _DISTRIBUTIONS + len(study.terms) * per_terms


def _sizing(study: Study) -> float:
    return _PASS + _THRESHOLD * len(study.books)


def _context(study: Study, market: LoadedMarket, store: CellStore, meter: Meter, executor: Executor | None) -> Context:
    from collatrisk.simulation import PathPlan

    plan = PathPlan(
        market.model,
        n_paths=study.n_paths,
        horizon_days=study.horizon_days,
        seed=study.seed,
        drift=study.market.drift,
    )
    base = {
        "model": market.model.fingerprint(),
        "input": market.input_hash,
        "seed": study.seed,
        "n_paths": study.n_paths,
        "horizon_days": study.horizon_days,
        "drift": study.market.drift,
        "versions": versions(),
    }
    return Context(study, plan, market.prices, store, meter, executor, base)


class _Gathered:
    """The rows of all tables while a study runs."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.rows: dict[str, Rows] = {}
        self.findings: list[Finding] = []
        self.haircuts: dict[str, Solved] = {}

    def add(self, name: str, rows: Rows) -> None:
        self.rows.setdefault(name, []).extend(rows)

    def fail(self, cell: str, solved: Solved, book: str = "", terms: str = "", scenario: str = "") -> None:
        if solved.body is None:
            self.add("failures", [failure(cell, book, terms, scenario, solved.reason)])

    def note(self, solved: Solved) -> None:
        if solved.body is not None:
            self.findings += [Finding.from_dict(body) for body in solved.body.get("findings", ())]

    def distributions(self) -> None:
        """Haircuts, losses and fans: they do not depend on the terms."""
        context, sizing = self.context, self.context.study.sizing
        names = [book.name for book in context.study.books]
        with context.meter.step("haircuts, losses and fans", _DISTRIBUTIONS) as row:
            cuts, losses = haircut_cells(context, _PASS), loss_cells(context, _PASS)
            fans = fan_cells(context, _FAN)
            _count(row, [*cuts, *losses, *fans])
        self.haircuts = dict(zip(names, cuts, strict=True))
        for name, cut, loss in zip(names, cuts, losses, strict=True):
            self.fail("haircut", cut, name)
            if cut.body is not None:
                about = {"book": name, "level": sizing.level, "horizon_days": sizing.mpor_days}
                self.add("loss_measures", [{**about, "measure": label, **cut.body[label]} for label in MEASURES])
            if loss.body is not None:
                self.add("loss_histogram", [{"book": name, **bin_} for bin_ in loss.body["rows"]])
        for fan in fans:
            self.fail("price fan", fan)
            if fan.body is not None:
                self.add("fan", fan.body["rows"])

    def margins(self, name: str, terms: Terms) -> None:
        """Everything about one term sheet but the stress tests."""
        context = self.context
        books = context.study.books
        with context.meter.step(f"margin calls, {name}", _MARGIN + _PASS) as row:
            margins = margin_cells(context, name, terms, _MARGIN)
            surface = surface_cells(context, name, terms, _PASS)
            _count(row, [*margins, *surface])
        with context.meter.step(f"sizing, {name}", _sizing(context.study)) as row:
            limits = ltv_cells(context, name, terms, _PASS)
            thresholds = [
                threshold_cell(context, book, name, terms, _THRESHOLD) if margin.body is not None else Solved({})
                for book, margin in zip(books, margins, strict=True)
            ]
            _count(row, [*limits, *thresholds])
        for i, book in enumerate(books):
            place = {"book": book.name, "terms": name}
            solved = {"margin": margins[i], "loan-to-value limit": limits[i], "threshold": thresholds[i]}
            for cell, one in {**solved, "surface": surface[i]}.items():
                self.fail(cell, one, book.name, name)
                self.note(one)
            if surface[i].body is not None:
                self.add("call_probability", [{**place, **line} for line in surface[i].body["rows"]])  # type: ignore[index]
            if margins[i].body is not None:
                self.add("term_structure", [{**place, **line} for line in margins[i].body["term_structure"]])  # type: ignore[index]
            parts = [self.haircuts[book.name], *solved.values()]
            self.add("executive", [executive_row(context.study, book, name, parts)])

    def stress(self, name: str, terms: Terms) -> None:
        """Every scenario under one term sheet."""
        context = self.context
        scenarios = scenario_names(context.study)
        if not scenarios:
            return
        with context.meter.step(f"stress tests, {name}", len(scenarios) * _SCENARIO) as row:
            solved = [scenario_cell(context, scenario, name, terms, _SCENARIO) for scenario in scenarios]
            _count(row, solved)
        for scenario, one in zip(scenarios, solved, strict=True):
            self.fail("stress", one, terms=name, scenario=scenario)
            for line in [] if one.body is None else one.body["rows"]:
                self.add("stress", [{**line, "terms": name}])
                if line["status"] == "failed":
                    self.fail("stress", Solved(None, line["reason"]), line["book"], name, scenario)

    def result(self, market: LoadedMarket, info: Any) -> StudyResult:
        """The tables."""
        tables = {name: table(name, self.rows.get(name, [])) for name in _FROM_ROWS}
        tables |= {name: table(name, rows) for name, rows in model_tables(market.model).items()}
        terms_findings = [finding for terms in self.context.study.terms.values() for finding in terms.findings]
        aligned = [finding for finding in market.model.findings if finding.code in _ALIGNMENT]
        fitted = [finding for finding in market.model.findings if finding.code not in _ALIGNMENT]
        about_models = (*fitted, *_of_marginals(market), *self.findings, *terms_findings)
        return StudyResult(
            study=self.context.study,
            run=info,
            data_findings=tuple(dict.fromkeys((*market.findings, *aligned))),
            model_findings=tuple(dict.fromkeys(about_models)),
            model=market.model,
            timings=table("timings", self.context.meter.timings),
            **tables,
        )


_ALIGNMENT = frozenset(("missing-days", "common-dates", "mixed-clocks", "short-history", "too-short", "long-steps"))
"""Findings of a model that are about its data."""

_FROM_ROWS = (
    "executive",
    "call_probability",
    "term_structure",
    "stress",
    "fan",
    "loss_histogram",
    "loss_measures",
    "failures",
)


def _of_marginals(market: LoadedMarket) -> list[Finding]:
    return [finding for marginal in market.model.marginals for finding in marginal.findings]


def _count(row: dict[str, Any], solved: Sequence[Solved]) -> None:
    row |= {"cells": len(solved), "resumed": sum(one.resumed for one in solved)}
