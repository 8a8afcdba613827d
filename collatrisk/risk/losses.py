"""Losses as every measure of risk wants them: one-dimensional, finite, contiguous float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    import pandas as pd

    Losses = NDArray[Any] | pd.Series[Any] | list[float] | tuple[float, ...]

FloatArray = NDArray[np.float64]
SMALL = 4096
"""Samples up to this size are sorted: compiled code would take longer to import than it saves."""
_FEW = 512  # so many are sorted sooner than split
HUGE = 1e150


def as_losses(losses: object, problems: Problems, name: str = "losses") -> FloatArray:
    """`losses` as a contiguous float64 vector; wrong shapes and types go to `problems`, values are not looked at."""
    if isinstance(losses, np.ma.MaskedArray) and np.ma.is_masked(losses):
        remedy = "leave them out deliberately: losses.compressed()"
        problems.add(name, f"{int(np.ma.getmaskarray(losses).sum())} masked values", "must not be masked", remedy)
        return np.empty(0)
    values = _as_floats(losses)
    if values is None:
        problems.add(name, losses, "must be numbers", "give a one-dimensional array of losses, positive = bad")
        return np.empty(0)
    if values.ndim != 1:
        remedy = "give one column at a time" if values.ndim > 1 else "give a one-dimensional array"
        problems.add(name, f"array of shape {values.shape}", "must be one-dimensional", remedy)
        return np.empty(0)
    problems.check(values.size > 0, name, "an empty array", "must hold at least one loss", "check the selection")
    return np.ascontiguousarray(values)


def _as_floats(losses: object) -> FloatArray | None:
    """As float64; None for what is not numbers: text, dates and complex numbers would convert all the same."""
    try:
        given = np.asarray(losses)
        return np.asarray(given, dtype=np.float64) if given.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        return None


def check_finite(values: FloatArray, problems: Problems, name: str = "losses") -> None:
    """Refuse NaN, infinite and absurdly large values (whose squares or sums overflow), with their counts."""
    n_nan = int(np.count_nonzero(np.isnan(values)))
    n_infinite = int(np.count_nonzero(np.isinf(values)))
    if n_nan:
        shown = f"{n_nan} NaN among {values.size}"
        problems.add(name, shown, "must not be NaN", "drop them deliberately (losses[~np.isnan(losses)]) or mend them")
    if n_infinite:
        shown = f"{n_infinite} infinite among {values.size}"
        problems.add(name, shown, "must be finite", "an infinite loss has no expected shortfall: cap it or drop it")
    n_huge = int(np.count_nonzero(np.abs(values) > HUGE)) - n_infinite
    if n_huge:
        rule = f"must lie within -+{HUGE:g}, or sums of squares overflow"
        problems.add(name, f"{n_huge} beyond it among {values.size}", rule, "give larger units, millions say")


def largest(values: FloatArray, keep: int, problems: Problems) -> FloatArray:
    """The `keep` largest of the values, ascending and exact; NaN and infinite values go to `problems`."""
    found = _checked_candidates(values, keep, problems)
    found.sort()
    return found[max(0, found.size - keep) :]


def tails_about(values: FloatArray, spans: Sequence[tuple[int, int]], problems: Problems) -> list[FloatArray]:
    """The largest of the values for each span of places from the end (1 is the largest), ascending inside the span.

    Each is a sorted tail as far as its span goes; what is larger stands behind it, in no order. NaN and infinite values
    go to `problems`.
    """
    found = _checked_candidates(values, max(last for _, last in spans), problems)
    if problems.found:
        return []
    if values.size <= SMALL or found.size <= _FEW:
        found.sort()
        return [found] * len(spans)
    from collatrisk.kernels.tail_search import split_tail
    from collatrisk.kernels.tails import CHUNK

    middle, beyond = np.empty((2, found.size + CHUNK))
    tails = []
    for first, last in spans:
        n_middle, n_beyond = split_tail(found, first, last, middle, beyond)
        tails.append(np.concatenate([np.sort(middle[:n_middle]), beyond[:n_beyond]]))
    return tails


def _checked_candidates(values: FloatArray, keep: int, problems: Problems) -> FloatArray:
    """Some of the largest values, at least `keep` of them if there are as many, in no order, in memory of their own.

    Long samples are read once: a small sample gives a threshold that about `keep` values exceed, and one pass gathers
    what exceeds it. Where the guess fails, the whole is partitioned: what is kept is the same.
    """
    n = values.size
    if n > SMALL and keep < n // 4:
        # Imported here because numba is slow to import and small samples do not need it.
        from collatrisk.kernels.tail_search import gather_tail, plan_gather
        from collatrisk.kernels.tails import CHUNK

        stride, rank, capacity = plan_gather(n, keep)
        work = np.empty((2, capacity + CHUNK))
        n_found, n_bad = gather_tail(values, stride, rank, *work)
        if not n_bad and n_found >= keep:
            found = work[0, :n_found].copy()
            check_finite(np.array([found.min(), found.max()]), problems)
            return found
    check_finite(values, problems)
    return values.copy() if n <= SMALL else np.partition(values, max(0, n - keep))[max(0, n - keep) :]
