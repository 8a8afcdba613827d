"""Closing a perpetual position: in the market, or against opposite accounts at the bankruptcy price.

Serial scalar code; see `collatrisk.kernels.perpetual`.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import leaf
from collatrisk.kernels.perpetual_rules import CLOSING_FEE, MOST_FEE, RANKING, imbalance_impact

# Rows of the amounts of a path.
(
    LIQUIDATED,
    ACCOUNTS,
    DELEVERAGED,
    DELEVERAGE_COST,
    FUND_PAID,
    FUND_RECEIVED,
    FUND_LEFT,
    UNCOVERED,
    SLIPPAGE,
    REWARDS,
    OWED,
    TRADERS,
    OUTSIDE,
) = range(13)
N_AMOUNTS = 13
# Columns of an event.
N_EVENT = 11
BY_MARKET, BY_OTHERS, AS_OTHER = range(3)
TINY = 1e-12


@leaf()
def write_event(log, count, path, step, a, m, delta, mark, bankrupt, limit, price, fund, kind):  # type: ignore[no-untyped-def]
    """Add a row to the log while there is room; the count goes on, so that the caller can give more."""
    if count < log.shape[0]:
        row = log[count]
        row[0], row[1], row[2], row[3], row[4] = path, step, a, m, delta
        row[5], row[6], row[7], row[8], row[9], row[10] = mark, bankrupt, limit, price, fund, kind
    return count + 1


@leaf()
def next_counterparty(a, m, quote, size, entry, worth, prices, used):  # type: ignore[no-untyped-def]
    """The account opposite to `a` in market `m` with the highest profit times leverage that is not `used`; -1: none.

    Of losing accounts the one whose loss over leverage is least comes first. Accounts without equity are passed over.
    """
    best = -1
    best_score = -math.inf
    for c in range(quote.size):
        if used[c] or c == a or size[c, m] * size[a, m] >= 0.0:
            continue
        equity = quote[c] + worth[c]
        for j in range(prices.size):
            equity += size[c, j] * prices[j]
        if equity <= 0.0:
            continue
        leverage = abs(size[c, m]) * prices[m] / equity
        profit = (prices[m] - entry[c, m]) / prices[m]
        if size[c, m] < 0.0:
            profit = -profit
        score = profit * leverage if profit > 0.0 else profit / leverage
        if score > best_score:
            best_score = score
            best = c
    return best


@leaf()
def opposite_size(a, m, quote, size, worth, prices, used):  # type: ignore[no-untyped-def]
    """Size opposite to `a` in market `m` of accounts with equity; marks the others as `used`."""
    total = 0.0
    for c in range(quote.size):
        used[c] = True
        if c == a or size[c, m] * size[a, m] >= 0.0:
            continue
        equity = quote[c] + worth[c]
        for j in range(prices.size):
            equity += size[c, j] * prices[j]
        if equity > 0.0:
            used[c] = False
            total += abs(size[c, m])
    return total


@leaf()
def deleverage(  # type: ignore[no-untyped-def]
    path, step, a, m, delta, bankrupt, quote, size, entry, worth, prices, rules, used, amounts, log, count
):
    """Close ``delta`` of account `a` against its opposites at the bankruptcy price; returns what is left of it."""
    total = opposite_size(a, m, quote, size, worth, prices, used)
    wanted = min(abs(delta), total)
    pro_rata = rules[RANKING] == 2.0
    sign = 1.0 if delta > 0.0 else -1.0
    held = abs(size[a, m])
    done = 0.0
    for _ in range(quote.size):
        if done >= wanted * (1.0 - TINY):
            break
        c = next_counterparty(a, m, quote, size, entry, worth, prices, used)
        if c < 0:
            break
        used[c] = True
        part = abs(size[c, m])
        part = part * wanted / total if pro_rata else min(part, wanted - done)
        change = sign * part
        quote[a] -= change * bankrupt
        size[a, m] += change
        quote[c] += change * bankrupt
        size[c, m] = 0.0 if part >= abs(size[c, m]) else size[c, m] - change
        done += part
        amounts[DELEVERAGED] += part * prices[m]
        amounts[DELEVERAGE_COST] += change * (prices[m] - bankrupt)
        count = write_event(log, count, path, step, c, m, -change, prices[m], bankrupt, np.nan, bankrupt, 0.0, AS_OTHER)
    if abs(size[a, m]) <= TINY * held:
        size[a, m] = 0.0
    if done > 0.0:
        amounts[LIQUIDATED] += done * prices[m]
        count = write_event(
            log, count, path, step, a, m, sign * done, prices[m], bankrupt, np.nan, bankrupt, 0.0, BY_OTHERS
        )
    return delta - sign * done, count


@leaf()
def closing_cost(delta, mark, skew, markets, m):  # type: ignore[no-untyped-def]
    """Fees of closing ``delta`` less what moving the imbalance brings."""
    impact = imbalance_impact(skew * mark, (skew + delta) * mark, markets, m)
    return markets[m, CLOSING_FEE] * abs(delta) * mark - impact


@leaf()
def trade(a, m, delta, price, bankrupt, quote, size, skew, outside, prices, markets, rules, fund, amounts):  # type: ignore[no-untyped-def]
    """Close ``delta`` in the market at `price`; the fund takes its fee or pays the loss. Returns fund, change."""
    value = abs(delta) * prices[m]
    cost = closing_cost(delta, prices[m], skew[m], markets, m)
    money = -delta * price - cost
    beyond = money + delta * bankrupt
    change = beyond if beyond <= 0.0 else min(rules[MOST_FEE] * abs(money), beyond)
    quote[a] += money - change
    outside[0] -= money
    size[a, m] += delta
    skew[m] += delta
    amounts[LIQUIDATED] += value
    amounts[SLIPPAGE] += delta * (price - prices[m]) + cost
    if change >= 0.0:
        amounts[FUND_RECEIVED] += change
        return fund + change, change
    paid = min(-change, fund)
    amounts[FUND_PAID] += paid
    amounts[UNCOVERED] += -change - paid
    return fund - paid, -paid
