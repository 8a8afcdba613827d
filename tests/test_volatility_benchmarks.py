"""What published benchmarks are held against: optimum and three kinds of standard errors, by an independent twin.

The twin's own figures are checked against the published ones where the series is at hand; see docs/models.md.
"""

from __future__ import annotations

import math

import naive_benchmarks as naive
import numpy as np
import pytest
from volatility_models import DYNAMICS, MEANS, SHAPES, with_shape

from collatrisk.volatility import fit_volatility
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.recursions import recursion_of, simulate_residuals
from collatrisk.volatility.specs import Aparch, ConstantVolatility, Egarch, Ewma, Figarch, Garch, RiskMetrics2006

# Daily percents of an exchange rate: the estimates for DEM/GBP, rounded.
EXCHANGE = {
    "GARCH": (Garch(o=0, dist="normal"), naive.garch, [-0.006, 0.011, 0.15, 0.81]),
    "EGARCH": (Egarch(dist="normal"), naive.egarch, [-0.012, -0.13, 0.33, -0.04, 0.91]),
    "APARCH": (Aparch(dist="normal"), naive.aparch, [-0.01, 0.02, 0.16, 0.10, 0.80, 1.6]),
}


def percents(spec, truth, n, seed):
    """Returns in percent from the spec at (mu, the rest), normal innovations."""
    names = [name for name in fit_names(spec) if name != "mu"]
    recursion = recursion_of(spec, dict(zip(names, truth[1:], strict=True)))
    shocks = np.random.default_rng(seed).standard_normal((n, 1))
    return truth[0] + simulate_residuals(recursion, shocks, 0.22)[:, 0]


def fit_names(spec):
    letters = ["mu", "omega", "alpha[1]", *(["gamma[1]"] if spec.o else []), "beta[1]"]
    return [*letters, "delta"] if isinstance(spec, Aparch) else letters


@pytest.mark.parametrize("model", EXCHANGE)
def test_optimum_and_all_three_standard_errors_are_those_of_an_independent_twin(model):
    spec, twin, truth = EXCHANGE[model]
    y = percents(spec, truth, 1000, seed=4)
    fit = fit_volatility(y, spec, presample="mean_square")
    assert list(fit.params) == fit_names(spec)
    assert not any(finding.code == "parameter-on-kink" for finding in fit.findings)
    steps = np.array([1e-4 * fit.std_errors["hessian"][name] for name in fit.params], dtype=naive.LD)
    theta, value, errors = naive.maximum(twin, truth, y, steps)
    assert fit.loglikelihood == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(list(fit.params.values()), theta, rtol=1e-6)
    for kind, wanted in errors.items():
        np.testing.assert_allclose(list(fit.std_errors[kind].values()), wanted, rtol=2e-5, err_msg=kind)


@pytest.mark.parametrize(("mean", "seed"), [("constant", 2), ("ar1", 4)])
def test_an_optimum_on_a_kink_is_one_and_has_all_its_standard_errors(mean, seed):
    """Between its kinks the likelihood has the twin's curvature, for the mean as well."""
    spec, twin, truth = EXCHANGE["EGARCH"]
    y = percents(spec, truth, 400, seed)
    fit = fit_volatility(y, with_shape(spec, "normal", mean))
    assert any(finding.code == "parameter-on-kink" for finding in fit.findings)
    assert np.abs(fit.std_resid).min() < 1e-12
    assert fit.checks["gradient"] < 1e-6
    theta, errors = np.array(list(fit.params.values())), np.array(list(fit.std_errors["hessian"].values()))
    likelihood, rng = Likelihood(y, fit.spec), np.random.default_rng(0)
    for size in (1e-6, 1e-4, 1e-2):
        around = theta + size * errors * rng.standard_normal((40, theta.size))
        assert max(likelihood.loglikelihood(point) for point in around) <= fit.loglikelihood + 1e-9
    if mean == "constant":
        aside, steps = np.eye(theta.size)[0] * 1e-4 * errors, (1e-5 * errors).astype(naive.LD)
        wanted = np.linalg.inv(-naive.hessian_of(twin, theta + aside, y, steps))
        np.testing.assert_allclose(errors, np.sqrt(np.diag(wanted)), rtol=2e-3)
    else:
        np.testing.assert_allclose(errors, list(fit.std_errors["opg"].values()), rtol=0.25)


def scaled_params(spec, params, factor):
    """What the parameters become when the returns are multiplied by a factor."""
    beta = math.fsum(value for name, value in params.items() if name.startswith("beta"))
    power = params.get("delta") or getattr(spec, "delta", None) or getattr(spec, "power", 2.0)
    found = dict(params)
    if "mu" in found:
        found["mu"] *= factor
    if "omega" in found:
        shift = (1.0 - beta) * 2.0 * math.log(factor)
        found["omega"] = found["omega"] + shift if isinstance(spec, Egarch) else found["omega"] * factor**power
    return found


FAMILIES = [
    Garch(o=0),
    Garch(),
    Garch(power=1.0),
    Egarch(),
    Aparch(),
    Figarch(truncation=200),
    Ewma(),
    RiskMetrics2006(),
    ConstantVolatility(),
]
LAWS = [("normal", "constant"), ("t", "ar1"), ("skewt", "constant"), ("ged", "ar1"), ("skewt", "zero")]


@pytest.fixture(scope="module")
def decimals():
    """A year and a half of days, 3 % a day, with leverage and an autocorrelation."""
    shocks = Law("skewt", 6.0, -0.2).quantile(np.random.default_rng(12).random((600, 1)))
    e = simulate_residuals(recursion_of(Egarch(), DYNAMICS[Egarch()]), shocks, 9e-4)[:, 0]
    for t in range(1, e.size):
        e[t] += 4e-4 - 0.1 * e[t - 1]
    return e


@pytest.mark.parametrize(("dist", "mean"), LAWS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda spec: f"{type(spec).__name__}{getattr(spec, 'o', '')}")
def test_decimals_percents_and_basis_points_give_the_same_model(decimals, family, dist, mean):
    """Raw decimals, x 100 and x 10000: parameters, volatilities and likelihood to 1e-6."""
    spec = with_shape(family, dist, mean)
    base = fit_volatility(decimals, spec)
    assert set(base.params) >= set(MEANS[mean]) | set(SHAPES[dist])
    assert not any(finding.code == "not-converged" for finding in base.findings)
    for factor in (100.0, 10_000.0):
        other = fit_volatility(factor * decimals, spec)
        assert other.loglikelihood == pytest.approx(base.loglikelihood - base.n_obs * math.log(factor), rel=1e-9)
        np.testing.assert_allclose(other.conditional_volatility, factor * base.conditional_volatility, rtol=1e-6)
        for name, value in scaled_params(spec, base.params, factor).items():
            assert other.params[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert [finding.code for finding in other.findings] == [finding.code for finding in base.findings]
