"""Scenarios on every book under one term sheet, one cell a scenario."""

from __future__ import annotations

from typing import Any

from collatrisk.base.errors import CollatriskError
from collatrisk.collateral import Terms
from collatrisk.study.cells import Solved, solve
from collatrisk.study.context import Context
from collatrisk.study.stress_table import stress
from collatrisk.study.study import Study, spec_dict

_NOT_APPLICABLE = "not applicable"


def scenario_names(study: Study) -> tuple[str, ...]:
    """The scenarios that the study asks for."""
    asked = study.stress.scenarios
    if asked != ("all",):
        return asked
    from collatrisk.scenarios import load_catalogue

    return tuple(load_catalogue())


def scenario_cell(context: Context, scenario: str, name: str, terms: Terms, weight: float) -> Solved:
    """Rows of one scenario for every book: the shock, the stressed model, and the replay where there are prices."""
    study = context.study

    def compute(names: list[str]) -> list[dict[str, Any]]:
        follow = context.meter.follow(f"stress, {name}: {scenario}", weight)
        frame = stress(
            [context.account(book) for book in _priced(context)],
            names,
            terms,
            model=context.plan.model,
            prices=context.prices,
            n_paths=study.stress.n_paths,
            horizon_days=study.horizon_days,
            seed=study.seed,
            executor=context.executor,
        )
        follow(1, 1)
        rows = [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]
        return [{"rows": [_row(row) for row in rows if row["status"] != _NOT_APPLICABLE]}]

    key = context.key(
        "stress",
        books=[book.to_dict() for book in study.books],
        terms=spec_dict(terms),
        scenario=_content(scenario),
        n_paths_stress=study.stress.n_paths,
        replay=context.prices is not None,
    )
    return solve(context.store, [(key, scenario)], compute)[0]


def _content(name: str) -> dict[str, Any]:
    """What a scenario says, and the proxy rules that fill its gaps: an edited catalogue must not reuse old cells."""
    from collatrisk.scenarios import load_proxies, load_scenario

    try:
        body = load_scenario(name).to_dict()
    except CollatriskError:
        body = {}  # the cell itself says what is wrong
    return {"name": name, "content": body, "proxies": [repr(rule) for rule in load_proxies()]}


def _priced(context: Context) -> list[Any]:
    return [book for book in context.study.books if all(asset in context.plan.assets for asset in book.assets)]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the stress table as one of the study's: the book's name, and the first thing that happens to it."""
    book = row.pop("account")
    return {"book": book, **row, "outcome": _outcome(row)}


def _outcome(row: dict[str, Any]) -> str:
    """What a shock or a replay leads to; a stressed model leads to probabilities, which no one word can stand for."""
    if row["status"] != "ok":
        return str(row["status"])
    if row["application"] == "model":
        return ""
    if row["shortfall_probability"] > 0:
        return "shortfall"
    if row["liquidated"] > 0:
        return "liquidation"
    return "margin call" if row["margin_called"] > 0 else "none"
