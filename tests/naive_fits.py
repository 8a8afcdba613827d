"""Slow, obvious twins of the kernels behind fits: pairs counted one by one, derivatives carried along a recursion."""

from __future__ import annotations

import math

import numpy as np


def log_density(e, h, nu=math.inf):
    """Of e = sqrt(h) z, z normal or t of variance 1."""
    if nu == math.inf:
        return -0.5 * (math.log(2 * math.pi * h) + e * e / h)
    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(math.pi * (nu - 2) * h)
    return constant - (nu + 1) / 2 * math.log1p(e * e / (h * (nu - 2)))


def concordance(x, y):
    """sum_j sign((x_i - x_j) (y_i - y_j)) for every i, pair by pair."""
    n = range(len(x))
    return np.array([sum(int(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])) for j in n) for i in n])


def garch_slopes(residuals, slopes, start, start_slopes, omega, alpha, gamma, beta):
    """h_t and its gradient in (mean parameters, omega, alpha, gamma, beta), both carried along as dual numbers."""
    m = len(slopes)
    size = m + 1 + len(alpha) + len(gamma) + len(beta)
    unit = np.eye(size)
    first = np.array([*start_slopes, *[0.0] * (size - m)])
    variances, gradients = [], []
    for t in range(len(residuals)):
        h, g = omega, unit[m].copy()
        place = m + 1
        for kind, weights in (("alpha", alpha), ("gamma", gamma), ("beta", beta)):
            for lag, weight in enumerate(weights, 1):
                if t < lag:
                    share = 0.5 if kind == "gamma" else 1.0
                    value, slope = share * start, share * first
                elif kind == "beta":
                    value, slope = variances[t - lag], gradients[t - lag]
                else:
                    e = residuals[t - lag]
                    counts = 1.0 if kind == "alpha" or e < 0 else 0.0
                    moved = np.array([*(row[t - lag] for row in slopes), *[0.0] * (size - m)])
                    value, slope = counts * e * e, counts * 2 * e * moved
                h += weight * value
                g = g + weight * slope + value * unit[place]
                place += 1
        variances.append(h)
        gradients.append(g)
    return np.array(variances), np.array(gradients).T
