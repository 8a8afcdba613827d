"""Arguments of sizing that break a rule: every one a problem with its name, no traceback and no quiet answer."""

from __future__ import annotations

from typing import Any

import pytest

import collatrisk as cr

SOURCE = cr.PathPlan(cr.MarketModel.constant({"ETH": 0.8}, spot={"ETH": 2000.0}), n_paths=1024, horizon_days=10)
TERMS = cr.Terms(0.85)
LOAN = cr.Loan("ETH", 1e6, 0.7)  # type: ignore[arg-type]


@pytest.mark.parametrize("many", [[0.9, 0.99], [], "0.9", None])
def test_one_fraction_is_one_number(many: Any) -> None:
    calls = {
        "level": lambda: cr.haircut(SOURCE, "ETH", level=many, mpor_days=5),
        "max_call_probability": lambda: cr.max_ltv(SOURCE, "ETH", TERMS, max_call_probability=many),
        "confidence": lambda: cr.compare_mixes(SOURCE, "ETH", ltv=0.7, horizons=5, terms=TERMS, confidence=many),
        "max_shortfall_probability": lambda: cr.liquidation_threshold(
            SOURCE, LOAN, TERMS, max_shortfall_probability=many
        ),
    }
    for name, call in calls.items():
        with pytest.raises(cr.InputError, match=name):
            call()


@pytest.mark.parametrize("mixes", [5, None])
def test_mixes_that_are_none(mixes: Any) -> None:
    with pytest.raises(cr.InputError, match="must be a mix or several"):
        cr.compare_mixes(SOURCE, mixes, ltv=0.7, horizons=5, terms=TERMS)


def test_days_that_are_not_given() -> None:
    """None is the source's horizon where a horizon has that default; a margin period of risk has none."""
    none: Any = None
    with pytest.raises(cr.InputError, match="mpor_days = None"):
        cr.haircut(SOURCE, "ETH", level=0.99, mpor_days=none)
    with pytest.raises(cr.InputError, match="horizons = None"):
        cr.compare_mixes(SOURCE, "ETH", ltv=0.7, horizons=none, terms=TERMS)


@pytest.mark.parametrize("currency", ["ETH", 5, ""])
def test_an_asset_of_the_source_is_not_cash(currency: Any) -> None:
    """ETH taken for cash at price 1 had a haircut of 0."""
    with pytest.raises(cr.InputError, match="currency"):
        cr.haircut(SOURCE, "ETH", level=0.99, mpor_days=5, currency=currency)
    with pytest.raises(cr.InputError, match="currency"):
        cr.max_ltv(SOURCE, "ETH", TERMS, max_call_probability=0.05, currency=currency)


def test_the_asset_of_a_threshold_is_a_name() -> None:
    several: Any = ["ETH"]
    loan = cr.Loan({"ETH": 1.0}, 1e6, 0.5)
    with pytest.raises(cr.InputError, match="must be held"):
        cr.liquidation_threshold(SOURCE, loan, TERMS, max_shortfall_probability=0.01, asset=several)
