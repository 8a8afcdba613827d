"""The first pass of the margin engine: follow every account as if nothing ever happened to it.

Most paths never come near a margin call. On them holdings stay as they are, so a health factor is one multiplication
and addition a price, vector code throughout. Paths whose lowest health factor comes within `NEAR` of the call level go
on to the state machine, which decides for itself: the two passes need not round alike.

A tile is `TILE` paths. What belongs to a tile lies in one flat array at fixed distances (rows COUNTED, DEBT, ...), so
that the compiler need not test whether its rows overlap; lanes beyond the block hold stale numbers that nobody reads.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.random import fill_uniforms
from collatrisk.kernels.special import exp, fma, log

TILE = 256
NEAR = 1.0 + 1e-9

COUNTED = 0
DEBT = TILE
HEALTH = 2 * TILE
LOG_HEALTH = 3 * TILE
LOWEST = 4 * TILE
LOWEST_LOG = 5 * TILE  # of the square of the bridge minimum
VARIANCE = 6 * TILE
PER_COUNTED = 7 * TILE
PER_DEBT = 8 * TILE
CROSS = 9 * TILE
INTEREST = 10 * TILE
VALUE = 11 * TILE  # left to the caller
N_WORK = 12 * TILE


@njit(cache=True, nogil=True, error_model="numpy")
def load_steps(variance, columns, first, width, key, first_path, spread, twice_log):  # type: ignore[no-untyped-def]
    """Of a tile, for all accounts: standard deviations of the steps, and -2 ln U of their bridges.

    Row t of `spread` (T + 1, n, TILE) and `twice_log` (T + 1, TILE) is the step that ends at t.
    """
    for t in range(1, twice_log.shape[0]):
        for i in range(columns.size):
            _square_roots(variance[t - 1, columns[i], first : first + width], spread[t, i])
        fill_uniforms(key, first_path + first, t, 0, twice_log[t])
        _twice_logs(twice_log[t])


@njit(cache=True, nogil=True, error_model="numpy")
def _square_roots(row, out):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        out[k] = math.sqrt(row[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _twice_logs(row):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        row[k] = -2.0 * log(row[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _constant(value, out):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = value


@njit(cache=True, nogil=True, error_model="numpy")
def _add_one(c, row, out):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        out[k] = fma(c, row[k], out[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_four(c, m, a, b, e, f, out):  # type: ignore[no-untyped-def]
    ca, cb, ce, cf = c[m], c[m + 1], c[m + 2], c[m + 3]
    for k in range(a.size):
        out[k] = fma(cf, f[k], fma(ce, e[k], fma(cb, b[k], fma(ca, a[k], out[k]))))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def value_assets(prices, first, last, cash, factors, assets, n, out):  # type: ignore[no-untyped-def]
    """out <- cash + sum of factors times prices; `assets` are the rows of `prices` (n_assets, n_paths)."""
    _constant(cash, out)
    j = 0
    while j + 4 <= n:
        a, b = prices[assets[j], first:last], prices[assets[j + 1], first:last]
        c, d = prices[assets[j + 2], first:last], prices[assets[j + 3], first:last]
        _add_four(factors, j, a, b, c, d, out)
        j += 4
    while j < n:
        _add_one(factors[j], prices[assets[j], first:last], out)
        j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _health_of_cash_debt(debt, work):  # type: ignore[no-untyped-def]
    """Health factors of accounts that owe cash alone, and the lowest so far."""
    per_debt = 1.0 / debt
    for k in range(TILE):
        health = work[COUNTED + k] * per_debt
        work[HEALTH + k] = health
        work[LOWEST + k] = min(work[LOWEST + k], health)


@njit(cache=True, nogil=True, error_model="numpy")
def _health(work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        debt = work[DEBT + k]
        health = work[COUNTED + k] / debt if debt > 0.0 else np.inf
        work[HEALTH + k] = health
        work[LOWEST + k] = min(work[LOWEST + k], health)


@njit(cache=True, nogil=True, error_model="numpy")
def _logs(work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[LOG_HEALTH + k] = log(work[HEALTH + k])


@njit(cache=True, nogil=True, error_model="numpy")
def _reciprocals(work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[PER_COUNTED + k] = 1.0 / work[COUNTED + k]


@njit(cache=True, nogil=True, error_model="numpy")
def _debt_reciprocals(growth, work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[PER_DEBT + k] = 1.0 / (work[DEBT + k] * growth)


@njit(cache=True, nogil=True, error_model="numpy")
def _accrue(rate, work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[INTEREST + k] += work[DEBT + k] * rate


@njit(cache=True, nogil=True, error_model="numpy")
def _share(factor, row, spread, work, out):  # type: ignore[no-untyped-def]
    """Share of an asset in the counted collateral times its standard deviation."""
    for k in range(row.size):
        out[k] = factor * row[k] * work[PER_COUNTED + k] * spread[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _net_share(factor, owed, row, spread, work, out):  # type: ignore[no-untyped-def]
    """The same less the asset's share in the debt."""
    for k in range(row.size):
        out[k] = (factor * work[PER_COUNTED + k] - owed * work[PER_DEBT + k]) * row[k] * spread[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_square(share, work):  # type: ignore[no-untyped-def]
    """Variance += s (s + 2 sum over earlier assets of rho s)."""
    for k in range(TILE):
        work[VARIANCE + k] = fma(share[k], fma(2.0, work[CROSS + k], share[k]), work[VARIANCE + k])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _step_variance(rho, shares, n, work):  # type: ignore[no-untyped-def]
    """s' rho s of `n` rows of shares (n, TILE)."""
    _constant(0.0, work[VARIANCE : VARIANCE + TILE])
    cross = work[CROSS : CROSS + TILE]
    for j in range(n):
        _constant(0.0, cross)
        m = 0
        while m + 4 <= j:
            _add_four(rho[j], m, shares[m], shares[m + 1], shares[m + 2], shares[m + 3], cross)
            m += 4
        while m < j:
            _add_one(rho[j, m], shares[m], cross)
            m += 1
        _add_square(shares[j], work)


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge(log_growth, twice_log, work):  # type: ignore[no-untyped-def]
    """The lowest bridge minimum so far as x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U), twice its logarithm.

    Healths of zero and infinity have no logarithm here and no bridge.
    """
    for k in range(TILE):
        health = work[HEALTH + k]
        x0 = work[LOG_HEALTH + k] - log_growth
        x1 = log(health)
        gap = x1 - x0
        low = x0 + x1 - math.sqrt(fma(gap, gap, max(work[VARIANCE + k], 0.0) * twice_log[k]))
        usable = work[VARIANCE + k] > 0.0 and health > 0.0 and health < np.inf
        work[LOWEST_LOG + k] = min(work[LOWEST_LOG + k], low if usable else np.inf)
        work[LOG_HEALTH + k] = x1


@njit(cache=True, nogil=True, error_model="numpy")
def _with_bridge(work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        low = exp(0.5 * work[LOWEST_LOG + k])
        work[LOWEST + k] = min(work[LOWEST + k], low if work[LOWEST_LOG + k] < np.inf else np.inf)


@njit(cache=True, nogil=True, error_model="numpy")
def follow(  # type: ignore[no-untyped-def]
    prices, first, width, n_steps, bridged, spread, twice_log, growth, held, owed, thresholds, columns, rho, book,
    shares, work,
):  # fmt: skip
    """Follow one account over a tile: its last COUNTED and DEBT, its LOWEST health and INTEREST are left in `work`.

    Parameters
    ----------
    prices : float64 (>= n_steps + 1, n_assets, n_paths). first, width : where the tile lies in it.
    bridged : whether to sample minima inside steps, from `spread` and `twice_log` of `load_steps`.
    growth : of the debt in a step.
    held, owed, thresholds : float64 (n_slots,), the last slot is cash. columns : int64 (n_slots - 1,).
    rho : float64 (n_slots, n_slots), scratch for the correlation of the slots used, filled by `open_book`.
    book : the tuple from `open_book`. shares : float64 (n_slots, TILE). work : float64 (N_WORK,).
    """
    assets, rows, factors, debts, n_held, n_owed, n_risky, _ = book
    cash = held.size - 1
    last = first + width
    counted, debt = work[COUNTED : COUNTED + TILE], work[DEBT : DEBT + TILE]
    grown = 1.0
    log_growth = math.log(growth)
    _constant(np.inf, work[LOWEST : LOWEST + TILE])
    _constant(np.inf, work[LOWEST_LOG : LOWEST_LOG + TILE])
    _constant(0.0, work[INTEREST : INTEREST + TILE])
    _constant(owed[cash], debt)
    for t in range(n_steps + 1):
        if t > 0:
            if growth != 1.0:
                _accrue(growth - 1.0, work)
            if bridged:
                _reciprocals(work)
                if n_owed > 0:
                    _debt_reciprocals(growth, work)
                for j in range(n_risky):
                    i = assets[2, j]
                    row = prices[t - 1, columns[i], first:last]
                    if owed[i] > 0.0:
                        _net_share(
                            held[i] * thresholds[i], owed[i] * grown * growth, row, spread[t, i], work, shares[j]
                        )
                    else:
                        _share(held[i] * thresholds[i], row, spread[t, i], work, shares[j])
                _step_variance(rho, shares, n_risky, work)
            grown *= growth
        value_assets(prices[t], first, last, held[cash] * thresholds[cash], factors, rows[0], n_held, counted)
        if n_owed > 0:
            for j in range(n_owed):
                debts[j] = owed[assets[1, j]] * grown
            value_assets(prices[t], first, last, owed[cash] * grown, debts, rows[1], n_owed, debt)
            _health(work)
        elif owed[cash] > 0.0:
            if growth != 1.0:
                _constant(owed[cash] * grown, debt)
            _health_of_cash_debt(owed[cash] * grown, work)
        else:
            _health(work)
        if bridged:
            if t == 0:
                _logs(work)
            else:
                _bridge(log_growth, twice_log[t], work)
    if bridged:
        _with_bridge(work)


@njit(cache=True, nogil=True, error_model="numpy")
def open_book(held, owed, thresholds, columns, correlation, assets, rows, scratch, rho):  # type: ignore[no-untyped-def]
    """Sort the slots of an account: which assets are held, owed and either, what they count for.

    Parameters
    ----------
    assets, rows : int64 (3, n_slots), overwritten by the slots held, owed, and either, and by their rows in prices.
    scratch : float64 (3, n_slots), overwritten. rho : float64 (n_slots, n_slots), overwritten.

    Returns
    -------
    The tuple that `follow` wants; its last element holds the units held, packed as `rows[0]`.
    """
    factors, debts, packed = scratch[0], scratch[1], scratch[2]
    n_held = n_owed = n_risky = 0
    for i in range(held.size - 1):
        if held[i] > 0.0:
            assets[0, n_held], rows[0, n_held] = i, columns[i]
            factors[n_held] = held[i] * thresholds[i]
            packed[n_held] = held[i]
            n_held += 1
        if owed[i] > 0.0:
            assets[1, n_owed], rows[1, n_owed] = i, columns[i]
            n_owed += 1
        if held[i] > 0.0 or owed[i] > 0.0:
            assets[2, n_risky] = i
            n_risky += 1
    for j in range(n_risky):
        for m in range(j):
            rho[j, m] = correlation[assets[2, j], assets[2, m]]
    return assets, rows, factors, debts, n_held, n_owed, n_risky, packed


@njit(cache=True, nogil=True, error_model="numpy")
def note_eventful(work, level, first, width, eventful, n_eventful):  # type: ignore[no-untyped-def]
    """Append the paths of a tile whose lowest health factor is below `level`; how many there are then."""
    for k in range(width):
        eventful[n_eventful] = first + k
        n_eventful += 1 if work[LOWEST + k] < level else 0
        if n_eventful == eventful.size:
            break
    return n_eventful
