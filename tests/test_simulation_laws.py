"""Simulated paths against closed forms and against arch's own simulation, within four standard errors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from path_models import crash, flat, gjr, market
from scipy import stats

from collatrisk.simulation import Marginal, MarketModel, PathPlan
from collatrisk.volatility import distributions
from collatrisk.volatility.specs import Ewma, Garch

N = 100_000
VECTORS = Path(__file__).parent / "vectors"


def vector(file, name):
    return next(case for case in json.loads((VECTORS / file).read_text()) if case["name"] == name)


def block(model, days=1, n=N, seed=0, drift="zero_log", **kwargs):
    return PathPlan(model, n_paths=n, horizon_days=days, seed=seed, drift=drift, **kwargs).read(0, n)


def returns(model, days=1, **kwargs):
    """Log returns (days, d, n)."""
    return np.diff(np.log(block(model, days, **kwargs).prices), axis=0)


def assert_mean(sample, expected, sigmas=4.0):
    error = np.std(sample) / math.sqrt(len(sample))
    assert abs(np.mean(sample) - expected) < sigmas * error


# --- textbook model ---------------------------------------------------------------------------------------------------


def test_terminal_probability_of_a_geometric_brownian_motion():
    case = vector("anchors.json", "anchors.first_passage.h80_30d")
    model = MarketModel.constant({"ETH": case["inputs"]["sigma"]}, spot={"ETH": case["inputs"]["s0"]})
    prices = block(model, case["inputs"]["days"], n=400_000, drift="martingale").prices[-1, 0]
    expected = case["expected"]["terminal"]
    share = np.mean(prices < case["inputs"]["barrier"])
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / len(prices))


def test_realised_volatility_is_the_one_asked_for_not_its_square():
    case = vector("simulation.json", "garch.double_sigma_defect")
    wanted = case["inputs"]["target_annual_volatility"]
    model = MarketModel.constant(dict(zip(("A", "B"), wanted, strict=True)), correlation=0.5)
    r = returns(model, days=20, n=20_000)
    realised = np.sqrt(np.mean(r**2, axis=(0, 2)) * 365)
    for found, target, defect in zip(
        realised, wanted, case["expected"]["realised_if_sigma_multiplied_twice"], strict=True
    ):
        assert abs(found / target - 1) < 4 / math.sqrt(2 * 400_000)
        assert abs(found - defect) > 0.1


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.7, 0.99])
def test_correlation_of_normal_returns(rho):
    r = returns(market(flat("A"), flat("B"), flat("C"), rho=rho), days=1)[0]
    found = np.corrcoef(r)
    for i in range(3):
        for j in range(i):
            assert abs(found[i, j] - rho) < 4 * (1 - rho**2) / math.sqrt(N) + 1e-12


def test_normal_paths_are_a_martingale():
    model = market(flat("A", 0.9), gjr("B", dist="normal"), rho=0.3)
    prices = block(model, 30, drift="martingale").prices[-1]
    for row in prices:
        assert_mean(row, 100.0)


def test_drifts_move_the_mean_log_return():
    model = market(flat("A", 0.6, mu=0.002), gjr("B", dist="t", mu=-0.001))
    for drift, expected in (("zero_log", [0.0, 0.0]), ("fitted", [0.002, -0.001])):
        r = returns(model, days=3, drift=drift).mean(axis=0)
        for row, mean in zip(r, expected, strict=True):
            assert_mean(row, mean)
    r = returns(model, days=1, drift="martingale")[0, 0]
    assert_mean(r, -0.5 * 0.36 / 365)


def test_jumps_arrive_at_their_rate_together_and_uncompensated():
    model = market(flat("A", 0.0), flat("B", 0.0), flat("C", 0.0), jumps=[crash("A", "C", intensity=5.0, fall=0.3)])
    prices = block(model, 30, drift="martingale").prices[-1] / 100.0
    assert np.array_equal(prices[0], prices[2])
    assert np.all(prices[1] == 1.0)
    falls = np.round(np.log(prices[0]) / math.log(0.7))
    np.testing.assert_allclose(prices[0], 0.7**falls, rtol=1e-12)
    arrival = 1 - math.exp(-5.0 / 365)
    assert_mean(falls, 30 * arrival)
    assert abs(np.var(falls) / (30 * arrival * (1 - arrival)) - 1) < 0.05


# --- innovations and copulas ------------------------------------------------------------------------------------------

LAWS = {
    "normal": ("normal", 8.0, 0.0),
    "t": ("t", 5.0, 0.0),
    "heavy t": ("t", 3.0, 0.0),
    "skewed t": ("skewt", 6.0, -0.3),
}
COPULAS = {"Gaussian": {"rho": 0.6}, "t": {"rho": 0.6, "nu": 4.0}, "none": {}}


def uniforms(copula, law, seed=1):
    """PITs (2, n) of the innovations of two assets with one law."""
    dist, nu, lam = law
    model = market(flat("A", 0.6, dist, nu, lam), flat("B", 1.2, dist, nu, lam), **copula)
    z = returns(model, seed=seed)[0] / np.array([[0.6], [1.2]]) * math.sqrt(365)
    return distributions.cdf(dist, z, nu, lam), z


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("copula", COPULAS)
def test_innovations_have_their_law_and_kendalls_tau_is_that_of_the_correlation(copula, law):
    u, _ = uniforms(COPULAS[copula], LAWS[law])
    for row in u:
        assert stats.kstest(row, "uniform").pvalue > 1e-4
    for deep in (1e-3, 1 - 1e-3):
        share = np.mean(u[0] < deep)
        assert abs(share - deep) < 4 * math.sqrt(1e-3 / N)
    tau = 2 * math.asin(COPULAS[copula].get("rho", 0.0)) / math.pi
    n = 20_000
    # var(tau) <= 2 (1 - tau^2) / n for any copula (Kendall 1970, 4.13)
    assert abs(stats.kendalltau(u[0, :n], u[1, :n]).statistic - tau) < 4 * math.sqrt(2 * (1 - tau**2) / n)


@pytest.mark.parametrize(("dist", "nu", "lam"), [("t", 6.0, 0.0), ("skewt", 6.0, 0.4), ("skewt", 9.0, -0.6)])
@pytest.mark.parametrize("copula", COPULAS)
def test_t_and_skewed_t_have_unit_variance(copula, dist, nu, lam):
    _, z = uniforms(COPULAS[copula], (dist, nu, lam), seed=2)
    for row in z:
        assert_mean(row, 0.0)
        assert_mean(row**2, 1.0)
        below = distributions.second_moment_below_zero(dist, nu, lam)
        assert_mean(row**2 * (row < 0), below)


def test_only_the_t_copula_crashes_together():
    joint = {name: np.mean((uniforms(COPULAS[name], LAWS["t"])[0] < 0.01).all(axis=0)) for name in COPULAS}
    error = math.sqrt(0.01 / N)
    t = stats.multivariate_t([0, 0], [[1, 0.6], [0.6, 1]], df=4, seed=1).rvs(400_000)
    expected = np.mean((t < stats.t.ppf(0.01, 4)).all(axis=1))
    assert abs(joint["t"] - expected) < 4 * error
    normal = stats.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]])
    assert abs(joint["Gaussian"] - normal.cdf([stats.norm.ppf(0.01)] * 2)) < 4 * error
    assert abs(joint["none"] - 1e-4) < 4 * math.sqrt(1e-4 / N)


def test_given_the_mixing_variable_a_step_is_normal_with_the_step_variance():
    model = market(flat("A", 0.8, "t", 5.0), flat("B", 0.4, "t", 5.0), rho=0.5, nu=5.0)
    paths = block(model, 2, n=50_000)
    r = np.diff(np.log(paths.prices), axis=0)
    for row in (r / np.sqrt(paths.step_variance)).reshape(-1, 50_000):
        assert stats.kstest(row, "norm").pvalue > 1e-4
    for i, annual in enumerate((0.8, 0.4)):
        assert_mean(paths.step_variance[0, i], annual**2 / 365)
    one_mixing_variable = paths.step_variance[:, 0] / paths.step_variance[:, 1]
    np.testing.assert_allclose(one_mixing_variable, 4.0, rtol=1e-12)


# --- GARCH ------------------------------------------------------------------------------------------------------------


def expected_variances(marginal, steps):
    """E[h] by the linear recursion in E[e^2] and E[e^2 1(e < 0)], for lags of one."""
    h = [marginal.next_variance]
    for _ in range(steps - 1):
        h.append(marginal.coefficients.omega + marginal.persistence * h[-1])
    return h


@pytest.mark.parametrize(
    "marginal",
    [
        gjr("A", dist="normal"),
        gjr("A", nu=9.0),
        gjr("A", nu=9.0, last=(0.05,), variances=(1e-4,)),
        gjr("A", dist="skewt", nu=9.0, lam=-0.4),
        Marginal("A", Ewma(decay=0.9, dist="t"), {"nu": 9.0}, {}, (-0.05,), (6e-4,)),
    ],
    ids=["normal", "t", "t from a rise", "skewed t", "EWMA"],
)
@pytest.mark.parametrize("copula", ["none", "t"])
def test_variance_term_structure(marginal, copula):
    other = flat("B")
    model = market(marginal) if copula == "none" else market(marginal, other, rho=0.4, nu=9.0)
    paths = block(model, 15)
    r = np.diff(np.log(paths.prices[:, 0]), axis=0)
    for step, expected in enumerate(expected_variances(marginal, 15)):
        assert_mean(r[step] ** 2, expected)
        if step or copula == "t":
            assert_mean(paths.step_variance[step, 0], expected)
        else:
            np.testing.assert_allclose(paths.step_variance[0, 0], expected, rtol=1e-13)


def test_variance_term_structure_of_the_published_vector():
    case = vector("garch.json", "garch.variance_term_structure")
    x = case["inputs"]
    # A residual of zero and the lagged variance that gives the one-step variance asked for.
    start = (x["one_step_variance"] - x["omega"]) / x["beta"]
    params = {"mu": 0.0, "omega": x["omega"], "alpha[1]": x["alpha"], "beta[1]": x["beta"]}
    marginal = Marginal("A", Garch(1, 0, 1, dist="normal"), params, {}, (0.0,), (start,))
    r = returns(market(marginal), days=30)[:, 0]
    for ahead, expected in zip(x["steps_ahead"], case["expected"]["variance"], strict=True):
        assert_mean(r[ahead - 1] ** 2, expected)
    assert_mean(r[:10].sum(axis=0) ** 2, case["expected"]["cumulative_10"])


def test_long_run_volatility_is_reached():
    marginal = gjr("A", nu=9.0, last=(-0.1,), variances=(4e-3,))
    r = returns(market(marginal), days=250, n=20_000)[-1, 0]
    assert_mean(r**2, marginal.long_run_volatility**2)


@pytest.mark.parametrize("dist", ["normal", "t", "skewt"])
def test_terminal_distribution_agrees_with_archs_own_simulation(dist):
    from arch import arch_model

    y = np.random.default_rng(8).standard_t(5, 400) * 0.8
    shapes = {"normal": [], "t": [6.0], "skewt": [6.0, -0.25]}[dist]
    values = [0.05, 0.03, 0.05, 0.08, 0.86, *shapes]
    arch = arch_model(y, p=1, o=1, q=1, dist=dist, rescale=False).fix(values)
    n, days = 40_000, 10
    rng = type(arch.model.distribution)(seed=np.random.default_rng(9)).simulate(shapes)
    forecast = arch.forecast(horizon=days, method="simulation", simulations=n, rng=rng, reindex=False)
    theirs = forecast.simulations.values[-1].sum(axis=1) / 100
    params = {"mu": 5e-4, "omega": 3e-6, "alpha[1]": 0.05, "gamma[1]": 0.08, "beta[1]": 0.86}
    params |= dict(zip(("nu", "lambda"), shapes, strict=False))
    last, variance = arch.resid[-1] / 100, (arch.conditional_volatility[-1] / 100) ** 2
    marginal = Marginal("A", Garch(dist=dist), params, {}, (last,), (variance,))
    np.testing.assert_allclose(marginal.next_variance, forecast.variance.to_numpy()[-1, 0] / 1e4, rtol=1e-12)
    ours = returns(market(marginal), days=days, n=n, drift="fitted").sum(axis=0)[0]
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4
    for power in (1, 2):
        error = math.sqrt((np.var(ours**power) + np.var(theirs**power)) / n)
        assert abs(np.mean(ours**power) - np.mean(theirs**power)) < 4 * error
    for level in (0.01, 0.05, 0.5, 0.95, 0.99):
        edge = np.quantile(theirs, level)
        assert abs(np.mean(ours < edge) - level) < 4 * math.sqrt(2 * level * (1 - level) / n)
