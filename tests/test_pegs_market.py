"""Pegs in fit_market: per asset, after the others, into the copula, and out again."""

from __future__ import annotations

import naive_pegs
import numpy as np
import pandas as pd
import pytest
from test_pegs_fit import TRUTH

from collatrisk.base.errors import DataError, InputError
from collatrisk.dependence import FilteredHistorical, GaussianCopula
from collatrisk.simulation import MarketModel, PathPlan, PegMarginal, draw_models, fit_market, simulate
from collatrisk.volatility import ConstantVolatility, Garch, GpdTails, Peg


def prices(n=1500, seed=4):
    """Two assets of constant volatility, a dollar coin and a staked token."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2020-01-01", periods=n, freq="D", tz="UTC")
    normals = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n)
    eth, btc = 2000 * np.exp(0.03 * np.cumsum(normals[:, 0])), 3e4 * np.exp(0.02 * np.cumsum(normals[:, 1]))
    usd, _ = naive_pegs.simulate_basis(TRUTH, 0.005, n, rng)
    staked, _ = naive_pegs.simulate_basis(TRUTH | {"drop": 0.03}, 0.01, n, rng)
    table = {"STETH": eth * np.exp(staked), "ETH": eth, "USDX": np.exp(usd), "BTC": btc}
    return pd.DataFrame(table, index=dates)


SPECS = {
    "USDX": Peg(),
    "STETH": Peg(underlying="ETH", depeg=0.01, market="*", given={"sensitivity": 0.0}),
    "*": ConstantVolatility(),
}


@pytest.fixture(scope="module")
def model() -> MarketModel:
    return fit_market(prices(), volatility=SPECS, dependence=GaussianCopula(), clock="24/7")


def test_each_asset_has_its_own_model(model):
    kinds = [type(marginal) for marginal in model.marginals]
    assert [kind is PegMarginal for kind in kinds] == [True, False, True, False]
    assert model.assets == ("STETH", "ETH", "USDX", "BTC")
    usd = model.marginal("USDX")
    assert usd.last_distance == pytest.approx(np.log(prices()["USDX"].iloc[-1]) - usd.params["center"])
    assert usd.params["phi"] == pytest.approx(TRUTH["phi"], abs=4 * usd.std_errors["phi"])
    correlation = model.dependence.correlation
    assert correlation[1, 3] == pytest.approx(0.6, abs=0.06)
    assert np.abs(correlation[[0, 2]][:, [1, 3]]).max() < 0.12  # a basis by itself goes with nothing here


def test_the_model_goes_on_from_the_last_price_and_comes_back_from_its_file(model, tmp_path):
    model.save(tmp_path / "model.json")
    assert MarketModel.load(tmp_path / "model.json") == model
    block = simulate(PathPlan(model, n_paths=4000, horizon_days=20, seed=1)).block
    np.testing.assert_allclose(block[0, :, 0], prices().iloc[-1], rtol=1e-15)
    ratio = block[:, 0] / block[:, 1]
    assert np.quantile(ratio[-1], 0.5) == pytest.approx(np.exp(model.marginal("STETH").params["center"]), abs=0.004)


def test_parameters_of_pegs_are_drawn_within_their_errors(model):
    drawn = [one.marginal("USDX") for one in draw_models(model, 200, seed=2)]
    origin = model.marginal("USDX")
    for name in ("phi", "sigma", "entry", "center"):
        values = np.array([one.params[name] for one in drawn])
        assert values.std() == pytest.approx(origin.std_errors[name], rel=0.3), name
    for one in drawn[:5]:
        assert one.params["center"] + one.last_distance == pytest.approx(
            origin.params["center"] + origin.last_distance, abs=1e-12
        )


def test_own_histories_join_a_token_with_its_underlying():
    table = prices()
    table.loc[table.index[:400], "STETH"] = np.nan
    found = fit_market(table, volatility=SPECS, dependence=GaussianCopula(), clock="24/7", history="own")
    assert found.marginal("USDX").n_obs > 1450
    assert found.marginal("STETH").n_obs < 1100


def test_rows_of_history_and_pareto_tails_work_beside_pegs():
    for choice in ({"dependence": FilteredHistorical()}, {"innovations": GpdTails()}):
        found = fit_market(prices(), volatility=SPECS, clock="24/7", **choice)
        block = simulate(PathPlan(found, n_paths=3000, horizon_days=15, seed=1)).block
        usd, ratio = np.log(block[:, 2]), np.log(block[:, 0] / block[:, 1])
        assert abs(np.median(usd[-1])) < 0.003
        assert abs(np.median(ratio[-1])) < 0.004
        assert 0.0005 < np.diff(usd, axis=0).std() < 0.02


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError) as caught:
        fit_market(
            prices(),
            volatility={"USDX": Peg(underlying="GBP"), "STETH": Peg(market="USDX"), "*": Garch()},
            clock="24/7",
        )
    assert {problem.name for problem in caught.value.problems} == {"underlying of USDX", "market of STETH"}
    with pytest.raises(DataError, match="USDX"):
        fit_market(prices(60), volatility=SPECS, clock="24/7")
