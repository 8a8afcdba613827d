"""Credit support annexes and procyclicality: the vectors, a slow twin, identities and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from liquidation_vectors import cases, compare

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.liquidation.perpetual_exchange import account_ratio
from collatrisk.risk.procyclicality import damped_margin, largest_increase, peak_to_trough


def one_path(values: list[float], other: list[float] | None = None) -> cr.PricePaths:
    columns = [values] if other is None else [values, other]
    return cr.PricePaths.from_array(np.array(columns, dtype=float).T[None], ["V", "C"][: len(columns)], "24/7")


def lagged(given: dict[str, Any]) -> dict[str, Any]:
    terms = cr.CsaTerms(minimum_transfer=given["mta"], settlement_days=given["mpor_steps"])
    states = cr.run_csa(one_path(given["value"]), {"V": 1.0}, terms, keep_states=True).states
    return {name: getattr(states, name)[0, 1:].tolist() for name in ("delivery", "collateral", "exposure")}


def delivery(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, list[float]] = {"csa": [], "delivery": []}
    for row in given["rows"]:
        case = dict(zip(given["columns"], row, strict=True))
        names = {"independent_amount": "independent_amount", "threshold_receive": "threshold_receive"}
        rest = {"threshold_pay": "threshold_pay", "minimum_transfer": "mta"}
        terms = cr.CsaTerms(**{field: case[column] for field, column in (names | rest).items()})
        found["csa"].append(float(terms.credit_support(case["npv"])))
        found["delivery"].append(float(terms.delivery(case["npv"], case["collateral"], case["outstanding_calls"])))
    return found


def procyclicality(given: dict[str, Any]) -> dict[str, Any]:
    rises = [largest_increase(given["margin"], days) for days in given["n_days"]]
    return {"peak_to_trough": peak_to_trough(given["margin"]), "n_day_increase": rises}


def floors(given: dict[str, Any]) -> dict[str, Any]:
    series = given["margin"], given["margin_10y_lookback"], given["stressed_margin"]
    found = damped_margin(*series, buffer=given["buffer"], stress_weight=given["stress_weight"])
    return {f"option_{letter}": option.tolist() for letter, option in zip("abc", found, strict=True)}


def positive_only(given: dict[str, Any]) -> dict[str, Any]:
    rate = 1 - given["haircut"]
    return {"value": [account_ratio([equity], [1.0], [rate], 1.0) for equity in given["equity"]]}


ADAPTERS = {
    "lagged_mpor_toy": lagged,
    "csa_delivery": delivery,
    "procyclicality_metrics": procyclicality,
    "apc_floors": floors,
    "positive_equity_only": positive_only,
}


@pytest.mark.parametrize("case", cases("collateral"))
def test_vector(case: dict[str, Any]) -> None:
    compare(ADAPTERS[case["name"].removeprefix("collateral.")](case["inputs"]), case["expected"], case["tolerance"])


values = st.lists(st.floats(1.0, 50.0), min_size=2, max_size=8)


@given(
    values, st.floats(0, 10), st.floats(0, 10), st.floats(0, 5), st.floats(-8, 8), st.integers(0, 3), st.integers(0, 3)
)
def test_balances_against_a_slow_twin(path, receive, pay, least, independent, lag, mpor) -> None:
    """A cash annex by hand: one call at a time, each arriving after the lag."""
    terms = cr.CsaTerms(receive, pay, least, 0.0, independent, 0.0, 0.0, lag, mpor)
    out = cr.run_csa(one_path(path), {"V": 1.0}, terms, cash=-20.0, keep_states=True)
    balance, coming, balances = float(terms.credit_support(path[0] - 20.0)), {}, []
    for t, price in enumerate(path):
        value = price - 20.0
        balance += coming.pop(t, 0.0)
        called = 0.0
        if t > 0:
            total = value + independent
            asked = max(0.0, total - receive) if total >= 0 else min(0.0, total + pay)
            gap = asked - balance - sum(coming.values())
            called = gap if abs(gap) >= least else 0.0
        if lag:
            coming[t + lag] = coming.get(t + lag, 0.0) + called
        else:
            balance += called
        balances.append(balance)
        assert out.states.delivery[0, t] == pytest.approx(called, abs=1e-9)
        assert out.states.collateral[0, t] == pytest.approx(balance, abs=1e-9)
        assert out.states.exposure[0, t] == pytest.approx(value - balances[max(t - mpor, 0)], abs=1e-9)
    assert out.values("peak_exposure")[0] == pytest.approx(max(out.states.exposure[0].max(), 0.0))
    assert out.values("calls")[0] == (out.states.delivery[0] > 0).sum()
    assert out.expected_exposure[-1] == out.values("end_exposure")[0]


@given(values)
def test_a_full_annex_without_delays_leaves_no_exposure(path) -> None:
    out = cr.run_csa(one_path(path), {"V": 3.0}, cr.CsaTerms(), cash=-60.0)
    assert out.values("peak_exposure")[0] == pytest.approx(0.0, abs=1e-9)
    without = cr.run_csa(one_path(path), {"V": 3.0}, cr.CsaTerms(1e9, 1e9), cash=-60.0)
    assert without.values("peak_exposure")[0] == pytest.approx(max(max(path) * 3 - 60, 0.0))
    assert without.values("peak_uncollateralised")[0] == without.values("peak_exposure")[0]


def test_haircuts_ask_for_more_and_initial_margin_is_taken_off() -> None:
    source = one_path([10.0, 20.0, 30.0], [1.0, 1.0, 0.5])
    bonds = cr.CsaTerms(haircuts={"C": 0.2}, mpor_days=1)
    out = cr.run_csa(source, {"V": 1.0}, bonds, collateral="C", keep_states=True)
    assert out.states.collateral[0].tolist() == pytest.approx([10, 20, 30])
    # A day before, 20 / 0.8 = 25 units were held; at half the price they are worth 12.5 against 30.
    assert out.states.exposure[0, 2] == pytest.approx(30 - 12.5)
    margin = cr.CsaTerms(mpor_days=1, initial_margin=8.0, initial_margin_threshold=3.0)
    assert cr.run_csa(source, {"V": 1.0}, margin).values("end_exposure")[0] == pytest.approx(10 - 5)


def test_deliveries_are_rounded_up_and_returns_down() -> None:
    terms = cr.CsaTerms(rounding=10.0)
    assert terms.delivery([31.0, 30.0, 0.0], [0.0, 0.0, 31.0]).tolist() == [40.0, 30.0, -30.0]
    assert cr.CsaTerms(rounding=0.1).delivery(0.1 + 0.2, 0.0) == pytest.approx(0.3)


def test_the_preset_and_bad_input() -> None:
    terms = cr.venues.load("csa", initial_margin=60e6, haircuts={"*": 0.1}).terms()
    assert terms.segregated == pytest.approx(10e6)
    with pytest.raises(InputError, match="9 problems"):
        cr.CsaTerms(-1, -1, -1, -1, math.nan, -1, 0, -1, -1, {"A": 1.0})
    with pytest.raises(InputError, match="asset without a price = 'Z'"):
        cr.run_csa(one_path([1, 2]), {"Z": 1.0}, terms)
    with pytest.raises(InputError, match="collateral = 'V': is not known here"):
        cr.run_csa(one_path([1, 2]), {"V": 1.0}, cr.CsaTerms(), collateral="V")
    with pytest.raises(InputError, match=r"3 problems(?s:.*)terms(?s:.*)portfolio(?s:.*)cash"):
        cr.run_csa(one_path([1, 2]), {"V": math.inf}, None, cash=math.nan)
    with pytest.raises(InputError, match="days = 7"):
        largest_increase([1, 2], 7)
    with pytest.raises(InputError, match="above 0"):
        peak_to_trough([1, 0])
