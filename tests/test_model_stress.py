"""Stressed models: scaled, in a crisis, correlated, on record; the model they start from is untouched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from test_model import market

from collatrisk.base.errors import InputError
from collatrisk.dependence import GaussianCopula, equicorrelation
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import Jump, MarketModel
from collatrisk.simulation.stress import stress_model
from collatrisk.volatility.specs import Ewma, Garch


@given(st.floats(0.1, 10), st.floats(-0.49, 1), st.floats(0, 1))
def test_stress_scales_volatility_and_keeps_correlation_psd(scale: float, rho: float, weight: float) -> None:
    model = market()
    before = model.fingerprint()
    jump = Jump("crash", 2.0, {"ETH": math.log(0.6), "BTC": math.log(0.7)})
    stressed = stress_model(model, volatility_scale=scale, correlation=(rho, weight), jumps=[jump], label="March")
    assert model.fingerprint() == before
    for old, new in zip(model.marginals, stressed.marginals, strict=True):
        assert new.next_variance == pytest.approx(scale**2 * old.next_variance, rel=1e-12)
        assert new.persistence == old.persistence
        if math.isfinite(old.long_run_volatility):
            assert new.long_run_volatility == pytest.approx(scale * old.long_run_volatility, rel=1e-12)
        assert new.variance_forecast(40) == pytest.approx(scale**2 * old.variance_forecast(40), rel=1e-12)
    expected = (1 - weight) * model.dependence.correlation + weight * equicorrelation(3, rho)
    assert stressed.dependence.correlation == pytest.approx(expected, abs=1e-15)
    assert np.linalg.eigvalsh(stressed.dependence.correlation)[0] >= -1e-12
    assert stressed.dependence.nu == model.dependence.nu
    assert stressed.jumps == (*model.jumps, jump)
    assert stressed.provenance["stress"].startswith("March: ")
    assert MarketModel.from_dict(stressed.to_dict()) == stressed


def test_stress_by_asset_and_on_top_of_a_stress() -> None:
    model = MarketModel.constant({"ETH": 0.8, "BTC": 0.6})
    once = stress_model(model, volatility_scale={"ETH": 2.0}, label="first")
    assert once.summary()["current_volatility"].tolist() == pytest.approx([1.6, 0.6])
    twice = stress_model(once, correlation=(0.9, 0.5), label="second")
    assert twice.dependence.spec == GaussianCopula()
    assert twice.dependence.correlation[0, 1] == pytest.approx(0.45)
    assert twice.provenance["stress"].count("|") == 1
    assert [finding.subject for finding in twice.findings if finding.code == "stressed-model"] == ["first", "second"]
    same = stress_model(model)
    assert same.marginals == model.marginals
    assert "nothing changed" in same.provenance["stress"]


def test_stress_names_all_problems_at_once() -> None:
    with pytest.raises(InputError) as caught:
        stress_model(
            market(),
            volatility_scale={"ETH": 0.0, "DOGE": 2.0},
            correlation=(-0.6, 1.2),
            jumps=[Jump("crash", 1.0, {"DOGE": -0.1})],
            label=" ",
        )
    names = [problem.name for problem in caught.value.problems]
    assert names == [
        "volatility_scale",
        "volatility_scale[ETH]",
        "label",
        "jumps[0].log_sizes",
        "correlation rho",
        "correlation weight",
    ]
    with pytest.raises(InputError, match="correlation"):
        stress_model(market(), correlation=0.9)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="volatility_scale = nan"):
        stress_model(market(), volatility_scale=math.nan)


@pytest.mark.parametrize("multiple", [0.5, 1.0, 3.0])
def test_a_crisis_starts_at_a_multiple_of_the_average_and_fades(multiple: float) -> None:
    spec = Garch(dist="normal", mean="zero")
    params = {"omega": 2e-6, "alpha[1]": 0.05, "gamma[1]": 0.04, "beta[1]": 0.9}
    calm = Marginal("A", spec, params, {}, last_residuals=(0.002,), last_variances=(1e-5,))
    crisis = calm.started_at(multiple)
    wanted = max((multiple * calm.long_run_volatility) ** 2, calm.next_variance)
    assert crisis.next_variance == pytest.approx(wanted, rel=1e-12)
    assert crisis.long_run_volatility == calm.long_run_volatility
    # E h_{t+k} = L + persistence^(k-1) (h - L): the crisis fades with the process's own half-life.
    level = calm.long_run_volatility**2
    expected = level + calm.persistence**20 * (wanted - level)
    assert crisis.variance_forecast(21)[-1] == pytest.approx(expected, rel=1e-12)


def test_a_crisis_multiplies_a_constant_volatility_for_good_and_today_where_there_is_no_average() -> None:
    constant = MarketModel.constant({"A": 0.5}).marginals[0]
    assert constant.started_at(2.0).next_variance == pytest.approx(4 * constant.next_variance, rel=1e-12)
    integrated = Marginal("B", Ewma(), {}, {}, last_residuals=(0.01,), last_variances=(1e-4,))
    assert integrated.started_at(2.0).next_variance == pytest.approx(4 * integrated.next_variance, rel=1e-12)


def test_the_crisis_is_on_record() -> None:
    model = MarketModel.constant({"A": 0.5, "B": 0.3})
    stressed = stress_model(model, initial_volatility={"A": 3.0}, label="march")
    assert stressed.provenance["stress"] == "march: volatility starts at x A 3"
    assert stressed.marginal("B").next_variance == model.marginal("B").next_variance
    with pytest.raises(InputError, match=r"initial_volatility\[A\] = 0"):
        stress_model(model, initial_volatility={"A": 0.0})
