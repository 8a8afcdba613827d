"""Bridges of the first pass: the lowest health factor inside steps, sampled where it can matter and nowhere else.

With x0 and x1 the logarithms of the health factor at the ends of a step, s2 the variance of the step and U a uniform,
the bridge's minimum is (x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2. It is below ln m, for an m below both ends, if
and only if 4 (x0 - ln m) (x1 - ln m) < -2 s2 ln U. Bounds decide most steps without a logarithm or root:

- x0 - ln m >= (h0 - m) / h0, with h0 = exp(x0);
- ln U >= (e + f - 1) ln 2 for U = 2**e f, 1 <= f < 2: the bits of a float, read as a whole number, are e + f;
- s2 <= ((1 - r) a + r) sum of w_i v_i, with w_i >= 0 the shares of the assets in the counted collateral, none above a,
  v_i the variances of their steps, and r >= 0 the largest correlation: s2 <= (1 - r) sum of w_i**2 v_i
  + r (sum of w_i sqrt(v_i))**2, and the square is at most (sum of w_i) (sum of w_i v_i).

m is the lowest health factor of the path so far, or the level below which the state machine looks at the path itself.
What is left is gathered and computed as it would be for all lanes: same operations, same bits. The bounds keep 1e-9 of
room and more, far beyond what rounding could change.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.quiet import (
    BOUND,
    COUNTED,
    DEBT,
    LOWEST,
    LOWEST_LOG,
    MOST,
    RUNNING,
    SAFE_STEPS,
    SPREAD,
    TILE,
    WANTED,
    add_four,
    add_one,
    fill,
)
from collatrisk.kernels.random import fill_uniforms
from collatrisk.kernels.special import exp, fma, log

_ROOM = 1.0 + 1e-9
_WIDE_ROOM = 1.0 + 1e-6
_TWICE_LN2 = 2.0 * math.log(2.0)
_PER_UNIT = 2.0**-52  # of the bits of a float, for each power of two
_BIAS = 1023.0
EIGHT = 8
# Rows of the scratch of the lanes that are computed.
START, END, DRAW, PER_COUNTED, PER_DEBT, VARIANCE, CROSS, SHARES = range(8)


@njit(cache=True, nogil=True, error_model="numpy")
def load_uniforms(key, first_path, n_steps, uniforms):  # type: ignore[no-untyped-def]
    """Of a tile, for all accounts: the uniforms of the bridges; row t of `uniforms` (T + 1, TILE), flat, ends at t."""
    for t in range(1, n_steps + 1):
        fill_uniforms(key, first_path, t, 0, uniforms[t * TILE : t * TILE + TILE])


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_one(variance, work):  # type: ignore[no-untyped-def]
    """The bound of s2 for one asset beside nothing but cash: its share is at most 1."""
    for k in range(variance.size):
        work[SPREAD + k] = variance[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_bound(factor, price, variance, work):  # type: ignore[no-untyped-def]
    for k in range(price.size):
        value = factor * price[k]
        work[MOST + k] = max(work[MOST + k], value)
        work[SPREAD + k] = fma(value, variance[k], work[SPREAD + k])


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_many(counted, most, work):  # type: ignore[no-untyped-def]
    """((1 - r) a + r) sum of w v, from sums that are not yet divided by the counted collateral."""
    less = max(1.0 - most, 0.0)
    for k in range(TILE):
        part = 1.0 / counted[k]
        work[SPREAD + k] *= part * fma(less * part, work[MOST + k], most)


@njit(cache=True, nogil=True, error_model="numpy")
def _find_wanted(before, after, uniforms, per_growth, level, work):  # type: ignore[no-untyped-def]
    """WANTED: 1 where the bridge of a step may fall below what counts. RUNNING and SAFE_STEPS go on by the step's end,
    SAFE_STEPS with the step before, whose bridges are known by now."""
    for k in range(TILE):
        running = work[RUNNING + k]
        work[SAFE_STEPS + k] += 1.0 if running >= level else 0.0
        work[RUNNING + k] = min(running, after[k])
        least = max(work[BOUND + k], level) * _ROOM
        start = before[k] * per_growth
        end = after[k]
        exponent = np.float64(np.float64(uniforms[k]).view(np.int64)) * _PER_UNIT
        reach = work[SPREAD + k] * (_TWICE_LN2 * _WIDE_ROOM) * (_BIAS + 1e-6 - exponent)
        clear = 4.0 * (start - least) * (end - least) > reach * start * end
        away = (start > least) & (end > least) & clear
        work[WANTED + k] = 0.0 if away else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _list_wanted(work, width, near):  # type: ignore[no-untyped-def]
    """The wanted lanes, and the first of them again up to a whole number of eights; how many these are."""
    n = 0
    for k in range(width):
        near[n] = k
        n += 1 if work[WANTED + k] != 0.0 else 0
    whole = -(-n // EIGHT) * EIGHT
    for k in range(n, whole):
        near[k] = near[0]
    return whole


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(row, near, out):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = row[np.uint64(near[k])]


@njit(cache=True, nogil=True, error_model="numpy")
def _reciprocals(factor, row):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        row[k] = 1.0 / (row[k] * factor)


@njit(cache=True, nogil=True, error_model="numpy")
def _share(factor, owed, prices, variance, near, per_counted, per_debt, out):  # type: ignore[no-untyped-def]
    """Share of an asset in the counted collateral, less that in the debt, times its standard deviation."""
    for k in range(out.size):
        price, spread = prices[np.uint64(near[k])], math.sqrt(variance[np.uint64(near[k])])
        if owed > 0.0:
            out[k] = (factor * per_counted[k] - owed * per_debt[k]) * price * spread
        else:
            out[k] = factor * price * per_counted[k] * spread


@njit(cache=True, nogil=True, error_model="numpy")
def _add_square(share, cross, variance):  # type: ignore[no-untyped-def]
    """Variance += s (s + 2 sum over earlier assets of rho s)."""
    for k in range(share.size):
        variance[k] = fma(share[k], fma(2.0, cross[k], share[k]), variance[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _step_variance(rho, shares, n, cross, variance):  # type: ignore[no-untyped-def]
    """s' rho s of `n` rows of shares, one after another at distances of TILE."""
    size = variance.size
    fill(0.0, variance)
    for j in range(n):
        fill(0.0, cross)
        m = 0
        while m + 4 <= j:
            a = m * TILE
            add_four(
                rho[j],
                m,
                shares[a : a + size],
                shares[a + TILE : a + TILE + size],
                shares[a + 2 * TILE : a + 2 * TILE + size],
                shares[a + 3 * TILE : a + 3 * TILE + size],
                cross,
            )
            m += 4
        while m < j:
            add_one(rho[j, m], shares[m * TILE : m * TILE + size], cross)
            m += 1
        _add_square(shares[j * TILE : j * TILE + size], cross, variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _minimum(log_growth, start, end, draw, variance):  # type: ignore[no-untyped-def]
    """`variance` <- twice the logarithm of the bridge's minimum: x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U); `draw` <-
    the minimum. Healths of zero and infinity have no logarithm here and no bridge."""
    for k in range(start.size):
        health = end[k]
        x0 = log(start[k]) - log_growth
        x1 = log(health)
        gap = x1 - x0
        twice_log = -2.0 * log(draw[k])
        low = x0 + x1 - math.sqrt(fma(gap, gap, max(variance[k], 0.0) * twice_log))
        usable = variance[k] > 0.0 and health > 0.0 and health < np.inf
        low = low if usable else np.inf
        variance[k] = low
        draw[k] = exp(0.5 * low) if low < np.inf else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(low, minimum, near, work):  # type: ignore[no-untyped-def]
    for n in range(low.size):
        k = near[n]
        work[LOWEST_LOG + k] = min(work[LOWEST_LOG + k], low[n])
        work[BOUND + k] = min(work[BOUND + k], minimum[n])
        work[RUNNING + k] = min(work[RUNNING + k], minimum[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(level, work):  # type: ignore[no-untyped-def]
    for k in range(TILE):
        work[SAFE_STEPS + k] += 1.0 if work[RUNNING + k] >= level else 0.0
        low = exp(0.5 * work[LOWEST_LOG + k])
        work[LOWEST + k] = min(work[LOWEST + k], low if work[LOWEST_LOG + k] < np.inf else np.inf)


@njit(cache=True, nogil=True, error_model="numpy")
def _bound_spread(prices, variance, start, n_paths, width, book, counted, most, work):  # type: ignore[no-untyped-def]
    """SPREAD: at least the variance of the step of ln(health factor), for accounts that owe cash alone."""
    _, places, factors, _, _, _, n_risky, _ = book
    if n_risky == 1:
        at = start + places[2, 0] * n_paths
        _bound_one(variance[at : at + width], work)
        return
    fill(0.0, work[MOST : MOST + TILE])
    fill(0.0, work[SPREAD : SPREAD + TILE])
    for j in range(n_risky):
        at = start + places[2, j] * n_paths
        _add_bound(factors[j], prices[at : at + width], variance[at : at + width], work)
    _bound_many(counted, most, work)


@njit(cache=True, nogil=True, error_model="numpy")
def _largest_correlation(rho, n):  # type: ignore[no-untyped-def]
    most = 0.0
    for j in range(n):
        for m in range(j):
            most = max(most, rho[j, m])
    return most


@njit(cache=True, nogil=True, error_model="numpy")
def follow_bridges(  # type: ignore[no-untyped-def]
    prices, variance, n_assets, n_paths, first, width, n_steps, growth, level, held, owed, thresholds, book, rho,
    uniforms, history, near, scratch, work,
):  # fmt: skip
    """After `follow` with all rows of `history`: LOWEST and SAFE_STEPS with the minima inside the steps.

    LOWEST is exact where it is at least `level`, and below `level` where the bridges take it there.

    Parameters
    ----------
    prices, n_assets, n_paths, first, width, n_steps, growth, level, held, owed, thresholds, book, history, work : as in
        `follow`. variance : float64, flat (>= n_steps, n_assets, n_paths). rho : as filled by `open_book`.
    uniforms : of `load_uniforms`. near : int64 (TILE + 1,), scratch : float64 ((SHARES + n_slots) * TILE,).
    """
    assets, places, _, _, _, n_owed, n_risky, _ = book
    cash = held.size - 1
    if n_owed == 0 and not owed[cash] > 0.0:
        return
    rows = n_steps + 1
    log_growth = math.log(growth)
    most = _largest_correlation(rho, n_risky)
    for k in range(TILE):
        work[BOUND + k] = work[LOWEST + k]
        work[LOWEST_LOG + k] = np.inf
        work[SAFE_STEPS + k] = 0.0
        work[RUNNING + k] = history[k]
    grown = 1.0
    for t in range(1, n_steps + 1):
        at = t * TILE
        start = (t - 1) * n_assets * n_paths + first
        before, after = history[at - TILE : at], history[at : at + TILE]
        counted = history[COUNTED * rows * TILE + at - TILE : COUNTED * rows * TILE + at]
        if n_owed == 0:
            _bound_spread(prices, variance, start, n_paths, width, book, counted, most, work)
        else:
            fill(np.inf, work[SPREAD : SPREAD + TILE])
        _find_wanted(before, after, uniforms[at : at + TILE], 1.0 / growth, level, work)
        n = _list_wanted(work, width, near)
        if n > 0:
            low, minimum = scratch[VARIANCE * TILE : VARIANCE * TILE + n], scratch[DRAW * TILE : DRAW * TILE + n]
            per_counted = scratch[PER_COUNTED * TILE : PER_COUNTED * TILE + n]
            per_debt = scratch[PER_DEBT * TILE : PER_DEBT * TILE + n]
            _gather(before, near, scratch[START * TILE : START * TILE + n])
            _gather(after, near, scratch[END * TILE : END * TILE + n])
            _gather(uniforms[at : at + TILE], near, minimum)
            _gather(counted, near, per_counted)
            _reciprocals(1.0, per_counted)
            if n_owed > 0:
                place = DEBT * rows * TILE + at - TILE
                _gather(history[place : place + TILE], near, per_debt)
                _reciprocals(growth, per_debt)
            for j in range(n_risky):
                i = assets[2, j]
                asset = start + places[2, j] * n_paths
                share = (SHARES + j) * TILE
                _share(
                    held[i] * thresholds[i], owed[i] * grown * growth, prices[asset : asset + width],
                    variance[asset : asset + width], near, per_counted, per_debt, scratch[share : share + n],
                )  # fmt: skip
            shares = scratch[SHARES * TILE :]
            _step_variance(rho, shares, n_risky, scratch[CROSS * TILE : CROSS * TILE + n], low)
            _minimum(
                log_growth, scratch[START * TILE : START * TILE + n], scratch[END * TILE : END * TILE + n], minimum, low
            )
            _scatter(low, minimum, near, work)
        grown *= growth
    _finish(level, work)
