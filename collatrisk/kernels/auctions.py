"""The auction engine: from a block of price paths to what the auctions of every account fetched on each path.

One path at a time, tick by tick, in scalar code: auctions of all accounts share the limits, the keepers' money and the
depth of the market, so that nothing can be taken apart. A step is refined into ticks only if an auction runs or an
account can fall below a health factor of 1 in it; what that misses has a probability of 3e-10 an asset and step.
Nothing depends on other paths, so results do not depend on the block size.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.auction_batch import batch_tick
from collatrisk.kernels.auction_dutch import cheapness, dutch_tick
from collatrisk.kernels.auction_ends import close_path, count_ended
from collatrisk.kernels.auction_english import english_tick
from collatrisk.kernels.auction_keepers import look_around
from collatrisk.kernels.auction_market import lowest_prices, recent_fall, refine
from collatrisk.kernels.auction_start import health_of, start_auctions
from collatrisk.kernels.auction_state import (
    ASSET,
    DELAY,
    DEPTH,
    DEPTH_STRESS,
    DUTCH,
    ENGLISH,
    FEED_PRICE,
    GAS,
    GAS_NOW,
    GAS_STRESS,
    GROWTH,
    INTEREST,
    KIND,
    N_RUNNING,
    N_WHO,
    NEVER,
    OPEN,
    PRESSURE_KEEP,
    PRICE,
    RESET,
    RESETS,
    STRESS_STEPS,
    TAB,
    TICK,
    TIED,
    TIED_KEEP,
)
from collatrisk.kernels.jit import leaf, njit

_Floats = NDArray[np.float64]
_Wholes = NDArray[np.int64]


def auction_block(
    prices: _Floats, variance: _Floats, columns: _Wholes, factor: _Floats, first_path: int, n_steps: int, n_ticks: int,
    held: _Floats, debts: _Floats, thresholds: _Floats, rules: _Floats, book: _Floats, switches: _Wholes,
    ranks: _Wholes, margins: _Floats, impacts: _Floats, within_key: np.uint64, keeper_key: np.uint64, most_running: int,
    amounts: _Floats, events: NDArray[np.int32], records: _Floats,
) -> int:  # fmt: skip
    """Run the auctions of all accounts on every path of a block.

    Parameters
    ----------
    prices : float64 (>= n_steps + 1, n_source_assets, n_paths). variance : float64 (>= n_steps, n_source_assets,
        n_paths) of the log-return steps; (0, 0, 0): prices are interpolated within steps.
    columns : int64 (n_assets,), where the source has each. factor : float64 (n_assets, n_assets), lower triangle with
        factor @ factor.T = correlation.
    first_path : int, index of path 0 in the whole source. n_steps : steps to run. n_ticks : ticks a step.
    held : float64 (n_accounts, n_assets + 1), units, cash last. debts : float64 (n_accounts,), money.
    thresholds : float64 (n_accounts, n_assets + 1).
    rules : float64 (n_assets, N_RULES). book : float64 (N_BOOK,). switches : int64 (N_SWITCHES,).
    ranks : int64 (n_assets,), the assets in the order in which they go to auction.
    margins : float64 (n_keepers,), ascending. impacts : float64 (n_assets,).
    within_key, keeper_key : uint64, the streams' keys.
    most_running : int, auctions that may run at one time.
    amounts : float64 (n_accounts, n_paths, N_AMOUNTS), events : int32 (n_accounts, n_paths, N_EVENTS), overwritten.
    records : float64 (capacity, N_RECORD), one row an auction; (0, N_RECORD): not wanted.

    Returns
    -------
    The number of records there were, also beyond the capacity.
    """
    n_assets, n_accounts, n_keepers = columns.size, held.shape[0], margins.size
    found: int = _auction_block(
        prices, variance, columns, factor, first_path, n_steps, n_ticks, held, debts, thresholds, rules, book, switches,
        ranks, margins, impacts, within_key, keeper_key, amounts, events, records, np.empty((2, n_ticks + 1, n_assets)),
        np.empty((4, n_assets)), np.empty((2, n_assets)), np.ones((4, n_assets)), np.empty((n_accounts, n_assets + 1)),
        np.empty(n_accounts), np.empty((2, n_accounts)), np.empty(n_accounts), np.empty(n_assets), np.empty(n_assets),
        np.empty((2, n_keepers)), np.empty(n_keepers + 1, np.bool_), np.empty((2, n_keepers + 1)),
        np.empty((most_running, N_RUNNING)), np.empty((most_running, N_WHO), np.int64),
        np.empty(most_running, np.int64), np.empty(most_running),
    )  # fmt: skip
    return found


# Scratch is made outside, so that the kernel can do without counts of references.
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _auction_block(  # type: ignore[no-untyped-def]
    prices, variance, columns, factor, first_path, n_steps, n_ticks, held, debts, thresholds, rules, book, switches,
    ranks, margins, impacts, within_key, keeper_key, amounts, events, records, fine, work, low, market, free, owed,
    times, health, raising, pressure, purse, looking, bids, running, who, order, keys,
):  # fmt: skip
    n_assets = columns.size
    n_records = 0
    for p in range(prices.shape[2]):
        for a in range(owed.size):
            owed[a] = debts[a]
            for i in range(n_assets + 1):
                free[a, i] = held[a, i]
        amounts[:, p] = 0.0
        events[:, p] = NEVER
        times[:] = -1.0
        pressure[:] = 0.0
        purse[:] = 0.0
        n_running, last_tick, refined = 0, 0, -1
        lowest_prices(prices, variance, columns, p, 1, low[1])
        for t in range(1, n_steps + 1):
            for i in range(n_assets):
                low[0, i] = low[1, i]
            lowest_prices(prices, variance, columns, p, t, low[1])
            if t > 1:
                _grow(owed, book[GROWTH], amounts[:, p])
            if n_running == 0 and not _may_fall(low, switches[DELAY], free, owed, book[GROWTH], thresholds, work[0]):
                if t == 1:
                    _grow(owed, book[GROWTH], amounts[:, p])
                continue
            now, before = t % 2, (t - 1) % 2
            if switches[DELAY] > 0 and t > 1 and refined != t - 1:
                refine(
                    prices, variance, columns, factor, p, t - 1, within_key, first_path + p, n_ticks, work, fine[before]
                )
            refine(prices, variance, columns, factor, p, t, within_key, first_path + p, n_ticks, work, fine[now])
            refined = t
            for j in range(0 if t == 1 else 1, n_ticks + 1):
                if t == 1 and j == 1:
                    _grow(owed, book[GROWTH], amounts[:, p])
                tick = (t - 1) * n_ticks + j
                _set_market(prices, columns, p, t, j, n_ticks, fine, book, switches, market)
                _recover(tick - last_tick, book, pressure, purse)
                last_tick = tick
                n_looking = look_around(keeper_key, first_path + p, tick, book, switches, looking)
                step = t - 1 if j == 0 else t
                raising[:] = 0.0
                for n in range(n_running):
                    raising[who[n, ASSET]] += running[n, TAB]
                now_s = tick * book[TICK]
                n_running = start_auctions(
                    now_s, step, n_looking, rules, book, switches, ranks, thresholds, market, debts, free, owed,
                    raising, running, who, n_running, health, times[0], amounts[:, p], events[:, p],
                )  # fmt: skip
                if n_running == 0:
                    continue
                _sort(n_running, now_s, rules, market, running, who, order, keys)
                for place in range(n_running):
                    n = order[place]
                    rule = rules[who[n, ASSET]]
                    resets = who[n, RESETS]
                    if rule[KIND] == DUTCH:
                        dutch_tick(
                            now_s, n_looking, rule, book, switches, margins, impacts, looking, market, pressure, purse,
                            running[n], who[n], free, owed, amounts[:, p],
                        )  # fmt: skip
                    elif rule[KIND] == ENGLISH:
                        english_tick(
                            now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse,
                            running[n], who[n], free, owed, amounts[:, p],
                        )  # fmt: skip
                    else:
                        batch_tick(
                            now_s, rule, book, switches, margins, impacts, looking, market, pressure, purse,
                            running[n], who[n], free, owed, amounts[:, p], bids,
                        )  # fmt: skip
                    if who[n, RESETS] > resets and events[who[n, 0], p, RESET] < 0:
                        events[who[n, 0], p, RESET] = step
                n_records = count_ended(
                    first_path + p, step, n_running, running, who, times[1], amounts[:, p], events[:, p], records,
                    n_records,
                )  # fmt: skip
                n_running = _compact(n_running, running, who)
        for i in range(n_assets):
            work[0, i] = prices[n_steps, columns[i], p]
        n_records = close_path(
            first_path + p, n_steps, n_steps * n_ticks * book[TICK], work[0], thresholds, n_running, running, who, free,
            owed, times, amounts[:, p], events[:, p], records, n_records,
        )  # fmt: skip
    return n_records


@leaf()
def _grow(owed, growth, amounts):  # type: ignore[no-untyped-def]
    """A step's interest on what is owed outside auctions."""
    for a in range(owed.size):
        amounts[a, INTEREST] += owed[a] * (growth - 1.0)
        owed[a] *= growth


@leaf()
def _may_fall(low, delay, free, owed, growth, thresholds, lowest):  # type: ignore[no-untyped-def]
    """Whether any account could be below a health factor of 1 at the lowest prices of the step."""
    for i in range(lowest.size):
        lowest[i] = min(low[0, i], low[1, i]) if delay > 0 else low[1, i]
    for a in range(owed.size):
        if health_of(free[a], owed[a] * max(growth, 1.0), thresholds[a], lowest) < 1.0 + 1e-9:
            return True
    return False


@leaf()
def _set_market(prices, columns, p, t, j, n_ticks, fine, book, switches, market):  # type: ignore[no-untyped-def]
    """Prices, feeds, depth and gas of this tick. The feed shows the price of some ticks ago, the spot at the start."""
    back = j - switches[DELAY]
    for i in range(columns.size):
        price = fine[t % 2, j, i]
        market[PRICE, i] = price
        if back >= 0:
            market[FEED_PRICE, i] = fine[t % 2, back, i]
        else:
            market[FEED_PRICE, i] = fine[(t - 1) % 2, n_ticks + back, i] if t > 1 else prices[0, columns[i], p]
        if book[DEPTH_STRESS] > 0.0 or book[GAS_STRESS] > 0.0:
            fall = recent_fall(prices, columns[i], p, t, switches[STRESS_STEPS], price)
            market[DEPTH, i] = math.exp(-book[DEPTH_STRESS] * fall)
            market[GAS_NOW, i] = book[GAS] * math.exp(book[GAS_STRESS] * fall)
        else:
            market[GAS_NOW, i] = book[GAS]


@leaf()
def _recover(ticks, book, pressure, purse):  # type: ignore[no-untyped-def]
    """What weighs on the market and what keepers have tied up both fade."""
    if ticks > 0:
        kept, tied = book[PRESSURE_KEEP] ** ticks, book[TIED_KEEP] ** ticks
        for i in range(pressure.size):
            pressure[i] *= kept
        for k in range(purse.shape[1]):
            purse[TIED, k] *= tied


@leaf()
def _sort(n_running, now_s, rules, market, running, who, order, keys):  # type: ignore[no-untyped-def]
    """The cheapest Dutch auction first, ties by age: insertion, for there are few."""
    for n in range(n_running):
        asset = who[n, ASSET]
        key = 0.0
        if rules[asset, KIND] == DUTCH:
            key = cheapness(rules[asset], running[n], market[PRICE, asset], now_s)
        keys[n] = key
        place = n
        while place > 0 and key < keys[order[place - 1]]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = n


@leaf()
def _compact(n_running, running, who):  # type: ignore[no-untyped-def]
    """Drop what has ended, in order; the number that goes on."""
    kept = 0
    for n in range(n_running):
        if who[n, OPEN] == 1:
            if kept < n:
                for i in range(running.shape[1]):
                    running[kept, i] = running[n, i]
                for i in range(who.shape[1]):
                    who[kept, i] = who[n, i]
            kept += 1
    return kept
