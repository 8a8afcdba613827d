"""The margin engine against closed forms: first passage, its discrete correction, the exchange option, the bridge."""

from __future__ import annotations

import json
import math
from pathlib import Path

import naive
import numpy as np
import pytest
from margin_cases import FakePaths
from scipy.special import ndtr

from collatrisk.collateral import Account, Terms
from collatrisk.margining import run_margin
from collatrisk.simulation import MarketModel, PathPlan

VECTORS = {item["name"]: item for item in json.loads((Path(__file__).parent / "vectors/anchors.json").read_text())}
PASSAGE = VECTORS["anchors.first_passage.h80_30d"]["expected"]
N = 200_000
AT_ONE = Terms(0.8, margin_call=1, restore_to=1, liquidation_delay_days=60)  # no sale happens within 30 days
LOAN_AT_80 = Account({"X": 1.0}, {"USD": 64.0})


def first_passage(start: float, barrier: float, drift: float, sd: float, years: float) -> float:
    """P(min of a geometric Brownian motion <= barrier), log drift and sd a year."""
    b, spread = math.log(barrier / start), sd * math.sqrt(years)
    reflected = math.exp(2 * drift * b / sd**2) * ndtr((b + drift * years) / spread)
    return float(ndtr((b - drift * years) / spread) + reflected)


def one_asset(**options) -> PathPlan:
    model = MarketModel.constant({"X": 0.8}, spot={"X": 100.0})
    return PathPlan(model, n_paths=N, horizon_days=30, seed=11, **options)


@pytest.fixture(scope="module")
def bridged():
    return run_margin(one_asset(), LOAN_AT_80, AT_ONE)


def test_first_passage_with_the_bridge_on_daily_steps(bridged):
    exact = PASSAGE["first_passage"]
    assert first_passage(100, 80, -0.32, 0.8, 30 / 365) == pytest.approx(exact, rel=1e-12)
    found = bridged.probability("margin_called")
    assert abs(found.value - exact) < 4 * found.standard_error
    low, high = found.ci(0.9999)
    assert low < exact < high


@pytest.mark.parametrize("days", [1, 7, 20])
def test_first_passage_term_structure(bridged, days):
    exact = first_passage(100, 80, -0.32, 0.8, days / 365)
    table = bridged.term_structure("margin_called").set_index("days")
    error = math.sqrt(exact * (1 - exact) / N)
    assert abs(table.probability[days] - exact) < 4 * error
    assert bridged.probability("margin_called", horizon_days=days).value == table.probability[days]
    assert table.low[days] <= exact <= table.high[days]


def test_first_passage_at_a_finer_grid_is_the_same(bridged):
    found = run_margin(one_asset(steps_per_day=4), LOAN_AT_80, AT_ONE).probability("margin_called")
    assert abs(found.value - PASSAGE["first_passage"]) < 4 * found.standard_error


def test_terminal_shortfall_probability():
    # Threshold 1 and a debt of 80: short at the end if and only if the price ends below 80.
    terms = Terms(1.0, margin_call=1, restore_to=1, liquidation_delay_days=60)
    found = run_margin(one_asset(), Account({"X": 1.0}, {"USD": 80.0}), terms).probability("shortfall")
    assert abs(found.value - PASSAGE["terminal"]) < 4 * found.standard_error


def test_marks_at_the_close_miss_crossings_as_broadie_glasserman_and_kou_say(bridged):
    closes = Terms(0.8, margin_call=1, restore_to=1, liquidation_delay_days=60, mark="close")
    found = run_margin(one_asset(), LOAN_AT_80, closes).probability("margin_called")
    continuous = bridged.probability("margin_called")
    assert PASSAGE["terminal"] < found.value < continuous.value - 10 * found.standard_error
    # Daily monitoring of a barrier H is continuous monitoring of H exp(-0.5826 sigma sqrt(dt)).
    shifted = 80 * math.exp(-0.5825971579390106 * 0.8 / math.sqrt(365))
    expected = first_passage(100, shifted, -0.32, 0.8, 30 / 365)
    assert abs(found.value - expected) < 4 * found.standard_error + 5e-4


@pytest.fixture(scope="module")
def exchange_plan():
    model = MarketModel.constant({"X": 0.8, "Y": 0.5}, {("X", "Y"): 0.4}, spot={"X": 100.0, "Y": 50.0})
    return PathPlan(model, n_paths=N, horizon_days=30, seed=5)


RATIO_SD = math.sqrt(0.8**2 + 0.5**2 - 2 * 0.4 * 0.8 * 0.5)


def test_a_debt_in_another_asset_is_an_exchange_option(exchange_plan):
    # Shortfall at the end: max(1.8 Y - X, 0), Margrabe 1978.
    terms = Terms(1.0, margin_call=1, restore_to=1, liquidation_delay_days=60)
    found = run_margin(exchange_plan, Account({"X": 1.0}, {"Y": 1.8}), terms).mean("shortfall")
    spread = RATIO_SD * math.sqrt(30 / 365)
    d1 = math.log(90 / 100) / spread + spread / 2
    exact = 90 * ndtr(d1) - 100 * ndtr(d1 - spread)
    assert abs(found.value - exact) < 4 * found.standard_error


def test_first_passage_of_a_ratio_of_two_assets(exchange_plan):
    terms = Terms(0.8, margin_call=1, restore_to=1, liquidation_delay_days=60)
    found = run_margin(exchange_plan, Account({"X": 1.0}, {"Y": 1.3}), terms).probability("margin_called")
    drift = -(0.8**2 - 0.5**2) / 2
    exact = first_passage(0.8 * 100 / (1.3 * 50), 1, drift, RATIO_SD, 30 / 365)
    assert abs(found.value - exact) < 4 * found.standard_error


def bridge_case():
    case = VECTORS["anchors.bridge_crossing"]
    return list(zip(case["inputs"]["rows"], case["expected"]["probability"], strict=True))


@pytest.mark.parametrize(("row", "probability"), bridge_case())
def test_vector_bridge_crossing(row, probability):
    start, end, barrier, sigma, years = row
    variance = sigma**2 * years
    if 1e-300 < probability < 1:  # the sampled minimum touches the barrier exactly where U is the crossing probability
        assert naive.naive_bridge_minimum(start, end, variance, probability) == pytest.approx(barrier, rel=1e-12)
    n = 40_000
    prices = np.tile(np.array([start, end], dtype=float)[None, :, None], (n, 1, 1))
    source = FakePaths(("X",), prices, np.full((n, 1, 1), variance), np.eye(1), seed=9)
    terms = Terms(0.8, margin_call=1, restore_to=1, liquidation_delay_days=60)
    found = run_margin(source, Account({"X": 1.0}, {"USD": 0.8 * barrier}), terms).probability("margin_called")
    error = math.sqrt(probability * (1 - probability) / n)
    assert abs(found.value - probability) <= 4 * error + 1e-15


def test_the_cure_probability_is_that_of_the_terms():
    n = 20_000
    prices = np.tile(np.array([100.0, 85, 84, 83])[None, :, None], (n, 1, 1))
    terms = Terms(0.8, margin_call=1.1, restore_to=1.2, cure_probability=0.3, mark="close")
    found = run_margin(FakePaths(("X",), prices, seed=4), LOAN_AT_80, terms).probability("cured")
    assert abs(found.value - 0.3) < 4 * found.standard_error


def test_the_lowest_health_factor_has_the_law_of_the_minimum(bridged):
    # P(min health < x) by the closed form at the estimated 1 % and 5 % quantiles.
    for level in (0.99, 0.95):
        found = bridged.value_at_risk("min_health_factor", level)
        below = first_passage(1.25, found.value, -0.32, 0.8, 30 / 365)
        assert abs(below - (1 - level)) < 4 * math.sqrt(level * (1 - level) / N)
        low, high = found.ci()
        assert low < found.value < high
        assert bridged.expected_shortfall("min_health_factor", level).value < found.value
