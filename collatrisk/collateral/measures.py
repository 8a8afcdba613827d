"""Measures of one account at given prices: loan to value, health factor, margin ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping

from collatrisk.collateral.account import Account, Loan, as_account
from collatrisk.collateral.terms import Terms


def collateral_value(account: Account | Loan, prices: Mapping[str, float]) -> float:
    """Market value of what is held, in the account's currency.

    Parameters
    ----------
    account : the account (a `Loan` is turned into its account at these prices).
    prices : asset -> currency per unit, > 0; cash needs no price.

    Raises
    ------
    InputError : for a missing or non-positive price.
    """
    held = as_account(account, prices)
    priced = held.prices(prices)
    return math.fsum(units * priced[asset] for asset, units in held.holdings.items() if units)


def debt_value(account: Account | Loan, prices: Mapping[str, float]) -> float:
    """Market value of what is owed, in the account's currency. Parameters and errors as in `collateral_value`."""
    held = as_account(account, prices)
    priced = held.prices(prices)
    return math.fsum(units * priced[asset] for asset, units in held.debts.items() if units)


def loan_to_value(account: Account | Loan, prices: Mapping[str, float]) -> float:
    """Debt / market value of the collateral: 0 without debt, inf with debt and no collateral.

    Parameters and errors as in `collateral_value`.
    """
    debt, collateral = debt_value(account, prices), collateral_value(account, prices)
    if debt == 0:
        return 0.0
    return debt / collateral if collateral > 0 else math.inf


def health_factor(account: Account | Loan, prices: Mapping[str, float], terms: Terms) -> float:
    """``sum(value_i * liquidation_threshold_i) / debt``; inf without debt. The account is liquidated below 1.

    Parameters and errors as in `collateral_value`, and InputError for an asset without a threshold.
    """
    held = as_account(account, prices)
    priced = held.prices(prices)
    debt = debt_value(held, prices)
    counted = math.fsum(
        units * priced[asset] * terms.threshold_of(asset, held.currency)
        for asset, units in held.holdings.items()
        if units
    )
    return counted / debt if debt > 0 else math.inf


def margin_ratio(account: Account | Loan, prices: Mapping[str, float]) -> float:
    """``(collateral - debt) / collateral``: 1 without debt, -inf with debt and no collateral.

    Parameters and errors as in `collateral_value`.
    """
    return 1.0 - loan_to_value(account, prices)
