"""Closing the positions of an account whose margin does not suffice, the largest requirement first."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import leaf
from collatrisk.kernels.perpetual_assess import assess
from collatrisk.kernels.perpetual_closing import (
    ACCOUNTS,
    BY_MARKET,
    FUND_PAID,
    REWARDS,
    TINY,
    UNCOVERED,
    closing_cost,
    deleverage,
    trade,
    write_event,
)
from collatrisk.kernels.perpetual_rules import (
    CLOSE,
    RANKING,
    SPREAD,
    WINDOW,
    bankruptcy_price,
    fill_price,
    is_liquidatable,
    keeper_reward,
    limit_price,
)

_MOST_ROUNDS = 64


@leaf()
def largest_open(required, size, a, blocked):  # type: ignore[no-untyped-def]
    """The open market of account `a` with the largest requirement that is not blocked; -1: none."""
    best = -1
    for m in range(required.size):
        if size[a, m] != 0.0 and not blocked[m] and (best < 0 or required[m] > required[best]):
            best = m
    return best


@leaf()
def liquidate(  # type: ignore[no-untyped-def]
    path, step, a, quote, size, entry, worth, prices, skew, outside, closed, markets, tiers, rules, fund, amounts,
    required, blocked, base, used, log, count,
):  # fmt: skip
    """Close positions of account `a`, the largest requirement first, until its margin suffices or nothing fills."""
    for m in range(prices.size):
        blocked[m] = False
        base[m] = size[a, m] * rules[CLOSE]
    rewarded = False
    for _ in range(_MOST_ROUNDS * prices.size):
        equity, counted, total, asked, reward = assess(
            a, quote, size, entry, worth, prices, skew, markets, tiers, rules, required
        )
        m = largest_open(required, size, a, blocked)
        if m < 0 or not is_liquidatable(counted, asked, rules):
            break
        if not rewarded:
            rewarded = True
            amounts[ACCOUNTS] += 1.0
            n_open = 0
            for j in range(prices.size):
                n_open += size[a, j] != 0.0
            paid = keeper_reward(reward, n_open, counted, rules)
            amounts[REWARDS] += paid
            amounts[UNCOVERED] += max(paid - fund, 0.0)
            amounts[FUND_PAID] += min(paid, fund)
            fund = max(fund - paid, 0.0)
        held = size[a, m]
        room = markets[m, WINDOW] - (closed[m, 0] + closed[m, 1]) / prices[m]
        if room <= TINY * abs(held):
            blocked[m] = True
            continue
        delta = -held if abs(base[m]) >= abs(held) * (1.0 - TINY) else -base[m]
        if abs(delta) > room:
            delta = room if delta > 0.0 else -room
        bankrupt = bankruptcy_price(held, prices[m], equity, required[m] / total)
        limit = np.nan
        side = 0 if delta < 0.0 else 1
        price = fill_price(prices[m], delta, closed[m, side], skew[m], markets, m)
        if rules[SPREAD] >= 0.0:
            limit = limit_price(held, prices[m], equity, asked, required[m], rules)
            if (price - limit) * held < -TINY * prices[m] * abs(held):
                # The market is worse than the venue's limit: others take over a bankrupt account, the rest wait.
                if equity < 0.0 and rules[RANKING] > 0.0:
                    _, count = deleverage(
                        path, step, a, m, delta, bankrupt, quote, size, entry, worth, prices, rules, used, amounts,
                        log, count,
                    )  # fmt: skip
                blocked[m] = True
                continue
        cost = closing_cost(delta, prices[m], skew[m], markets, m)
        if delta * (bankrupt - price) - cost < -fund and rules[RANKING] > 0.0:
            delta, count = deleverage(
                path, step, a, m, delta, bankrupt, quote, size, entry, worth, prices, rules, used, amounts, log, count
            )
            if abs(delta) <= TINY * abs(held):
                continue
            price = fill_price(prices[m], delta, closed[m, side], skew[m], markets, m)
        whole = abs(size[a, m] + delta) <= TINY * abs(held)
        fund, change = trade(
            a, m, delta, price, bankrupt, quote, size, skew, outside, prices, markets, rules, fund, amounts
        )
        if whole:
            size[a, m] = 0.0
        closed[m, side] += abs(delta) * prices[m]
        count = write_event(log, count, path, step, a, m, delta, prices[m], bankrupt, limit, price, change, BY_MARKET)
    return fund, count
