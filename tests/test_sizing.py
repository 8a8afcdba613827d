"""Haircuts, LTV limits and the margin-call surface: against closed forms, the margin engine and a naive twin."""

from __future__ import annotations

import json
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from collatrisk.base.errors import InputError
from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Loan, Mix, Terms
from collatrisk.kernels.bridge_uniforms import bridge_uniform
from collatrisk.kernels.running_min import running_minimum
from collatrisk.margining import run_margin
from collatrisk.simulation import HistoricalWindows, MarketModel, PathPlan, PricePaths
from collatrisk.sizing import compare_mixes, haircut, haircuts, max_ltv, max_ltvs
from collatrisk.sizing.haircut import haircuts_by_measure

TWO = MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, 0.7, spot={"ETH": 2500.0, "BTC": 60_000.0})
MIXES = ["ETH", Mix({"ETH": 0.5, "BTC": 0.5}, "half"), Mix({"BTC": 0.6, "USD": 0.4}), {"USD": 1.0}]


def plan(model: MarketModel = TWO, n_paths: int = 6_000, days: float = 20, **options) -> PathPlan:
    return PathPlan(model, n_paths=n_paths, horizon_days=days, seed=11, **options)


def one_asset(n_paths: int, days: float, volatility: float = 0.8) -> PathPlan:
    return plan(MarketModel.constant({"ETH": volatility}), n_paths, days, drift="zero_log")


def history(rows: int = 500) -> pd.DataFrame:
    steps = np.random.default_rng(2).standard_normal((rows, 2)) * [0.04, 0.03]
    index = pd.date_range("2022-01-01", periods=rows, tz="UTC")
    return pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), index=index, columns=["ETH", "BTC"])


def anchor(name: str) -> dict:
    vectors = json.loads(Path(__file__).with_name("vectors").joinpath("anchors.json").read_text())
    return next(vector for vector in vectors if vector["name"] == name)


def first_passage(barrier: float, volatility: float, years: float) -> float:
    """P(min S <= barrier x S_0) of a lognormal price without drift of the price (haircuts.md 9)."""
    a, nu, sd = math.log(barrier), -(volatility**2) / 2, volatility * math.sqrt(years)
    phi = stats.norm.cdf
    return float(phi((a - nu * years) / sd) + math.exp(2 * nu * a / volatility**2) * phi((a + nu * years) / sd))


@pytest.mark.parametrize("n_paths", [1, 129])
@pytest.mark.parametrize("bridge", [True, False])
def test_the_kernel_agrees_with_its_twin(n_paths: int, bridge: bool) -> None:
    rng = np.random.default_rng(4)
    n_steps, n_assets, first = 5, 3, 1024
    prices = 50 * np.exp(np.cumsum(0.1 * rng.standard_normal((n_steps + 1, n_assets, n_paths)), axis=0))
    variance = rng.uniform(0.0, 0.02, (n_steps, n_assets, n_paths))
    correlation = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.1], [-0.2, 0.1, 1.0]])
    coefficients = np.array([[0.8, 0.0, 0.0], [0.2, 0.3, 0.1], [0.0, 0.0, 0.0]])
    cash, horizons, growth = np.array([0.0, 0.2, 0.9]), np.array([0, 2, 3]), 1.01
    key = stream_key(9, Purpose.BRIDGE)
    uniforms = np.array([[bridge_uniform(key, first + k, t) for k in range(n_paths)] for t in range(n_steps + 1)])
    out = np.empty((3, 3, n_paths))
    bridged = np.full(3, bridge)
    running_minimum(
        prices, variance, correlation, first, key, bridged, coefficients, cash, growth, horizons, out
    )  # fmt: skip
    twin = naive.running_minimum(
        prices, variance, correlation, uniforms if bridge else None, coefficients, cash, growth, horizons
    )
    np.testing.assert_allclose(out, twin, rtol=1e-12)
    assert (np.diff(out, axis=1) <= 0).all()


@pytest.mark.parametrize("mark", ["bridge", "close"])
def test_the_surface_is_that_of_the_margin_engine(mark: str) -> None:
    terms = Terms(liquidation_threshold={"ETH": 0.85, "BTC": 0.9}, borrow_rate=0.3, mark=mark)
    source = plan()
    table = compare_mixes(source, MIXES, ltv=[0.5, 0.65, 0.75], horizons=[20, 3], terms=terms)
    assert list(table.columns) == ["mix", "ltv", "horizon_days", "probability", "low", "high", "n"]
    assert len(table) == 4 * 3 * 2
    for (label, ltv), rows in table.groupby(["mix", "ltv"]):
        mix = next(mix for mix in map(Mix.of, MIXES) if mix.label == label)
        outcomes = run_margin(source, Loan(mix, 1e6, ltv), terms)
        assert list(rows["horizon_days"]) == [3.0, 20.0]
        for row in rows.itertuples():
            engine = outcomes.probability("margin_called", horizon_days=row.horizon_days)
            assert row.probability == engine.value
            assert (row.low, row.high) == engine.ci()
            assert row.n == source.n_paths
    assert table["probability"].max() > 0


def test_a_source_without_variances_is_monitored_at_its_steps() -> None:
    source = HistoricalWindows(history(), 10, clock="24/7")
    table = compare_mixes(source, MIXES[:2], ltv=0.75, horizons=10, terms=Terms())
    engine = run_margin(source, Loan(Mix.of("ETH"), 1.0, 0.75), Terms()).probability("margin_called")
    assert table["probability"][0] == engine.value
    assert (table["low"][0], table["high"][0]) == engine.ci()
    short = compare_mixes(source, "ETH", ltv=0.75, horizons=1, terms=Terms())
    hits = round(short["probability"][0] * source.n_paths)
    expected = stats.binomtest(hits, source.n_paths).proportion_ci(0.95, method="exact")
    assert (short["low"][0], short["high"][0]) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_first_passage_of_one_asset() -> None:
    expected = anchor("anchors.first_passage.h80_30d")["expected"]
    source = plan(MarketModel.constant({"ETH": 0.8}), 60_000, 30)
    bare = Terms(liquidation_threshold=1.0, margin_call=1.0, restore_to=1.0)
    table = compare_mixes(source, "ETH", ltv=0.8, horizons=30, terms=bare)
    sd = math.sqrt(expected["first_passage"] * (1 - expected["first_passage"]) / source.n_paths)
    assert expected["first_passage"] == pytest.approx(first_passage(0.8, 0.8, 30 / 365), rel=1e-12)
    assert abs(table["probability"][0] - expected["first_passage"]) < 4 * sd
    coarse = compare_mixes(source, "ETH", ltv=0.8, horizons=30, terms=Terms(1.0, 1.0, 1.0, mark="close"))
    assert expected["terminal"] < coarse["probability"][0] < expected["first_passage"] - 4 * sd


def test_the_largest_ltv_inverts_first_passage() -> None:
    source = plan(MarketModel.constant({"ETH": 0.8}), 60_000, 30)
    terms = Terms(liquidation_threshold=0.85, margin_call=1.15, restore_to=1.3)
    estimate = max_ltv(source, "ETH", terms, max_call_probability=0.05, horizon_days=30)
    barrier = estimate.value * 1.15 / 0.85
    sd = math.sqrt(0.05 * 0.95 / source.n_paths)
    assert abs(first_passage(barrier, 0.8, 30 / 365) - 0.05) < 4 * sd
    low, high = estimate.ci(0.9999)
    assert first_passage(low * 1.15 / 0.85, 0.8, 30 / 365) < 0.05 < first_passage(high * 1.15 / 0.85, 0.8, 30 / 365)
    assert "order-statistic" in estimate.method or "order statistics" in estimate.method


@pytest.mark.parametrize("tolerated", [0.01, 0.05, 0.3])
def test_the_largest_ltv_is_the_last_that_the_surface_allows(tolerated: float) -> None:
    source, terms = plan(n_paths=3_000), Terms(borrow_rate=0.1)
    for mix, estimate in zip(
        MIXES[:3], max_ltvs(source, MIXES[:3], terms, max_call_probability=tolerated), strict=True
    ):
        at, above = estimate.value * (1 - 1e-12), estimate.value * (1 + 1e-9)
        table = compare_mixes(source, mix, ltv=[at, above], horizons=20, terms=terms)
        assert table["probability"][0] <= tolerated < table["probability"][1]
        assert estimate == max_ltv(source, mix, terms, max_call_probability=tolerated, horizon_days=20)


def test_more_tolerance_or_less_time_allows_more() -> None:
    source, terms = plan(n_paths=2_000), Terms()
    by_tolerance = [max_ltv(source, "ETH", terms, max_call_probability=p).value for p in (0.01, 0.05, 0.1, 0.5)]
    by_horizon = [
        max_ltv(source, "ETH", terms, max_call_probability=0.05, horizon_days=days).value for days in (20, 5, 1)
    ]
    assert by_tolerance == sorted(by_tolerance)
    assert by_horizon == sorted(by_horizon)


@pytest.mark.parametrize("row", [1, 2])
def test_haircuts_of_a_lognormal_price(row: int) -> None:
    vector = anchor("anchors.gbm_quantile_threshold")
    inputs, factor = vector["inputs"]["rows"][row], vector["expected"]["price_factor"][row]
    source = one_asset(100_000, inputs["hours"] / 24, inputs["sigma"])
    estimate = haircut(source, "ETH", level=0.99, mpor_days=inputs["hours"] / 24)
    low, high = estimate.ci(0.9999)
    assert low < 1 - factor < high
    assert estimate.value == pytest.approx(1 - factor, abs=4 * estimate.standard_error)


def test_the_expected_shortfall_haircut_of_a_lognormal_price() -> None:
    source = one_asset(100_000, 10)
    sd, z = 0.8 * math.sqrt(10 / 365), stats.norm.ppf(0.99)
    expected = 1 - math.exp(sd**2 / 2) * stats.norm.cdf(-z - sd) / 0.01
    estimate = haircut(source, "ETH", level=0.99, mpor_days=10, measure="es")
    assert abs(estimate.value - expected) < 4 * estimate.standard_error
    assert estimate.kind == "expected_shortfall"
    assert estimate.monte_carlo == estimate.standard_error
    assert estimate.value > haircut(source, "ETH", level=0.99, mpor_days=10).value


@settings(max_examples=15)
@given(st.floats(0.5, 0.98), st.floats(0.0, 1.0), st.sampled_from(["var", "es"]))
def test_haircuts_grow_with_the_level_and_never_leave_the_unit_interval(
    level: float, weight: float, measure: str
) -> None:
    source = plan(n_paths=1_500)
    mix = Mix({"ETH": weight, "BTC": 1 - weight})
    lower, upper = (haircut(source, mix, level=x, mpor_days=2, measure=measure) for x in (level, level + 0.01))
    assert 0 <= lower.value <= upper.value < 1
    assert 0 <= lower.ci()[0] <= lower.value <= lower.ci()[1] <= 1


@pytest.mark.parametrize("history_windows", [False, True])
def test_measures_from_one_pass_are_those_of_passes_of_their_own(history_windows: bool) -> None:
    source = HistoricalWindows(history(), horizon_days=5) if history_windows else plan(n_paths=3_000)
    both = haircuts_by_measure(source, ["ETH", "BTC"], measures=("var", "es"), level=0.98, mpor_days=3)
    for asset, found in zip(("ETH", "BTC"), both, strict=True):
        for measure, estimate in found.items():
            alone = haircut(source, asset, level=0.98, mpor_days=3, measure=measure)
            assert (estimate.value, estimate.ci(), estimate.method) == (alone.value, alone.ci(), alone.method)


def test_haircuts_grow_with_the_period_and_fall_with_cash() -> None:
    source = one_asset(20_000, 20)
    by_period = [haircut(source, "ETH", level=0.99, mpor_days=days).value for days in (1, 5, 20)]
    assert by_period == sorted(by_period)
    half = haircut(source, {"ETH": 0.5, "USD": 0.5}, level=0.99, mpor_days=5)
    assert half.value == pytest.approx(by_period[1] / 2, rel=1e-12)
    for measure in ("var", "es"):
        cash = haircut(source, {"USD": 1.0}, level=0.99, mpor_days=5, measure=measure)
        assert (cash.value, cash.standard_error, cash.ci(), cash.kind) == (0.0, 0.0, (0.0, 0.0), "exact")
    assert haircut(source, "ETH", level=0.2, mpor_days=1).value == 0.0


def test_several_mixes_share_one_pass() -> None:
    source = plan(n_paths=2_000)
    together = haircuts(source, MIXES, level=0.95, mpor_days=3, measure="es")
    assert together == [haircut(source, mix, level=0.95, mpor_days=3, measure="es") for mix in MIXES]


def test_diversification_is_seen_on_joint_paths() -> None:
    source = plan(n_paths=20_000)
    eth, btc, half = haircuts(source, ["ETH", "BTC", {"ETH": 0.5, "BTC": 0.5}], level=0.99, mpor_days=10, measure="es")
    assert half.value < (eth.value + btc.value) / 2


def test_results_do_not_depend_on_executor_or_block_size() -> None:
    source, terms = plan(n_paths=5_000), Terms(liquidation_threshold=0.85)

    def answers(**options) -> list[object]:
        table = compare_mixes(source, MIXES, ltv=[0.5, 0.7], horizons=[5, 20], terms=terms, **options)
        return [
            table.to_dict(),
            haircuts(source, MIXES, level=0.99, mpor_days=5, measure="es", **options),
            max_ltvs(source, MIXES, terms, max_call_probability=0.05, **options),
        ]

    plain = answers()
    assert answers(block_size=1024) == plain
    assert answers(block_size=8192) == plain
    with ThreadPoolExecutor(2) as pool:
        assert answers(executor=pool, block_size=1024) == plain
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert answers(executor=pool, block_size=2048) == plain


def test_windows_of_history_are_resampled_in_blocks() -> None:
    source = HistoricalWindows(history(), 10, clock="24/7", seed=3)
    for estimate in (
        haircut(source, "ETH", level=0.9, mpor_days=10),
        haircut(source, "ETH", level=0.9, mpor_days=10, measure="es"),
        max_ltv(source, "ETH", Terms(), max_call_probability=0.1),
    ):
        assert "moving-block bootstrap" in estimate.method
        assert estimate.n_effective == source.n_paths / 10
        assert estimate.monte_carlo is None
        low, high = estimate.ci()
        assert 0 <= low < estimate.value < high <= 1
    assert "bootstrap" not in haircut(source, "ETH", level=0.9, mpor_days=1).method


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    source = plan(n_paths=3_000)
    haircut(source, "ETH", level=0.9, mpor_days=1, block_size=1024, progress=lambda *done: told.append(done))
    assert told == [(1024, 3000), (2048, 3000), (3000, 3000)]


def test_one_path_is_honest() -> None:
    estimate = haircut(plan(n_paths=1), "ETH", level=0.5, mpor_days=1)
    assert estimate.ci() == (0.0, 1.0)
    assert "no lower or upper bound" in estimate.method


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": 99}, r"give 0\.99 for 99 %"),
        ({"level": 0.0}, r"\(0, 1\)"),
        ({"mpor_days": 21}, "at most the 20 days"),
        ({"mpor_days": 0}, "at least one step"),
        ({"mpor_days": 0.5}, "whole number of steps"),
        ({"measure": "cvar"}, "'var', 'es'"),
        ({"asset_or_mix": "ETC"}, "did you mean 'ETH'"),
        ({"asset_or_mix": {"ETH": 0.7, "BTC": 0.7}}, "must sum to 1"),
        ({"block_size": 1000}, "multiple of 1024"),
        ({"source": 7}, "must be a source of paths"),
    ],
)
def test_bad_haircuts_are_refused(change: dict, words: str) -> None:
    good = {"source": plan(n_paths=10), "asset_or_mix": "ETH", "level": 0.99, "mpor_days": 10}
    with pytest.raises(InputError, match=words):
        haircut(**good | change)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        haircut(plan(n_paths=10), {"ETC": 0.5, "BTX": 0.5}, level=99, mpor_days=100, measure="cvar")
    assert len(caught.value.problems) == 5
    with pytest.raises(InputError) as caught:
        compare_mixes(
            plan(n_paths=10), ["ETH", "ETH", "XRP"], ltv=[70, 0.5], horizons=[0, 99], terms=Terms({"ETH": 0.8})
        )
    names = [problem.name for problem in caught.value.problems]
    assert sorted(names) == ["horizons", "horizons", "liquidation_threshold", "ltv", "mix 100% XRP", "mixes"]
    with pytest.raises(InputError) as caught:
        max_ltvs(plan(n_paths=10), [], 0.85, max_call_probability=0, horizon_days=-1)
    assert {"mixes", "terms", "max_call_probability", "horizon_days"} <= {p.name for p in caught.value.problems}


def test_paths_in_memory_are_a_source_too() -> None:
    source = plan(n_paths=500)
    block = source.read(0, 500)
    memory = PricePaths.from_array(np.moveaxis(block.prices, 2, 0), source.assets, source.clock)
    assert haircut(memory, "ETH", level=0.9, mpor_days=5) == haircut(source, "ETH", level=0.9, mpor_days=5)
