"""Fixed-bonus arithmetic and price impact: published and derived vectors, and the kernel's sale against them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from margin_cases import one_path

from collatrisk.base.errors import InputError
from collatrisk.collateral import AbsorbRule, Account, CloseFactor, FixedBonus, Loan, SaleRule, Terms
from collatrisk.kernels.sale import sale_value
from collatrisk.liquidation import (
    constant_product,
    health_after,
    linear_proceeds,
    linear_value,
    mixed_impact,
    one_round,
    raises_health,
    rule_arrays,
    spiral_ltv,
    square_root_impact,
)
from collatrisk.margining import run_margin
from collatrisk.market.clock import Clock
from collatrisk.simulation import MarketModel, PathPlan

VECTORS = Path(__file__).parent / "vectors"


def vector(file: str, name: str) -> dict:
    return next(item for item in json.loads((VECTORS / file).read_text()) if item["name"] == name)


def test_vector_liquidation_raises_health():
    case = vector("anchors.json", "anchors.liquidation_raises_health")
    debt, repay = case["inputs"]["debt"], case["inputs"]["repay"]
    for (health, threshold, bonus), raises, after in zip(
        case["inputs"]["rows"], case["expected"]["raises"], case["expected"]["health_after"], strict=True
    ):
        assert health_after(health, debt, repay, threshold, bonus) == pytest.approx(after, rel=1e-10)
        sale = one_round(health * debt / threshold, debt, close_factor=repay / debt, bonus=bonus)
        assert sale.collateral_left * threshold / sale.debt_left == pytest.approx(after, rel=1e-10)
        if abs(health - threshold * (1 + bonus)) > 1e-12:  # at equality rounding decides
            assert raises_health(health, threshold, bonus) == raises


@pytest.mark.parametrize(("threshold", "ends"), [(0.9, "restored"), (0.97, "exhausted")])
def test_a_liquidation_digs_when_threshold_times_penalty_exceeds_one(threshold, ends):
    terms = Terms(threshold, liquidation_bonus=0.05, margin_call=1, restore_to=1, mark="close")
    assert bool(terms.findings) == (ends == "exhausted")
    account = Account({"X": 1.0}, {"USD": 100 * threshold / 1.01})
    view = run_margin(one_path(100, 98.5), account, terms, keep="paths")[0]
    assert view.steps("liquidated")[0] == 1
    assert (view.steps("exhausted")[0] == 1) == (ends == "exhausted")


def test_the_spiral_starts_where_a_sale_lowers_health():
    assert spiral_ltv(0.05) == pytest.approx(1 / 1.05)
    assert spiral_ltv(0.05, 1.1) == pytest.approx(1 / (1.05 * 1.1))
    # LTV above 1 / (1 + b): the account gets worse with each round; below, better.
    for ltv, worse in ((0.96, True), (0.94, False)):
        sale = one_round(100, 100 * ltv, close_factor=0.5, bonus=0.05)
        assert (sale.debt_left / sale.collateral_left > ltv) == worse


def test_vector_aave_half_close():
    case = vector("aave.json", "aave.v3.half_close_084wbtc")
    given_, expected = case["inputs"], case["expected"]
    price, bonus = given_["collateral_price"], given_["liquidation_bonus"] - 1
    fee = bonus * given_["protocol_fee"]  # there the fee is a share of the bonus
    collateral = given_["collateral"] * price
    sale = one_round(collateral, given_["debt"], close_factor=given_["close_factor"], bonus=bonus - fee, fee=fee)
    assert sale.repaid == pytest.approx(expected["debt_repaid"], rel=1e-12)
    assert sale.seized / price == pytest.approx(expected["collateral_seized"], rel=1e-12)
    assert sale.fee / price == pytest.approx(expected["protocol_fee"], rel=1e-12)
    assert (sale.seized - sale.fee) / price == pytest.approx(expected["to_liquidator"], rel=1e-12)


def test_vector_aave_not_enough_collateral():
    case = vector("aave.json", "aave.v3.not_enough_collateral")
    given_, expected = case["inputs"], case["expected"]
    collateral = given_["collateral_balance"] * given_["collateral_price"]
    sale = one_round(collateral, given_["debt_to_cover"], close_factor=1, bonus=given_["liquidation_bonus"] - 1)
    assert sale.exhausted
    assert sale.repaid == pytest.approx(expected["debt_repaid"], rel=1e-9)
    assert sale.debt_left == pytest.approx(expected["deficit_if_only_collateral"], rel=1e-9)


def test_vector_aave_full_repay():
    case = vector("aave.json", "aave.v3.full_repay_900_at_1800")
    collateral = case["inputs"]["collateral_balance"] * case["inputs"]["collateral_price"]
    sale = one_round(collateral, case["inputs"]["debt_to_cover"], close_factor=1, bonus=0.05)
    assert sale.repaid == pytest.approx(900, rel=1e-12)
    assert sale.debt_left == pytest.approx(0, abs=1e-9)


def test_vector_aave_health_factor_boundary():
    case = vector("aave.json", "aave.v3.health_factor_boundary")
    terms = Terms(0.8, margin_call=1, restore_to=1, mark="close")
    for health, liquidatable in zip(case["inputs"]["health_factor"], case["expected"]["liquidatable"], strict=True):
        account = Account({"X": 1.0}, {"USD": 80.0})
        view = run_margin(one_path(100 * health, 200), account, terms, keep="paths")[0]
        assert (view.steps("liquidated")[0] == 0) == liquidatable


def test_vector_impact():
    pool = vector("anchors.json", "anchors.impact_cpmm")
    reserves = pool["inputs"]["reserve_in"], pool["inputs"]["reserve_out"]
    for sell, received in zip(pool["inputs"]["sell"], pool["expected"]["received"], strict=True):
        assert constant_product(sell, *reserves) == pytest.approx(received, rel=1e-9)
    law = vector("anchors.json", "anchors.impact_square_root")
    for size, impact in zip(law["inputs"]["quantity_over_adv"], law["expected"]["impact"], strict=True):
        assert square_root_impact(size, law["inputs"]["daily_sigma"], law["inputs"]["k"]) == pytest.approx(impact)


@given(
    value=st.floats(0.01, 1e6),
    impact=st.sampled_from([0.0, 1e-9, 1e-6, 1e-4]),
    sold=st.floats(0, 1e5),
    left=st.floats(1, 1e6),
)
def test_linear_impact_inverts_and_agrees_with_the_kernel(value, impact, sold, left):
    proceeds = linear_proceeds(value, impact, sold)
    assert 0 <= proceeds <= value
    assert linear_proceeds(2 * value, impact, sold) >= proceeds
    if impact * (value + sold) < 0.9:
        assert linear_value(proceeds, impact, sold) == pytest.approx(value, rel=1e-9)
    target = 0.5 * value
    needed = linear_value(target, impact, sold)
    found, fetched = sale_value(target, left, impact, sold)
    assert found == pytest.approx(min(needed, left), rel=1e-12)
    expected = target if needed < left else linear_proceeds(left, impact, sold)
    assert fetched == pytest.approx(expected, rel=1e-12)


def test_selling_a_mix_spreads_the_impact():
    assert mixed_impact([0.5, 0.5], [1e-6, 1e-6]) == pytest.approx(0.5e-6)
    # Half a million of each of two assets falls each by 1e-6 * 5e5 / 2 on average.
    assert linear_proceeds(1e6, 0.5e-6) == pytest.approx(2 * linear_proceeds(5e5, 1e-6))
    assert math.isinf(linear_value(2e6, 1e-6))


@pytest.mark.parametrize("rule", [None, AbsorbRule(1.0)], ids=["sold", "absorbed"])
def test_what_is_taken_for_all_that_is_owed_leaves_no_shortfall(rule):
    """Rounding left debts of 1e-10 after sales of all collateral at the barrier: one sale in six was a shortfall."""
    plan = PathPlan(MarketModel.constant({"X": 0.8}), n_paths=4000, horizon_days=20, seed=3)
    loan = Loan({"X": 1.0}, 1e6, 0.8)
    terms = Terms(1.0, sale_price="barrier", margin_call=1.0, borrow_rate=0.3)
    terms = terms.with_rule(rule or SaleRule(FixedBonus(0.0), CloseFactor(1.0)))
    outcomes = run_margin(plan, loan, terms)
    assert outcomes.probability("liquidated").value > 0.1
    assert outcomes.probability("exhausted").value == 0
    assert outcomes.probability("shortfall").value == 0
    assert outcomes.mean("shortfall").value == 0


def test_rules_name_every_problem():
    accounts = [Account({"ETH": 1, "BTC": 1}, {"USD": 1})]
    terms = [Terms({"DOGE": 0.5}, cure_days=0.3, liquidation_delay_days=1.1)]
    with pytest.raises(InputError) as caught:
        rule_arrays(accounts, terms, ("ETH", "BTC"), Clock())
    names = [problem.name for problem in caught.value.problems]
    assert names == ["liquidation_threshold", "liquidation_threshold", "cure_days", "liquidation_delay_days"]
