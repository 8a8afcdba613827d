"""Whether the margin of accounts with perpetual positions suffices: one account, or all of them side by side.

Both ways are the same operations in the same order for every account, and give the same bits.
"""

from __future__ import annotations

from collatrisk.kernels.jit import leaf
from collatrisk.kernels.perpetual_rules import (
    AMOUNT,
    CAP,
    CLOSING_FEE,
    EQUAL,
    FLOOR,
    LEAST,
    NEGATIVE,
    ON_ENTRY,
    POSITIVE,
    RATE,
    REWARD,
    SLOPE,
    ZERO,
    closing_charge,
    requirement,
)

EQUITY, COUNTED, TOTAL, ASKED, CHARGE, PAID, NEEDED, N_ASSESSED = range(8)
"""Rows of what `assess_all` finds out; from CHARGE on work space."""


@leaf()
def assess(a, quote, size, entry, worth, prices, skew, markets, tiers, rules, required):  # type: ignore[no-untyped-def]
    """Equity, what the test counts of it, the requirement and the reward of account `a`; `required` by market."""
    equity = quote[a] + worth[a]
    charge = 0.0
    total = 0.0
    reward = 0.0
    for m in range(prices.size):
        required[m] = requirement(size[a, m], prices[m], entry[a, m], markets, tiers, m)
        if size[a, m] != 0.0:
            equity += size[a, m] * prices[m]
            charge += closing_charge(size[a, m], prices[m], entry[a, m], skew[m], markets, m)
            total += required[m]
            reward += markets[m, REWARD] * abs(size[a, m]) * prices[m]
    asked = max(total, rules[LEAST]) if total > 0.0 else 0.0
    return equity, equity + charge, total, asked + reward if asked > 0.0 else 0.0, reward


@leaf()
def assess_all(quote, size, entry, worth, prices, skew, markets, tiers, rules, assessed, due):  # type: ignore[no-untyped-def]
    """`assess` of all accounts, by rows of `assessed`; `due` says who is liquidatable. Returns whether anybody is.

    Parameters
    ----------
    size, entry : float64 (n_accounts, n_markets), in Fortran order; the others as in `perpetual_block`.
    """
    n_accounts = quote.size
    for a in range(n_accounts):
        assessed[EQUITY, a] = quote[a] + worth[a]
        assessed[CHARGE, a] = 0.0
        assessed[TOTAL, a] = 0.0
        assessed[PAID, a] = 0.0
    for m in range(prices.size):
        price, reward = prices[m], markets[m, REWARD]
        for a in range(n_accounts):
            assessed[EQUITY, a] += size[a, m] * price
            assessed[PAID, a] += reward * abs(size[a, m]) * price
        _add_charges(size, entry, price, skew[m], markets, m, assessed)
        _add_requirements(size, entry, price, markets, tiers, m, assessed)
    least, zero, equal = rules[LEAST], rules[ZERO] > 0.0, rules[EQUAL] > 0.0
    n_due = 0
    for a in range(n_accounts):
        total = assessed[TOTAL, a]
        asked = max(total, least) if total > 0.0 else 0.0
        asked = asked + assessed[PAID, a] if asked > 0.0 else 0.0
        counted = assessed[EQUITY, a] + assessed[CHARGE, a]
        assessed[COUNTED, a], assessed[ASKED, a] = counted, asked
        lacks = (counted < asked) | (equal & (counted == asked)) | (zero & (counted <= 0.0))
        due[a] = lacks & (asked > 0.0)
        n_due += 1 if due[a] else 0
    return n_due > 0


@leaf()
def _add_charges(size, entry, price, skew, markets, m, assessed):  # type: ignore[no-untyped-def]
    if markets[m, POSITIVE] == 0.0 and markets[m, NEGATIVE] == 0.0:
        fee = -markets[m, CLOSING_FEE]
        for a in range(size.shape[0]):
            assessed[CHARGE, a] += fee * abs(size[a, m]) * price
    else:
        for a in range(size.shape[0]):
            assessed[CHARGE, a] += closing_charge(size[a, m], price, entry[a, m], skew, markets, m)


@leaf()
def _add_requirements(size, entry, price, markets, tiers, m, assessed):  # type: ignore[no-untyped-def]
    """`requirement` of all, tier after tier for as long as anybody is beyond its cap."""
    on_entry, slope, floor = markets[m, ON_ENTRY] > 0.0, markets[m, SLOPE], markets[m, FLOOR]
    n_tiers = tiers.shape[1]
    rate, amount, cap = tiers[m, 0, RATE], tiers[m, 0, AMOUNT], tiers[m, 0, CAP]
    n_beyond = 0
    for a in range(size.shape[0]):
        held = abs(size[a, m])
        notional = held * (entry[a, m] if on_entry else price)
        assessed[NEEDED, a] = notional * (rate + slope * held) - amount + floor
        n_beyond += 1 if notional > cap else 0
    k = 1
    while n_beyond > 0 and k < n_tiers:
        n_beyond = 0
        rate, amount, begin, cap = tiers[m, k, RATE], tiers[m, k, AMOUNT], tiers[m, k - 1, CAP], tiers[m, k, CAP]
        for a in range(size.shape[0]):
            held = abs(size[a, m])
            notional = held * (entry[a, m] if on_entry else price)
            if notional > begin:
                assessed[NEEDED, a] = notional * (rate + slope * held) - amount + floor
            n_beyond += 1 if notional > cap else 0
        k += 1
    for a in range(size.shape[0]):
        assessed[TOTAL, a] += assessed[NEEDED, a] if size[a, m] != 0.0 else 0.0
