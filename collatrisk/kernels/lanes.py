"""Vector code of the margin engine: loading a tile of lanes, valuing it, and the bridge minimum of its health factor.

All loops over lanes have the fixed length `LANES`, so that LLVM makes vector code of them. No lane depends on another.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.random import uniform
from collatrisk.kernels.special import exp, log

LANES = 64


@njit(cache=True, nogil=True, error_model="numpy")
def load_prices(prices, columns, lanes, tile):  # type: ignore[no-untyped-def]
    """Gather a tile: `lanes` int64 (LANES,) are the columns of the block that its lanes hold."""
    for t in range(tile.shape[0]):
        for i in range(columns.size):
            row = prices[t, columns[i]]
            for k in range(LANES):
                tile[t, i, k] = row[np.uint64(lanes[k])]


@njit(cache=True, nogil=True, error_model="numpy")
def load_spread(variance, columns, lanes, spread):  # type: ignore[no-untyped-def]
    """Gather a tile of step variances as standard deviations; row t is the step that ends at t."""
    for t in range(1, spread.shape[0]):
        for i in range(columns.size):
            row = variance[t - 1, columns[i]]
            for k in range(LANES):
                spread[t, i, k] = math.sqrt(row[np.uint64(lanes[k])])


@njit(cache=True, nogil=True, error_model="numpy")
def load_twice_log(key, first_path, lanes, twice_log):  # type: ignore[no-untyped-def]
    """-2 ln U of the bridge, one U a path and step, shared by all accounts."""
    for t in range(1, twice_log.shape[0]):
        for k in range(LANES):
            twice_log[t, k] = -2.0 * log(uniform(key, first_path + lanes[k], t, 0))


@njit(cache=True, nogil=True, error_model="numpy")
def find_slots(units, correlation, slots, rho):  # type: ignore[no-untyped-def]
    """The slots held, owed, and either of them but cash; the correlation of the last packed into `rho`."""
    cash = units.shape[1] - 1
    n_held = n_owed = n_risky = 0
    for i in range(cash + 1):
        if units[0, i, 0] > 0.0:
            slots[0, n_held] = i
            n_held += 1
        if units[1, i, 0] > 0.0:
            slots[1, n_owed] = i
            n_owed += 1
        if i < cash and (units[0, i, 0] > 0.0 or units[1, i, 0] > 0.0):
            slots[2, n_risky] = i
            n_risky += 1
    for j in range(n_risky):
        for m in range(j):
            rho[j, m] = correlation[slots[2, j], slots[2, m]]
    return n_held, n_owed, n_risky


@njit(cache=True, nogil=True, error_model="numpy")
def value_slots(prices, units, weights, weighted, n_used, used, worth, total):  # type: ignore[no-untyped-def]
    """Value of each slot, times its weight where `weighted`, and the sum, for all lanes."""
    for k in range(LANES):
        total[k] = 0.0
    for j in range(n_used):
        i = used[j]
        w = weights[i] if weighted else 1.0
        for k in range(LANES):
            worth[i, k] = units[i, k] * prices[i, k] * w
        for k in range(LANES):
            total[k] += worth[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def health_factors(counted, debt, health):  # type: ignore[no-untyped-def]
    for k in range(LANES):
        health[k] = counted[k] / debt[k] if debt[k] > 0.0 else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def bridge_variance(worth, spread, counted, debt, n_risky, risky, rho, shares, out):  # type: ignore[no-untyped-def]
    """Variance of the step of ln(health factor): e' Sigma e, e the collateral shares less the debt shares."""
    for j in range(n_risky):
        i = risky[j]
        for k in range(LANES):
            shares[j, k] = (worth[0, i, k] / counted[k] - worth[1, i, k] / debt[k]) * spread[i, k]
    for k in range(LANES):
        out[k] = 0.0
    for j in range(n_risky):
        for k in range(LANES):
            out[k] += shares[j, k] * shares[j, k]
        for m in range(j):
            twice = 2.0 * rho[j, m]
            for k in range(LANES):
                out[k] += twice * shares[j, k] * shares[m, k]


@njit(cache=True, nogil=True, error_model="numpy")
def bridge_minimum(start, end, variance, twice_log, mark):  # type: ignore[no-untyped-def]
    """The sampled minimum of the health factor inside the step; the lower end where nothing moves between.

    Inverse of the law of the minimum of a Brownian bridge from x0 to x1 with variance s2:
    exp((x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2).
    """
    for k in range(LANES):
        x0 = log(start[k])
        x1 = log(end[k])
        gap = x1 - x0
        low = exp(0.5 * (x0 + x1 - math.sqrt(gap * gap + max(variance[k], 0.0) * twice_log[k])))
        least = min(start[k], end[k])
        # Zero and infinite health factors have no logarithm here and no bridge.
        usable = variance[k] > 0.0 and start[k] > 0.0 and end[k] > 0.0 and max(start[k], end[k]) < np.inf
        mark[k] = min(low, least) if usable else least
