"""Every volatility family in the path kernel: against its twins, and against its own forecasts."""

from __future__ import annotations

import math
from dataclasses import replace

import naive_paths
import naive_recursions
import numpy as np
import pytest
from path_models import flat, gjr, market, whole_inputs
from volatility_models import MEANS, SHAPES, cases, fitted_state, with_shape

from collatrisk.simulation import Marginal, MarketModel, PathPlan
from collatrisk.volatility.season import Season
from collatrisk.volatility.specs import Aparch, ConstantVolatility, Egarch, Figarch, Garch, RiskMetrics2006

SEASON = Season(tuple(np.sqrt(np.linspace(0.4, 1.6, 7)).tolist()), 3 * 1440.0)


def short(spec):
    return f"{type(spec).__name__}-{spec.dist}-{spec.mean}"


ALL = [*cases("t"), *cases("ged", "ar1"), *cases("normal", "zero")]


@pytest.mark.parametrize("drift", ["martingale", "zero_log", "fitted"])
def test_the_kernel_agrees_with_its_twin_on_all_families_at_once(drift):
    """All in one market, beside GARCH(1,1) and a constant, past the lags that a ring keeps."""
    marginals = [fitted_state(f"A{i}", spec, params, n=60 if i % 2 else 700) for i, (spec, params) in enumerate(ALL)]
    marginals = [replace(one, season=SEASON) if i % 3 == 1 else one for i, one in enumerate(marginals)]
    model = market(*marginals, gjr("G"), flat("C"), rho=0.3, nu=8.0)
    steps = 9
    plan = PathPlan(model, n_paths=2**40, horizon_days=steps, seed=3, drift=drift)
    first = 2**32 - 2
    block = plan.read(first, first + 4)
    for k in range(4):
        prices, variances = naive_paths.simulate_path(whole_inputs(plan), first + k, steps)
        np.testing.assert_allclose(block.prices[:, :, k], prices, rtol=1e-11)
        np.testing.assert_allclose(block.step_variance[:, :, k], variances, rtol=1e-11)


@pytest.mark.parametrize(("spec", "params"), ALL, ids=lambda x: short(x) if not isinstance(x, dict) else "")
def test_a_path_goes_on_from_the_filtered_state_by_the_spec_s_own_formula(spec, params):
    """Residuals of simulated paths, put back into the formula with the whole history, give the simulated variances."""
    marginal = fitted_state("A", spec, params, n=150)
    steps = 70
    block = PathPlan(market(marginal), n_paths=3, horizon_days=steps, seed=5, drift="fitted").read(0, 3)
    returns = np.diff(np.log(block.prices[:, 0, :]), axis=0)
    for k in range(3):
        before = np.concatenate(([marginal.last_return or 0.0], returns[:-1, k]))
        residuals = returns[:, k] - marginal.mu - marginal.ar * before
        shocks = residuals / np.sqrt(block.step_variance[:, 0, k])
        if isinstance(spec, RiskMetrics2006):
            found, _ = naive_recursions.simulate_riskmetrics(
                spec, marginal.last_variances, marginal.last_residuals[-1], shocks
            )
        else:
            state = list(marginal.last_residuals), list(marginal.last_variances)
            found, _ = naive_recursions.simulate_path(spec, params, *state, shocks)
        np.testing.assert_allclose(block.step_variance[:, 0, k], found, rtol=1e-8)


CLOSED = [
    *((spec, params) for spec, params in cases("normal") if not isinstance(spec, RiskMetrics2006)),
    *cases("ged", "zero")[2:4],
    *(case for case in cases("t") if isinstance(case[0], Figarch | RiskMetrics2006)),
]


@pytest.mark.parametrize(("spec", "params"), CLOSED, ids=lambda x: short(x) if not isinstance(x, dict) else "")
def test_mean_variance_of_the_paths_is_the_forecast(spec, params):
    n, steps = 40_000, 25
    marginal = fitted_state("A", spec, params)
    block = PathPlan(market(marginal), n_paths=n, horizon_days=steps, seed=8, drift="fitted").read(0, n)
    h = block.step_variance[:, 0, :]
    forecast = marginal.variance_forecast(steps)
    assert forecast[0] == pytest.approx(marginal.next_variance, rel=1e-12)
    np.testing.assert_allclose(h[0], forecast[0], rtol=1e-9)
    error = h.std(axis=1) / math.sqrt(n)
    slack = 0.0 if marginal.coefficients.closed_form else 4.0 * h.std(axis=1) / math.sqrt(4096)
    assert np.all(np.abs(h.mean(axis=1) - forecast) < 4.5 * error + slack + 1e-12)
    residuals = np.diff(np.log(block.prices[:, 0, :]), axis=0) - marginal.mu
    squares = residuals**2
    if spec.mean != "ar1":
        assert np.all(np.abs(squares.mean(axis=1) - h.mean(axis=1)) < 5.0 * squares.std(axis=1) / math.sqrt(n))


def test_a_power_of_two_is_the_garch_path_and_aparch_is_its_garch_twin():
    params = {"mu": 0.0, "omega": 2e-5, "alpha[1]": 0.05, "gamma[1]": 0.3, "beta[1]": 0.9, "nu": 6.0}
    aparch = Marginal("A", Aparch(delta=2.0), params, {}, (-0.02,), (8e-4,))
    up, down = 0.05 * 0.7**2, 0.05 * 1.3**2
    same = params | {"alpha[1]": up, "gamma[1]": down - up}
    twin = Marginal("A", Garch(), same, {}, (-0.02,), (8e-4,))
    one, two = (PathPlan(market(m), n_paths=64, horizon_days=10).read(0, 64).prices for m in (aparch, twin))
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_an_autoregressive_mean_moves_paths_by_what_the_last_return_leaves():
    spec = ConstantVolatility(mean="ar1")
    marginal = Marginal("A", spec, {"mu": 1e-3, "ar[1]": 0.5, "omega": 1e-4}, last_return=0.08)
    n = 40_000
    for drift, level in (("fitted", 2e-3), ("zero_log", 0.0), ("martingale", None)):
        prices = PathPlan(market(marginal), n_paths=n, horizon_days=4, seed=2, drift=drift).read(0, n).prices
        returns = np.diff(np.log(prices[:, 0, :]), axis=0)
        wanted = [-5e-5] * 4 if level is None else [level + 0.5**k * (0.08 - 2e-3) for k in range(1, 5)]
        np.testing.assert_allclose(returns.mean(axis=1), wanted, atol=4.0 * 0.012 / math.sqrt(n))
        correlation = np.corrcoef(returns[1], returns[2])[0, 1]
        share = 0.0 if level is None else 0.5 * math.sqrt((1 + 0.25) / (1 + 0.25 + 0.0625))
        assert correlation == pytest.approx(share, abs=4.0 / math.sqrt(n))


def test_paths_are_prefixes_and_shorter_horizons_begin_longer_ones():
    marginals = [fitted_state(f"A{i}", spec, params) for i, (spec, params) in enumerate(cases("t"))]
    model = market(*marginals, rho=0.4)
    long = PathPlan(model, n_paths=700, horizon_days=12, seed=1).read(0, 700)
    few = PathPlan(model, n_paths=20, horizon_days=5, seed=1).read(3, 20)
    assert np.array_equal(long.prices[:6, :, 3:20], few.prices)
    assert np.array_equal(long.step_variance[:5, :, 3:20], few.step_variance)


@pytest.mark.parametrize(("spec", "params"), cases("t"), ids=lambda x: short(x) if not isinstance(x, dict) else "")
def test_a_marginal_scales_starts_in_a_crisis_and_comes_back_from_its_file(spec, params):
    marginal = fitted_state("A", spec, params)
    assert Marginal.from_dict(marginal.to_dict()) == marginal
    model = market(marginal)
    assert MarketModel.from_dict(model.to_dict()) == model
    scaled = marginal.scaled(3.0)
    finite = np.isfinite(marginal.variance_forecast(10))
    wanted = 9.0 * marginal.variance_forecast(10)[finite]
    np.testing.assert_allclose(scaled.variance_forecast(10)[finite], wanted, rtol=1e-9)
    paths = [
        np.diff(np.log(PathPlan(market(m), n_paths=50, horizon_days=8, drift="zero_log").read(0, 50).prices), axis=0)
        for m in (marginal, scaled)
    ]
    np.testing.assert_allclose(paths[1], 3.0 * paths[0], rtol=1e-7, atol=1e-14)
    average = marginal.long_run_volatility
    average = average if math.isfinite(average) else math.sqrt(marginal.next_variance)
    crisis = marginal.started_at(2.0)
    assert crisis.next_variance == pytest.approx(max(4.0 * average**2, marginal.next_variance), rel=1e-9)
    assert crisis.params == marginal.params


def test_heavy_tails_under_egarch_stay_finite():
    spec, params = with_shape(Egarch(), "t"), MEANS["constant"] | SHAPES["t"]
    params |= {"omega": -0.05, "alpha[1]": 0.9, "gamma[1]": 0.0, "beta[1]": 0.99, "nu": 2.1}
    marginal = Marginal("A", spec, params, {}, (0.5,), (1e-2,))
    block = PathPlan(market(marginal), n_paths=4096, horizon_days=200, drift="zero_log").read(0, 4096)
    assert np.all(np.isfinite(block.step_variance))
    assert block.step_variance.max() <= 1.0001e4
    assert marginal.long_run_volatility == math.inf
    assert np.all(np.isinf(marginal.variance_forecast(3)[1:]))
