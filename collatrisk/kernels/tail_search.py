"""Order statistics far in a tail and the sums beyond them, from little more than one pass over the losses.

A small sample gives a threshold that few losses exceed; one pass gathers those; among them the order statistics are
found by counting, which has no branch to mispredict. What the sample guesses decides the speed, never the answer.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.tails import (
    CHUNK,
    compress_above_plain,
    compress_above_wide,
    compress_between_plain,
    compress_between_wide,
    count_bad,
    sum_twice,
)
from collatrisk.kernels.vectors import WIDE

KTH, NEXT, HIGH, LOW, MAGNITUDE, N_POINTS = range(6)
"""What `tail_points` says of a place: the columns of its answer."""

_LEAST_SAMPLED, _MOST_SAMPLED = 512, 4096
_SDS, _ROOM_SDS = 4.0, 6.0
_FEW = 24
_MANY, _SECOND_SAMPLE = 2048, 384
_MAGNITUDE_BITS = np.int64(0x7FFFFFFFFFFFFFFF)
_COMPACT = 4

_compress = compress_above_wide if WIDE else compress_above_plain
_compress_inside = compress_between_wide if WIDE else compress_between_plain


def plan_gather(n: int, place: int) -> tuple[int, int, int]:
    """How to gather at least the `place` largest of `n` losses, most likely: (stride, rank, capacity).

    Every stride-th loss is sampled; the threshold is the rank-th largest of the sample, four standard deviations
    beyond the place; about `capacity` losses at most exceed it. A rank of 0: the place is not far enough in the tail,
    take all losses.
    """
    stride = max(1, int(n / min(max(0.25 * n ** (2 / 3), _LEAST_SAMPLED), _MOST_SAMPLED)))
    sampled = -(-n // stride)
    expected = sampled * place / n
    rank = int(expected + _SDS * expected**0.5) + 2
    if rank >= sampled // 2:
        return stride, 0, n
    return stride, rank, min(n, int(n * (rank + _ROOM_SDS * rank**0.5) / sampled) + CHUNK)


@njit(cache=True, nogil=True, error_model="numpy")
def tail_points(values, places, inside, stride, rank, work, points):  # type: ignore[no-untyped-def]
    """For each place from the end (1 is the largest loss): the loss there, the next larger one, and the sum beyond.

    Parameters
    ----------
    values : float64 (n,), C-contiguous.
    places : int64 (n_places,), each in [1, n], descending.
    inside : int64 (n_places,), how many of the largest to sum, less than the place.
    stride, rank : of `plan_gather` for the first place; a rank of 0 gathers nothing and searches all losses.
    work : float64 (2 (capacity + CHUNK),), overwritten.
    points : float64 (n_places, N_POINTS), overwritten: the loss at the place, the next larger one (the same where the
        place is 1), and `sum_twice` of the `inside` largest.

    Returns
    -------
    0; the number of NaN and infinite values, if any; -1 if the sample misled, to be called again with a rank of 0. Only
    after 0 does `points` mean anything.
    """
    half = work.size // 2
    found, spare = work[:half], work[half:]
    n_found, bad = gather_tail(values, stride, rank, found, spare)
    if bad > 0:
        return bad
    if n_found < places[0]:
        return -1
    for j in range(places.size):
        kth = kth_largest(found[:n_found], places[j], spare)
        above, _, _ = _compress(found[:n_found], kth, spare)
        _describe(spare[:above], kth, places[j], inside[j], points[j])
        if j + 1 < places.size and places[j + 1] <= above:
            found, spare = spare, found
            n_found = above
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def gather_tail(values, stride, rank, found, spare):  # type: ignore[no-untyped-def]
    """Copy the values beyond the threshold that a sample suggests to the front of `found`: (how many, how many bad).

    Parameters
    ----------
    values, stride, rank : as in `tail_points`; a rank of 0 copies all.
    found, spare : float64 (>= capacity + CHUNK,), overwritten.

    Returns
    -------
    How many were copied, in their order: -1 if `found` is too small; how many values are NaN or infinite: unless 0, the
    first means nothing.
    """
    if rank > 0:
        n_found, _, bad = _compress(values, _sampled_threshold(values, stride, rank, found, spare), found)
        return n_found, count_bad(values) if bad > 0 else 0
    found[: values.size] = values
    return values.size, count_bad(values)


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled_threshold(values, stride, rank, sample, spare):  # type: ignore[no-untyped-def]
    """The rank-th largest of every stride-th value, and minus infinity if one of them has no order."""
    n_sampled = 0
    odd = 0.0
    for i in range(0, values.size, stride):
        sample[n_sampled] = values[i]
        odd += values[i] - values[i]
        n_sampled += 1
    return kth_largest(sample[:n_sampled], rank, spare) if odd == 0.0 else -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _describe(beyond, kth, place, inside, point):  # type: ignore[no-untyped-def]
    """Fill a row of points from all losses beyond the loss at the place."""
    high, low, magnitude = sum_twice(beyond)
    n_beyond = beyond.size
    smallest = kth
    if n_beyond == place - 1 and n_beyond > 0:
        smallest = beyond[0]
        for i in range(n_beyond):
            smallest = min(smallest, beyond[i])
    # At most one loss is taken back: only then can it differ from the loss at the place.
    for _ in range(n_beyond - inside):
        high, low = _add(high, low, -smallest)
        magnitude += abs(smallest)
    for _ in range(inside - n_beyond):
        high, low = _add(high, low, kth)
        magnitude += abs(kth)
    point[KTH], point[NEXT] = kth, smallest
    point[HIGH], point[LOW], point[MAGNITUDE] = high, low, magnitude


@njit(cache=True, nogil=True, error_model="numpy")
def _add(high, low, x):  # type: ignore[no-untyped-def]
    """Knuth's two-sum: the pair and one more number."""
    total = high + x
    tail = total - high
    return total, low + ((high - (total - tail)) + (x - tail))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _key(x):  # type: ignore[no-untyped-def]
    """A whole number that is ordered as the floats are; 0 for both zeros."""
    bits = np.float64(x).view(np.int64)
    return bits if bits >= 0 else (bits ^ _MAGNITUDE_BITS) + 1


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _float(key):  # type: ignore[no-untyped-def]
    return np.int64(key if key >= 0 else (key - 1) ^ _MAGNITUDE_BITS).view(np.float64)


@njit(cache=True, nogil=True, error_model="numpy")
def kth_largest(values, k, spare):  # type: ignore[no-untyped-def]
    """The k-th largest of finite values.

    Many values are narrowed first: two order statistics of a sample that lie about it bound the search.

    Parameters
    ----------
    values : float64 (n,), left as it is. k : int in [1, n]. spare : float64 (>= n + CHUNK,), overwritten.
    """
    n = values.size
    if n >= _MANY:
        stride = n // _SECOND_SAMPLE
        n_sampled = 0
        for i in range(0, n, stride):
            spare[n_sampled] = values[i]
            n_sampled += 1
        sample, rest = spare[:n_sampled], spare[n_sampled:]
        share = k / n
        expected = share * n_sampled
        reach = _SDS * np.sqrt(expected * (1.0 - share)) + 1.0
        last, first = int(expected + reach) + 1, int(expected - reach)
        low = _bisect(sample, last, rest) if last <= n_sampled else -np.inf
        high = _bisect(sample, first, rest) if first >= 1 else np.inf
        inside, above = _compress_inside(values, low, high, spare)
        if above < k <= above + inside:
            return _bisect(spare[:inside], k - above, spare[:inside])
    return _bisect(values, k, spare)


@njit(cache=True, nogil=True, error_model="numpy")
def split_tail(values, first, last, middle, beyond):  # type: ignore[no-untyped-def]
    """Take the losses at the places `first` to `last` from the end, and those beyond them, out of finite values.

    Parameters
    ----------
    values : float64 (n,), left as it is. first, last : int in [1, n], first <= last.
    middle, beyond : float64 (>= n + CHUNK,), overwritten.

    Returns
    -------
    How many values, in no order, are at the front of `middle`: all that are neither above the loss at `first` nor below
    that at `last`; and of `beyond`: all above the loss at `first`.
    """
    high = kth_largest(values, first, middle)
    low = kth_largest(values, last, middle)
    above, _, _ = _compress(values, high, beyond)
    inside, _ = _compress_inside(values, _float(_key(low) - 1), high, middle)
    return inside, above


@njit(cache=True, nogil=True, error_model="numpy")
def _bisect(values, k, spare):  # type: ignore[no-untyped-def]
    """`kth_largest` by halving the range of floats: each step counts what lies above, and has no branch to mispredict.

    `spare` may be the values themselves: then they are overwritten.
    """
    low, high = np.int64(_MAGNITUDE_BITS), -np.int64(_MAGNITUDE_BITS)
    for i in range(values.size):
        key = _key(values[i])
        low = min(low, key)
        high = max(high, key)
    searched = values
    from_low, from_high = values.size, 0  # how many are >= low, and > high, among those searched
    while low < high:
        if _COMPACT * (from_low - from_high) <= searched.size or searched.size <= _FEW:
            size, _ = _compress_inside(searched, _float(low - 1), _float(high), spare)
            searched = spare[:size]
            k -= from_high
            from_low, from_high = size, 0
            if size <= _FEW:
                return _kth_of_few(searched, k)
        middle = (low & high) + ((low ^ high) >> np.int64(1))
        above = _count_above(searched, _float(middle))
        if above >= k:
            low, from_low = middle + 1, above
        else:
            high, from_high = middle, above
    return _float(low)


@njit(cache=True, nogil=True, error_model="numpy")
def _count_above(values, level):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(values.size):
        count += 1 if values[i] > level else 0
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _kth_of_few(values, k):  # type: ignore[no-untyped-def]
    """By insertion, in place."""
    for i in range(1, values.size):
        x = values[i]
        j = i
        while j > 0 and values[j - 1] < x:
            values[j] = values[j - 1]
            j -= 1
        values[j] = x
    return values[k - 1]
