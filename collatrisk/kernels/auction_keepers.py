"""Keepers: who looks at a tick, what each can pay, and how a sale moves the money and the market."""

from __future__ import annotations

from collatrisk.kernels.auction_market import proceeds
from collatrisk.kernels.auction_state import (
    ACCOUNT,
    ASSET,
    CAPITAL,
    DEBT,
    DEPTH,
    DEPTH_KIND,
    END_S,
    ESCROW,
    GAS_NOW,
    GAS_PAID,
    GIVEN_UP,
    LOOK,
    LOT,
    OPEN,
    PRICE,
    PURCHASES,
    RAISED,
    RECOURSE,
    RESOLD,
    RETURNED,
    SCAVENGER,
    SOLD,
    TAB,
    TIED,
    WORTH,
    WRITTEN_OFF,
)
from collatrisk.kernels.jit import leaf
from collatrisk.kernels.random import uniform


@leaf()
def look_around(key, path, tick, book, switches, looking):  # type: ignore[no-untyped-def]
    """Which keepers look at this tick; the number of them. The last one, who pays nothing, always looks if he exists.

    Keyed by (path, tick, keeper): the same whatever is being sold.
    """
    n_keepers = looking.size - 1
    n_looking = 0
    for k in range(n_keepers):
        looking[k] = book[LOOK] >= 1.0 or uniform(key, path, tick, k) < book[LOOK]
        n_looking += looking[k]
    looking[n_keepers] = switches[SCAVENGER] == 1
    return n_looking + looking[n_keepers]


@leaf()
def money_of(k, book, purse):  # type: ignore[no-untyped-def]
    """What keeper `k` can spend; the scavenger (the last) has nothing."""
    if k == purse.shape[1]:
        return 0.0
    return max(book[CAPITAL] - purse[TIED, k] - purse[ESCROW, k], 0.0)


@leaf()
def worth_to(k, units, asset, book, switches, margins, impacts, market, pressure):  # type: ignore[no-untyped-def]
    """The most that keeper `k` would pay for `units`, gas included: ``(1 - margin) * proceeds``."""
    if k == margins.size:
        return 0.0
    value = units * market[PRICE, asset]
    fetched = proceeds(switches[DEPTH_KIND], impacts[asset], market[DEPTH, asset], pressure[asset], value)
    return (1.0 - margins[k]) * fetched


@leaf()
def hand_over(k, units, paid, running, who, switches, impacts, market, pressure, purse):  # type: ignore[no-untyped-def]
    """Keeper `k` pays and gets `units`, which he resells at once."""
    asset = who[ASSET]
    value = units * market[PRICE, asset]
    fetched = proceeds(switches[DEPTH_KIND], impacts[asset], market[DEPTH, asset], pressure[asset], value)
    pressure[asset] += value
    if k < purse.shape[1]:
        purse[TIED, k] += paid
        running[GAS_PAID] += market[GAS_NOW, asset]
    running[SOLD] += units
    running[RAISED] += paid
    running[WORTH] += value
    running[RESOLD] += fetched
    who[PURCHASES] += 1


@leaf()
def finish(now_s, running, who, switches, free, owed, amounts):  # type: ignore[no-untyped-def]
    """Close an auction: the rest of the lot goes back, what was not raised is owed again or written off."""
    account, asset = who[ACCOUNT], who[ASSET]
    running[GIVEN_UP] = running[TAB]
    running[RETURNED] = running[LOT]
    free[account, asset] += running[LOT]
    missing = running[DEBT] - running[RAISED]
    # A rounding error is no debt, nor is it a reason to sell the rest of the collateral.
    if missing > 1e-12 * running[DEBT]:
        if switches[RECOURSE] == 1:
            owed[account] += missing
        else:
            amounts[account, WRITTEN_OFF] += missing
    running[TAB] = 0.0
    running[LOT] = 0.0
    running[END_S] = now_s
    who[OPEN] = 0


@leaf()
def is_sold_out(running):  # type: ignore[no-untyped-def]
    """Nothing left to sell, or nothing to raise."""
    return running[LOT] == 0.0 or running[TAB] == 0.0


@leaf()
def release(k, money, purse):  # type: ignore[no-untyped-def]
    """Give keeper `k` a bid back that was beaten."""
    if 0 <= k < purse.shape[1]:
        purse[ESCROW, k] = max(purse[ESCROW, k] - money, 0.0)


@leaf()
def commit(k, money, purse):  # type: ignore[no-untyped-def]
    """Lock a bid of keeper `k` until it is beaten or wins."""
    if 0 <= k < purse.shape[1]:
        purse[ESCROW, k] += money
