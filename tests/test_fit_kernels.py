"""The kernels behind `fit_market`: pairs counted for Kendall's tau, scores of a t copula, slopes of GARCH variances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from naive_fits import concordance as counted, garch_slopes as carried, log_density
from scipy import stats

from collatrisk.dependence.density import t_scores
from collatrisk.dependence.kendall import Concordance
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.kernels.garch_scores import garch_slopes, garch_variances
from collatrisk.volatility import Ewma, Garch
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.law import Law
from collatrisk.volatility.law_scores import law_scores
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.quasi import is_fast
from collatrisk.volatility.t_table import reaches, t_cdf_of_many


@settings(max_examples=60)
@given(arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(0, 5).map(float)))
def test_pairs_are_counted_ties_included(values):
    found = Concordance.of(values).counts
    for i in range(3):
        for j in range(3):
            np.testing.assert_array_equal(found[:, i, j], counted(values[:, i], values[:, j]))


def test_tau_is_scipys_on_a_long_sample_with_ties():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((5_000, 3)) @ np.array([[1.0, 0.5, -0.7], [0.0, 0.8, 0.1], [0.0, 0.0, 0.7]])
    values[:, 2] = values[:, 2].round(1)
    tau = Concordance.of(values).tau
    for i in range(3):
        for j in range(i):
            assert tau[i, j] == pytest.approx(stats.kendalltau(values[:, i], values[:, j]).statistic, abs=1e-14)


def test_tau_of_some_columns_is_that_of_the_columns_alone():
    values = np.random.default_rng(5).standard_normal((60, 4))
    some = Concordance.of(values).select([2, 0])
    np.testing.assert_array_equal(some.counts, Concordance.of(values[:, [2, 0]]).counts)
    np.testing.assert_allclose(some.influence.mean(axis=0), 0.0, atol=1e-15)


@pytest.mark.parametrize("nu", [2.1, 3.3, 8.0, 60.0, 200.0])
def test_scores_of_the_curve_are_t_quantiles(nu):
    far = 10.0 ** -np.arange(0.5, 300.0, 0.25)
    uniforms = np.concatenate([far, np.linspace(1e-3, 0.999, 2_001), 1 - far[far > 1e-15]])[:, None]
    found, wanted = ScoreCurve(uniforms).quantiles(nu), t_scores(uniforms, nu)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(ScoreCurve(uniforms).at(nu), wanted * np.sqrt((nu - 2) / nu), rtol=1e-10, atol=1e-13)


@settings(max_examples=40)
@given(st.integers(0, 3), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_slopes_of_variances_are_those_carried_along(p, o, q, m, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    residuals, slopes = rng.standard_normal(n), rng.standard_normal((m, n))
    start, moved = float(rng.uniform(0.5, 2.0)), rng.standard_normal(m)
    alpha, gamma, beta = (rng.uniform(0.0, 0.3, size) for size in (p, o, q))
    wanted, gradients = carried(residuals, slopes, start, moved, 0.1, alpha, gamma, beta)
    up, down = np.zeros((2, max(p, o)))
    up[:p] += alpha
    down[:p] += alpha
    down[:o] += gamma
    variances = np.empty(n)
    garch_variances(residuals, start, 0.1, up, down, 0.5 * (up + down), beta, variances)
    np.testing.assert_allclose(variances, wanted, rtol=1e-13)
    for own in (True, False):
        found = np.empty((m + (1 + p + o + q if own else 0), n))
        garch_slopes(residuals, variances, slopes, start, moved, alpha, gamma, beta, own, found)
        np.testing.assert_allclose(found, gradients[: len(found)], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("nu", [np.inf, 2.05, 5.0, 400.0])
def test_scores_of_a_law_are_slopes_of_its_density(nu):
    rng = np.random.default_rng(8)
    e, h = rng.standard_t(3, 40), rng.uniform(0.01, 4.0, 40)
    e[0] = 0.0
    along, moves = rng.standard_normal((1, 40)), rng.standard_normal((3, 40))
    law = Law("normal") if nu == np.inf else Law("t", nu)
    values, scores = law_scores(law, e, h, along, moves)
    np.testing.assert_allclose(values, [log_density(*one, nu) for one in zip(e, h, strict=True)], rtol=1e-11)
    for i in range(40):
        step = 1e-6
        in_e = (log_density(e[i] + step, h[i], nu) - log_density(e[i] - step, h[i], nu)) / (2 * step)
        step = 1e-6 * h[i]
        in_h = (log_density(e[i], h[i] + step, nu) - log_density(e[i], h[i] - step, nu)) / (2 * step)
        wanted = in_h * moves[:, i] + [in_e * along[0, i], 0.0, 0.0]
        np.testing.assert_allclose(scores[:3, i], wanted, rtol=1e-6, atol=1e-6)
        if nu < np.inf:
            step = 1e-5 * (nu - 2)
            in_nu = (log_density(e[i], h[i], nu + step) - log_density(e[i], h[i], nu - step)) / (2 * step)
            assert scores[3, i] == pytest.approx(in_nu, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("spec", [Garch(p=2, o=1, q=2, dist="skewt", mean="ar1"), Garch(o=0), Ewma(dist="t")])
@pytest.mark.parametrize("presample", ["mean_square", "backcast"])
def test_scores_of_observations_are_slopes_of_the_likelihood(spec, presample):
    """Whichever way the recursion goes: the sum of the scores is the difference quotient of the log-likelihood."""
    likelihood = Likelihood(np.random.default_rng(2).standard_normal(300), spec, presample)
    inside = {"mu": 0.1, "ar[1]": -0.2, "omega": 0.2, "nu": 7.0, "lambda": -0.1}
    theta = np.array([inside.get(name, 0.2) for name in likelihood.names])
    state = likelihood.evaluate(theta)
    assert state is not None
    for place, slope in enumerate(state[1].sum(axis=0)):
        step = 1e-5 * np.eye(theta.size)[place]
        quotient = (likelihood.loglikelihood(theta + step) - likelihood.loglikelihood(theta - step)) / 2e-5
        assert slope == pytest.approx(quotient, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("dist", ["normal", "t", "skewt"])
@pytest.mark.parametrize("o", [0, 1])
@pytest.mark.parametrize("mean", ["constant", "zero"])
@pytest.mark.parametrize("presample", ["mean_square", "backcast"])
def test_totals_of_the_compiled_likelihood_are_sums_of_the_scores(dist, o, mean, presample):
    likelihood = Likelihood(np.random.default_rng(6).standard_normal(137), Garch(o=o, dist=dist, mean=mean), presample)
    assert is_fast(likelihood.spec)
    inside = {"mu": 0.1, "omega": 0.2, "alpha[1]": 0.05, "gamma[1]": -0.02, "beta[1]": 0.7, "nu": 7.0, "lambda": -0.1}
    theta = np.array([inside[name] for name in likelihood.names])
    points = np.array([theta, 1.1 * theta])
    totals = likelihood.totals(points)
    assert totals is not None
    for point, value, gradient in zip(points, *totals, strict=True):
        state = likelihood.evaluate(point)
        assert state is not None
        assert value == pytest.approx(state[0].sum(), rel=1e-13)
        np.testing.assert_allclose(gradient, state[1].sum(axis=0), rtol=1e-11, atol=1e-11)
    theta[list(likelihood.names).index("omega")] = -1.0  # variances below 0
    assert likelihood.evaluate(theta) is None
    assert likelihood.totals(theta[None, :]) is None


def test_totals_of_other_models_are_sums_of_the_scores():
    likelihood = Likelihood(np.random.default_rng(6).standard_normal(137), Garch(dist="ged"))
    theta = np.array([0.1, 0.2, 0.05, 0.1, 0.7, 1.5])
    state, totals = likelihood.evaluate(theta), likelihood.totals(theta[None, :])
    assert not is_fast(likelihood.spec)
    assert state is not None
    assert totals is not None
    np.testing.assert_array_equal(totals[1][0], state[1].sum(axis=0))
    assert totals[0][0] == state[0].sum()
    theta[1] = -1.0
    assert likelihood.totals(theta[None, :]) is None


@pytest.mark.parametrize("nu", [2.05, 3.0, 6.5, 40.0, 500.0])
def test_the_t_cdf_of_many_values_is_that_of_each(nu):
    far = np.geomspace(1e-8, 60.0 if nu > 100.0 else 9e5, 600)
    points = np.concatenate((-far, [0.0], far))
    assert reaches(9e5, nu) == (nu < 100.0)
    each = np.concatenate([cdf("t", part * np.sqrt((nu - 2.0) / nu), nu) for part in np.split(points, [600, 601])])
    np.testing.assert_allclose(t_cdf_of_many(points, nu), each, rtol=5e-12)


def test_the_t_cdf_beyond_the_table_is_not_lost():
    """Where the tail has no float left it is 0, and no value is NaN."""
    points = np.concatenate((np.linspace(-3.0, 3.0, 2_000), [-1e8, 1e8]))
    found = cdf("t", points, 500.0)
    np.testing.assert_array_equal(found[-2:], [0.0, 1.0])
    np.testing.assert_allclose(found[:-2], cdf("t", points[:-2], 500.0), rtol=1e-12)


@settings(max_examples=30)
@given(st.permutations(range(9)), st.permutations(range(9)))
def test_pairs_without_ties_are_counted_in_one_pass(first, second):
    values = np.array([first, second], dtype=np.float64).T
    np.testing.assert_array_equal(Concordance.of(values).counts[:, 0, 1], counted(values[:, 0], values[:, 1]))
