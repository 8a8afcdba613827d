"""What has come of auctions: sums for their account, a record each, and the state of accounts at the end of a path."""

from __future__ import annotations

from collatrisk.kernels.auction_start import health_of
from collatrisk.kernels.auction_state import (
    ACCOUNT,
    ASSET,
    BORROWER_COST,
    CLEARING_DAYS,
    DEBT,
    END_S,
    FAILED,
    FAILED_AUCTIONS,
    FEED,
    GAS_PAID,
    KEEPER_PROFIT,
    LENDER_REWARDS,
    LOT,
    N_RECORD,
    OPEN,
    OUTSTANDING,
    PENALTY_PAID,
    PURCHASES,
    RAISED,
    RAISED_MONEY,
    REMAINING,
    REPAID,
    RESETS,
    RESETS_MADE,
    RESOLD,
    REWARDS,
    SHORT,
    SHORTFALL,
    SLIPPAGE,
    SOLD_VALUE,
    WORTH,
    WRITTEN_OFF,
    ZERO_AUCTIONS,
    ZERO_BID,
)
from collatrisk.kernels.jit import leaf

_DAY = 86400.0
_NOTHING = 1e-9  # of the debt: what less than this raises is a zero bid, what misses by less is no failure


@leaf()
def count_ended(path, step, n_running, running, who, ended_s, amounts, events, records, n_records):  # type: ignore[no-untyped-def]
    """Add up what has ended at this tick; the number of records then."""
    for n in range(n_running):
        if who[n, OPEN] == 0:
            ended_s[who[n, ACCOUNT]] = running[n, END_S]
            _count(step, running[n], who[n], amounts[who[n, ACCOUNT]], events[who[n, ACCOUNT]])
            n_records = _record(path, running[n], who[n], records, n_records)
    return n_records


@leaf()
def _count(step, running, who, amounts, events):  # type: ignore[no-untyped-def]
    repaid = min(running[RAISED], running[DEBT])
    amounts[SOLD_VALUE] += running[WORTH]
    amounts[RAISED_MONEY] += running[RAISED]
    amounts[REPAID] += repaid
    amounts[PENALTY_PAID] += running[RAISED] - repaid
    amounts[BORROWER_COST] += running[WORTH] - repaid
    amounts[LENDER_REWARDS] += running[REWARDS]
    amounts[SLIPPAGE] += running[WORTH] - running[RESOLD]
    amounts[KEEPER_PROFIT] += running[RESOLD] - running[RAISED] - running[GAS_PAID] + running[REWARDS]
    amounts[RESETS_MADE] += who[RESETS]
    if repaid < (1.0 - _NOTHING) * running[DEBT]:
        amounts[FAILED_AUCTIONS] += 1.0
        if events[FAILED] < 0:
            events[FAILED] = step
    if who[PURCHASES] > 0 and running[RAISED] <= _NOTHING * running[DEBT]:
        amounts[ZERO_AUCTIONS] += 1.0
        if events[ZERO_BID] < 0:
            events[ZERO_BID] = step


@leaf()
def _record(path, running, who, records, n_records):  # type: ignore[no-untyped-def]
    if n_records < records.shape[0]:
        row = records[n_records]
        row[0] = path
        for i in range(PURCHASES + 1):
            row[1 + i] = who[i]
        for i in range(FEED + 1):
            row[2 + PURCHASES + i] = running[i]
        row[N_RECORD - 1] = running[END_S]
    return n_records + 1


@leaf()
def close_path(  # type: ignore[no-untyped-def]
    path, n_steps, end_s, prices, thresholds, n_running, running, who, free, owed, times, amounts, events, records,
    n_records,
):  # fmt: skip
    """Value what is left at the end of the path, `prices` those of the assets in use.

    Auctions that still run then have failed; they, and accounts that are still unhealthy, have taken until the end.
    """
    for a in range(owed.size):
        amounts[a, OUTSTANDING] = owed[a]
        amounts[a, REMAINING] = free[a, -1]
        for i in range(prices.size):
            amounts[a, REMAINING] += free[a, i] * prices[i]
        waits = times[0, a] >= 0.0 and health_of(free[a], owed[a], thresholds[a], prices) < 1.0
        if waits:
            times[1, a] = end_s
    for n in range(n_running):
        a = who[n, ACCOUNT]
        times[1, a] = end_s
        _count(n_steps, running[n], who[n], amounts[a], events[a])
        amounts[a, OUTSTANDING] += max(running[n, DEBT] - running[n, RAISED], 0.0)
        amounts[a, REMAINING] += running[n, LOT] * prices[who[n, ASSET]]
        n_records = _record(path, running[n], who[n], records, n_records)
    for a in range(owed.size):
        if times[1, a] >= 0.0:
            amounts[a, CLEARING_DAYS] = (times[1, a] - times[0, a]) / _DAY
        left = max(amounts[a, OUTSTANDING] - amounts[a, REMAINING], 0.0)
        amounts[a, SHORTFALL] = amounts[a, WRITTEN_OFF] + left
        if amounts[a, SHORTFALL] > 0.0:
            events[a, SHORT] = n_steps
    return n_records
