"""Collateral that is handed over instead of sold: to a fund, to a stability pool, to other borrowers.

Serial scalar code on one lane of a tile; values are at sale prices.
"""

from __future__ import annotations

from collatrisk.kernels.columns import (
    ABSORBED,
    BONUS_PAID,
    CREDIT_OF,
    CRITICAL_RATIO,
    DISCOUNT_OF,
    FEE_PAID,
    GAS,
    LOSS,
    MINIMUM_RATIO,
    POOL,
    PROCEEDS,
    REDISTRIBUTED,
    REPAID,
    SEIZED,
    SYSTEM_RATIO,
    WRITTEN_OFF,
)
from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.sale import HEALTHY, fetched


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def absorb(values, by_slot, n_held, held, debt, amounts):  # type: ignore[no-untyped-def]
    """A fund takes all collateral and all debt, and credits each asset's value at its `CREDIT_OF`.

    The credit pays the debt; what is missing is written off, what is over is the account's, in cash.

    Returns
    -------
    balance : cash that the fund owes the account.
    """
    total = credited = 0.0
    for j in range(n_held):
        i = held[j]
        total += values[i]
        credited += values[i] * by_slot[CREDIT_OF, i]
    repaid = debt if credited >= HEALTHY * debt else credited
    balance = max(credited - debt, 0.0)
    amounts[REPAID] += repaid
    amounts[FEE_PAID] += total - credited
    amounts[WRITTEN_OFF] += debt - repaid
    amounts[SEIZED] += total - balance
    amounts[ABSORBED] += total - balance
    return balance


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def offset(total, ratio, debt, rules, amounts):  # type: ignore[no-untyped-def]
    """A stability pool burns debt against collateral; what it cannot burn goes to other borrowers with its collateral.

    Normal mode: below the minimum ratio. Recovery mode (the system is below its critical ratio): up to a ratio of 1
    everything is redistributed; from the minimum to below the system's, the pool must cover all, and the seizure is
    capped at the minimum ratio.

    Parameters
    ----------
    total : value of the collateral, > 0. ratio : of it to the debt, as the rule sees it. debt : > 0.

    Returns
    -------
    taken : share of the collateral that leaves the account, 0: nothing happens. passed_on : share of it that the pool
        or other borrowers get; the rest goes to the caller.
    """
    pool, system, minimum = rules[POOL], rules[SYSTEM_RATIO], rules[MINIMUM_RATIO]
    recovery = system < rules[CRITICAL_RATIO]
    taken, burned = 1.0, min(debt, pool)
    if recovery and ratio <= 1.0:
        burned = 0.0
    elif ratio >= minimum:
        if not recovery or ratio >= system or pool < debt:
            return 0.0, 0.0
        taken = min(minimum * debt / total, 1.0)
    seized = taken * total
    amounts[REPAID] += burned
    amounts[REDISTRIBUTED] += debt - burned
    amounts[BONUS_PAID] += rules[GAS] * seized
    amounts[SEIZED] += seized
    amounts[ABSORBED] += seized - rules[GAS] * seized
    return taken, 1.0 - rules[GAS]


@leaf()
def resell(values, impacts, by_slot, n_held, held, paid, amounts):  # type: ignore[no-untyped-def]
    """Sell what was taken over, all at once and pro rata, each asset at its discount to what the market fetches.

    Parameters
    ----------
    values : float64 (n_slots,), of what was taken over, at the market. paid : debt and cash given for it.
    """
    total = 0.0
    for j in range(n_held):
        total += values[held[j]]
    proceeds = 0.0
    if total > 0.0:
        impact = kept = 0.0
        for j in range(n_held):
            i = held[j]
            share = values[i] / total
            impact += share * share * impacts[i]
            kept += share * (1.0 - by_slot[DISCOUNT_OF, i])
        proceeds = kept * fetched(total, impact, 0.0)
    amounts[PROCEEDS] += proceeds
    if proceeds < HEALTHY * paid:
        amounts[LOSS] += paid - proceeds
