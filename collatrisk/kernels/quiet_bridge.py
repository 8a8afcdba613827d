"""Bridges of the first pass: the lowest health factor inside steps, sampled where it can matter and nowhere else.

With x0 and x1 the logarithms of the health factor at the ends of a step, s2 the variance of the step and U a uniform,
the bridge's minimum is (x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2. It is below ln m, for an m below both ends, if
and only if 4 (x0 - ln m) (x1 - ln m) < -2 s2 ln U. Bounds decide most steps without a logarithm or root:

- x0 - ln m >= (h0 - m) / h0, with h0 = exp(x0);
- ln U >= (e + f - 1) ln 2 for the smallest uniform 2**e f, 1 <= f < 2, that has the leading byte of U: the bits of a
  float, read as a whole number, are e + f; the other bits of U are drawn for the bridges that are computed alone;
- s2 <= ((1 - r) a + r) sum of w_i v_i, with w_i >= 0 the shares of the assets in the counted collateral, none above a,
  v_i the variances of their steps, and r >= 0 the largest correlation: s2 <= (1 - r) sum of w_i**2 v_i
  + r (sum of w_i sqrt(v_i))**2, and the square is at most (sum of w_i) (sum of w_i v_i).

m is the lowest health factor of the path at the ends of its steps and on the bridges computed so far, or the level
below which the state machine looks at the path itself. What is left, a tenth of the steps, is gathered from all over
the tile and computed as it would be for all lanes: same operations, same bits. The bounds keep 1e-9 of room and more,
far beyond what rounding could change.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.bridge_uniforms import fill_leads, joined, lead_row, lead_shift, least_uniform, trailing
from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.quiet import (
    COUNTED,
    DEBT,
    LOWEST,
    MOST,
    SAFE_STEPS,
    SPREAD,
    TILE,
    WANTED,
    add_four,
    add_one,
    fill,
)
from collatrisk.kernels.special import exp, fma, log
from collatrisk.kernels.tails import compress_between_plain, compress_between_wide
from collatrisk.kernels.vectors import WIDE

_ROOM = 1.0 + 1e-9
_compress = compress_between_wide if WIDE else compress_between_plain
_PER_BIT = 0.5 * math.log(2.0) * 2.0**-52 * (1.0 + 1e-6)  # of the bits of a float; 2**52 are a factor of two
_BITS_OF_ONE = (1023.0 + 1e-6) * 2.0**52
EIGHT = 8
ENOUGH = TILE // 2  # bridges to be computed: each lowers what the next must fall below
AT_ONCE = ENOUGH + TILE  # bridges computed together: calls cost as much as what they do to a few
# Rows of AT_ONCE in the scratch of the bridges that are computed.
START, END, DRAW, PER_COUNTED, PER_DEBT, GROWN, VARIANCE, CROSS, SHARES = range(9)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def load_leads(key, first_path, n_steps, leads):  # type: ignore[no-untyped-def]
    """Of a tile, for all accounts: the leading bytes of the uniforms of its bridges, uint64 (lead_rows * TILE,)."""
    for group in range(n_steps // 16 + 1):
        at = 2 * group * TILE
        fill_leads(key, first_path, group, leads[at : at + TILE], leads[at + TILE : at + 2 * TILE])


@leaf()
def _add_bound(factor, price, variance, work):  # type: ignore[no-untyped-def]
    for k in range(price.size):
        value = factor * price[k]
        work[MOST + k] = max(work[MOST + k], value)
        work[SPREAD + k] = fma(value, variance[k], work[SPREAD + k])


@leaf()
def _bound_many(counted, most, work):  # type: ignore[no-untyped-def]
    """((1 - r) a + r) sum of w v, from sums that are not yet divided by the counted collateral."""
    less = max(1.0 - most, 0.0)
    for k in range(TILE):
        part = 1.0 / counted[k]
        work[SPREAD + k] *= part * fma(less * part, work[MOST + k], most)


@leaf()
def _find_wanted(before, after, leads, spread, per_growth, level, floor, t, work):  # type: ignore[no-untyped-def]
    """WANTED: the place of the lane in the history where the bridge of step t may fall below what counts, -1 elsewhere.

    spread : at least the variance of the step of ln(health factor), one a lane of the tile. A path that is known to be
    below the level by then, and below the floor, needs no more.
    """
    at = t * TILE
    now = np.float64(t)
    shift = lead_shift(t)
    for k in range(spread.size):
        least = max(work[LOWEST + k], level) * _ROOM
        start = before[k] * per_growth
        end = after[k]
        bits = np.float64(np.float64(least_uniform(leads[k], shift)).view(np.int64))
        reach = spread[k] * fma(bits, -_PER_BIT, _PER_BIT * _BITS_OF_ONE)
        clear = (start - least) * (end - least) > reach * (start * end)
        away = (start > least) & (end > least) & clear
        known = (work[SAFE_STEPS + k] <= now) & (work[LOWEST + k] < floor)
        work[WANTED + k] = -1.0 if away | known else np.float64(at + k)


@leaf()
def _draw(key, first_path, leads, near, out):  # type: ignore[no-untyped-def]
    """The uniforms of the bridges that are near. In two loops: LLVM does not vectorise Philox beside a gather."""
    for n in range(out.size):
        place = np.uint64(near[n])
        path = np.uint64(first_path) + place % np.uint64(TILE)
        out[n] = trailing(np.uint64(key), path, place // np.uint64(TILE))
    for n in range(out.size):
        place = np.uint64(near[n])
        step = place // np.uint64(TILE)
        words = leads[np.uint64(lead_row(step) * np.uint64(TILE) + place % np.uint64(TILE))]
        out[n] = joined(words, lead_shift(step), out[n])


@leaf()
def _gather(row, first, near, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = row[np.uint64(first + near[n])]


@leaf()
def _reciprocals(factor, row):  # type: ignore[no-untyped-def]
    for k in range(row.size):
        row[k] = 1.0 / (row[k] * factor)


@leaf()
def _share(factor, asset, prices, variance, places, per_counted, out):  # type: ignore[no-untyped-def]
    """Share of an asset in the counted collateral times its standard deviation."""
    for n in range(out.size):
        at = np.uint64(asset + places[n])
        out[n] = factor * prices[at] * per_counted[n] * math.sqrt(variance[at])


@leaf()
def _net_share(factor, owed, growth, grown, asset, prices, variance, places, per_counted, per_debt, out):  # type: ignore[no-untyped-def]
    """The same less the asset's share in the debt."""
    for n in range(out.size):
        at = np.uint64(asset + places[n])
        share = factor * per_counted[n] - owed * grown[n] * growth * per_debt[n]
        out[n] = share * prices[at] * math.sqrt(variance[at])


@leaf()
def _add_square(share, cross, variance):  # type: ignore[no-untyped-def]
    """Variance += s (s + 2 sum over earlier assets of rho s)."""
    for k in range(share.size):
        variance[k] = fma(share[k], fma(2.0, cross[k], share[k]), variance[k])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _step_variance(rho, shares, n, cross, variance):  # type: ignore[no-untyped-def]
    """s' rho s of `n` rows of shares, one after another at distances of AT_ONCE."""
    size = variance.size
    fill(0.0, variance)
    for j in range(n):
        fill(0.0, cross)
        m = 0
        while m + 4 <= j:
            a, b, c, d = m * AT_ONCE, (m + 1) * AT_ONCE, (m + 2) * AT_ONCE, (m + 3) * AT_ONCE
            add_four(
                rho[j], m, shares[a : a + size], shares[b : b + size], shares[c : c + size], shares[d : d + size], cross
            )
            m += 4
        while m < j:
            add_one(rho[j, m], shares[m * AT_ONCE : m * AT_ONCE + size], cross)
            m += 1
        _add_square(shares[j * AT_ONCE : j * AT_ONCE + size], cross, variance)


@leaf()
def _minimum(per_growth, start, end, draw, variance):  # type: ignore[no-untyped-def]
    """`draw` <- the bridge's minimum: exp((x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2). Healths of zero and infinity
    have no logarithm here and no bridge, nor has a step in which nothing moves: the lower end, which may be that of the
    start, with the debt grown."""
    for k in range(start.size):
        first = start[k] * per_growth
        last = end[k]
        gap = log(last / first)
        root = math.sqrt(fma(gap, gap, max(variance[k], 0.0) * (-2.0 * log(draw[k]))))
        usable = variance[k] > 0.0 and last > 0.0 and last < np.inf
        draw[k] = math.sqrt(first * last * exp(-root)) if usable else min(first, last)


@leaf()
def _scatter(minimum, near, level, work):  # type: ignore[no-untyped-def]
    """The lowest so far, and SAFE_STEPS up to the first bridge that falls below the level or is none."""
    for n in range(minimum.size):
        place = np.uint64(near[n])
        k = place % np.uint64(TILE)
        least = minimum[n]
        if not (level <= least < np.inf):
            work[SAFE_STEPS + k] = min(work[SAFE_STEPS + k], np.float64(place // np.uint64(TILE)))
        work[LOWEST + k] = min(work[LOWEST + k], least)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bound_spread(prices, variance, start, n_paths, width, book, counted, most, work):  # type: ignore[no-untyped-def]
    """SPREAD: at least the variance of the step of ln(health factor), for accounts that owe cash alone."""
    _, places, factors, _, _, _, n_risky, _ = book
    fill(0.0, work[MOST : MOST + TILE])
    fill(0.0, work[SPREAD : SPREAD + TILE])
    for j in range(n_risky):
        at = start + places[2, j] * n_paths
        _add_bound(factors[j], prices[at : at + width], variance[at : at + width], work)
    _bound_many(counted, most, work)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _largest_correlation(rho, n):  # type: ignore[no-untyped-def]
    most = 0.0
    for j in range(n):
        for m in range(j):
            most = max(most, rho[j, m])
    return most


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _compute(  # type: ignore[no-untyped-def]
    n, prices, variance, step, first, n_paths, rows, growth, level, held, owed, thresholds, book, rho, powers, key,
    first_path, leads, history, listed, near, scratch, work,
):  # fmt: skip
    """The minima of the `n` bridges that are `listed`, and of the first again up to a whole number of eights."""
    assets, places_of, _, _, _, n_owed, n_risky, _ = book
    size = -(-n // EIGHT) * EIGHT
    places, near = near[AT_ONCE : AT_ONCE + size], near[:size]
    for k in range(n, size):
        listed[k] = listed[0]
    for k in range(size):
        near[k] = np.int64(listed[k])
        places[k] = (near[k] // TILE - 1) * step + first + near[k] % TILE
    start, end = scratch[START * AT_ONCE : START * AT_ONCE + size], scratch[END * AT_ONCE : END * AT_ONCE + size]
    draw, low = scratch[DRAW * AT_ONCE : DRAW * AT_ONCE + size], scratch[VARIANCE * AT_ONCE : VARIANCE * AT_ONCE + size]
    per_counted = scratch[PER_COUNTED * AT_ONCE : PER_COUNTED * AT_ONCE + size]
    per_debt = scratch[PER_DEBT * AT_ONCE : PER_DEBT * AT_ONCE + size]
    grown = scratch[GROWN * AT_ONCE : GROWN * AT_ONCE + size]
    cross = scratch[CROSS * AT_ONCE : CROSS * AT_ONCE + size]
    shares = scratch[SHARES * AT_ONCE :]
    _gather(history, -TILE, near, start)
    _gather(history, 0, near, end)
    _draw(key, first_path, leads, near, draw)
    _gather(history, (COUNTED * rows - 1) * TILE, near, per_counted)
    _reciprocals(1.0, per_counted)
    if n_owed > 0:
        _gather(history, (DEBT * rows - 1) * TILE, near, per_debt)
        _reciprocals(growth, per_debt)
        for k in range(size):
            grown[k] = powers[near[k] // TILE - 1]
    for j in range(n_risky):
        i = assets[2, j]
        factor, asset, share = held[i] * thresholds[i], places_of[2, j] * n_paths, shares[j * AT_ONCE :][:size]
        if owed[i] > 0.0:
            _net_share(factor, owed[i], growth, grown, asset, prices, variance, places, per_counted, per_debt, share)
        else:
            _share(factor, asset, prices, variance, places, per_counted, share)
    _step_variance(rho, shares, n_risky, cross, low)
    _minimum(1.0 / growth, start, end, draw, low)
    _scatter(draw, near, level, work)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def follow_bridges(  # type: ignore[no-untyped-def]
    prices, variance, n_assets, n_paths, first, width, n_steps, growth, level, floor, held, owed, thresholds, book,
    rho, key, first_path, leads, history, near, scratch, work,
):  # fmt: skip
    """After `follow` with all rows of `history`: LOWEST and SAFE_STEPS with the minima inside the steps.

    LOWEST is exact where it is at least `floor`, and below `floor` where the bridges take it there. SAFE_STEPS may be
    fewer than there are, where nothing moves between.

    Parameters
    ----------
    prices, n_assets, n_paths, first, width, n_steps, growth, level, held, owed, thresholds, book, history, work : as in
        `follow`. variance : float64, flat (>= n_steps, n_assets, n_paths). rho : as filled by `open_book`.
    floor : health factor, at most `level`.
    key : uint64, of Purpose.BRIDGE. first_path : int, number of the tile's first path. leads : of `load_leads`.
    near : int64 (2 * AT_ONCE,), scratch : float64 ((SHARES + 2 + n_slots) * AT_ONCE + n_steps + 1,), of which the first
        AT_ONCE + EIGHT list what is wanted.
    """
    _, places, _, _, _, n_owed, n_risky, _ = book
    if n_owed == 0 and not owed[held.size - 1] > 0.0:
        return
    rows, step = n_steps + 1, n_assets * n_paths
    listed, powers = scratch[: AT_ONCE + EIGHT], scratch[scratch.size - rows :]
    scratch = scratch[AT_ONCE + EIGHT :]
    powers[0] = 1.0
    for t in range(n_steps):
        powers[t + 1] = powers[t] * growth
    most = _largest_correlation(rho, n_risky)
    n = 0
    for i in range(n_steps):
        # From both ends inwards: the lowest point of a path lies more often there (arcsine law).
        t = 1 + i // 2 if i % 2 == 0 else n_steps - i // 2
        at = t * TILE
        before, now = history[at - TILE : at], history[at : at + TILE]
        words = leads[lead_row(t) * TILE : lead_row(t) * TILE + TILE]
        start = (t - 1) * step + first
        if n_owed > 0:
            fill(np.inf, work[SPREAD : SPREAD + TILE])
        elif n_risky > 1:
            counted = history[(COUNTED * rows + t - 1) * TILE : (COUNTED * rows + t) * TILE]
            _bound_spread(prices, variance, start, n_paths, width, book, counted, most, work)
        if n_owed == 0 and n_risky == 1:  # its share is at most 1: nothing is beside it but cash
            own = start + places[2, 0] * n_paths
            _find_wanted(before, now, words, variance[own : own + width], 1.0 / growth, level, floor, t, work)
        else:
            _find_wanted(before, now, words, work[SPREAD : SPREAD + width], 1.0 / growth, level, floor, t, work)
        found, _ = _compress(work[WANTED : WANTED + width], -0.5, np.inf, listed[n:])
        n += found
        if n > ENOUGH or (i == n_steps - 1 and n > 0):
            _compute(
                n, prices, variance, step, first, n_paths, rows, growth, level, held, owed, thresholds, book, rho,
                powers, key, first_path, leads, history, listed, near, scratch, work,
            )  # fmt: skip
            n = 0
