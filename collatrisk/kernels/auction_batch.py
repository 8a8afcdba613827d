"""One sealed-bid batch auction at one tick: bids are collected for a round and cleared at one price."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.auction_keepers import finish, hand_over, money_of, worth_to
from collatrisk.kernels.auction_market import resaleable
from collatrisk.kernels.auction_state import (
    ASSET,
    COLLATERAL,
    DEPTH,
    DEPTH_KIND,
    FEED_PRICE,
    GAS_NOW,
    LENGTH,
    LOT,
    PRICE,
    RESERVE,
    RESETS,
    SEEN,
    START_S,
    TAB,
    TOLERANCE,
    TRIFLE,
)
from collatrisk.kernels.jit import leaf


@leaf()
def batch_tick(  # type: ignore[no-untyped-def]
    now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse, running, who, free, owed,
    amounts, bids,
):  # fmt: skip
    """Note who has looked; at the end of a round, clear at one price, and start another round for the rest.

    `bids` is float64 (2, n_keepers + 1): price and units of each; units of 0: no bid.
    """
    for k in range(looking.size):
        if looking[k]:
            who[SEEN] |= np.int64(1) << np.int64(k)
    if now_s - running[START_S] < rule[LENGTH]:
        return
    _seal(rule[RESERVE], book, switches, margins, impacts, market, pressure, purse, running, who, bids)
    price = _clearing_price(running[LOT], running[TAB], bids)
    while True:
        k = _highest(bids)
        if k < 0 or bids[0, k] < price:
            break
        units = min(bids[1, k], running[LOT])
        bids[1, k] = 0.0
        paid = units * price
        if paid >= running[TAB] and price > 0.0:
            units, paid = min(running[TAB] / price, units), running[TAB]
        hand_over(k, units, paid, running, who, switches, impacts, market, pressure, purse)
        running[LOT] -= units
        running[TAB] -= paid
        if running[LOT] == 0.0 or running[TAB] == 0.0:
            finish(now_s, running, who, switches, free, owed, amounts)
            return
    running[START_S] = now_s
    who[RESETS] += 1
    who[SEEN] = 0


@leaf()
def _seal(reserve, book, switches, margins, impacts, market, pressure, purse, running, who, bids):  # type: ignore[no-untyped-def]
    """Each one who has looked bids for what he can resell and pay, at what it is worth to him alone."""
    asset = who[ASSET]
    undisturbed = market[PRICE, asset]
    least = reserve * market[FEED_PRICE, asset]
    bids[:] = 0.0
    for k in range(bids.shape[1]):
        if not (who[SEEN] >> np.int64(k)) & np.int64(1):
            continue
        if k == margins.size:
            bids[1, k] = running[LOT] if least <= 0.0 else 0.0
            continue
        depth, kind = market[DEPTH, asset], switches[DEPTH_KIND]
        most = resaleable(kind, impacts[asset], depth, pressure[asset], 1.0 - book[TOLERANCE]) / undisturbed
        units = min(running[LOT], most)
        if units < TRIFLE * running[COLLATERAL]:
            continue
        worth = worth_to(k, units, asset, book, switches, margins, impacts, market, pressure)
        price = (worth - market[GAS_NOW, asset]) / units
        if price > 0.0 and price >= least:
            units = min(units, money_of(k, book, purse) / price)
            bids[0, k] = price
            bids[1, k] = units if units >= TRIFLE * running[COLLATERAL] else 0.0


@leaf()
def _highest(bids):  # type: ignore[no-untyped-def]
    """The highest bid for anything, the first of equals; -1: none."""
    best = -1
    for k in range(bids.shape[1]):
        if bids[1, k] > 0.0 and (best < 0 or bids[0, k] > bids[0, best]):
            best = k
    return best


@leaf()
def _clearing_price(lot, tab, bids):  # type: ignore[no-untyped-def]
    """The highest bid at which all bids not below it take the lot or raise the tab; the lowest bid if none does."""
    price, floor = -1.0, np.inf
    for i in range(bids.shape[1]):
        if bids[1, i] <= 0.0:
            continue
        wanted = 0.0
        for k in range(bids.shape[1]):
            if bids[0, k] >= bids[0, i]:
                wanted += bids[1, k]
        floor = min(floor, bids[0, i])
        if bids[0, i] > price and (wanted >= lot or wanted * bids[0, i] >= tab):
            price = bids[0, i]
    return price if price >= 0.0 else floor
