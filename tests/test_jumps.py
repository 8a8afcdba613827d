"""Jumps: laws, the kernel against its twin, Poisson counts, compensation, estimation without counting twice."""

from __future__ import annotations

import json
import math
import pickle

import naive_paths
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from path_models import crash, flat, gjr, market, whole_inputs
from scipy import integrate, stats

from collatrisk.base.errors import InputError
from collatrisk.simulation import (
    Jump,
    Jumps,
    JumpSize,
    MarketModel,
    PathPlan,
    draw_models,
    fit_jumps,
    fit_market,
    simulate,
)
from collatrisk.volatility import ConstantVolatility, Garch, Peg
from collatrisk.volatility.season import HourOfWeek

KOU = JumpSize(0.4, 0.03, 0.06)
BEYOND = JumpSize(0.3, 0.02, 0.05, 0.08, 0.1, 0.7)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.floats(0, 1), st.floats(0.005, 0.4), st.floats(0.005, 0.6), st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0, 1)
)
def test_moments_of_a_size_are_those_of_its_density(p_up, up, down, least_up, least_down, hit):
    size = JumpSize(p_up, up, down, least_up, least_down, hit)

    def expected(function):
        above = integrate.quad(lambda x: function(least_up + up * x) * math.exp(-x), 0, 80, limit=200)[0]
        below = integrate.quad(lambda x: function(-least_down - down * x) * math.exp(-x), 0, 80, limit=200)[0]
        return hit * (p_up * above + (1 - p_up) * below)

    assert size.mean == pytest.approx(expected(lambda x: x), rel=1e-7, abs=1e-10)
    assert size.mean_square == pytest.approx(expected(lambda x: x * x), rel=1e-7, abs=1e-10)
    assert size.growth == pytest.approx(expected(math.expm1), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("drift", ["martingale", "zero_log", "fitted"])
def test_the_kernel_agrees_with_its_twin(drift):
    jumps = [
        crash("A", "C", intensity=80.0),
        Jump("common", 150.0, {"A": KOU, "B": BEYOND, "C": -0.05}, compensated=True, together=0.5),
        Jump("own", 90.0, {"B": KOU}, compensated=True),
    ]
    model = market(gjr("A"), flat("B"), gjr("C", dist="normal"), rho=0.4, nu=6.0, jumps=jumps)
    plan = PathPlan(model, n_paths=2**40, horizon_days=10, seed=3, drift=drift)
    first = 2**32 - 5
    block = plan.read(first, first + 10)
    for k in range(10):
        prices, _ = naive_paths.simulate_path(whole_inputs(plan), first + k, 10)
        np.testing.assert_allclose(block.prices[:, :, k], prices, rtol=1e-11)


def still(*assets):
    """Assets that only jumps move."""
    return [flat(asset, volatility=0.0) for asset in assets]


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.floats(1.0, 360.0))
def test_arrivals_are_poisson(intensity):
    plan = PathPlan(market(*still("A"), jumps=[Jump("tick", intensity, {"A": 0.01})]), n_paths=4000, horizon_days=10)
    logs = np.log(plan.read(0, 4000).prices[:, 0] / 100.0)
    counts = np.rint(np.diff(logs, axis=0) / 0.01).astype(int).ravel()
    rate = intensity / 365
    n = counts.size
    assert abs(counts.mean() - rate) < 4.5 * math.sqrt(rate / n)
    for k in range(3):
        share = stats.poisson.pmf(k, rate)
        assert abs((counts == k).mean() - share) < 4.5 * math.sqrt(share / n) + 1e-12
    totals = np.rint(logs[-1] / 0.01)
    assert totals.var() == pytest.approx(10 * rate, rel=0.12)


def test_sizes_follow_their_law_and_are_shared_as_often_as_said():
    shared = Jump("common", 20.0, {"A": KOU, "B": BEYOND, "C": KOU}, together=0.6)
    plan = PathPlan(market(*still("A", "B", "C"), jumps=[shared]), n_paths=100_000, horizon_days=1, seed=4)
    block = plan.read(0, 100_000)
    a, b, c = np.log(block.prices[1] / 100.0)
    once = (a != 0) & (np.abs(a) < 1)
    assert once.mean() == pytest.approx(-math.expm1(-20 / 365), rel=0.03)
    assert np.mean((a[once] > 0) == (c[once] > 0)) > 0.98  # one direction for all, but for days of two arrivals
    assert (b[once] != 0).mean() == pytest.approx(0.7, abs=0.02)
    down = a[a < 0]
    assert stats.kstest(-down, "expon", args=(0, 0.06)).pvalue > 1e-3
    both = (a < 0) & (c < 0)
    assert np.corrcoef(a[both], c[both])[0, 1] == pytest.approx(0.6, abs=0.05)
    alone = (b < 0) & (np.abs(b) < 1) & (a != 0)
    assert np.mean(b[alone] <= -0.1) > 0.98


def test_compensated_jumps_leave_the_expected_price_at_the_spot():
    jumps = [Jump("common", 30.0, {"A": KOU, "B": BEYOND}, compensated=True), Jump("crash", 10.0, {"B": -0.3}, True)]
    model = market(flat("A", volatility=0.3), flat("B", volatility=0.3), rho=0.5, jumps=jumps)
    n = 200_000
    ends = {drift: simulate(PathPlan(model, n_paths=n, horizon_days=20, seed=5, drift=drift)).block[-1] / 100.0
            for drift in ("martingale", "zero_log")}  # fmt: skip
    errors = ends["martingale"].std(axis=1) / math.sqrt(n)
    assert np.all(np.abs(ends["martingale"].mean(axis=1) - 1.0) < 4 * errors)
    assert np.all(ends["zero_log"].mean(axis=1) < 0.98)
    stressed = market(flat("A", volatility=0.3), jumps=[crash("A", intensity=5.0)])
    end = simulate(PathPlan(stressed, n_paths=n, horizon_days=20, seed=5)).block[-1] / 100.0
    assert end.mean() == pytest.approx(math.exp(-0.3 * 5.0 * 20 / 365), abs=4 * end.std() / math.sqrt(n))


def test_jumps_go_through_files_and_old_ones_are_written_as_before(tmp_path):
    old = crash("A")
    assert set(old.to_dict()) == {"label", "intensity_per_year", "log_sizes"}
    new = Jump("common", 3.0, {"A": KOU, "B": -0.1}, compensated=True, together=0.25)
    for jump in (old, new):
        assert Jump.from_dict(json.loads(json.dumps(jump.to_dict()))) == jump
        assert pickle.loads(pickle.dumps(jump)) == jump
    model = market(flat("A"), flat("B"), jumps=[old, new])
    model.save(tmp_path / "model.json")
    assert MarketModel.load(tmp_path / "model.json") == model
    kept = model.select(["B"]).jumps
    assert [dict(jump.log_sizes) for jump in kept] == [{"B": -0.1}]
    assert (kept[0].compensated, kept[0].together) == (True, 0.25)
    broken = model.to_dict()
    broken["jumps"][1]["log_sizes"]["A"] = {"p_up": 0.5}
    with pytest.raises(InputError, match="log_sizes"):
        MarketModel.from_dict(broken)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError) as caught:
        JumpSize(1.5, 0.0, -1.0, -0.1)
    assert len(caught.value.problems) == 4
    with pytest.raises(InputError, match="expected price"):
        Jump("up", 1.0, {"A": JumpSize(0.5, 1.2, 0.1)}, compensated=True)
    assert Jump("up", 1.0, {"A": JumpSize(0.5, 1.2, 0.1)}).log_sizes["A"].growth == math.inf
    with pytest.raises(InputError):
        Jumps(threshold=1.0)
    with pytest.raises(InputError, match="season"):
        fit_market(returns_to_prices(sample(500)[0]), jumps=Jumps(), season=HourOfWeek(), clock="24/7")
    with pytest.raises(InputError, match="no jumps"):
        fit_jumps(sample(500)[0], volatility={"A": Peg(), "*": Garch()})


def returns_to_prices(returns):
    logs = np.vstack([np.zeros(returns.shape[1]), returns.to_numpy().cumsum(axis=0)])
    dates = pd.date_range("2015-01-01", periods=len(logs), freq="D", tz="UTC")
    return pd.DataFrame(100.0 * np.exp(logs), index=dates, columns=returns.columns)


TRUTH = Jump("common", 20.0, {a: JumpSize(0.3, 0.07, 0.08) for a in "AB"}, compensated=True, together=0.5)


def sample(n=4000, seed=2):
    """Returns of two assets with GARCH noise of about 2 % a day and Kou's jumps of 8 % on average."""
    noise = {"mu": 0.0, "omega": 8e-6, "alpha[1]": 0.05, "gamma[1]": 0.0, "beta[1]": 0.93}
    marginals = [gjr(a, dist="normal", variances=(4e-4,), last=(0.0,), **noise) for a in "AB"]
    model = market(*marginals, rho=0.5, jumps=[TRUTH])
    prices = simulate(PathPlan(model, n_paths=1, horizon_days=n, seed=seed, drift="fitted")).block[:, :, 0]
    dates = pd.date_range("2015-01-02", periods=n, freq="D", tz="UTC")
    return pd.DataFrame(np.diff(np.log(prices), axis=0), index=dates, columns=list("AB")), model


def test_jumps_are_found_again_and_their_variance_is_not_counted_twice():
    returns, _ = sample()
    model = fit_market(returns_to_prices(returns), volatility=Garch(o=0, dist="normal"), jumps=Jumps(), clock="24/7")
    fit = fit_jumps(returns, volatility=Garch(o=0, dist="normal"))
    assert model.jumps[0].label == "common jumps"
    for asset in "AB":
        given, found = (jumps[0].log_sizes[asset].to_dict() for jumps in (fit.jumps, model.jumps))
        assert found == pytest.approx(given, rel=1e-5)
    count, years, rate, _, _ = fit.arrivals["common jumps"]
    assert rate == count / years
    for asset in "AB":
        down = fit.sizes[asset]["down"]
        assert abs(down.mean - 0.08) < 4 * down.std_error  # memoryless: the mean beyond any threshold
        seen = sum(one.count for one in fit.sizes[asset].values()) / years
        assert seen == pytest.approx(20.0 * math.exp(-down.minimum / 0.08), rel=0.25)
        jumps = sum(
            jump.intensity_per_year / 365 * jump.log_sizes[asset].mean_square
            for jump in model.jumps
            if asset in jump.log_sizes
        )
        total = fit.returns[asset].var() + jumps
        assert total == pytest.approx(returns[asset].var(), rel=0.06)
    simulated = simulate(PathPlan(model, n_paths=300, horizon_days=2000, seed=9)).block
    moved = np.diff(np.log(simulated), axis=0)
    for i, asset in enumerate("AB"):
        assert moved[:, i].var() == pytest.approx(returns[asset].var(), rel=0.1)
    without = fit_market(returns_to_prices(returns), volatility=Garch(o=0, dist="normal"), clock="24/7")
    assert without.marginal("A").long_run_volatility > 1.1 * model.marginal("A").long_run_volatility


def test_estimated_jumps_are_drawn_within_their_error():
    seen = Jump("common", 4.0, {"A": JumpSize(0.25, 0.03, 0.05, 0.1, 0.1), "B": -0.1}, True, 0.5, count=40)
    model = market(flat("A"), flat("B"), jumps=[seen, crash("A")])
    assert MarketModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    drawn = [one.jumps for one in draw_models(model, 2000, seed=1)]
    assert [jumps[1] for jumps in drawn[:3]] == [crash("A")] * 3
    rates = np.array([jumps[0].intensity_per_year for jumps in drawn])
    assert rates.mean() == pytest.approx(40.5 / 10, rel=0.02)
    assert rates.std() == pytest.approx(math.sqrt(40.5) / 10, rel=0.08)
    sizes = [jumps[0].log_sizes["A"] for jumps in drawn]
    downs = np.array([size.mean_down for size in sizes])
    assert downs.std() == pytest.approx(0.05 / math.sqrt(30), rel=0.15)
    assert np.mean([size.p_up for size in sizes]) == pytest.approx(10.5 / 41, rel=0.03)
    assert {jumps[0].log_sizes["B"] for jumps in drawn} == {-0.1}
    first = next(iter(draw_models(model, 1, seed=1))).jumps[0]
    assert first == drawn[0][0]


def test_a_fit_says_what_it_saw():
    returns, _ = sample(1500)
    fit = fit_jumps(returns["A"], volatility=ConstantVolatility())
    assert fit.detected["common"].sum() == 0
    assert {finding.code for finding in fit.findings} <= {"few-jumps"}
    table = fit.intensities()
    assert table.loc["jumps of A", "low"] < table.loc["jumps of A", "intensity"] < table.loc["jumps of A", "high"]
    assert fit.summary().loc[("A", "down"), "mean_beyond_se"] > 0
    assert "jumps of A" in fit._repr_html_()
    json.dumps(fit.to_dict())
    calm = pd.Series(np.random.default_rng(1).uniform(-0.01, 0.01, 400), name="U")
    none = fit_jumps(calm.set_axis(pd.date_range("2020-01-01", periods=400, freq="D", tz="UTC")))
    assert none.jumps == ()
    assert none.arrivals["jumps of U"][4] == pytest.approx(3.689 / (400 / 365), rel=1e-3)
