"""Margin rules on paths short enough to compute by hand. One unit of X, threshold 0.8, debt 64: health = price / 80."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from margin_cases import FakePaths, one_path

from collatrisk.collateral import Account, Terms
from collatrisk.margining import EVENTS, run_margin

ACCOUNT = Account({"X": 1.0}, {"USD": 64.0})
TERMS = Terms(0.8, margin_call=1.1, restore_to=1.2, mark="close", cure_days=1)
NAMES = ("margin_called", "cured", "liquidated", "exhausted", "short")


def run(prices, terms: Terms = TERMS, account: Account = ACCOUNT) -> dict[str, float]:
    """The steps of events and the amounts of one path; the step of the event shortfall is under ``short``."""
    source = prices if isinstance(prices, FakePaths) else one_path(*prices)
    view = run_margin(source, account, terms, keep="paths")[0]
    row = view.to_frame().iloc[0].to_dict()
    steps = {event: int(view.steps(event)[0]) for event in EVENTS}
    steps["short"] = steps.pop("shortfall")
    return {**row, **steps}


def test_nothing_happens_above_the_call():
    row = run([100, 90, 88])
    assert all(row[event] == -1 for event in NAMES)
    assert (row["remaining_collateral"], row["outstanding_debt"], row["shortfall"]) == (88, 64, 0)
    assert row["min_health_factor"] == 1.1  # at the call level the account is healthy


def test_a_call_is_cured_at_the_deadline():
    # Health 1.0625 at step 1 (call), 1.05 at step 2: topped up to 1.2, which takes 84 * (1.2 / 1.05 - 1) = 12.
    row = run([100, 85, 84, 84], replace(TERMS, cure_probability=1))
    assert (row["margin_called"], row["cured"], row["liquidated"]) == (1, 2, -1)
    assert row["top_up"] == pytest.approx(12)
    assert row["remaining_collateral"] == pytest.approx(96)


def test_a_call_closes_when_the_market_recovers_by_the_deadline():
    row = run([100, 85, 96, 84, 84], replace(TERMS, cure_probability=1))
    # Back at 1.2 at step 2; the call of step 3 is a second one, cured at step 4.
    assert (row["margin_called"], row["cured"]) == (1, 4)
    assert run([100, 85, 97], replace(TERMS, cure_probability=1))["cured"] == -1


def test_an_uncured_call_is_held_or_liquidated():
    held = run([100, 85, 84, 84])
    assert (held["margin_called"], held["liquidated"], held["outstanding_debt"]) == (1, -1, 64)
    # Half of the debt, 32, at the end price 84: 33.6 of collateral.
    sold = run([100, 85, 84], replace(TERMS, uncured="liquidate"))
    assert (sold["margin_called"], sold["liquidated"], sold["cured"]) == (1, 2, -1)
    assert (sold["debt_repaid"], sold["collateral_seized"]) == (pytest.approx(32), pytest.approx(33.6))
    assert sold["remaining_collateral"] == pytest.approx(50.4)


def test_a_forced_sale_waits_for_the_delay_and_has_the_end_price():
    row = run([100, 85, 84, 82, 86, 90], replace(TERMS, uncured="liquidate", liquidation_delay_days=2))
    # Uncured at step 2, sold at step 4 at 86, although the health factor never touched 1.
    assert row["liquidated"] == 4
    assert row["remaining_collateral"] == pytest.approx((1 - 33.6 / 86) * 90)


@pytest.mark.parametrize(("sale_price", "price"), [("worse", 80), ("end", 85)])
def test_a_delayed_liquidation_sells_later(sale_price, price):
    # Health 0.975 at step 1 triggers; sold two steps later, when the market is back at 85.
    row = run([100, 78, 90, 85, 85], replace(TERMS, liquidation_delay_days=2, sale_price=sale_price))
    assert row["liquidated"] == 3
    assert row["collateral_seized"] == pytest.approx(33.6)
    assert row["remaining_collateral"] == pytest.approx((1 - 33.6 / price) * 85)


def test_a_sale_answers_its_own_step():
    # Below 1 when the delayed sale happens at step 2: one sale, not a second one at step 3.
    row = run([100, 78, 79, 79, 79], replace(TERMS, liquidation_delay_days=1, close_factor=0.25))
    assert row["debt_repaid"] == pytest.approx(16)


def test_a_top_up_cancels_a_sale_that_is_due():
    terms = replace(TERMS, cure_probability=1, liquidation_delay_days=2)
    row = run([100, 78, 78, 78, 78], terms)
    assert (row["margin_called"], row["cured"], row["liquidated"]) == (1, 2, -1)
    assert row["remaining_collateral"] == pytest.approx(64 * 1.2 / 0.8)


def test_collateral_is_exhausted():
    # 50 against 64. Round 1: repay 32 for 33.6; round 2: the last 16.4 repays 16.4 / 1.05.
    row = run([100, 50, 50])
    left = 32 - 16.4 / 1.05
    assert (row["liquidated"], row["exhausted"], row["short"]) == (1, 1, 2)
    assert row["collateral_seized"] == pytest.approx(50)
    assert (row["shortfall"], row["outstanding_debt"]) == (pytest.approx(left), pytest.approx(left))
    assert (row["remaining_collateral"], row["slippage_cost"]) == (0, pytest.approx(0, abs=1e-12))


def test_the_barrier_price_is_that_of_the_touch():
    # Sold at 80 although the step ends at 70: 33.6 / 80 of a unit, one round (health 1.16 at 80).
    row = run([100, 70], replace(TERMS, sale_price="barrier"))
    assert row["debt_repaid"] == pytest.approx(32)
    assert row["remaining_collateral"] == pytest.approx((1 - 33.6 / 80) * 70)
    # The worse of both is the end: at 70 it takes three rounds, of 32, 16 and 8, to bring health above 1.
    worse = run([100, 70], replace(TERMS, sale_price="worse"))
    assert worse["debt_repaid"] == pytest.approx(56)
    assert worse["remaining_collateral"] == pytest.approx(70 - 1.05 * 56)


def test_rounds_repeat_while_health_at_the_sale_is_below_one():
    # 60 against 64 with a close factor of 1/4: repay 16 for 16.8, then 12 for 12.6, and so on.
    row = run([100, 60], replace(TERMS, close_factor=0.25))
    value, debt, repaid = 60.0, 64.0, 0.0
    while value * 0.8 < debt and value > 0:
        step = min(debt / 4, value / 1.05)
        value, debt, repaid = value - 1.05 * step, debt - step, repaid + step
        if value < 1e-12:
            value = 0.0
    assert row["debt_repaid"] == pytest.approx(repaid)
    assert row["outstanding_debt"] == pytest.approx(debt)


def test_an_account_below_one_at_the_start_is_sold_at_the_spot():
    row = run([76, 90])
    assert (row["margin_called"], row["liquidated"]) == (0, 0)
    assert row["remaining_collateral"] == pytest.approx((1 - 33.6 / 76) * 90)


def test_a_health_factor_of_one_is_healthy():
    terms = replace(TERMS, margin_call=1, restore_to=1)
    assert run([80, 80], terms)["liquidated"] == -1
    assert run([80, 79.999999], terms)["liquidated"] == 1


def test_linear_impact_costs_the_borrower():
    # V - V**2 / 2000 = 33.6.
    row = run([100, 78], replace(TERMS, price_impact=1e-3))
    seized = (1 - math.sqrt(1 - 2e-3 * 33.6)) / 1e-3
    assert row["collateral_seized"] == pytest.approx(seized)
    assert row["slippage_cost"] == pytest.approx(seized - 33.6)
    assert row["debt_repaid"] == pytest.approx(32)


def test_debt_accrues_and_can_bring_the_call():
    # Price still; health 1.25 exp(-2 t / 365) is below 1.1 from day 24 on.
    row = run([100] * 31, replace(TERMS, borrow_rate=2.0))
    assert row["margin_called"] == math.ceil(math.log(1.25 / 1.1) / 2 * 365) == 24
    assert row["outstanding_debt"] == pytest.approx(64 * math.exp(60 / 365))
    assert row["interest"] == pytest.approx(64 * math.expm1(60 / 365))


def test_cash_collateral_keeps_its_price():
    account = Account({"X": 0.5, "USD": 30.0}, {"USD": 64.0})
    # Health (0.4 p + 30) / 64 = 0.956 at 78; two rounds, of 32 and 16, sold pro rata out of 39 + 30.
    row = run([100, 78], TERMS, account)
    assert row["liquidated"] == 1
    assert row["remaining_collateral"] == pytest.approx(69 - 1.05 * 48)
    # Then X doubles: cash was sold along with it, so 39 / 69 of what is left does.
    later = run([100, 78, 156], TERMS, account)
    assert later["remaining_collateral"] == pytest.approx((69 - 1.05 * 48) * (1 + 39 / 69))


def test_a_debt_in_a_volatile_asset_rises_with_it():
    account = Account({"USD": 100.0}, {"X": 0.8})
    terms = replace(TERMS, liquidation_threshold={"USD": 0.9})
    # Health 90 / 0.8 p: called below 1.1, liquidated below 1 when p passes 112.5.
    assert run([100, 113], terms, account)["liquidated"] == 1
    assert run([100, 112.5], terms, account)["liquidated"] == -1
    assert run([100, 103], terms, account)["margin_called"] == 1


def test_without_debt_nothing_can_happen_and_without_collateral_everything_has():
    free = run([100, 1], account=Account({"X": 1.0}, {}))
    assert all(free[event] == -1 for event in NAMES)
    assert free["min_health_factor"] == math.inf
    broke = run([100, 1], account=Account({}, {"USD": 5.0}))
    assert (broke["margin_called"], broke["liquidated"], broke["exhausted"]) == (0, -1, -1)
    assert (broke["shortfall"], broke["min_health_factor"]) == (5, 0)


def test_the_debt_can_be_repaid_in_full():
    row = run([100, 78, 1], replace(TERMS, close_factor=1))
    assert row["outstanding_debt"] == 0
    assert row["remaining_collateral"] == pytest.approx((1 - 67.2 / 78) * 1)
    assert (row["exhausted"], row["shortfall"]) == (-1, 0)


def test_cure_days_are_days_of_the_clock():
    from collatrisk.market.clock import Clock

    hourly = one_path(*[100] + [85] * 30, clock=Clock(steps_per_day=24))
    row = run(hourly, replace(TERMS, uncured="liquidate"))
    assert (row["margin_called"], row["liquidated"]) == (1, 25)
    assert row["liquidated_day"] == pytest.approx(25 / 24)
