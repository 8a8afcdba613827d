"""Expected variances of a TGARCH, the shocks of simulated forecasts, and what is usual for an asset."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from path_models import market

from collatrisk.base.errors import InputError
from collatrisk.dependence.specs import Independent
from collatrisk.simulation import Marginal, MarketModel
from collatrisk.simulation.fit import fit_market
from collatrisk.simulation.stress import stress_model
from collatrisk.volatility.law import Law
from collatrisk.volatility.recursions import base
from collatrisk.volatility.recursions.garch import GarchCoefficients
from collatrisk.volatility.specs import Garch

TGARCH = GarchCoefficients(0.002, (0.08,), (0.05,), (0.88,), power=1.0)
LAWS = [Law("normal"), Law("t", 6.0), Law("skewt", 7.0, -0.3), Law("ged", 1.3)]


def steps_by_quadrature(found: GarchCoefficients, residual: float, variance: float, law: Law) -> list[float]:
    """E h of three steps: the tree of the shocks of two, on an even grid of 3 000 quantiles each."""
    z = law.quantile((np.arange(3000) + 0.5) / 3000)
    factor = found.beta[0] + np.where(z < 0.0, found.alpha[0] + found.gamma[0], found.alpha[0]) * np.abs(z)
    weight = found.alpha[0] + (found.gamma[0] if residual < 0.0 else 0.0)
    first = found.omega + weight * abs(residual) + found.beta[0] * math.sqrt(variance)
    second = found.omega + factor * first
    third = found.omega + np.multiply.outer(factor, second)
    return [first**2, float(np.mean(second**2)), float(np.mean(third**2))]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.dist)
@pytest.mark.parametrize("residual", [-0.03, 0.02])
def test_forecasts_of_a_tgarch_are_the_mean_over_the_tree_of_its_shocks(law: Law, residual: float) -> None:
    found = TGARCH.forecast(np.array([residual]), np.array([4e-4]), 3, law)
    # The grid misses about 1e-3 of E[z^2] in the tail of a t with 6 degrees of freedom.
    np.testing.assert_allclose(found, steps_by_quadrature(TGARCH, residual, 4e-4, law), rtol=3e-4)
    assert TGARCH.closed_form


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.dist)
def test_the_long_run_of_a_tgarch_is_where_its_forecasts_end(law: Law) -> None:
    far = TGARCH.forecast(np.array([0.05]), np.array([1e-3]), 3000, law)[-1]
    assert TGARCH.long_run_variance(law) == pytest.approx(far, rel=1e-10)


def test_a_tgarch_may_have_a_mean_volatility_and_no_mean_variance() -> None:
    heavy = GarchCoefficients(0.0003, (0.3,), (0.0,), (0.805,), power=1.0)
    law = Law("t", 3.0)
    assert heavy.persistence(law) < 1.0
    assert heavy.long_run_variance(law) == math.inf
    assert math.isnan(GarchCoefficients(0.0, (0.2,), (), (0.9,), power=1.0).long_run_variance(Law("normal")))


@pytest.mark.parametrize("law", [*LAWS, Law("t", 2.74), Law("skewt", 3.0, 0.4)], ids=str)
def test_even_shocks_have_the_moments_of_the_law(law: Law) -> None:
    shocks = base._even_shocks(law)
    assert np.mean(shocks) == pytest.approx(0.0, abs=1e-12)
    assert np.mean(shocks**2) == pytest.approx(1.0, rel=1e-12)
    # Persistences hang on E|z|: to scale the body up for what is missing in the tail puts it 4 % off at nu = 2.74.
    assert np.mean(np.abs(shocks)) == pytest.approx(sum(law.half_moments(1.0)), rel=3e-3)


def near_integrated(sample_volatility: float | None) -> Marginal:
    params = {"mu": 0.0, "omega": 0.0003, "alpha[1]": 0.117, "gamma[1]": -0.008, "beta[1]": 0.9275, "nu": 2.74}
    spec = Garch(power=1.0, dist="t")
    return Marginal("A", spec, params, {}, (0.003,), (8e-4,), sample_volatility=sample_volatility)


def test_a_crisis_starts_from_what_the_sample_showed_not_from_a_long_run_that_it_hardly_determines() -> None:
    marginal = near_integrated(0.0376)
    assert marginal.long_run_volatility > 3.0 * 0.0376
    crisis = stress_model(market(marginal), initial_volatility=4.0).marginals[0]
    assert math.sqrt(crisis.next_variance) == pytest.approx(4.0 * 0.0376, rel=1e-12)
    unknown = near_integrated(None)
    assert unknown.average_volatility == unknown.long_run_volatility
    infinite = replace(unknown, params={**unknown.params, "beta[1]": 0.95})
    assert infinite.average_volatility == math.sqrt(infinite.next_variance)


def test_the_sample_volatility_is_that_of_the_residuals_scales_and_is_saved() -> None:
    rng = np.random.default_rng(5)
    returns = 0.001 + 0.02 * rng.standard_normal(600)
    dates = pd.date_range("2022-01-01", periods=601, tz="UTC")
    prices = pd.DataFrame({"A": 100.0 * np.exp(np.concatenate(([0.0], np.cumsum(returns))))}, index=dates)
    model = fit_market(prices, clock="24/7", dependence=Independent())
    fitted = model.marginals[0]
    assert fitted.sample_volatility == pytest.approx(np.sqrt(np.mean((returns - fitted.mu) ** 2)), rel=1e-9)
    assert fitted.scaled(3.0).sample_volatility == pytest.approx(3.0 * fitted.sample_volatility, rel=1e-12)
    assert Marginal.from_dict(fitted.to_dict()) == fitted
    assert MarketModel.from_dict(model.to_dict()) == model
    with pytest.raises(InputError, match="sample_volatility = -1"):
        near_integrated(-1.0)
