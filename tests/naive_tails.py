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


def season_factors(values, hours, weight):
    """Log mean absolute size of each hour of the week, centred, times its weight, scaled to mean square 1."""
    level = []
    for t in range(len(values)):
        near = values[max(t - 84, 0) : t + 85]
        level.append(sum(near) / len(near))
    means = []
    for hour in range(168):
        own = [values[t] / level[t] for t in range(len(values)) if hours[t] == hour]
        means.append(math.log(sum(own) / len(own)))
    centre = sum(means) / 168
    factors = [math.exp(w * (m - centre)) for w, m in zip(weight, means, strict=True)]
    root = math.sqrt(sum(f * f for f in factors) / 168)
    return [f / root for f in factors]


def realized_likelihood(params, returns, measures):
    """The joint normal likelihood of the log-linear Realized GARCH, step by step."""
    mu, omega, beta, gamma, xi, phi, tau1, tau2, sigma = params
    logs = [math.log(x) for x in measures]
    log_x = sum(logs) / len(logs)
    log_h = math.log(sum((r - mu) ** 2 for r in returns) / len(returns))
    total = 0.0
    for r, now in zip(returns, logs, strict=True):
        log_h = omega + beta * log_h + gamma * log_x
        z = (r - mu) / math.exp(0.5 * log_h)
        u = now - xi - phi * log_h - tau1 * z - tau2 * (z * z - 1.0)
        total += -0.5 * (math.log(2 * math.pi) + log_h + z * z)
        total += -0.5 * (math.log(2 * math.pi) + 2 * math.log(sigma) + (u / sigma) ** 2)
        log_x = now
    return total


def simulate_realized(params, n, rng):
    """Returns and measures of the log-linear Realized GARCH with normal z and u."""
    mu, omega, beta, gamma, xi, phi, tau1, tau2, sigma = params
    log_h = (omega + gamma * xi) / (1.0 - beta - phi * gamma)
    returns, measures = [], []
    for _ in range(n):
        z = rng.standard_normal()
        log_x = xi + phi * log_h + tau1 * z + tau2 * (z * z - 1.0) + sigma * rng.standard_normal()
        returns.append(mu + math.exp(0.5 * log_h) * z)
        measures.append(math.exp(log_x))
        log_h = omega + beta * log_h + gamma * log_x
    return np.array(returns), np.array(measures)


def har_forecast(coefficients, log_x, lags):
    """b_0 + sum b_k mean of the last lags_k values."""
    total = coefficients[0]
    for b, lag in zip(coefficients[1:], lags, strict=True):
        total += b * sum(log_x[-lag:]) / lag
    return total
