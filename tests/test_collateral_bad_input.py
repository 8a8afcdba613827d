"""Measures of what is no account, at what are no prices: a clear error, no traceback and no quiet answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import collatrisk as cr

TERMS = cr.Terms(0.85)
ACCOUNT = cr.Account({"ETH": 1.0}, {"USD": 100.0})


@pytest.mark.parametrize("prices", [None, 5, [("ETH", 1.0)]])
def test_prices_are_a_mapping(prices: Any) -> None:
    with pytest.raises(cr.InputError, match="must be a mapping from asset to price"):
        cr.loan_to_value(ACCOUNT, prices)
    with pytest.raises(cr.InputError, match="must be a mapping from asset to price"):
        cr.Loan(cr.Mix({"ETH": 1.0}), 100.0, 0.5).account(prices)


@pytest.mark.parametrize("account", [None, 5, "ETH"])
def test_only_accounts_have_measures(account: Any) -> None:
    for measure in (cr.loan_to_value, cr.margin_ratio):
        with pytest.raises(cr.InputError, match="must be an Account or a Loan"):
            measure(account, {"ETH": 1.0})


def test_a_health_factor_needs_terms() -> None:
    terms: Any = 0.85
    with pytest.raises(cr.InputError, match="must be Terms"):
        cr.health_factor(ACCOUNT, {"ETH": 1.0}, terms)


def test_a_value_that_overflows_is_refused() -> None:
    """inf as collateral gave a loan to value of 0."""
    with pytest.raises(cr.InputError, match="must have a finite value"):
        cr.loan_to_value(cr.Account({"ETH": 1e308}, {"USD": 1.0}), {"ETH": 1e308})


def test_weights_are_numbers_and_names_text() -> None:
    several: Any = np.array([0.5, 0.5])
    name: Any = 5
    with pytest.raises(cr.InputError, match=r"weights\['A'\]"):
        cr.Mix({"A": several})
    with pytest.raises(cr.InputError, match="name = 5: must be text"):
        cr.Mix({"A": 1.0}, name=name)
