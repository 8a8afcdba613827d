"""fit_market: truth recovered from simulated prices, findings on dates and laws, all failures at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collatrisk.base.errors import DataError, FitError, InputError, Problem
from collatrisk.dependence import GaussianCopula, Independent, StudentTCopula
from collatrisk.market.clock import Clock
from collatrisk.simulation.fit import fit_market
from collatrisk.simulation.model import MarketModel
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch

RHO, NU_COPULA, NU = 0.7, 5.0, 6.0
OMEGA, ALPHA, GAMMA, BETA = 3e-6, 0.05, 0.06, 0.90


def garch_prices(n: int, seed: int, *, freq: str = "D", assets: tuple[str, ...] = ("BTC", "ETH")) -> pd.DataFrame:
    """GJR-GARCH with unit-variance t innovations joined by a t copula, step by step."""
    from scipy import stats

    rng = np.random.default_rng(seed)
    size = len(assets)
    correlation = np.full((size, size), RHO) + (1 - RHO) * np.eye(size)
    normals = rng.standard_normal((n, size)) @ np.linalg.cholesky(correlation).T
    uniforms = stats.t.cdf(normals / np.sqrt(rng.chisquare(NU_COPULA, n) / NU_COPULA)[:, None], NU_COPULA)
    z = stats.t.ppf(uniforms, NU) * math.sqrt((NU - 2) / NU)
    h = np.full(size, OMEGA / (1 - ALPHA - GAMMA / 2 - BETA))
    returns = np.empty((n, size))
    for t in range(n):
        returns[t] = np.sqrt(h) * z[t]
        h = OMEGA + (ALPHA + GAMMA * (returns[t] < 0)) * returns[t] ** 2 + BETA * h
    index = pd.date_range("2018-01-01", periods=n + 1, freq=freq, tz="UTC")
    log_prices = np.vstack([np.zeros(size), np.cumsum(returns, axis=0)])
    return pd.DataFrame(100 * np.exp(log_prices), index, list(assets))


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return garch_prices(3000, 12)


@pytest.fixture(scope="module")
def model(prices: pd.DataFrame) -> MarketModel:
    return fit_market(prices)


def test_truth_is_recovered(model: MarketModel) -> None:
    truth = {"mu": 0.0, "omega": OMEGA, "alpha[1]": ALPHA, "gamma[1]": GAMMA, "beta[1]": BETA, "nu": NU}
    for marginal in model.marginals:
        for name, value in truth.items():
            assert abs(marginal.params[name] - value) < 4 * marginal.std_errors[name], (marginal.asset, name)
    joint = model.dependence
    assert joint.nu is not None
    assert joint.nu_std_error is not None
    assert abs(joint.nu - NU_COPULA) < 4 * joint.nu_std_error
    assert abs(joint.correlation[0, 1] - RHO) < 4 * 0.015
    assert model.findings == tuple(finding for finding in model.findings if finding.severity == "info")


def test_model_starts_where_the_data_end(model: MarketModel, prices: pd.DataFrame) -> None:
    from collatrisk.volatility.fit import fit_volatility

    assert model.spot.tolist() == prices.iloc[-1].tolist()
    assert model.clock == Clock.of("24/7")
    fit = fit_volatility(np.log(prices["ETH"]).diff().dropna(), Garch())
    assert model.marginal("ETH").next_variance == pytest.approx(fit.next_variance, rel=1e-12)
    assert model.marginal("ETH").loglikelihood == fit.loglikelihood


def test_same_input_same_file_and_created_only_if_given(prices: pd.DataFrame) -> None:
    short = prices.iloc[:400]
    fast: dict[str, Any] = {"volatility": Ewma(), "dependence": GaussianCopula()}
    first, second = fit_market(short, **fast), fit_market(short, **fast)
    assert first.fingerprint() == second.fingerprint()
    facts = first.provenance
    assert (facts["first"], facts["last"], facts["n_obs"]) == ("2018-01-01", "2019-02-04", "399")
    assert {"source", "prices_sha256", "estimator", "collatrisk", "numpy", "arch"} <= set(facts)
    assert "created" not in facts
    dated = fit_market(short, source="exchange X", created="2024-01-02", **fast)
    assert (dated.provenance["source"], dated.provenance["created"]) == ("exchange X", "2024-01-02")
    changed = short.copy()
    changed.iloc[5, 0] *= 1.0001
    assert fit_market(changed, **fast).provenance["prices_sha256"] != facts["prices_sha256"]


def test_missing_days_are_reported_and_nothing_is_filled(prices: pd.DataFrame) -> None:
    holes = prices.iloc[:500].copy()
    holes.iloc[[100, 101, 300], 1] = np.nan
    found = fit_market(holes, volatility=Ewma(), dependence=GaussianCopula())
    assert found.provenance["n_obs"] == "496"
    missing = next(finding for finding in found.findings if finding.code == "missing-days")
    assert missing.subject == "ETH"
    long_steps = next(finding for finding in found.findings if finding.code == "long-steps")
    assert "2 of 496" in long_steps.message
    assert "longest 3" in long_steps.message


def test_mixed_clocks_need_a_choice_and_are_reported(prices: pd.DataFrame) -> None:
    mixed = prices.iloc[:600].copy()
    mixed.loc[mixed.index.day_of_week >= 5, "ETH"] = np.nan
    fast: dict[str, Any] = {"volatility": Ewma(), "dependence": GaussianCopula()}
    with pytest.raises(DataError, match="clock"):
        fit_market(mixed, **fast)
    found = fit_market(mixed, clock="business", **fast)
    assert found.clock.kind == "business"
    codes = {finding.code for finding in found.findings}
    assert "mixed-clocks" in codes
    assert not codes & {"long-steps", "clock-mismatch"}
    with pytest.raises(InputError, match="one clock"):
        fit_market(mixed, clock="business", history="own", **fast)
    wrong = fit_market(prices.iloc[:200], clock="business", **fast)
    assert "clock-mismatch" in {finding.code for finding in wrong.findings}


def test_own_history_uses_all_of_an_assets_prices(prices: pd.DataFrame) -> None:
    late = prices.iloc[:900].copy()
    late.iloc[:400, 1] = np.nan
    fast: dict[str, Any] = {"volatility": ConstantVolatility(dist="t"), "dependence": GaussianCopula()}
    common, own = fit_market(late, **fast), fit_market(late, history="own", **fast)
    assert [marginal.n_obs for marginal in common.marginals] == [499, 499]
    assert [marginal.n_obs for marginal in own.marginals] == [899, 499]
    assert own.dependence.n_obs == 499
    # But for how its errors move with those of BTC, of which there are other estimates.
    eth, again = (replace(model.marginal("ETH"), uncertainty=None) for model in (own, common))
    assert eth == again


def test_a_wrong_law_is_found_and_ranks_keep_the_copula_free_of_it() -> None:
    heavy = garch_prices(1500, 5)
    fits = {
        margins: fit_market(heavy, volatility=ConstantVolatility(), margins=margins)  # type: ignore[arg-type]
        for margins in ("law", "ranks")
    }
    for found in fits.values():
        subjects = {finding.subject for finding in found.findings if finding.code == "pit-not-uniform"}
        assert subjects == {"BTC", "ETH"}
    joint = fits["ranks"].dependence
    assert joint.nu is not None
    assert joint.nu_std_error is not None
    assert abs(joint.nu - NU_COPULA) < 4 * joint.nu_std_error


def test_one_asset_works(prices: pd.DataFrame) -> None:
    found = fit_market(prices[["BTC"]].iloc[:700])
    assert found.assets == ("BTC",)
    assert found.dependence.spec == Independent()
    assert "one-asset" in {finding.code for finding in found.findings}
    assert fit_market(prices["BTC"].iloc[:700], volatility=Ewma()).assets == ("BTC",)  # type: ignore[arg-type]


def test_specs_by_asset(prices: pd.DataFrame) -> None:
    chosen = {"ETH": ConstantVolatility(), "*": Ewma()}
    found = fit_market(prices.iloc[:300], volatility=chosen, dependence=Independent())
    assert [marginal.spec for marginal in found.marginals] == [Ewma(), ConstantVolatility()]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"volatility": {"ETX": Ewma(), "*": Ewma()}}, "did you mean 'ETH'"),
        ({"volatility": {"ETH": Ewma()}}, "names no spec for 'BTC'"),
        ({"dependence": "t"}, "must be a dependence spec"),
        ({"history": "all"}, "history"),
        ({"margins": "rank"}, "did you mean 'ranks'"),
        ({"volatility": "garch"}, "must be a volatility spec"),
        ({"volatility": {"*": Ewma(), "ETH": "garch"}}, r"volatility\[ETH\] = 'garch'"),
        ({"clock": "24-7"}, "clock"),
    ],
)
def test_wrong_arguments_are_refused(prices: pd.DataFrame, arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=name):
        fit_market(prices.iloc[:300], **arguments)


def test_assets_whose_data_cannot_be_fitted_are_all_named(prices: pd.DataFrame) -> None:
    stuck = prices.iloc[:300].assign(USDC=1.0, DAI=1.0)
    with pytest.raises(DataError) as caught:
        fit_market(stuck, volatility=ConstantVolatility())
    text = str(caught.value)
    assert "2 of 4 assets" in text
    assert "USDC" in text
    assert "DAI" in text


def test_assets_whose_fit_fails_are_all_named(prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(returns: pd.Series, spec: object, *, presample: str) -> object:
        raise FitError("fit", [Problem("returns", "300 returns", "no start has a finite likelihood", "use Ewma()")])

    monkeypatch.setattr("collatrisk.volatility.fit.fit_volatility", failing)
    with pytest.raises(FitError) as caught:
        fit_market(prices.iloc[:300])
    assert [problem.name for problem in caught.value.problems] == ["BTC: returns", "ETH: returns"]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda frame: frame.iloc[:0], DataError),
        (lambda frame: frame.iloc[:1], DataError),
        (lambda frame: frame.iloc[:15], DataError),
        (lambda frame: frame.assign(BTC=-1.0), DataError),
        (lambda frame: frame.assign(BTC="x"), DataError),
        (lambda frame: frame.iloc[::-1], DataError),
        (lambda frame: pd.concat([frame, frame.iloc[-1:]]), DataError),
        (lambda frame: frame.assign(BTC=np.nan), DataError),
        (lambda frame: frame.reset_index(drop=True), InputError),
        (lambda frame: frame.to_numpy(), InputError),
    ],
)
def test_bad_prices_are_refused(
    prices: pd.DataFrame, spoil: Callable[[pd.DataFrame], Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        fit_market(spoil(prices.iloc[:200]), volatility=Ewma(), dependence=StudentTCopula(), clock="24/7")


def test_names_with_markup_are_escaped(prices: pd.DataFrame) -> None:
    odd = prices.iloc[:300].rename(columns={"BTC": "<script>x</script>"})
    html = fit_market(odd, volatility=Ewma(), dependence=GaussianCopula())._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_real_series_that_arch_carries() -> None:
    from arch.data import nasdaq, sp500, wti

    frame = pd.DataFrame(
        {
            "SP500": sp500.load()["Adj Close"],
            "NASDAQ": nasdaq.load()["Adj Close"],
            "WTI": wti.load()["DCOILWTICO"],
        }
    )["2010":"2018"]
    found = fit_market(frame)
    assert found.clock.kind == "business"
    missing = {finding.subject: finding for finding in found.findings if finding.code == "missing-days"}
    assert "WTI" in missing
    assert found.dependence.correlation[0, 1] > 0.9
    assert 2.1 < (found.dependence.nu or 0) < 30
    frame_summary = found.summary()
    assert (frame_summary["persistence"] < 1.0 + 1e-9).all()
    assert frame_summary.loc["WTI", "current_volatility"] > frame_summary.loc["SP500", "current_volatility"] * 0.8
