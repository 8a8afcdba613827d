"""Rules of perpetual venues for one position: margin, fill, bankruptcy and limit prices, keeper's reward.

Scalar code; see `collatrisk.kernels.perpetual` for the engine and `collatrisk.liquidation.perpetual_terms` for units.
"""

from __future__ import annotations

import math

from collatrisk.kernels.jit import leaf

# Columns of a market (float64).
(
    SLOPE,  # growth of the margin ratio per unit of size
    FLOOR,  # money added to the requirement of a position
    ON_ENTRY,  # 1: margin is asked of the notional at entry, 0: at the mark
    REWARD,  # liquidation reward, share of the notional
    IMPACT,  # relative fall of the fill price per unit of currency closed in the step
    SKEW_SCALE,  # size at which the fill price would have doubled; inf: no skew
    OUTSIDE_SKEW,  # net size of everybody who is not among the accounts
    EXPONENT,  # of the price impact of an imbalance
    POSITIVE,  # its factor where the imbalance shrinks
    NEGATIVE,  # its factor where it grows; both 0: none
    MOST_IMPACT,  # largest negative impact that counts in the test, share of the size at entry
    CLOSING_FEE,  # share of the notional, counted in the test and paid on closing
    FUNDING,  # paid by longs to shorts each step, share of the notional
    WINDOW,  # largest size closed in the market in one step; inf: no limit
) = range(14)
N_MARKET = 14
# Columns of a tier (float64).
CAP, RATE, AMOUNT = range(3)
# Rules of the venue (float64).
(
    SPREAD,  # largest distance of the limit price from the mark over the requirement; below 0: no limit
    ADJUSTMENT,  # how fast that distance grows with the deficit
    MOST_FEE,  # to the fund, share of the traded money; inf: all that is left beyond bankruptcy
    CLOSE,  # share of a position closed at a time
    EQUAL,  # 1: equity equal to the requirement is liquidated
    ZERO,  # 1: equity at or below zero is liquidated, whatever the requirement
    RANKING,  # who is deleveraged: 0 nobody, 1 by profit times leverage, 2 pro rata
    LEAST,  # least requirement of an account with positions, money
    FUND,  # the insurance fund at the start
    KEEPER,  # 1: the reward is bounded as the following say
    KEEPER_LEAST,
    KEEPER_MOST,
    KEEPER_RATIO,
    KEEPER_SCALING,
    KEEPER_FLAG,
    KEEPER_COST,
) = range(16)
N_RULES = 16


@leaf()
def requirement(size, price, entry, markets, tiers, m):  # type: ignore[no-untyped-def]
    """Maintenance margin of one position: the tier of its notional, growth with size, and the floor."""
    if size == 0.0:
        return 0.0
    notional = abs(size) * (entry if markets[m, ON_ENTRY] > 0.0 else price)
    k = 0
    while k < tiers.shape[1] - 1 and notional > tiers[m, k, CAP]:
        k += 1
    return notional * (tiers[m, k, RATE] + markets[m, SLOPE] * abs(size)) - tiers[m, k, AMOUNT] + markets[m, FLOOR]


@leaf()
def imbalance_cost(imbalance, factor, exponent):  # type: ignore[no-untyped-def]
    """``|imbalance|**exponent * factor``, zero below one unit of currency."""
    size = abs(imbalance)
    return 0.0 if size < 1.0 else size**exponent * factor


@leaf()
def imbalance_impact(before, after, markets, m):  # type: ignore[no-untyped-def]
    """Money that a trade gets (pays, if negative) for moving the imbalance; each side of a crossover by its factor."""
    if markets[m, POSITIVE] == 0.0 and markets[m, NEGATIVE] == 0.0:
        return 0.0
    if before * after >= 0.0:
        factor = markets[m, POSITIVE] if abs(after) < abs(before) else markets[m, NEGATIVE]
        return imbalance_cost(before, factor, markets[m, EXPONENT]) - imbalance_cost(
            after, factor, markets[m, EXPONENT]
        )
    removed = imbalance_cost(before, markets[m, POSITIVE], markets[m, EXPONENT])
    return removed - imbalance_cost(after, markets[m, NEGATIVE], markets[m, EXPONENT])


@leaf()
def closing_charge(size, price, entry, skew, markets, m):  # type: ignore[no-untyped-def]
    """What the test counts against a position for closing it: fees, and a negative impact up to its cap; <= 0."""
    if size == 0.0:
        return 0.0
    charge = -markets[m, CLOSING_FEE] * abs(size) * price
    impact = imbalance_impact(skew * price, (skew - size) * price, markets, m)
    if impact < 0.0:
        charge += max(impact, -markets[m, MOST_IMPACT] * abs(size) * entry)
    return charge


@leaf()
def bankruptcy_price(size, price, equity, share):  # type: ignore[no-untyped-def]
    """The price at which closing uses up the position's share of the equity: ``price - equity share / size``."""
    return price - equity * share / size


@leaf()
def limit_price(size, price, equity, required, of_position, rules):  # type: ignore[no-untyped-def]
    """The worst price at which the venue's order fills: the mark when the margin just suffices, then further."""
    depth = rules[ADJUSTMENT] * (1.0 - equity / required)
    depth = min(max(depth, 0.0), 1.0)
    return price - depth * rules[SPREAD] * of_position / size


@leaf()
def fill_price(price, delta, closed, skew, markets, m):  # type: ignore[no-untyped-def]
    """Average price of closing ``delta`` (below 0: a sale) after ``closed`` currency went the same way in this step."""
    if markets[m, SKEW_SCALE] < math.inf:
        return price * (1.0 + (skew + delta / 2.0) / markets[m, SKEW_SCALE])
    moved = markets[m, IMPACT] * (closed + abs(delta) * price / 2.0)
    return price * max(1.0 - moved, 0.0) if delta < 0.0 else price * (1.0 + moved)


@leaf()
def is_liquidatable(equity, required, rules):  # type: ignore[no-untyped-def]
    """Whether the margin lacks; an account that requires none never is."""
    if required <= 0.0:
        return False
    if rules[ZERO] > 0.0 and equity <= 0.0:
        return True
    return equity <= required if rules[EQUAL] > 0.0 else equity < required


@leaf()
def is_riskier(equity_a, required_a, equity_b, required_b):  # type: ignore[no-untyped-def]
    """Whether a is strictly riskier than b: lower equity over requirement, then the larger requirement."""
    a = equity_a * required_b
    b = equity_b * required_a
    if a != b:
        return a < b
    if required_a != required_b:
        return required_a > required_b
    return required_a == 0.0 and equity_a < equity_b


@leaf()
def keeper_reward(reward, positions, available, rules):  # type: ignore[no-untyped-def]
    """What the liquidator is paid: the markets' rewards, between the bounds that the venue sets."""
    if rules[KEEPER] == 0.0:
        return reward
    cost = rules[KEEPER_FLAG] * positions + rules[KEEPER_COST]
    least = max(cost + rules[KEEPER_LEAST], cost * (1.0 + rules[KEEPER_RATIO]))
    most = rules[KEEPER_MOST]
    if available > 0.0:
        most = min(available * rules[KEEPER_SCALING], most)
    return min(max(least, reward + cost), most)
