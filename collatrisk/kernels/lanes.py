"""Vector code of the margin engine: loading a tile of lanes, valuing it, and the bridge minimum of its health factor.

A lane is a path from one of its steps on: local step s of lane k is step ``base[k] + s`` of its path. All loops run
over the first `n` lanes, a whole number of eights. No lane depends on another.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.bridge_uniforms import bridge_uniform
from collatrisk.kernels.jit import leaf
from collatrisk.kernels.special import exp, log

LANES = 64
EIGHT = 8


@leaf()
def load_rows(source, asset, n_assets, n_paths, lanes, base, n, out):  # type: ignore[no-untyped-def]
    """out (rows, LANES) <- one asset of a flat array (steps, n_assets, n_paths), from step `base` of each lane on;
    beyond its last step the last one again."""
    last = source.size // (n_assets * n_paths) - 1
    for s in range(out.shape[0]):
        for k in range(n):
            t = min(base[k] + s, last)
            out[s, k] = source[np.uint64((t * n_assets + asset) * n_paths + lanes[k])]


@leaf()
def load_roots(source, asset, n_assets, n_paths, lanes, base, n, out):  # type: ignore[no-untyped-def]
    """`load_rows` of square roots, taken in the precision of the source, as the first pass does."""
    last = source.size // (n_assets * n_paths) - 1
    for s in range(out.shape[0]):
        for k in range(n):
            t = min(base[k] + s, last)
            out[s, k] = math.sqrt(source[np.uint64((t * n_assets + asset) * n_paths + lanes[k])])


@leaf()
def load_twice_log(key, first_path, lanes, base, n, twice_log):  # type: ignore[no-untyped-def]
    """-2 ln U of the bridge, one U a path and step, shared by all accounts; row s is the step that ends at s."""
    for s in range(1, twice_log.shape[0]):
        for k in range(n):
            twice_log[s, k] = -2.0 * log(bridge_uniform(key, first_path + lanes[k], base[k] + s))


@leaf()
def find_slots(held, owed, correlation, slots, rho):  # type: ignore[no-untyped-def]
    """The slots held, owed, and either of them but cash; the correlation of the last packed into `rho`."""
    cash = held.size - 1
    n_held = n_owed = n_risky = 0
    for i in range(cash + 1):
        if held[i] > 0.0:
            slots[0, n_held] = i
            n_held += 1
        if owed[i] > 0.0:
            slots[1, n_owed] = i
            n_owed += 1
        if i < cash and (held[i] > 0.0 or owed[i] > 0.0):
            slots[2, n_risky] = i
            n_risky += 1
    for j in range(n_risky):
        for m in range(j):
            rho[j, m] = correlation[slots[2, j], slots[2, m]]
    return n_held, n_owed, n_risky


@leaf()
def value_slots(side, tile, s, units, weights, n_used, used, n, worth, total):  # type: ignore[no-untyped-def]
    """Values of a side (0: held, 1: owed) at local step `s` by slot, times their weights, and their sum."""
    for k in range(n):
        total[k] = 0.0
    for j in range(n_used):
        i = used[side, j]
        weight = weights[i]
        for k in range(n):
            value = units[side, i, k] * tile[s, i, k] * weight
            worth[side, i, k] = value
            total[k] += value


@leaf()
def health_factors(counted, debt, n, health):  # type: ignore[no-untyped-def]
    for k in range(n):
        health[k] = counted[k] / debt[k] if debt[k] > 0.0 else np.inf


@leaf()
def bridge_variance(worth, spread, s, counted, debt, n_risky, slots, rho, n, shares, out):  # type: ignore[no-untyped-def]
    """Variance of the step of ln(health factor): e' Sigma e, e the collateral shares less the debt shares."""
    for j in range(n_risky):
        i = slots[2, j]
        for k in range(n):
            shares[j, k] = (worth[0, i, k] / counted[k] - worth[1, i, k] / debt[k]) * spread[s, i, k]
    for k in range(n):
        out[k] = 0.0
    for j in range(n_risky):
        for k in range(n):
            out[k] += shares[j, k] * shares[j, k]
        for m in range(j):
            twice = 2.0 * rho[j, m]
            for k in range(n):
                out[k] += twice * shares[j, k] * shares[m, k]


@leaf()
def bridge_minimum(start, end, variance, twice_log, s, n, mark):  # type: ignore[no-untyped-def]
    """The sampled minimum of the health factor inside the step; the lower end where nothing moves between.

    Inverse of the law of the minimum of a Brownian bridge from x0 to x1 with variance s2:
    exp((x0 + x1 - sqrt((x1 - x0)**2 - 2 s2 ln U)) / 2).
    """
    for k in range(n):
        x0 = log(start[k])
        x1 = log(end[k])
        gap = x1 - x0
        low = exp(0.5 * (x0 + x1 - math.sqrt(gap * gap + max(variance[k], 0.0) * twice_log[s, k])))
        least = min(start[k], end[k])
        # Zero and infinite health factors have no logarithm here and no bridge.
        usable = variance[k] > 0.0 and start[k] > 0.0 and end[k] > 0.0 and max(start[k], end[k]) < np.inf
        mark[k] = min(low, least) if usable else least
