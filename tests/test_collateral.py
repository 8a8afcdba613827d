"""Mixes, accounts, loans, terms: validation (all errors at once), defaults in words, and the measures."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import InputError
from collatrisk.collateral import (
    Account,
    Loan,
    Mix,
    Terms,
    collateral_value,
    debt_value,
    health_factor,
    loan_to_value,
    margin_ratio,
)

SPOT = {"ETH": 2000.0, "BTC": 40000.0}


def problems_of(build) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        build()
    return {problem.name: f"{problem.rule}; {problem.remedy}" for problem in caught.value.problems}


def test_mix_label_assets_and_units():
    mix = Mix({"ETH": 0.6, "BTC": 0.4, "SOL": 0.0})
    assert mix.label == "60% ETH, 40% BTC"
    assert mix.assets == ("ETH", "BTC")
    assert dict(mix.units(1000, SPOT)) == {"ETH": pytest.approx(0.3), "BTC": pytest.approx(0.01)}
    assert Mix.of("ETH") == Mix({"ETH": 1.0})


def test_mix_reports_every_broken_weight():
    found = problems_of(lambda: Mix({"ETH": -0.1, "BTC": float("nan"), "": 0.5, "SOL": "half"}))
    assert set(found) == {"weights['ETH']", "weights['BTC']", "weights", "weights['SOL']"}


def test_mix_must_sum_to_one():
    assert "sum to 1 (they sum to 0.9)" in problems_of(lambda: Mix({"ETH": 0.5, "BTC": 0.4}))["weights"]
    assert "weights" in problems_of(lambda: Mix({}))
    assert Mix({"a": 0.1, "b": 0.2, "c": 0.7 + 1e-10}).assets == ("a", "b", "c")


def test_mix_with_an_unknown_asset_suggests_the_known_one():
    found = problems_of(lambda: Mix({"EHT": 1.0}).units(1.0, SPOT))
    assert "did you mean 'ETH'" in found["weights"]


def test_account_reports_all_problems_at_once():
    found = problems_of(lambda: Account({"ETH": -1, "BTC": math.inf}, {"USD": -5}, currency=""))
    assert set(found) == {"holdings['ETH']", "holdings['BTC']", "debts['USD']", "currency"}
    assert "hold or owe something" in problems_of(lambda: Account({"ETH": 0}, {}))["holdings"]
    assert "mapping" in problems_of(lambda: Account([1, 2], {}))["holdings"]


def test_loan_is_a_shorthand_for_an_account():
    loan = Loan(Mix({"ETH": 0.5, "BTC": 0.3, "USD": 0.2}), 1_000_000, 0.7)
    account = loan.account(SPOT)
    assert dict(account.holdings) == {
        "ETH": pytest.approx(250),
        "BTC": pytest.approx(7.5),
        "USD": pytest.approx(200_000),
    }
    assert dict(account.debts) == {"USD": pytest.approx(700_000)}
    assert loan.debt == pytest.approx(700_000)
    assert loan.assets == account.assets == ("ETH", "BTC")
    assert loan_to_value(loan, SPOT) == pytest.approx(0.7)
    assert loan.label == "50% ETH, 30% BTC, 20% USD at 70% LTV"


def test_loan_reports_all_problems_at_once():
    assert set(problems_of(lambda: Loan(3, 0, 1.7))) == {"mix", "collateral_value", "ltv"}


def test_measures_by_hand():
    account = Account({"ETH": 10, "USD": 5000}, {"USD": 8000, "BTC": 0.1})
    terms = Terms({"ETH": 0.8})
    assert collateral_value(account, SPOT) == 25_000
    assert debt_value(account, SPOT) == 12_000
    assert loan_to_value(account, SPOT) == pytest.approx(0.48)
    assert margin_ratio(account, SPOT) == pytest.approx(0.52)
    # Cash counts in full: 10 * 2000 * 0.8 + 5000.
    assert health_factor(account, SPOT, terms) == pytest.approx(21_000 / 12_000)
    assert health_factor(account, SPOT, Terms({"ETH": 0.8, "USD": 0.5})) == pytest.approx(18_500 / 12_000)


def test_measures_without_debt_and_without_collateral():
    free, broke = Account({"ETH": 1}, {}), Account({}, {"USD": 1})
    assert health_factor(free, SPOT, Terms()) == math.inf
    assert (loan_to_value(free, SPOT), margin_ratio(free, SPOT)) == (0, 1)
    assert health_factor(broke, SPOT, Terms()) == 0
    assert (loan_to_value(broke, SPOT), margin_ratio(broke, SPOT)) == (math.inf, -math.inf)


def test_missing_and_bad_prices_are_refused():
    account = Account({"ETH": 1, "BTC": 1}, {"USD": 1})
    assert "did you mean 'ETHX'" in problems_of(lambda: loan_to_value(account, {"ETHX": 1.0, "BTC": 1.0}))["asset"]
    assert set(problems_of(lambda: loan_to_value(account, {"ETH": 0.0, "BTC": math.nan}))) == {
        "prices['ETH']",
        "prices['BTC']",
    }


def test_terms_report_all_problems_at_once():
    found = problems_of(
        lambda: Terms(
            liquidation_threshold=1.2,
            margin_call=0.9,
            restore_to=1.1,
            close_factor=0,
            cure_probability=2,
            cure_days=-1,
            uncured="sell",
            price_impact=-1,
            mark="tick",
            liquidation_delay_days=1,
            sale_price="barrier",
        )
    )
    assert set(found) == {
        "liquidation_threshold",
        "margin_call",
        "close_factor",
        "cure_probability",
        "cure_days",
        "uncured",
        "price_impact",
        "mark",
        "liquidation_delay_days",
    }


def test_terms_refuse_restoring_below_the_call():
    assert "margin_call" in problems_of(lambda: Terms(margin_call=1.3, restore_to=1.2))["restore_to"]
    assert Terms(margin_call=1, restore_to=1).restore_to == 1


def test_terms_thresholds_and_impact_by_asset():
    terms = Terms({"ETH": 0.85, "*": 0.7}, price_impact={"ETH": 1e-8})
    assert [terms.threshold_of(a) for a in ("ETH", "BTC", "USD")] == [0.85, 0.7, 1.0]
    assert [terms.impact_of(a) for a in ("ETH", "BTC", "USD")] == [1e-8, 0.0, 0.0]
    assert Terms(price_impact=1e-9).impact_of("USD") == 0
    assert "did you mean 'ETH'" in problems_of(lambda: Terms({"ETH": 0.8}).threshold_of("EHT"))["liquidation_threshold"]


def test_terms_that_dig_are_allowed_with_a_finding():
    assert Terms(0.9, liquidation_bonus=0.05).findings == ()
    digs = Terms({"ETH": 0.96, "BTC": 0.8}, liquidation_bonus=0.05).findings
    assert [(finding.code, finding.subject) for finding in digs] == [("liquidation-digs", "ETH")]
    # Bonus and fee both come out of the collateral.
    assert Terms(0.9, liquidation_bonus=0.05, liquidation_fee=0.07).findings[0].severity == "warning"


def test_terms_describe_every_value():
    text = Terms({"ETH": 0.83, "*": 0.71}, liquidation_delay_days=2, cure_probability=0.25).describe()
    for value in ("ETH 0.83", "others 0.71", "1.1", "1.2", "0.25", "hold", "0.05", "0.5", "2 days", "worse", "bridge"):
        assert value in text
    assert "\n" not in text


def test_all_are_frozen_hashable_and_picklable():
    mix = Mix({"ETH": 1.0})
    for item in (mix, Account({"ETH": 1}, {"USD": 1}), Loan(mix, 1, 0.5), Terms({"ETH": 0.8})):
        assert pickle.loads(pickle.dumps(item)) == item
        assert hash(item) == hash(pickle.loads(pickle.dumps(item)))
        assert type(item).from_dict(item.to_dict()) == item
        with pytest.raises(FrozenInstanceError):
            setattr(item, next(iter(item.to_dict())), None)
    with pytest.raises(TypeError):
        mix.weights["ETH"] = 2
    assert replace(Terms(), cure_days=3).cure_days == 3


def test_html_escapes_names():
    name = "<script>alert(1)</script>"
    for item in (Mix({name: 1.0}), Account({name: 1}, {}), Loan({name: 1.0}, 1, 0.5), Terms({name: 0.8})):
        assert "<script>" not in item._repr_html_()
        assert "&lt;script&gt;" in item._repr_html_()


amounts = st.floats(1e-3, 1e6)


@given(held=amounts, more=amounts, owed=amounts, price=amounts, threshold=st.floats(0.01, 1), scale=st.floats(0.01, 99))
def test_health_rises_with_collateral_and_ignores_the_unit_of_account(held, more, owed, price, threshold, scale):
    terms = Terms(threshold)
    account = Account({"X": held}, {"USD": owed})
    health = health_factor(account, {"X": price}, terms)
    assert health_factor(Account({"X": held + more}, {"USD": owed}), {"X": price}, terms) >= health
    scaled = health_factor(Account({"X": held}, {"USD": owed * scale}), {"X": price * scale}, terms)
    assert scaled == pytest.approx(health, rel=1e-12)
    assert health == pytest.approx(threshold / loan_to_value(account, {"X": price}), rel=1e-12)
