"""The fast path: its likelihood against a naive twin, its gradient against differences, its optima against
`fit_volatility`, and what it does with many series, with time and with bad data."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from collatrisk.base.errors import DataError, InputError
from collatrisk.kernels import quasi_likelihood as kernel
from collatrisk.volatility import Ewma, Garch, fit_panel, fit_volatility, rolling_fit
from collatrisk.volatility.distributions import ppf
from collatrisk.volatility.likelihood import Likelihood

DISTS = ("normal", "t", "skewt")


def simulate(n, seed, *, dist="t", alpha=0.04, gamma=0.08, beta=0.88, nu=6.0, lam=-0.1):
    """A GJR path in decimals, about 1.5 % a step."""
    rng = np.random.default_rng(seed)
    z = ppf(dist, rng.uniform(size=n + 300), nu, lam)
    h, returns = 1.0, []
    for draw in z:
        e = math.sqrt(h) * draw
        returns.append(0.02 + e)
        h = 1.0 - alpha - gamma / 2 - beta + (alpha + gamma * (e < 0)) * e * e + beta * h
    return 0.015 * np.array(returns[300:])


@pytest.fixture(scope="module")
def sp500() -> pd.Series:
    import arch.data.sp500

    return np.log(arch.data.sp500.load()["Adj Close"]).diff().dropna().rename("SPX")


def evaluate(returns, theta, dist, presample, presample_slope=0.0):
    rows = kernel.work_rows(returns.size)
    work, sums, powers = np.full((5, rows + 1, kernel.LANES), np.nan), np.empty(kernel.SUMS), np.empty(rows + 1)
    order, slopes = np.arange(rows - 1, -1, -1), np.empty(7)
    kernel.fill_work(returns, 1.0, work)
    law = DISTS.index(dist)
    value = kernel.evaluate(
        work, sums, powers, order, np.asarray(theta), law, returns.size, presample, presample_slope, slopes
    )
    return value, slopes


@pytest.mark.parametrize("dist", DISTS)
@pytest.mark.parametrize("n", [50, 127, 128, 129, 1000])
def test_likelihood_is_its_twin_s_and_its_gradient_that_of_central_differences(n, dist):
    returns = np.random.default_rng(n).standard_t(5, n)
    theta = [0.05, 0.08, 0.06, 0.18, 0.80, 6.5, -0.15]
    value, slopes = evaluate(returns, theta, dist, 1.3)
    shapes = {"normal": (), "t": (6.5,), "skewt": (6.5, -0.15)}[dist]
    twin = naive.quasi_loglikelihood(returns, *theta[:5], 1.3, dist, *shapes)
    assert value == pytest.approx(twin, rel=1e-13)
    for position in range(5 + len(shapes)):
        step = 1e-5
        ahead, behind = list(theta), list(theta)
        ahead[position] += step
        behind[position] -= step
        difference = (evaluate(returns, ahead, dist, 1.3)[0] - evaluate(returns, behind, dist, 1.3)[0]) / (2 * step)
        assert slopes[position] == pytest.approx(difference, rel=2e-7, abs=2e-6), position


@settings(max_examples=40)
@given(
    st.integers(60, 400),
    st.sampled_from(DISTS),
    st.tuples(
        st.floats(-0.5, 0.5), st.floats(1e-6, 2.0), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1),
        st.floats(2.05, 500), st.floats(-0.9, 0.9),
    ),
    st.floats(0.01, 10),
)  # fmt: skip
def test_likelihood_is_its_twin_s_anywhere_inside_the_bounds(n, dist, theta, presample):
    returns = np.random.default_rng(n).standard_t(4, n)
    shapes = {"normal": (), "t": theta[5:6], "skewt": theta[5:]}[dist]
    twin = naive.quasi_loglikelihood(returns, *theta[:5], presample, dist, *shapes)
    assert evaluate(returns, theta, dist, presample)[0] == pytest.approx(twin, rel=1e-11, abs=1e-9)


def test_the_moving_presample_value_is_part_of_the_gradient():
    returns = np.random.default_rng(1).standard_normal(60) + 0.4
    theta = np.array([0.1, 0.08, 0.06, 0.18, 0.80, 500.0, 0.0])

    def value(mu):
        return evaluate(returns, [mu, *theta[1:]], "normal", float(np.mean((returns - mu) ** 2)))[0]

    start, slope = float(np.mean((returns - 0.1) ** 2)), -2.0 * float(np.mean(returns - 0.1))
    slopes = evaluate(returns, theta, "normal", start, slope)[1]
    assert slopes[0] == pytest.approx((value(0.1 + 1e-5) - value(0.1 - 1e-5)) / 2e-5, rel=1e-7)


def assert_same_optimum(fast, asset, slow, spread):
    """To 1e-4 in every parameter (mu and omega in units of the series), nu to 1e-3, the log-likelihood to 1e-6."""
    assert fast.converged[asset]
    assert fast.loglikelihood[asset] == pytest.approx(slow.loglikelihood, rel=1e-6)
    assert fast.loglikelihood[asset] > slow.loglikelihood - 1e-6
    assert list(fast.params.columns) == list(slow.params)
    for name, value in slow.params.items():
        unit = {"mu": spread, "omega": spread**2}.get(name, 1.0)
        tolerance = {"rel": 1e-3} if name == "nu" else {"rel": 1e-4, "abs": 1e-4 * unit}
        assert fast.params.loc[asset, name] == pytest.approx(value, **tolerance), name
    assert fast.next_variance[asset] == pytest.approx(slow.next_variance, rel=1e-4)


@pytest.mark.parametrize("dist", DISTS)
@pytest.mark.parametrize("o", [0, 1])
def test_optima_of_simulated_series_are_those_of_fit_volatility(dist, o):
    spec = Garch(o=o, dist=dist, mean="constant" if o else "zero")
    frame = pd.DataFrame({f"A{k}": simulate(1000, 10 * k + o, dist=dist, gamma=0.08 * o) for k in range(2)})
    for presample, name in zip(("mean_square", "backcast"), frame, strict=True):
        fast = fit_panel(frame, spec, presample=presample)
        slow = fit_volatility(frame[name], spec, presample=presample)
        assert_same_optimum(fast, name, slow, float(frame[name].std()))


def test_the_optimum_of_the_sp500_is_that_of_fit_volatility_on_its_bound_too(sp500):
    spec = Garch(dist="skewt")
    fast = fit_panel([sp500], spec, presample="backcast")
    slow = fit_volatility(sp500, spec, presample="backcast")
    assert slow.params["alpha[1]"] == 0.0  # on the bound, which both meet exactly
    assert fast.params.loc["SPX", "alpha[1]"] == 0.0
    assert_same_optimum(fast, "SPX", slow, float(sp500.std()))
    assert "parameter-on-bound" in [finding.code for finding in fast.findings["SPX"]]


@pytest.mark.parametrize("scale", [1e-4, 100.0, 10_000.0])
def test_the_unit_of_the_returns_does_not_matter(sp500, scale):
    y = sp500.iloc[-1500:]
    base, scaled = fit_panel([y], Garch(dist="skewt")), fit_panel([scale * y], Garch(dist="skewt"))
    units = pd.Series(1.0, base.params.columns)
    units[["mu", "omega"]] = scale, scale**2
    np.testing.assert_allclose(scaled.params, base.params * units, rtol=1e-6, atol=1e-12)
    assert scaled.loglikelihood["SPX"] == pytest.approx(base.loglikelihood["SPX"] - y.size * math.log(scale), abs=1e-6)
    assert scaled.next_variance["SPX"] == pytest.approx(base.next_variance["SPX"] * scale**2, rel=1e-6)


def test_the_mirror_image_has_the_mirrored_parameters():
    y = simulate(1500, 3, dist="skewt")
    fit = fit_panel([y, -y], Garch(dist="skewt")).params
    one, other = fit.iloc[0], fit.iloc[1]
    expected = one * pd.Series({"mu": -1, "gamma[1]": -1, "lambda": -1}).reindex(one.index, fill_value=1)
    expected["alpha[1]"] = one["alpha[1]"] + one["gamma[1]"]
    np.testing.assert_allclose(other, expected, rtol=1e-4, atol=1e-7)


def test_five_starts_are_never_below_one():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({f"N{k}": rng.standard_t(5, 600) for k in range(40)})  # noise: many optima
    one, five = (fit_panel(frame, Garch(), starts=starts) for starts in (1, 5))
    gain = five.loglikelihood - one.loglikelihood
    assert gain.min() > -1e-8
    assert (gain > 1e-3).sum() >= 5
    codes = {finding.code for found in five.findings.values() for finding in found}
    assert "starts-disagree" in codes


def test_the_result_does_not_depend_on_workers_or_neighbours():
    series = [pd.Series(simulate(300 + 10 * k, k), name=f"A{k}") for k in range(40)]
    base = fit_panel(series)
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            other = fit_panel(series, executor=executor)
        pd.testing.assert_frame_equal(other.params, base.params, check_exact=True)
    turned = fit_panel(series[::-1])
    pd.testing.assert_frame_equal(turned.params.iloc[::-1], base.params, check_exact=True)
    assert list(base.n_obs) == [one.size for one in series]


def test_bad_series_are_rows_with_a_reason():
    good = simulate(600, 1)
    holes = good.copy()
    holes[[3, 9]] = np.nan
    series = {
        "good": good,
        "constant": np.full(600, 0.01),
        "holes": holes,
        "infinite": np.where(np.arange(600) == 5, np.inf, good),
        "short": good[:30],
        "text": np.array(["a", "b"]),
        "square": good.reshape(300, 2),
        "huge": good * 1e200,
        "none": np.empty(0),
    }
    fit = fit_panel([pd.Series(y, name=name) if y.ndim == 1 else y for name, y in series.items()], Garch(dist="normal"))
    assert fit.params.loc["good"].notna().all()
    assert fit.converged["good"]
    reasons = fit.failed
    wanted = {
        "constant": "must vary",
        "holes": "2 at 3, 9",
        "infinite": "infinite",
        "short": "at least 50",
        "text": "must hold numbers",
        "series 6": "one-dimensional",
        "huge": "small enough",
        "none": "at least 50",
    }
    assert set(reasons) == set(wanted)
    for name, text in wanted.items():
        assert text in reasons[name]
        assert fit.params.loc[name].isna().all()
        assert not fit.converged[name]
        assert np.isnan(fit.loglikelihood[name])
    assert fit.params.loc["good"].equals(
        fit_panel([pd.Series(good, name="good")], Garch(dist="normal")).params.loc["good"]
    )


def test_arguments_are_refused_all_at_once():
    with pytest.raises(InputError, match="4 problems"):
        fit_panel([], Garch(p=2), presample="zero", starts=9)
    with pytest.raises(InputError, match="fit_volatility for other models"):
        fit_panel([simulate(100, 1)], Ewma())
    with pytest.raises(InputError, match="name of its own"):
        fit_panel([pd.Series(simulate(100, k), name="X") for k in range(2)])
    with pytest.raises(InputError, match="must be a DataFrame"):
        fit_panel(3.0)
    with pytest.raises(InputError, match="executor"):
        fit_panel([simulate(100, 1)], executor=2)
    with pytest.raises(InputError, match="3 problems"):
        rolling_fit(simulate(100, 1), window=200, refit_every=0)
    with pytest.raises(InputError, match="spec = 'garch'"):
        rolling_fit(simulate(100, 1), "garch", window=60)
    with pytest.raises(DataError, match="must hold numbers"):
        rolling_fit(["a"] * 100, window=60)


@pytest.mark.parametrize("expanding", [False, True])
def test_rolling_refits_are_fits_of_their_windows(expanding):
    index = pd.bdate_range("2015-01-01", periods=900)
    y = pd.Series(simulate(900, 7), index, name="X")
    roll = rolling_fit(y, window=500, refit_every=25, expanding=expanding)
    assert list(roll.params.index) == list(index[499::25])
    assert roll.converged.all()
    for k, label in enumerate(roll.params.index):
        known = y.iloc[0 if expanding else 25 * k : 500 + 25 * k]
        fresh = fit_panel([known])
        assert roll.loglikelihood[label] == pytest.approx(fresh.loglikelihood["X"], abs=1e-6)
        np.testing.assert_allclose(roll.params.loc[label], fresh.params.loc["X"], rtol=1e-3, atol=1e-4)
        forecast = roll.next_variance if k == 16 else roll.variance_forecast.iloc[25 * k]
        assert forecast == pytest.approx(fresh.next_variance["X"], rel=1e-4)


def test_forecasts_between_refits_run_on_with_the_last_parameters():
    y = pd.Series(simulate(700, 9))
    roll = rolling_fit(y, Garch(dist="normal"), window=500, refit_every=60, presample="backcast")
    assert list(roll.variance_forecast.index) == list(range(500, 700))
    for k in range(4):
        first, last = 60 * k, min(560 + 60 * k, 700)
        p = roll.params.iloc[k]
        known = y.to_numpy()[first : first + 500]
        weights = 0.94 ** np.arange(75)
        start = float(np.sum((known[:75] - known.mean()) ** 2 * weights) / weights.sum())
        coefficients = (p["mu"], p["omega"], (p["alpha[1]"],), (p["gamma[1]"],), (p["beta[1]"],), start)
        variances = naive.gjr_filter(np.append(y.to_numpy()[first:last], 0.0), *coefficients)[1]
        found = roll.variance_forecast.to_numpy()[60 * k : 60 * k + 60]
        np.testing.assert_allclose(found, variances[500 : 500 + found.size], rtol=1e-10)
    assert roll.next_variance == pytest.approx(variances[-1], rel=1e-10)


def test_a_window_that_cannot_be_fitted_is_a_row_and_the_next_recovers():
    y = simulate(700, 4)
    y[350:420] = 0.001
    roll = rolling_fit(y, Garch(dist="t"), window=60, refit_every=10)
    bad = roll.loglikelihood.isna()
    assert 0 < bad.sum() < 5
    assert roll.params[bad].isna().all().all()
    assert not roll.converged[bad].any()
    assert roll.loglikelihood.iloc[-10:].notna().all()
    finding = next(finding for finding in roll.findings if finding.code == "not-fitted")
    assert "must vary" in finding.message
    assert finding.rows[0] == str(roll.params.index[bad][0])
    first = int(roll.params.index[bad][0])
    assert roll.variance_forecast.loc[first + 1 : first + 10].isna().all()


def test_fits_are_frozen_print_and_travel():
    panel = fit_panel([pd.Series(simulate(300, 1), name="<b>X</b>")])
    roll = rolling_fit(simulate(300, 1), window=250, refit_every=10)
    with pytest.raises(AttributeError):
        panel.params = None
    with pytest.raises(AttributeError):
        roll.window = 3
    assert pickle.loads(pickle.dumps(panel)).params.equals(panel.params)
    assert pickle.loads(pickle.dumps(roll)).params.equals(roll.params)
    assert "&lt;b&gt;X" in panel._repr_html_()
    assert "<b>X" not in panel._repr_html_()
    assert "too-few-observations" in panel.summary().loc["<b>X</b>", "findings"]
    assert roll._repr_html_().startswith("<table")
    assert list(roll.summary().columns[-2:]) == ["loglikelihood", "converged"]


def test_noise_is_flagged_and_clustering_is_not():
    """On independent normals the dynamics rarely beat a constant by more than 4 in log-likelihood."""
    rng = np.random.default_rng(31)
    noise = fit_panel(list(rng.standard_normal((100, 1000))), Garch(dist="normal"))
    codes = [{finding.code for finding in found} for found in noise.findings.values()]
    assert sum("not-identified" in found for found in codes) >= 90
    lively = [one_garch(rng, 1000) for _ in range(20)]
    panel = fit_panel(lively, Garch(dist="normal"))
    assert not any(finding.code == "not-identified" for found in panel.findings.values() for finding in found)


def one_garch(rng, n, omega=0.05, alpha=0.12, beta=0.83):
    h, e, found = 1.0, 0.0, []
    for z in rng.standard_normal(n):
        h = omega + alpha * e * e + beta * h
        e = math.sqrt(h) * z
        found.append(e)
    return np.array(found)


@pytest.mark.parametrize("presample", ["mean_square", "backcast"])
@pytest.mark.parametrize("spec", [Garch(), Garch(o=0, mean="zero", dist="normal")])
def test_standardised_residuals_are_those_of_the_filter(spec, presample):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(0.01 * rng.standard_normal((300, 3)), columns=list("abc"))
    panel = fit_panel(frame, spec, presample=presample)
    found = panel.std_resid(frame)
    assert list(found) == list("abc")
    for name, theta in zip(frame, panel.params.to_numpy(), strict=True):
        filtered = Likelihood(frame[name].to_numpy(), spec, presample).filter(theta)
        assert found[name] == pytest.approx(filtered.residuals / np.sqrt(filtered.variances), abs=1e-12)
    with pytest.raises(InputError, match="must be those of the fit"):
        panel.std_resid(frame[["a", "c"]])
