"""Where prices go: quantile fans and the histogram of losses, streamed from the same paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.study.cells import Solved, solve
from collatrisk.study.context import Context
from collatrisk.study.spec import Book

FloatArray = NDArray[np.float64]

QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}
FAN_PATHS = 10_000
_MOST_DAYS = 60
_BIN = 0.005
_EDGES = np.round(np.arange(-1.0, 1.0 + _BIN / 2, _BIN), 6)


@dataclass(frozen=True)
class LossCounts:
    """Counts of each mix's loss per bin, for a run of paths: what a worker returns. Gains beyond 100 % fall in the
    lowest bin."""

    falls: Any

    def __call__(self, first: int, last: int) -> NDArray[np.int64]:
        """int64 (n_mixes, n_bins)."""
        losses = np.clip(self.falls.read(first, last), _EDGES[0], _EDGES[-1])
        return np.stack([np.histogram(row, bins=_EDGES)[0] for row in losses]).astype(np.int64)


def loss_cells(context: Context, weight: float) -> list[Solved]:
    """One cell a book: the histogram of its collateral's loss over the margin period of risk."""
    mpor = context.study.sizing.mpor_days

    def compute(books: list[Book]) -> list[dict[str, Any]]:
        from collatrisk.execution import map_blocks
        from collatrisk.sizing.haircut import Falls

        step = context.plan.clock.steps(mpor, "mpor_days")
        falls = Falls.of(context.plan, [context.mix(book) for book in books], step, books[0].currency)
        on_done = context.meter.follow("loss distribution", weight)
        blocks = map_blocks(LossCounts(falls), context.plan.n_paths, executor=context.executor, on_done=on_done)
        counts = np.sum(blocks, axis=0)
        return [{"rows": _bins(row)} for row in counts]

    items = [(context.key("losses", book=book.to_dict(), mpor_days=mpor), book) for book in context.study.books]
    return solve(context.store, items, compute)


def fan_cells(context: Context, weight: float) -> list[Solved]:
    """Two cells: quantiles over time of every asset's price and of every book's collateral, relative to the start."""
    books = [book for book in context.study.books if all(asset in context.plan.assets for asset in book.assets)]

    def compute(_: list[str]) -> list[dict[str, Any]]:
        steps = _kept_steps(context.plan.n_steps)
        relative = _relative(context, steps, weight)
        days = context.plan.times[steps]
        rows = []
        for i, asset in enumerate(context.plan.assets):
            rows += _fan_rows("asset", asset, days, relative[:, i])
        for book in books:
            mix = context.mix(book)
            value = np.full(relative[:, 0].shape, mix.weights.get(book.currency, 0.0))
            for i, asset in enumerate(context.plan.assets):
                if asset != book.currency and asset in mix.weights:
                    value += mix.weights[asset] * relative[:, i]
            rows += _fan_rows("book", book.name, days, value)
        return [{"rows": rows}]

    key = context.key("fan", books=[book.to_dict() for book in books])
    return solve(context.store, [(key, "all")], compute)


def _kept_steps(n_steps: int) -> NDArray[np.int64]:
    """At most 61 steps, the first and the last among them."""
    stride = max(1, -(-n_steps // _MOST_DAYS))
    return np.unique(np.append(np.arange(0, n_steps + 1, stride), n_steps))


def _relative(context: Context, steps: NDArray[np.int64], weight: float) -> FloatArray:
    """float64 (n_kept, n_assets, n): prices over the spot on the first paths, which are the same for more paths."""
    count = min(FAN_PATHS, context.plan.n_paths)
    found = np.empty((len(steps), len(context.plan.assets), count))
    on_done = context.meter.follow("price fan", weight)
    for first in range(0, count, 1024):
        last = min(first + 1024, count)
        prices = context.plan.read(first, last).prices
        found[:, :, first:last] = prices[steps] / prices[0]
        on_done(last, count)
    return found


def _fan_rows(kind: str, subject: str, days: FloatArray, values: FloatArray) -> list[dict[str, Any]]:
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=1, method="inverted_cdf")
    return [
        {
            "kind": kind,
            "subject": subject,
            "days": float(day),
            **dict(zip(QUANTILES, column.tolist(), strict=True)),
            "n": values.shape[1],
        }
        for day, column in zip(days, quantiles.T, strict=True)
    ]


def _bins(counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The bins from the first that is not empty to the last."""
    seen = np.flatnonzero(counts)
    span = range(int(seen[0]), int(seen[-1]) + 1) if seen.size else range(0)
    return [{"left": float(_EDGES[i]), "right": float(_EDGES[i + 1]), "count": int(counts[i])} for i in span]
