"""Copula fits: densities against scipy, truth recovered, bad input named."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from collatrisk.base.errors import DataError, InputError
from collatrisk.dependence import (
    DependenceFit,
    DependenceSpec,
    GaussianCopula,
    Independent,
    StudentTCopula,
    correlation_factor,
    equicorrelation,
    fit_dependence,
    spec_from_dict,
)
from collatrisk.dependence.density import gaussian_loglikelihood, normal_scores, t_log_density, t_scores
from collatrisk.dependence.kendall import Concordance

CORRELATION = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])
NAMES = ("BTC", "ETH", "PAXG")


def t_uniforms(n: int, correlation: np.ndarray, nu: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((n, len(correlation))) @ correlation_factor(correlation).T
    return stats.t.cdf(normals / np.sqrt(rng.chisquare(nu, n) / nu)[:, None], nu)


def normal_uniforms(n: int, correlation: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return stats.norm.cdf(rng.standard_normal((n, len(correlation))) @ correlation_factor(correlation).T)


def tau_errors(uniforms: np.ndarray) -> np.ndarray:
    """Standard errors of Kendall's tau, pair by pair; 0 on the diagonal."""
    return np.sqrt(np.mean(Concordance.of(uniforms).influence ** 2, axis=0) / len(uniforms))


@pytest.mark.parametrize("nu", [2.1, 4.7, 30.0, 200.0])
def test_t_density_is_the_joint_over_the_margins(nu: float) -> None:
    uniforms = np.vstack([t_uniforms(40, CORRELATION, 4, 1), [[1e-12, 1 - 1e-12, 0.5]]])
    x = stats.t.ppf(uniforms, nu)
    expected = stats.multivariate_t(shape=CORRELATION, df=nu).logpdf(x) - stats.t.logpdf(x, nu).sum(axis=1)
    assert t_log_density(t_scores(uniforms, nu), CORRELATION, nu) == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_gaussian_density_is_the_joint_over_the_margins() -> None:
    uniforms = normal_uniforms(40, CORRELATION, 2)
    x = stats.norm.ppf(uniforms)
    expected = stats.multivariate_normal(cov=CORRELATION).logpdf(x).sum() - stats.norm.logpdf(x).sum()
    assert gaussian_loglikelihood(normal_scores(uniforms), CORRELATION) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("nu", "seed"), [(4.0, 3), (8.0, 4)])
def test_t_fit_recovers_nu_and_correlation(nu: float, seed: int) -> None:
    n = 3000
    fit = fit_dependence(t_uniforms(n, CORRELATION, nu, seed), StudentTCopula(), assets=NAMES)
    assert fit.nu is not None
    assert fit.nu_std_error is not None
    assert abs(fit.nu - nu) < 4 * fit.nu_std_error
    error = math.pi / 2 * tau_errors(t_uniforms(n, CORRELATION, nu, seed))
    assert np.all(np.abs(fit.correlation - CORRELATION) <= 4 * error)
    assert fit.loglikelihood == pytest.approx(
        t_log_density(t_scores(t_uniforms(n, CORRELATION, nu, seed), fit.nu), fit.correlation, fit.nu).sum(), rel=1e-12
    )
    assert fit.findings == ()


def test_standard_error_of_nu_is_the_spread_over_samples() -> None:
    found = [
        fit_dependence(t_uniforms(600, CORRELATION, 5.0, seed), StudentTCopula(), assets=NAMES)
        for seed in range(100, 160)
    ]
    z = np.array([(1 / fit.nu - 1 / 5.0) / (fit.nu_std_error / fit.nu**2) for fit in found])
    # In 1 / nu the law is nearly normal: mean 0 and sd 1 within 4 standard errors of 60 draws.
    assert abs(z.mean()) < 4 / math.sqrt(60)
    assert abs(z.std() - 1) < 4 / math.sqrt(120)


def test_t_fit_is_at_the_top_of_its_likelihood() -> None:
    uniforms = t_uniforms(1500, CORRELATION, 6.0, 9)
    fit = fit_dependence(uniforms, StudentTCopula(), assets=NAMES)
    for nu in (fit.nu * 0.99, fit.nu * 1.01):
        assert t_log_density(t_scores(uniforms, nu), fit.correlation, nu).sum() < fit.loglikelihood


def test_kendall_tau_of_an_elliptical_copula() -> None:
    n = 4000
    expected = 2 / math.pi * np.arcsin(CORRELATION)
    for uniforms in (t_uniforms(n, CORRELATION, 3.0, 21), normal_uniforms(n, CORRELATION, 22)):
        assert np.all(np.abs(Concordance.of(uniforms).tau - expected) <= 4 * tau_errors(uniforms) + 1e-12)


def test_gaussian_data_leave_nu_on_its_bound() -> None:
    fit = fit_dependence(normal_uniforms(1500, CORRELATION, 31), StudentTCopula(), assets=NAMES)
    gaussian = fit_dependence(normal_uniforms(1500, CORRELATION, 31), GaussianCopula(), assets=NAMES)
    assert fit.nu == 200.0
    assert fit.nu_std_error is None
    assert [finding.code for finding in fit.findings] == ["nu-at-bound"]
    assert "do not tell" in fit.findings[0].message
    assert fit.loglikelihood == pytest.approx(gaussian.loglikelihood, abs=3.0)


def test_common_shocks_beyond_t_leave_nu_on_its_lower_bound() -> None:
    uniforms = t_uniforms(800, equicorrelation(2, 0.0), 0.6, 41)
    fit = fit_dependence(uniforms, StudentTCopula(), assets=("a", "b"))
    assert fit.nu == 2.1
    assert fit.findings[0].severity == "warning"


def test_gaussian_fit_is_the_correlation_of_normal_scores() -> None:
    n = 2500
    fit = fit_dependence(normal_uniforms(n, CORRELATION, 5), GaussianCopula(), assets=NAMES)
    error = (1 - CORRELATION**2) / math.sqrt(n)
    assert np.all(np.abs(fit.correlation - CORRELATION) <= 4 * error + 1e-15)
    assert fit.nu is None
    assert fit.n_obs == n


def test_independent_is_the_identity() -> None:
    fit = fit_dependence(normal_uniforms(50, CORRELATION, 5), Independent(), assets=NAMES)
    assert np.array_equal(fit.correlation, np.eye(3))
    assert fit.loglikelihood == 0.0


def test_one_asset_is_independent_with_a_finding() -> None:
    fit = fit_dependence(np.linspace(0.01, 0.99, 50)[:, None], StudentTCopula(), assets=["BTC"])
    assert fit.spec == Independent()
    assert fit.nu is None
    assert [(finding.code, finding.subject) for finding in fit.findings] == [("one-asset", "BTC")]


@pytest.mark.parametrize("spec", [GaussianCopula(), StudentTCopula()])
def test_identical_assets_are_named_and_the_rest_is_as_without(spec: DependenceSpec) -> None:
    uniforms = t_uniforms(800, CORRELATION, 5.0, 8)
    plain = fit_dependence(uniforms, spec, assets=NAMES)
    fit = fit_dependence(np.column_stack([uniforms, uniforms[:, 0]]), spec, assets=(*NAMES, "WBTC"))
    codes = {finding.code: finding for finding in fit.findings}
    assert set(codes) == {"perfect-correlation", "correlation-repaired"}
    assert codes["perfect-correlation"].subject == "WBTC"
    assert "BTC" in codes["perfect-correlation"].message
    assert fit.correlation[0, 3] == pytest.approx(1.0, abs=1e-6)
    assert fit.correlation[:3, :3] == pytest.approx(plain.correlation, abs=1e-6)
    assert fit.loglikelihood == pytest.approx(plain.loglikelihood, abs=1e-3)
    assert np.linalg.cond(fit.correlation) < 1.01e8


def test_only_copies_tell_nothing_of_nu() -> None:
    column = np.linspace(0.01, 0.99, 50)
    with pytest.raises(DataError, match="tells nothing of nu"):
        fit_dependence(np.column_stack([column, column]), StudentTCopula(), assets=("a", "b"))


def test_few_observations_are_shrunk_unless_told_not_to() -> None:
    correlation = equicorrelation(6, 0.4)
    uniforms = t_uniforms(40, correlation, 5.0, 17)
    shrunk = fit_dependence(uniforms, StudentTCopula(), assets=list("abcdef"))
    plain = fit_dependence(uniforms, StudentTCopula(shrinkage=None), assets=list("abcdef"))
    assert 0 < shrunk.shrinkage <= 1
    assert plain.shrinkage == 0.0
    assert "correlation-shrunk" in {finding.code for finding in shrunk.findings}
    off = ~np.eye(6, dtype=bool)
    assert shrunk.correlation[off].std() < plain.correlation[off].std()
    many = fit_dependence(t_uniforms(60, correlation, 5.0, 17), GaussianCopula(), assets=list("abcdef"))
    assert many.shrinkage == 0.0


def test_bad_uniforms_are_all_named_at_once() -> None:
    uniforms = t_uniforms(60, CORRELATION, 5.0, 1)
    uniforms[4, 0] = np.nan
    uniforms[:, 1] = 0.5
    uniforms[9, 2] = 1.0
    with pytest.raises(DataError) as caught:
        fit_dependence(uniforms, StudentTCopula(), assets=NAMES)
    assert [problem.name for problem in caught.value.problems] == list(NAMES)
    assert "row 4" in caught.value.problems[0].rule
    assert "constant" in caught.value.problems[1].rule


def test_bad_arguments_are_all_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        fit_dependence(np.full((30, 2), 0.5), "t", assets=["a", "a", "b"])  # type: ignore[arg-type]
    assert [problem.name for problem in caught.value.problems] == ["spec", "uniforms", "assets"]
    with pytest.raises(DataError, match="n_obs"):
        fit_dependence(normal_uniforms(5, CORRELATION, 1), GaussianCopula(), assets=NAMES)


@pytest.mark.parametrize("spec", [Independent(), GaussianCopula(), GaussianCopula(None), StudentTCopula()])
def test_specs_and_fits_survive_a_round_trip(spec: DependenceSpec) -> None:
    assert spec_from_dict(spec.to_dict()) == spec
    fit = fit_dependence(t_uniforms(60, CORRELATION, 5.0, 3), spec, assets=NAMES)
    assert DependenceFit.from_dict(fit.to_dict()) == fit
    copy = pickle.loads(pickle.dumps(fit))
    assert copy == fit
    assert hash(copy) == hash(fit)
    assert not copy.correlation.flags.writeable


def test_specs_refuse_what_they_do_not_know() -> None:
    with pytest.raises(InputError, match="shrinkage"):
        GaussianCopula(shrinkage="always")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="student-t"):
        spec_from_dict({"kind": "student"})
    with pytest.raises(InputError, match="known"):
        spec_from_dict({"kind": "independent", "shrinkage": "auto"})


def test_fit_refuses_what_is_no_dependence() -> None:
    with pytest.raises(InputError, match="negative eigenvalue"):
        DependenceFit(GaussianCopula(), NAMES, np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]))
    with pytest.raises(InputError, match="nu"):
        DependenceFit(StudentTCopula(), NAMES, np.eye(3), nu=2.0)
    with pytest.raises(InputError, match="degrees of freedom"):
        DependenceFit(GaussianCopula(), NAMES, np.eye(3), nu=5.0)
    with pytest.raises(InputError, match="identity"):
        DependenceFit(Independent(), NAMES, CORRELATION)
    with pytest.raises(InputError, match="loglikelihood = nan"):
        DependenceFit(GaussianCopula(), NAMES, np.eye(3), loglikelihood=math.nan)
    with pytest.raises(InputError, match="shape"):
        DependenceFit(GaussianCopula(), NAMES, np.eye(2))


def test_select_tail_dependence_and_tables() -> None:
    fit = DependenceFit(StudentTCopula(), ("<b>", "ETH", "PAXG"), CORRELATION, nu=4.0)
    part = fit.select(("PAXG", "<b>"))
    assert part.correlation[0, 1] == 0.3
    assert part.nu == 4.0
    # Demarta and McNeil (2005), table 1: nu = 4, rho = 0.5 gives 0.25.
    pair = DependenceFit(StudentTCopula(), ("a", "b"), equicorrelation(2, 0.5), nu=4.0)
    assert pair.tail_dependence().loc["a", "b"] == pytest.approx(0.25, abs=0.005)
    assert isinstance(fit.summary(), pd.DataFrame)
    assert "<b>" not in fit._repr_html_()
    assert "&lt;b&gt;" in fit._repr_html_()
