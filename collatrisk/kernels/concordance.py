"""How often each observation of two variables moves with the others and against them: what Kendall's tau counts."""

from __future__ import annotations

from collatrisk.kernels.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def _add(tree, place):  # type: ignore[no-untyped-def]
    """Count one value of rank `place` >= 0 in a tree of partial sums (Fenwick 1994)."""
    i = place + 1
    while i < tree.size:
        tree[i] += 1
        i += i & -i


@njit(cache=True, nogil=True, error_model="numpy")
def _below(tree, place):  # type: ignore[no-untyped-def]
    """How many counted values have a rank below `place`."""
    total = 0
    i = place
    while i > 0:
        total += tree[i]
        i -= i & -i
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _one_way(first, second, order, sign, tree, out):  # type: ignore[no-untyped-def]
    """Of those before each observation in `order` with another first rank: sign times (second below - second above)."""
    tree[:] = 0
    n = order.size
    start = 0
    while start < n:
        stop = start
        while stop < n and first[order[stop]] == first[order[start]]:
            k = order[stop]
            above = start - _below(tree, second[k] + 1)
            out[k] += sign * (_below(tree, second[k]) - above)
            stop += 1
        for i in range(start, stop):
            _add(tree, second[order[i]])
        start = stop


@njit(cache=True, nogil=True, error_model="numpy")
def _without_ties(second, order, tree, out):  # type: ignore[no-untyped-def]
    """The same where no values are equal: those before and below tell the other three quarters."""
    tree[:] = 0
    n = order.size
    for before in range(n):
        k = order[before]
        below = second[k]
        both = _below(tree, below)
        _add(tree, below)
        out[k] = 4 * both + n - 1 - 2 * (before + below)


@njit(cache=True, nogil=True, error_model="numpy")
def concordance(first, second, order, backward, tree, out):  # type: ignore[no-untyped-def]
    """sum_j sign((x_i - x_j) (y_i - y_j)) of every observation i, in n log n steps.

    Parameters
    ----------
    first, second : int64 (n,), dense ranks of x and y: equal values share a rank, ranks from 0.
    order, backward : int64 (n,), the observations by rising and by falling `first`.
    tree : int64 (n + 1,), overwritten. out : int64 (n,), overwritten.
    """
    n = order.size
    if n > 0 and first[order[n - 1]] == n - 1 and second.max() == n - 1:
        _without_ties(second, order, tree, out)
        return
    out[:] = 0
    _one_way(first, second, order, 1, tree, out)
    _one_way(first, second, backward, -1, tree, out)
