"""One sale of collateral at a fixed bonus: repay a share of the debt, seize pro rata, sell into a linear impact.

Serial scalar code on one lane of a tile; see `collatrisk.kernels.margin` for the layout.
"""

from __future__ import annotations

import math

from numba import njit

# Columns of the rules of an account (float64).
CALL, RESTORE, BONUS, FEE, CLOSE, CURE, GROWTH = range(7)
N_RULES = 7
# Columns of its timing and switches (int64).
CURE_STEPS, DELAY, UNCURED_SELLS, SALE_PRICE, BRIDGE = range(5)
N_SWITCHES = 5
# Values of SALE_PRICE.
WORSE, END, BARRIER = range(3)

# Rows of the amounts of a path (float64) and of its first steps (int64, -1: never).
(
    SHORTFALL,
    REPAID,
    SEIZED,
    BONUS_PAID,
    FEE_PAID,
    SLIPPAGE,
    TOP_UP,
    INTEREST,
    OUTSTANDING,
    REMAINING,
    MIN_HEALTH,
) = range(11)
N_AMOUNTS = 11
CALLED, CURED, LIQUIDATED, EXHAUSTED, SHORT = range(5)
N_EVENTS = 5

MOST_ROUNDS = 32
HEALTHY = 1.0 - 1e-12  # a health factor of 1, rounding apart: where rounds end, and where a top-up to 1 left it


@njit(cache=True, nogil=True, error_model="numpy")
def sale_value(target, left, impact, sold):  # type: ignore[no-untyped-def]
    """What must be sold, valued at the price before it, for proceeds of `target`.

    The n-th unit of currency sold in a step fetches 1 - impact n, so selling V after `sold` fetches
    V (1 - impact sold) - impact V**2 / 2. If all that is `left` fetches less, all of it is sold; what comes after the
    price has reached zero fetches nothing.

    Returns
    -------
    value, proceeds : float64; value = left when it does not suffice.
    """
    slope = 1.0 - impact * sold
    inside = slope * slope - 2.0 * impact * target
    if slope > 0.0 and inside >= 0.0:
        value = 2.0 * target / (slope + math.sqrt(inside))
        if value < left:
            return value, target
    if slope <= 0.0:
        return left, 0.0
    sellable = left if impact * left <= slope else slope / impact
    return left, sellable * (slope - 0.5 * impact * sellable)


@njit(cache=True, nogil=True, error_model="numpy")
def price_factor(mode, forced, health, healthy_at_start):  # type: ignore[no-untyped-def]
    """Sale price over end price of every asset but cash, so that the health factor at the sale is the rule's.

    A forced sale (of an uncured call) never touched the barrier: it has the end price.
    """
    if forced or mode == END:
        return 1.0
    if mode == WORSE:
        return 1.0 / health if health > 1.0 else 1.0
    return 1.0 / health if healthy_at_start else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def sell(values, counted, impacts, n_held, held, cash, factor, debt, rules, sold, amounts):  # type: ignore[no-untyped-def]
    """Liquidate: the first round is unconditional, more follow while the health factor at sale prices is below 1.

    Parameters
    ----------
    values, counted : float64 (n_slots,), value of each slot at end prices, and times its liquidation threshold.
    impacts : float64 (n_slots,). held : int64, the slots in use, the first `n_held` count. cash : the cash slot.
    factor : sale price / end price, but for cash.
    debt : its value at end prices, > 0.
    rules : float64 (N_RULES,). sold : value already sold in this step.
    amounts : float64 (N_AMOUNTS,), added to.

    Returns
    -------
    kept, owed : shares of the collateral and of the debt that remain. sold : value sold in this step so far.
    """
    left = 0.0
    health_weight = 0.0
    for j in range(n_held):
        i = held[j]
        f = 1.0 if i == cash else factor
        left += values[i] * f
        health_weight += counted[i] * f
    impact = 0.0
    for j in range(n_held):
        i = held[j]
        share = values[i] * (1.0 if i == cash else factor) / left
        impact += share * share * impacts[i]
    cost = 1.0 + rules[BONUS] + rules[FEE]
    kept = 1.0
    owed = 1.0
    for _ in range(MOST_ROUNDS):
        wanted = rules[CLOSE] * debt
        value, proceeds = sale_value(wanted * cost, left, impact, sold)
        all_sold = value >= left
        repaid = min(proceeds / cost, wanted) if all_sold else wanted
        amounts[REPAID] += repaid
        amounts[SEIZED] += value
        amounts[BONUS_PAID] += rules[BONUS] * repaid
        amounts[FEE_PAID] += rules[FEE] * repaid
        amounts[SLIPPAGE] += value - repaid * cost
        rest = 0.0 if all_sold else (left - value) / left
        kept *= rest
        health_weight *= rest
        left *= rest
        sold += value
        owed = 0.0 if repaid >= debt else owed * ((debt - repaid) / debt)
        debt = 0.0 if repaid >= debt else debt - repaid
        if left <= 0.0 or debt <= 0.0 or health_weight >= debt * HEALTHY:
            break
    return kept, owed, sold
