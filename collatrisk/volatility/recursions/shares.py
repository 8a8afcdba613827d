"""Shares of a whole as free coordinates: Aitchison's additive log-ratio, and the logit of a single share."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.volatility.distributions import Array


def log_ratios(shares: Array) -> Array:
    """log(share / (1 - sum of the shares)); infinite on a bound, nan beyond."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(shares / (1.0 - math.fsum(shares.tolist()))), dtype=np.float64)


def from_shares(ratios: Array) -> Array:
    """The shares of finite log-ratios: positive, with a sum below 1."""
    if ratios.size == 0:
        return np.empty(0)
    top = max(0.0, float(np.max(ratios)))
    weights = np.exp(ratios - top)
    return np.asarray(weights / (math.exp(-top) + float(np.sum(weights))), dtype=np.float64)


def logit(value: float, low: float, high: float) -> float:
    """log((value - low) / (high - value)); infinite on a bound, nan beyond."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.log(np.float64(value - low) / np.float64(high - value)))


def between(free: float, low: float, high: float) -> float:
    """The value in [low, high] with this logit."""
    share = 0.5 * (1.0 + math.tanh(0.5 * free))
    return min(max(low + (high - low) * share, low), high)
