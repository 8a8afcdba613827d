"""Slow, obvious twins of the register tile and of what is counted from it, one path at a time."""

from __future__ import annotations

import math
from fractions import Fraction


def fused(a, b, c):
    """a b + c rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def row_sum(prices, weights, begin):
    """begin + sum(weights x prices), fused in the order of the columns that have a weight."""
    total = begin
    for price, weight in zip(prices, weights, strict=True):
        if weight != 0.0:
            total = fused(price, weight, total)
    return total


def first_calls(prices, coefficients, cash, growth, barriers, bins):
    """Paths whose ratio first falls below each barrier, by mix, bin of steps and barrier."""
    n_steps, n_paths = len(bins) - 1, prices.shape[2]
    counts = [[[0] * len(barriers) for _ in range(max(bins) + 1)] for _ in coefficients]
    for m, weights in enumerate(coefficients):
        for p in range(n_paths):
            for b, barrier in enumerate(barriers):
                for t in range(n_steps + 1):
                    value = sum(w * s for w, s in zip(weights, prices[t, :, p] / prices[0, :, p], strict=True))
                    if (cash[m] + value) / growth**t < barrier:
                        counts[m][bins[t]][b] += 1
                        break
    return counts


def below_bits(sums, limits):
    """Two numbers of 64 bits: which of 128 sums lie below their limits."""
    bits = [sum(1 << k for k in range(64) if sums[64 * half + k] < limits[64 * half + k]) for half in (0, 1)]
    return tuple(bits)


def binomial_bounds(hits, n, confidence):
    """Clopper and Pearson by bisection of the binomial law itself."""

    def at_most(p):
        return math.fsum(math.comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(hits + 1))

    def at_least(p):
        return math.fsum(math.comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(hits, n + 1))

    def root(function, rising):
        low, high = 0.0, 1.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            if (function(middle) < 0.5 * (1.0 - confidence)) == rising:
                low = middle
            else:
                high = middle
        return low

    return (0.0 if hits == 0 else root(at_least, True)), (1.0 if hits == n else root(at_most, False))
