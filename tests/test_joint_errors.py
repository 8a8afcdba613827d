"""Estimation errors of different assets: their joint robust covariance, in the model, in its file and in the draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.base.errors import InputError
from collatrisk.simulation import MarketModel, draw_models, fit_market
from collatrisk.simulation.joint_errors import joint_uncertainties
from collatrisk.volatility import fit_panel, fit_volatility
from collatrisk.volatility.specs import ConstantVolatility, Garch

SPEC = Garch(o=0, mean="zero", dist="normal")
NAMES = ("omega", "alpha[1]", "beta[1]")
RHO = 0.9


def histories(count, n_obs=1000, seed=1):
    """Returns (n_obs, 2, count): pairs of GARCH assets with normal innovations correlated by 0.9."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n_obs + 200, 2, count))
    z[:, 1] = RHO * z[:, 0] + np.sqrt(1.0 - RHO**2) * z[:, 1]
    h, found = np.full((2, count), 4e-4), np.empty_like(z)
    for t, shock in enumerate(z):
        found[t] = np.sqrt(h) * shock
        h = 2e-5 + 0.10 * found[t] ** 2 + 0.85 * h
    return found[200:]


def prices(returns):
    index = pd.date_range("2020-01-01", periods=len(returns) + 1, tz="UTC")
    levels = np.exp(np.vstack([np.zeros(returns.shape[1]), np.cumsum(returns, axis=0)]))
    return pd.DataFrame(100.0 * levels, index, columns=["A", "B", "C"][: returns.shape[1]])


@pytest.fixture(scope="module")
def model():
    return fit_market(prices(histories(1)[:, :, 0]), volatility=SPEC, clock="24/7")


def correlations(model):
    """Of the errors of the same parameter of the two assets."""
    first, second = (one.uncertainty.loadings for one in model.marginals)
    return np.sum(first * second, axis=1) / np.sqrt(np.sum(first**2, axis=1) * np.sum(second**2, axis=1))


def test_errors_of_two_assets_are_correlated_as_refits_are():
    refits = 300
    sample = histories(refits)
    estimates = []
    for asset in (0, 1):
        panel = fit_panel(list(np.ascontiguousarray(sample[:, asset].T)), SPEC)
        estimates.append(panel.params[list(NAMES)].to_numpy())
    # Ranks, because a few estimates lie far off.
    ranks = [pd.DataFrame(found).rank().to_numpy() for found in estimates]
    wanted = np.array([np.corrcoef(ranks[0][:, k], ranks[1][:, k])[0, 1] for k in range(len(NAMES))])
    index = pd.RangeIndex(1000)
    claimed = []
    for place in range(8):
        fits = {name: fit_volatility(sample[:, i, place], SPEC) for i, name in enumerate("AB")}
        found = joint_uncertainties(fits, dict.fromkeys("AB", index), index)
        a, b = (found[name].loadings for name in "AB")
        claimed.append(np.diag(a @ b.T) / np.sqrt(np.diag(a @ a.T) * np.diag(b @ b.T)))
    # The standard error of a rank correlation near 0.6 from 300 is 0.04; the claims scatter as well.
    spread = np.std(claimed, axis=0) / np.sqrt(len(claimed))
    assert np.all(np.abs(np.mean(claimed, axis=0) - wanted) < 4 * np.sqrt(0.04**2 + spread**2))
    assert wanted.min() > 0.4


def test_the_diagonal_blocks_are_the_robust_covariances(model):
    for marginal in model.marginals:
        known = marginal.uncertainty
        assert np.allclose(known.loadings @ known.loadings.T, known.covariance, rtol=1e-9)
        errors = np.sqrt(np.diag(known.covariance))
        assert errors == pytest.approx([marginal.std_errors[name] for name in NAMES], rel=1e-6)
    assert model.marginals[0].uncertainty.shared == model.marginals[1].uncertainty.shared != ""


def test_draws_carry_the_correlation_and_stay_valid(model):
    drawn = list(draw_models(model, 600, seed=3))
    assert all(marginal.persistence < 1.0 for one in drawn for marginal in one.marginals)
    wanted = correlations(model)
    for place, name in enumerate(NAMES):
        first, second = (np.log([one.marginals[i].params[name] for one in drawn]) for i in (0, 1))
        assert np.corrcoef(first, second)[0, 1] == pytest.approx(wanted[place], abs=0.12)
    few = list(draw_models(model, 5, seed=3))
    assert [one.marginals[1].params for one in few] == [one.marginals[1].params for one in drawn[:5]]
    alone = draw_models(model.select(["B"]), 3, seed=3)
    assert all(np.isfinite(list(one.marginals[0].params.values())).all() for one in alone)


def test_files_keep_the_loadings_and_bad_ones_are_refused(model, tmp_path):
    model.save(tmp_path / "model.json")
    again = MarketModel.load(tmp_path / "model.json")
    assert again == model
    assert again.marginals[0].uncertainty.shared == model.marginals[0].uncertainty.shared
    scaled = model.marginals[0].scaled(2.0).uncertainty
    assert np.allclose(scaled.loadings @ scaled.loadings.T, scaled.covariance, rtol=1e-9)
    with pytest.raises(InputError, match="must have the covariance as their square"):
        replace(model.marginals[0].uncertainty, loadings=np.eye(3))
    data = model.to_dict()
    data["marginals"][0]["uncertainty"]["loadings"] = "none"
    with pytest.raises(InputError, match=r"marginals\[0\].uncertainty.loadings"):
        MarketModel.from_dict(data)


def test_an_asset_on_a_bound_is_left_out_and_the_others_stay_together():
    returns = np.column_stack([histories(1)[:, :, 0], 0.01 * np.random.default_rng(2).standard_normal(1000)])
    held = fit_market(prices(returns), volatility={"C": Garch(), "*": SPEC}, clock="24/7")
    if held.marginals[2].uncertainty.covariance is None:
        assert held.marginals[2].uncertainty.loadings is None
    constant = fit_market(prices(returns), volatility={"C": ConstantVolatility(), "*": SPEC}, clock="24/7")
    assert {one.uncertainty.shared for one in constant.marginals} == {constant.marginals[0].uncertainty.shared}
    for one in (held, constant):
        assert correlations(replace_pair(one)).min() > 0.3
        assert next(iter(cr.draw_models(one, 1))).assets == one.assets


def replace_pair(model):
    return model.select(["A", "B"])
