"""Models of returns beside a realised measure: likelihood, recovery, forecasts, out-of-sample comparison."""

from __future__ import annotations

import math

import naive_tails as naive
import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.base.errors import DataError, InputError
from collatrisk.volatility import Har, RealizedGarch, fit_realized, quantile_score, select_volatility
from collatrisk.volatility.har import estimate, expected_measures, regressors
from collatrisk.volatility.realized_garch import NAMES, terms
from collatrisk.volatility.shapes import fit_shapes

# Near the estimates of Hansen, Huang and Shek (2012) for SPY, open to close, in percent.
TRUTH = (0.02, 0.06, 0.55, 0.41, -0.18, 1.04, -0.07, 0.07, 0.38)
RETURNS, MEASURES = naive.simulate_realized(TRUTH, 3000, np.random.default_rng(17))
FIT = fit_realized(RETURNS, MEASURES, RealizedGarch("normal"))


def test_the_joint_likelihood_is_the_naive_one():
    theta = np.array(TRUTH)
    wanted = naive.realized_likelihood(TRUTH, RETURNS.tolist(), MEASURES.tolist())
    assert np.sum(terms(theta, RETURNS, np.log(MEASURES))) == pytest.approx(wanted, rel=1e-12)
    own = [FIT.params[name] for name in NAMES]
    assert FIT.joint_loglikelihood == pytest.approx(naive.realized_likelihood(own, RETURNS, MEASURES), rel=1e-9)
    assert FIT.joint_loglikelihood > wanted


def test_no_neighbour_is_more_likely():
    own = np.array([FIT.params[name] for name in NAMES])
    for place, name in enumerate(NAMES):
        for sign in (-1.0, 1.0):
            moved = own.copy()
            moved[place] += sign * 0.1 * FIT.std_errors[name]
            assert np.sum(terms(moved, RETURNS, np.log(MEASURES))) < FIT.joint_loglikelihood


def test_truth_is_recovered():
    for name, value in zip(NAMES, TRUTH, strict=True):
        assert abs(FIT.params[name] - value) < 4.0 * FIT.std_errors[name], name
    assert FIT.checks["persistence"] == pytest.approx(0.55 + 1.04 * 0.41, abs=0.02)
    assert not FIT.findings
    assert FIT.checks["gradient"] < 1e-3
    assert "gamma" in FIT._repr_html_()


@pytest.mark.parametrize("spec", [RealizedGarch(), Har((1, 5, 22)), Har((1, 5), "skewt")])
@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_unit_does_not_matter(spec, unit):
    one = fit_realized(RETURNS, MEASURES, spec)
    other = fit_realized(RETURNS * unit, MEASURES * unit**2, spec)
    assert other.next_variance == pytest.approx(one.next_variance * unit**2, rel=1e-6)
    assert other.std_resid == pytest.approx(one.std_resid, abs=1e-5)
    assert other.loglikelihood == pytest.approx(one.loglikelihood - one.n_obs * math.log(unit), rel=1e-8)
    assert other.forecast(20) == pytest.approx(one.forecast(20) * unit**2, rel=1e-6)


def test_forecasts_of_realized_garch_are_the_means_of_paths():
    p = FIT.params
    ahead = FIT.forecast(12)
    rng = np.random.default_rng(3)
    n = 100_000
    log_h = np.full(n, math.log(FIT.next_variance))
    for k in range(12):
        h = np.exp(log_h)
        assert abs(h.mean() - ahead[k]) < 5.0 * h.std() / math.sqrt(n) + 0.01 * ahead[k]
        z = rng.standard_normal(n)
        log_x = p["xi"] + p["phi"] * log_h + p["tau1"] * z + p["tau2"] * (z * z - 1) + p["sigma_u"] * rng.normal(size=n)
        log_h = p["omega"] + p["beta"] * log_h + p["gamma"] * log_x


@pytest.mark.parametrize("spec", [RealizedGarch(), Har((1, 5, 22))])
def test_run_on_goes_on_where_the_sample_ends(spec):
    shorter = fit_realized(RETURNS[:2900], MEASURES[:2900], spec)
    ahead = shorter.run_on(MEASURES[2900:])
    assert ahead[0] == pytest.approx(shorter.next_variance)
    if isinstance(spec, Har):
        log_x = np.log(MEASURES)
        b = [shorter.params[name] for name in ("const", "har[1]", "har[5]", "har[22]")]
        for t in (0, 1, 57, 99):
            wanted = naive.har_forecast(b, log_x[: 2900 + t].tolist(), spec.lags)
            found = shorter.params["scale"] * math.exp(wanted + 0.5 * shorter.params["sigma_u"] ** 2)
            assert ahead[t] == pytest.approx(found)
    else:
        p, log_h = shorter.params, math.log(shorter.next_variance)
        for t in range(100):
            assert ahead[t] == pytest.approx(math.exp(log_h))
            log_h = p["omega"] + p["beta"] * log_h + p["gamma"] * math.log(MEASURES[2900 + t])


def test_har_against_ordinary_least_squares_and_its_simulation():
    import statsmodels.api as sm

    log_x = np.log(MEASURES)
    found, variance, covariance = estimate(log_x, (1, 5, 22))
    design = regressors(log_x, (1, 5, 22))[:-1]
    reach = math.floor(4 * (len(design) / 100) ** (2 / 9))
    wanted = sm.OLS(log_x[22:], design).fit(cov_type="HAC", cov_kwds={"maxlags": reach, "use_correction": False})
    assert found == pytest.approx(wanted.params)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(wanted.bse, rel=1e-6)
    ahead = expected_measures(found, variance, log_x, (1, 5, 22), 8)
    rng = np.random.default_rng(5)
    paths = np.tile(log_x[-22:], (60_000, 1))
    for k in range(8):
        step = found[0] + sum(b * paths[:, -lag:].mean(axis=1) for b, lag in zip(found[1:], (1, 5, 22), strict=True))
        now = step + math.sqrt(variance) * rng.standard_normal(len(paths))
        assert np.exp(now).mean() == pytest.approx(ahead[k], abs=4 * np.exp(now).std() / math.sqrt(len(paths)))
        paths = np.column_stack([paths, now])


def test_shapes_of_laws():
    z = np.random.default_rng(4).standard_t(5, 20_000) * math.sqrt(0.6)
    t, density = fit_shapes(z, "t")
    assert t["nu"] == pytest.approx(5.0, abs=0.6)
    skewed, better = fit_shapes(z, "skewt")
    assert abs(skewed["lambda"]) < 0.04
    assert density.sum() <= better.sum() + 1e-6
    assert fit_shapes(z, "normal")[0] == {}


def test_value_at_risk_is_that_of_the_law():
    fit = fit_realized(RETURNS, MEASURES, RealizedGarch("normal"))
    var, es = fit.value_at_risk(0.99)
    sd = math.sqrt(fit.next_variance)
    assert var == pytest.approx(2.3263479 * sd - fit.params["mu"])
    assert es == pytest.approx(2.6652142 * sd - fit.params["mu"], rel=1e-6)


def test_out_of_sample_the_measure_wins_where_it_should():
    index = pd.date_range("2020-01-01", periods=1400)
    returns, measure = pd.Series(RETURNS[:1400], index, name="A"), pd.Series(MEASURES[:1400], index)
    candidates = {"GJR": cr.Garch(dist="normal"), "RG": RealizedGarch("normal"), "HAR": Har((1, 5, 22), "normal")}
    chosen = select_volatility(
        returns, candidates, window=1000, refit_every=100, level=0.95, measure=measure, proxy=measure
    )
    table = chosen.summary()
    assert table.loc["RG", "qlike"] < table.loc["GJR", "qlike"]
    assert table.loc["HAR", "qlike"] < table.loc["GJR", "qlike"]
    assert table.loc["GJR", "mcs_qlike"] < 0.1
    assert np.isnan(table.loc["RG", "aic"])
    first = fit_realized(returns.iloc[:1000], measure, RealizedGarch("normal"))
    assert chosen.variance["RG"].iloc[0] == pytest.approx(first.next_variance)
    assert chosen.var["RG"].iloc[0] == pytest.approx(first.value_at_risk(0.95)[0])
    assert chosen.confidence_set("tick")


def test_quantile_score():
    assert quantile_score([-3.0, 1.0], [2.0, 2.0], 0.99) == pytest.approx([0.99, 0.03])
    rng = np.random.default_rng(1)
    r = rng.standard_normal(100_000)
    means = [quantile_score(r, np.full(r.size, v), 0.95).mean() for v in (1.2, 1.645, 2.1)]
    assert means[1] == min(means)


def test_flat_measures_are_raised():
    measures = MEASURES.copy()
    measures[5] = 0.0
    assert "flat-measures" in {finding.code for finding in fit_realized(RETURNS, measures).findings}


def test_bad_input():
    index = pd.date_range("2020-01-01", periods=3000)
    for make, error in (
        (lambda: fit_realized(RETURNS, MEASURES, cr.Garch()), InputError),
        (lambda: Har((5, 1)), InputError),
        (lambda: Har((1.5,)), InputError),
        (lambda: RealizedGarch("cauchy"), InputError),
        (lambda: FIT.forecast(0), InputError),
        (lambda: fit_realized(RETURNS, MEASURES[:-1]), DataError),
        (lambda: fit_realized(RETURNS, -MEASURES), DataError),
        (lambda: fit_realized(RETURNS[:50], MEASURES[:50]), DataError),
        (lambda: fit_realized(RETURNS, np.ones(3000)), DataError),
        (lambda: fit_realized(pd.Series(RETURNS, index), pd.Series(MEASURES[:-9], index[9:])), DataError),
        (lambda: select_volatility(RETURNS, [Har()], window=500), InputError),
        (lambda: quantile_score([1.0], [np.nan], 0.99), InputError),
    ):
        with pytest.raises(error):
            make()
