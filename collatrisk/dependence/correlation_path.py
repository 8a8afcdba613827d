"""The correlation of every observation, by the recursion as it is written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence.dynamics import Motion, scaled_to_correlation

FloatArray = NDArray[np.float64]


def correlation_path(
    scores: FloatArray, motion: Motion, theta: FloatArray, correlation: FloatArray, negatives: FloatArray | None
) -> FloatArray:
    """R of every observation and of the step after the last, float64 (n_obs + 1, d, d), in plain numpy."""
    a, b, g = map(float, theta)
    constant = np.zeros_like(correlation) if motion == "ewma" else (1.0 - a - b) * correlation
    if negatives is not None:
        constant = constant - g * negatives
    state = correlation.copy()
    levels = np.empty((len(scores) + 1, *correlation.shape))
    levels[0] = state
    for t, x in enumerate(scores):
        u = x * np.sqrt(np.diag(state)) if motion == "corrected" else x
        falls = np.minimum(x, 0.0)
        state = constant + a * np.outer(u, u) + g * np.outer(falls, falls) + b * state
        levels[t + 1] = state
    return scaled_to_correlation(levels)
