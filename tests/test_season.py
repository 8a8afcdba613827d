"""The season of the week: recovered, taken out, put back by the clock."""

from __future__ import annotations

import math

import naive_tails as naive
import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.base.errors import DataError, InputError
from collatrisk.market.clock import Clock
from collatrisk.volatility import HourOfWeek, Season, fit_season
from collatrisk.volatility.specs import ConstantVolatility, Garch

HOURLY = Clock("24/7", 24)


def truth():
    """A sine through the day, calmer at the weekend; mean square 1."""
    hour = np.arange(168)
    factors = (1.0 + 0.4 * np.sin(2 * np.pi * (hour % 24) / 24)) * np.where(hour >= 120, 0.7, 1.0)
    return factors / math.sqrt(np.mean(factors**2))


def hourly_prices(weeks=60, seed=3, start="2022-03-02 05:00", assets=("BTC",), seasoned=True):
    """Hourly closes of t(5) returns with that season, GARCH with a slow variance."""
    rng = np.random.default_rng(seed)
    index = pd.date_range(start, periods=168 * weeks + 1, freq="h", tz="UTC")
    middle = index[1:] - pd.Timedelta(minutes=30)
    factor = truth()[middle.day_of_week * 24 + middle.hour] if seasoned else np.ones(len(middle))
    columns = {}
    for asset in assets:
        z = rng.standard_t(5, len(middle)) * math.sqrt(0.6)
        h, x = 4e-5, np.empty(len(middle))
        for t, shock in enumerate(z):
            x[t] = math.sqrt(h) * shock
            h = 1.2e-6 + 0.05 * x[t] ** 2 + 0.92 * h
        columns[asset] = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(factor * x)]))
    return pd.DataFrame(columns, index)


PRICES = hourly_prices()
RETURNS = cr.log_returns(PRICES)["BTC"]
FIT = fit_season(RETURNS, steps_per_day=24)


def test_the_season_is_recovered():
    factors = np.array(FIT.season.factors)
    assert factors.size == 168
    assert np.mean(factors**2) == pytest.approx(1.0)
    raw = FIT.log_factors - np.mean(FIT.log_factors)
    wanted = np.log(truth()) - np.mean(np.log(truth()))
    scores = (raw - wanted) / FIT.std_errors
    # 168 scores: their mean square is 1 within 4 standard errors (and a little more: volatility clusters).
    assert np.mean(scores**2) == pytest.approx(1.0, abs=4 * math.sqrt(2 / 168) + 0.2)
    shrunk = np.log(factors) - np.mean(np.log(factors))
    assert np.mean((shrunk - wanted) ** 2) < np.mean((raw - wanted) ** 2)
    assert FIT.before < 1e-30
    assert FIT.after > 0.05
    assert FIT.log_scale == pytest.approx(np.sum(np.log(RETURNS / FIT.returns)))


def test_factors_are_the_naive_ones():
    returns = RETURNS.iloc[: 168 * 6]
    fit = fit_season(returns, steps_per_day=24)
    middle = returns.index - pd.Timedelta(minutes=30)
    sizes = (returns - returns.mean()).abs().tolist()
    wanted = naive.season_factors(sizes, (middle.day_of_week * 24 + middle.hour).tolist(), fit.weight.tolist())
    assert fit.season.factors == pytest.approx(wanted, rel=1e-9)
    assert "short-season" in {finding.code for finding in fit.findings}


def test_no_season_is_shrunk_away():
    fit = fit_season(cr.log_returns(hourly_prices(30, seed=9, seasoned=False))["BTC"], steps_per_day=24)
    assert np.std(fit.season.factors) < 0.06  # what is left: volatility clusters, so the bins know less than they say
    loose = fit_season(
        cr.log_returns(hourly_prices(30, seed=9, seasoned=False))["BTC"], HourOfWeek(shrink=False), steps_per_day=24
    )
    assert np.std(loose.season.factors) > 1.5 * np.std(fit.season.factors)
    assert fit.before > 1e-3


def test_four_weeks_without_a_season_are_not_refused_too_often():
    # The test used to refuse three of four such histories at 5 %: neighbouring hours move together.
    rng, count = np.random.default_rng(4), 200
    shocks = rng.standard_t(5, (168 * 4 + 300, count)) * math.sqrt(0.6)
    h, x = np.ones(count), np.empty_like(shocks)
    for t, shock in enumerate(shocks):
        x[t] = np.sqrt(h) * shock
        h = 0.03 + 0.05 * x[t] ** 2 + 0.92 * h
    index = pd.date_range("2022-03-02 06:00", periods=168 * 4, freq="h", tz="UTC")
    found = np.array([fit_season(pd.Series(column, index), steps_per_day=24).before for column in x[300:].T])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(found < level) == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / count))
    swing = 1.0 + 0.6 * np.sin(2 * np.pi * np.asarray(index.hour) / 24)
    seen = [fit_season(pd.Series(swing * column, index), steps_per_day=24).before for column in x[300:, :40].T]
    assert np.mean(np.array(seen) < 0.01) > 0.9


def test_steps_follow_the_clock():
    season = Season(tuple(truth().tolist()), 3 * 1440 + 5 * 60.0)
    assert season.steps(24)[:3] == pytest.approx(truth()[3 * 24 + 5 : 3 * 24 + 8])
    assert season.steps(24)[-1] == pytest.approx(truth()[3 * 24 + 4])
    assert season.steps(96)[:5] == pytest.approx(truth()[[77, 77, 77, 77, 78]])
    assert Season.from_dict(season.to_dict()) == season
    daily = fit_season(RETURNS.resample("D").sum().iloc[1:-1], steps_per_day=1)
    assert len(daily.season.factors) == 7
    assert list(FIT.summary().index[[0, 25]]) == ["Mon 00:00", "Tue 01:00"]
    assert "168 bins" in repr(FIT)


def test_the_market_model_takes_it_out_and_puts_it_back(tmp_path):
    prices = hourly_prices(30, seed=5, assets=("BTC", "ETH"))
    spec = Garch(o=0)
    plain = cr.fit_market(prices, volatility=spec)
    model = cr.fit_market(prices, volatility=spec, season=HourOfWeek())
    assert model.clock == HOURLY
    last = prices.index[-1]
    assert model.marginals[0].season.start == last.weekday() * 1440 + last.hour * 60
    gain = [m.loglikelihood - p.loglikelihood for m, p in zip(model.marginals, plain.marginals, strict=True)]
    assert min(gain) > 100.0
    n = 20_000
    plan = cr.PathPlan(model, n_paths=n, horizon_days=1.25, seed=1, drift="zero_log")
    block = plan.read(0, n)
    assert plan.n_steps == 30
    for i, marginal in enumerate(model.marginals):
        steps = marginal.season.steps(24)[:30]
        h = block.step_variance[:, i].mean(axis=1) / steps**2
        assert h == pytest.approx(marginal.variance_forecast(30), rel=0.05)
        spread = np.diff(np.log(block.prices[:, i]), axis=0).std(axis=1)
        assert spread == pytest.approx(steps * np.sqrt(marginal.variance_forecast(30)), rel=0.08)
    path = tmp_path / "model.json"
    model.save(path)
    assert cr.MarketModel.load(path) == model
    assert model.select(["ETH"]).marginals[0].season == model.marginals[1].season
    assert next(iter(cr.draw_models(model, 1))).marginals[0].season == model.marginals[0].season
    assert "season" in model.provenance["estimator"]
    assert "168 bins" in model.summary()["model"]["BTC"]


def test_finer_steps_of_a_constant_volatility_follow_the_clock_too():
    prices = hourly_prices(12, seed=6)
    model = cr.fit_market(prices, volatility=ConstantVolatility(), season=HourOfWeek())
    fine = cr.PathPlan(model, n_paths=2, horizon_days=0.25, steps_per_day=96).read(0, 2)
    marginal = model.marginals[0]
    wanted = np.repeat(marginal.season.steps(24)[:6], 4) ** 2 * marginal.next_variance / 4
    assert fine.step_variance[:, 0, 0] == pytest.approx(wanted)


def test_minutes():
    rng = np.random.default_rng(2)
    index = pd.date_range("2024-01-01 00:01", periods=1440 * 35, freq="min", tz="Asia/Tokyo")
    utc = (index - pd.Timedelta(seconds=30)).tz_convert("UTC")
    busy = np.where(utc.hour == 14, 2.0, 1.0)
    fit = fit_season(pd.Series(rng.standard_normal(len(index)) * busy * 1e-4, index), steps_per_day=1440)
    factors = np.array(fit.season.factors).reshape(7, 24)
    assert np.all(factors.argmax(axis=1) == 14)
    ratio = factors[:, 14] / np.delete(factors, 14, axis=1).mean(axis=1)
    # A bin holds 300 absolute normals: relative error sqrt(pi / 2 - 1) / sqrt(300) = 0.044.
    assert ratio == pytest.approx(2.0, abs=4 * 2 * 0.044)


def test_bad_input():
    for make, what in (
        (lambda: fit_season(RETURNS.to_numpy(), steps_per_day=24), "dates"),
        (lambda: fit_season(RETURNS, "hours", steps_per_day=24), "HourOfWeek"),
        (lambda: fit_season(RETURNS, steps_per_day=7), "divide"),
        (lambda: Season((1.0, 2.0)), "mean square"),
        (lambda: Season((1.0,) * 11), "divides"),
        (lambda: Season((1.0,), 99_999.0), "start"),
        (lambda: HourOfWeek(shrink=2), "shrink"),
        (lambda: cr.fit_market(PRICES, season="weekly"), "HourOfWeek"),
        (lambda: cr.fit_market(PRICES, season=HourOfWeek(), clock=Clock("business", 24)), "24/7"),
    ):
        with pytest.raises(InputError, match=what):
            make()
    for bad in (RETURNS.iloc[:300], RETURNS.where(RETURNS.index.hour > 0)):
        with pytest.raises(DataError):
            fit_season(bad, steps_per_day=24)
    with pytest.raises(DataError, match="weeks"):
        cr.fit_market(PRICES.iloc[:400], season=HourOfWeek())
