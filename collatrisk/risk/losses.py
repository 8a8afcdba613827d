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
_SMALL = 4096
_SD_OF_SAMPLE = 4.0
_SAMPLE = 4096
_HUGE = 1e150


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
    n_huge = int(np.count_nonzero(np.abs(values) > _HUGE)) - n_infinite
    if n_huge:
        rule = f"must lie within -+{_HUGE:g}, or sums of squares overflow"
        problems.add(name, f"{n_huge} beyond it among {values.size}", rule, "give larger units, millions say")


def largest(values: FloatArray, keep: int, problems: Problems) -> FloatArray:
    """The `keep` largest of the values, ascending and exact; NaN and infinite values go to `problems`."""
    found = _checked_candidates(values, keep, problems)
    found.sort()
    return found[max(0, found.size - keep) :]


def largest_from(values: FloatArray, places: Sequence[int], problems: Problems) -> list[FloatArray]:
    """For each place from the end (1 is the largest value), as many of the largest values, exact and hardly ordered.

    The first element of each answer is its smallest and the second its next smallest; the rest are in any order: all
    that VaR and ES read, and much quicker than sorting. NaN and infinite values go to `problems`.
    """
    found = _checked_candidates(values, max(places), problems)
    if problems.found:
        return []
    answers: dict[int, FloatArray] = {}
    for place in sorted(set(places), reverse=True):
        answers[place] = found = _split(found, place)
    return [answers[place] for place in places]


def _checked_candidates(values: FloatArray, keep: int, problems: Problems) -> FloatArray:
    """Some of the largest values, at least `keep` of them if there are as many, in no order, in memory of their own.

    Long samples are read once: a small sample gives a threshold that about `keep` values exceed, and one pass gathers
    what exceeds it. Where the guess fails, the whole is partitioned: what is kept is the same.
    """
    n = values.size
    if n <= _SMALL or keep >= n // 4:
        check_finite(values, problems)
        return values.copy() if n <= _SMALL else np.partition(values, max(0, n - keep))[max(0, n - keep) :]
    found = _candidates(values, keep, problems)
    if found is None and not problems.found:
        check_finite(values, problems)
        found = np.partition(values, n - keep)[n - keep :]
    if found is None:
        return np.empty(0)
    check_finite(np.array([found.min(), found.max()]), problems)
    return found


def _candidates(values: FloatArray, keep: int, problems: Problems) -> FloatArray | None:
    """Some of the largest values, at least `keep` of them, in no order; None where the guess fails."""
    # Imported here because numba is slow to import and small samples do not need it.
    from collatrisk.kernels.tails import CHUNK, compress_above

    n = values.size
    sample = values[:: max(1, int(n / min(max(0.5 * n ** (2 / 3), 512), _SAMPLE)))].copy()
    expected = sample.size * keep / n
    rank = int(expected + _SD_OF_SAMPLE * expected**0.5) + 2
    if rank >= sample.size * 0.7:
        return None
    sample.partition(sample.size - rank)
    threshold = float(sample[sample.size - rank])
    capacity = int(n * (rank + 6.0 * rank**0.5) / sample.size) + 2 * CHUNK
    tail = np.empty(capacity)
    above, equal, n_bad = compress_above(values, threshold, tail)
    if n_bad:
        check_finite(values, problems)
        return None
    if above < 0 or above + equal < keep:
        return None
    tail = tail[:above]
    return tail if above >= keep else np.concatenate([tail, np.full(keep - above, threshold)])


def _split(values: FloatArray, place: int) -> FloatArray:
    """The `place` largest of finite values: the smallest of them first, the next smallest second."""
    if values.size <= _SMALL:
        rest = values.size - place
        return np.partition(values, [rest, min(rest + 1, values.size - 1)])[rest:]
    from collatrisk.kernels.tails import CHUNK, compress_above

    smallest = kth_largest(values, place)
    found = np.empty(place + CHUNK)
    found[0] = smallest
    above = compress_above(values, smallest, found[1:])[0]
    found = found[:place]
    found[above + 1 :] = smallest
    if place > 1:
        second = place - 1 if above + 1 < place else 1 + int(found[1:].argmin())
        found[1], found[second] = found[second], found[1]
    return found


def kth_largest(values: FloatArray, k: int) -> float:
    """The k-th largest of finite values: samples and one-pass gathers narrow the search until few are left."""
    n = values.size
    if n > _SMALL:
        if 2 * k > n + 1:
            return -kth_largest(-values, n - k + 1)
        found = _candidates(values, k, Problems("values"))
        if found is not None and found.size <= 0.9 * n:
            return kth_largest(found, k)
    return float(np.partition(values, n - k)[n - k])
