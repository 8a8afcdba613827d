"""A slow, obvious twin of the book: every account on every path, one health factor at a time."""

from __future__ import annotations

import math

import numpy as np
from naive_surfaces import row_sum


def book_calls(prices, assets, book, terms, step_years):
    """(first call, first liquidation) of each account on each path, int (n_accounts, 2, n_paths), -1 for never."""
    n_steps, _, n_paths = prices.shape[0] - 1, *prices.shape[1:]
    first = np.full((len(book), 2, n_paths), -1)
    for a in range(len(book)):
        own = math.nan if book.liquidation_threshold is None else book.liquidation_threshold[a]
        for p in range(n_paths):
            for t in range(n_steps + 1):
                collateral = book.held[a, -1] * terms.threshold_of(book.currency, book.currency)
                debt = book.owed[a, -1]
                for i, asset in enumerate(book.assets):
                    price = prices[t, assets.index(asset), p]
                    threshold = terms.threshold_of(asset, book.currency) if math.isnan(own) else own
                    collateral += book.held[a, i] * price * threshold
                    debt += book.owed[a, i] * price
                debt *= math.exp(terms.borrow_rate * step_years * t)
                health = collateral / debt if debt > 0 else math.inf
                for event, level in enumerate((terms.margin_call, 1.0)):
                    if health < level and first[a, event, p] < 0:
                        first[a, event, p] = t
    return first


def book_sums(first, debts, n_steps):
    """The four quantities of the book by step, float (4, n_steps + 1, n_paths)."""
    sums = np.zeros((4, n_steps + 1, first.shape[2]))
    for t in range(n_steps + 1):
        for event in (0, 1):
            fell = (first[:, event] >= 0) & (first[:, event] <= t)
            sums[2 * event, t] = fell.sum(axis=0)
            sums[2 * event + 1, t] = (debts[:, None] * fell).sum(axis=0)
    return sums


def path_sums(prices, n_steps, columns, weights, cash, scales):
    """cash scale + sum over columns of weight x price, float (n_rows, n_steps): each product added in one rounding."""
    sums = np.zeros((len(cash), n_steps))
    for r in range(len(cash)):
        for k in range(n_steps):
            picked = [prices[column * n_steps + k] for column in columns]
            sums[r, k] = row_sum(picked, weights[:, r], cash[r] * scales[k])
    return sums
