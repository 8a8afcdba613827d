"""Dynamic correlation in market models: fits from prices, files, stresses, draws, and what the first step costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dcc_models import dcc_scores, to_uniforms
from hypothesis import given, settings, strategies as st

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.dependence import (
    CorrelationDynamics,
    Dcc,
    DependenceFit,
    EwmaCorrelation,
    GroupedTCopula,
    TGroup,
    equicorrelation,
    fit_dependence,
)
from collatrisk.dependence.dynamics import scaled_to_correlation
from collatrisk.dependence.tightened import tightened
from collatrisk.simulation import Marginal, MarketModel
from collatrisk.simulation.drawn_dependence import draw_dependence
from collatrisk.simulation.first_step import first_step
from collatrisk.volatility import fit_volatility
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.specs import Garch

NORMAL = Garch(o=0, dist="normal")


def garch_prices(n_obs=900, seed=4):
    """Prices of three GARCH assets whose correlation moves."""
    scores = dcc_scores(n_obs, 3, 0.05, 0.92, seed=seed)
    h, out = np.full(3, 4e-4), np.empty((n_obs, 3))
    for t in range(n_obs):
        out[t] = np.sqrt(h) * scores[t]
        h = 2e-5 + 0.08 * out[t] ** 2 + 0.87 * h
    dates = pd.date_range("2021-01-01", periods=n_obs + 1, freq="D", tz="UTC")
    levels = np.exp(np.vstack([np.zeros(3), np.cumsum(out, axis=0)]))
    return pd.DataFrame(100 * levels, index=dates, columns=["BTC", "ETH", "SOL"])


@pytest.fixture(scope="module")
def market():
    return cr.fit_market(garch_prices(), volatility=NORMAL, dependence=Dcc(copula="gaussian"), clock="24/7")


def test_a_market_with_moving_correlation_is_fitted_and_kept(market, tmp_path):
    motion = market.dependence.dynamics
    assert abs(motion.a - 0.05) < 4 * motion.std_errors["a"]
    assert abs(motion.b - 0.92) < 4 * motion.std_errors["b"]
    assert "dynamic conditional correlation" in market.provenance["estimator"]
    market.save(tmp_path / "model.json")
    again = MarketModel.load(tmp_path / "model.json")
    assert again == market
    assert np.array_equal(again.dependence.dynamics.state, motion.state)
    assert "DCC with Gaussian copula, a = " in repr(market)


def test_some_assets_of_it_move_as_before(market):
    some = market.select(["SOL", "BTC"])
    assert some.dependence.next_correlation[0, 1] == market.dependence.next_correlation[2, 0]
    assert cr.PathPlan(some, n_paths=5, horizon_days=4).read(0, 5).prices.shape == (5, 2, 5)


def test_a_file_with_a_wrong_state_is_refused(market):
    data = market.to_dict()
    data["dependence"]["dynamics"]["state"][0][0] = "high"
    with pytest.raises(InputError, match=r"dependence.dynamics.state"):
        MarketModel.from_dict(data)
    data = market.to_dict()
    del data["dependence"]["dynamics"]["b"]
    with pytest.raises(InputError, match=r"dependence.dynamics.b"):
        MarketModel.from_dict(data)


def test_the_first_step_widens_the_errors_and_its_slopes_are_right():
    returns = np.log(garch_prices(600)).diff().dropna()
    fits = {asset: fit_volatility(returns[asset], NORMAL) for asset in returns}
    dates = dict.fromkeys(fits, returns.index)
    known = first_step(fits, dates, returns.index)
    uniforms = to_uniforms(np.column_stack([fit.std_resid for fit in fits.values()]))
    spec, names = Dcc(copula="gaussian"), tuple(fits)
    alone = fit_dependence(uniforms, spec, assets=names)
    whole = fit_dependence(uniforms, spec, assets=names, first_step=known)
    assert whole.dynamics.a == alone.dynamics.a
    for name in "ab":
        assert whole.dynamics.std_errors[name] != alone.dynamics.std_errors[name]
        assert whole.dynamics.std_errors[name] == pytest.approx(alone.dynamics.std_errors[name], rel=0.6)
    # The influences of a parameter have the spread of its robust standard error.
    fit = fits["BTC"]
    scale = float(np.std(returns["BTC"]))
    for place, (name, unit) in enumerate({"mu": scale, "omega": scale**2, "alpha[1]": 1.0, "beta[1]": 1.0}.items()):
        spread = unit * float(np.std(known.influences[0][:, place])) / np.sqrt(len(returns))
        assert spread == pytest.approx(fit.std_errors["robust"][name], rel=1e-3)


def test_a_margin_of_persistence_one_leaves_sound_errors_and_is_named():
    # C is all but unidentified as well (beta has a standard error of 1): nu used to have a standard error of 44.
    spec, names, scores = Garch(o=0, dist="t"), ("A", "B", "C"), dcc_scores(700, 3, 0.05, 0.92, nu=6.0, seed=2)
    rise, keep, level = np.array([0.30, 0.08, 0.08]), np.array([0.80, 0.87, 0.87]), np.array([2e-6, 2e-5, 2e-5])
    h, returns = np.full(3, 4e-4), np.empty((700, 3))
    for t in range(700):
        returns[t] = np.sqrt(h) * scores[t]
        h = level + rise * returns[t] ** 2 + keep * h
    fits = {name: fit_volatility(returns[:, i], spec) for i, name in enumerate(names)}
    index = pd.RangeIndex(700)
    known = first_step(fits, dict.fromkeys(names, index), index)
    assert fits["A"].persistence == pytest.approx(1.0, abs=1e-9)
    _, _, alpha, beta, _ = known.influences[0].T
    assert np.allclose(alpha + beta, 0.0, atol=1e-9 * np.abs(alpha).max())
    spread = np.std(known.influences[0], axis=0) / np.sqrt(700)
    robust = [fits["A"].std_errors["robust"][name] for name in ("alpha[1]", "beta[1]", "nu")]
    assert spread[2:] == pytest.approx(robust, rel=1e-2)
    uniforms = np.column_stack([cdf("t", fit.std_resid, fit.nu, 0.0) for fit in fits.values()])
    alone = fit_dependence(uniforms, Dcc(), assets=names).dynamics.std_errors
    whole = fit_dependence(uniforms, Dcc(), assets=names, first_step=known)
    for name, error in whole.dynamics.std_errors.items():
        assert error == pytest.approx(alone[name], rel=0.5)
    assert [one.subject for one in whole.findings if one.code == "margin-at-persistence-one"] == ["A"]


def moving(variant, size=4, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, size))
    state, level = x.T @ x / 60, scaled_to_correlation(np.cov(rng.standard_normal((40, size)), rowvar=False))
    names = tuple("ABCDE"[:size])
    if variant == "ewma":
        motion = CorrelationDynamics("ewma", 0.06, 0.94, state)
        return DependenceFit(EwmaCorrelation(copula="gaussian"), names, scaled_to_correlation(state), dynamics=motion)
    falls = np.minimum(rng.standard_normal((500, size)) @ np.linalg.cholesky(level).T, 0)
    negatives = falls.T @ falls / 500 if variant == "asymmetric" else None
    motion = CorrelationDynamics(variant, 0.04, 0.9, state, 0.05 if variant == "asymmetric" else 0.0, negatives)
    return DependenceFit(Dcc(variant, "gaussian"), names, level, dynamics=motion)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    variant=st.sampled_from(["standard", "corrected", "asymmetric", "ewma"]),
    size=st.integers(2, 5),
    share=st.floats(0, 1),
    weight=st.floats(0, 1),
    seed=st.integers(0, 50),
)
def test_stressed_motion_is_psd_in_every_step(variant, size, share, weight, seed):
    lowest = -1 / (size - 1)
    rho = lowest + share * (1 - lowest)
    fit = moving(variant, size, seed)
    stressed = tightened(fit, rho, weight)
    target = equicorrelation(size, rho)
    wanted = (1 - weight) * fit.next_correlation + weight * target
    assert stressed.next_correlation == pytest.approx(wanted, abs=1e-9)
    if variant != "ewma":
        assert stressed.correlation == pytest.approx((1 - weight) * fit.correlation + weight * target, abs=1e-12)
        constant = stressed.dynamics.constant(stressed.correlation)
        assert np.linalg.eigvalsh(constant)[0] > -1e-9
    for matrix in stressed.forecast_correlation(20):
        assert np.linalg.eigvalsh(matrix)[0] > -1e-9


def test_a_market_with_correlation_stress(market):
    stressed = market.with_correlation_stress(0.95, 0.5)
    wanted = 0.5 * market.dependence.next_correlation + 0.5 * equicorrelation(3, 0.95)
    assert stressed.dependence.next_correlation == pytest.approx(wanted)
    assert "correlation moved to 0.95 with weight 0.5" in stressed.provenance["stress"]
    plan = cr.PathPlan(stressed, n_paths=20_000, horizon_days=1, seed=3)
    steps = np.log(plan.read(0, 20_000).prices[1] / 100.0)
    assert np.corrcoef(steps) == pytest.approx(wanted, abs=4 * (1 - 0.7**2) / np.sqrt(20_000) + 0.01)
    with pytest.raises(InputError, match="weight"):
        market.with_correlation_stress(0.5, 1.5)


def test_draws_scatter_as_their_covariance(market):
    fit, motion = market.dependence, market.dependence.dynamics
    source = draw_dependence(fit, np.random.default_rng(2))
    drawn = [next(source) for _ in range(600)]
    for name in "ab":
        values = np.array([getattr(one.dynamics, name) for one in drawn])
        assert np.median(values) == pytest.approx(getattr(motion, name), abs=0.5 * motion.std_errors[name])
        assert values.std() == pytest.approx(motion.std_errors[name], rel=0.35)
    assert all(one.dynamics.a + one.dynamics.b < 1 for one in drawn)
    assert all(np.linalg.eigvalsh(one.dynamics.state)[0] > 0 for one in drawn[:50])
    assert drawn[0].n_obs == 0


@pytest.mark.parametrize("variant", ["asymmetric", "ewma"])
def test_drawn_motions_are_valid(variant):
    fit = moving(variant)
    given_errors = DependenceFit.from_dict({**fit.to_dict(), "n_obs": 400})
    source = draw_dependence(given_errors, np.random.default_rng(3))
    for _ in range(20):
        one = next(source)
        assert np.linalg.eigvalsh(one.dynamics.constant(one.correlation))[0] > -1e-9
    if variant == "ewma":
        assert np.array_equal(one.next_correlation, fit.next_correlation)


def test_a_grouped_market_is_kept_selected_and_drawn(tmp_path):
    names, groups = ("A", "B", "C", "D"), {"x": ("A", "C"), "y": ("B", "D")}
    kept = (TGroup("x", groups["x"], 3.0, 0.3), TGroup("y", groups["y"], 12.0, 2.0))
    fit = DependenceFit(GroupedTCopula(groups), names, equicorrelation(4, 0.5), n_obs=500, groups=kept)
    params = {"mu": 0.0, "omega": 4e-4}
    marginals = tuple(Marginal(name, cr.ConstantVolatility(mean="constant", dist="normal"), params) for name in names)
    model = MarketModel(names, np.full(4, 10.0), cr.Clock(), marginals, fit)
    model.save(tmp_path / "model.json")
    assert MarketModel.load(tmp_path / "model.json") == model
    some = model.select(("D", "A", "C"))
    assert some.dependence.nus == (12.0, 3.0, 3.0)
    assert [group.assets for group in some.dependence.groups] == [("A", "C"), ("D",)]
    drawn = next(draw_dependence(fit, np.random.default_rng(1)))
    assert drawn.groups[0].nu != 3.0
    assert cr.PathPlan(some, n_paths=5, horizon_days=2).read(0, 5).prices.shape == (3, 3, 5)
