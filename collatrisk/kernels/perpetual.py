"""Perpetual positions on paths: who is liquidated, at which price, what the fund pays, who is deleveraged.

The law of one step is in `docs/perpetuals.md`; the slow twin in `tests/naive_perpetual.py`. Serial code, path by path.
"""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.perpetual_closing import (
    ACCOUNTS,
    BY_MARKET,
    FUND_LEFT,
    FUND_PAID,
    OUTSIDE,
    OWED,
    REWARDS,
    TINY,
    TRADERS,
    UNCOVERED,
    closing_cost,
    deleverage,
    trade,
    write_event,
)
from collatrisk.kernels.perpetual_rules import (
    CLOSE,
    FUND,
    FUNDING,
    LEAST,
    OUTSIDE_SKEW,
    RANKING,
    REWARD,
    SPREAD,
    WINDOW,
    bankruptcy_price,
    closing_charge,
    fill_price,
    is_liquidatable,
    is_riskier,
    keeper_reward,
    limit_price,
    requirement,
)

_MOST_ROUNDS = 64
_ROUNDING = 1e-9


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def largest_open(required, size, a, blocked):  # type: ignore[no-untyped-def]
    """The open market of account `a` with the largest requirement that is not blocked; -1: none."""
    best = -1
    for m in range(required.size):
        if size[a, m] != 0.0 and not blocked[m] and (best < 0 or required[m] > required[best]):
            best = m
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def liquidate(  # type: ignore[no-untyped-def]
    path,
    step,
    a,
    quote,
    size,
    entry,
    worth,
    prices,
    skew,
    outside,
    closed,
    markets,
    tiers,
    rules,
    fund,
    amounts,
    required,
    blocked,
    base,
    used,
    log,
    count,
):
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
                        path,
                        step,
                        a,
                        m,
                        delta,
                        bankrupt,
                        quote,
                        size,
                        entry,
                        worth,
                        prices,
                        rules,
                        used,
                        amounts,
                        log,
                        count,
                    )
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


@njit(cache=True, nogil=True, error_model="numpy")
def write_states(  # type: ignore[no-untyped-def]
    step,
    p,
    a,
    size,
    prices,
    equity,
    counted,
    total,
    asked,
    required,
    rules,
    equities,
    requirements,
    bankrupts,
    limits,
    flags,
):
    """What account `a` looks like at the start of a step, before anything is done about it."""
    equities[p, step, a] = equity
    flags[p, step, a] = is_liquidatable(counted, asked, rules)
    for m in range(prices.size):
        requirements[p, step, a, m] = required[m]
        bankrupts[p, step, a, m] = np.nan
        limits[p, step, a, m] = np.nan
        if size[a, m] != 0.0 and total > 0.0:
            bankrupts[p, step, a, m] = bankruptcy_price(size[a, m], prices[m], equity, required[m] / total)
            if rules[SPREAD] >= 0.0:
                limits[p, step, a, m] = limit_price(size[a, m], prices[m], equity, asked, required[m], rules)


@njit(cache=True, nogil=True, error_model="numpy")
def perpetual_block(  # type: ignore[no-untyped-def]
    prices,
    columns,
    collateral_columns,
    n_steps,
    cash,
    sizes,
    entries,
    collateral,
    markets,
    tiers,
    rules,
    amounts,
    log,
    equities,
    requirements,
    bankrupts,
    limits,
    flags,
):
    """Run accounts with perpetual positions over a block of paths.

    Parameters
    ----------
    prices : float64 (n_steps + 1, n_assets, n_paths). columns, collateral_columns : int64, assets of the markets and of
        the collaterals.
    cash : float64 (n_accounts,), margin in currency. sizes, entries : float64 (n_accounts, n_markets), signed sizes and
        the prices that `cash` is counted from. collateral : float64 (n_accounts, n_collaterals), units after haircut.
    markets : float64 (n_markets, N_MARKET). tiers : float64 (n_markets, n_tiers, 3). rules : float64 (N_RULES,).
    amounts : float64 (n_paths, N_AMOUNTS), written. log : float64 (any, N_EVENT), written as far as it goes.
    equities, flags : float64, bool (n_paths, n_steps + 1, n_accounts), requirements, bankrupts, limits : float64
        (n_paths, n_steps + 1, n_accounts, n_markets); written unless their first axis is empty.

    Returns
    -------
    int : the number of events, which may be more than `log` holds.
    """
    n_accounts, n_markets = sizes.shape
    keep = equities.shape[0] > 0
    quote = np.empty(n_accounts)
    size = np.empty((n_accounts, n_markets))
    worth = np.empty(n_accounts)
    scale = np.empty(n_accounts)
    now = np.empty(n_markets)
    skew = np.empty(n_markets)
    outside = np.empty(1)
    closed = np.empty((n_markets, 2))
    required = np.empty(n_markets)
    base = np.empty(n_markets)
    blocked = np.empty(n_markets, dtype=np.bool_)
    used = np.empty(n_accounts, dtype=np.bool_)
    queue = np.empty(n_accounts, dtype=np.int64)
    risk = np.empty((n_accounts, 2))
    count = 0
    for p in range(prices.shape[2]):
        out = amounts[p]
        out[:] = 0.0
        fund = rules[FUND]
        outside[0] = 0.0
        for m in range(n_markets):
            skew[m] = markets[m, OUTSIDE_SKEW] + sizes[:, m].sum()
        start = 0.0
        for a in range(n_accounts):
            quote[a] = cash[a]
            scale[a] = abs(cash[a])
            start += cash[a]
            for m in range(n_markets):
                size[a, m] = sizes[a, m]
                quote[a] -= sizes[a, m] * entries[a, m]
                scale[a] += abs(sizes[a, m]) * prices[0, columns[m], p]
                start += sizes[a, m] * (prices[0, columns[m], p] - entries[a, m])
        for t in range(n_steps + 1):
            for m in range(n_markets):
                now[m] = prices[t, columns[m], p]
                closed[m, 0] = 0.0
                closed[m, 1] = 0.0
                if t > 0 and markets[m, FUNDING] != 0.0:
                    for a in range(n_accounts):
                        quote[a] -= size[a, m] * now[m] * markets[m, FUNDING]
                        outside[0] += size[a, m] * now[m] * markets[m, FUNDING]
            n_due = 0
            for a in range(n_accounts):
                worth[a] = 0.0
                for k in range(collateral_columns.size):
                    worth[a] += collateral[a, k] * prices[t, collateral_columns[k], p]
                equity, counted, total, asked, _ = assess(
                    a, quote, size, entries, worth, now, skew, markets, tiers, rules, required
                )
                if keep:
                    write_states(
                        t,
                        p,
                        a,
                        size,
                        now,
                        equity,
                        counted,
                        total,
                        asked,
                        required,
                        rules,
                        equities,
                        requirements,
                        bankrupts,
                        limits,
                        flags,
                    )
                if is_liquidatable(counted, asked, rules):
                    risk[a, 0] = equity
                    risk[a, 1] = asked
                    place = n_due
                    while place > 0 and is_riskier(equity, asked, risk[queue[place - 1], 0], risk[queue[place - 1], 1]):
                        queue[place] = queue[place - 1]
                        place -= 1
                    queue[place] = a
                    n_due += 1
            for i in range(n_due):
                fund, count = liquidate(
                    p,
                    t,
                    queue[i],
                    quote,
                    size,
                    entries,
                    worth,
                    now,
                    skew,
                    outside,
                    closed,
                    markets,
                    tiers,
                    rules,
                    fund,
                    out,
                    required,
                    blocked,
                    base,
                    used,
                    log,
                    count,
                )
        end = 0.0
        net = outside[0]
        for a in range(n_accounts):
            equity = quote[a]
            for m in range(n_markets):
                equity += size[a, m] * now[m]
                net += sizes[a, m] * prices[0, columns[m], p] - size[a, m] * now[m]
            end += equity
            # A position closed at its bankruptcy price leaves the rounding of what it was worth.
            owed = -(equity + worth[a])
            if owed > _ROUNDING * scale[a]:
                out[OWED] += owed
        out[FUND_LEFT] = fund
        out[TRADERS] = end - start
        out[OUTSIDE] = net
    return count
