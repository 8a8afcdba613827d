"""One Dutch auction at one tick: the price of the moment, a reset if one is due, purchases by those who look."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.auction_keepers import finish, hand_over, is_sold_out, money_of, worth_to
from collatrisk.kernels.auction_market import resaleable
from collatrisk.kernels.auction_rules import curve_share, purchase_size, reset_due
from collatrisk.kernels.auction_state import (
    ASSET,
    BREAKER,
    BREAKER_FROM,
    BUFFER,
    CHIP,
    COLLATERAL,
    CURVE,
    CUSP,
    DEPTH,
    DEPTH_KIND,
    DUST,
    FEED_PRICE,
    FIRST,
    GAS_NOW,
    LENDER_STARTS,
    LOT,
    PENALTY,
    PRICE,
    RESETS,
    REWARDS,
    STAIR,
    START_S,
    TAB,
    TAIL,
    TIP,
    TOLERANCE,
    TOP,
    TRIFLE,
)
from collatrisk.kernels.jit import leaf

_curve_share = leaf()(curve_share)
_reset_due = leaf()(reset_due)
_purchase_size = leaf()(purchase_size)


@leaf()
def asking(rule, running, now_s):  # type: ignore[no-untyped-def]
    """The asking price as a share of the top."""
    return _curve_share(int(rule[CURVE]), rule[FIRST], rule[STAIR], now_s - running[START_S])


@leaf()
def dutch_tick(  # type: ignore[no-untyped-def]
    now_s, n_looking, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who, free,
    owed, amounts,
):  # fmt: skip
    """Reset if due and paid for, then let keepers buy, the least demanding first."""
    share = asking(rule, running, now_s)
    breaker = rule[BREAKER] if now_s >= book[BREAKER_FROM] else 0.0
    if _reset_due(share, now_s - running[START_S], rule[TAIL], rule[CUSP]):
        if breaker >= 2.0 or not _reset(now_s, n_looking, rule, switches, market, running, who):
            return
        share = 1.0
    if breaker >= 3.0:
        return
    price = running[TOP] * share
    for k in range(looking.size):
        if looking[k]:
            _buy(k, price, rule, book, switches, margins, impacts, market, pressure, purse, running, who)
            if is_sold_out(running):
                finish(now_s, running, who, switches, free, owed, amounts)
                return


@leaf()
def _reset(now_s, n_looking, rule, switches, market, running, who):  # type: ignore[no-untyped-def]
    """A new start from the present feed; whether there was one."""
    asset = who[ASSET]
    if switches[LENDER_STARTS] == 0:
        rest = rule[DUST] * (1.0 + rule[PENALTY])
        worthwhile = running[TAB] >= rest and running[LOT] * market[FEED_PRICE, asset] >= rest
        reward = rule[TIP] + rule[CHIP] * running[TAB] if worthwhile else 0.0
        if n_looking == 0 or reward < market[GAS_NOW, asset]:
            return False
        running[REWARDS] += reward
    running[START_S] = now_s
    running[TOP] = market[FEED_PRICE, asset] * rule[BUFFER]
    who[RESETS] += 1
    return True


@leaf()
def _buy(k, price, rule, book, switches, margins, impacts, market, pressure, purse, running, who):  # type: ignore[no-untyped-def]
    """Keeper `k` buys what pays best: up to where the next unit would not fetch its price and his margin."""
    asset = who[ASSET]
    undisturbed = market[PRICE, asset]
    if k == margins.size:
        if price > 0.0:
            return
        amount = np.inf
    else:
        least = price / (undisturbed * (1.0 - margins[k]))
        least = max(least, 1.0 - book[TOLERANCE])
        amount = (
            resaleable(switches[DEPTH_KIND], impacts[asset], market[DEPTH, asset], pressure[asset], least) / undisturbed
        )
        if price > 0.0:
            amount = min(amount, money_of(k, book, purse) / price)
    if amount < TRIFLE * running[COLLATERAL]:
        return
    rest = rule[DUST] * (1.0 + rule[PENALTY])
    sold, paid, tab = _purchase_size(running[LOT], running[TAB], price, rest, amount)
    if sold < 0.0:  # all or nothing: the rest would be dust
        sold, paid, tab = _purchase_size(running[LOT], running[TAB], price, rest, np.inf)
        if paid > money_of(k, book, purse):
            return
    gas = market[GAS_NOW, asset] if k < margins.size else 0.0
    worth = worth_to(k, sold, asset, book, switches, margins, impacts, market, pressure)
    if sold <= 0.0 or worth - gas < paid - 1e-12 * paid:
        return
    hand_over(k, sold, paid, running, who, switches, impacts, market, pressure, purse)
    running[LOT] = max(running[LOT] - sold, 0.0)
    running[TAB] = tab


@leaf()
def cheapness(rule, running, price, now_s):  # type: ignore[no-untyped-def]
    """The asking price over the market's: keepers look at the cheapest first."""
    return running[TOP] * asking(rule, running, now_s) / price if price > 0.0 else math.inf
