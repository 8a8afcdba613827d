"""Diagnostics of a moving correlation, the grouped t copula's fit, and the bootstrap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from dcc_models import dcc_scores, to_uniforms
from naive_dcc import dcc_path, to_correlation
from path_models import flat, market
from scipy.special import stdtr

from collatrisk.base.errors import InputError
from collatrisk.dependence import (
    Dcc,
    EwmaCorrelation,
    GroupedTCopula,
    StudentTCopula,
    bootstrap_dependence,
    conditional_correlations,
    diagnose_dependence,
    equicorrelation,
    fit_dependence,
)
from collatrisk.dependence.density import grouped_tail_dependence, t_log_density, t_scores, t_tail_dependence
from collatrisk.dependence.diagnostics import constant_correlation_test
from collatrisk.dependence.grouped import grouped_loglikelihood
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.report.charts.rolling_correlation import rolling_correlation


def fitted(scores, spec, **options):
    return fit_dependence(to_uniforms(scores), spec, assets=tuple("ABCDEF"[: scores.shape[1]]), **options)


def test_the_test_keeps_its_size_and_sees_motion():
    level = equicorrelation(3, 0.5)
    root = np.linalg.cholesky(level)
    rejected = 0
    for seed in range(200):
        x = np.random.default_rng(seed).standard_normal((400, 3)) @ root.T
        constant = np.broadcast_to(np.corrcoef(x, rowvar=False), (400, 3, 3))
        rejected += constant_correlation_test(x, constant, 4).p_value < 0.05
    # A share of 5 % within 4 standard errors of 200; the level is estimated, which costs a degree of freedom.
    assert rejected / 200 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)
    x = dcc_scores(2000, 3, 0.08, 0.9, seed=1)
    found = diagnose_dependence(to_uniforms(x), fitted(x, Dcc(copula="gaussian"), std_errors=False), replicates=99)
    assert found.constant.p_value < 1e-6
    assert found.fitted.p_value > 0.01
    assert 0 <= found.targeting_error < 0.1


def test_conditional_correlations_are_those_of_the_filter():
    x = dcc_scores(300, 3, 0.06, 0.9, seed=2)
    fit = fitted(x, Dcc(copula="gaussian"), std_errors=False)
    path = conditional_correlations(to_uniforms(x), fit)
    motion = fit.dynamics
    wanted = dcc_path(ScoreCurve(to_uniforms(x)).normal, "standard", motion.a, motion.b, 0.0)
    for t in (0, 150, 300):
        assert path[t] == pytest.approx(to_correlation(wanted[t]), abs=1e-10)
    weighted = fitted(x, EwmaCorrelation(copula="gaussian"))
    assert conditional_correlations(to_uniforms(x), weighted)[-1] == pytest.approx(weighted.next_correlation, abs=1e-10)


def test_tail_dependence_has_an_interval():
    x = dcc_scores(3000, 2, 0.0, 0.5, rho=0.7, nu=4.0, seed=3)
    uniforms = to_uniforms(x, 4.0)
    fit = fit_dependence(uniforms, StudentTCopula(), assets=("A", "B"))
    row = diagnose_dependence(uniforms, fit, tail=0.03).tails.iloc[0]
    # P(both below their 3 % quantile) / 3 % of this copula, from four million draws: 0.4545.
    assert row["lower_low"] < 0.4545 < row["lower_high"]
    assert row["upper_low"] < 0.4545 < row["upper_high"]
    assert row["limit_of_fit"] == pytest.approx(t_tail_dependence(fit.correlation[0, 1], fit.nu))


def test_grouped_copula_of_one_nu_is_the_t_copula():
    level, nu = equicorrelation(4, 0.6), 5.0
    rng = np.random.default_rng(4)
    z = rng.standard_normal((300, 4)) @ np.linalg.cholesky(level).T
    uniforms = stdtr(nu, z * np.sqrt(nu / rng.chisquare(nu, 300))[:, None])
    wanted = float(np.sum(t_log_density(t_scores(uniforms, nu), level, nu)))
    assert grouped_loglikelihood(uniforms, level, np.full(4, nu)) == pytest.approx(wanted, rel=1e-8)
    for rho in (-0.5, 0.0, 0.7):
        assert grouped_tail_dependence(rho, nu, nu) == pytest.approx(t_tail_dependence(rho, nu), abs=1e-4)


def test_grouped_tail_dependence_is_what_the_tails_do():
    rho, nu, other = 0.6, 3.0, 8.0
    rng = np.random.default_rng(5)
    from scipy.special import chdtri

    # Importance: mixing uniforms near 0 only, where the extremes are. chdtri takes the upper tail.
    top = 2e-3
    s = top * rng.random(2_000_000)
    z = rng.standard_normal((2, s.size))
    z[1] = rho * z[0] + np.sqrt(1 - rho**2) * z[1]
    x = [np.sqrt(k / chdtri(k, 1 - s)) * normal for k, normal in zip((nu, other), z, strict=True)]
    level = 2e-6
    edges = [float(t_scores(np.array([level]), k)[0]) for k in (nu, other)]
    both = top * np.mean((x[0] < edges[0]) & (x[1] < edges[1]))
    assert both / level == pytest.approx(grouped_tail_dependence(rho, nu, other), abs=0.03)


def test_grouped_copula_finds_each_nu():
    groups = {"calm": ("A", "B", "C"), "wild": ("D", "E", "F")}
    nus = np.array([12.0, 12.0, 12.0, 3.0, 3.0, 3.0])
    rng = np.random.default_rng(6)
    z = rng.standard_normal((3000, 6)) @ np.linalg.cholesky(equicorrelation(6, 0.5)).T
    s = rng.random(3000)
    from scipy.special import gammaincinv

    uniforms = np.column_stack(
        [stdtr(nu, z[:, i] * np.sqrt(nu / (2 * gammaincinv(nu / 2, s)))) for i, nu in enumerate(nus)]
    )
    fit = fit_dependence(uniforms, GroupedTCopula(groups), assets=tuple("ABCDEF"))
    for group, wanted in zip(fit.groups, (12.0, 3.0), strict=True):
        assert abs(group.nu - wanted) < 4 * group.nu_std_error
    plain = fit_dependence(uniforms, StudentTCopula(), assets=tuple("ABCDEF"))
    assert fit.aic < plain.aic
    with pytest.raises(InputError, match="must name every asset"):
        fit_dependence(uniforms, GroupedTCopula({"calm": ("A", "B")}), assets=tuple("ABCDEF"))
    with pytest.raises(InputError, match="two assets or more"):
        fit_dependence(uniforms[:, :3], GroupedTCopula({"x": ("A", "B"), "y": ("C",)}), assets=tuple("ABC"))


@pytest.mark.slow
def test_intervals_cover_what_they_say():
    """200 histories of 3000 steps from our own simulator: 95 % intervals within 4 standard errors of 95 %."""
    from collatrisk.dependence import CorrelationDynamics, DependenceFit
    from collatrisk.simulation import PathPlan

    level = equicorrelation(3, 0.5)
    motion = CorrelationDynamics("standard", 0.05, 0.92, level)
    spec = Dcc(copula="gaussian")
    world = market(*(flat(name) for name in "ABC"), rho=0.5)
    world = replace(world, dependence=DependenceFit(spec, ("A", "B", "C"), level, dynamics=motion))
    plan = PathPlan(world, n_paths=200, horizon_days=3200, seed=12, drift="zero_log")
    returns = np.diff(np.log(plan.read(0, 200).prices), axis=0)[200:]
    inside = {"a": 0, "b": 0}
    for history in returns.transpose(2, 0, 1):
        fit = fitted(history / np.sqrt(0.6**2 / 365), spec)
        for name, truth in (("a", 0.05), ("b", 0.92)):
            inside[name] += abs(getattr(fit.dynamics, name) - truth) < 1.96 * fit.dynamics.std_errors[name]
    for name, count in inside.items():
        assert count / 200 == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 200)), name


def test_rolling_correlation_is_drawn_with_its_finding():
    x = dcc_scores(300, 3, 0.06, 0.9, seed=8)
    fit = fitted(x, Dcc(copula="gaussian"), std_errors=False)
    path = conditional_correlations(to_uniforms(x), fit)
    dates = pd.date_range("2022-01-01", periods=300, freq="D")
    chart = rolling_correlation("moving", dates, fit.assets, path, x)
    assert chart.svg.startswith("<svg")
    assert "A and B" in chart.svg
    assert len(chart.data.rows) == 3
    assert f"{path[:, 0, 1].max():.2f}" in chart.title or "and C" in chart.title


def test_bootstrap_has_the_spread_of_the_two_step_errors():
    fit = fitted(dcc_scores(600, 3, 0.06, 0.9, seed=7), Dcc(copula="gaussian"))
    again = bootstrap_dependence(fit, 40, seed=1)
    for name in "ab":
        ratio = again.dynamics.std_errors[name] / fit.dynamics.std_errors[name]
        assert 0.5 < ratio < 2.0
    assert bootstrap_dependence(fit, 40, seed=1) == again
    with pytest.raises(InputError, match="must be a fitted Dcc"):
        bootstrap_dependence(fitted(dcc_scores(100, 2, 0.05, 0.9), StudentTCopula()), 40)
