"""Accounts of a book as the rows of the book kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.collateral import Book, Terms
from collatrisk.simulation.source import FloatArray, PathSource

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BookRows:
    """What `collatrisk.kernels.book.book_block` follows: fields as its parameters, and whose rows they are.

    Attributes
    ----------
    account : int64 (n_rows,), of each row; -1 for the rows that fill the last tile.
    opened : int64 (n_rows,), the level at which each row stands before step 0; `levels` is where step 0 leaves it.
    exposure : float64 (n_columns,), the value of the whole book in each column at step 0, debts negative.
    """

    sources: IntArray
    owed: NDArray[np.bool_]
    growth: float
    bounds: IntArray
    columns: IntArray
    weights: FloatArray
    cash: FloatArray
    barriers: FloatArray
    levels: IntArray
    debts: FloatArray
    account: IntArray
    opened: IntArray
    exposure: FloatArray


def book_rows(book: Book, terms: Terms, source: PathSource) -> BookRows:
    """Rows for the accounts of a book whose assets the source and the terms know.

    An account whose debts are all cash is one row: counted collateral against margin_call x debt and against the debt.
    One that owes assets is two: counted collateral less margin_call x debts, and less the debts, against zero.
    """
    from collatrisk.kernels.book import N_EVENTS, NEVER, open_rows
    from collatrisk.kernels.tile import ROWS, pack_rows, rows_by_columns

    at = np.array([source.assets.index(asset) for asset in book.assets], dtype=np.int64)
    account, used, weights, barriers, opened = _unordered(book, terms)
    owed = used >= at.size
    sources = np.concatenate([at, at])[used]
    spot = source.spot[sources]
    cash = _thresholds(book, terms)[1] * book.held[account, -1]
    debts = (book.owed[:, :-1] @ source.spot[at] + book.owed[:, -1])[account]

    # Rows of the same columns and about as far from their barriers share tiles: bounds then hold for all or for none.
    distance = weights @ spot + cash - barriers[np.arange(account.size), opened]
    size = np.maximum(weights @ np.where(owed, -spot, spot) + cash, np.finfo(np.float64).tiny)
    order = rows_by_columns(weights, distance / size)
    n_rows = -(-account.size // ROWS) * ROWS
    bounds, columns, packed = pack_rows(weights[order])
    barriers, opened = _filled(barriers[order], n_rows, NEVER), _filled(opened[order], n_rows, N_EVENTS)
    cash, levels = _filled(cash[order], n_rows, 0.0), opened.copy()
    open_rows(spot, bounds, columns, packed, cash, barriers, levels)
    return BookRows(
        sources=sources,
        owed=owed,
        growth=math.exp(terms.borrow_rate * source.clock.step_years),
        bounds=bounds,
        columns=columns,
        weights=packed,
        cash=cash,
        barriers=barriers,
        levels=levels,
        debts=_filled(debts[order], n_rows, 0.0),
        account=_filled(account[order], n_rows, -1),
        opened=opened,
        exposure=weights.sum(axis=0) * spot,
    )


def _unordered(book: Book, terms: Terms) -> tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]:
    """(account, columns, weights, barriers, level before step 0) of every row.

    Columns are the assets as collateral, then as debts; those that no row uses are left out, and weights are of the
    others: float64 (n_rows, n_columns).
    """
    from collatrisk.kernels.book import CALL, LIQUIDATION, N_EVENTS, NEVER

    counted = book.held[:, :-1] * _thresholds(book, terms)[0]
    debts, cash = book.owed[:, :-1], book.owed[:, -1]
    mixed = debts.any(axis=1)
    plain, both = np.flatnonzero(~mixed), np.flatnonzero(mixed)
    account = np.concatenate([plain, both, both])
    calls, liquidations = slice(plain.size, plain.size + both.size), slice(plain.size + both.size, account.size)
    multiple = np.ones(account.size)
    multiple[calls] = terms.margin_call
    used = np.flatnonzero(np.concatenate([counted.any(axis=0), debts.any(axis=0)]))
    as_collateral, as_debt = used[used < len(book.assets)], used[used >= len(book.assets)] - len(book.assets)
    weights = np.hstack([counted[:, as_collateral][account], -multiple[:, None] * debts[:, as_debt][account]])

    due = np.where((cash > 0) | mixed, cash, NEVER)
    barriers = np.full((account.size, N_EVENTS), NEVER)
    barriers[: plain.size, CALL] = terms.margin_call * due[plain]
    barriers[: plain.size, LIQUIDATION] = due[plain]
    barriers[calls, CALL] = terms.margin_call * due[both]
    barriers[liquidations, LIQUIDATION] = due[both]
    opened = np.zeros(account.size, dtype=np.int64)
    opened[liquidations] = LIQUIDATION
    return account, used, weights, barriers, opened


def _thresholds(book: Book, terms: Terms) -> tuple[FloatArray, float]:
    """The liquidation thresholds that count, (n_accounts, n_assets) or (n_assets,), and that of cash."""
    of_terms = np.array([terms.threshold_of(asset, book.currency) for asset in book.assets])
    own = book.liquidation_threshold
    counted = of_terms if own is None else np.where(np.isnan(own[:, None]), of_terms, own[:, None])
    return counted, terms.threshold_of(book.currency, book.currency)


def _filled(values: NDArray[Any], size: int, fill: float) -> NDArray[Any]:
    """`values` and as many more as make `size` rows."""
    whole = np.full((size, *values.shape[1:]), fill, dtype=values.dtype)
    whole[: len(values)] = values
    return whole
