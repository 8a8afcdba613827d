"""Innovations from residuals in a market model: generalised Pareto tails, rows of history, seasons of the week."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import naive_paths
import numpy as np
import pytest
from path_models import flat, gjr, market
from test_model_fit import garch_prices

import collatrisk as cr
from collatrisk.base.errors import DataError, InputError
from collatrisk.dependence import DependenceFit, FilteredHistorical, fit_history
from collatrisk.dependence.historical import resampled
from collatrisk.market.clock import Clock
from collatrisk.simulation import MarketModel, PathPlan, draw_models, fit_market, stress_model
from collatrisk.simulation.path_inputs import path_inputs
from collatrisk.simulation.tables import EMPIRICAL_TOLERANCE, normal_score_table, t_score_table
from collatrisk.volatility import Egarch, GpdTails, HistoricalLaw, Season, TailLaw, fit_tails, law_from_dict
from collatrisk.volatility.law import Law
from collatrisk.volatility.specs import Garch
from collatrisk.volatility.tail_law import ParetoTail

PRICES = garch_prices(1200, 4)
SEASON = Season(tuple(np.sqrt(np.linspace(0.4, 1.6, 7)).tolist()), 3 * 1440.0)


def with_rows(size=400, mean_block=1.0, seed=1, **parts):
    rows = np.random.default_rng(seed).standard_t(6, (size, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    joint = fit_history(rows, FilteredHistorical(mean_block), assets=("A", "B"))
    laws = [HistoricalLaw(float(np.mean(np.minimum(column, 0.0) ** 2))) for column in joint.rows.T]
    assets = [gjr("A", dist="normal"), gjr("B", dist="normal", last=(-0.02,), variances=(5e-4,))]
    marginals = tuple(replace(one, innovations=law, **parts) for one, law in zip(assets, laws, strict=True))
    return MarketModel(("A", "B"), np.array([100.0, 5.0]), Clock(), marginals, joint)


@pytest.fixture(scope="module")
def tailed():
    return fit_market(PRICES, innovations=GpdTails(0.1), created="now")


@pytest.fixture(scope="module")
def filtered():
    return fit_market(PRICES, dependence=FilteredHistorical())


@pytest.mark.parametrize("mean_block", [1.0, 6.0])
@pytest.mark.parametrize("season", [None, SEASON])
def test_the_kernel_is_its_twin(mean_block, season):
    model = with_rows(mean_block=mean_block, season=season)
    plan = PathPlan(model, n_paths=600, horizon_days=12, seed=5)
    block = plan.read(0, 600)
    inputs = path_inputs(model, model.clock, 5, "martingale", 12)
    for path in (0, 1, 511, 512, 599):
        prices, variances = naive_paths.simulate_path(inputs, path, 12)
        assert block.prices[:, :, path] == pytest.approx(prices, rel=1e-12)
        assert block.step_variance[:, :, path] == pytest.approx(variances, rel=1e-12)


def test_the_season_of_a_copula_model_is_in_its_twin():
    one, two = gjr("A"), flat("B", dist="t")
    model = market(replace(one, season=SEASON), replace(two, season=SEASON), rho=0.4, nu=5.0)
    block = PathPlan(model, n_paths=3, horizon_days=15, seed=2, drift="fitted").read(0, 3)
    inputs = path_inputs(model, model.clock, 2, "fitted", 15)
    for path in range(3):
        prices, variances = naive_paths.simulate_path(inputs, path, 15)
        assert block.prices[:, :, path] == pytest.approx(prices, rel=1e-12)
        assert block.step_variance[:, :, path] == pytest.approx(variances, rel=1e-12)


def test_any_range_any_block_and_a_longer_horizon_have_the_same_bits():
    model = with_rows(mean_block=4.0)
    plan = PathPlan(model, n_paths=1300, horizon_days=9, seed=7)
    whole = plan.read(0, 1300)
    for size in (97, 512, 1000):
        for block in plan.blocks(size):
            places = slice(block.first_path, block.first_path + block.n_paths)
            assert np.array_equal(block.prices, whole.prices[:, :, places])
    short = PathPlan(model, n_paths=1300, horizon_days=4, seed=7).read(200, 900)
    assert np.array_equal(short.prices, whole.prices[:5, :, 200:900])
    assert np.array_equal(pickle.loads(pickle.dumps(plan)).read(5, 9).prices, whole.prices[:, :, 5:9])


def test_innovations_are_rows_and_every_row_is_as_likely():
    model = with_rows(size=60)
    flat_rows = _constant(model)
    block = PathPlan(flat_rows, n_paths=30_000, horizon_days=1, seed=3, drift="zero_log").read(0, 30_000)
    sd = [math.sqrt(marginal.coefficients.omega) for marginal in flat_rows.marginals]
    z = np.log(block.prices[1] / block.prices[0]).T / sd
    rows = model.dependence.rows
    distance = np.abs(z[:, None, 0] - rows[None, :, 0])
    place = distance.argmin(axis=1)
    assert z == pytest.approx(rows[place], abs=1e-9)
    counts = np.bincount(place, minlength=60)
    # Chi-square with 59 degrees of freedom: mean 59, sd sqrt(118).
    assert abs(np.sum((counts - 500.0) ** 2 / 500.0) - 59.0) < 4.0 * math.sqrt(118.0)


def test_blocks_have_their_mean_length():
    model = _constant(with_rows(size=500, mean_block=5.0))
    block = PathPlan(model, n_paths=2000, horizon_days=40, seed=3, drift="zero_log").read(0, 2000)
    sd = math.sqrt(model.marginals[0].coefficients.omega)
    z = np.diff(np.log(block.prices[:, 0]), axis=0) / sd
    order = np.argsort(model.dependence.rows[:, 0])
    place = order[np.clip(np.searchsorted(model.dependence.rows[order, 0], z - 1e-9), 0, 499)]
    went_on = np.mean((place[1:] - place[:-1]) % 500 == 1)
    # 4 in 5 go on; a new row is the next one by chance in 1 of 500.
    wanted = 0.8 + 0.2 / 500
    assert abs(went_on - wanted) < 4.0 * math.sqrt(wanted * (1 - wanted) / (39 * 2000))


def _constant(model):
    spec = flat("A").spec
    law = model.marginals[0].innovations
    marginals = tuple(replace(flat(name, dist="normal"), innovations=law, spec=spec) for name in ("A", "B"))
    return replace(model, marginals=marginals)


def test_fitted_rows_keep_the_dependence_and_the_variance(filtered):
    rows = filtered.dependence.rows
    assert rows.shape == (1200, 2)
    assert rows.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert rows.std(axis=0) == pytest.approx(1.0)
    assert [m.spec.dist for m in filtered.marginals] == ["normal", "normal"]
    n = 40_000
    block = PathPlan(filtered, n_paths=n, horizon_days=20, seed=9).read(0, n)
    first = np.log(block.prices[1] / block.prices[0])
    for i, marginal in enumerate(filtered.marginals):
        kurtosis = np.mean(rows[:, i] ** 4)
        assert np.var(first[i]) / marginal.next_variance == pytest.approx(1.0, abs=4 * math.sqrt(kurtosis / n))
        assert marginal.innovations.below_zero == pytest.approx(np.mean(np.minimum(rows[:, i], 0) ** 2))
        wanted = marginal.variance_forecast(20)[-1]
        spread = block.step_variance[-1, i].std() / math.sqrt(n)
        assert abs(block.step_variance[-1, i].mean() - wanted) < 4.0 * spread
    assert np.corrcoef(first)[0, 1] == pytest.approx(filtered.dependence.correlation[0, 1], abs=0.02)
    both = np.mean((first[0] < np.quantile(first[0], 0.05)) & (first[1] < np.quantile(first[1], 0.05))) / 0.05
    assert both == pytest.approx(filtered.dependence.tail_dependence().iloc[0, 1], abs=0.05)


def test_tables_of_the_law_increase_and_hit_it(tailed):
    law = tailed.marginals[0].innovations
    assert isinstance(law, TailLaw)
    for table in (normal_score_table(law, EMPIRICAL_TOLERANCE), t_score_table(5.0, law, EMPIRICAL_TOLERANCE)):
        assert table.error < 1e-4
        assert table.power <= 6
        ends = table.cubics @ np.vander(np.linspace(0, 1, 9), 4, increasing=True).T if not table.octaves else None
        if ends is not None:
            half = table.segments
            assert np.all(np.diff(ends[:half].ravel()) >= -1e-12)
            assert np.all(np.diff(ends[half:].ravel()) <= 1e-12)


def test_paths_have_the_fitted_tails(tailed):
    n = 200_000
    block = PathPlan(tailed, n_paths=n, horizon_days=1, seed=4, drift="zero_log").read(0, n)
    for i, marginal in enumerate(tailed.marginals):
        z = np.log(block.prices[1, i] / block.prices[0, i]) / math.sqrt(marginal.next_variance)
        for level in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999):
            share = np.mean(z <= float(marginal.innovations.ppf(level)))
            assert abs(share - level) < 4.0 * math.sqrt(level * (1 - level) / n)


def test_uniforms_go_through_the_law(tailed):
    fit = cr.fit_volatility(cr.log_returns(PRICES)["BTC"], Garch(dist="normal"))
    tails = fit_tails(fit.std_resid)
    assert tails.law == tailed.marginal("BTC").innovations
    ordered = np.sort(tails.uniforms)
    steps = (np.arange(1, 1201)) / 1200
    assert np.max(np.abs(ordered - steps)) < 0.02


def test_innovations_by_asset():
    model = fit_market(PRICES, innovations={"BTC": GpdTails(0.08)}, volatility=Garch())
    assert model.marginal("BTC").innovations.lower.share == pytest.approx(0.08, abs=1e-3)
    assert model.marginal("ETH").innovations is None
    every = fit_market(PRICES, innovations={"*": GpdTails()})
    assert all(isinstance(m.innovations, TailLaw) for m in every.marginals)
    assert "Pareto" in every.provenance["estimator"]


@pytest.mark.parametrize("kind", ["tailed", "filtered"])
def test_models_go_through_files_selection_spot_and_stress(kind, tmp_path, request):
    model = request.getfixturevalue(kind)
    path = tmp_path / "model.json"
    model.save(path)
    again = MarketModel.load(path)
    assert again == model
    assert pickle.loads(pickle.dumps(model)).fingerprint() == model.fingerprint()
    one = model.select(["ETH"]).with_spot({"ETH": 50.0})
    plan = PathPlan(stress_model(one, volatility_scale=1.5), n_paths=50, horizon_days=3)
    calm = PathPlan(one, n_paths=50, horizon_days=3)
    assert plan.read(0, 50).prices.std() > calm.read(0, 50).prices.std()
    assert ("Pareto" if kind == "tailed" else "rows of history") in one.summary()["model"]["ETH"]
    if kind == "filtered":
        assert one.dependence.rows[:, 0] == pytest.approx(model.dependence.rows[:, 1])
        assert "holds-data" in {finding.code for finding in model.findings}
        with pytest.raises(InputError, match="rows of history"):
            stress_model(model, correlation=(0.9, 0.5))
    else:
        assert stress_model(model, correlation=(0.9, 0.5)).dependence.correlation[0, 1] > 0.7


def test_models_are_drawn_with_their_tails_and_rows(tailed, filtered):
    drawn = list(draw_models(tailed, 40, seed=1))
    law = tailed.marginals[0].innovations
    xi = np.array([model.marginals[0].innovations.lower.xi for model in drawn])
    error = (1.0 + law.lower.xi) / math.sqrt(law.lower.n_exceedances)
    assert abs(xi.mean() - law.lower.xi) < 4.0 * error / math.sqrt(40)
    assert xi.std() == pytest.approx(error, rel=0.5)
    for model in drawn[:5]:
        assert model.marginals[0].innovations.moments == pytest.approx((0.0, 1.0), abs=1e-9)
    first = next(iter(draw_models(tailed, 1, seed=1)))
    assert first.marginals[0].innovations == drawn[0].marginals[0].innovations
    histories = list(draw_models(filtered, 3, seed=2))
    rows = [model.dependence.rows for model in histories]
    assert rows[0].shape == filtered.dependence.rows.shape
    assert not np.array_equal(rows[0], rows[1])
    assert histories[0].dependence.correlation[0, 1] == pytest.approx(np.corrcoef(rows[0].T)[0, 1])
    assert PathPlan(histories[0], n_paths=4, horizon_days=2).read(0, 4).prices.shape == (3, 2, 4)


def test_resampled_rows_keep_their_blocks():
    rows = np.column_stack([np.arange(300.0), -np.arange(300.0)])
    drawn = resampled(rows, 10.0, np.random.default_rng(1))
    assert drawn.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert drawn[:, 0] == pytest.approx(-drawn[:, 1])
    step = np.median(np.diff(drawn[:, 0]))
    went_on = np.mean(np.abs(np.diff(drawn[:, 0]) - step) < 1e-9)
    assert went_on == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 299))


def test_what_does_not_go_together_is_refused(filtered):
    with pytest.raises(InputError, match="its own innovations"):
        fit_market(PRICES, innovations=GpdTails(), dependence=FilteredHistorical())
    with pytest.raises(InputError, match="GpdTails"):
        fit_market(PRICES, innovations="gpd")
    with pytest.raises(InputError, match="mean_block"):
        FilteredHistorical(0.5)
    with pytest.raises(InputError, match="fit_history"):
        cr.fit_dependence(np.full((100, 2), 0.5), FilteredHistorical(), assets=("A", "B"))
    with pytest.raises(DataError, match="at least 50"):
        fit_history(np.ones((20, 2)), FilteredHistorical(), assets=("A", "B"))
    with pytest.raises(DataError, match="must vary"):
        fit_history(np.ones((200, 2)), FilteredHistorical(), assets=("A", "B"))
    with pytest.raises(InputError, match="FilteredHistorical"):
        DependenceFit(FilteredHistorical(), ("A",), np.eye(1))
    with pytest.raises(InputError, match="rows of history"):
        MarketModel(
            filtered.assets,
            filtered.spot,
            filtered.clock,
            tuple(replace(m, innovations=None) for m in filtered.marginals),
            filtered.dependence,
        )
    with pytest.raises(InputError, match="kind"):
        law_from_dict({"kind": "other"})
    with pytest.raises(InputError, match="missing"):
        law_from_dict({"kind": "historical"})
    assert law_from_dict(HistoricalLaw(0.6).to_dict()) == HistoricalLaw(0.6)


def test_a_forecast_made_elsewhere_is_where_the_paths_start(tailed):
    model = replace(tailed, marginals=(tailed.marginals[0], replace(tailed.marginals[1], season=SEASON)))
    wanted = {"BTC": 0.051, "ETH": 0.02}
    moved = model.with_next_volatility(wanted)
    block = PathPlan(moved, n_paths=10, horizon_days=2, seed=1).read(0, 10)
    nu = moved.dependence.nu
    mixing = block.step_variance[0, 0] / 0.051**2
    assert block.step_variance[0, 1] == pytest.approx(0.02**2 * mixing)
    assert np.all(mixing >= (nu - 2.0) / nu * 0.1)
    assert moved.marginals[0].next_variance == pytest.approx(0.051**2)
    assert moved.marginals[0].params == model.marginals[0].params
    assert moved.provenance["state"].endswith("BTC 0.051, ETH 0.02")
    assert model.with_next_volatility({"ETH": 0.02}).marginals[0] == model.marginals[0]
    flat_model = market(flat("A"))
    assert flat_model.with_next_volatility({"A": 0.1}).marginals[0].next_variance == pytest.approx(0.01)
    for bad, what in (({"SOL": 0.1}, "SOL"), ({"BTC": -1.0}, "above"), ({"BTC": 1e-6}, "cannot be"), ({}, "must map")):
        with pytest.raises(InputError, match=what):
            model.with_next_volatility(bad)


def test_rows_serve_a_peg_too():
    rng = np.random.default_rng(6)
    drift = np.zeros(1201)
    for t in range(1200):
        drift[t + 1] = 0.7 * drift[t] + 0.001 * rng.standard_t(5)
    prices = PRICES.assign(USDC=np.exp(drift))
    specs = {"USDC": cr.Peg(), "*": Garch(dist="normal")}
    model = fit_market(prices, volatility=specs, dependence=FilteredHistorical())
    assert model.dependence.rows.shape == (1200, 3)
    copula = fit_market(prices, volatility=specs)
    spreads = []
    for one in (model, copula):
        ends = PathPlan(one, n_paths=5000, horizon_days=20, seed=1).read(0, 5000).prices[-1, 2]
        spreads.append(np.ptp(np.quantile(np.log(ends), [0.25, 0.75])))
    assert spreads[0] == pytest.approx(spreads[1], rel=0.15)
    with pytest.raises(InputError, match="peg"):
        model.with_next_volatility({"USDC": 0.01})


def test_a_study_fits_with_tails_rows_and_seasons():
    from collatrisk.study.market import fit, fit_dict
    from collatrisk.study.spec import MarketPlan

    tails = MarketPlan(prices=PRICES, innovations=GpdTails())
    rows = MarketPlan(prices=PRICES, dependence=FilteredHistorical(), season=cr.HourOfWeek())
    plain = MarketPlan(prices=PRICES)
    assert fit(tails, PRICES).marginals[0].innovations is not None
    found = fit(rows, PRICES)
    assert found.dependence.rows.shape == (1200, 2)
    assert found.marginals[0].spec.dist == "normal"
    assert len(found.marginals[0].season.factors) == 7
    assert "innovations" not in fit_dict(plain)
    assert fit_dict(tails)["innovations"] == GpdTails().to_dict()
    assert fit_dict(rows)["season"] is not None


def test_an_egarch_with_pareto_tails_says_that_it_has_no_variance_beyond_a_step():
    model = fit_market(PRICES, volatility=Egarch(dist="normal"), innovations=GpdTails(0.1))
    for marginal in model.marginals:
        law, (rise, lean) = marginal.innovations, (marginal.params["alpha[1]"], marginal.params["gamma[1]"])
        endless = (rise + lean > 0 and law.upper.xi > 0) or (rise - lean > 0 and law.lower.xi > 0)
        assert math.isinf(marginal.variance_forecast(2)[1]) == endless
        said = [one for one in marginal.findings if one.code == "infinite-variance"]
        assert len(said) == endless
    assert any(one.code == "infinite-variance" for one in model.findings)
    block = PathPlan(model, n_paths=500, horizon_days=20, seed=1, drift="zero_log").read(0, 500)
    assert np.isfinite(block.prices).all()
    plain = fit_market(PRICES, innovations=GpdTails(0.1))
    assert "infinite-variance" not in {one.code for one in plain.findings}


def test_exponential_moments_of_pareto_tails():
    knots = tuple(np.linspace(-1.2, 1.3, 9).tolist())
    ended = TailLaw(ParetoTail(0.1, -0.2, 0.5), ParetoTail(0.1, -0.1, 0.6), knots)
    u = (np.arange(2_000_000) + 0.5) / 2_000_000
    z = ended.ppf(u)
    found = Law("normal", innovations=ended).exponential_moment(0.2, -0.05)
    assert found == pytest.approx(float(np.mean(np.exp(0.2 * np.abs(z) - 0.05 * z))), rel=1e-5)
    heavy_below = replace(ended, lower=ParetoTail(0.1, 0.1, 0.5))
    law = Law("normal", innovations=heavy_below)
    assert math.isinf(law.exponential_moment(0.2, 0.0))
    assert math.isfinite(law.exponential_moment(0.05, 0.1))  # only the upper side grows
    even = Law("normal", innovations=replace(ended, upper=ParetoTail(0.1, 0.0, 0.6)))
    assert math.isfinite(even.exponential_moment(1.5, 0.0))
    assert math.isinf(even.exponential_moment(1.7, 0.0))
