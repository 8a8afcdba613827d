"""Sized parameters of every book: haircut, largest loan-to-value, liquidation threshold."""

from __future__ import annotations

from typing import Any

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.collateral import Terms
from collatrisk.study.cells import Solved, reason_of, solve
from collatrisk.study.context import Context, estimate_columns
from collatrisk.study.spec import Book
from collatrisk.study.study import spec_dict

MEASURES = {"VaR": "var", "ES": "es"}


def haircut_cells(context: Context, weight: float) -> list[Solved]:
    """One cell a book: VaR and ES of the relative fall over the margin period of risk."""
    sizing = context.study.sizing

    def compute(books: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.sizing.haircut import haircuts_by_measure

        found = haircuts_by_measure(
            context.plan,
            [context.mix(book) for book in books],
            measures=tuple(MEASURES.values()),
            level=sizing.level,
            mpor_days=sizing.mpor_days,
            currency=books[0].currency,
            executor=context.executor,
            progress=context.meter.follow("haircuts", weight),
        )
        return [
            {
                label: {**estimate_columns("value", of_book[measure]), "n": of_book[measure].n}
                for label, measure in MEASURES.items()
            }
            for of_book in found
        ]

    inputs = {"level": sizing.level, "mpor_days": sizing.mpor_days}
    items = [(context.key("haircut", book=book.to_dict(), **inputs), book) for book in context.study.books]
    return solve(context.store, items, compute)


def ltv_cells(context: Context, name: str, terms: Terms, weight: float) -> list[Solved]:
    """One cell a book: the largest loan-to-value within the tolerated probability of a margin call."""
    study = context.study
    limit = study.sizing.max_call_probability
    books = [book for book in study.books if context.sizable(book)]

    def compute(pending: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.sizing import max_ltvs

        estimates = max_ltvs(
            context.plan,
            [context.mix(book) for book in pending],
            terms,
            max_call_probability=limit,
            horizon_days=study.horizon_days,
            currency=pending[0].currency,
            executor=context.executor,
            progress=context.meter.follow(f"loan-to-value limits, {name}", weight),
        )
        return [estimate_columns("max_ltv", estimate) for estimate in estimates]

    items = [(context.key("max_ltv", book=book.to_dict(), terms=spec_dict(terms), limit=limit), book) for book in books]
    solved = dict(zip([book.name for book in books], solve(context.store, items, compute), strict=True))
    return [solved.get(book.name, Solved({})) for book in study.books]


def threshold_cell(context: Context, book: Book, name: str, terms: Terms, weight: float) -> Solved:
    """The highest liquidation threshold within the tolerated probability of a shortfall.

    That there is none is an answer, not a failure: the cell then holds a finding in place of the number.
    """
    limit = context.study.sizing.max_shortfall_probability

    def compute(pending: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.sizing import liquidation_threshold

        one = pending[0]
        try:
            estimate = liquidation_threshold(
                context.plan,
                context.account(one),
                terms,
                max_shortfall_probability=limit,
                executor=context.executor,
                progress=context.meter.follow(f"liquidation threshold, {one.name}", weight),
            )
        except InputError as error:
            message = f"no liquidation threshold under terms {name!r}: {reason_of(error)}"
            return [{"findings": [Finding("no-threshold", "warning", one.name, message).to_dict()]}]
        return [{**estimate_columns("liquidation_threshold", estimate), "method": estimate.method}]

    key = context.key("threshold", book=book.to_dict(), terms=spec_dict(terms), limit=limit)
    return solve(context.store, [(key, book)], compute)[0]
