"""Accounts that share a market: sold one after the other in a step, into what the market still takes.

Serial scalar code; slots as in `collatrisk.kernels.margin`. Marks are at the ends of steps, sales at once at the prices
there.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.columns import (
    GROWTH,
    LOSS,
    MIN_HEALTH,
    N_ALL_AMOUNTS,
    OUTSTANDING,
    REMAINING,
    SHORTFALL,
    TRIGGER,
    WRITE_OFF_FROM,
    WRITTEN_OFF,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.margin_rules import COUNTED_VALUES, KEPT, N_SCRATCH, SOLD, VALUES
from collatrisk.kernels.sale import sell

# Which account goes first; RANKED: by the ranks given.
SEVERITY, LARGEST, SMALLEST, RANKED = range(4)


@njit(cache=True, nogil=True, error_model="numpy")
def measure(prices, units, thresholds):  # type: ignore[no-untyped-def]
    """Health factor and debt of an account with `units` (2, n_slots), held and owed, at `prices` (n_slots,)."""
    counted = debt = 0.0
    for i in range(prices.size):
        counted += units[0, i] * prices[i] * thresholds[i]
        debt += units[1, i] * prices[i]
    return counted / debt if debt > 0.0 else np.inf, debt


@njit(cache=True, nogil=True, error_model="numpy")
def queue(order, ranks, health, debt, rules, waiting):  # type: ignore[no-untyped-def]
    """Accounts below their trigger, the first to be sold first; how many.

    SEVERITY: the lowest health first, the larger debt of equal ones. Equal in all: the earlier account.
    """
    n = 0
    for a in range(health.size):
        if health[a] >= rules[a, TRIGGER]:
            continue
        j = n
        while j > 0 and _before(order, ranks, health, debt, a, waiting[j - 1]):
            waiting[j] = waiting[j - 1]
            j -= 1
        waiting[j] = a
        n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _before(order, ranks, health, debt, a, b):  # type: ignore[no-untyped-def]
    if order == RANKED:
        return ranks[a] < ranks[b]
    if order == SMALLEST:
        return debt[a] < debt[b]
    if order == SEVERITY and health[a] != health[b]:
        return health[a] < health[b]
    return debt[a] > debt[b]


@njit(cache=True, nogil=True, error_model="numpy")
def sell_queue(  # type: ignore[no-untyped-def]
    prices, waiting, n_waiting, units, thresholds, impacts, by_slot, rules, switches, room, held, market, amounts
):
    """Sell accounts in turn; they share `room` and the price impact of what the others have sold before them.

    Parameters
    ----------
    prices : float64 (n_slots,). waiting : int64, the accounts; the first `n_waiting` count.
    units : float64 (n_accounts, 2, n_slots), changed. thresholds, impacts, by_slot, rules, switches : by account.
    room : float64 (n_slots,), value that the market takes of each asset, reduced.
    held : int64 (n_slots,), market : float64 (N_SCRATCH, n_slots + 1), scratch; its row SOLD is left with the values
        sold. amounts : float64 (n_accounts, N_ALL_AMOUNTS), added to.
    """
    market[SOLD] = 0.0
    values, counted, kept = market[VALUES], market[COUNTED_VALUES], market[KEPT]
    for m in range(n_waiting):
        a = waiting[m]
        n_held = 0
        worth = debt = 0.0
        for i in range(prices.size):
            debt += units[a, 1, i] * prices[i]
            if units[a, 0, i] > 0.0:
                held[n_held] = i
                n_held += 1
                values[i] = units[a, 0, i] * prices[i]
                counted[i] = values[i] * thresholds[a, i]
                worth += values[i]
        owed = 1.0
        if worth > 0.0:
            owed = sell(
                values, counted, impacts[a], by_slot[a], n_held, held, debt, rules[a], switches[a], room,
                market[SOLD], kept, amounts[a],
            )  # fmt: skip
        left = 0.0
        for j in range(n_held):
            i = held[j]
            units[a, 0, i] *= kept[i] if worth > 0.0 else 0.0
            left += units[a, 0, i]
        if left <= 0.0 and owed > 0.0 and debt >= rules[a, WRITE_OFF_FROM]:
            amounts[a, WRITTEN_OFF] += owed * debt
            amounts[a, LOSS] += owed * debt
            owed = 0.0
        for i in range(prices.size):
            units[a, 1, i] *= owed


@njit(cache=True, nogil=True, error_model="numpy")
def book_block(  # type: ignore[no-untyped-def]
    prices, columns, n_steps, held_units, owed_units, thresholds, impacts, by_slot, rules, switches, order, ranks,
    capacity, totals, counts,
):  # fmt: skip
    """Run a book over the paths of a block.

    Parameters
    ----------
    prices, columns, n_steps, thresholds, impacts, by_slot, rules, switches : as in `margin_block`.
    held_units, owed_units : float64 (n_accounts, n_slots).
    order : SEVERITY, LARGEST, SMALLEST or RANKED. ranks : float64 (n_accounts,), the lowest first.
    capacity : float64 (n_slots,), value of each asset that the market takes in a step, inf: any.
    totals : float64 (n_paths, N_ALL_AMOUNTS), overwritten by the sums over accounts (health factors: the lowest).
    counts : int64 (n_paths, 2), overwritten by the accounts sold from, and by how often an account was below its
        trigger after the sales of a step.
    """
    n_accounts, n_slots = held_units.shape
    units = np.empty((n_accounts, 2, n_slots))
    row = np.ones(n_slots)
    room = np.empty(n_slots)
    held = np.empty(n_slots, np.int64)
    market = np.empty((N_SCRATCH, n_slots + 1))
    amounts = np.empty((n_accounts, N_ALL_AMOUNTS))
    health = np.empty(n_accounts)
    debt = np.empty(n_accounts)
    waiting = np.empty(n_accounts, np.int64)
    touched = np.empty(n_accounts, np.int64)
    for p in range(prices.shape[2]):
        units[:, 0] = held_units
        units[:, 1] = owed_units
        amounts[:] = 0.0
        touched[:] = 0
        counts[p, 1] = 0
        lowest = np.inf
        for t in range(n_steps + 1):
            for i in range(n_slots - 1):
                row[i] = prices[t, columns[i], p]
            for a in range(n_accounts):
                if t > 0:
                    units[a, 1] *= rules[a, GROWTH]
                health[a], debt[a] = measure(row, units[a], thresholds[a])
                lowest = min(lowest, health[a])
            n = queue(order, ranks, health, debt, rules, waiting)
            if n > 0:
                room[:] = capacity
                sell_queue(
                    row, waiting, n, units, thresholds, impacts, by_slot, rules, switches, room, held, market, amounts
                )
                for m in range(n):
                    a = waiting[m]
                    touched[a] = 1
                    after, owed = measure(row, units[a], thresholds[a])
                    counts[p, 1] += 1 if owed > 0.0 and after < rules[a, TRIGGER] * (1.0 - 1e-12) else 0
        counts[p, 0] = touched.sum()
        totals[p] = 0.0
        for a in range(n_accounts):
            value = owed = 0.0
            for i in range(n_slots):
                value += units[a, 0, i] * row[i]
                owed += units[a, 1, i] * row[i]
            amounts[a, OUTSTANDING], amounts[a, REMAINING] = owed, value
            amounts[a, SHORTFALL] = max(owed - value, 0.0) + amounts[a, LOSS]
            totals[p] += amounts[a]
        totals[p, MIN_HEALTH] = lowest
