"""Measures of one account at given prices: loan to value, health factor, margin ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping

from collatrisk.base.validation import Problems
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
    return _value(held, "holdings", held.holdings, priced)


def debt_value(account: Account | Loan, prices: Mapping[str, float]) -> float:
    """Market value of what is owed, in the account's currency. Parameters and errors as in `collateral_value`."""
    held = as_account(account, prices)
    priced = held.prices(prices)
    return _value(held, "debts", held.debts, priced)


def _value(held: Account, name: str, units: Mapping[str, float], prices: Mapping[str, float]) -> float:
    """The sum of units x price; one that overflows would answer every ratio with 0 or inf."""
    values = [amount * prices[asset] for asset, amount in units.items() if amount]
    total = math.fsum(values) if all(map(math.isfinite, values)) else math.inf
    problems = Problems(f"Account {held.name}".strip())
    problems.check(math.isfinite(total), name, dict(units), "must have a finite value", "give larger units of money")
    problems.raise_if_any()
    return total


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
    problems = Problems("health_factor")
    problems.check(isinstance(terms, Terms), "terms", terms, "must be Terms", "give Terms(liquidation_threshold=0.85)")
    problems.raise_if_any()
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
