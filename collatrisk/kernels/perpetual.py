"""Perpetual positions on paths: who is liquidated, at which price, what the fund pays, who is deleveraged.

The law of one step is in `docs/perpetuals.md`; the slow twin in `tests/naive_perpetual.py`. Serial code, path by path.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.perpetual_assess import ASKED, COUNTED, EQUITY, N_ASSESSED, TOTAL, assess, assess_all
from collatrisk.kernels.perpetual_closing import (
    FUND_LEFT,
    OUTSIDE,
    OWED,
    TRADERS,
)
from collatrisk.kernels.perpetual_liquidation import liquidate
from collatrisk.kernels.perpetual_rules import (
    FUND,
    FUNDING,
    OUTSIDE_SKEW,
    SPREAD,
    bankruptcy_price,
    is_liquidatable,
    is_riskier,
    limit_price,
)

_Floats = NDArray[np.float64]
_Wholes = NDArray[np.int64]
_Flags = NDArray[np.bool_]
_ROUNDING = 1e-9


@leaf()
def write_states(  # type: ignore[no-untyped-def]
    step, p, a, size, prices, equity, counted, total, asked, required, rules, equities, requirements, bankrupts,
    limits, flags,
):  # fmt: skip
    """What account `a` looks like at the start of a step, before anything is done about it."""
    equities[p, step, a] = equity
    flags[p, step, a] = is_liquidatable(counted, asked, rules)
    for m in range(prices.size):
        requirements[p, step, a, m] = required[m]
        bankrupts[p, step, a, m] = np.nan
        limits[p, step, a, m] = np.nan
        if size[a, m] != 0.0 and total > 0.0:
            bankrupts[p, step, a, m] = bankruptcy_price(size[a, m], prices[m], equity, required[m] / total)
            if rules[SPREAD] >= 0.0:
                limits[p, step, a, m] = limit_price(size[a, m], prices[m], equity, asked, required[m], rules)


def perpetual_block(
    prices: _Floats, columns: _Wholes, collateral_columns: _Wholes, n_steps: int, cash: _Floats, sizes: _Floats,
    entries: _Floats, collateral: _Floats, markets: _Floats, tiers: _Floats, rules: _Floats, amounts: _Floats,
    log: _Floats, equities: _Floats, requirements: _Floats, bankrupts: _Floats, limits: _Floats, flags: _Flags,
) -> int:  # fmt: skip
    """Run accounts with perpetual positions over a block of paths.

    Parameters
    ----------
    prices : float64 (n_steps + 1, n_assets, n_paths). columns, collateral_columns : int64, assets of the markets and of
        the collaterals.
    cash : float64 (n_accounts,), margin in currency. sizes, entries : float64 (n_accounts, n_markets), signed sizes and
        the prices that `cash` is counted from. collateral : float64 (n_accounts, n_collaterals), units after haircut.
    markets : float64 (n_markets, N_MARKET). tiers : float64 (n_markets, n_tiers, 3). rules : float64 (N_RULES,).
    amounts : float64 (n_paths, N_AMOUNTS), written. log : float64 (any, N_EVENT), written as far as it goes.
    equities, flags : float64, bool (n_paths, n_steps + 1, n_accounts), requirements, bankrupts, limits : float64
        (n_paths, n_steps + 1, n_accounts, n_markets); written unless their first axis is empty.

    Returns
    -------
    int : the number of events, which may be more than `log` holds.
    """
    n_accounts, n_markets = sizes.shape
    count: int = _perpetual_block(
        prices, columns, collateral_columns, n_steps, cash, sizes, np.array(entries.T, order="C"),
        np.array(collateral.T, order="C"), markets, tiers, rules, amounts, log, equities, requirements, bankrupts,
        limits, flags, np.empty((n_markets, n_accounts)), np.empty(n_accounts), np.empty(n_accounts),
        np.empty(n_accounts), np.empty((N_ASSESSED, n_accounts)), np.empty(n_accounts, np.bool_), np.empty(n_markets),
        np.empty(n_markets), np.empty(n_markets), np.empty(n_markets), np.empty(1), np.empty((n_markets, 2)),
        np.empty(n_markets, np.bool_), np.empty(n_accounts, np.bool_), np.empty(n_accounts, np.int64),
    )  # fmt: skip
    return count


# Scratch is made outside, so that the kernel can do without counts of references.
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _perpetual_block(  # type: ignore[no-untyped-def]
    prices, columns, collateral_columns, n_steps, cash, sizes, entry_rows, held_rows, markets, tiers, rules, amounts,
    log, equities, requirements, bankrupts, limits, flags, size_rows, quote, worth, scale, assessed, due, now, skew,
    required, base, outside, closed, blocked, used, queue,
):  # fmt: skip
    n_accounts, n_markets = sizes.shape
    keep = equities.shape[0] > 0
    # Accounts side by side: most of the work is to assess all of them at every step.
    entry, held, size = entry_rows.T, held_rows.T, size_rows.T
    count = 0
    for p in range(prices.shape[2]):
        out = amounts[p]
        out[:] = 0.0
        fund = rules[FUND]
        outside[0] = 0.0
        for m in range(n_markets):
            now[m] = prices[0, columns[m], p]
            skew[m] = markets[m, OUTSIDE_SKEW] + sizes[:, m].sum()
        start = _open_accounts(cash, sizes, entry, now, quote, size, scale)
        for t in range(n_steps + 1):
            for m in range(n_markets):
                now[m] = prices[t, columns[m], p]
                closed[m, 0] = 0.0
                closed[m, 1] = 0.0
                if t > 0 and markets[m, FUNDING] != 0.0:
                    _pay_funding(size, m, now[m], markets[m, FUNDING], quote, outside)
            worth[:] = 0.0
            for k in range(collateral_columns.size):
                price = prices[t, collateral_columns[k], p]
                for a in range(n_accounts):
                    worth[a] += held[a, k] * price
            any_due = assess_all(quote, size, entry, worth, now, skew, markets, tiers, rules, assessed, due)
            if keep:
                for a in range(n_accounts):
                    assess(a, quote, size, entry, worth, now, skew, markets, tiers, rules, required)
                    write_states(
                        t, p, a, size, now, assessed[EQUITY, a], assessed[COUNTED, a], assessed[TOTAL, a],
                        assessed[ASKED, a], required, rules, equities, requirements, bankrupts, limits, flags,
                    )  # fmt: skip
            n_due = _queue_by_risk(due, assessed, queue) if any_due else 0
            for i in range(n_due):
                fund, count = liquidate(
                    p, t, queue[i], quote, size, entry, worth, now, skew, outside, closed, markets, tiers, rules,
                    fund, out, required, blocked, base, used, log, count,
                )  # fmt: skip
        out[FUND_LEFT] = fund
        _close_accounts(prices[0, :, p], columns, now, sizes, size, quote, worth, scale, start, outside[0], out)
    return count


@leaf()
def _open_accounts(cash, sizes, entry, spot, quote, size, scale):  # type: ignore[no-untyped-def]
    """Accounts as they are at step 0; returns what they are worth together, without their collateral."""
    start = 0.0
    for a in range(cash.size):
        quote[a] = cash[a]
        scale[a] = abs(cash[a])
        start += cash[a]
        for m in range(spot.size):
            size[a, m] = sizes[a, m]
            quote[a] -= sizes[a, m] * entry[a, m]
            scale[a] += abs(sizes[a, m]) * spot[m]
            start += sizes[a, m] * (spot[m] - entry[a, m])
    return start


@leaf()
def _pay_funding(size, m, price, rate, quote, outside):  # type: ignore[no-untyped-def]
    for a in range(quote.size):
        quote[a] -= size[a, m] * price * rate
    paid = outside[0]
    for a in range(quote.size):
        paid += size[a, m] * price * rate
    outside[0] = paid


@leaf()
def _queue_by_risk(due, assessed, queue):  # type: ignore[no-untyped-def]
    """The accounts that are due, the riskiest first; returns how many."""
    n_due = 0
    for a in range(due.size):
        if due[a]:
            equity, asked = assessed[EQUITY, a], assessed[ASKED, a]
            place = n_due
            while place > 0:
                other = queue[place - 1]
                if not is_riskier(equity, asked, assessed[EQUITY, other], assessed[ASKED, other]):
                    break
                queue[place] = other
                place -= 1
            queue[place] = a
            n_due += 1
    return n_due


@leaf()
def _close_accounts(  # type: ignore[no-untyped-def]
    spot, columns, now, sizes, size, quote, worth, scale, start, outside, out
):
    """What the path came to: what is owed, and what traders and the outside gained."""
    end = 0.0
    net = outside
    for a in range(quote.size):
        equity = quote[a]
        for m in range(now.size):
            equity += size[a, m] * now[m]
            net += sizes[a, m] * spot[columns[m]] - size[a, m] * now[m]
        end += equity
        # A position closed at its bankruptcy price leaves the rounding of what it was worth.
        owed = -(equity + worth[a])
        if owed > _ROUNDING * scale[a]:
            out[OWED] += owed
    out[TRADERS] = end - start
    out[OUTSIDE] = net
