"""What outcomes with a row for each path are boiled down to: sums over micro-blocks, counts of first steps."""

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
