"""Arrays where text is asked for, numbers that no float holds, things that cannot be called: clear errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.margining import compare_orders

ARRAY: Any = np.array(["a", "b"])
SERIES: Any = pd.Series([1.0, 2.0])
HUGE: Any = 10**400
MODEL = cr.MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, correlation=0.8, spot={"ETH": 100.0, "BTC": 100.0})
PLAN = cr.PathPlan(MODEL, n_paths=256, horizon_days=3)
LOAN = cr.Loan(cr.Mix({"ETH": 1.0}), 1e6, 0.7)
TERMS = cr.Terms(0.85, mark="close")
ALONE = {"held": np.array([[1.0, 0.0]]), "owed": np.array([[0.0, 50.0]])}
PRICES = pd.DataFrame({"ETH": [1.0, 2.0, 3.0]}, index=pd.date_range("2024-01-01", periods=3, tz="UTC"))


@pytest.fixture(scope="module")
def outcomes() -> cr.Outcomes:
    return cr.run_margin(PLAN, LOAN, TERMS)


@pytest.mark.parametrize("text", [ARRAY, SERIES], ids=["array", "series"])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("sale_price", lambda x: cr.Terms(sale_price=x)),
        ("dist", lambda x: cr.Peg(dist=x)),
        ("currency", lambda x: cr.Book(("a",), ("ETH",), currency=x, **ALONE)),
        ("currency", lambda x: cr.Book.from_frame(pd.DataFrame({"account": ["a"]}), currency=x)),
        ("currency", lambda x: cr.haircut(PLAN, "ETH", level=0.9, mpor_days=1, currency=x)),
        ("currency", lambda x: cr.max_ltv(PLAN, "ETH", TERMS, max_call_probability=0.1, currency=x)),
        ("order", lambda x: cr.SaleRule(order=x)),
        ("kind", lambda x: cr.Clock(x)),
        ("holidays", lambda x: cr.Clock("business", holidays=x)),
        ("days_per_year", lambda x: cr.Clock(days_per_year=x)),
        ("shrinkage", lambda x: cr.StudentTCopula(shrinkage=x)),
        ("shrinkage", lambda x: cr.Dcc(shrinkage=x)),
        ("participation", lambda x: cr.Splitting(participation=x)),
        ("scenario", lambda x: cr.stress(LOAN, x)),
        ("overnight", lambda x: cr.range_variance(pd.DataFrame(), overnight=x)),
        ("correlation", lambda x: cr.MarketModel.constant({"ETH": 0.8}, correlation=x)),
        ("account_orders", lambda x: compare_orders(PLAN, LOAN, TERMS, account_orders=[x])),
        ("terms", lambda x: cr.assess(PRICES, LOAN, terms=x, say=None)),
        ("horizon_days", lambda x: cr.assess(PRICES, LOAN, horizon_days=x, say=None)),
        ("n_paths", lambda x: cr.assess(PRICES, LOAN, n_paths=x, say=None)),
    ],
)
def test_arrays_are_no_words_and_no_numbers(name: str, call: Callable[[Any], object], text: Any) -> None:
    """The comparison with a word was an array, and its truth an error of numpy's or pandas'."""
    with pytest.raises(cr.InputError, match=name):
        call(text)


@pytest.mark.parametrize("text", [ARRAY, SERIES, 5], ids=["array", "series", "number"])
def test_outcomes_are_asked_by_name(outcomes: cr.Outcomes, text: Any) -> None:
    for ask in (outcomes.probability, outcomes.value_at_risk, outcomes.mean):
        with pytest.raises(cr.InputError, match="must be one of"):
            ask(text)
    calls = cr.book_margin_calls(PLAN, cr.Book(("a",), ("ETH",), **ALONE), TERMS)
    with pytest.raises(cr.InputError, match="account = "):
        calls.probability("liquidated", text)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("held", lambda: cr.Book(("a",), ("ETH",), HUGE, ALONE["owed"])),
        ("must be a table of numbers", lambda: cr.nearest_correlation(HUGE)),
        ("correlation", lambda: cr.MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, correlation=HUGE)),
        ("prices", lambda: cr.PricePaths.from_array([[[HUGE]]], ("ETH",), "24/7")),
        ("returns", lambda: cr.fit_volatility([HUGE] * 200, cr.Garch())),
        ("residuals", lambda: cr.fit_tails([HUGE] * 200)),
        ("volume", lambda: cr.Splitting(volume=HUGE)),
        ("schedule", lambda: cr.Splitting(schedule=HUGE)),
        ("rho", lambda: cr.RiskMetrics2006(rho=HUGE)),
        (
            "candidates",
            lambda: cr.liquidation_threshold(PLAN, LOAN, TERMS, max_shortfall_probability=0.1, candidates=HUGE),
        ),
        (
            "candidates",
            lambda: cr.liquidation_threshold(PLAN, LOAN, TERMS, max_shortfall_probability=0.1, candidates=10**9),
        ),
        ("horizon_days", lambda: cr.assess(PRICES, LOAN, horizon_days=HUGE, say=None)),
    ],
)
def test_whole_numbers_beyond_any_float(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(cr.CollatriskError, match=name):
        call()


@pytest.mark.parametrize("number", [5, 10**60, None])
def test_numbers_are_no_names_and_no_functions(number: Any) -> None:
    for name, call in (
        ("names", lambda: cr.Book(number, ("ETH",), **ALONE)),
        ("assets", lambda: cr.Book(("a",), number, **ALONE)),
        ("assets", lambda: cr.PricePaths.from_array(np.ones((4, 3, 1)), number, "24/7")),
        ("scenarios", lambda: cr.assess(PRICES, LOAN, scenarios=number, say=None)),
        ("asset_orders", lambda: compare_orders(PLAN, LOAN, TERMS, asset_orders=number)),
    ):
        with pytest.raises(cr.InputError, match=name):
            call()
    if number is not None:
        with pytest.raises(cr.InputError, match="progress"):
            cr.run_margin(PLAN, LOAN, TERMS, progress=number)
        with pytest.raises(cr.InputError, match="say"):
            cr.assess(PRICES, LOAN, say=number)
        with pytest.raises(cr.InputError, match="origin"):
            cr.PricePaths.from_array(np.ones((4, 3, 1)), ("ETH",), "24/7", origin=number)


def test_settings_of_simulations_without_a_model_are_refused() -> None:
    """They had no effect, and nothing said so."""
    with pytest.raises(cr.InputError, match="without a model there are none") as caught:
        cr.stress(LOAN, "2020-03", n_paths=5000, horizon_days=10.0, seed=0)
    assert [problem.name for problem in caught.value.problems] == ["n_paths", "horizon_days"]
    assert len(cr.stress(LOAN, "2020-03", seed=5)) == 1


def test_a_threshold_beyond_the_search_says_so_in_a_dictionary() -> None:
    calm = cr.PathPlan(cr.MarketModel.constant({"ETH": 0.01}, spot={"ETH": 100.0}), n_paths=256, horizon_days=3)
    found = cr.liquidation_threshold(calm, LOAN, TERMS, max_shortfall_probability=0.5)
    assert found.at_least
    assert found.to_dict()["at_least"] is True
    assert cr.Estimate.exact(1.0).to_dict()["at_least"] is False


def test_a_peg_is_not_scaled_beyond_what_prices_can_follow() -> None:
    """Prices of e^10000 were infinite, and runs said so only at their end."""
    sizes = {"sigma": 3e-4, "sigma_stressed": 0.01, "drop": 0.02}
    others = {"center": 0.0, "accrual": 0.0, "phi": 0.9, "nu": 4.0, "entry": 1e-3, "exit": 0.1}
    params = sizes | others | {"phi_stressed": 0.95, "sensitivity": 0.0, "down": 0.9}
    peg = cr.PegMarginal("USDX", cr.Peg(), params)
    independent = cr.DependenceFit(cr.Independent(), ("USDX",), np.eye(1), None)
    model = cr.MarketModel(("USDX",), np.ones(1), cr.Clock(), (peg,), independent)
    with pytest.raises(cr.InputError, match=r"volatility_scale = 1000000.0: .*USDX 2e\+04 a step.*give at most 250"):
        cr.stress_model(model, volatility_scale=1e6)
    with pytest.raises(cr.InputError, match="factor = 251"):
        peg.scaled(251)
    most = cr.stress_model(model, volatility_scale=250)
    prices = cr.simulate(cr.PathPlan(most, n_paths=5000, horizon_days=60, seed=1)).block
    assert np.isfinite(prices).all()
    assert prices.max() < 1e100
    assert peg.scaled(0.5).params["drop"] == 0.01
