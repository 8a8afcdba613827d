"""Slow, obvious twins for the tails, the filtered bootstrap, seasonality and the realised models."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats


def pareto_loglikelihood(excesses, xi, scale):
    """The sum of scipy's log density."""
    return float(np.sum(stats.genpareto.logpdf(excesses, xi, scale=scale)))


def profile_of_quantile(excesses, share, threshold, level, q):
    """The highest log-likelihood with the quantile held at q, by scipy's minimiser over xi."""

    def minus(xi):
        ratio = share / (1.0 - level)
        unit = math.log(ratio) if abs(xi) < 1e-9 else (ratio**xi - 1.0) / xi
        return -pareto_loglikelihood(excesses, xi, (q - threshold) / unit)

    return -optimize.minimize_scalar(minus, bounds=(0.0, 2.0), method="bounded", options={"xatol": 1e-9}).fun


def harrell_davis(ordered, level):
    """The average of all order statistics with the weights of a beta law, one by one."""
    n = len(ordered)
    law = stats.beta((n + 1) * level, (n + 1) * (1.0 - level))
    return sum((law.cdf((i + 1) / n) - law.cdf(i / n)) * x for i, x in enumerate(ordered))
