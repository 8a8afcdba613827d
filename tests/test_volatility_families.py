"""Every volatility family: likelihood and scores against twins, fits against arch, units, coordinates, files."""

from __future__ import annotations

import math
import pickle

import naive_recursions
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from volatility_models import DYNAMICS, cases, history, with_shape

from collatrisk.base.errors import InputError
from collatrisk.volatility import distributions as laws, fit_volatility, generalised_error, spec_from_dict
from collatrisk.volatility.coordinates import Coordinates, as_vector
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import PRESAMPLES, Likelihood, parameter_names
from collatrisk.volatility.recursions import recursion_of, simulate_residuals
from collatrisk.volatility.specs import Aparch, Egarch, Figarch, Garch, RiskMetrics2006

CASES = [*cases("t"), *cases("ged", "ar1"), *cases("skewt", "zero")]


def name(value):
    return f"{type(value).__name__}-{value.dist}-{value.mean}" if not isinstance(value, dict) else ""


@pytest.mark.parametrize(("spec", "params"), CASES, ids=name)
@pytest.mark.parametrize("presample", PRESAMPLES)
def test_likelihood_against_its_twin_and_its_scores_against_differences(spec, params, presample):
    y = history(160, seed=4)
    likelihood = Likelihood(y, spec, presample)
    theta = as_vector(spec, params)
    values, scores = likelihood.evaluate(theta)
    filtered = likelihood.filter(theta)
    mean, ar = params.get("mu", 0.0), params.get("ar[1]", 0.0)
    explained = y[1:] - ar * y[:-1] if spec.mean == "ar1" else y
    np.testing.assert_allclose(filtered.residuals, explained - mean, atol=1e-15)
    if filtered.start.size == 1:
        start = float(filtered.start[0])
        naive = naive_recursions.filter_variances(spec, params, filtered.residuals.tolist(), start)
        np.testing.assert_allclose(filtered.variances, naive, rtol=1e-9)
    law = likelihood.law(theta)
    sd = np.sqrt(filtered.variances)
    density = laws.logpdf(law.dist, filtered.residuals / sd, law.nu, law.lam) - np.log(sd)
    np.testing.assert_allclose(values, density, rtol=1e-12, atol=1e-12)
    for place, value in enumerate(theta):
        step = 1e-5 * max(abs(value), 1e-5)
        ahead, behind = theta.copy(), theta.copy()
        ahead[place] += step
        behind[place] -= step
        slope = (likelihood.loglikelihood(ahead) - likelihood.loglikelihood(behind)) / (2.0 * step)
        size = float(np.abs(scores[:, place]).sum())
        assert scores[:, place].sum() == pytest.approx(slope, abs=2e-6 * size), likelihood.names[place]


@pytest.mark.parametrize("spec", [*DYNAMICS, Garch(mean="ar1"), with_shape(Garch(), "ged")], ids=repr)
def test_the_unit_of_the_returns_does_not_matter(spec):
    """Raw decimals, percents and basis points: the same model to 1e-6."""
    rng = np.random.default_rng(7)
    law = Law("t", 6.0)
    params = DYNAMICS[Egarch()] if not isinstance(spec, Figarch) else DYNAMICS[Figarch(truncation=400)]
    model = Egarch() if not isinstance(spec, Figarch) else Figarch(truncation=400)
    shocks = law.quantile(rng.random((700, 1)))
    y = simulate_residuals(recursion_of(model, params), shocks, 9e-4)[:, 0] + 3e-4
    base = fit_volatility(y, spec)
    assert not any(finding.code == "not-converged" for finding in base.findings)
    for factor in (100.0, 10_000.0):
        other = fit_volatility(factor * y, spec)
        assert other.loglikelihood == pytest.approx(base.loglikelihood - base.n_obs * math.log(factor), rel=1e-9)
        np.testing.assert_allclose(other.conditional_volatility, factor * base.conditional_volatility, rtol=1e-6)
        assert other.next_variance == pytest.approx(factor**2 * base.next_variance, rel=1e-6)
        for parameter, value in base.params.items():
            if parameter == "omega" and isinstance(spec, Egarch):
                beta = sum(v for key, v in base.params.items() if key.startswith("beta"))
                value += (1.0 - beta) * 2.0 * math.log(factor)
            elif parameter == "omega":
                fixed = getattr(spec, "power", None) or getattr(spec, "delta", None)
                value *= factor ** (fixed or base.params["delta"])
            elif parameter == "mu":
                value *= factor
            assert other.params[parameter] == pytest.approx(value, rel=1e-6, abs=1e-8), parameter
        for kind in ("hessian", "robust", "opg"):
            for parameter in ("nu", *(key for key in base.params if key.endswith("]"))):
                if parameter in base.params:
                    pair = other.std_errors[kind][parameter], base.std_errors[kind][parameter]
                    np.testing.assert_allclose(*pair, rtol=1e-3, equal_nan=True)


def arch_fit(y, spec):
    """arch on percents with a tight tolerance and its own back-cast: (log-likelihood in decimals, parameters)."""
    from arch import univariate as au

    percent = 100.0 * y
    mean = {"constant": au.ConstantMean, "zero": au.ZeroMean}.get(spec.mean, lambda x: au.ARX(x, lags=1))(percent)
    mean.rescale = False
    if isinstance(spec, Garch):
        mean.volatility = au.GARCH(spec.p, spec.o, spec.q, spec.power)
    elif isinstance(spec, Egarch):
        mean.volatility = au.EGARCH(spec.p, spec.o, spec.q)
    elif isinstance(spec, Aparch):
        mean.volatility = au.APARCH(spec.p, spec.o, spec.q, spec.delta)
    elif isinstance(spec, Figarch):
        mean.volatility = au.FIGARCH(spec.p, spec.q, spec.power, spec.truncation)
    else:
        mean.volatility = au.RiskMetrics2006()
    kinds = {"normal": au.Normal, "t": au.StudentsT, "skewt": au.SkewStudent, "ged": au.GeneralizedError}
    mean.distribution = kinds[spec.dist]()
    result = mean.fit(disp="off", show_warning=False, tol=1e-12, options={"maxiter": 2000})
    n = result.resid[~np.isnan(result.resid)].size
    return result.loglikelihood + n * math.log(100.0), result


@pytest.fixture(scope="module")
def sp500():
    import arch.data.sp500

    return np.log(arch.data.sp500.load()["Adj Close"]).diff().dropna().to_numpy()[-1500:]


@pytest.mark.parametrize(
    "spec",
    [
        Garch(power=1.0),
        Garch(mean="ar1"),
        Garch(dist="ged", o=0),
        Egarch(dist="normal"),
        Egarch(dist="skewt"),
        Aparch(dist="normal"),
        Aparch(delta=1.2),
        Figarch(truncation=300),
        Figarch(p=0, dist="ged", truncation=300),
        Figarch(power=1.0, truncation=300),
        RiskMetrics2006(mean="constant", dist="t"),
    ],
    ids=repr,
)
def test_a_fit_is_arch_s_or_better(sp500, spec):
    """The same likelihood (at arch's parameters it gives arch's value), and an optimum that is never below arch's."""
    theirs, result = arch_fit(sp500, spec)
    likelihood = Likelihood(100.0 * sp500, spec, "backcast")
    at_theirs = likelihood.loglikelihood(result.params.to_numpy())
    if spec.mean != "ar1":  # arch back-casts from residuals of its own starting values there
        n = likelihood.n
        assert at_theirs + n * math.log(100.0) == pytest.approx(theirs, rel=1e-9)
    fit = fit_volatility(sp500, spec, presample="backcast")
    assert fit.loglikelihood > theirs - 1e-4
    np.testing.assert_allclose(
        fit.conditional_volatility[-300:], result.conditional_volatility[-300:] / 100.0, rtol=0.05
    )


def test_standard_errors_of_all_three_kinds_against_differences_and_scores():
    """Hessian, OPG and sandwich of a fit in percents, from differences of the twin's log-likelihood."""
    spec = Aparch(dist="normal", delta=1.5)
    rng = np.random.default_rng(2)
    recursion = recursion_of(spec, {"omega": 0.03, "alpha[1]": 0.08, "gamma[1]": 0.4, "beta[1]": 0.88})
    y = simulate_residuals(recursion, rng.standard_normal((1500, 1)), 1.0)[:, 0]
    fit = fit_volatility(y, spec)
    theta, likelihood = as_vector(spec, fit.params), Likelihood(y, spec)
    steps = 1e-3 * np.array(list(fit.std_errors["hessian"].values()))
    k = theta.size
    hessian = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = steps[i] * np.eye(k)[i], steps[j] * np.eye(k)[j]
            corners = [likelihood.loglikelihood(theta + s * a + t * b) for s in (1, -1) for t in (1, -1)]
            hessian[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4.0 * steps[i] * steps[j])
    inverse, scores = np.linalg.inv(-hessian), likelihood.evaluate(theta)[1]
    meat = scores.T @ scores
    for kind, wanted in (("hessian", inverse), ("opg", np.linalg.inv(meat)), ("robust", inverse @ meat @ inverse)):
        found = np.array(list(fit.std_errors[kind].values()))
        np.testing.assert_allclose(found, np.sqrt(np.diag(wanted)), rtol=5e-3)


def test_a_persistence_above_one_is_held_at_one_by_the_law_at_hand():
    """APARCH on a random walk in volatility: the constraint is curved; no point of persistence 1 nearby is better."""
    rng = np.random.default_rng(1)
    sd = np.exp(np.cumsum(0.3 * rng.standard_normal(800)))
    y = sd * rng.standard_normal(800)
    fit = fit_volatility(y, Aparch(delta=1.0, dist="t"))
    assert fit.persistence == pytest.approx(1.0, abs=1e-6)
    assert "persistence-at-or-above-one" in {finding.code for finding in fit.findings}
    scale = float(np.std(y))
    coordinates, likelihood = Coordinates(fit.spec), Likelihood(y / scale, fit.spec)
    units = np.array([1.0 / scale, 1.0 / scale, 1.0, 1.0, 1.0, 1.0])
    best = as_vector(fit.spec, fit.params) * units
    top = likelihood.loglikelihood(best)
    for _ in range(60):
        moved = coordinates.pulled_inside(best * (1.0 + 0.02 * rng.standard_normal(best.size)), 0.0)
        assert likelihood.loglikelihood(np.clip(moved, *likelihood.bounds.T)) <= top + 1e-6


@given(st.sampled_from([spec for spec, _ in CASES]), st.lists(st.floats(-5.0, 5.0), min_size=12, max_size=12))
def test_every_point_of_the_plane_is_a_valid_model_and_comes_back(spec, values):
    coordinates = Coordinates(spec)
    free = np.array(values[: len(coordinates.names)])
    theta = coordinates.params(free)
    law = coordinates.law(theta)
    if math.isfinite(sum(law.half_moments(getattr(spec, "power", 2.0)))):
        assert coordinates.gap(theta) > 0.0 or isinstance(spec, Figarch)
    bounds = Likelihood(history(60), spec).bounds
    for parameter, value, (low, high) in zip(coordinates.names, theta, bounds, strict=True):
        if parameter not in {"mu", "omega"} and not parameter.startswith(("gamma", "alpha")):
            assert low - 1e-12 <= value <= high + 1e-12 or parameter == "nu", parameter
    if math.isfinite(sum(law.half_moments(float(theta[-3]) if "delta" in coordinates.names else 2.0))):
        np.testing.assert_allclose(coordinates.free(theta), free, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "n", "method"),
    [
        (Egarch(dist="normal"), 200, "covariance"),
        (Garch(power=1.0, dist="normal"), 200, "covariance"),
        (Figarch(truncation=60, dist="normal"), 8, "bootstrap"),  # phi is within an error of 0
    ],
    ids=lambda value: repr(value) if isinstance(value, Egarch | Garch | Figarch) else "",
)
def test_parameters_can_be_drawn_and_each_draw_filters_its_own_state(spec, n, method):
    rng = np.random.default_rng(5)
    params = {Egarch: DYNAMICS[Egarch()], Figarch: DYNAMICS[Figarch(truncation=400)], Garch: DYNAMICS[Garch(power=1.0)]}
    own = dict(params[type(spec)])
    y = simulate_residuals(recursion_of(spec, own), rng.standard_normal((1500, 1)), 9e-4)[:, 0]
    fit = fit_volatility(y, spec)
    draws = fit.draw_params(n, np.random.default_rng(1))
    assert draws.method == method
    if method == "covariance":
        spread = draws.frame.std() / np.array([fit.std_errors["robust"][key] for key in draws.names])
        assert np.all((spread > 0.6) & (spread < 1.6))
    else:
        assert [finding.code for finding in draws.findings] == ["parameters-bootstrapped"]
    assert draws.next_variance.std() > 0.0
    assert np.all(np.isfinite(draws.next_variance))
    assert pickle.loads(pickle.dumps(fit.uncertainty)) == fit.uncertainty
    likelihood = Likelihood(fit.returns, spec)
    filtered = likelihood.filter(draws.values[3])
    lags = draws.last_residuals.shape[1]
    np.testing.assert_array_equal(draws.last_residuals[3], filtered.residuals[-lags:])


@pytest.mark.parametrize("nu", [1.05, 1.5, 2.0, 5.0])
def test_the_generalised_error_law_is_scipy_s_with_variance_one(nu):
    scale = math.sqrt(math.gamma(1.0 / nu) / math.gamma(3.0 / nu))
    reference = stats.gennorm(nu, scale=scale)
    z = np.array([-6.0, -2.0, -0.3, 0.0, 0.4, 1.0, 5.0])
    np.testing.assert_allclose(laws.logpdf("ged", z, nu), reference.logpdf(z), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(laws.cdf("ged", z, nu), reference.cdf(z), rtol=1e-9)
    u = np.array([1e-12, 1e-3, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(laws.ppf("ged", u, nu), reference.ppf(u), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(laws.isf("ged", u, nu), -laws.ppf("ged", u, nu), rtol=1e-9, atol=1e-12)
    quantile = float(reference.ppf(0.02))
    mean = reference.expect(lambda x: x, lb=-np.inf, ub=quantile) / 0.02
    assert laws.tail_mean("ged", 0.02, nu) == pytest.approx(mean, rel=1e-6)
    assert laws.tail_mean("ged", 0.7, nu) == pytest.approx(3.0 / 7.0 * laws.tail_mean("ged", 0.3, nu), rel=1e-9)
    assert generalised_error.absolute_moment(3.0, nu) == pytest.approx(
        reference.expect(lambda x: abs(x) ** 3, lb=-60, ub=60), rel=1e-6
    )


@pytest.mark.parametrize("law", [Law(), Law("t", 4.5), Law("skewt", 5.0, -0.3), Law("ged", 1.3)], ids=repr)
def test_moments_of_laws_by_simulation_of_their_quantiles(law):
    z = law.quantile((np.arange(2_000_000) + 0.5) / 2_000_000)
    for power in (0.7, 1.0, 2.0):
        below, above = law.half_moments(power)
        assert below == pytest.approx(float(np.mean(np.abs(z) ** power * (z < 0))), rel=2e-3)
        assert above == pytest.approx(float(np.mean(np.abs(z) ** power * (z > 0))), rel=2e-3)
    if law.exponential_tails:
        assert law.exponential_moment(0.2, -0.1) == pytest.approx(
            float(np.mean(np.exp(0.2 * abs(z) - 0.1 * z))), rel=1e-4
        )
    else:
        assert law.exponential_moment(0.2, -0.1) == math.inf
        assert law.exponential_moment(-0.2, 0.1) == pytest.approx(
            float(np.mean(np.exp(-0.2 * abs(z) + 0.1 * z))), rel=1e-4
        )


@pytest.mark.parametrize("spec", [spec for spec, _ in CASES] + [Garch()], ids=repr)
def test_specs_come_back_from_their_dictionaries_and_name_their_parameters(spec):
    assert spec_from_dict(spec.to_dict()) == spec
    assert len(set(parameter_names(spec))) == len(parameter_names(spec))


def test_a_garch_of_power_two_is_written_as_before():
    assert "power" not in Garch().to_dict()
    assert Garch(power=1.0).to_dict()["power"] == 1.0


def test_wrong_specs_name_every_broken_rule():
    for build, broken in (
        (lambda: Egarch(p=0, o=0), ("p",)),
        (lambda: Aparch(p=1, o=2, delta=9.0), ("o", "delta")),
        (lambda: Figarch(p=2, truncation=3, dist="cauchy"), ("p", "truncation", "dist")),
        (lambda: RiskMetrics2006(kmax=40), ("tau0",)),
        (lambda: Garch(power=0.0, mean="ar2"), ("power", "mean")),
    ):
        with pytest.raises(InputError) as caught:
            build()
        assert tuple(problem.name for problem in caught.value.problems) == broken


def test_what_a_model_cannot_do_is_said():
    rng = np.random.default_rng(9)
    y = simulate_residuals(recursion_of(Egarch(), DYNAMICS[Egarch()]), rng.standard_t(6, (900, 1)) * 0.8, 9e-4)[:, 0]
    fit = fit_volatility(y, Egarch())
    assert "infinite-variance" in {finding.code for finding in fit.findings}
    assert np.isinf(fit.forecast(3)[1:]).all()
    assert "infinite-variance" not in {finding.code for finding in fit_volatility(y, Egarch(dist="ged")).findings}
    long = fit_volatility(y, Figarch(truncation=200))
    assert "long-memory" in {finding.code for finding in long.findings}
