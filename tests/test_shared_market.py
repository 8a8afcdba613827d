"""Accounts that compete for one market: conservation, capacity, order, and the agreement with `run_margin` alone."""

from __future__ import annotations

import math
from dataclasses import replace

import naive_sale
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from test_margin_sale_twin import sales

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.collateral import Account, Terms, health_factor
from collatrisk.liquidation import liquidate_book
from collatrisk.market.clock import Clock

PRICES = {"A": 10.0, "B": 3.0, "C": 70.0}
ORDERS = ["severity", "largest", "smallest", "given", ("n2", "n0")]


@st.composite
def random_book(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 5))
    accounts = []
    for row in range(n):
        values = rng.uniform(1, 100, 3) * (rng.uniform(size=3) < 0.7)
        cash = 20.0 * (rng.uniform() < 0.3)
        worth = values.sum() + cash
        holdings = dict(zip(PRICES, values / list(PRICES.values()), strict=True)) | {"USD": cash}
        accounts.append(Account(holdings, {"USD": rng.uniform(0.4, 1.2) * worth + 0.1}, name=f"n{row}"))
    terms = Terms(
        {"A": 0.71, "*": 0.83, "USD": 0.97},
        price_impact=draw(st.sampled_from([0.0, {"A": 1e-3, "B": 4e-4}])),
        liquidation=draw(sales),
    )
    capacity = draw(st.sampled_from([None, 25.7, {"A": 11.3, "*": 60.9}, {"B": 0.0}]))
    return accounts, terms, draw(st.sampled_from(ORDERS)), capacity


def of(capacity, asset: str) -> float:
    if capacity is None or asset == "USD":
        return math.inf
    return capacity.get(asset, capacity.get("*", math.inf)) if isinstance(capacity, dict) else capacity


@settings(max_examples=120)
@given(random_book())
def test_what_adds_up_and_what_is_never_exceeded(case) -> None:
    accounts, terms, order, capacity = case
    names = [account.name for account in accounts]
    order = order if isinstance(order, str) else tuple(name for name in order if name in names) or "given"
    done = liquidate_book(accounts, PRICES, terms, order=order, capacity=capacity)
    amounts = done.amounts
    for row, account in enumerate(accounts):
        prices = PRICES | {"USD": 1.0}
        held = sum(units * prices[asset] for asset, units in account.holdings.items())
        seized = amounts["collateral_seized"][row]
        assert seized + done.collateral_left[row] == pytest.approx(held, rel=1e-9)
        parts = ("debt_repaid", "liquidator_bonus", "lender_fee", "slippage_cost")
        assert sum(amounts[name][row] for name in parts) == pytest.approx(seized, rel=1e-9, abs=1e-9)
        owed = amounts["debt_repaid"][row] + done.debt_left[row] + amounts["debt_written_off"][row]
        assert owed == pytest.approx(account.debts["USD"], rel=1e-9)
        assert done.health_before[row] == pytest.approx(health_factor(account, PRICES, terms), rel=1e-12)
        assert (done.turn[row] >= 0) == (done.health_before[row] < 1)
        assert min(done.collateral_left[row], done.debt_left[row], seized) >= 0
    assert sum(done.sold.values()) == pytest.approx(sum(amounts["collateral_seized"]), rel=1e-9, abs=1e-9)
    for asset, value in done.sold.items():
        assert value <= of(capacity, asset) * (1 + 1e-12)
    queue = sorted((turn, row) for row, turn in enumerate(done.turn) if turn >= 0)
    if order == "severity":
        healths = [done.health_before[row] for _, row in queue]
        assert healths == sorted(healths)


@settings(max_examples=120)
@given(random_book())
def test_kernel_agrees_with_the_twin(case) -> None:
    accounts, terms, order, capacity = case
    order = order if isinstance(order, str) else "severity"
    done = liquidate_book(accounts, PRICES, terms, order=order, capacity=capacity)
    slots = [asset for asset in ("A", "B", "C") if any(account.holdings[asset] for account in accounts)] + ["USD"]
    prices = np.array([(PRICES | {"USD": 1.0})[asset] for asset in slots])
    room, sold = np.array([of(capacity, asset) for asset in slots]), np.zeros(len(slots))
    for row in np.argsort(np.where(done.turn < 0, 99, done.turn))[: (done.turn >= 0).sum()]:
        held = [accounts[row].holdings[asset] for asset in slots]
        owed = [accounts[row].debts.get(asset, 0.0) for asset in slots]
        thresholds = [terms.threshold_of(asset) for asset in slots]
        impacts = [terms.impact_of(asset) for asset in slots]
        slow = naive_sale.NaiveSale(held, owed, thresholds, impacts, terms, 1.0, Clock().steps, slots)
        slow.room, slow.sold_of = room, sold
        slow.sell(0, prices, 1.0)
        for name, values in done.amounts.items():
            assert values[row] == pytest.approx(slow.amounts[name], rel=1e-9, abs=1e-9), name
        assert done.debt_left[row] == pytest.approx(float(slow.owed @ prices), rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(random_book(), st.permutations(range(5)))
def test_the_order_of_the_list_does_not_matter(case, shuffle) -> None:
    """Up to the stated priority: by severity (no two healths are equal here) the list may be in any order."""
    accounts, terms, _, capacity = case
    shuffled = [accounts[i] for i in shuffle if i < len(accounts)]
    first = liquidate_book(accounts, PRICES, terms, capacity=capacity).to_frame()
    second = liquidate_book(shuffled, PRICES, terms, capacity=capacity).to_frame()
    assert first.equals(second.loc[first.index])


def test_severity_first_then_size() -> None:
    accounts = [
        Account({"A": 10.0}, {"USD": 90.0}, name="small"),
        Account({"A": 20.0}, {"USD": 180.0}, name="large"),
        Account({"A": 10.0}, {"USD": 95.0}, name="deep"),
        Account({"A": 10.0}, {"USD": 40.0}, name="sound"),
    ]
    done = liquidate_book(accounts, PRICES, Terms(0.8), capacity=100.0)
    assert done.turn.tolist() == [2, 1, 0, -1]
    assert done.sold["A"] == pytest.approx(100.0)
    named = liquidate_book(accounts, PRICES, Terms(0.8), order=("small", "deep"), capacity=100.0)
    assert named.turn.tolist() == [0, 2, 1, -1]
    assert named.to_frame().loc["small", "debt_left"] < done.to_frame().loc["small", "debt_left"] == 90


MODEL = cr.MarketModel.constant({"X": 0.9, "Y": 0.6}, {("X", "Y"): 0.5}, spot={"X": 100.0, "Y": 50.0})
PLAN = cr.PathPlan(MODEL, n_paths=3000, horizon_days=15, seed=3)
LENT = [Account({"X": 1.0, "Y": 2.0}, {"USD": debt}, name=f"debt {debt}") for debt in (140.0, 155.0, 148.0)]
TERMS = Terms(
    0.85, margin_call=1, restore_to=1, mark="close", sale_price="end", borrow_rate=0.1, price_impact={"X": 2e-4}
)


def test_one_account_alone_is_as_in_run_margin() -> None:
    orders = ("pro_rata", "most_liquid", "least_cost", ("X",))
    table = cr.compare_orders(PLAN, LENT[0], TERMS, asset_orders=orders)
    for order in orders:
        out = cr.run_margin(PLAN, LENT[0], TERMS.with_rule(cr.SaleRule(order=order)), keep="paths")
        row = table.loc[("severity", order if isinstance(order, str) else "X")]
        for metric in ("shortfall", "debt_repaid", "collateral_seized", "liquidator_bonus", "slippage_cost"):
            assert row[metric] == pytest.approx(out.mean(metric).value, rel=1e-9), metric
        assert row.shortfall_es == pytest.approx(out.expected_shortfall("shortfall").value, rel=1e-9)
        assert row.accounts_sold == pytest.approx(out.probability("liquidated").value)
    assert (table.iloc[0].difference, table.iloc[0].difference_error) == (0, 0)
    assert table.loc[("severity", "most_liquid")].slippage_cost < table.loc[("severity", "X")].slippage_cost


def test_a_narrow_market_takes_longer_and_loses_more() -> None:
    wide = cr.compare_orders(PLAN, LENT, TERMS, account_orders=("severity", "smallest"))
    narrow = cr.compare_orders(
        PLAN, LENT, TERMS, account_orders=("severity", "smallest"), capacity={"X": 15.0, "Y": 15.0}
    )
    assert len(narrow) == 8
    assert (narrow.days_unhealthy > wide.days_unhealthy).all()
    assert (narrow.shortfall > wide.shortfall).all()
    first, other = narrow.iloc[0], narrow.loc[("smallest", "pro_rata")]
    assert other.difference == pytest.approx(other.shortfall - first.shortfall, abs=1e-9)
    assert other.difference_error < other.shortfall_error  # the same paths: what they share cancels
    assert cr.compare_orders(PLAN, LENT, TERMS, capacity=1e12).equals(cr.compare_orders(PLAN, LENT, TERMS))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: liquidate_book(LENT, {"X": 1.0}, TERMS), "'Y'"),
        (lambda: liquidate_book(LENT, PRICES | {"X": 1.0, "Y": 1.0}, TERMS, order="severe"), "did you mean 'severity'"),
        (lambda: liquidate_book(LENT, {"X": 1.0, "Y": 1.0}, TERMS, order=("debt 14",)), "did you mean"),
        (lambda: liquidate_book(LENT, {"X": 1.0, "Y": 1.0}, TERMS, capacity=-1), "capacity = -1"),
        (lambda: liquidate_book(LENT, {"X": 1.0, "Y": 1.0}, TERMS, capacity={"Z": 1}), "capacity = 'Z'"),
        (lambda: liquidate_book(LENT, {"X": 1.0, "Y": 1.0}, [TERMS] * 2), "2 terms"),
        (lambda: liquidate_book([], {}, TERMS), "at least one"),
        (lambda: cr.compare_orders(PLAN, LENT, TERMS.with_rule(cr.AbsorbRule(0.9))), "hands collateral over"),
        (lambda: cr.compare_orders(PLAN, LENT, replace(TERMS, liquidation_delay_days=1)), "must be 0"),
        (lambda: cr.compare_orders(PLAN, LENT, TERMS, asset_orders=("best",)), "must be one of"),
    ],
)
def test_bad_input_is_refused(action, said) -> None:
    with pytest.raises(InputError) as caught:
        action()
    assert said in str(caught.value)
