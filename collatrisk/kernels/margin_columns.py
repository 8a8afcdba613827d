"""What the sparse outcomes of the margin engine (`collatrisk.kernels.margin`) are boiled down to.

A path on which nothing happens is zero in all amounts but the columns INTEREST to COLLATERAL_LOSS, and
adding zero changes no sum: so sums run over all paths for those five and over the paths with events for the others,
in the order of the paths, and are the same numbers as over full rows.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.columns import COLLATERAL_LOSS, INTEREST, MIN_HEALTH, N_COLUMNS, N_EVENTS
from collatrisk.kernels.jit import leaf, njit

_LOWEST = MIN_HEALTH - INTEREST


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def add_book(kept, eventful, slots, n_eventful, amounts, events):  # type: ignore[no-untyped-def]
    """The last row: sums of the accounts' amounts, the lowest health factor, the first occurrence on any account.

    Parameters
    ----------
    kept : float64 (n_accounts + 1, N_COLUMNS, n_paths), the last overwritten.
    eventful, slots : int64 (n_accounts + 1, n_paths), n_eventful : int64 (n_accounts + 1,). The last `eventful` are
        overwritten by the paths on which any account has an event; the last `slots` are scratch.
    amounts : float64 (n, n_amounts), events : int32 (n, N_EVENTS): rows of the accounts one after another, then,
        written here, those of the book.
    """
    book = kept.shape[0] - 1
    for m in range(N_COLUMNS):
        total = kept[book, m]
        for a in range(book):
            column = kept[a, m]
            if a == 0:
                for p in range(total.size):
                    total[p] = column[p]
            elif m == _LOWEST:
                for p in range(total.size):
                    total[p] = min(total[p], column[p])
            else:
                for p in range(total.size):
                    total[p] += column[p]
    slot, paths = slots[book], eventful[book]
    for p in range(slot.size):
        slot[p] = 0
    rows = 0
    for a in range(book):
        rows += n_eventful[a]
        for j in range(n_eventful[a]):
            slot[eventful[a, j]] = 1
    n = 0
    for p in range(slot.size):
        if slot[p] == 1:
            paths[n], slot[p] = p, rows + n
            for m in range(amounts.shape[1]):
                amounts[rows + n, m] = 0.0
            for m in range(N_EVENTS):
                events[rows + n, m] = -1
            n += 1
    n_eventful[book] = n
    row = 0
    for a in range(book):
        for j in range(n_eventful[a]):
            at = slot[eventful[a, j]]
            for m in range(amounts.shape[1]):
                amounts[at, m] += amounts[row, m]
            for m in range(N_EVENTS):
                step = events[row, m]
                if step >= 0 and (events[at, m] < 0 or step < events[at, m]):
                    events[at, m] = step
            row += 1


@leaf()
def _sum_columns(columns, first, last, largest_root, total, square):  # type: ignore[no-untyped-def]
    """Add to the sums of the five columns, side by side: each of the ten sums waits for itself alone."""
    a, b, c = columns[0, first:last], columns[1, first:last], columns[2, first:last]
    d, e = columns[3, first:last], columns[4, first:last]
    sa, sb, sc, sd, se = total[0], total[1], total[2], total[3], total[4]
    qa, qb, qc, qd, qe = square[0], square[1], square[2], square[3], square[4]
    for p in range(a.size):
        sa += a[p]
        sb += b[p]
        sc += c[p]
        sd += d[p]
        se += e[p]
        ra, rb, rc = min(a[p], largest_root), min(b[p], largest_root), min(c[p], largest_root)
        rd, re = min(d[p], largest_root), min(e[p], largest_root)
        qa += ra * ra
        qb += rb * rb
        qc += rc * rc
        qd += rd * rd
        qe += re * re
    total[0], total[1], total[2], total[3], total[4] = sa, sb, sc, sd, se
    square[0], square[1], square[2], square[3], square[4] = qa, qb, qc, qd, qe


@leaf()
def _tail_of_all(column, sign, floor, tail, size):  # type: ignore[no-untyped-def]
    """Append sign times every value, those above `floor` alone if it is finite; how many there are then."""
    if floor == -np.inf:
        for p in range(column.size):
            tail[size + p] = sign * column[p]
        return size + column.size
    for p in range(column.size):
        value = sign * column[p]
        tail[size] = value
        size += 1 if value > floor else 0
    return size


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def sum_outcomes(  # type: ignore[no-untyped-def]
    kept, eventful, n_eventful, amounts, events, micro, largest_root, wanted, floors, sums, squares, counts, tails,
    sizes,
):  # fmt: skip
    """Sums of amounts and of their squares over each micro-block, counts of events, and what can be in a bad tail.

    Parameters
    ----------
    kept, eventful, n_eventful, amounts, events : as in `add_book`; each row of accounts and the book alike.
    micro : int, paths a micro-block. largest_root : float, larger values count as this in `squares`.
    wanted : int64 (n_tails,), the metrics with tails. Of the last two, COLLATERAL_LOSS and MIN_HEALTH, every path has a
        value, and that of MIN_HEALTH has its sign turned; of the others those above zero count.
    floors : float64 (n_rows, n_tails), values of the last two tails that are not above it are left out; -inf leaves
        out none.
    sums, squares : float64 (n_micro, n_rows, n_amounts), added to: a micro-block in parts gives the same bits as whole.
    counts : int64 (n_rows, N_EVENTS, n_steps + 1), added to.
    tails : float64 (n_rows, n_tails, capacity), appended to. sizes : int64 (n_rows, n_tails), values in each, moved on.
    """
    n_rows, _, n_paths = kept.shape
    n_amounts, lost, lowest = amounts.shape[1], wanted.size - 2, wanted.size - 1
    row = 0
    for a in range(n_rows):
        for block in range(sums.shape[0]):
            total, square = sums[block, a], squares[block, a]
            first = block * micro
            ends = min(first + micro, n_paths)
            _sum_columns(kept[a], first, ends, largest_root, total[INTEREST:], square[INTEREST:])
        for j in range(n_eventful[a]):
            values = amounts[row]
            total, square = sums[eventful[a, j] // micro, a], squares[eventful[a, j] // micro, a]
            for m in range(n_amounts):
                if m < INTEREST or m > COLLATERAL_LOSS:
                    total[m] += values[m]
                    bounded = min(values[m], largest_root)
                    square[m] += bounded * bounded
            for m in range(N_EVENTS):
                step = events[row, m]
                if step >= 0:
                    counts[a, m, step] += 1
            for i in range(lost):
                if values[wanted[i]] > 0.0:
                    tails[a, i, sizes[a, i]] = values[wanted[i]]
                    sizes[a, i] += 1
            row += 1
        size = _tail_of_all(kept[a, COLLATERAL_LOSS - INTEREST], 1.0, floors[a, lost], tails[a, lost], sizes[a, lost])
        sizes[a, lost] = size
        size = _tail_of_all(kept[a, _LOWEST], -1.0, floors[a, lowest], tails[a, lowest], sizes[a, lowest])
        sizes[a, lowest] = size


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def write_paths(kept, eventful, n_eventful, amounts, events, first, all_amounts, all_events):  # type: ignore[no-untyped-def]
    """A row for every path, from `first` on: `all_amounts` (n_rows, >= n_paths, n_amounts), `all_events` (n_rows,
    >= n_paths, N_EVENTS)."""
    row = 0
    for a in range(kept.shape[0]):
        for p in range(kept.shape[2]):
            for m in range(all_amounts.shape[2]):
                all_amounts[a, first + p, m] = 0.0
            for m in range(N_EVENTS):
                all_events[a, first + p, m] = -1
        for j in range(n_eventful[a]):
            p = first + eventful[a, j]
            for m in range(all_amounts.shape[2]):
                all_amounts[a, p, m] = amounts[row, m]
            for m in range(N_EVENTS):
                all_events[a, p, m] = events[row, m]
            row += 1
        for p in range(kept.shape[2]):
            for m in range(N_COLUMNS):
                all_amounts[a, first + p, INTEREST + m] = kept[a, m, p]
