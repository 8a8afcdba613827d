"""Moments of many quantities at once, from the sums that workers take over micro-blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from collatrisk.risk.moments import Moments

FloatArray = NDArray[np.float64]
Expansions = list[list[tuple[float, ...]]]
_PENDING = 512  # micro-blocks held as they came: half a million paths


def exact_parts(numbers: Iterable[float]) -> tuple[float, ...]:
    """A few floats with exactly the sum of `numbers`, the same whatever the order: the rounded sum, what rounding left
    of it, and so on. Numbers whose sum overflows, or is none, come back as they are."""
    left = list(numbers)
    parts: list[float] = []
    try:
        while (rounded := math.fsum(left)) != 0.0:
            parts.append(rounded)
            if not math.isfinite(rounded):
                break
            left.append(-rounded)
    except (OverflowError, ValueError):
        return tuple(left[: len(left) - len(parts)])
    return tuple(parts) or (0.0,)


class MomentSums:
    """Collects the sums of micro-blocks, in any order; its memory does not grow with their number."""

    def __init__(self) -> None:
        self._sums: list[FloatArray] = []
        self._squares: list[FloatArray] = []
        self._pending = 0
        self._folded: tuple[Expansions, Expansions] | None = None

    def push(self, sums: FloatArray, squares: FloatArray) -> None:
        """Add sums of values and of their squares: float64 (n_micro_blocks, n_rows, n_metrics) each."""
        self._sums.append(sums)
        self._squares.append(squares)
        self._pending += sums.shape[0]
        if self._pending >= _PENDING:
            self._folded = self._expansions(exactly=True)
            self._sums, self._squares, self._pending = [], [], 0

    def moments(self, n_paths: int) -> tuple[tuple[Moments, ...], ...]:
        """By row and metric, the moments of `n_paths` values."""
        totals, squares = self._expansions(exactly=self._folded is not None)
        return tuple(
            tuple(Moments(n_paths, total, square) for total, square in zip(*row, strict=True))
            for row in zip(totals, squares, strict=True)
        )

    def _expansions(self, exactly: bool) -> tuple[Expansions, Expansions]:
        held = self._folded or (None, None)
        return _together(held[0], self._sums, exactly), _together(held[1], self._squares, exactly)


def _together(held: Expansions | None, pending: Sequence[FloatArray], exactly: bool) -> Expansions:
    """By row and metric, what was held and what came since; with `exactly` folded to a few floats."""
    if not pending:
        return held or []
    columns = np.concatenate(pending).transpose(1, 2, 0).tolist()
    if held is not None:
        columns = [[[*a, *b] for a, b in zip(*rows, strict=True)] for rows in zip(held, columns, strict=True)]
    return [[exact_parts(column) if exactly else tuple(column) for column in row] for row in columns]
