"""Slow, obvious twins of the kernels, in plain Python and numpy: each kernel must agree with its twin."""

from __future__ import annotations

import math

import numpy as np


def value_at_risk(losses, level):
    """The smallest loss x with at least a share `level` of the losses at or below it."""
    ordered = sorted(losses)
    n = len(ordered)
    for i, x in enumerate(ordered):
        if (i + 1) / n >= level - 1e-12:
            return x
    return ordered[-1]


def expected_shortfall(losses, level):
    """Walk down from the largest loss until a mass of 1 - level is used up; the last loss counts in part."""
    n = len(losses)
    left = (1.0 - level) * n
    total = 0.0
    for x in sorted(losses, reverse=True):
        weight = min(1.0, left)
        total += weight * x
        left -= weight
        if left <= 1e-9:
            break
    return total / ((1.0 - level) * n)


def compress_above(values, threshold):
    """What is above the threshold, how many equal it, how many are not finite."""
    above = [x for x in values if x > threshold]
    return above, sum(x == threshold for x in values), sum(not math.isfinite(x) for x in values)
