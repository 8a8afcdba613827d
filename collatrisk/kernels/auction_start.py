"""What goes to auction: accounts below a health factor of 1, in order, as far as the limits have room."""

from __future__ import annotations

import math

from collatrisk.kernels.auction_rules import bark_size
from collatrisk.kernels.auction_state import (
    ACCOUNT,
    AS_LISTED,
    ASSET,
    AUCTIONED,
    AUCTIONED_DEBT,
    AUCTIONED_VALUE,
    AUCTIONS,
    BID_S,
    BIDDER,
    BREAKER,
    BREAKER_FROM,
    BUFFER,
    CAPACITY,
    CASH_USED,
    CHIP,
    COLLATERAL,
    DEBT,
    DUST,
    DUTCH,
    END_S,
    FEED,
    FEED_PRICE,
    FIRST_S,
    GAS_NOW,
    IN_TURN,
    KIND,
    LARGEST,
    LARGEST_FIRST,
    LENDER_STARTS,
    LOT,
    OPEN,
    ORDER,
    PENALTY,
    REWARDS,
    ROOM,
    START_S,
    TAB,
    TARGET,
    TIP,
    TOP,
    TRIGGERED,
)
from collatrisk.kernels.jit import leaf

_bark_size = leaf()(bark_size)

_NOTHING = 1e-12  # of a debt: what is worth or owed less is a rounding error


@leaf()
def health_of(units, owed, thresholds, prices):  # type: ignore[no-untyped-def]
    """Health factor of what is not in auctions; inf without debt or without anything to sell."""
    cash = units.size - 1
    counted, held = units[cash] * thresholds[cash], units[cash] > 0.0
    for i in range(cash):
        if units[i] > 0.0:
            held = True
            counted += units[i] * prices[i] * thresholds[i]
    return counted / owed if held and owed > 0.0 else math.inf


@leaf()
def start_auctions(  # type: ignore[no-untyped-def]
    now_s, step, n_looking, rules, book, switches, ranks, thresholds, market, debts, free, owed, raising, running, who,
    n_running, health, found_s, amounts, events,
):  # fmt: skip
    """Start what has to start at this tick; the number of running auctions then.

    `health` is float64 (n_accounts,), scratch; `found_s` float64 (n_accounts,), when each was first found below 1.
    """
    n_due = first = 0
    for a in range(free.shape[0]):
        if owed[a] < _NOTHING * debts[a]:
            owed[a] = 0.0
        health[a] = health_of(free[a], owed[a], thresholds[a], market[FEED_PRICE])
        if health[a] < 1.0:
            n_due += 1
            if events[a, TRIGGERED] < 0:
                events[a, TRIGGERED] = step
                found_s[a] = now_s
        else:
            health[a] = math.inf
    while n_due > 0:
        # Where nothing can start, all that is left to do for those who are due is to use their cash, in any order.
        room = _has_room(rules, book, switches, n_looking, raising, n_running, who.shape[0])
        a = _most_urgent(health, owed, switches[ORDER] if room else AS_LISTED, first)
        first = 0 if room else a + 1
        n_due -= 1
        health[a] = math.inf
        cash = min(free[a, -1], owed[a])
        free[a, -1] -= cash
        owed[a] -= cash
        amounts[a, CASH_USED] += cash
        if room and health_of(free[a], owed[a], thresholds[a], market[FEED_PRICE]) < 1.0:
            n_running = _auction_off(
                a, now_s, step, n_looking, rules, book, switches, ranks, thresholds[a], market, free[a], owed, raising,
                running, who, n_running, amounts[a], events[a],
            )  # fmt: skip
    return n_running


@leaf()
def _has_room(rules, book, switches, n_looking, raising, n_running, most_running):  # type: ignore[no-untyped-def]
    """Whether an auction of any asset could start now."""
    if n_running >= most_running or (switches[LENDER_STARTS] == 0 and n_looking == 0):
        return False
    most = 0.0
    for i in range(raising.size):
        most = max(most, rules[i, ROOM] - raising[i])
    return min(book[CAPACITY] - raising.sum(), most) > 0.0


@leaf()
def _most_urgent(health, owed, order, first):  # type: ignore[no-untyped-def]
    """The account that comes first: the lowest health factor, ties by debt; or the largest debt; or as listed.

    Accounts before `first` are known not to be due.
    """
    best = -1
    for a in range(first, health.size):
        if health[a] == math.inf:
            continue
        if best < 0:
            best = a
            if order == AS_LISTED:
                break
        elif order == LARGEST_FIRST:
            if owed[a] > owed[best]:
                best = a
        elif health[a] < health[best] or (health[a] == health[best] and owed[a] > owed[best]):
            best = a
    return best


@leaf()
def _auction_off(  # type: ignore[no-untyped-def]
    a, now_s, step, n_looking, rules, book, switches, ranks, thresholds, market, units, owed, raising, running, who,
    n_running, amounts, events,
):  # fmt: skip
    """Share the debt out among the assets, by value or in turn, and start their auctions."""
    n_assets = ranks.size
    value, last = 0.0, -1
    debt = left = owed[a]
    for place in range(n_assets):
        worth = units[ranks[place]] * market[FEED_PRICE, ranks[place]]
        if worth > _NOTHING * debt:
            value += worth
            last = ranks[place]
    for place in range(n_assets):
        i = ranks[place]
        worth = units[i] * market[FEED_PRICE, i]
        if worth <= _NOTHING * debt:
            continue
        share = min(worth * thresholds[i], left) if switches[IN_TURN] == 1 else debt * (worth / value)
        share = left if i == last else min(share, left)
        left -= share
        while share > 0.0 and units[i] > 0.0 and n_running < who.shape[0]:
            room = min(book[CAPACITY] - raising.sum(), rules[i, ROOM] - raising[i])
            room = min(room, rules[i, LARGEST] * (1.0 + rules[i, PENALTY]))
            part = _bark_size(share, room, rules[i, PENALTY], rules[i, DUST]) if room > 0.0 else -1.0
            if part <= _NOTHING * debt or (rules[i, BREAKER] >= 1.0 and now_s >= book[BREAKER_FROM]):
                break
            tab = part * (1.0 + rules[i, PENALTY])
            if part < share:
                tab = min(tab, room)  # 1 + penalty was divided out and multiplied in again
            reward = 0.0
            if switches[LENDER_STARTS] == 0:
                reward = rules[i, TIP] + rules[i, CHIP] * tab
                if n_looking == 0 or reward < market[GAS_NOW, i]:
                    break
            lot = units[i] if part == share else units[i] * (part / share)
            units[i] -= lot
            owed[a] -= part
            share -= part
            raising[i] += tab
            _open(a, i, now_s, lot, part, tab, reward, rules[i], market, running[n_running], who[n_running])
            n_running += 1
            amounts[AUCTIONS] += 1.0
            amounts[AUCTIONED_DEBT] += part
            amounts[AUCTIONED_VALUE] += lot * market[FEED_PRICE, i]
            if events[AUCTIONED] < 0:
                events[AUCTIONED] = step
    return n_running


@leaf()
def _open(a, asset, now_s, lot, debt, tab, reward, rule, market, running, who):  # type: ignore[no-untyped-def]
    running[:] = 0.0
    running[FIRST_S] = running[START_S] = running[BID_S] = now_s
    running[END_S] = math.inf
    running[FEED] = market[FEED_PRICE, asset]
    running[TOP] = market[FEED_PRICE, asset] * rule[BUFFER] if rule[KIND] == DUTCH else 0.0
    running[LOT] = running[COLLATERAL] = lot
    running[DEBT] = debt
    running[TAB] = running[TARGET] = tab
    running[REWARDS] = reward
    who[:] = 0
    who[ACCOUNT] = a
    who[ASSET] = asset
    who[BIDDER] = -1
    who[OPEN] = 1
