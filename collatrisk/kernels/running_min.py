"""The running minimum of the collateral ratio: one pass serves every mix, loan-to-value ratio and horizon.

The ratio of mix m at step t is A_t = exp(-rate t) (cash_m + sum_i coefficient_mi S_i(t) / S_i(0)), a coefficient being
weight x liquidation threshold: the health factor of a loan at loan-to-value l is A_t / l, so margin is called by step T
if and only if min A < margin_call x l.

Paths go through in tiles of 128 lanes; no lane depends on another, so results do not depend on the block size.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.bridge_uniforms import fill_leads, joined, lead_row, lead_shift, trailing
from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import exp, log

LANES = 128


@njit(cache=True, nogil=True, error_model="numpy")
def running_minimum(  # type: ignore[no-untyped-def]
    prices, variance, correlation, first_path, bridge_key, bridged, coefficients, cash, growth, horizons, out
):
    """Fill `out` with the lowest collateral ratio of each mix up to each horizon on each path, step 0 included.

    Parameters
    ----------
    prices : float64 (>= last horizon + 1, n_assets, n_paths), currency per unit.
    variance : float64 (>= last horizon, n_assets, n_paths), of the log-return steps; read only if any is `bridged`.
    correlation : float64 (n_assets, n_assets), of the steps; read only if any is `bridged`.
    first_path : int, index of path 0 in the whole source. bridge_key : uint64, the key of Purpose.BRIDGE.
    bridged : bool (n_mixes,), whether the minimum within each step is sampled; where not, ends of steps count.
    coefficients : float64 (n_mixes, n_assets), weight x liquidation threshold. cash : float64 (n_mixes,), the same.
    growth : float64, of the debt in a step.
    horizons : int64 (n_horizons,), ascending steps >= 0.
    out : float64 (n_mixes, n_horizons, n_paths), overwritten.

    Notes
    -----
    The bridge is that of the margin engine: with x0 and x1 the logs of A at the ends of a step (both with the debt at
    the end of the step), s2 = e' Sigma e with e the shares of the assets in A at the start, and U the uniform of the
    path and step, the minimum is exp((x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2).
    """
    n_mixes, n_assets = coefficients.shape
    n_steps = horizons[-1]
    any_bridged = bridged.any()
    used, n_used = _used_assets(coefficients)
    before = np.empty((n_assets, LANES))
    now = np.empty((n_assets, LANES))
    spread = np.zeros((n_assets, LANES))
    twice_log = np.zeros(LANES)
    words = np.empty((2, LANES), np.uint64)
    ratio = np.empty((n_mixes, LANES))
    lowest = np.empty((n_mixes, LANES))
    end = np.empty(LANES)
    mark = np.empty(LANES)
    share = np.empty((n_assets, LANES))
    step_variance = np.empty(LANES)
    for first in range(0, prices.shape[2], LANES):
        width = min(LANES, prices.shape[2] - first)
        _load_relative(prices, 0, first, width, now)
        for m in range(n_mixes):
            _mix_ratio(coefficients[m], cash[m], used[m], n_used[m], now, ratio[m])
            lowest[m] = ratio[m]
        reached = 0
        discount = 1.0
        for t in range(n_steps + 1):
            if t > 0:
                discount /= growth
                before, now = now, before
                _load_relative(prices, t, first, width, now)
                if any_bridged:
                    if t == 1 or t % 16 == 0:
                        fill_leads(bridge_key, first_path + first, t // 16, words[0], words[1])
                    leads = words[lead_row(t) % np.uint64(2)]
                    _load_step(
                        variance[t - 1], bridge_key, first_path + first, t, first, width, leads, spread, twice_log
                    )
                for m in range(n_mixes):
                    _mix_ratio(coefficients[m], cash[m], used[m], n_used[m], now, end)
                    if bridged[m]:
                        _mix_variance(
                            coefficients[m], used[m], n_used[m], before, ratio[m], spread, correlation, share,
                            step_variance,
                        )  # fmt: skip
                        _bridge(ratio[m], end, step_variance, twice_log, mark)
                    else:
                        mark[:] = end
                    for k in range(LANES):
                        lowest[m, k] = min(lowest[m, k], mark[k] * discount)
                    ratio[m] = end
            while reached < horizons.size and horizons[reached] == t:
                for m in range(n_mixes):
                    out[m, reached, first : first + width] = lowest[m, :width]
                reached += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _used_assets(coefficients):  # type: ignore[no-untyped-def]
    """For each mix, the assets that count, packed to the front, and how many."""
    n_mixes, n_assets = coefficients.shape
    used = np.zeros((n_mixes, n_assets), np.int64)
    n_used = np.zeros(n_mixes, np.int64)
    for m in range(n_mixes):
        for i in range(n_assets):
            if coefficients[m, i] > 0.0:
                used[m, n_used[m]] = i
                n_used[m] += 1
    return used, n_used


@njit(cache=True, nogil=True, error_model="numpy")
def _load_relative(prices, t, first, width, relative):  # type: ignore[no-untyped-def]
    """S_i(t) / S_i(0) of a tile; lanes beyond the block repeat its first path, so that loops have a fixed length."""
    for i in range(relative.shape[0]):
        row = prices[t, i]
        spot = prices[0, i]
        for k in range(LANES):
            lane = first + k if k < width else first
            relative[i, k] = row[lane] / spot[lane]


@njit(cache=True, nogil=True, error_model="numpy")
def _load_step(variance, key, first_path, t, first, width, leads, spread, twice_log):  # type: ignore[no-untyped-def]
    """Standard deviations of the step that ends at t, and -2 ln U of its bridge."""
    for i in range(spread.shape[0]):
        row = variance[i]
        for k in range(LANES):
            spread[i, k] = math.sqrt(row[first + k if k < width else first])
    shift = lead_shift(t)
    for k in range(LANES):
        rest = trailing(np.uint64(key), np.uint64(first_path + k), np.uint64(t))
        twice_log[k] = -2.0 * log(joined(leads[k], shift, rest))


@njit(cache=True, nogil=True, error_model="numpy")
def _mix_ratio(coefficients, cash, used, n_used, relative, ratio):  # type: ignore[no-untyped-def]
    for k in range(LANES):
        ratio[k] = cash
    for j in range(n_used):
        c = coefficients[used[j]]
        row = relative[used[j]]
        for k in range(LANES):
            ratio[k] += c * row[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _mix_variance(  # type: ignore[no-untyped-def]
    coefficients, used, n_used, relative, ratio, spread, correlation, share, out
):
    """Variance of the step of ln A: e' Sigma e, e the shares in A at the start of the step."""
    for k in range(LANES):
        out[k] = 0.0
    for j in range(n_used):
        i = used[j]
        for k in range(LANES):
            share[j, k] = coefficients[i] * relative[i, k] / ratio[k] * spread[i, k]
        for k in range(LANES):
            out[k] += share[j, k] * share[j, k]
        for m in range(j):
            twice = 2.0 * correlation[i, used[m]]
            for k in range(LANES):
                out[k] += twice * share[j, k] * share[m, k]


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge(start, end, variance, twice_log, mark):  # type: ignore[no-untyped-def]
    """The sampled minimum inside the step, from the ratios at its ends before the discount (it scales out)."""
    for k in range(LANES):
        x0 = log(start[k])
        x1 = log(end[k])
        gap = x1 - x0
        low = exp(0.5 * (x0 + x1 - math.sqrt(gap * gap + max(variance[k], 0.0) * twice_log[k])))
        least = min(start[k], end[k])
        mark[k] = min(low, least) if variance[k] > 0.0 else least


@njit(cache=True, nogil=True, error_model="numpy")
def count_below(lowest, barriers, counts):  # type: ignore[no-untyped-def]
    """How many paths lie below each barrier.

    Parameters
    ----------
    lowest : float64 (n_mixes, n_horizons, n_paths). barriers : float64 (n_barriers,).
    counts : int64 (n_mixes, n_horizons, n_barriers), overwritten.
    """
    n_mixes, n_horizons, _ = lowest.shape
    for m in range(n_mixes):
        for h in range(n_horizons):
            for b in range(barriers.size):
                counts[m, h, b] = _count_row_below(lowest[m, h], barriers[b])


@njit(cache=True, nogil=True, error_model="numpy")
def _count_row_below(row, barrier):  # type: ignore[no-untyped-def]
    count = 0
    for k in range(row.size):
        count += 1 if row[k] < barrier else 0
    return count
