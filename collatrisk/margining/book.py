"""Margin calls and liquidations of very many accounts at once: `book_margin_calls`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.collateral import Book, Terms
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.margining.book_calls import N_METRICS, BookCalls
from collatrisk.margining.book_rows import BookRows, IntArray, book_rows
from collatrisk.margining.gather import Tail
from collatrisk.margining.run import steps_to_run
from collatrisk.risk import Moments, MomentSums, TailSketch, tail_size
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import FloatArray, PathSource, check_source


def book_margin_calls(
    source: PathSource,
    book: Book,
    terms: Terms,
    *,
    horizon_days: float | None = None,
    lowest_level: float = 0.95,
    prune: bool = True,
    executor: Executor | None = None,
    block_size: int = MICRO_BLOCK,
    progress: Callable[[int, int], object] | None = None,
) -> BookCalls:
    """Which accounts of a book are called and liquidated, how likely, and how much of the book at once.

    For books of up to millions of accounts. An account is called at the first step at whose end its health factor is
    below ``terms.margin_call``, and liquidated at the first at whose end it is below 1 (strictly). What follows a call
    or a sale is not run: no cures, no top-ups, no proceeds; `run_margin` does that, for fewer accounts. With
    ``mark="close"``, no delay and no cures these are the first calls and liquidations of `run_margin`.

    Parameters
    ----------
    source : the paths. Ends of steps count, with ``mark="bridge"`` too; a finding says so then.
    book : the accounts.
    terms : thresholds (unless an account has its own), margin_call and borrow_rate are used.
    horizon_days : days of the source's clock; None: to the end of the paths.
    lowest_level : the lowest level of VaR and ES that the answer can give, in (0, 1).
    prune : whether bounds skip accounts on paths that cannot reach them; the answer is the same to the last bit.
    executor, block_size, progress : as for `run_margin`; they do not change the answer.

    Returns
    -------
    BookCalls. Its memory does not grow with the paths, but for the tails: 8 bytes for each path above `lowest_level`,
    step and quantity.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("book_margin_calls")
    check_source(problems, source)
    problems.check(isinstance(book, Book), "book", book, "must be a Book", "give Book.from_frame(positions)")
    problems.check(isinstance(terms, Terms), "terms", terms, "must be Terms", "give Terms(...)")
    problems.check(isinstance(prune, bool), "prune", prune, "must be True or False", "leave it out")
    problems.raise_if_any()
    problems.known("book", book.assets, source.assets)
    rule = "is both the book's currency and an asset of the source"
    problems.check(book.currency not in source.assets, "book", book.currency, rule, "rename one of them")
    for asset in (*book.assets, book.currency):
        try:
            terms.threshold_of(asset, book.currency)
        except InputError as error:
            problems.found.extend(error.problems)
    problems.raise_if_any()
    n_steps = steps_to_run(source, horizon_days, lowest_level=lowest_level)

    rows = book_rows(book, terms, source)
    task = BookTask(source, rows, n_steps, prune)
    keep = tail_size(source.n_paths, lowest_level)
    blocks = iter_blocks(task, source.n_paths, size=block_size, executor=executor, on_done=progress)
    hits, moments, tails = _gather(blocks, _at_start(rows), n_steps, keep)
    hits += _fell_at_start(rows) * np.int64(source.n_paths)
    return BookCalls(
        book=book,
        clock=source.clock,
        times=np.array(source.times[: n_steps + 1]),
        n_paths=source.n_paths,
        overlap=source.overlap,
        hits=_by_account(hits, rows.account, len(book)),
        moments=moments,
        tails=tails,
        findings=_findings(source, terms),
    )


@dataclass(frozen=True, slots=True)
class BookBlock:
    """What a block of paths adds: hits, int64 (n_rows, 2), and sums, float64 (2, 2, n_steps + 1, n_paths)."""

    hits: IntArray
    sums: FloatArray


@dataclass(frozen=True, slots=True)
class BookTask:
    """A picklable function of a range of paths."""

    source: PathSource
    rows: BookRows
    n_steps: int
    prune: bool

    def __call__(self, first: int, last: int) -> BookBlock:
        """Follow the book over the paths `first` to `last` - 1."""
        from collatrisk.kernels.book import N_EVENTS, book_block

        rows = self.rows
        prices = np.ascontiguousarray(
            read_scratch(self.source, first, last, self.n_steps, variance=False).prices[: self.n_steps + 1]
        )
        hits = np.zeros((rows.cash.size, N_EVENTS), dtype=np.int64)
        sums = np.empty((N_EVENTS, 2, self.n_steps + 1, last - first))
        book_block(
            prices,
            _alike(prices, rows),
            rows.sources,
            rows.owed,
            rows.growth,
            rows.bounds,
            rows.columns,
            rows.weights,
            rows.cash,
            rows.barriers,
            rows.levels,
            rows.debts,
            self.prune,
            hits,
            sums,
        )
        return BookBlock(hits, sums)


def _alike(prices: FloatArray, rows: BookRows) -> IntArray:
    """The paths in the order of the value of the whole book where each of its columns is worst."""
    low, high = prices[1:].min(axis=0), prices[1:].max(axis=0)
    worst = np.where(rows.owed[:, None], high[rows.sources], low[rows.sources]) / prices[0][rows.sources]
    return np.argsort(rows.exposure @ worst, kind="stable").astype(np.int64)


def _fell_at_start(rows: BookRows) -> NDArray[np.bool_]:
    """bool (n_rows, 2): which rows are below which of their barriers at step 0, on every path."""
    events = np.arange(2)
    return (rows.opened[:, None] <= events) & (events < rows.levels[:, None])


def _at_start(rows: BookRows) -> FloatArray:
    """How many accounts, and debts, are below their barriers at step 0: float64 (2, 2), as in `BookBlock.sums`."""
    fell = _fell_at_start(rows).T
    return np.array([[one.sum(), rows.debts[one].sum()] for one in fell], dtype=np.float64)


def _gather(
    blocks: Iterable[BookBlock], at_start: FloatArray, n_steps: int, keep: int
) -> tuple[IntArray, tuple[tuple[Moments, ...], ...], tuple[tuple[TailSketch, ...], ...]]:
    """Fold blocks in path order: hits, and by metric and step the moments and the tail."""
    tails = [[Tail(keep) for _ in range(n_steps + 1)] for _ in range(N_METRICS)]
    sums = MomentSums()
    hits: IntArray | None = None
    n_paths = 0
    for block in blocks:
        hits = block.hits if hits is None else hits + block.hits
        values = (block.sums + at_start[:, :, None, None]).reshape(N_METRICS, n_steps + 1, -1)
        for first in range(0, values.shape[2], MICRO_BLOCK):
            part = np.ascontiguousarray(values[:, :, first : first + MICRO_BLOCK])
            sums.push(part.sum(axis=2)[None], (part * part).sum(axis=2)[None])
        for row, steps in zip(tails, values, strict=True):
            for tail, step in zip(row, steps, strict=True):
                tail.push(step[step > 0.0])
        n_paths += values.shape[2]
    assert hits is not None
    return hits, sums.moments(n_paths), tuple(tuple(tail.sketch(n_paths) for tail in row) for row in tails)


def _by_account(hits: IntArray, account: IntArray, n_accounts: int) -> IntArray:
    whole = np.zeros((n_accounts, hits.shape[1]), dtype=np.int64)
    np.add.at(whole, account[account >= 0], hits[account >= 0])
    return whole


def _findings(source: PathSource, terms: Terms) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if terms.mark == "bridge":
        text = "the accounts of a book are watched at the ends of steps, not between them"
        remedy = "read the probabilities as lower bounds, or take shorter steps"
        found.append(Finding("no-bridge", "warning", "book", f"{text}; {remedy}"))
    if source.overlap > 1:
        text = f"paths are windows that share up to {source.overlap - 1} steps"
        found.append(Finding("overlapping-windows", "info", "source", f"{text}; intervals allow for it"))
    return tuple(found)
