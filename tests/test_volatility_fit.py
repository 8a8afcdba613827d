"""Estimation against arch fitted with care, against a naive direct maximisation, and against known parameters."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from naive import gjr_filter
from scipy import optimize, stats

from collatrisk.volatility import ConstantVolatility, Ewma, Garch, distributions as laws, fit_volatility
from collatrisk.volatility.likelihood import PRESAMPLES, Likelihood


@pytest.fixture(scope="module")
def sp500() -> pd.Series:
    """Daily log returns of the S&P 500, 1999 to 2018, in decimals."""
    import arch.data.sp500

    return np.log(arch.data.sp500.load()["Adj Close"]).diff().dropna()


def arch_with_care(percent, spec, **options):
    """arch on percents, tight tolerance: (parameters in decimals by our names, log-likelihood in decimals, result)."""
    from arch import arch_model

    mean = {"constant": "Constant", "zero": "Zero"}[spec.mean]
    orders = {"p": spec.p, "o": spec.o, "q": spec.q}
    model = arch_model(percent, mean=mean, vol="GARCH", dist=spec.dist, rescale=False, **orders)
    result = model.fit(disp="off", tol=1e-13, options={"maxiter": 1000}, **options)
    units = {"mu": 1e-2, "omega": 1e-4}
    params = {{"eta": "nu"}.get(name, name): x * units.get(name, 1.0) for name, x in result.params.items()}
    return params, result.loglikelihood + len(percent) * math.log(100.0), result


def simulate_gjr(n, *, mu, omega, alpha, gamma, beta, nu, seed):
    """GJR(1,1,1) with unit-variance t innovations, one step at a time."""
    rng = np.random.default_rng(seed)
    z = rng.standard_t(nu, n + 500) * math.sqrt((nu - 2.0) / nu)
    h, returns = omega / (1.0 - alpha - 0.5 * gamma - beta), []
    for draw in z:
        e = math.sqrt(h) * draw
        returns.append(mu + e)
        h = omega + (alpha + gamma * (e < 0.0)) * e * e + beta * h
    return np.array(returns[500:])


@pytest.mark.parametrize(
    "spec",
    [
        Garch(),
        Garch(dist="skewt"),
        Garch(p=1, o=0, q=1, dist="normal"),
        Garch(p=1, o=1, q=1, dist="normal", mean="zero"),
        Garch(p=1, o=2, q=0, dist="t", mean="zero"),
        Garch(p=2, o=1, q=2, dist="t"),
    ],
    ids=str,
)
def test_backcast_fit_of_the_sp500_is_arch_s(sp500, spec):
    params, loglikelihood, _ = arch_with_care(100.0 * sp500.to_numpy(), spec)
    fit = fit_volatility(sp500, spec, presample="backcast")
    assert list(fit.params) == list(params)
    assert fit.loglikelihood == pytest.approx(loglikelihood, abs=1e-6)
    assert fit.loglikelihood > loglikelihood - 1e-9  # never below it
    for name, value in params.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-4, abs=1e-6 if name != "omega" else 0.0), name


def test_standard_errors_and_filter_are_arch_s_inside_the_bounds(sp500):
    spec = Garch(p=1, o=0, q=1, dist="t")
    _, _, result = arch_with_care(100.0 * sp500.to_numpy(), spec)
    fit = fit_volatility(sp500, spec, presample="backcast")
    units = np.array([1e-2, 1e-4, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(list(fit.std_errors["robust"].values()), result.std_err * units, rtol=5e-3)
    classic = result.model.fit(disp="off", cov_type="classic", starting_values=result.params, tol=1e-13)
    np.testing.assert_allclose(list(fit.std_errors["hessian"].values()), classic.std_err * units, rtol=5e-3)
    np.testing.assert_allclose(fit.conditional_volatility, result.conditional_volatility / 100.0, rtol=1e-5)
    np.testing.assert_allclose(fit.std_resid, result.std_resid, rtol=1e-4, atol=1e-6)
    theirs = result.forecast(horizon=20, reindex=False).variance.to_numpy()[0] * 1e-4
    np.testing.assert_allclose(fit.forecast(20), theirs, rtol=1e-5)
    np.testing.assert_allclose(np.diag(fit.covariance) ** 0.5, list(fit.std_errors["robust"].values()), rtol=1e-14)


def naive_minus_loglikelihood(theta, y, dist):
    mu, omega, alpha, gamma, beta = theta[:5]
    residuals, variances = gjr_filter(y, mu, omega, (alpha,), (gamma,), (beta,))
    if min(omega, alpha, beta) < 0.0 or variances.min() <= 0.0:
        return 1e10
    sd = np.sqrt(variances)
    if dist == "normal":
        return -float(np.sum(stats.norm.logpdf(residuals, scale=sd)))
    scale = math.sqrt((theta[5] - 2.0) / theta[5])
    return -float(np.sum(stats.t.logpdf(residuals, theta[5], scale=sd * scale)))


def difference_hessian(function, x, steps):
    k = x.size
    found = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = np.eye(k)[i] * steps[i], np.eye(k)[j] * steps[j]
            found[i, j] = (function(x + a + b) - function(x + a - b) - function(x - a + b) + function(x - a - b)) / (
                4.0 * steps[i] * steps[j]
            )
    return found


@pytest.mark.parametrize("dist", ["normal", "t"])
def test_mean_square_fit_is_the_naive_direct_maximum(dist):
    """The pre-sample value follows mu inside the likelihood: optimum and Hessian errors of exactly that function."""
    y = simulate_gjr(700, mu=0.05, omega=0.05, alpha=0.06, gamma=0.12, beta=0.80, nu=6.0, seed=11)
    fit = fit_volatility(y, Garch(dist=dist))
    ours = np.array(list(fit.params.values()))

    def naive(theta):
        return naive_minus_loglikelihood(theta, y, dist)

    start = np.array([y.mean(), 0.1 * y.var(), 0.05, 0.1, 0.8, 8.0])[: ours.size]
    options = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000, "adaptive": True}
    theirs = optimize.minimize(naive, start, method="Nelder-Mead", options=options)
    assert theirs.success
    assert fit.loglikelihood == pytest.approx(-theirs.fun, abs=1e-6)
    np.testing.assert_allclose(ours, theirs.x, rtol=2e-4, atol=2e-5)
    errors = np.array(list(fit.std_errors["hessian"].values()))
    covariance = np.linalg.inv(difference_hessian(naive, ours, 2e-3 * errors))
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-3)


def test_the_presample_convention_moves_the_answer(sp500):
    y = sp500.loc["2008-10":"2012"].to_numpy()  # a stormy start
    spec = Garch(o=0, dist="normal")
    square, back = (fit_volatility(y, spec, presample=rule) for rule in PRESAMPLES)
    assert abs(square.params["alpha[1]"] / back.params["alpha[1]"] - 1.0) > 1e-3
    assert square.conditional_volatility[0] != back.conditional_volatility[0]
    # the first variance is omega + (alpha + beta) b, b the mean squared residual
    e = y - square.params["mu"]
    first = square.params["omega"] + (square.params["alpha[1]"] + square.params["beta[1]"]) * np.mean(e**2)
    assert square.conditional_volatility[0] ** 2 == pytest.approx(first, rel=1e-12)


@pytest.mark.parametrize("presample", PRESAMPLES)
@pytest.mark.parametrize(
    ("spec", "theta"),
    [
        (Garch(p=2, o=1, q=2, dist="skewt"), [0.05, 0.02, 0.03, 0.01, 0.1, 0.5, 0.3, 7.0, -0.1]),
        (Garch(p=1, o=2, q=0, dist="t", mean="zero"), [0.3, 0.1, 0.2, 0.1, 5.0]),
        (Garch(p=0, o=1, q=1, dist="normal"), [0.0, 0.05, 0.2, 0.8]),
        (Ewma(0.9, mean="constant", dist="t"), [0.02, 5.0]),
        (ConstantVolatility(mean="constant", dist="skewt"), [0.0, 1.2, 5.0, 0.2]),
    ],
    ids=str,
)
def test_likelihood_against_its_twin_and_its_scores_against_differences(spec, theta, presample):
    y = np.random.default_rng(3).standard_t(5, 300)
    theta = np.array(theta)
    likelihood = Likelihood(y, spec, presample)
    values, scores = likelihood.evaluate(theta)
    found = likelihood.recursion(theta)
    mu = theta[0] if spec.mean == "constant" else 0.0
    start = None if presample == "mean_square" else float(likelihood.backcast[0])
    residuals, variances = gjr_filter(y, mu, found.omega, found.alpha, found.gamma, found.beta, start)
    filtered = likelihood.filter(theta)
    np.testing.assert_allclose(filtered.variances, variances, rtol=1e-12)
    nu, lam = likelihood.law(theta).nu, likelihood.law(theta).lam
    naive = laws.logpdf(spec.dist, residuals / np.sqrt(variances), nu, lam) - 0.5 * np.log(variances)
    np.testing.assert_allclose(values, naive, rtol=1e-10, atol=1e-12)
    for position, step in enumerate(1e-6 * np.maximum(np.abs(theta), 0.1)):
        move = np.eye(theta.size)[position] * step
        slope = (likelihood.evaluate(theta + move)[0] - likelihood.evaluate(theta - move)[0]) / (2.0 * step)
        np.testing.assert_allclose(scores[:, position], slope, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_known_parameters_come_back_within_four_standard_errors(seed):
    truth = {"mu": 3e-4, "omega": 4e-6, "alpha[1]": 0.05, "gamma[1]": 0.08, "beta[1]": 0.88, "nu": 6.0}
    y = simulate_gjr(6000, mu=3e-4, omega=4e-6, alpha=0.05, gamma=0.08, beta=0.88, nu=6.0, seed=seed)
    fit = fit_volatility(y, Garch())
    for name, value in truth.items():
        for kind in ("robust", "hessian"):
            assert abs(fit.params[name] - value) < 4.0 * fit.std_errors[kind][name], (name, kind)
    assert fit.checks["gradient"] < 1e-6
    assert fit.checks["starts_gap"] < 1e-4
    assert not [finding for finding in fit.findings if finding.severity == "error"]


SPECS = [Garch(dist="skewt"), Ewma(mean="constant", dist="t"), ConstantVolatility(dist="t")]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("scale", [1e-4, 100.0, 10_000.0])
def test_the_unit_of_the_returns_does_not_matter(sp500, spec, scale):
    y = sp500.to_numpy()[-1500:]
    base, scaled = fit_volatility(y, spec), fit_volatility(scale * y, spec)
    units = {"mu": scale, "omega": scale**2}
    for name, value in base.params.items():
        unit = units.get(name, 1.0)
        assert scaled.params[name] == pytest.approx(value * unit, rel=1e-6, abs=1e-9 * unit), name
        for kind, errors in base.std_errors.items():
            assert scaled.std_errors[kind][name] == pytest.approx(errors[name] * unit, rel=1e-6, nan_ok=True), name
    assert scaled.loglikelihood == pytest.approx(base.loglikelihood - y.size * math.log(scale), abs=1e-6)
    assert scaled.next_variance == pytest.approx(base.next_variance * scale**2, rel=1e-6)
    np.testing.assert_allclose(scaled.std_resid, base.std_resid, rtol=1e-6, atol=1e-8)


def test_the_mirror_image_has_the_mirrored_parameters(sp500):
    """GJR with Hansen's law is closed under r -> -r: alpha + gamma for alpha; gamma, mu and lambda change sign."""
    y = sp500.to_numpy()[:2500]
    one, other = fit_volatility(y, Garch(dist="skewt")), fit_volatility(-y, Garch(dist="skewt"))
    assert other.loglikelihood == pytest.approx(one.loglikelihood, abs=1e-6)
    expected = {name: -x if name in {"mu", "lambda", "gamma[1]"} else x for name, x in one.params.items()}
    expected["alpha[1]"] = one.params["alpha[1]"] + one.params["gamma[1]"]
    for name, value in expected.items():
        assert other.params[name] == pytest.approx(value, rel=1e-5, abs=1e-9), name
    assert other.persistence == pytest.approx(one.persistence, rel=1e-8)
    np.testing.assert_allclose(other.forecast(10), one.forecast(10), rtol=1e-6)


def test_ewma_is_arch_s_and_its_t_is_fitted(sp500):
    from arch.univariate import EWMAVariance, StudentsT, ZeroMean

    y = sp500.to_numpy()
    fit = fit_volatility(y, Ewma(0.94), presample="backcast")
    theirs = ZeroMean(100.0 * y, volatility=EWMAVariance(0.94), rescale=False).fit(disp="off")
    assert fit.params == {}
    assert fit.loglikelihood == pytest.approx(theirs.loglikelihood + y.size * math.log(100.0), abs=1e-6)
    np.testing.assert_allclose(fit.conditional_volatility, theirs.conditional_volatility / 100.0, rtol=1e-12)
    fat = fit_volatility(y, Ewma(0.94, dist="t"), presample="backcast")
    model = ZeroMean(100.0 * y, volatility=EWMAVariance(0.94), distribution=StudentsT(), rescale=False)
    theirs = model.fit(disp="off", tol=1e-13)
    assert fat.params["nu"] == pytest.approx(theirs.params["nu"], rel=1e-4)
    assert fat.loglikelihood == pytest.approx(theirs.loglikelihood + y.size * math.log(100.0), abs=1e-6)
    square = fit_volatility(y, Ewma(0.94))
    assert square.conditional_volatility[0] ** 2 == pytest.approx(np.mean(y**2), rel=1e-12)


def test_constant_volatility_is_the_closed_form(sp500):
    y = sp500.to_numpy()
    n = y.size
    zero, free = fit_volatility(y, ConstantVolatility()), fit_volatility(y, ConstantVolatility(mean="constant"))
    assert zero.params["omega"] == pytest.approx(np.mean(y**2), rel=1e-12)
    assert free.params["omega"] == pytest.approx(np.var(y), rel=1e-10)
    assert free.params["mu"] == pytest.approx(np.mean(y), rel=1e-9)
    assert free.std_errors["hessian"]["mu"] == pytest.approx(np.std(y) / math.sqrt(n), rel=1e-6)
    assert free.std_errors["hessian"]["omega"] == pytest.approx(np.var(y) * math.sqrt(2.0 / n), rel=1e-6)
    assert zero.loglikelihood == pytest.approx(np.sum(stats.norm.logpdf(y, scale=np.sqrt(np.mean(y**2)))), abs=1e-6)
    assert zero.long_run_volatility == pytest.approx(np.sqrt(np.mean(y**2)))
    assert (zero.persistence, zero.half_life, zero.last_residuals, zero.last_variances) == (0.0, 0.0, (), ())
    np.testing.assert_allclose(zero.forecast(3), np.mean(y**2), rtol=1e-12)
    nu, _, scale = stats.t.fit(y, floc=0.0)
    fat = fit_volatility(y, ConstantVolatility(dist="t"))
    assert fat.params["nu"] == pytest.approx(nu, rel=1e-3)
    assert fat.params["omega"] == pytest.approx(scale**2 * nu / (nu - 2.0), rel=2e-3)


def test_state_carries_the_recursion_on(sp500):
    y = sp500.to_numpy()[-1200:]
    for spec in (
        Garch(p=2, o=1, q=2, dist="normal"),
        Garch(p=1, o=2, q=0),
        Ewma(mean="constant"),
        ConstantVolatility(),
    ):
        fit = fit_volatility(y, spec)
        found, mu = fit.coefficients, fit.params.get("mu", 0.0)
        # append any return: the naive filter's variance there is our next variance
        start = float(np.mean((y - mu) ** 2))
        residuals, variances = gjr_filter(
            np.append(y, 0.0), mu, found.omega, found.alpha, found.gamma, found.beta, start
        )
        assert fit.next_variance == pytest.approx(variances[-1], rel=1e-10)
        assert fit.forecast(1)[0] == fit.next_variance
        lags = found.residual_lags
        np.testing.assert_allclose(fit.last_residuals, residuals[y.size - lags : -1], rtol=1e-10)
        np.testing.assert_allclose(fit.last_variances, variances[y.size - found.variance_lags : -1], rtol=1e-10)
        np.testing.assert_allclose(fit.conditional_volatility**2, variances[:-1], rtol=1e-10)


def test_a_fit_is_frozen_prints_and_travels(sp500):
    returns = sp500.iloc[-800:].rename("<b>SPX</b>")
    fit = fit_volatility(returns, Garch())
    with pytest.raises(AttributeError):
        fit.loglikelihood = 0.0
    with pytest.raises(ValueError, match="read-only"):
        fit.std_resid[0] = 0.0
    back = pickle.loads(pickle.dumps(fit))
    assert back.params == fit.params
    assert np.array_equal(back.std_resid, fit.std_resid)
    table = fit.summary()
    assert list(table.columns) == ["estimate", "robust se", "hessian se", "opg se", "t"]
    assert list(table.index) == ["mu", "omega", "alpha[1]", "gamma[1]", "beta[1]", "nu"]
    assert table.loc["nu", "t"] == pytest.approx(fit.params["nu"] / fit.std_errors["robust"]["nu"])
    assert "&lt;b&gt;SPX" in fit._repr_html_()
    assert "<b>SPX" not in fit._repr_html_()
    assert fit.diagnostics is fit.findings
    assert fit_volatility(returns, Ewma()).summary().shape == (0, 5)
    assert fit_volatility(returns, Ewma())._repr_html_().startswith("<table")
