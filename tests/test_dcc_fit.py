"""Fits of a moving correlation: against pymgarch, at the bounds, with shrinkage, and what a fit carries on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from dcc_models import dcc_scores, to_uniforms
from naive_dcc import dcc_path

from collatrisk.base.errors import DataError, InputError
from collatrisk.dependence import (
    Dcc,
    DependenceFit,
    EwmaCorrelation,
    GaussianCopula,
    equicorrelation,
    fit_dependence,
    spec_from_dict,
)
from collatrisk.dependence.density import t_scores
from collatrisk.dependence.dynamic_likelihood import DynamicLikelihood
from collatrisk.dependence.score_curve import ScoreCurve

NAMES = tuple("ABCDEFGH")


def fit(scores, spec, nu=None, **options):
    return fit_dependence(to_uniforms(scores, nu), spec, assets=NAMES[: scores.shape[1]], **options)


# (assets, seed, nu of the scores, variant, likelihood) -> a, b, g by pymgarch 0.6.0, `fit_stage2` on the same scores.
PEER = [
    ((2, 1, None, "standard", "full"), (0.03436993, 0.94636824, 0.0)),
    ((2, 1, None, "asymmetric", "full"), (0.03350568, 0.94620987, 0.00245947)),
    ((5, 2, None, "standard", "full"), (0.04168795, 0.92137357, 0.0)),
    ((5, 2, None, "asymmetric", "full"), (0.03979397, 0.92227297, 0.00458054)),
    ((5, 2, None, "standard", "composite"), (0.04270262, 0.9270871, 0.0)),
    ((5, 3, 6.0, "standard", "full"), (0.02988092, 0.93980389, 0.0)),
    ((5, 3, 6.0, "standard", "composite"), (0.03314379, 0.92639859, 0.0)),
]


@pytest.mark.parametrize(("case", "wanted"), PEER)
def test_parameters_are_those_of_pymgarch(case, wanted):
    size, seed, nu, variant, likelihood = case
    scores = dcc_scores(1500, size, 0.04, 0.93, seed=seed, nu=nu)
    target = DynamicLikelihood(scores, variant, None, likelihood == "composite")
    peak = target.climb(np.array([0.05, 0.9, 0.01 if variant == "asymmetric" else 0.0]))
    assert peak.decrement < 1e-9
    assert peak.theta == pytest.approx(wanted, abs=1e-6)


def test_gaussian_copula_of_normal_uniforms_is_the_textbook_dcc():
    scores = dcc_scores(1500, 5, 0.04, 0.93, seed=2)
    found = fit(scores, Dcc(copula="gaussian"), std_errors=False)
    assert (found.dynamics.a, found.dynamics.b) == pytest.approx((0.04168795, 0.92137357), abs=1e-6)
    # pymgarch reports the density of the residuals, not of the copula: the margins lie between them.
    margins = -0.5 * np.sum(scores**2) - 0.5 * scores.size * np.log(2 * np.pi)
    assert found.loglikelihood + margins == pytest.approx(-9071.45835978, abs=1e-5)


@pytest.mark.parametrize("variant", ["standard", "corrected", "asymmetric"])
def test_the_state_is_where_history_ends(variant):
    scores = dcc_scores(800, 3, 0.06, 0.9, seed=5)
    found = fit(scores, Dcc(variant, "gaussian"), std_errors=False)
    path = dcc_path(ScoreCurve(to_uniforms(scores)).normal, variant, *(getattr(found.dynamics, k) for k in "abg"))
    assert found.dynamics.state == pytest.approx(path[-1], abs=1e-9)
    sd = np.sqrt(np.diag(path[-1]))
    assert found.next_correlation == pytest.approx(path[-1] / np.outer(sd, sd), abs=1e-9)
    levels = found.forecast_correlation(2000)
    assert levels[0] == pytest.approx(found.next_correlation, abs=1e-12)
    assert levels[-1] == pytest.approx(found.correlation, abs=1e-6)


def test_t_copula_finds_nu_and_the_motion():
    scores = dcc_scores(2500, 3, 0.05, 0.92, nu=6.0, seed=6)
    found = fit(scores, Dcc(), nu=6.0)
    errors = found.dynamics.std_errors
    assert abs(found.nu - 6.0) < 4 * errors["nu"]
    assert abs(found.dynamics.a - 0.05) < 4 * errors["a"]
    assert abs(found.dynamics.b - 0.92) < 4 * errors["b"]
    assert found.nu_std_error == errors["nu"]
    gaussian = fit(scores, Dcc(copula="gaussian"), nu=6.0, std_errors=False)
    assert found.aic < gaussian.aic


def test_more_parameters_are_not_less_likely():
    scores = dcc_scores(900, 4, 0.05, 0.9, seed=7)
    constant = fit(scores, GaussianCopula()).loglikelihood
    plain = fit(scores, Dcc(copula="gaussian"), std_errors=False).loglikelihood
    asymmetric = fit(scores, Dcc("asymmetric", "gaussian"), std_errors=False).loglikelihood
    assert constant < plain <= asymmetric + 1e-6


def test_an_asymmetric_t_copula_is_at_least_as_likely_as_the_symmetric_one():
    # The largest g that the recursion bears moves with nu; a search that forgets it ends at another nu.
    rng = np.random.default_rng(12)
    scores = dcc_scores(700, 6, 0.03, 0.93, nu=7.0, seed=11)
    scores *= np.where((np.arange(700) % 90 < 4)[:, None] & (rng.random((700, 1)) < 0.8), 1.8, 1.0)
    plain = fit(scores, Dcc(), nu=7.0, std_errors=False)
    asymmetric = fit(scores, Dcc("asymmetric"), nu=7.0, std_errors=False)
    assert asymmetric.loglikelihood >= plain.loglikelihood - 1e-4


def test_constant_correlation_is_said_to_be_constant():
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((600, 3)) @ np.linalg.cholesky(equicorrelation(3, 0.5)).T
    found = fit(scores, Dcc(copula="gaussian"))
    codes = {finding.code for finding in found.findings}
    assert found.dynamics.a < 0.02
    if found.dynamics.a < 1e-5:
        assert {"correlation-constant", "no-standard-errors"} <= codes


def test_ewma_weights_the_past():
    scores = dcc_scores(300, 3, 0.05, 0.9, seed=8)
    found = fit(scores, EwmaCorrelation(0.9, "gaussian"))
    weights = 0.1 * 0.9 ** np.arange(299, -1, -1)
    x = ScoreCurve(to_uniforms(scores)).normal
    start = x.T @ x / 300
    start /= np.outer(np.sqrt(np.diag(start)), np.sqrt(np.diag(start)))
    state = 0.9**300 * start + (x * weights[:, None]).T @ x
    assert found.dynamics.state == pytest.approx(state, abs=1e-12)
    assert found.correlation == pytest.approx(found.next_correlation)
    assert np.array_equal(found.forecast_correlation(50)[-1], found.next_correlation)


def test_few_observations_are_shrunk():
    scores = dcc_scores(60, 8, 0.05, 0.9, seed=9)
    found = fit(scores, Dcc(copula="gaussian"), std_errors=False)
    plain = fit(scores, Dcc(copula="gaussian", shrinkage=None), std_errors=False)
    assert 0 < found.shrinkage <= 1
    assert "correlation-shrunk" in {finding.code for finding in found.findings}
    assert np.linalg.cond(found.correlation) < np.linalg.cond(plain.correlation)


def test_more_than_twenty_assets_are_fitted_by_pairs():
    scores = dcc_scores(400, 22, 0.03, 0.94, seed=10)
    found = fit_dependence(to_uniforms(scores), Dcc(copula="gaussian"), assets=[str(i) for i in range(22)])
    assert found.dynamics.likelihood == "composite"
    assert found.dynamics.covariance is None
    assert "no-standard-errors" in {finding.code for finding in found.findings}


def test_copies_have_no_motion():
    scores = dcc_scores(200, 2, 0.05, 0.9)
    scores[:, 1] = scores[:, 0]
    with pytest.raises(DataError, match="moves as one with A"):
        fit(scores, Dcc())


def test_score_curve_is_the_t_quantile():
    uniforms = np.concatenate([10.0 ** -np.arange(1, 15.5, 0.5), np.linspace(0.01, 0.99, 197)])
    uniforms = np.concatenate([uniforms, 1 - uniforms])[:, None]
    curve = ScoreCurve(uniforms)
    for nu in (2.1, 3.3, 8.0, 60.0, 200.0):
        wanted = t_scores(uniforms, nu) * np.sqrt((nu - 2) / nu)
        assert np.allclose(curve.at(nu), wanted, rtol=1e-7, atol=1e-9)


SPECS = [Dcc(), Dcc("corrected", "gaussian", "composite", None), EwmaCorrelation(0.97)]


@pytest.mark.parametrize("spec", SPECS)
def test_specs_and_fits_survive_files_and_pickles(spec):
    assert spec_from_dict(spec.to_dict()) == spec
    found = fit(dcc_scores(200, 3, 0.05, 0.9, nu=5.0), spec, nu=5.0, std_errors=False)
    assert DependenceFit.from_dict(found.to_dict()) == found
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert not again.dynamics.state.flags.writeable
    some = found.select(("C", "A"))
    assert some.next_correlation[0, 1] == found.next_correlation[2, 0]


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Dcc("standrd"), "did you mean 'standard'"),
        (lambda: Dcc(copula="normal"), "copula"),
        (lambda: Dcc(likelihood="pairs"), "likelihood"),
        (lambda: Dcc(shrinkage="always"), "shrinkage"),
        (lambda: EwmaCorrelation(1.0), "decay"),
        (lambda: spec_from_dict({"kind": "dcc", "decay": 0.9}), "decay"),
        (lambda: spec_from_dict({"kind": "grouped-t"}), "groups"),
    ],
)
def test_bad_specs_say_what_is_wrong(make, rule):
    with pytest.raises(InputError, match=rule):
        make()


@pytest.mark.parametrize("seed", [17, 33, 59])
def test_an_optimum_at_the_smallest_b_is_found_on_that_bound(seed):
    scores = np.random.default_rng(seed).standard_normal((500, 2))
    uniforms = (scores.argsort(axis=0).argsort(axis=0) + 0.5) / 500
    found = fit_dependence(uniforms, Dcc(copula="gaussian"), assets=("A", "B"), std_errors=False)
    assert "not-converged" not in {finding.code for finding in found.findings}
    assert found.dynamics.b == pytest.approx(1e-4, rel=1e-6)
    likelihood = DynamicLikelihood(ScoreCurve(uniforms).at(None), found.dynamics.motion, None, False, 0.0)
    near = found.dynamics.a * np.linspace(0.5, 1.5, 41)
    values = [float(np.sum(likelihood.evaluate(np.array([a, 1e-4, 0.0]))[0])) for a in near]
    assert int(np.argmax(values)) == 20
    assert found.loglikelihood == pytest.approx(max(values), abs=1e-9)
