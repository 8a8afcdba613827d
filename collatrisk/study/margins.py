"""Margin calls and liquidations of every book under one term sheet: probabilities, term structures, the surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collatrisk.collateral import Terms, collateral_value, debt_value, health_factor
from collatrisk.study.cells import Solved, solve
from collatrisk.study.context import Context, estimate_columns
from collatrisk.study.spec import Book
from collatrisk.study.study import spec_dict

if TYPE_CHECKING:
    import pandas as pd

EVENTS = {
    "call_probability": "margin_called",
    "liquidation_probability": "liquidated",
    "shortfall_probability": "shortfall",
}
_TERM_EVENTS = ("margin_called", "liquidated")
_MOST_DAYS = 250


def margin_cells(context: Context, name: str, terms: Terms, weight: float) -> list[Solved]:
    """One cell a book: the state at the start, probabilities, the tail of the shortfall, the term structure."""
    study = context.study
    level = study.sizing.level

    def compute(books: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.margining import run_margin

        accounts = [context.account(book) for book in books]
        outcomes = run_margin(
            context.plan,
            accounts,
            terms,
            executor=context.executor,
            lowest_level=level,
            progress=context.meter.follow(f"margin calls, {name}", weight),
        )
        bodies = []
        for i, (book, account) in enumerate(zip(books, accounts, strict=True)):
            view = outcomes[i]
            row = _state(context, book, terms)
            for column, event in EVENTS.items():
                row |= estimate_columns(column, view.probability(event))
            row |= estimate_columns("shortfall_es", view.expected_shortfall("shortfall", level))
            structure = [row for event in _TERM_EVENTS for row in _term_rows(view.term_structure(event), event)]
            findings = [f.to_dict() for f in outcomes.findings if f.subject in {account.name, book.name}]
            common = [f.to_dict() for f in outcomes.findings if f.subject not in {one.name for one in accounts}]
            bodies.append({"row": row, "term_structure": structure, "findings": findings + common})
        return bodies

    items = [
        (context.key("margin", book=book.to_dict(), terms=spec_dict(terms), level=level), book) for book in study.books
    ]
    return solve(context.store, items, compute)


def surface_cells(context: Context, name: str, terms: Terms, weight: float) -> list[Solved]:
    """One cell a book: margin-call probability per loan-to-value and horizon."""
    study = context.study
    grid = study.grid
    books = [book for book in study.books if context.sizable(book)]

    def compute(pending: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.sizing import compare_mixes

        frame = compare_mixes(
            context.plan,
            [context.mix(book) for book in pending],
            ltv=grid.ltv,
            horizons=study.horizons,
            terms=terms,
            currency=pending[0].currency,
            executor=context.executor,
            progress=context.meter.follow(f"margin-call surface, {name}", weight),
        )
        columns = ["ltv", "horizon_days", "probability", "low", "high", "n"]
        return [{"rows": frame.loc[frame["mix"] == book.name, columns].to_dict("records")} for book in pending]

    items = [
        (
            context.key(
                "surface",
                book=book.to_dict(),
                terms=spec_dict(terms),
                ltv=list(grid.ltv),
                horizons=list(study.horizons),
            ),
            book,
        )
        for book in books
    ]
    solved = dict(zip([book.name for book in books], solve(context.store, items, compute), strict=True))
    return [solved.get(book.name, Solved({"rows": []})) for book in study.books]


def _state(context: Context, book: Book, terms: Terms) -> dict[str, Any]:
    """Where the book stands today: value, debt, loan-to-value, threshold, and how far margin calls are."""
    account = context.account(book)
    spot = context.spot
    value, debt = collateral_value(account, spot), debt_value(account, spot)
    health = health_factor(account, spot, terms)
    counted = health * debt if debt > 0 else float("nan")
    plain = context.sizable(book) and debt > 0
    return {
        "currency": account.currency,
        "collateral_value": value,
        "debt": debt,
        "ltv": debt / value if value > 0 else float("inf"),
        "threshold": counted / value if debt > 0 and value > 0 else float("nan"),
        "health_factor": health,
        "call_at": terms.margin_call / health if plain else float("nan"),
        "liquidation_at": 1.0 / health if plain else float("nan"),
        "n_paths": context.plan.n_paths,
    }


def _term_rows(frame: pd.DataFrame, event: str) -> list[dict[str, Any]]:
    """At most 250 days of a term structure, the last among them."""
    step = max(1, -(-len(frame) // _MOST_DAYS))
    last = len(frame) - 1
    kept = frame.iloc[[i for i in range(len(frame)) if i % step == 0 or i == last]]
    return [{"event": event, **{str(name): value for name, value in row.items()}} for row in kept.to_dict("records")]
