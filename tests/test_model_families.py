"""Markets whose assets have models of different families: fitted, filed, drawn, simulated."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from volatility_models import DYNAMICS

from collatrisk.base.errors import InputError
from collatrisk.dependence import GaussianCopula
from collatrisk.simulation import MarketModel, PathPlan, draw_models, fit_market
from collatrisk.study.reader.volatility import VOLATILITY_KINDS
from collatrisk.volatility.recursions import recursion_of, simulate_residuals
from collatrisk.volatility.specs import KINDS, Aparch, Egarch, Figarch, Garch, RiskMetrics2006

SPECS = {
    "BTC": Egarch(dist="ged"),
    "ETH": Garch(o=0, mean="ar1"),
    "SOL": Aparch(delta=1.5, dist="normal"),
    "LINK": Figarch(truncation=100, dist="normal"),
    "*": RiskMetrics2006(dist="t"),
}


@pytest.fixture(scope="module")
def prices():
    rng = np.random.default_rng(6)
    common = rng.standard_normal((700, 1))
    shocks = math.sqrt(0.5) * common + math.sqrt(0.5) * rng.standard_normal((700, 5))
    residuals = simulate_residuals(recursion_of(Egarch(), DYNAMICS[Egarch()]), shocks, 9e-4)
    days = pd.date_range("2022-01-01", periods=701, tz="UTC")
    path = np.exp(np.concatenate((np.zeros((1, 5)), np.cumsum(residuals, axis=0))))
    return pd.DataFrame(100.0 * path, index=days, columns=["BTC", "ETH", "SOL", "LINK", "UNI"])


@pytest.fixture(scope="module")
def model(prices):
    return fit_market(prices, volatility=SPECS, dependence=GaussianCopula())


def test_each_asset_has_its_own_model_and_goes_on_from_its_own_state(model, prices, tmp_path):
    assert [type(one.spec) for one in model.marginals] == [Egarch, Garch, Aparch, Figarch, RiskMetrics2006]
    returns = np.diff(np.log(prices.to_numpy()), axis=0)
    assert model.marginal("ETH").last_return == pytest.approx(returns[-1, 1])
    assert len(model.marginal("LINK").last_residuals) == 100
    assert np.all(np.abs(model.dependence.correlation[0, 1:] - 0.5) < 0.15)
    model.save(tmp_path / "model.json")
    back = MarketModel.load(tmp_path / "model.json")
    assert back == model
    table = model.summary()
    assert np.all(table["current_volatility"] > 0.0)
    block = PathPlan(back, n_paths=2000, horizon_days=5, seed=4).read(0, 2000)
    first = np.log(block.prices[1] / block.prices[0])
    for i, marginal in enumerate(model.marginals):
        assert block.step_variance[0, i] == pytest.approx(marginal.next_variance, rel=1e-9)
        assert np.var(first[i]) == pytest.approx(marginal.next_variance, rel=0.25)


def test_models_drawn_within_their_error_can_be_simulated(model):
    for drawn in draw_models(model.select(["BTC", "ETH", "SOL", "UNI"]), 2, seed=3):
        block = PathPlan(drawn, n_paths=50, horizon_days=3).read(0, 50)
        assert np.all(np.isfinite(block.prices))
        assert all(a.params != b.params for a, b in zip(drawn.marginals, model.marginals, strict=False))


def test_jumps_are_not_found_around_an_autoregressive_mean(prices):
    from collatrisk.simulation import Jumps

    with pytest.raises(InputError, match="constant mean"):
        fit_market(prices[["BTC", "ETH"]], volatility=Garch(mean="ar1"), jumps=Jumps())


def test_study_files_and_specs_know_the_same_kinds():
    assert set(VOLATILITY_KINDS) >= set(KINDS)
