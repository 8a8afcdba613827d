"""Slow, obvious twins of impact fits: a grid of exponents with sums in loops, and a regression on lags."""

from __future__ import annotations

import numpy as np


def power_fit(amounts: list[float], moves: list[float]) -> tuple[float, float]:
    """(exponent, coefficient) of least squared error over exponents 0.050, 0.051, ... 2.000."""
    best = (np.inf, 0.0, 0.0)
    for step in range(50, 2001):
        power = step / 1000.0
        shaped = [(1 if a > 0 else -1) * abs(a) ** power if a else 0.0 for a in amounts]
        slope = sum(g * m for g, m in zip(shaped, moves, strict=True)) / sum(g * g for g in shaped)
        error = sum((m - slope * g) ** 2 for g, m in zip(shaped, moves, strict=True))
        best = min(best, (error, power, slope))
    return best[1], best[2]


def response(amounts, moves, power: float, lags: int) -> np.ndarray:
    """Cumulative response to a step's volume, relative to the first, with one lead among the regressors."""
    shaped = np.sign(amounts) * np.abs(amounts) ** power
    rows = range(lags, len(moves) - 1)
    design = [[shaped[t - k] for k in range(lags + 1)] + [shaped[t + 1]] for t in rows]
    found = np.linalg.lstsq(np.array(design), np.array([moves[t] for t in rows]), rcond=None)[0]
    total = np.cumsum(found[:-1])
    return total / total[0]
