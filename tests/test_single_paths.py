"""Paths in single precision: the twin in float64, the same bits everywhere, and what is refused."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import naive_single
import numpy as np
import pytest
from hypothesis import given, strategies as st
from path_models import crash, flat, gjr, market

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.simulation import Marginal, PathPlan, PricePaths, simulate
from collatrisk.volatility.specs import Garch

MODELS = {
    "one normal": market(gjr("A", dist="normal")),
    "t copula, mixed laws": market(
        gjr("A", nu=4.2), gjr("B", dist="skewt", nu=5.0, lam=-0.2), gjr("C", dist="normal"), flat("D"), gjr("E"),
        rho=0.5, nu=6.0,
    ),
    "Gaussian copula": market(flat("A", dist="t"), gjr("B", mu=2e-4), gjr("C", nu=3.0), rho=-0.3),
    "independent": market(flat("A"), gjr("B", dist="skewt", lam=0.3), spot=98_765.4321),
}  # fmt: skip
MODEL = MODELS["t copula, mixed laws"]
PLAN = PathPlan(MODEL, n_paths=1500, horizon_days=11, seed=42, precision="single")
WHOLE = PLAN.read(0, 1500)


@pytest.mark.parametrize("drift", ["martingale", "zero_log", "fitted"])
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_agrees_with_its_twin_in_float64(name, drift):
    plan = PathPlan(MODELS[name], n_paths=2**40, horizon_days=10, seed=12, drift=drift, precision="single")
    first, n = 2**32 - 150, 300
    block = plan.read(first, first + n)
    prices, variances = naive_single.Twin(plan).read(first, n)
    assert np.array_equal(block.prices[0], prices[0])
    np.testing.assert_allclose(block.prices, prices, rtol=3e-6)
    np.testing.assert_allclose(block.step_variance, variances, rtol=2e-5)


def same(block, columns):
    prices = np.array_equal(block.prices, WHOLE.prices[:, :, columns])
    return prices and np.array_equal(block.step_variance, WHOLE.step_variance[:, :, columns])


@given(st.tuples(st.integers(0, 1500), st.integers(0, 1500)).map(sorted))
def test_any_range_has_the_same_bits(ends):
    assert same(PLAN.read(*ends), slice(*ends))


@pytest.mark.parametrize("days", [1, 2, 3, 4, 5, 7, 8, 10])
def test_a_longer_horizon_extends_a_shorter_one(days):
    short = PathPlan(MODEL, n_paths=700, horizon_days=days, seed=42, precision="single").read(100, 300)
    assert np.array_equal(short.prices, WHOLE.prices[: days + 1, :, 100:300])
    assert np.array_equal(short.step_variance, WHOLE.step_variance[:days, :, 100:300])


def test_threads_and_pickles_have_the_same_bits():
    fresh = pickle.loads(pickle.dumps(PLAN))
    assert fresh == PLAN
    ranges = [(low, min(low + 100, 1500)) for low in range(0, 1500, 100)]
    with ThreadPoolExecutor(4) as executor:
        blocks = list(executor.map(lambda ends: fresh.read(*ends), ranges))
    assert all(same(block, slice(*ends)) for block, ends in zip(blocks, ranges, strict=True))


def test_float32_arrays_hold_what_read_widens():
    prices, variances = np.empty((12, 5, 900), np.float32), np.empty((11, 5, 900), np.float32)
    PLAN.read_into(600, prices, variances)
    assert np.array_equal(prices, WHOLE.prices[:, :, 600:])
    assert np.array_equal(variances, WHOLE.step_variance[:, :, 600:])
    again = np.empty_like(prices)
    PLAN.read_into(600, again, np.empty((0, 5, 900), np.float32))
    assert np.array_equal(again, prices)


def test_the_spot_is_a_float32_and_every_path_starts_there():
    plan = PathPlan(MODELS["independent"], n_paths=3, horizon_days=1, precision="single")
    assert plan.spot.tolist() == [float(np.float32(98_765.4321))] * 2
    assert np.array_equal(plan.read(0, 3).prices[0], np.repeat(plan.spot[:, None], 3, axis=1))
    assert plan.describe()["precision"] == "single"
    assert "single precision" in repr(plan)


def test_double_is_the_default_and_a_stream_of_its_own():
    double = PathPlan(MODEL, n_paths=1500, horizon_days=11, seed=42)
    assert double.precision == "double"
    moves = [np.log(paths.prices[4] / paths.prices[3])[0] for paths in (double.read(0, 1500), WHOLE)]
    for f in (np.asarray, np.abs):
        assert abs(np.corrcoef(f(moves[0]), f(moves[1]))[0, 1]) < 4.5 / np.sqrt(1500)


def ask(source, **options):
    loan = cr.Loan(cr.Mix({"A": 0.5, "D": 0.5}), collateral_value=1e6, ltv=0.72)
    rules = [
        cr.Terms(mark=mark, liquidation_threshold=0.85, margin_call=1.15, restore_to=1.3)
        for mark in ("close", "bridge")
    ]
    return cr.run_margin(source, loan, rules, keep="paths", **options).data


def test_margin_runs_do_not_depend_on_blocks_or_workers_and_are_those_of_the_widened_paths():
    plan = PathPlan(MODEL, n_paths=5000, horizon_days=11, seed=42, precision="single")
    one = ask(plan)
    with ThreadPoolExecutor(2) as executor:
        others = [ask(plan, executor=executor, block_size=1024), ask(simulate(plan))]
    assert isinstance(simulate(plan), PricePaths)
    for other in others:
        assert np.array_equal(one.events, other.events)
        assert np.array_equal(one.amounts[:, :, :10], other.amounts[:, :, :10])
        np.testing.assert_allclose(one.amounts, other.amounts, rtol=2e-7)  # roots of float32 variances
    assert (one.events[:, :, 0] >= 0).any()


def test_other_questions_read_widened_paths():
    plan = PathPlan(MODEL, n_paths=2000, horizon_days=11, seed=42, precision="single")
    found = [cr.haircut(source, "A", level=0.95, mpor_days=3).value for source in (plan, simulate(plan))]
    assert found[0] == found[1]
    loan, terms = cr.Loan(cr.Mix({"A": 1.0}), collateral_value=1e6, ltv=0.6), cr.Terms(mark="close")
    few = {"event": "margin_called", "effort": 64, "runs": 4}
    double = PathPlan(MODEL, n_paths=2000, horizon_days=11, seed=42)
    assert cr.rare_probability(plan, loan, terms, **few) == cr.rare_probability(double, loan, terms, **few)


def two_lags(asset):
    params = {"mu": 0.0, "omega": 1e-5, "alpha[1]": 0.05, "beta[1]": 0.5, "beta[2]": 0.4}
    return Marginal(asset, Garch(1, 0, 2, dist="normal"), params, {}, (0.05,), (4e-4, 9e-4))


def in_volatilities(asset):
    params = {"mu": 0.0, "omega": 1e-3, "alpha[1]": 0.05, "gamma[1]": 0.06, "beta[1]": 0.9}
    return Marginal(asset, Garch(power=1.0, dist="normal"), params, {}, (-0.03,), (1e-3,))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (market(flat("A"), jumps=[crash("A")]), "jumps"),
        (market(flat("A"), two_lags("B")), "B has a volatility of its own kind"),
        (market(flat("A"), in_volatilities("B")), "B has a volatility of its own kind"),
        (market(flat("A"), spot=1e12), "the price of A"),
    ],
)
def test_rich_models_are_refused_with_a_remedy(model, words):
    with pytest.raises(InputError, match=words) as caught:
        PathPlan(model, n_paths=10, horizon_days=1, precision="single")
    assert "double" in str(caught.value)
    PathPlan(model, n_paths=10, horizon_days=1, precision="double")


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision"):
        PathPlan(MODEL, n_paths=10, horizon_days=1, precision="half")
