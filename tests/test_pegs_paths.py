"""Pegs on paths: the kernel against its twin, laws and moments, draws of their own, stresses, files."""

from __future__ import annotations

import json
import math
import pickle

import naive_pegs
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from path_models import crash, flat, gjr, market, whole_inputs

from collatrisk.base.errors import InputError
from collatrisk.simulation import Jump, MarketModel, PathPlan, PegMarginal, draw_models, simulate, stress_model
from collatrisk.simulation.peg_inputs import bridge_variances
from collatrisk.volatility import Peg
from collatrisk.volatility.peg_estimate import kernel_vector
from collatrisk.volatility.peg_moments import mean_stress_steps, stressed_share

PARAMS = {
    "center": 0.0, "accrual": 0.0, "phi": 0.4, "sigma": 0.001, "nu": 4.0, "entry": 0.02, "exit": 0.05, "drop": 0.02,
    "phi_stressed": 0.9, "sigma_stressed": 0.006, "sensitivity": 0.0, "down": 0.8,
}  # fmt: skip


def peg(asset="USDX", spec=None, distance=0.0, stressed=0.0, **changes):
    """A pegged marginal; a normal law has no nu."""
    spec = spec or Peg()
    params = PARAMS | changes
    if spec.dist == "normal":
        del params["nu"]
    return PegMarginal(asset, spec, params, {}, distance, stressed)


def distances(plan, place=0, first=0, last=None):
    """Log price over spot, (steps + 1, n)."""
    block = plan.read(first, last or plan.n_paths)
    return np.log(block.prices[:, place] / block.prices[0, place])


STAKED = Peg(underlying="ETH", market="ETH", depeg=0.01)
MODELS = {
    "one peg": market(peg(distance=-0.02, stressed=0.6)),
    "on an underlying, before it": market(
        peg("STETH", STAKED, sensitivity=0.8, distance=-0.01, stressed=0.3, accrual=1e-4),
        gjr("BTC"),
        gjr("ETH", nu=4.2),
        peg("USDX", Peg(market="*"), sensitivity=1.2, entry=0.1),
        rho=0.4,
        nu=6.0,
    ),
    "a peg on a peg, jumps, a Gaussian copula": market(
        peg("WSTETH", Peg(underlying="STETH", dist="normal", depeg=0.002), entry=0.2, accrual=1e-4),
        gjr("ETH", dist="normal"),
        peg("STETH", Peg(underlying="ETH"), entry=0.2),
        rho=0.3,
        jumps=[crash("ETH", "STETH", intensity=60.0), Jump("depeg", 50.0, {"WSTETH": -0.1})],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_agrees_with_its_twin(name):
    plan = PathPlan(MODELS[name], n_paths=2**40, horizon_days=12, seed=5)
    first = 2**32 - 4
    block = plan.read(first, first + 12)
    for k in range(12):
        prices, variances = naive_pegs.simulate_path(whole_inputs(plan), first + k, 12)
        np.testing.assert_allclose(block.prices[:, :, k], prices, rtol=1e-11)
        np.testing.assert_allclose(block.step_variance[:, :, k], variances, rtol=1e-11)


def test_a_peg_never_moves_the_prices_of_other_assets_wherever_it_stands():
    btc, eth, usd = gjr("BTC"), flat("ETH", dist="t"), peg(entry=0.2)
    jumps = [crash("BTC", "ETH", intensity=50.0)]
    alone = simulate(PathPlan(market(btc, eth, rho=0.6, nu=5.0, jumps=jumps), n_paths=700, horizon_days=9, seed=3))
    for order in ((usd, btc, eth), (btc, usd, eth), (btc, eth, usd)):
        model = market(*order, rho=0.6, nu=5.0, jumps=jumps)
        found = simulate(PathPlan(model, n_paths=700, horizon_days=9, seed=3))
        for asset in ("BTC", "ETH"):
            np.testing.assert_array_equal(
                found.block[:, model.assets.index(asset)], alone.block[:, ("BTC", "ETH").index(asset)]
            )


def test_a_peg_does_not_depend_on_its_column():
    one = market(peg("STETH", STAKED, sensitivity=0.5), gjr("ETH"))
    other = market(gjr("ETH"), peg("STETH", STAKED, sensitivity=0.5))
    first, second = (PathPlan(model, n_paths=300, horizon_days=20, seed=1).read(0, 300) for model in (one, other))
    np.testing.assert_array_equal(first.prices[:, ::-1], second.prices)
    np.testing.assert_array_equal(first.step_variance[:, ::-1], second.step_variance)


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.floats(-0.1, 0.1), st.floats(0.0, 0.99))
def test_without_noise_and_entries_the_basis_goes_home_along_its_curve(start, phi):
    calm = peg(distance=start, phi=phi, sigma=1e-300, entry=0.0)
    found = distances(PathPlan(market(calm), n_paths=3, horizon_days=25)) + start
    expected = start * phi ** np.arange(26)
    np.testing.assert_allclose(found, np.tile(expected[:, None], 3), atol=1e-12)


def test_the_mean_of_the_basis_in_either_regime_is_its_closed_form():
    for marginal, phi, sigma in (
        (peg(distance=-0.03, entry=0.0, spec=Peg(dist="normal")), 0.4, 0.001),
        (peg(distance=-0.3, stressed=1.0, exit=0.0, phi_stressed=0.95), 0.95, 0.006),
    ):
        n, steps = 20_000, 12
        found = distances(PathPlan(market(marginal), n_paths=n, horizon_days=steps, seed=2)) + marginal.last_distance
        expected = marginal.last_distance * phi ** np.arange(steps + 1)
        spread = sigma * np.sqrt((1 - phi ** (2 * np.arange(steps + 1))) / (1 - phi**2))
        assert np.all(np.abs(found.mean(axis=1) - expected) <= 4 * spread / math.sqrt(n) + 1e-12)
        np.testing.assert_allclose(found.std(axis=1)[1:], spread[1:], rtol=0.03)


@settings(deadline=None, derandomize=True, max_examples=8)
@given(st.floats(0.005, 0.2), st.floats(0.01, 0.5), st.floats(0.3, 0.95), st.floats(0.0, 1.0))
def test_the_regimes_have_their_stationary_distribution(entry, exit_, phi, down):
    changes = {"entry": entry, "exit": exit_, "phi_stressed": phi, "down": down}
    plan = PathPlan(market(peg(**changes)), n_paths=2000, horizon_days=300, seed=4)
    variance = plan.read(0, 2000).step_variance[200:, 0]
    moved = np.isclose(variance, whole_inputs(plan).pegs.variance[0, 1]).mean(axis=0)  # entered, or stayed
    share = stressed_share(PARAMS | changes, 0.005)
    expected = (1.0 - share) * entry + share * (1.0 - exit_)
    assert abs(moved.mean() - expected) < 4.5 * moved.std() / math.sqrt(2000)


def test_the_length_of_a_stress_without_healing_is_geometric():
    frozen = PARAMS | {"phi_stressed": 0.9999, "sigma_stressed": 1e-4, "exit": 0.1, "drop": 0.05}
    assert mean_stress_steps(frozen, 0.005) == pytest.approx(10.0, rel=0.01)


def test_a_market_that_falls_makes_entries_likelier():
    model = market(gjr("ETH", nu=5.0), peg("STETH", STAKED, sensitivity=2.0, entry=0.01, exit=1.0))
    plan = PathPlan(model, n_paths=40_000, horizon_days=1, seed=6)
    block = plan.read(0, 40_000)
    logs = np.log(block.prices[1] / block.prices[0])
    basis, shock = logs[1] - logs[0], (logs[0] - logs[0].mean()) / logs[0].std()
    entered = np.abs(basis) >= 0.01
    assert shock[entered].mean() < -1.0
    for low, high in ((-1.5, -0.5), (0.5, 1.5)):
        inside = (shock > low) & (shock < high)
        wanted = (1.0 / (1.0 + 99.0 * np.exp(2.0 * shock[inside]))).mean()
        assert abs(entered[inside].mean() - wanted) < 4.5 * math.sqrt(wanted / inside.sum()) + 0.15 * wanted


def test_a_staked_token_is_bridged_with_its_underlying():
    model = market(gjr("ETH"), gjr("BTC"), peg("STETH", STAKED), rho=0.5, nu=6.0)
    plan = PathPlan(model, n_paths=4000, horizon_days=20, seed=7)
    block = plan.read(0, 4000)
    returns = np.diff(np.log(block.prices), axis=0)
    measured = np.corrcoef(returns.transpose(1, 0, 2).reshape(3, -1))
    np.testing.assert_allclose(plan.correlation, measured, atol=0.06)
    assert plan.correlation[0, 2] > 0.95
    assert np.linalg.eigvalsh(plan.correlation)[0] >= -1e-12
    half = np.array([0.5, 0.0, 0.5])
    assert bridge_variance(plan, block, half) == pytest.approx(np.einsum("i,tin->tn", half, returns).var(), rel=0.1)
    # A loan of ETH against STETH: what is left is the basis, whose noise the bridge has on average (entries are jumps).
    share, (calm, stress) = model.marginals[2].stressed_share, bridge_variances(model.marginals[2].params)
    found = bridge_variance(plan, block, np.array([-1.0, 0.0, 1.0]))
    assert 0.8 < found / ((1.0 - share) * calm + share * stress) < 2.0


def bridge_variance(plan, block, shares):
    """The bridge's mean variance of a step of a portfolio."""
    sd = np.sqrt(block.step_variance) * shares[None, :, None]
    return np.einsum("tin,ij,tjn->tn", sd, plan.correlation, sd).mean()


def test_a_jump_of_a_peg_puts_it_into_the_stress_and_it_heals():
    hit = market(peg(entry=0.0, exit=0.0), jumps=[Jump("depeg", 70.0, {"USDX": math.log(0.9)})])
    found = distances(PathPlan(hit, n_paths=2000, horizon_days=60, seed=8))
    deep = np.flatnonzero(found[1] < -0.08)
    assert deep.size > 200
    after = found[2][deep][found[2][deep] > -0.15]  # without a second jump
    assert np.median(after) == pytest.approx(0.9 * math.log(0.9), abs=0.002)


def test_stresses_of_pegs():
    base = market(gjr("ETH"), peg("STETH", STAKED, stressed=0.1))
    wild = stress_model(base, volatility_scale={"STETH": 2.0}).marginals[1]
    assert wild.params["sigma"] == 2 * PARAMS["sigma"]
    assert wild.params["drop"] == 2 * PARAMS["drop"]
    assert wild.params["phi_stressed"] == PARAMS["phi_stressed"]
    crisis = stress_model(base, initial_volatility=1.5)
    started = crisis.marginals[1]
    assert math.sqrt(started.next_variance) == pytest.approx(1.5 * started.long_run_volatility)
    assert stress_model(base, initial_volatility=50.0).marginals[1].last_stressed == 1.0
    assert stress_model(base, initial_volatility=0.1).marginals[1].last_stressed == 0.1
    assert MarketModel.from_dict(json.loads(json.dumps(crisis.to_dict()))) == crisis
    assert pickle.loads(pickle.dumps(crisis)) == crisis
    prices = simulate(PathPlan(crisis, n_paths=100, horizon_days=5)).block
    assert np.all(np.isfinite(prices))


def test_models_with_pegs_are_saved_selected_and_moved(tmp_path):
    model = MODELS["on an underlying, before it"]
    model.save(tmp_path / "model.json")
    assert MarketModel.load(tmp_path / "model.json") == model
    assert model.select(["ETH", "STETH"]).assets == ("ETH", "STETH")
    with pytest.raises(InputError, match="anchored to"):
        model.select(["STETH", "BTC"])
    moved = model.with_spot({"STETH": 1800.0})
    assert simulate(PathPlan(moved, n_paths=2, horizon_days=1)).block[0, 0, 0] == 1800.0
    assert model.summary().loc["STETH", "phi"] == PARAMS["phi"]
    assert "Peg to ETH" in model._repr_html_()
    with pytest.raises(InputError, match="steps_per_day"):
        PathPlan(model, n_paths=2, horizon_days=1, steps_per_day=24)


def test_a_peg_needs_what_it_depends_on():
    with pytest.raises(InputError, match="anchored to"):
        market(peg("STETH", STAKED))
    with pytest.raises(InputError, match="no peg"):
        market(peg("A", Peg(market="B")), peg("B"))
    with pytest.raises(InputError, match="itself"):
        market(peg("A", Peg(underlying="B")), peg("B", Peg(underlying="A")))
    with pytest.raises(InputError) as caught:
        PegMarginal("A", Peg(), {"phi": 2.0, "speed": 1.0}, last_stressed=1.5)
    assert len(caught.value.problems) == 14


def test_given_pegs_are_taken_as_known_when_parameters_are_drawn():
    drawn = next(draw_models(MODELS["one peg"], 1))
    assert dict(drawn.marginals[0].params) == dict(MODELS["one peg"].marginals[0].params)
    assert "parameters-given" in {finding.code for finding in drawn.findings}


def test_the_vector_of_the_kernel_names_every_parameter():
    vector = kernel_vector(PARAMS, 0.005)
    assert np.all(np.isfinite(vector))
    assert vector[-1] == 0.005
    normal = kernel_vector({name: value for name, value in PARAMS.items() if name != "nu"}, 0.005)
    assert normal[4] > 1e8
