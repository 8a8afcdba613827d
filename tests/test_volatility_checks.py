"""Bad input is refused with its name, and what is doubtful about a fit is said with a stable code."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from collatrisk.base.errors import DataError, FitError, InputError
from collatrisk.volatility import ConstantVolatility, Ewma, Garch, estimate, fit_volatility
from collatrisk.volatility.checks import arch_lm, fit_findings, ljung_box, residual_tests
from collatrisk.volatility.likelihood import Likelihood

NOISE = np.random.default_rng(8).standard_t(6, 700) * 0.01


def codes(findings):
    return {finding.code for finding in findings}


def with_value(value, at=3):
    changed = NOISE.copy()
    changed[at] = value
    return changed


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (with_value(math.nan), "returns = '1 at 3': must hold no NaN"),
        (with_value(math.inf), "must hold no infinite values"),
        (
            pd.Series(with_value(math.nan), index=pd.date_range("2024-01-01", periods=700), name="ETH"),
            "1 at 2024-01-04",
        ),
        (pd.Series(["a", "b"] * 100, name="ETH"), "ETH = 'a': must hold numbers"),
        (["1.0", "2.0"] * 50, "must hold numbers"),
        ("prices.csv", "must hold numbers"),
        ([object()] * 100, "must hold numbers"),
        (np.ones(100, dtype=bool), "must hold numbers"),
        (None, "must be one-dimensional"),
        ([None, *NOISE], "1 at 0': must hold no NaN"),
        (np.zeros(100), "must vary"),
        (np.full(100, 0.01), "must vary"),
        (NOISE * 1e200, "must be small enough"),
        (NOISE * 1e-200, "must be large enough"),
        (NOISE[:49], "must hold at least 50"),
        ([], "must hold at least 50"),
        (NOISE.reshape(350, 2), "must be one-dimensional"),
        (pd.DataFrame({"ETH": NOISE}), "must be one-dimensional"),
    ],
    ids=map(str, range(18)),
)
def test_bad_returns_are_refused_with_name_value_rule_and_remedy(returns, said):
    with pytest.raises(DataError, match="returns") as caught:
        fit_volatility(returns, Garch())
    assert said.lower() in str(caught.value).lower()
    assert all(p.name and p.value and p.rule and p.remedy for p in caught.value.problems)


def test_all_problems_of_the_data_at_once():
    bad = with_value(math.nan, at=slice(0, 9))[:40]
    bad[20] = -math.inf
    with pytest.raises(DataError) as caught:
        fit_volatility(bad, Garch())
    assert len(caught.value.problems) == 3
    assert "9 at 0, 1, 2, 3, 4, ..." in str(caught.value)


def test_objects_that_hold_numbers_are_taken():
    column = pd.Series([float(x) for x in NOISE], dtype=object)
    assert fit_volatility(column, ConstantVolatility()).params == fit_volatility(NOISE, ConstantVolatility()).params
    counted = np.random.default_rng(1).integers(-5, 6, 200)
    assert fit_volatility(counted, ConstantVolatility()).params["omega"] == pytest.approx(np.mean(counted**2.0))


def test_bad_arguments_are_refused_together():
    with pytest.raises(InputError) as caught:
        fit_volatility(NOISE, "garch", presample="mean")
    assert [problem.name for problem in caught.value.problems] == ["spec", "presample"]


def test_no_finite_likelihood_is_a_fit_error(monkeypatch):
    monkeypatch.setattr(estimate, "starting_points", lambda likelihood: [np.array([math.nan] * len(likelihood.names))])
    with pytest.raises(FitError, match="could not be fitted: the likelihood is not finite at any start"):
        fit_volatility(pd.Series(NOISE, name="ETH"), Garch())


def test_a_start_that_arch_refuses_is_used_as_it_is(monkeypatch):
    from arch.univariate import base

    def refuse(*args, **kwargs):
        raise np.linalg.LinAlgError("no")

    expected = fit_volatility(NOISE, Garch())
    monkeypatch.setattr(base.ARCHModel, "fit", refuse)
    fit = fit_volatility(NOISE, Garch())
    assert fit.loglikelihood == pytest.approx(expected.loglikelihood, abs=1e-6)


def test_residual_tests_are_those_of_statsmodels():
    import warnings

    from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch

    values = np.random.default_rng(2).standard_normal(500)
    values[1:] += 0.1 * values[:-1]
    theirs = float(acorr_ljungbox(values, lags=[10])["lb_pvalue"].iloc[0])
    assert ljung_box(values, 10) == pytest.approx(theirs, rel=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the shape of its result will change; the first two entries not
        theirs = float(het_arch(values, nlags=10)[1])
    assert arch_lm(values, 10) == pytest.approx(theirs, rel=1e-6)


def test_residual_tests_reject_as_often_as_they_say():
    """Under independence a test at 1 % rejects 1 % of the time: 400 series, within four binomial standard errors."""
    rng = np.random.default_rng(4)
    pvalues = [residual_tests(rng.standard_normal(400)) for _ in range(400)]
    for name in ("ljung_box_pvalue", "arch_lm_pvalue"):
        rate = np.mean([row[name] < 0.05 for row in pvalues])
        assert abs(rate - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / 400)


def test_dependence_that_the_spec_misses_is_found():
    rng = np.random.default_rng(6)
    e, h, clustered = 0.0, 1.0, []
    for z in rng.standard_normal(2000):
        h = 0.05 + 0.15 * e * e + 0.80 * h
        e = math.sqrt(h) * z
        clustered.append(e)
    assert "arch-lm" in codes(fit_volatility(clustered, ConstantVolatility()).findings)
    assert "arch-lm" not in codes(fit_volatility(clustered, Garch(o=0, dist="normal")).findings)
    trending = np.convolve(rng.standard_normal(1500), [1.0, 0.5], mode="valid")
    assert "ljung-box" in codes(fit_volatility(trending, ConstantVolatility()).findings)


def test_short_stale_and_near_normal_series_are_found():
    assert "too-few-observations" in codes(fit_volatility(NOISE[:200], Garch()).findings)
    assert "too-few-observations" not in codes(fit_volatility(NOISE, Garch()).findings)
    stale = NOISE.copy()
    stale[::3] = 0.0
    assert "many-zero-returns" in codes(fit_volatility(stale, Ewma()).findings)
    normal = np.random.default_rng(9).standard_normal(1500)
    assert "flat-nu" in codes(fit_volatility(normal, Garch(dist="t")).findings)
    assert "flat-nu" not in codes(fit_volatility(NOISE, Garch(dist="t")).findings)


def test_persistence_at_one_is_found_and_has_no_long_run():
    growing = np.exp(np.linspace(-3.0, 2.0, 900)) * np.random.default_rng(3).standard_normal(900)
    fit = fit_volatility(growing, Garch(dist="normal"))
    found = [finding for finding in fit.findings if finding.code == "persistence-at-or-above-one"]
    assert found[0].severity == "warning"
    assert fit.persistence == pytest.approx(1.0, abs=1e-9)
    assert fit.long_run_volatility == math.inf
    assert fit.half_life == math.inf
    assert np.all(np.isfinite(fit.forecast(50)))
    ewma = fit_volatility(NOISE, Ewma())
    assert "persistence-at-or-above-one" in codes(ewma.findings)
    assert math.isnan(ewma.long_run_volatility)


def test_a_parameter_on_its_bound_is_named_and_has_no_standard_error():
    import arch.data.sp500

    # the volatility of the S&P 500 answers to falls only: alpha[1] ends at 0
    fit = fit_volatility(np.log(arch.data.sp500.load()["Adj Close"]).diff().dropna(), Garch())
    assert fit.params["alpha[1]"] == 0.0
    assert [finding.subject for finding in fit.findings if finding.code == "parameter-on-bound"] == ["alpha[1]"]
    assert [name for name, error in fit.std_errors["robust"].items() if math.isnan(error)] == ["alpha[1]"]
    assert math.isnan(fit.covariance[2, 3])
    # heavy tails beyond any finite variance: nu ends at its lower bound
    wild = fit_volatility(np.random.default_rng(11).standard_cauchy(800), ConstantVolatility(dist="t"))
    assert wild.params["nu"] == 2.05
    assert ("parameter-on-bound", "warning", "nu") in [(f.code, f.severity, f.subject) for f in wild.findings]
    assert "not-converged" not in codes(wild.findings)


def test_an_optimum_that_is_none_is_said():
    y = NOISE / NOISE.std()
    likelihood = Likelihood(y, Garch())
    optimum, reached = estimate.search(likelihood)
    checks, recursion = {"ljung_box_pvalue": 1.0, "arch_lm_pvalue": 1.0}, likelihood.recursion(optimum.theta)
    clean = codes(fit_findings(optimum, reached, recursion, checks))
    assert not clean & {"gradient-not-zero", "starts-disagree", "not-converged", "not-identified"}
    slightly = fit_findings(replace(optimum, decrement=1e-6), reached, recursion, checks)
    assert "gradient-not-zero" in codes(slightly)
    assert "not-converged" not in codes(slightly)
    failed = fit_findings(replace(optimum, decrement=1.0, identified=False), reached, recursion, checks)
    assert ("not-converged", "error") in [(finding.code, finding.severity) for finding in failed]
    assert {"gradient-not-zero", "not-identified"} <= codes(failed)
    nan = fit_findings(replace(optimum, decrement=math.nan), reached, recursion, checks)
    assert "not-converged" in codes(nan)
    best = optimum.loglikelihood
    for ends, severity in (((best, best, best - 1.0), "info"), ((best, best - 1.0, best - 2.0), "warning")):
        found = fit_findings(optimum, ends, recursion, checks)
        assert [f.severity for f in found if f.code == "starts-disagree"] == [severity]
