"""The first pass of the margin engine: follow every account as if nothing ever happened to it.

Most paths never come near a margin call. On them holdings stay as they are, so a health factor is one multiplication
and addition a price, vector code throughout. Paths whose lowest health factor comes within `NEAR` of the call level go
on to the state machine, which decides for itself: the two passes need not round alike. It starts one step before the
health factor first comes so near, so that no step is left out on which anything can be due.

A tile is `TILE` paths. What belongs to a tile lies in one flat array at fixed distances (rows LOWEST, ...), so that the
compiler need not test whether its rows overlap; lanes beyond the block hold stale numbers that nobody reads.
Prices are flat too: step t of asset i of all paths begins at ``(t n_assets + i) n_paths``.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.special import fma

TILE = 256
NEAR = 1.0 + 1e-9

LOWEST = 0  # health factor so far
SAFE_STEPS = TILE  # steps before the first on which the health factor may be below the level
SPREAD = 2 * TILE
MOST = 3 * TILE
WANTED = 4 * TILE
INTEREST = 5 * TILE
N_WORK = 6 * TILE
# Parts of the history of a tile, each of n_steps + 1 rows where bridges are sampled, of one row elsewhere.
HEALTH, COUNTED, DEBT = range(3)


@leaf()
def fill(value, out):  # type: ignore[no-untyped-def]
    """out <- value, all of them."""
    for k in range(out.size):
        out[k] = value


@leaf()
def add_one(c, row, out):  # type: ignore[no-untyped-def]
    """out += c row, fused."""
    for k in range(row.size):
        out[k] = fma(c, row[k], out[k])


@leaf()
def add_four(c, m, a, b, e, f, out):  # type: ignore[no-untyped-def]
    """out += c[m] a + c[m + 1] b + c[m + 2] e + c[m + 3] f, fused, in this order."""
    ca, cb, ce, cf = c[m], c[m + 1], c[m + 2], c[m + 3]
    for k in range(a.size):
        out[k] = fma(cf, f[k], fma(ce, e[k], fma(cb, b[k], fma(ca, a[k], out[k]))))


@leaf()
def value_assets(prices, start, n_paths, width, cash, factors, assets, n, out):  # type: ignore[no-untyped-def]
    """out <- cash + sum of factors times prices of a tile.

    Parameters
    ----------
    prices : float64, flat. start : where asset 0 of the step and tile begins. n_paths : from one asset to the next.
    width : paths of the tile. assets : int64, the rows of the `n` assets.
    """
    fill(cash, out)
    j = 0
    while j + 4 <= n:
        a, b, c, d = (
            start + assets[j] * n_paths,
            start + assets[j + 1] * n_paths,
            start + assets[j + 2] * n_paths,
            start + assets[j + 3] * n_paths,
        )
        add_four(
            factors, j, prices[a : a + width], prices[b : b + width], prices[c : c + width], prices[d : d + width], out
        )
        j += 4
    while j < n:
        a = start + assets[j] * n_paths
        add_one(factors[j], prices[a : a + width], out)
        j += 1


@leaf()
def _health_of_one(factor, cash, row, per_debt, level, counted, health, work):  # type: ignore[no-untyped-def]
    """`value_assets` and `_health_of_cash_debt` for one asset, in one go."""
    for k in range(row.size):
        value = fma(factor, row[k], cash)
        ratio = value * per_debt
        lowest = min(work[LOWEST + k], ratio)
        counted[k] = value
        health[k] = ratio
        work[LOWEST + k] = lowest
        work[SAFE_STEPS + k] += 1.0 if lowest >= level else 0.0


@leaf()
def _health_of_cash_debt(counted, per_debt, level, health, work):  # type: ignore[no-untyped-def]
    """Health factors of accounts that owe cash alone, and the lowest so far."""
    for k in range(TILE):
        ratio = counted[k] * per_debt
        lowest = min(work[LOWEST + k], ratio)
        health[k] = ratio
        work[LOWEST + k] = lowest
        work[SAFE_STEPS + k] += 1.0 if lowest >= level else 0.0


@leaf()
def _health(counted, debt, level, health, work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        ratio = counted[k] / debt[k] if debt[k] > 0.0 else np.inf
        lowest = min(work[LOWEST + k], ratio)
        health[k] = ratio
        work[LOWEST + k] = lowest
        work[SAFE_STEPS + k] += 1.0 if lowest >= level else 0.0


@leaf()
def _accrue(debt, rate, work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[INTEREST + k] += debt[k] * rate


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def follow(  # type: ignore[no-untyped-def]
    prices, n_assets, n_paths, first, width, n_steps, growth, level, held, owed, thresholds, book, history, rows, work
):
    """Follow one account over a tile to the ends of its steps.

    Left in `work`: LOWEST, SAFE_STEPS below `level` and INTEREST; in `history`: every step's HEALTH, COUNTED and, if
    assets are owed, DEBT if `rows` is n_steps + 1, those of the last step if it is 1. Returns the debt of an account
    that owes cash alone.

    Parameters
    ----------
    prices : float64, flat (>= n_steps + 1, n_assets, n_paths). first, width : where the tile lies.
    growth : of the debt in a step. level : health factor.
    held, owed, thresholds : float64 (n_slots,), the last slot is cash. book : the tuple from `open_book`.
    history : float64 (3 * rows * TILE,). work : float64 (N_WORK,).
    """
    assets, places, factors, debts, n_held, n_owed, _, _ = book
    cash = held.size - 1
    counted_cash = held[cash] * thresholds[cash]
    fill(np.inf, work[LOWEST : LOWEST + TILE])
    fill(0.0, work[SAFE_STEPS : SAFE_STEPS + TILE])
    fill(0.0, work[INTEREST : INTEREST + TILE])
    only_cash = n_owed == 0 and owed[cash] > 0.0
    grown = 1.0
    interest = 0.0
    for t in range(n_steps + 1):
        at = t * TILE if rows > 1 else 0
        health = history[at : at + TILE]
        counted = history[COUNTED * rows * TILE + at : COUNTED * rows * TILE + at + TILE]
        start = t * n_assets * n_paths + first
        if t > 0:
            if only_cash:
                interest += owed[cash] * grown * (growth - 1.0)
            elif n_owed > 0 and growth != 1.0:
                before = DEBT * rows * TILE + (at - TILE if rows > 1 else 0)
                _accrue(history[before : before + TILE], growth - 1.0, work)
            grown *= growth
        if only_cash and n_held == 1:
            at_asset = start + places[0, 0] * n_paths
            row = prices[at_asset : at_asset + width]
            _health_of_one(factors[0], counted_cash, row, 1.0 / (owed[cash] * grown), level, counted, health, work)
            continue
        value_assets(prices, start, n_paths, width, counted_cash, factors, places[0], n_held, counted)
        if only_cash:
            _health_of_cash_debt(counted, 1.0 / (owed[cash] * grown), level, health, work)
            continue
        debt = history[DEBT * rows * TILE + at : DEBT * rows * TILE + at + TILE]
        for j in range(n_owed):
            debts[j] = owed[assets[1, j]] * grown
        value_assets(prices, start, n_paths, width, owed[cash] * grown, debts, places[1], n_owed, debt)
        _health(counted, debt, level, health, work)
    if only_cash:
        fill(interest, work[INTEREST : INTEREST + TILE])
    return owed[cash] * grown


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def open_book(held, owed, thresholds, columns, correlation, assets, places, scratch, rho):  # type: ignore[no-untyped-def]
    """Sort the slots of an account: which assets are held, owed and either, what they count for.

    Parameters
    ----------
    assets, places : int64 (3, n_slots), overwritten by the slots held, owed, and either, and by their rows in prices.
    scratch : float64 (3, n_slots), overwritten. rho : float64 (n_slots, n_slots), overwritten.

    Returns
    -------
    The tuple that `follow` wants; its last element holds the units held, packed as `places[0]`.
    """
    factors, debts, packed = scratch[0], scratch[1], scratch[2]
    n_held = n_owed = n_risky = 0
    for i in range(held.size - 1):
        if held[i] > 0.0:
            assets[0, n_held] = i
            places[0, n_held] = columns[i]
            factors[n_held] = held[i] * thresholds[i]
            packed[n_held] = held[i]
            n_held += 1
        if owed[i] > 0.0:
            assets[1, n_owed] = i
            places[1, n_owed] = columns[i]
            n_owed += 1
        if held[i] > 0.0 or owed[i] > 0.0:
            assets[2, n_risky] = i
            places[2, n_risky] = columns[i]
            n_risky += 1
    for j in range(n_risky):
        for m in range(j):
            rho[j, m] = correlation[assets[2, j], assets[2, m]]
    return assets, places, factors, debts, n_held, n_owed, n_risky, packed


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def note_eventful(work, level, first, width, eventful, starts, n_eventful):  # type: ignore[no-untyped-def]
    """Append the paths of a tile whose lowest health factor is below `level`, and the step from which on to run them;
    how many there are then."""
    for k in range(width):
        eventful[n_eventful] = first + k
        starts[n_eventful] = max(np.int64(work[SAFE_STEPS + k]) - 1, 0)
        n_eventful += 1 if work[LOWEST + k] < level else 0
        if n_eventful == eventful.size:
            break
    return n_eventful
