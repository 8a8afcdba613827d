"""Pegs: the filter against its twin, estimation on simulated bases, what is done where no stress was seen."""

from __future__ import annotations

import json
import pickle

import naive_pegs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import kstest

from collatrisk.base.errors import DataError, InputError
from collatrisk.volatility.peg_defaults import default_stress
from collatrisk.volatility.peg_estimate import PegData, from_coordinate, slope, to_coordinate
from collatrisk.volatility.peg_fit import fit_peg
from collatrisk.volatility.peg_prints import lone_prints
from collatrisk.volatility.peg_spec import PEG_PARAMETERS, Peg, peg_from_dict

TRUTH = {
    "center": 0.001, "accrual": 0.0, "phi": 0.4, "sigma": 0.001, "nu": 4.0, "entry": 0.02, "exit": 0.05, "drop": 0.02,
    "phi_stressed": 0.9, "sigma_stressed": 0.006, "sensitivity": 0.0, "down": 0.8,
}  # fmt: skip


def history(n=3000, seed=1, truth=TRUTH, depeg=0.005, shocks=None):
    rng = np.random.default_rng(seed)
    distance, _ = naive_pegs.simulate_basis(truth, depeg, n, rng, shocks=shocks)
    dates = pd.date_range("2020-01-01", periods=n, freq="D", tz="UTC")
    basis = distance + truth["center"] + truth["accrual"] * (np.arange(n) - (n - 1))
    return pd.Series(np.exp(basis), index=dates, name="USDX")


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 10**6), st.booleans(), st.floats(-2, 2), st.floats(0.001, 0.3), st.floats(0.0, 0.4))
def test_the_filter_and_the_smoother_agree_with_their_twin(seed, normal, sensitivity, entry, exit_):
    rng = np.random.default_rng(seed)
    params = TRUTH | {"sensitivity": sensitivity, "entry": entry, "exit": exit_, "accrual": 1e-5}
    if normal:
        del params["nu"]
    shocks = rng.standard_normal(120)
    distance, _ = naive_pegs.simulate_basis(params, 0.005, 120, rng, shocks=shocks)
    basis = distance + 0.001 + 1e-5 * (np.arange(120) - 119)
    usable = rng.random(120) > 0.05
    found = PegData(basis, distance, shocks, usable, 0.005).filter(params)
    total, filtered, smoothed = naive_pegs.filter_and_smooth(params, 0.005, basis, distance, shocks, usable)
    assert found.loglikelihood == pytest.approx(total, rel=1e-11)
    np.testing.assert_allclose(found.stressed, filtered, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.smoothed, smoothed, rtol=1e-9, atol=1e-12)


def test_a_simulated_peg_is_found_again_and_its_ranks_are_uniform():
    fit = fit_peg(history(), Peg())
    for name in ("center", "phi", "sigma", "nu", "entry", "drop", "phi_stressed", "sigma_stressed"):
        error = fit.std_errors["robust"][name]
        assert abs(fit.params[name] - TRUTH[name]) < 4 * error, (name, fit.params[name], error)
        assert error < max(0.5 * abs(TRUTH[name]), 2e-4)
    assert kstest(fit.uniforms, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(fit.std_resid[1:], fit.std_resid[:-1])[0, 1]) < 4 / np.sqrt(3000)
    json.dumps(fit.to_dict())


def test_the_share_of_stress_is_smoothed_to_where_it_was():
    rng = np.random.default_rng(1)
    distance, stressed = naive_pegs.simulate_basis(TRUTH, 0.005, 3000, rng)
    prices = history()
    np.testing.assert_allclose(np.log(prices) - 0.001, distance, atol=1e-12)
    fit = fit_peg(prices, Peg())
    assert np.mean((fit.smoothed > 0.5) == stressed) > 0.98
    assert fit.stressed_steps == pytest.approx(stressed.sum(), rel=0.1)


def test_where_no_stress_was_seen_the_default_stands_and_entry_is_not_zero():
    calm = history(n=600, truth=TRUTH | {"entry": 1e-6, "nu": 12.0, "sigma": 0.0005})
    fit = fit_peg(calm, Peg())
    default = default_stress(1.0)
    assert {name: fit.params[name] for name in default} == default
    assert fit.params["entry"] == pytest.approx(0.5 / 599, rel=0.05)
    assert "peg-stress-not-identified" in {finding.code for finding in fit.findings}
    assert set(fit.summary()["origin"]) == {"estimated", "default", "given", "none"}
    known = Peg(given={"entry": 0.001, "exit": 0.1, "drop": 0.05, "phi_stressed": 0.95, "sigma_stressed": 0.01})
    told = fit_peg(calm, known)
    assert {name: told.params[name] for name in known.given} == dict(known.given)
    assert np.isnan(told.std_errors["robust"]["drop"])
    assert "peg-default-used" not in {finding.code for finding in told.findings if finding.subject in known.given}


def test_the_default_keeps_its_spread_at_another_step():
    day, hour = default_stress(1.0), default_stress(1.0 / 24.0)
    assert hour["phi_stressed"] ** 24 == pytest.approx(day["phi_stressed"])
    spread = [one["sigma_stressed"] ** 2 / (1 - one["phi_stressed"] ** 2) for one in (day, hour)]
    assert spread[0] == pytest.approx(spread[1])


def test_single_bad_prints_are_left_out_and_hardly_move_the_fit():
    prices = history(n=1500)
    clean = fit_peg(prices, Peg(lone_prints="keep"))
    bad = prices.copy()
    quiet = [t for t in range(100, 1400, 250) if abs(np.log(prices.iloc[t - 1 : t + 2]) - 0.001).max() < 0.003]
    assert len(quiet) >= 3
    bad.iloc[quiet] *= [0.9, 1.1, 0.95, 1.08, 0.85, 1.2][: len(quiet)]
    fit = fit_peg(bad, Peg())
    named = next(finding for finding in fit.findings if finding.code == "lone-prints")
    assert len(named.rows) >= len(quiet)
    for name in ("center", "phi", "sigma", "drop", "phi_stressed", "sigma_stressed"):
        assert abs(fit.params[name] - clean.params[name]) < 1.0 * clean.std_errors["robust"][name], name
    kept = fit_peg(bad, Peg(lone_prints="keep"))
    assert kept.n_obs == 1499 > fit.n_obs


def test_a_print_beside_a_stressed_one_is_noise_and_no_bad_print():
    basis = 1e-4 * np.sin(np.arange(60.0))
    basis[20] = -0.03
    basis[40:50] = -0.02
    basis[45] = -0.05
    rows, stressed = pd.RangeIndex(60), np.zeros(60)
    assert not lone_prints("USDX", rows, basis, 0.005)[0][[20, 45]].any()
    stressed[40:50] = 0.9
    usable, findings = lone_prints("USDX", rows, basis, 0.005, stressed)
    assert list(np.flatnonzero(~usable)) == [20]
    assert len(findings[0].rows) == 1


def test_a_depeg_of_two_days_is_no_bad_print():
    basis = np.zeros(50)
    basis[20:22] = -0.03, -0.01
    usable, findings = lone_prints("USDX", pd.RangeIndex(50), basis + 1e-4 * np.sin(np.arange(50)), 0.005)
    assert usable.all()
    assert not findings


def test_an_entry_that_follows_the_market_is_told_from_one_that_does_not():
    truth = TRUTH | {"sensitivity": 1.5, "entry": 0.005}
    shocks = np.random.default_rng(3).standard_normal(4000)
    prices = history(n=4000, seed=5, truth=truth, shocks=shocks)
    series = pd.Series(shocks, index=prices.index)
    fit = fit_peg(prices, Peg(market="BTC"), shock=series)
    error = fit.std_errors["robust"]["sensitivity"]
    assert fit.params["sensitivity"] == pytest.approx(1.5, abs=4 * error)
    assert fit.params["sensitivity"] > 4 * error
    assert kstest(fit.uniforms, "uniform").pvalue > 0.01


def test_an_accruing_token_on_its_underlying():
    truth = TRUTH | {"center": 0.14, "accrual": 0.04 / 365}
    ratio = history(n=2500, truth=truth, depeg=0.01)
    rng = np.random.default_rng(8)
    eth = pd.Series(2000 * np.exp(np.cumsum(0.04 * rng.standard_normal(2500))), index=ratio.index, name="ETH")
    fit = fit_peg((ratio * eth).rename("WSTETH"), Peg(underlying="ETH", accrual=None, depeg=0.01), underlying=eth)
    errors = fit.std_errors["robust"]
    assert fit.params["accrual"] == pytest.approx(truth["accrual"], abs=4 * errors["accrual"])
    assert fit.params["center"] == pytest.approx(0.14, abs=4 * errors["center"])


@pytest.mark.parametrize("name", PEG_PARAMETERS)
def test_coordinates_go_back_and_forth(name):
    value = TRUTH[name]
    x = to_coordinate(name, value)
    assert from_coordinate(name, x) == pytest.approx(value, rel=1e-9, abs=1e-12)
    step = 1e-6
    numeric = (from_coordinate(name, x + step) - from_coordinate(name, x - step)) / (2 * step)
    assert slope(name, value) == pytest.approx(numeric, rel=1e-4)


def test_specs_go_through_json_and_pickle_and_refuse_what_is_wrong():
    spec = Peg(underlying="ETH", accrual=None, market="*", given={"entry": 0.01})
    assert peg_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    with pytest.raises(InputError) as caught:
        Peg(level=0.0, depeg=-1.0, dist="cauchy", given={"phi": 1.5, "speed": 1.0})
    assert len(caught.value.problems) == 5
    with pytest.raises(InputError):
        fit_peg(history(200), Peg(underlying="ETH"))
    with pytest.raises(InputError):
        fit_peg(history(200), Peg(market="BTC"))
    with pytest.raises(DataError, match="USDX"):
        fit_peg(history(50), Peg())
    broken = history(200)
    broken.iloc[17] = -1.0
    with pytest.raises(DataError, match="2020-01-18"):
        fit_peg(broken, Peg())
