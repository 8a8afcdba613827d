"""Scores are proper, tests of their differences have the right size, and the true model is found."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import integrate

from collatrisk.base.errors import DataError, InputError
from collatrisk.volatility import (
    ConstantVolatility,
    Ewma,
    Garch,
    VolatilitySelection,
    diebold_mariano,
    fissler_ziegel,
    fit_volatility,
    qlike,
    rolling_fit,
    select_volatility,
)
from collatrisk.volatility.bootstrap import simulate_returns
from collatrisk.volatility.distributions import pdf, ppf, tail_mean
from collatrisk.volatility.one_step import one_step
from collatrisk.volatility.scores import long_run_variance

LAWS = [("normal", math.inf, 0.0), ("t", 3.0, 0.0), ("skewt", 4.5, -0.3), ("skewt", 8.0, 0.9)]


@pytest.mark.parametrize(("dist", "nu", "lam"), LAWS)
@pytest.mark.parametrize("p", [0.001, 0.01, 0.05, 0.6])
def test_the_tail_mean_is_the_integral(dist: str, nu: float, lam: float, p: float) -> None:
    edge = float(ppf(dist, p, nu, lam))
    part, _ = integrate.quad(lambda z: z * float(pdf(dist, z, nu, lam)), -np.inf, edge, epsabs=1e-12, limit=500)
    assert tail_mean(dist, p, nu, lam) == pytest.approx(part / p, rel=1e-6)


def expected_fz0(v: float, e: float, p: float, dist: str, nu: float, lam: float) -> float:
    """The expected score of VaR v and ES e (as returns) when the return follows the law, by its tail integral."""
    loss, _ = integrate.quad(lambda r: (r - v) * float(pdf(dist, r, nu, lam)), -np.inf, v, epsabs=1e-12, limit=500)
    return loss / (p * e) + v / e + math.log(-e) - 1.0


@pytest.mark.parametrize(("dist", "nu", "lam"), LAWS[:3])
@pytest.mark.parametrize("p", [0.01, 0.05])
def test_the_expected_fz0_score_is_lowest_at_the_true_var_and_es(dist: str, nu: float, lam: float, p: float) -> None:
    v, e = float(ppf(dist, p, nu, lam)), tail_mean(dist, p, nu, lam)
    best = expected_fz0(v, e, p, dist, nu, lam)
    # At the truth the first two terms add up to 1: what remains is ln(-e).
    assert best == pytest.approx(math.log(-e), abs=1e-6)
    for a in (0.7, 0.9, 0.97, 1.0, 1.03, 1.1, 1.4):
        for b in (0.7, 0.9, 0.97, 1.0, 1.03, 1.1, 1.4):
            if (a, b) != (1.0, 1.0):
                assert expected_fz0(a * v, b * e, p, dist, nu, lam) > best + 1e-9


def test_the_score_is_the_integrand_and_its_differences_have_no_unit() -> None:
    rng = np.random.default_rng(1)
    returns = rng.standard_normal(200_000)
    var, es = 2.4, 2.8
    found = fissler_ziegel(returns, var, es, 0.99)
    assert abs(found.mean() - expected_fz0(-var, -es, 0.01, "normal", math.inf, 0.0)) < 4.0 * found.std() / math.sqrt(
        returns.size
    )
    by_hand = [(r + var) / (0.01 * -es) * (r <= -var) + var / es + math.log(es) - 1.0 for r in returns[:500].tolist()]
    np.testing.assert_allclose(found[:500], by_hand, rtol=1e-12)
    other = fissler_ziegel(returns, 2.0, 2.5, 0.99)
    in_percent = fissler_ziegel(100 * returns, 100 * var, 100 * es, 0.99) - fissler_ziegel(
        100 * returns, 200, 250, 0.99
    )
    np.testing.assert_allclose(in_percent, found - other, atol=1e-9)


def test_qlike_is_lowest_at_the_true_variance_with_a_noisy_proxy() -> None:
    rng = np.random.default_rng(2)
    h = np.exp(rng.standard_normal(100_000))
    proxy = h * rng.standard_normal(h.size) ** 2
    true = qlike(h, proxy)
    for factor in (0.5, 0.8, 1.25, 2.0):
        assert qlike(factor * h, proxy).mean() > true.mean()
    np.testing.assert_allclose(qlike(h, proxy)[:3], np.log(h[:3]) + proxy[:3] / h[:3])


def test_scores_refuse_forecasts_that_are_none() -> None:
    with pytest.raises(InputError, match="must be above 0"):
        qlike([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(InputError, match="at least 0"):
        qlike([1.0, 1.0], [1.0, math.nan])
    with pytest.raises(InputError, match="0 < VaR <= ES"):
        fissler_ziegel([0.0], [2.0], [1.0], 0.99)
    with pytest.raises(InputError, match="0 < VaR <= ES"):
        fissler_ziegel([0.0], [-1.0], [1.0], 0.99)


def test_the_long_run_variance_of_a_moving_average() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(200_001)
    values = noise[1:] + 0.5 * noise[:-1]
    assert long_run_variance(values, 60) == pytest.approx(2.25, rel=0.05)
    assert long_run_variance(values, 0) == pytest.approx(values.var(), rel=1e-12)
    # One lag by hand: gamma_0 + 2 (1 - 1/2) gamma_1.
    x = np.array([1.0, -2.0, 3.0, 0.0])
    c = x - x.mean()
    assert long_run_variance(x, 1) == pytest.approx((c @ c + c[1:] @ c[:-1]) / 4.0)


def test_diebold_mariano_keeps_its_size_under_autocorrelation_and_finds_a_difference() -> None:
    rng = np.random.default_rng(4)
    n, runs = 400, 1000
    noise = rng.standard_normal((runs, n + 1))
    gaps = noise[:, 1:] + 0.5 * noise[:, :-1]
    rejected = sum(diebold_mariano(gap, np.zeros(n))[1] < 0.05 for gap in gaps)
    # Newey-West is known to reject a little too often; without HAC errors the rate is 15 %.
    assert 0.04 < rejected / runs < 0.10
    statistic, p = diebold_mariano(gaps[0] + 0.5, gaps[0] * 0.0)
    assert statistic > 3.0
    assert p < 0.01
    assert diebold_mariano(gaps[0], gaps[0]) == (0.0, 1.0)


PARAMS = {"mu": 0.0, "omega": 2e-5, "alpha[1]": 0.03, "gamma[1]": 0.16, "beta[1]": 0.86, "nu": 5.0}


def history(n: int, seed: int) -> pd.Series:
    rng = np.random.default_rng(seed)
    shocks: NDArray[np.float64] = rng.standard_t(5.0, (n, 1)) * math.sqrt(3.0 / 5.0)
    values = simulate_returns(Garch(), PARAMS | {"mu": 0.0}, shocks, 4e-4)[:, 0]
    return pd.Series(values, pd.date_range("2015-01-01", periods=n, tz="UTC"), name="X")


@pytest.fixture(scope="module")
def returns() -> pd.Series:
    return history(2600, seed=11)


def true_variance(returns: pd.Series) -> pd.Series:
    """What drove `history`: a proxy without noise, so that 1600 forecasts are enough to tell models apart."""
    h, found = 4e-4, []
    for t, e in enumerate(returns):
        found.append(h if t else PARAMS["omega"] + (0.03 + 0.08 + 0.86) * h)
        h = PARAMS["omega"] + (0.03 + 0.16 * (e < 0)) * e * e + 0.86 * found[-1]
    return pd.Series(found, returns.index, name="true variance")


@pytest.fixture(scope="module")
def selection(returns: pd.Series) -> VolatilitySelection:
    candidates = [Garch(), Garch(o=0), Garch(dist="normal"), Ewma(), ConstantVolatility()]
    return select_volatility(
        returns, candidates, window=1000, refit_every=50, level=0.975, proxy=true_variance(returns)
    )


def test_the_true_model_is_best_and_the_constant_one_is_out(selection: VolatilitySelection) -> None:
    table = selection.summary()
    assert table["aic"].idxmin() == table["bic"].idxmin() == "GJR(1,1,1) t"
    for score in ("fz0", "qlike"):
        assert "GJR(1,1,1) t" in selection.confidence_set(score)
        assert table[score].idxmin() == "GJR(1,1,1) t"
        assert table[f"dm_{score}"].loc["GJR(1,1,1) t"] == 1.0
    assert "constant normal" not in selection.confidence_set("qlike")
    assert selection.best == table.index[0] == "GJR(1,1,1) t"
    expected = table.loc["GJR(1,1,1) t", "expected"]
    assert expected == pytest.approx(0.025 * 1600)
    assert abs(table.loc["GJR(1,1,1) t", "exceedances"] - expected) < 4.0 * math.sqrt(expected)
    assert "GJR(1,1,1) t" in selection._repr_html_()
    assert repr(selection).startswith("VolatilitySelection(X: 5 candidates")


def test_information_criteria_are_those_of_the_fit(selection: VolatilitySelection, returns: pd.Series) -> None:
    fit = fit_volatility(returns, Garch(o=0))
    row = selection.table.loc["GARCH(1,1) t"]
    assert row["parameters"] == 5
    assert row["aic"] == pytest.approx(10.0 - 2.0 * fit.loglikelihood)
    assert row["bic"] == pytest.approx(5.0 * math.log(2600) - 2.0 * fit.loglikelihood)


def test_forecasts_are_those_of_the_rolling_fit_and_know_nothing_of_the_future(returns: pd.Series) -> None:
    options = {"window": 1000, "refit_every": 50, "level": 0.99, "presample": "mean_square"}
    found = one_step("X", returns.iloc[:1200], Garch(), **options)
    fits = rolling_fit(returns.iloc[:1200], Garch(), window=1000, refit_every=50)
    np.testing.assert_array_equal(found.variance, fits.variance_forecast)
    row = fits.params.iloc[1]
    sd = np.sqrt(found.variance[50:100])
    np.testing.assert_allclose(found.var[50:100], -row["mu"] - sd * ppf("t", 0.01, row["nu"]))
    np.testing.assert_allclose(found.es[50:100], -row["mu"] - sd * tail_mean("t", 0.01, row["nu"]))
    changed = returns.iloc[:1200].copy()
    changed.iloc[1100:] *= 3.0
    again = one_step("X", changed, Garch(), **options)
    np.testing.assert_array_equal(again.variance[:101], found.variance[:101])
    assert (again.variance[101:] != found.variance[101:]).all()


def test_the_slow_path_runs_on_as_the_fast_one(returns: pd.Series) -> None:
    part = returns.iloc[:1100]
    options = {"window": 1000, "refit_every": 60, "level": 0.99, "presample": "mean_square"}
    fast = one_step("X", part, Garch(), **options)
    slow = one_step("X", part, Garch(p=1, o=1, q=2), **options)
    assert np.corrcoef(fast.variance, slow.variance)[0, 1] > 0.98
    ewma = one_step("X", part, Ewma(decay=0.9), **options)
    by_hand = fit_volatility(part.iloc[:1000], Ewma(decay=0.9)).next_variance
    for t in range(60):
        assert ewma.variance[t] == pytest.approx(by_hand, rel=1e-9)
        by_hand = 0.9 * by_hand + 0.1 * part.iloc[1000 + t] ** 2


def test_a_proxy_with_gaps_is_used_where_it_is_known(returns: pd.Series) -> None:
    short = returns.iloc[:900]
    proxy = (short**2).rename("range")
    proxy.iloc[700:720] = np.nan
    found = select_volatility(short, {"a": Ewma(), "b": Ewma(decay=0.8)}, window=600, level=0.9, proxy=proxy)
    assert found.proxy == "range"
    assert (len(found.qlike), len(found.fz0)) == (280, 300)
    plain = select_volatility(short, {"a": Ewma(), "b": Ewma(decay=0.8)}, window=600, level=0.9)
    pd.testing.assert_frame_equal(found.qlike, plain.qlike.loc[found.qlike.index])
    scaled = select_volatility(100 * short, {"a": Ewma(), "b": Ewma(decay=0.8)}, window=600, level=0.9)
    np.testing.assert_allclose(scaled.table["dm_fz0"], plain.table["dm_fz0"], rtol=1e-6)


def test_twins_share_their_place(returns: pd.Series) -> None:
    found = select_volatility(
        returns.iloc[:400], {"a": Ewma(), "twin": Ewma(), "c": ConstantVolatility()}, window=200, level=0.95
    )
    assert found.table.loc["a", "mcs_fz0"] == found.table.loc["twin", "mcs_fz0"]
    only = select_volatility(returns.iloc[:400], [Ewma()], window=200, level=0.999)
    assert only.confidence_set() == ("EWMA(0.94) normal",)
    assert [finding.code for finding in only.findings] == ["few-exceedances"]


def test_a_candidate_without_forecasts_is_a_row_with_a_reason(returns: pd.Series) -> None:
    idle = returns.iloc[:500].copy()
    idle.iloc[:210] = 0.0
    found = select_volatility(idle, {"garch": Garch(), "ewma": Ewma()}, window=200, refit_every=50, level=0.95)
    codes = {(finding.subject, finding.code) for finding in found.findings}
    assert {("garch", "not-fitted"), ("ewma", "not-fitted"), ("forecasts", "steps-left-out")} <= codes
    assert len(found.fz0) == 250
    idle.iloc[:300] = 0.0
    with pytest.raises(DataError, match="only 50% of its forecasts can be used"):
        select_volatility(idle, {"garch": Garch(), "ewma": Ewma()}, window=200, refit_every=50, level=0.95)


def test_wrong_arguments_are_named_at_once(returns: pd.Series) -> None:
    with pytest.raises(InputError) as caught:
        select_volatility(returns, [Garch()], window=2590, refit_every=0, level=1.0, reps=1)
    assert len(caught.value.problems) == 5
    for wrong in ([], {}, "garch", [Garch(), "x"], [Garch(), Garch()]):
        with pytest.raises(InputError):
            select_volatility(returns, wrong, window=1000)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one value for each"):
        select_volatility(returns, [Ewma()], window=1000, proxy=[1.0, 2.0])
    with pytest.raises(InputError, match="known"):
        select_volatility(returns, [Ewma()], window=1000, proxy=pd.Series([1.0], [returns.index[0]]))
    with pytest.raises(DataError):
        select_volatility([1.0, math.nan] * 100, [Ewma()], window=100)
