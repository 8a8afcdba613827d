"""Liquidation rules by hand, on whole plans and at their limits, and what terms refuse or warn of."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from margin_cases import FakePaths, one_path
from test_margin_truth import first_passage

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.collateral import Account, Terms
from collatrisk.liquidation import venues
from collatrisk.margining import run_margin, shortfall_probabilities

MIXED = cr.Account({"X": 1.0, "Y": 2.0}, {"USD": 150.0})
MODEL = cr.MarketModel.constant({"X": 0.9, "Y": 0.6}, {("X", "Y"): 0.5}, spot={"X": 100.0, "Y": 50.0})
PLAN = cr.PathPlan(MODEL, n_paths=5000, horizon_days=20, seed=3)
RULES = {
    "fixed": cr.SaleRule(cr.FixedBonus({"X": 0.08, "Y": 0.04}), fee_of_bonus=0.1, order=("Y", "X"), write_off_from=0.0),
    "growing": cr.SaleRule(cr.GrowingBonus(0.1, 0.2, 0.9), cr.TargetHealth(1.1, dust=5.0)),
    "discount": cr.SaleRule(cr.GrowingDiscount(0.15), cr.CloseFactor(1.0), write_off_from=0.0, at_one=True),
    "least cost": cr.SaleRule(order="least_cost"),
    "fund": cr.AbsorbRule({"X": 0.9, "Y": 0.95}, 0.02, resale_delay_days=2),
    "pool": cr.PoolRule(pool=40.0, minimum_ratio=1.25, system_ratio=1.4),
}
TERMS = {
    name: Terms(0.8, margin_call=1.1, restore_to=1.2, price_impact={"X": 2e-4}, liquidation=rule)
    for name, rule in RULES.items()
}


def one(prices, terms: Terms, account: Account) -> dict[str, float]:
    view = run_margin(prices, account, terms, keep="paths")[0]
    return {name: float(view.values(name)[0]) for name in view.data.metrics}


def test_workers_and_block_size_change_nothing() -> None:
    terms = list(TERMS.values())
    whole = run_margin(PLAN, MIXED, terms)
    with ThreadPoolExecutor(3) as pool:
        parts = run_margin(PLAN, MIXED, terms, executor=pool, block_size=1024)
    kept = run_margin(PLAN, MIXED, terms, keep="paths")
    for row, name in enumerate(TERMS):
        assert whole[row].summary().equals(parts[row].summary()), name
        assert kept[row].mean("debt_repaid").value == whole[row].mean("debt_repaid").value
    assert whole.book.mean("absorbed_loss").value > 0
    assert whole[0].expected_shortfall("absorbed_loss").value >= whole[0].value_at_risk("absorbed_loss").value


def test_the_sweep_counts_as_the_engine_does() -> None:
    for name, terms in TERMS.items():
        threshold = [0.8] if name == "pool" else [0.75, 0.8, 0.95]
        several = [replace(terms, liquidation_threshold=level, price_impact=0.0) for level in threshold]
        swept = shortfall_probabilities(PLAN, MIXED, several)
        slow = run_margin(PLAN, MIXED, several)
        assert [found.value for found in swept] == [slow[i].probability("shortfall").value for i in range(len(several))]


@pytest.mark.parametrize("name", ["fund", "pool"])
def test_taken_over_at_the_barrier_as_the_closed_form_says(name) -> None:
    """One unit at 100 against 64 at a threshold of 0.8: taken over when the price first touches 80, with the bridge."""
    n = 100_000
    model = cr.MarketModel.constant({"X": 0.8}, spot={"X": 100.0})
    plan = cr.PathPlan(model, n_paths=n, horizon_days=30, seed=11)
    rule = cr.AbsorbRule(0.95) if name == "fund" else cr.PoolRule(1e9, minimum_ratio=1.25)
    terms = Terms(0.8, margin_call=1, restore_to=1, sale_price="barrier", liquidation=rule)
    out = run_margin(plan, Account({"X": 1.0}, {"USD": 64.0}), terms)
    exact = first_passage(100, 80, -0.32, 0.8, 30 / 365)
    found = out.probability("liquidated")
    assert abs(found.value - exact) < 4 * found.standard_error
    assert out.mean("debt_repaid").value == pytest.approx(64 * found.value, rel=1e-9)
    gone = 80 - 0.95 * 80 + 64 if name == "fund" else 80 * (1 - 0.005)  # the fund pays 0.95 x 80 - 64 back in cash
    assert out.mean("collateral_absorbed").value == pytest.approx(gone * found.value, rel=1e-9)
    assert out.mean("shortfall").value == 0


def test_the_fund_bears_the_price_until_it_resells() -> None:
    # Taken over at 78 against 64: credited 0.9 x 78 = 70.2, of which 6.2 are paid back; sold two days later at 60 less
    # 5 %.
    rule = cr.AbsorbRule(0.9, resale_discount=0.05, resale_delay_days=2)
    terms = Terms(0.8, margin_call=1, restore_to=1, mark="close", liquidation=rule)
    row = one(one_path(100, 78, 70, 60, 55), terms, Account({"X": 1.0}, {"USD": 64.0}))
    assert (row["debt_repaid"], row["remaining_collateral"]) == (64, pytest.approx(6.2))
    assert row["resale_proceeds"] == pytest.approx(57)
    assert row["absorbed_loss"] == row["shortfall"] == pytest.approx(70.2 - 57)
    # With no time to resell it counts at the last price; without delay at the price of the sale.
    late = one(one_path(100, 100, 100, 78, 74), terms, Account({"X": 1.0}, {"USD": 64.0}))
    assert late["resale_proceeds"] == pytest.approx(0.95 * 74)
    at_once = replace(terms, liquidation=replace(rule, resale_delay_days=0))
    assert one(one_path(100, 78, 1), at_once, Account({"X": 1.0}, {"USD": 64.0}))["resale_proceeds"] == pytest.approx(
        0.95 * 78
    )


def test_orders_of_assets() -> None:
    """At (78, 39): 78 of X and 78 of Y against 150, a call repays 75 for 78.75: all of one asset, a little short."""
    prices = FakePaths(("X", "Y"), np.array([[[100.0, 50.0], [78.0, 39.0], [100.0, 10.0]]]))
    left = {}
    for order in ("pro_rata", "most_liquid", "most_volatile", "least_cost", ("Y",), ("X",)):
        rule = cr.SaleRule(order=order, volatility={"X": 0.9, "Y": 0.6}, calls_a_step=1)
        terms = Terms(0.9, margin_call=1, restore_to=1, mark="close", liquidation=rule, price_impact={"X": 1e-4})
        left[order] = one(replace(prices, prices=prices.prices[:, :2]), terms, MIXED), one(prices, terms, MIXED)
    assert left["most_liquid"] == left[("Y",)] == left["least_cost"]
    assert left["most_volatile"] == left[("X",)]
    assert left[("Y",)][0]["collateral_seized"] == 78
    assert left[("X",)][0]["slippage_cost"] > left["pro_rata"][0]["slippage_cost"] > 0
    assert left[("Y",)][0]["slippage_cost"] == pytest.approx(0, abs=1e-12)


def test_a_plain_rule_is_the_plain_terms() -> None:
    plain = Terms(0.8, liquidation_bonus=0.07, liquidation_fee=0.02, close_factor=0.3, price_impact=1e-3)
    ruled = Terms(0.8, price_impact=1e-3, liquidation=plain.rule)
    assert plain.liquidation is None
    first, second = (run_margin(PLAN, MIXED, terms, keep="paths")[0].to_frame() for terms in (plain, ruled))
    assert first.equals(second)
    assert plain.penalty == ruled.penalty


@pytest.mark.parametrize("terms", [*TERMS.values(), Terms()])
def test_terms_travel_whole(terms) -> None:
    assert Terms.from_dict(json.loads(json.dumps(terms.to_dict()))) == terms
    assert pickle.loads(pickle.dumps(terms)) == terms
    assert hash(terms) == hash(pickle.loads(pickle.dumps(terms)))
    assert terms.rule.describe() or terms.liquidation is None
    assert "close factor 0.5" in Terms().describe()


REFUSED = [
    (lambda: cr.FixedBonus(-1), "bonus = -1"),
    (lambda: cr.CloseFactor(0), "share = 0"),
    (lambda: cr.CloseFactor(1.2, 2, -1, -1), "least_left = -1"),
    (lambda: cr.TargetHealth(0.9), "health = 0.9"),
    (lambda: cr.GrowingDiscount(1.0), "most = 1"),
    (lambda: cr.GrowingBonus({"X": -0.1}, 2), "least = 2"),
    (lambda: cr.SaleRule(order="alphabetical"), "must be one of"),
    (lambda: cr.SaleRule(order=("X", "X")), "each once"),
    (lambda: cr.SaleRule(order="most_volatile"), "volatility={'ETH'"),
    (lambda: cr.SaleRule(fee=-0.1, fee_of_bonus=2, calls_a_step=0), "calls_a_step = 0"),
    (lambda: cr.SaleRule(bonus=0.05), "must be FixedBonus"),
    (lambda: cr.AbsorbRule(1.5, 1.0, -1), "resale_delay_days = -1"),
    (lambda: cr.PoolRule(-1, 1.5, 1.2), "critical_ratio = 1.2"),
    (lambda: Terms(1.2), "liquidation_threshold = 1.2"),
    (lambda: Terms(close_factor=0), "close_factor = 0"),
    (lambda: Terms(close_factor=0.4, liquidation=cr.SaleRule()), "is said by `liquidation` too"),
    (lambda: Terms(0.8, liquidation=cr.PoolRule(1.0)), "must be 1 / minimum_ratio = 0.909"),
    (lambda: Terms(liquidation="aave"), "must be a SaleRule"),
    (lambda: Account({"X": -1.0}, {"USD": 1.0}), "holdings['X'] = -1"),
    (lambda: run_margin(PLAN, Account({"Z": 1.0}, {"USD": 1.0}), Terms()), "Z"),
    (
        lambda: run_margin(PLAN, MIXED, Terms(liquidation=cr.SaleRule(cr.FixedBonus({"X": 0.1})))),
        "'Y': has no bonus for this asset",
    ),
    (
        lambda: run_margin(PLAN, MIXED, Terms(liquidation=cr.AbsorbRule(0.9, resale_delay_days=0.3))),
        "resale_delay_days",
    ),
    (lambda: venues.load("maker").margin_terms(), "is no lending venue"),
    (lambda: venues.load("aave-v3").margin_terms(), "liquidation_threshold"),
    (lambda: venues.load("aave-v3").margin_terms(liquidation_threshold=0.8, ordr="x"), "did you mean 'order'"),
    (lambda: venues.load("liquity-v1").margin_terms(), "pool"),
]


@pytest.mark.parametrize(("action", "said"), REFUSED)
def test_bad_input_is_refused_with_a_remedy(action, said) -> None:
    with pytest.raises(InputError) as caught:
        action()
    assert said in str(caught.value)
    assert all(problem.remedy for problem in caught.value.problems)


def test_what_may_be_meant_is_allowed_loudly() -> None:
    def codes(terms: Terms) -> list[str]:
        return [finding.code for finding in terms.findings]

    assert codes(Terms(0.97)) == ["liquidation-digs"]
    assert codes(Terms(0.97, liquidation=cr.SaleRule(cr.GrowingBonus(0.2, 0.0)))) == []  # no bonus at a health of 1
    assert codes(Terms(0.8, liquidation=cr.SaleRule(cr.FixedBonus({"X": -0.1, "Y": 0.1})))) == ["negative-bonus"]
    high = cr.SaleRule(cr.FixedBonus(0.3), cr.TargetHealth(1.02))
    assert codes(Terms(0.8, liquidation=high)) == ["liquidation-digs", "target-out-of-reach"]
    assert run_margin(PLAN, MIXED, Terms(0.97)).findings[0].code == "liquidation-digs"
