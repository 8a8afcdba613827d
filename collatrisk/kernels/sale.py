"""One sale of collateral: calls that repay debt out of one asset, or of a mix pro rata, by the rules of the account.

Serial scalar code on one lane of a tile. A rule is data: which assets go first (`PRIORITY` of each slot; equal ones are
sold pro rata), the bonus and how the deficit makes it grow, how much a call repays, and what it must not leave.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.columns import (
    BARRIER,
    BONUS_OF,
    BONUS_PAID,
    BOOST,
    BY_DISCOUNT,
    CLOSE,
    DISCOUNT,
    DUST,
    FEE,
    FEE_OF_BONUS,
    FEE_PAID,
    FULL_HEALTH,
    FULL_VALUE,
    LEAST_BONUS,
    LEAST_COST,
    LEAST_LEFT,
    LIQUIDATOR_FEE,
    MOST_AT,
    MOST_BOOST,
    MOST_DISCOUNT,
    PRIORITY,
    REPAID,
    ROUNDS,
    SEIZED,
    SLIPPAGE,
    TARGET,
    TRIGGER,
    WORSE,
)
from collatrisk.kernels.jit import leaf, njit

# A health factor of 1, rounding apart: where rounds end, where a top-up to 1 left it; and how much repays a debt whole.
HEALTHY = 1.0 - 1e-12
NOBODY = -1


@leaf()
def fetched(value, impact, sold):  # type: ignore[no-untyped-def]
    """What selling `value` fetches after `sold`: the n-th unit of currency sold in a step fetches 1 - impact n.

    What comes after the price has reached zero fetches nothing.
    """
    slope = 1.0 - impact * sold
    if slope <= 0.0:
        return 0.0
    sellable = value if impact * value <= slope else slope / impact
    return sellable * (slope - 0.5 * impact * sellable)


@njit(cache=True, nogil=True, error_model="numpy")
def sale_value(target, left, impact, sold):  # type: ignore[no-untyped-def]
    """What must be sold, valued at the price before it, for proceeds of `target`: the inverse of `fetched`.

    Returns
    -------
    value, proceeds : float64; value = left, with what it fetches, when that does not suffice.
    """
    slope = 1.0 - impact * sold
    inside = slope * slope - 2.0 * impact * target
    if slope > 0.0 and inside >= 0.0:
        value = 2.0 * target / (slope + math.sqrt(inside))
        if value < left:
            return value, target
    return left, fetched(left, impact, sold)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def price_factor(mode, forced, health, healthy_at_start, trigger):  # type: ignore[no-untyped-def]
    """Sale price over end price of every asset but cash, so that the health factor at the sale is the rule's.

    A forced sale (of an uncured call) never touched the barrier: it has the end price.
    """
    if forced or (mode != WORSE and mode != BARRIER):
        return 1.0
    if mode == WORSE:
        return trigger / health if health > trigger else 1.0
    return trigger / health if healthy_at_start else 1.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def growth_of_bonus(health, rules, switches):  # type: ignore[no-untyped-def]
    """What the deficit makes of the bonuses: a factor of each asset's own, and what is added to all."""
    least = rules[LEAST_BONUS]
    if switches[BY_DISCOUNT] != 1 and least == 1.0:
        return 1.0, 0.0
    deficit = max(1.0 - health, 0.0)
    if switches[BY_DISCOUNT] == 1:
        base = rules[DISCOUNT] + deficit
        discount = min(base * rules[BOOST], base + rules[MOST_BOOST], rules[MOST_DISCOUNT])
        return 0.0, discount / (1.0 - discount)
    return least + (1.0 - least) * min(deficit / (1.0 - rules[MOST_AT]), 1.0), 0.0


@leaf(forceinline=True)
def in_group(i, priority, values, by_slot, room):  # type: ignore[no-untyped-def]
    """Whether a slot is sold now: of this priority, with something left, and room for it in the market."""
    return by_slot[PRIORITY, i] == priority and values[i] > 0.0 and (room.size == 0 or room[i] > 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def next_group(values, impacts, by_slot, n_held, held, debt, rules, switches, room, sold):  # type: ignore[no-untyped-def]
    """The first slot of what is sold next: the lowest priority, or the least cost a unit repaid; NOBODY at the end."""
    best = NOBODY
    lowest = np.inf
    for j in range(n_held):
        i = held[j]
        if not in_group(i, by_slot[PRIORITY, i], values, by_slot, room):
            continue
        key = by_slot[PRIORITY, i]
        if switches[LEAST_COST] == 1:
            cost = 1.0 + by_slot[BONUS_OF, i] + rules[FEE]
            value, proceeds = sale_value(rules[CLOSE] * debt * cost, values[i], impacts[i], sold[i])
            key = value * cost / proceeds if proceeds > 0.0 else np.inf
        if best == NOBODY or key < lowest:
            best, lowest = i, key
    return best


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def group_rates(priority, values, by_slot, n_held, held, room, factor, added, fee):  # type: ignore[no-untyped-def]
    """Bonus, and the protocol's part of it, per unit repaid out of a group sold pro rata.

    An asset that costs 1 + bonus + fee per unit repaid repays its share of the value over that.
    """
    total = bonus = protocol = 0.0
    least = np.inf
    most = -np.inf
    for j in range(n_held):
        i = held[j]
        if in_group(i, priority, values, by_slot, room):
            own = by_slot[BONUS_OF, i] * factor + added
            repaid = values[i] / (1.0 + own + fee)
            total += repaid
            bonus += repaid * own
            protocol += repaid * own * by_slot[FEE_OF_BONUS, i]
            least = min(least, own)
            most = max(most, own)
    return most if least == most else bonus / total, protocol / total


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def call_size(debt, left, weight, health, impact, sold, cost, rules):  # type: ignore[no-untyped-def]
    """The debt that one call repays, if the collateral suffices; 0: the rule allows no call.

    Parameters
    ----------
    left, weight : value of what is sold, and what of it counts. cost : of a unit repaid, in value sold.
    """
    if rules[TARGET] > 0.0:
        gain = rules[TARGET] - cost * (weight / left)
        wanted = min(debt * max(rules[TARGET] - health, 0.0) / gain, debt) if gain > 0.0 else debt
        if wanted > 0.0 and wanted < debt and rules[DUST] > 0.0:
            value, _ = sale_value(wanted * cost, left, impact, sold)
            if debt - wanted < rules[DUST] or (value < left and left - value < rules[DUST]):
                wanted = debt
        return wanted
    if health <= rules[FULL_HEALTH] or min(debt, left) < rules[FULL_VALUE]:
        return debt
    wanted = rules[CLOSE] * debt
    least = rules[LEAST_LEFT]
    if least > 0.0 and wanted < debt:
        value, _ = sale_value(wanted * cost, left, impact, sold)
        if value < left:
            wanted = min(wanted, debt - least)
            if left - value < least:
                wanted = min(wanted, fetched(left - least, impact, sold) / cost) if left > least else 0.0
    return max(wanted, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def sell(  # type: ignore[no-untyped-def]
    values, counted, impacts, by_slot, n_held, held, debt, rules, switches, room, sold, kept, amounts
):
    """Liquidate: the first call is unconditional, more follow while the health factor at sale prices is below 1.

    Parameters
    ----------
    values, counted : float64 (n_slots,), value of each slot at sale prices, and times its threshold; overwritten by
        what is left.
    impacts : float64 (n_slots,). by_slot : float64 (N_BY_SLOT, n_slots).
    held : int64, the slots in use, the first `n_held` count. debt : its value at end prices, > 0.
    rules : float64 (N_RULES,). switches : int64 (N_SWITCHES,).
    room : float64 (n_slots,), value that the market still takes of each, reduced; of length 0: any amount.
    sold : float64 (n_slots + 1,), value of each, and of all, sold in this step so far; added to.
    kept : float64 (n_slots,), overwritten by the share of each slot that is left.
    amounts : float64 (N_ALL_AMOUNTS,), added to.

    Returns
    -------
    owed : share of the debt that is left.
    """
    owed = 1.0
    for j in range(n_held):
        kept[held[j]] = 1.0
    first = NOBODY
    priority = left = weight = others = impact = before = most = part = bonus = protocol = cost = 0.0
    last_factor = last_added = np.nan
    for _ in range(switches[ROUNDS]):
        if first == NOBODY:
            first = next_group(values, impacts, by_slot, n_held, held, debt, rules, switches, room, sold)
            if first == NOBODY:
                break
            priority = by_slot[PRIORITY, first]
            left = weight = others = impact = before = 0.0
            part, most, whole = 1.0, np.inf, True
            last_factor = np.nan
            for j in range(n_held):
                i = held[j]
                if in_group(i, priority, values, by_slot, room):
                    left += values[i]
                    weight += counted[i]
                else:
                    others += counted[i]
                    whole = False
            for j in range(n_held):
                i = held[j]
                if in_group(i, priority, values, by_slot, room):
                    share = values[i] / left
                    impact += share * share * impacts[i]
                    before += share * impacts[i] * sold[i]  # by how much the price has fallen
                    if room.size > 0:
                        most = min(most, room[i] / share)
            before = before / impact if impact > 0.0 else 0.0
            if whole and room.size == 0:
                before = sold[-1]
        health = (weight + others) / debt
        factor, added = growth_of_bonus(health, rules, switches)
        if factor != last_factor or added != last_added:
            bonus, protocol = group_rates(priority, values, by_slot, n_held, held, room, factor, added, rules[FEE])
            protocol += rules[LIQUIDATOR_FEE]
            cost = 1.0 + bonus + rules[FEE]
            last_factor, last_added = factor, added
        wanted = call_size(debt, left, weight, health, impact, before, cost, rules)
        if wanted <= 0.0:
            break
        value, proceeds = sale_value(wanted * cost, left, impact, before)
        all_sold = value >= left
        full = value >= most
        if full:
            value = most
            all_sold = value >= left
            proceeds = fetched(value, impact, before)
        repaid = min(proceeds / cost, wanted) if all_sold or full else wanted
        amounts[REPAID] += repaid
        amounts[SEIZED] += value
        amounts[BONUS_PAID] += (bonus - protocol) * repaid
        amounts[FEE_PAID] += (rules[FEE] + protocol) * repaid
        amounts[SLIPPAGE] += value - repaid * cost
        rest = 0.0 if all_sold else (left - value) / left
        part *= rest
        weight *= rest
        left *= rest
        before += value
        most -= value
        sold[-1] += value
        in_full = repaid >= HEALTHY * debt
        owed = 0.0 if in_full else owed * ((debt - repaid) / debt)
        debt = 0.0 if in_full else debt - repaid
        done = debt <= 0.0 or weight + others >= debt * (HEALTHY * rules[TRIGGER])
        if all_sold or full or switches[LEAST_COST] == 1:
            _leave_group(priority, part, full, values, counted, by_slot, n_held, held, room, sold, kept)
            first = NOBODY
        if done:
            break
    if first != NOBODY:
        _leave_group(priority, part, False, values, counted, by_slot, n_held, held, room, sold, kept)
    return owed


@leaf()
def _leave_group(  # type: ignore[no-untyped-def]
    priority, part, full, values, counted, by_slot, n_held, held, room, sold, kept
):
    """Write down what a group has sold: `part` of it is left. A market that is `full` has no room for one asset."""
    tightest = NOBODY
    for j in range(n_held):
        i = held[j]
        if in_group(i, priority, values, by_slot, room):
            gone = values[i] * (1.0 - part)
            sold[i] += gone
            if room.size > 0:
                room[i] = max(room[i] - gone, 0.0)
                if tightest == NOBODY or room[i] < room[tightest]:
                    tightest = i
            values[i] *= part
            counted[i] *= part
            kept[i] *= part
    if full and room.size > 0 and tightest != NOBODY:
        room[tightest] = 0.0
