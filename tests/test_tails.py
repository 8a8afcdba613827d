"""Generalised Pareto tails: likelihood, intervals, the semiparametric law."""

from __future__ import annotations

import json
import math
from pathlib import Path

import naive_tails as naive
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import integrate, stats

from collatrisk.base.errors import DataError, FitError, InputError
from collatrisk.volatility import GpdTails, ParetoTail, TailLaw, fit_tails
from collatrisk.volatility.pareto import fit_pareto, growth, loglikelihood, maximise
from collatrisk.volatility.tails import innovations_from_dict

DANISH = json.loads((Path(__file__).parent / "vectors" / "tails.json").read_text())["danish"]
CALM = settings(deadline=None, derandomize=True, max_examples=30)


def danish():
    below = np.ones(DANISH["n"] - len(DANISH["losses"]))
    return fit_pareto(np.concatenate([DANISH["losses"], below]), DANISH["threshold"])


def student(n=4000, nu=5.0, seed=3):
    return np.random.default_rng(seed).standard_t(nu, n) * math.sqrt((nu - 2.0) / nu)


def test_danish_fire_losses_as_published():
    fit = danish()
    assert fit.n_exceedances == 109
    assert fit.xi == pytest.approx(DANISH["xi"], abs=0.005)
    assert fit.xi_std_error == pytest.approx(DANISH["xi_std_error"], abs=0.005)
    assert fit.scale == pytest.approx(DANISH["scale"], abs=0.05)
    assert fit.scale_std_error == pytest.approx(DANISH["scale_std_error"], abs=0.1)
    assert fit.quantile(0.99) == pytest.approx(DANISH["quantile_99"], abs=0.05)
    assert fit.shortfall(0.99) == pytest.approx(DANISH["shortfall_99"], abs=0.05)
    # Read off a profile of 50 points: within half a percent.
    assert fit.quantile_interval(0.99) == pytest.approx(DANISH["quantile_99_interval"], rel=5e-3)
    # evir's optimiser stops a little early: its figures are within a thousandth.
    for level in (0.999, 0.9999):
        key = f"{level:g}"[2:]
        assert fit.quantile(level) == pytest.approx(DANISH[f"quantile_{key}"], rel=1.5e-3)
        assert fit.shortfall(level) == pytest.approx(DANISH[f"shortfall_{key}"], rel=1.5e-3)


@pytest.mark.parametrize("xi", [-0.3, 0.0, 0.2, 0.7])
def test_the_likelihood_is_highest_where_scipy_says(xi):
    sample = np.sort(stats.genpareto.rvs(xi, scale=2.0, size=400, random_state=np.random.default_rng(5)))
    shape, scale, value = maximise(sample)
    wanted_shape, _, wanted_scale = stats.genpareto.fit(sample, floc=0.0)
    assert value >= naive.pareto_loglikelihood(sample, wanted_shape, wanted_scale) - 1e-9
    assert (shape, scale) == pytest.approx((wanted_shape, wanted_scale), abs=2e-3)
    assert value == pytest.approx(naive.pareto_loglikelihood(sample, shape, scale), rel=1e-12)
    assert abs(shape - xi) < 4.0 * (1.0 + xi) / math.sqrt(400)


@CALM
@given(xi=st.floats(-0.45, 1.5), scale=st.floats(0.01, 100.0), depth=st.floats(1e-6, 30.0))
def test_growth_is_the_quantile(xi, scale, depth):
    wanted = stats.genpareto.isf(math.exp(-depth), xi, scale=scale)
    assert scale * growth(depth, xi) == pytest.approx(wanted, rel=1e-6)


def test_outside_the_support_there_is_no_likelihood():
    assert loglikelihood(np.array([1.0, 3.0]), -0.4, 1.0) == -math.inf
    assert loglikelihood(np.array([1.0, 3.0]), 0.1, -1.0) == -math.inf


def test_profile_intervals_cut_the_profile_likelihood():
    fit = danish()
    for end in fit.quantile_interval(0.99):
        drop = fit.loglikelihood - naive.profile_of_quantile(fit.excesses, fit.share, fit.threshold, 0.99, end)
        assert 2.0 * drop == pytest.approx(stats.chi2.isf(0.05, 1), abs=1e-3)
    low, high = fit.xi_interval()
    assert low < fit.xi < high
    assert high - fit.xi > fit.xi - low
    inner, outer = fit.xi_interval(0.5), fit.xi_interval(0.99)
    assert outer[0] < low < inner[0] < inner[1] < high < outer[1]
    assert fit.shortfall_interval(0.99)[0] > fit.quantile_interval(0.99)[0]


def test_the_interval_of_a_quantile_covers_as_it_says():
    rng, truth, hits = np.random.default_rng(11), stats.t.isf(0.01, 4), 0
    for _ in range(120):
        fit_sample = np.sort(rng.standard_t(4, 1000))
        fit = fit_pareto(fit_sample, fit_sample[-101])
        low, high = fit.quantile_interval(0.99)
        hits += low <= truth <= high
    # The share is taken as known, so the coverage is a little low: within 4 standard errors of 95 %.
    assert abs(hits / 120 - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / 120)


def test_anderson_darling_accepts_the_law_and_rejects_another():
    rng = np.random.default_rng(8)
    own = fit_pareto(stats.genpareto.rvs(0.2, size=300, random_state=rng), 0.0)
    other = fit_pareto(np.abs(rng.normal(5.0, 1.0, 300)), 0.0)
    assert own.anderson_darling()[1] > 0.05
    assert other.anderson_darling()[1] == pytest.approx(0.005)
    assert own.anderson_darling(seed=4) == own.anderson_darling(seed=4)


def test_the_law_of_a_sample():
    values = student()
    fit = fit_tails(values, GpdTails(0.1))
    law = fit.law
    assert fit.lower.n_exceedances == fit.upper.n_exceedances == 400
    assert fit.values.mean() == pytest.approx(0.0, abs=1e-12)
    assert fit.values.std() == pytest.approx(1.0)
    assert law.moments == pytest.approx((0.0, 1.0), abs=1e-12)
    u = (np.arange(200_000) + 0.5) / 200_000
    z = law.ppf(u)
    assert z.mean() == pytest.approx(0.0, abs=1e-4)
    assert np.mean(np.minimum(z, 0.0) ** 2) == pytest.approx(law.below_zero, abs=2e-3)
    grid = np.linspace(-30.0, 30.0, 240_001)
    density = np.exp(law.logpdf(grid))
    assert integrate.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)
    assert integrate.cumulative_trapezoid(density, grid)[::6000] == pytest.approx(law.cdf(grid[1::6000]), abs=1e-4)
    # Close to the law behind the sample, at 4 standard errors of an order statistic.
    unit = math.sqrt(3.0 / 5.0)
    for level in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99):
        truth = stats.t.ppf(level, 5) * unit
        error = math.sqrt(level * (1.0 - level) / 4000) / (stats.t.pdf(truth / unit, 5) / unit)
        assert abs(float(law.ppf(level)) - truth) < 4.0 * error


@pytest.mark.parametrize("p", [0.001, 0.01, 0.1, 0.25])
def test_the_mean_beyond_a_quantile(p):
    law = fit_tails(student()).law
    u = p * (np.arange(1_000_000) + 0.5) / 1_000_000
    assert law.tail_mean(p) == pytest.approx(law.ppf(u).mean(), rel=2e-3)


def test_knots_are_harrell_davis_quantiles():
    values = student(500)
    fit = fit_tails(values, GpdTails(0.1))
    raw = np.array(fit.law.knots) * fit.spread + fit.centre
    edges = stats.norm.ppf([fit.lower.share, 1.0 - fit.upper.share])
    scores = np.linspace(*edges, len(raw))
    ordered = np.sort(fit.values)
    for place in (1, len(raw) // 2, len(raw) - 2):
        assert raw[place] == pytest.approx(naive.harrell_davis(ordered, stats.norm.cdf(scores[place])), abs=1e-10)
    assert raw[0] == pytest.approx(-fit.lower.threshold)
    assert raw[-1] == pytest.approx(fit.upper.threshold)


tails = st.builds(ParetoTail, st.floats(0.02, 0.2), st.floats(-0.3, 0.45), st.floats(0.2, 1.5))


@CALM
@given(lower=tails, upper=tails, steps=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=12))
def test_cdf_and_quantile_are_inverse_and_increase(lower, upper, steps):
    law = TailLaw(lower, upper, tuple(np.concatenate([[-1.0], -1.0 + np.cumsum(steps)]).tolist()))
    u = np.concatenate([np.geomspace(1e-12, 0.5, 60), 1.0 - np.geomspace(1e-9, 0.49, 60)[::-1]])
    z = law.ppf(u)
    assert np.all(np.diff(z) >= 0.0)
    assert law.cdf(z) == pytest.approx(u, rel=1e-6)
    assert law.isf(u) == pytest.approx(law.ppf(1.0 - u), rel=1e-3, abs=1e-9)
    mean, variance = law.moments
    moved = law.moved(mean, math.sqrt(variance))
    assert moved.moments == pytest.approx((0.0, 1.0), abs=1e-9)
    assert TailLaw.from_dict(law.to_dict()) == law


def test_ends_and_nonsense_of_the_law():
    law = fit_tails(student()).law
    assert law.ppf(0.0) == -math.inf
    assert law.ppf(1.0) == math.inf
    assert np.isnan(law.ppf(1.5))
    assert law.cdf(-1e9) < 1e-20
    assert law.cdf(1e9) == 1.0
    bounded = TailLaw(ParetoTail(0.1, -0.4, 1.0), ParetoTail(0.1, 0.1, 0.5), (-1.0, -0.2, 0.3, 1.2))
    assert bounded.cdf(-5.0) == 0.0
    assert bounded.logpdf(-5.0) == -math.inf
    with pytest.raises(InputError, match="increasing"):
        TailLaw(law.lower, law.upper, (0.0, 0.0, 1.0, 2.0))
    with pytest.raises(InputError) as error:
        ParetoTail(0.7, -2.0, 0.0, -1)
    assert len(error.value.problems) == 4


def test_evidence_tables():
    fit = fit_tails(student(), GpdTails(0.1))
    stable = fit.stability()
    assert list(stable.index) == [0.025, 0.05, 0.075, 0.1, 0.125, 0.15]
    row = stable.loc[0.1]
    assert row["xi"] == pytest.approx(fit.lower.xi)
    assert row["q0.99"] == pytest.approx(fit.lower.quantile(0.99))
    assert row["modified_scale"] == pytest.approx(fit.lower.scale - fit.lower.xi * fit.lower.threshold)
    assert stable["q0.99"].std() < 0.1  # the quantile hardly depends on the threshold
    excess = fit.mean_excess("upper")
    first = excess.iloc[0]
    assert first["mean_excess"] == pytest.approx(fit.upper.excesses.mean())
    assert abs(first["fitted"] - first["mean_excess"]) < 0.1 * first["mean_excess"]
    table = fit.summary()
    assert np.all(table["q0.99 low"] < table["q0.99"])
    assert np.all(table["q0.99"] < table["q0.99 high"])
    assert "xi" in fit._repr_html_()
    assert "Pareto" in repr(fit)
    with pytest.raises(InputError, match="'lower', 'upper'"):
        fit.tail("left")


def codes(fit):
    return {finding.code for finding in fit.findings}


def test_findings_name_what_is_wrong():
    rng = np.random.default_rng(2)
    assert codes(fit_tails(student())) == set()
    assert "few-exceedances" in codes(fit_tails(student(200)))
    assert "tail-without-variance" in codes(fit_tails(rng.standard_t(1.4, 3000)))
    cauchy = fit_tails(rng.standard_cauchy(3000) ** 3)
    assert "tail-without-mean" in codes(cauchy)
    assert cauchy.law.moments[1] == math.inf
    assert cauchy.upper.shortfall(0.99) == math.inf
    assert "residual-variance-not-one" in codes(fit_tails(2.0 * student()))
    assert "tail-on-bound" in codes(fit_tails(rng.uniform(-1, 1, 2000) ** 3))


def test_ties_keep_the_law_increasing():
    values = np.round(student(3000), 1)
    law = fit_tails(values).law
    assert np.all(np.diff(law.knots) > 0.0)


def test_bad_input():
    with pytest.raises(InputError, match="threshold"):
        GpdTails(0.4)
    with pytest.raises(InputError, match="GpdTails"):
        fit_tails(student(), "gpd")
    for bad in (np.ones(500), np.array([1.0, np.nan] * 200), ["a"] * 300, np.ones((300, 2)), student(100)):
        with pytest.raises(DataError):
            fit_tails(bad)
    for scale in (1e-300, 1e300):
        with pytest.raises(DataError, match="must lie within"):
            fit_tails(student() * scale)
    with pytest.raises(FitError, match="exceedances"):
        fit_pareto(np.arange(10.0), 8.5)
    assert innovations_from_dict(GpdTails(0.05).to_dict()) == GpdTails(0.05)
