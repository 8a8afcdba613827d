"""Soft liquidation in bands: collateral converted along paths by arbitrage, health, and hard liquidation.

Serial scalar code, path by path and band by band. Formulas and units: `collatrisk.liquidation.bands`; the slow twin is
`tests/naive_bands.py`.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit

# Rules (float64).
A, FEE, DISCOUNT, GROWTH, MEMORY, BASE, KEEPER = range(7)
N_RULES = 7
_CRUMB = 1e-14  # of the curve's offset: what rounding leaves of a side that is used up
# Rows of the amounts of a path.
SOFT_LOSS, LOSS_SHARE, FEES, LOWEST, LIQUIDATED, DAYS, LIQUIDATOR, SHORTFALL, DEBT, COLLATERAL, STABLE = range(11)
N_AMOUNTS = 11


@njit(cache=True, nogil=True, error_model="numpy")
def band_scale(x, y, a, oracle, up):  # type: ignore[no-untyped-def]
    """y0 of a band: the positive root of ``p A y0^2 - y0 ((A-1) x p_up / p + A y p^2 / p_up) - x y = 0``."""
    b = up / oracle * (a - 1.0) * x + a * oracle * oracle / up * y
    return (b + math.sqrt(b * b + 4.0 * oracle * a * x * y)) / (2.0 * oracle * a)


@njit(cache=True, nogil=True, error_model="numpy")
def trade_band(x, y, a, fee, oracle, up, price):  # type: ignore[no-untyped-def]
    """A band after arbitrage with an outside price.

    The band moves along ``(f + x)(g + y) = p A^2 y0^2`` until its price, with the fee, is the outside's, or it holds
    one of the two only. The fee is paid in what comes in, and stays in the band.

    Returns
    -------
    x, y : after the trade. fee : paid, in currency at the outside price.
    """
    if x <= 0.0 and y <= 0.0:
        return x, y, 0.0
    low = price * (1.0 - fee)
    high = price / (1.0 - fee)
    # A band of one side only stands at its end, and mostly nobody trades with it.
    down = up * (a - 1.0) / a
    if x <= 0.0 and oracle * oracle * oracle >= low * up * up:
        return x, y, 0.0
    if y <= 0.0 and oracle * oracle * oracle <= high * down * down:
        return x, y, 0.0
    y0 = band_scale(x, y, a, oracle, up)
    f = a * y0 * oracle * oracle / up
    g = (a - 1.0) * y0 * up / oracle
    invariant = (f + x) * (g + y)
    at = (f + x) / (g + y)
    if at < low and y > 0.0:
        # Arbitrage buys collateral: stablecoins come in.
        rest = math.sqrt(invariant / low) - g
        new_y = rest if rest > _CRUMB * g else 0.0
        paid = invariant / (g + new_y) - f - x
        gross = paid / (1.0 - fee)
        return x + gross, new_y, gross - paid
    if at > high and x > 0.0:
        rest = math.sqrt(invariant * high) - f
        new_x = rest if rest > _CRUMB * f else 0.0
        paid = invariant / (f + new_x) - g - y
        gross = paid / (1.0 - fee)
        return new_x, y + gross, (gross - paid) * price
    return x, y, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def all_down_or_up(x, y, a, oracle, up, to_collateral):  # type: ignore[no-untyped-def]
    """What a band becomes if the price goes on slowly through it: stablecoins on the way down, collateral going up.

    First it is traded to the oracle price, then the rest of the way at geometric means of the prices.
    """
    if x <= 0.0 and y <= 0.0:
        return 0.0
    down = up * (a - 1.0) / a
    middle = math.sqrt(up * down)
    if oracle >= up and x <= 0.0:
        return y if to_collateral else y * middle
    if oracle <= down and y <= 0.0:
        return x / middle if to_collateral else x
    y0 = band_scale(x, y, a, oracle, up)
    f = a * y0 * oracle * oracle / up
    g = (a - 1.0) * y0 * up / oracle
    invariant = (f + x) * (g + y)
    if oracle >= up:
        held = max(invariant / f - g, 0.0)
        return held if to_collateral else held * middle
    if oracle <= down:
        paid = max(invariant / g - f, 0.0)
        return paid / middle if to_collateral else paid
    held = max(math.sqrt(invariant / oracle) - g, 0.0)
    paid = max(math.sqrt(invariant * oracle) - f, 0.0)
    if to_collateral:
        return held + paid / math.sqrt(up * oracle)
    return paid + held * math.sqrt(down * oracle)


@njit(cache=True, nogil=True, error_model="numpy")
def totals(x, y, a, oracle, ups, to_collateral):  # type: ignore[no-untyped-def]
    """`all_down_or_up` of all bands together."""
    total = 0.0
    for n in range(x.size):
        total += all_down_or_up(x[n], y[n], a, oracle, ups[n], to_collateral)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def band_block(  # type: ignore[no-untyped-def]
    prices, column, n_steps, step_days, substeps, collateral, debt, first, n_bands, rules, amounts, states
):
    """Run one position over a block of paths.

    Parameters
    ----------
    prices : float64 (n_steps + 1, n_assets, n_paths). column : the collateral. step_days : days a step.
    substeps : int64 >= 1, trades within a step, at prices on the geometric line between its ends.
    collateral, debt : units, currency. first, n_bands : int64, the highest band and how many.
    rules : float64 (N_RULES,). amounts : float64 (n_paths, N_AMOUNTS), written.
    states : float64 (n_paths, n_steps + 1, 4): oracle, stablecoins, collateral, health; written unless its first axis
        is empty.
    """
    a = rules[A]
    ratio = (a - 1.0) / a
    x = np.empty(n_bands)
    y = np.empty(n_bands)
    ups = np.empty(n_bands)
    for n in range(n_bands):
        ups[n] = rules[BASE] * ratio ** (first + n)
    for p in range(prices.shape[2]):
        out = amounts[p]
        out[:] = 0.0
        out[LOWEST] = math.inf
        out[DAYS] = n_steps * step_days
        owed = debt
        oracle = prices[0, column, p]
        for n in range(n_bands):
            x[n] = 0.0
            y[n] = collateral / n_bands
        open_ = True
        sum_x = 0.0
        sum_y = collateral
        for t in range(n_steps + 1):
            price = prices[t, column, p]
            if t > 0 and open_:
                owed *= rules[GROWTH]
                start = prices[t - 1, column, p]
                for k in range(1, substeps + 1):
                    now = price if k == substeps else start * (price / start) ** (k / substeps)
                    oracle = now + (oracle - now) * rules[MEMORY]
                    before = sum_x + sum_y * now
                    sum_x = 0.0
                    sum_y = 0.0
                    for n in range(n_bands):
                        x[n], y[n], paid = trade_band(x[n], y[n], a, rules[FEE], oracle, ups[n], now)
                        out[FEES] += paid
                        sum_x += x[n]
                        sum_y += y[n]
                    out[SOFT_LOSS] += before - (sum_x + sum_y * now)
            if not open_:
                continue
            worth = totals(x, y, a, oracle, ups, False)
            extra = max(oracle - ups[0], 0.0) * sum_y if sum_x == 0.0 else 0.0
            health = (worth * (1.0 - rules[DISCOUNT]) + extra) / owed - 1.0
            out[LOWEST] = min(out[LOWEST], health)
            if states.shape[0] > 0:
                states[p, t, 0], states[p, t, 1], states[p, t, 2], states[p, t, 3] = oracle, sum_x, sum_y, health
            value = sum_x + sum_y * price
            if health < 0.0 and value >= owed + rules[KEEPER] * sum_y * price:
                open_ = False
                out[LIQUIDATED] = 1.0
                out[DAYS] = t * step_days
                out[LIQUIDATOR] = value - owed
        back = totals(x, y, a, oracle, ups, True)
        out[LOSS_SHARE] = 1.0 - back / collateral
        out[DEBT] = owed if open_ else 0.0
        out[COLLATERAL] = sum_y if open_ else 0.0
        out[STABLE] = sum_x if open_ else 0.0
        if open_:
            out[SHORTFALL] = max(owed - sum_x - sum_y * prices[n_steps, column, p], 0.0)
