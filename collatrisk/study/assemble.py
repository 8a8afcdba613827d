"""From solved cells and a model to the rows of the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from collatrisk.base.version import __version__
from collatrisk.study.cells import Solved, versions
from collatrisk.study.market import LoadedMarket
from collatrisk.study.result import Rating, RunInfo
from collatrisk.study.sizes import MEASURES
from collatrisk.study.spec import Book
from collatrisk.study.study import Study

if TYPE_CHECKING:
    from collatrisk.simulation import MarketModel, PathPlan
    from collatrisk.simulation.peg_marginal import AnyMarginal

_LAWS = {"normal": "normal", "t": "Student t", "skewt": "skewed t", "ged": "generalised error"}


def executive_row(study: Study, book: Book, terms: str, parts: Sequence[Solved]) -> dict[str, Any]:
    """One row of the executive table from a book's cells: haircut, margin, loan-to-value limit, threshold."""
    cut, margin, limit, threshold = parts
    place = {"book": book.name, "terms": terms}
    if margin.body is None:
        return {**place, "status": "failed", "reason": margin.reason, "rating": "failed"}
    row = {**place, "status": "ok", "reason": "", **margin.body["row"]}
    if cut.body is not None:
        label = next(label for label, measure in MEASURES.items() if measure == study.sizing.measure)
        row |= {f"haircut{key.removeprefix('value')}": value for key, value in cut.body[label].items() if key != "n"}
    for part in (limit, threshold):
        if part.body is not None:
            row |= {key: value for key, value in part.body.items() if isinstance(value, float)}
    return {**row, "rating": rate(row, study)}


def rate(row: dict[str, Any], study: Study) -> Rating:
    """Against the tolerated probabilities: within when the interval lies below, breach when it lies above."""
    sizing = study.sizing
    limits = {
        "call_probability": sizing.max_call_probability,
        "shortfall_probability": sizing.max_shortfall_probability,
    }
    if any(row[f"{name}_low"] > limit for name, limit in limits.items()):
        return "breach"
    return "within" if all(row[f"{name}_high"] <= limit for name, limit in limits.items()) else "borderline"


def failure(cell: str, book: str, terms: str, scenario: str, reason: str) -> dict[str, Any]:
    """One row of the table of failures."""
    return {"cell": cell, "book": book, "terms": terms, "scenario": scenario, "reason": reason}


def model_tables(model: MarketModel) -> dict[str, list[dict[str, Any]]]:
    """Summary, parameters and correlation as rows."""
    parameters = [
        {"asset": one.asset, "parameter": name, "value": value, "std_error": one.std_errors.get(name, math.nan)}
        for one in model.marginals
        for name, value in one.params.items()
    ]
    correlation = [
        {"asset": asset, "other": other, "correlation": float(model.dependence.correlation[i, j])}
        for i, asset in enumerate(model.assets)
        for j, other in enumerate(model.assets)
    ]
    summary = [_summary(model, i, one) for i, one in enumerate(model.marginals)]
    return {"model_summary": summary, "model_parameters": parameters, "correlation": correlation}


def _summary(model: MarketModel, place: int, one: AnyMarginal) -> dict[str, Any]:
    persistence, long_run, half_life = one.persistence, one.long_run_volatility, one.half_life
    about = [finding for finding in (*model.findings, *one.findings) if finding.subject == one.asset]
    return {
        "asset": one.asset,
        "spot": float(model.spot[place]),
        "volatility_model": volatility_text(one),
        "innovations": _LAWS[one.dist],
        "n_obs": one.n_obs,
        "persistence": persistence,
        "half_life_days": half_life * model.clock.step_days if 0 < half_life < math.inf else math.nan,
        "current_volatility": model.clock.annualise(math.sqrt(one.next_variance)),
        "average_volatility": model.clock.annualise(one.average_volatility),
        "long_run_volatility": model.clock.annualise(long_run) if math.isfinite(long_run) else math.nan,
        "loglikelihood": math.nan if one.loglikelihood is None else one.loglikelihood,
        "findings": len(set(about)),
    }


def volatility_text(one: AnyMarginal) -> str:
    """A volatility model in the words of its literature."""
    from collatrisk.volatility.peg_spec import Peg
    from collatrisk.volatility.spec_text import model_name

    if isinstance(one.spec, Peg):
        anchor = one.spec.underlying or format(one.spec.level, "g")
        return f"two-regime peg to {anchor} (figures are of the basis)"
    return model_name(one.spec)


def run_info(study: Study, market: LoadedMarket, plan: PathPlan, command: str, started: str, seconds: float) -> RunInfo:
    """How the numbers came about."""
    model = market.model
    told = dict(model.provenance)
    first, last = told.pop("first", ""), told.pop("last", "")
    n_obs = told.pop("n_obs", "0")
    hashes = {"config": study.fingerprint(), "model": model.fingerprint(), "input": market.input_hash}
    if study.source is not None and study.source.is_file():
        import hashlib

        hashes["study file"] = hashlib.sha256(study.source.read_bytes()).hexdigest()
    return RunInfo(
        as_of=last or told.get("as_of", ""),
        first=first,
        last=last,
        n_obs=int(n_obs) if n_obs.isdigit() else 0,
        clock=str(model.clock),
        dependence=model.dependence.describe(),
        drift=plan.drift,
        version=__version__,
        hashes=hashes,
        versions=versions(),
        command=command,
        started=started,
        seconds=seconds,
        source=dict(plan.describe()),
        provenance=told,
    )
