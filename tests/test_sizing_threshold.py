"""The liquidation threshold: it must be the one that the margin engine itself allows, with honest bounds."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collatrisk.base.errors import InputError
from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.margining import run_margin
from collatrisk.simulation import HistoricalWindows, MarketModel, PathPlan
from collatrisk.sizing import liquidation_threshold
from collatrisk.sizing.threshold import ThresholdInterval

TWO = MarketModel.constant({"ETH": 0.9, "BTC": 0.6}, 0.6, spot={"ETH": 2500.0, "BTC": 60_000.0})
SOURCE = PathPlan(TWO, n_paths=6_000, horizon_days=30, seed=5)
LOAN = Loan(Mix({"ETH": 0.5, "BTC": 0.5}), 1e6, 0.7)
TERMS = Terms(liquidation_threshold=0.85, liquidation_delay_days=1)


def shortfall(terms: Terms, thresholds: float | dict[str, float], account: Loan | Account = LOAN) -> float:
    outcomes = run_margin(SOURCE, account, replace(terms, liquidation_threshold=thresholds))
    return outcomes.probability("shortfall").value


def test_the_threshold_is_the_last_candidate_that_the_engine_allows() -> None:
    tolerated = 0.01
    estimate = liquidation_threshold(SOURCE, LOAN, TERMS, max_shortfall_probability=tolerated, candidates=20)
    step = (1 - 0.7) / 20
    assert estimate.value == pytest.approx(0.7 + step * round((estimate.value - 0.7) / step), rel=1e-12)
    assert shortfall(TERMS, estimate.value) <= tolerated < shortfall(TERMS, estimate.value + step)
    low, high = estimate.ci()
    assert low <= estimate.value < high
    n = SOURCE.n_paths

    def bounds(threshold: float) -> tuple[float, float]:
        found = stats.binomtest(round(shortfall(TERMS, threshold) * n), n).proportion_ci(0.95, method="exact")
        return found.low, found.high

    assert bounds(low)[1] <= tolerated < bounds(low + step)[1]
    assert bounds(high - step)[0] <= tolerated < bounds(high)[0]
    assert (estimate.kind, estimate.n) == ("threshold", n)
    assert "20 candidates" in estimate.method
    assert pickle.loads(pickle.dumps(estimate)) == estimate


def test_thresholds_by_asset_keep_their_proportion() -> None:
    terms = replace(TERMS, liquidation_threshold={"ETH": 0.8, "BTC": 0.9})
    estimate = liquidation_threshold(SOURCE, LOAN, terms, max_shortfall_probability=0.01, candidates=20)
    scale = estimate.value / 0.85
    assert shortfall(TERMS, {"ETH": 0.8 * scale, "BTC": 0.9 * scale}) <= 0.01
    assert f"ETH {0.8 * scale:.4g}, BTC {0.9 * scale:.4g}" in estimate.method


def test_one_asset_moves_alone() -> None:
    terms = replace(TERMS, liquidation_threshold={"ETH": 0.8, "BTC": 0.8})
    estimate = liquidation_threshold(SOURCE, LOAN, terms, max_shortfall_probability=0.01, asset="ETH", candidates=20)
    assert shortfall(TERMS, {"ETH": estimate.value, "BTC": 0.8}) <= 0.01
    lowest = 2 * (0.7 - 0.5 * 0.8)
    step = (1 - lowest) / 20
    assert shortfall(TERMS, {"ETH": estimate.value + step, "BTC": 0.8}) > 0.01
    assert "ETH" in estimate.method
    assert "BTC" not in estimate.method


def test_more_tolerance_is_a_higher_threshold_and_cash_stays_whole() -> None:
    account = Account({"ETH": 100.0, "USD": 50_000.0}, {"USD": 200_000.0})
    values = [
        liquidation_threshold(SOURCE, account, TERMS, max_shortfall_probability=p, candidates=20).value
        for p in (0.003, 0.01, 0.05, 0.3)
    ]
    assert values == sorted(values)
    assert values[0] < values[-1]
    assert shortfall(TERMS, {"ETH": values[0], "USD": 1.0}, account) <= 0.003


def test_the_result_does_not_depend_on_executor_or_block_size() -> None:
    def answer(**options):
        return liquidation_threshold(
            SOURCE, LOAN, TERMS, max_shortfall_probability=0.01, candidates=8, horizon_days=10, **options
        )

    plain = answer()
    assert answer(block_size=1024) == plain
    with ThreadPoolExecutor(2) as pool:
        assert answer(executor=pool, block_size=1024) == plain


def test_what_the_paths_cannot_tell_is_said() -> None:
    safe = Loan(Mix.of("BTC"), 1e6, 0.2)
    free = liquidation_threshold(SOURCE, safe, TERMS, max_shortfall_probability=0.01, candidates=5)
    assert free.value == 1.0
    assert free.ci() == (1.0, math.inf)
    assert free.format() == "at least 1 [1, inf]"
    assert "at least" in free._repr_html_()
    assert repr(free).startswith("Estimate(at least 1 [1, inf] at 95 %, threshold, ")
    assert "every candidate is allowed" in free.method
    assert "threshold x (1 + bonus + fee) >= 1 for BTC" in free.method
    few = liquidation_threshold(SOURCE, safe, TERMS, max_shortfall_probability=1e-5, candidates=5)
    assert few.ci()[0] == pytest.approx(0.2)
    assert "too few paths" in few.method


def test_windows_of_history_count_as_fewer() -> None:
    rng = np.random.default_rng(7)
    index = pd.date_range("2021-01-01", periods=800, tz="UTC")
    prices = pd.DataFrame(100 * np.exp(np.cumsum(0.05 * rng.standard_normal((800, 1)), 0)), index, columns=["ETH"])
    source = HistoricalWindows(prices, 5, clock="24/7")
    loan = Loan(Mix.of("ETH"), 1.0, 0.7)
    estimate = liquidation_threshold(source, loan, TERMS, max_shortfall_probability=0.05, candidates=10)
    assert estimate.n_effective == source.n_paths / 5
    assert estimate.monte_carlo is None
    low, high = estimate.ci()
    assert low <= estimate.value <= high


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=12),
    st.floats(0.001, 0.3),
    st.sampled_from([0.5, 0.95, 0.99]),
)
def test_bounds_enclose_the_leading_candidate(hits: list[int], tolerated: float, confidence: float) -> None:
    grid = tuple(np.linspace(0.5, 1.0, len(hits) + 1).tolist())
    interval = ThresholdInterval(grid, tuple(map(float, hits)), 100.0, tolerated)
    allowed = [hit / 100 <= tolerated for hit in hits]
    best = allowed.index(False) if False in allowed else len(hits)
    low, high = interval.ci(confidence)
    assert low <= grid[best] <= high


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_shortfall_probability": 0.0}, r"\(0, 1\)"),
        ({"max_shortfall_probability": 5}, r"give 0\.05 for 5 %"),
        ({"horizon_days": 31}, "at most the 30 days"),
        ({"asset": "ETC"}, r"must be held \(held: ETH, BTC\)"),
        ({"candidates": 1}, "at least 2"),
        ({"account": "ETH"}, "must be an Account or a Loan"),
        ({"terms": 0.8}, "must be Terms"),
        ({"terms": Terms({"ETH": 0.8})}, "has no threshold"),
        ({"account": Account({"ETH": 1.0}, {})}, "must owe something"),
        ({"account": Account({"USD": 9.0}, {"ETH": 0.001})}, "other than cash"),
        ({"account": Account({"XRP": 9.0}, {"USD": 1.0})}, "XRP"),
        ({"account": Account({"ETH": 1.0}, {"USD": 3000.0})}, "health factor above 1"),
        ({"account": Loan(Mix.of("ETH"), 1.0, 0.97), "max_shortfall_probability": 1e-4}, "lend less against it"),
    ],
)
def test_bad_input_is_refused(change: dict, words: str) -> None:
    good = {"source": SOURCE, "account": LOAN, "terms": TERMS, "max_shortfall_probability": 0.01}
    with pytest.raises(InputError, match=words):
        liquidation_threshold(**good | change)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        liquidation_threshold(SOURCE, "x", 3, max_shortfall_probability=2, horizon_days=99, candidates=0)
    assert len(caught.value.problems) == 5
