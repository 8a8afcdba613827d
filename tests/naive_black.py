"""Slow, obvious twins of Black's formula: one option at a time, the normal law from `math.erfc`, bisection."""

from __future__ import annotations

import math


def normal(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def price(forward, strike, volatility, years, rate, sign):
    discount = math.exp(-rate * years)
    spread = volatility * math.sqrt(years)
    if spread == 0.0 or strike == 0.0 or forward == 0.0:
        return discount * max(sign * (forward - strike), 0.0)
    d1 = math.log(forward / strike) / spread + 0.5 * spread
    d2 = d1 - spread
    return discount * sign * (forward * normal(sign * d1) - strike * normal(sign * d2))


def derivatives(forward, strike, volatility, years, rate, sign):
    """(delta, gamma, vega, theta) from the textbook."""
    discount = math.exp(-rate * years)
    spread = volatility * math.sqrt(years)
    d1 = math.log(forward / strike) / spread + 0.5 * spread
    density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    value = price(forward, strike, volatility, years, rate, sign)
    delta = discount * sign * normal(sign * d1)
    gamma = discount * density / (forward * spread)
    vega = discount * forward * density * math.sqrt(years)
    return delta, gamma, vega, rate * value - discount * forward * density * volatility / (2.0 * math.sqrt(years))


def implied(target, forward, strike, years, rate, sign):
    """The volatility by bisection, in [0, 100]."""
    low, high = 0.0, 100.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if price(forward, strike, middle, years, rate, sign) < target:
            low = middle
        else:
            high = middle
    return low
