"""Books: first calls and liquidations of 10^5 accounts, beside numpy and the time of the multiply-adds alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from common import Row, market, race, terms
from numba import njit

import collatrisk as cr
from collatrisk.kernels.tile import LANES, ROWS, tile_below

ACCOUNTS, ASSETS, PATHS, STEPS = 100_000, 20, 10_240, 10
_PART = 20  # the floor is timed on this part of its work
_NUMPY_ACCOUNTS = 2_000
_RESIDENT = 1_000


@njit(cache=True, nogil=True)
def _multiply_adds(prices: Any, columns: Any, weights: Any, start: Any, limits: Any, values: Any, times: int) -> int:
    """A tile that stays in the first-level cache, again and again: what the processor can multiply and add."""
    found = 0
    for _ in range(times):
        low, _ = tile_below(prices, 0, columns, 0, columns.size, weights, start, 1.0, limits, values)
        found += 1 if low != 0 else 0
    return found


def run() -> list[Row]:
    """Every account holds all assets, or one to five of them; with the bounds and without."""
    plan = cr.PathPlan(market(ASSETS), n_paths=PATHS, horizon_days=STEPS, seed=7)
    return [_row(plan, book, name, prune) for name, book in _books(plan).items() for prune in (True, False)]


def _books(plan: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    full = rng.dirichlet(np.ones(ASSETS), ACCOUNTS)
    few = np.zeros_like(full)
    ranks = np.argsort(rng.random(full.shape), axis=1)
    chosen = ranks < rng.integers(1, 6, ACCOUNTS)[:, None]
    few[chosen] = rng.exponential(size=int(chosen.sum()))
    few /= few.sum(axis=1, keepdims=True)
    owed = np.zeros((ACCOUNTS, ASSETS + 1))
    owed[:, -1] = rng.uniform(0.2, 0.72, ACCOUNTS) * 1e4
    names = tuple(f"account {i}" for i in range(ACCOUNTS))
    cash = np.zeros((ACCOUNTS, 1))
    held = {"20 assets each": full, "3 assets each on average": few}
    return {
        name: cr.Book(names, plan.assets, np.hstack([shares * 1e4 / plan.spot, cash]), owed)
        for name, shares in held.items()
    }


def _row(plan: Any, book: Any, name: str, prune: bool) -> Row:
    rules = terms("close")
    weights = np.ascontiguousarray(book.held[:_NUMPY_ACCOUNTS, :-1] * 0.85)
    debts = rules.margin_call * book.owed[:_NUMPY_ACCOUNTS, -1:]
    out = np.empty((_NUMPY_ACCOUNTS, 1024))
    least = np.empty_like(out)
    prices = [np.ascontiguousarray(step) for step in plan.read(0, 1024).prices[1:]]
    resident = (np.ones(LANES), np.zeros(_RESIDENT, dtype=np.int64), np.full(_RESIDENT * ROWS, 1e-9), np.zeros(ROWS))
    limits = np.full(ROWS * LANES, -1.0)
    times = ACCOUNTS * ASSETS * PATHS * STEPS // (_RESIDENT * ROWS * LANES * _PART * 2)

    def ours() -> None:
        with ThreadPoolExecutor(2) as executor:
            cr.book_margin_calls(plan, book, rules, prune=prune, lowest_level=0.99, executor=executor)

    def by_numpy() -> None:
        for _ in range(PATHS // 1024):
            least[:] = np.inf
            for step in prices:
                np.matmul(weights, step, out=out)
                np.minimum(least, out, out=least)
            np.count_nonzero(least < debts, axis=1)

    def floor() -> None:
        def half(_: int) -> int:
            return int(_multiply_adds(*resident, limits, np.empty(ROWS * LANES), times))

        with ThreadPoolExecutor(2) as executor:
            list(executor.map(half, range(2)))

    found = race({"ours": ours, "numpy": by_numpy, "floor": floor})
    # One thread for numpy on some of the accounts, as if two threads did all of them.
    numpy_times = found["numpy"].scaled(ACCOUNTS / _NUMPY_ACCOUNTS / 2)
    return Row(
        f"book_margin_calls, {ACCOUNTS} accounts, {name}, {PATHS} paths x {STEPS} steps, "
        + ("with bounds" if prune else "without bounds"),
        "s",
        found["ours"],
        {"numpy product and minimum in chunks, calls only (scaled from 2 000 accounts, two threads)": numpy_times},
        ("the multiply-adds of all 20 assets alone", found["floor"].scaled(_PART)),
        note="two workers; paths, both events, debts by step and tails included",
        target="<= 1.53x the multiply-adds" if name.startswith("20") else "<= 0.23x the multiply-adds" if prune else "",
    )
