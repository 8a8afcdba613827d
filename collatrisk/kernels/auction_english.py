"""One English two-phase auction at one tick.

Bids within a tick are not followed one by one: those who look outbid one another until one is left, who then pays the
least that beats the second (as in Vickrey's argument), but at least the standing bid times the step.
"""

from __future__ import annotations

import math

from collatrisk.kernels.auction_keepers import commit, finish, hand_over, money_of, release, worth_to
from collatrisk.kernels.auction_market import value_fetching
from collatrisk.kernels.auction_state import (
    ASSET,
    BID,
    BID_LENGTH,
    BID_S,
    BIDDER,
    COLLATERAL,
    DEPTH,
    DEPTH_KIND,
    GAS_NOW,
    LENGTH,
    LOT,
    PRICE,
    RAISE,
    RESETS,
    START_S,
    TAB,
)
from collatrisk.kernels.jit import leaf


@leaf()
def english_tick(  # type: ignore[no-untyped-def]
    now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who, free, owed,
    amounts,
):  # fmt: skip
    """Settle if the time has come, else let those who look bid: money for the lot first, less of the lot then."""
    over = now_s - running[START_S] >= rule[LENGTH]
    if who[BIDDER] >= 0 and (over or now_s - running[BID_S] >= rule[BID_LENGTH]):
        _settle(now_s, switches, impacts, market, pressure, purse, running, who, free, owed, amounts)
        return
    if over:
        running[START_S] = now_s
        who[RESETS] += 1
    if who[BIDDER] >= 0 and running[BID] == running[TAB]:
        _offer_less(now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who)
    else:
        _bid_more(now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who)


@leaf()
def _limit(k, book, switches, margins, impacts, market, pressure, purse, running, who):  # type: ignore[no-untyped-def]
    """The most that keeper `k` bids for the lot; below 0: nothing."""
    asset = who[ASSET]
    if k == margins.size:
        return 0.0
    money = money_of(k, book, purse) + (running[BID] if k == who[BIDDER] else 0.0)
    worth = worth_to(k, running[LOT], asset, book, switches, margins, impacts, market, pressure)
    return min(worth - market[GAS_NOW, asset], money)


@leaf()
def _bid_more(now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who):  # type: ignore[no-untyped-def]
    best, best_limit, second = -1, -1.0, -1.0
    for k in range(looking.size):
        if looking[k]:
            limit = _limit(k, book, switches, margins, impacts, market, pressure, purse, running, who)
            if limit > best_limit:
                best, best_limit, second = k, limit, best_limit
            else:
                second = max(second, limit)
    leader = who[BIDDER]
    floor = running[BID] * rule[RAISE]
    if leader < 0:
        if best < 0:
            return
        floor = 0.0
    elif best == leader:
        # The leader bids against himself only if somebody else who looks could beat him.
        if second < min(floor, running[TAB]) or second <= running[BID]:
            return
    elif best_limit < min(floor, running[TAB]) or best_limit <= running[BID]:
        return
    rival = second * rule[RAISE] if second > running[BID] or leader < 0 else 0.0
    bid = min(min(max(floor, max(rival, 0.0)), best_limit), running[TAB])
    release(leader, running[BID], purse)
    commit(best, bid, purse)
    who[BIDDER] = best
    running[BID] = bid
    running[BID_S] = now_s


@leaf()
def _least_lot(k, book, switches, margins, impacts, market, pressure, purse, running, who):  # type: ignore[no-untyped-def]
    """The least part of the lot that keeper `k` takes for the tab; inf: none."""
    asset = who[ASSET]
    if k == margins.size:
        return math.inf
    money = money_of(k, book, purse) + (running[BID] if k == who[BIDDER] else 0.0)
    if money < running[TAB]:
        return math.inf
    wanted = (running[TAB] + market[GAS_NOW, asset]) / (1.0 - margins[k])
    price = market[PRICE, asset]
    most = running[LOT] * price
    depth = market[DEPTH, asset]
    return value_fetching(switches[DEPTH_KIND], impacts[asset], depth, pressure[asset], wanted, most) / price


@leaf()
def _offer_less(now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who):  # type: ignore[no-untyped-def]
    best, least, second = -1, math.inf, math.inf
    for k in range(looking.size):
        if looking[k]:
            lot = _least_lot(k, book, switches, margins, impacts, market, pressure, purse, running, who)
            if lot < least:
                best, least, second = k, lot, least
            else:
                second = min(second, lot)
    ceiling = running[LOT] / rule[RAISE]
    rival = second if best == who[BIDDER] else least
    if best < 0 or rival > ceiling:
        return
    lot = max(min(ceiling, second / rule[RAISE]), least)
    release(who[BIDDER], running[BID], purse)
    commit(best, running[BID], purse)
    who[BIDDER] = best
    running[LOT] = lot
    running[BID_S] = now_s


@leaf()
def _settle(now_s, switches, impacts, market, pressure, purse, running, who, free, owed, amounts):  # type: ignore[no-untyped-def]
    """The best bidder pays and gets what he asked for; the rest of the lot goes back."""
    winner, bid = who[BIDDER], running[BID]
    units = running[LOT]
    release(winner, bid, purse)
    hand_over(winner, units, bid, running, who, switches, impacts, market, pressure, purse)
    running[TAB] = max(running[TAB] - bid, 0.0)
    running[LOT] = max(running[COLLATERAL] - units, 0.0)
    finish(now_s, running, who, switches, free, owed, amounts)
