"""What a block of outcomes is boiled down to: sums over micro-blocks, counts of first steps, values of the tails."""

from __future__ import annotations

from collatrisk.kernels.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def sum_block(amounts, events, micro, largest_root, sums, squares, counts):  # type: ignore[no-untyped-def]
    """Sums of amounts and of their squares over each micro-block, in the order of the paths; counts of events.

    Parameters
    ----------
    amounts : float64 (n_rows, n_paths, n_metrics). events : int32 (n_rows, n_paths, n_events), a step or -1.
    micro : int, paths a micro-block. largest_root : float, larger values count as this in `squares`.
    sums, squares : float64 (n_micro, n_rows, n_metrics), overwritten.
    counts : int64 (n_rows, n_events, n_steps + 1), added to.
    """
    n_rows, n_paths, n_metrics = amounts.shape
    sums[:] = 0.0
    squares[:] = 0.0
    for row in range(n_rows):
        for p in range(n_paths):
            values = amounts[row, p]
            total = sums[p // micro, row]
            square = squares[p // micro, row]
            for m in range(n_metrics):
                total[m] += values[m]
            for m in range(n_metrics):
                bounded = min(values[m], largest_root)
                square[m] += bounded * bounded
            for e in range(events.shape[2]):
                step = events[row, p, e]
                if step >= 0:
                    counts[row, e, step] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def gather_tails(amounts, metrics, tails, sizes):  # type: ignore[no-untyped-def]
    """Append what can be in a bad tail: amounts above zero, and every value of the last two metrics.

    Amounts are never below zero, so that zeros need not be kept. The last metric but one is a loss of either sign, the
    last is bad where it is low: its sign is turned.

    Parameters
    ----------
    amounts : float64 (n_paths, n_metrics), one row of accounts. metrics : int64 (n_tails,).
    tails : float64 (n_tails, capacity). sizes : int64 (n_tails,), values in each so far, moved on.
    """
    last = metrics.size - 1
    for p in range(amounts.shape[0]):
        for i in range(last - 1):
            value = amounts[p, metrics[i]]
            if value > 0.0:
                tails[i, sizes[i]] = value
                sizes[i] += 1
        tails[last - 1, sizes[last - 1]] = amounts[p, metrics[last - 1]]
        sizes[last - 1] += 1
        tails[last, sizes[last]] = -amounts[p, metrics[last]]
        sizes[last] += 1
