"""Prices within a step, and what a market pays for what keepers resell in it.

Within a step, log prices follow a Brownian bridge between the step's ends, with the step's variance and the source's
correlation, drawn tick by tick; without a variance they are interpolated. The draws are keyed by (path, step, tick,
asset), so they are the same whatever is asked of them, and prices at the steps' ends are never touched.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.auction_state import LINEAR_DEPTH, ROOT_DEPTH
from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.random import normal_pair

DEEP = 3.3  # a bridge falls this many standard deviations below both its ends with probability 3e-10


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def refine(prices, variance, columns, factor, p, t, key, path, n_ticks, work, fine):  # type: ignore[no-untyped-def]
    """Prices at the ticks 0 to `n_ticks` of step `t` (1, 2, ...) of path `p` of the block.

    Parameters
    ----------
    prices, variance, columns : as for `auction_block`. factor : lower triangle with factor @ factor.T = correlation.
    key : uint64 of the stream. path : the path's number in the whole source.
    work : float64 (4, n_assets). fine : float64 (n_ticks + 1, n_assets), overwritten.
    """
    whole, here, first, second = work[0], work[1], work[2], work[3]
    n_assets = columns.size
    bridged = variance.shape[0] > 0
    for i in range(n_assets):
        fine[0, i] = prices[t - 1, columns[i], p]
        fine[n_ticks, i] = prices[t, columns[i], p]
        whole[i] = math.log(fine[n_ticks, i] / fine[0, i])
        here[i] = 0.0
    for j in range(1, n_ticks):
        left = n_ticks - j + 1
        for i in range(n_assets):
            if not bridged:
                fine[j, i] = fine[0, i] * math.exp(whole[i] * j / n_ticks)
                continue
            if j % 2 == 0 or j == 1:
                first[i], second[i] = normal_pair(key, path, t, i | ((j // 2) << 16))
        if not bridged:
            continue
        for i in range(n_assets):
            shock = 0.0
            for m in range(i + 1):
                shock += factor[i, m] * (second[m] if j % 2 == 1 else first[m])
            spread = math.sqrt(variance[t - 1, columns[i], p] / n_ticks * (left - 1) / left)
            here[i] += (whole[i] - here[i]) / left + spread * shock
            fine[j, i] = fine[0, i] * math.exp(here[i])


@leaf()
def lowest_prices(prices, variance, columns, p, t, low):  # type: ignore[no-untyped-def]
    """What the prices of step `t` do not fall below, but with probability 3e-10 an asset and step."""
    for i in range(columns.size):
        low[i] = min(prices[t - 1, columns[i], p], prices[t, columns[i], p])
        if variance.shape[0] > 0:
            low[i] *= math.exp(-DEEP * math.sqrt(variance[t - 1, columns[i], p]))


@leaf()
def recent_fall(prices, column, p, t, steps, now):  # type: ignore[no-untyped-def]
    """How far `now` lies below the highest of the last `steps` step ends before step `t` ends: in [0, 1)."""
    highest = now
    for s in range(max(t - steps, 0), t):
        highest = max(highest, prices[s, column, p])
    return 1.0 - now / highest


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def proceeds(kind, impact, depth, before, value):  # type: ignore[no-untyped-def]
    """What reselling `value` (units at the undisturbed price) fetches while `before` still weighs on the market.

    With y = sold / depth: linear ``y - impact y^2 / 2``, until the price is 0; square root ``y - impact y^1.5``, until
    then too; constant product ``y / (1 + impact y)``.
    """
    if impact == 0.0:
        return value
    start = before / depth
    end = (before + value) / depth
    if kind == LINEAR_DEPTH:
        slope = 1.0 - impact * start
        if slope <= 0.0:
            return 0.0
        sold = min(value, depth * slope / impact)
        return sold * (slope - 0.5 * impact * sold / depth)
    if kind == ROOT_DEPTH:
        full = (1.0 / (1.5 * impact)) ** 2
        start = min(start, full)
        end = min(end, full)
        return depth * ((end - start) - impact * (end * math.sqrt(end) - start * math.sqrt(start)))
    return value / ((1.0 + impact * start) * (1.0 + impact * end))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def resaleable(kind, impact, depth, before, share):  # type: ignore[no-untyped-def]
    """The value that can be resold before the price of the next unit is below `share` of the undisturbed one."""
    if share > 1.0 + 1e-12:
        return 0.0
    if impact == 0.0:
        return np.inf
    if kind == LINEAR_DEPTH:
        total = (1.0 - share) / impact
    elif kind == ROOT_DEPTH:
        total = ((1.0 - share) / (1.5 * impact)) ** 2
    else:
        total = (1.0 / math.sqrt(share) - 1.0) / impact if share > 0.0 else np.inf
    return max(depth * total - before, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def value_fetching(kind, impact, depth, before, wanted, most):  # type: ignore[no-untyped-def]
    """The least value, at most `most`, whose proceeds are `wanted`; inf if those of `most` are less. By bisection."""
    if proceeds(kind, impact, depth, before, most) < wanted:
        return np.inf
    low, high = 0.0, most
    for _ in range(60):
        middle = 0.5 * (low + high)
        if proceeds(kind, impact, depth, before, middle) < wanted:
            low = middle
        else:
            high = middle
    return high
