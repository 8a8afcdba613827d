"""Parameters drawn within their estimation error: always valid, as wide as they should be, bootstrapped on bounds."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.volatility import (
    ConstantVolatility,
    Ewma,
    Garch,
    ParameterUncertainty,
    VolatilityFit,
    draw_params,
    fit_panel,
    fit_volatility,
)
from collatrisk.volatility.bootstrap import simulate_returns
from collatrisk.volatility.coordinates import Coordinates, as_vector
from collatrisk.volatility.curvature import covariances
from collatrisk.volatility.likelihood import LAMBDA_BOUNDS, NU_BOUNDS, Likelihood, parameter_names
from collatrisk.volatility.specs import VolatilitySpec
from collatrisk.volatility.uncertainty import shifted_variances

TRUE = {"mu": 2e-4, "omega": 4e-5, "alpha[1]": 0.06, "gamma[1]": 0.08, "beta[1]": 0.82, "nu": 6.0}


def histories(n_steps: int, count: int, seed: int) -> NDArray[np.float64]:
    """(n_steps, count) returns of a GJR-t with the parameters above."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(6.0, (n_steps, count)) * math.sqrt(4.0 / 6.0)
    start = TRUE["omega"] / (1.0 - 0.06 - 0.04 - 0.82)
    return simulate_returns(Garch(), TRUE, shocks, start)


@pytest.fixture(scope="module")
def fit() -> VolatilityFit:
    return fit_volatility(pd.Series(histories(3000, 1, seed=5)[:, 0], name="ETH"), Garch())


@pytest.fixture(scope="module")
def bounded() -> VolatilityFit:
    """Noise without clustering: alpha ends on its bound."""
    rng = np.random.default_rng(3)
    return fit_volatility(0.02 * rng.standard_normal(800), Garch(dist="normal", o=0))


SPECS: list[VolatilitySpec] = [
    Garch(),
    Garch(o=0, dist="normal"),
    Garch(p=2, o=1, q=2, dist="skewt"),
    Garch(p=1, o=2, q=1, dist="skewt", mean="zero"),
    Garch(p=0, o=1, q=1, dist="t"),
    Garch(p=1, o=1, q=0, dist="normal"),
    Ewma(dist="skewt", mean="constant"),
    ConstantVolatility(mean="constant", dist="t"),
]


@given(st.sampled_from(SPECS), st.lists(st.floats(-6.0, 6.0), min_size=12, max_size=12))
def test_every_point_of_the_plane_is_a_stationary_model_and_comes_back(
    spec: VolatilitySpec, values: list[float]
) -> None:
    coordinates = Coordinates(spec)
    free = np.array(values[: len(coordinates.names)])
    theta = coordinates.params(free)
    assert coordinates.gap(theta) > 0.0
    named = dict(zip(coordinates.names, theta.tolist(), strict=True))
    for name, value in named.items():
        if name == "omega":
            assert value > 0.0
        elif name == "nu":
            assert NU_BOUNDS[0] <= value <= NU_BOUNDS[1]
        elif name == "lambda":
            assert LAMBDA_BOUNDS[0] <= value <= LAMBDA_BOUNDS[1]
        elif name.startswith(("alpha", "beta")):
            assert value >= 0.0
        elif name.startswith("gamma"):
            assert value + named.get(name.replace("gamma", "alpha"), 0.0) >= -1e-15
    np.testing.assert_allclose(coordinates.free(theta), free, atol=1e-5)


def test_the_jacobian_is_the_derivative() -> None:
    spec = Garch(p=2, o=1, q=1, dist="skewt")
    coordinates = Coordinates(spec)
    theta = coordinates.params(np.array([1e-3, -9.0, 0.3, -0.5, 0.8, 2.0, -3.0, 0.4]))
    jacobian = coordinates.jacobian(theta)
    direction = 1e-6 * theta * np.arange(1, theta.size + 1)
    moved = coordinates.free(theta + direction) - coordinates.free(theta - direction)
    np.testing.assert_allclose(2.0 * jacobian @ direction, moved, rtol=1e-4, atol=1e-12)


def test_draws_have_the_robust_covariance_and_are_all_stationary(fit: VolatilityFit) -> None:
    draws = fit.draw_params(4000, np.random.default_rng(3))
    assert draws.method == "covariance"
    assert draws.findings == ()
    assert (draws.persistence < 1.0).all()
    coordinates = Coordinates(fit.spec)
    theta = as_vector(fit.spec, fit.params)
    free = np.array([coordinates.free(row) for row in draws.values])
    jacobian = coordinates.jacobian(theta)
    wanted = jacobian @ fit.covariance @ jacobian.T
    unit = np.sqrt(np.diag(wanted))
    np.testing.assert_allclose(np.cov(free.T) / np.outer(unit, unit), wanted / np.outer(unit, unit), atol=0.1)
    np.testing.assert_allclose((free.mean(axis=0) - coordinates.free(theta)) / unit, 0.0, atol=4.0 / math.sqrt(4000))
    # In the parameters themselves the delta method holds where the errors are small beside the bounds.
    spread = draws.frame.std()
    for name in ("mu", "nu", "beta[1]"):
        assert spread[name] == pytest.approx(fit.std_errors["robust"][name], rel=0.2)


def test_the_history_is_filtered_with_each_draw(fit: VolatilityFit) -> None:
    draws = draw_params(fit, 20, np.random.default_rng(4))
    likelihood = Likelihood(fit.returns, fit.spec, fit.presample)
    for draw in (0, 7, 19):
        filtered = likelihood.filter(draws.values[draw])
        params = draws.params(draw)
        assert draws.last_variances[draw, 0] == filtered.variances[-1]
        e = filtered.residuals[-1]
        wanted = params["omega"] + (params["alpha[1]"] + params["gamma[1]"] * (e < 0)) * e**2
        assert draws.next_variance[draw] == pytest.approx(
            wanted + params["beta[1]"] * filtered.variances[-1], rel=1e-12
        )
    spread = np.std(np.log(fit.draw_params(500, np.random.default_rng(4)).next_variance))
    assert 0.02 < spread < 0.4


def test_without_the_history_the_last_variance_moves_along_its_slope(fit: VolatilityFit) -> None:
    draws = fit.draw_params(500, np.random.default_rng(6))
    exact = np.log(draws.last_variances[:, 0] / fit.last_variances[0])
    last = np.array(fit.last_variances)
    moved = shifted_variances(as_vector(fit.spec, fit.params), draws.values, fit.uncertainty, last)[:, 0]
    error = np.std(np.log(moved / last[0]) - exact)
    assert error < 0.35 * np.std(exact)


def test_the_slopes_are_the_derivatives_of_the_filter(fit: VolatilityFit) -> None:
    theta = as_vector(fit.spec, fit.params)
    likelihood = Likelihood(fit.returns, fit.spec, fit.presample)
    for place, name in enumerate(fit.uncertainty.names):
        step = 1e-5 * max(abs(theta[place]), 1e-4)
        ends = []
        for sign in (1.0, -1.0):
            moved = theta.copy()
            moved[place] += sign * step
            ends.append(math.log(likelihood.filter(moved).variances[-1]))
        slope = fit.uncertainty.state_slopes[0, place]
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-6), name


def test_draws_are_reproducible_and_fewer_are_the_first_of_more(fit: VolatilityFit, bounded: VolatilityFit) -> None:
    for one in (fit, bounded):
        few = one.draw_params(10, np.random.default_rng(8))
        more = one.draw_params(25, np.random.default_rng(8))
        np.testing.assert_array_equal(few.values, more.values[:10])
        assert len(few) == 10


def test_on_a_bound_histories_are_simulated_and_refitted(bounded: VolatilityFit) -> None:
    assert not np.isfinite(bounded.covariance).all()
    draws = bounded.draw_params(300, np.random.default_rng(9))
    assert draws.method == "bootstrap"
    (finding,) = draws.findings
    assert finding.code == "parameters-bootstrapped"
    assert "on its bound" in finding.message
    assert (draws.persistence < 1.0).all()
    assert (draws.frame["omega"] > 0.0).all()
    assert (draws.frame[["alpha[1]", "beta[1]"]] >= 0.0).all(axis=None)
    # Noise refitted is noise: about half of the refits see no clustering either.
    assert 0.2 < (draws.frame["alpha[1]"] < 1e-6).mean() < 0.9
    long_run = draws.frame["omega"] / (1.0 - draws.persistence)
    assert long_run.median() == pytest.approx(0.02**2, rel=0.1)
    assert "parameters-bootstrapped" in draws._repr_html_()


def test_an_integrated_fit_gives_stationary_draws() -> None:
    rng = np.random.default_rng(2)
    params = {"omega": 1e-6, "alpha[1]": 0.2, "beta[1]": 0.8, "nu": 5.0}
    spec = Garch(o=0, mean="zero")
    shocks = rng.standard_t(5.0, (1200, 1)) * math.sqrt(0.6)
    fit = fit_volatility(simulate_returns(spec, params, shocks, 1e-4)[:, 0], spec)
    assert fit.persistence > 0.97
    draws = fit.draw_params(200, rng)
    assert draws.method == "bootstrap"
    assert draws.persistence.max() <= 1.0 - 0.99e-6


@pytest.mark.parametrize("spec", [Ewma(), Ewma(dist="t", mean="constant"), ConstantVolatility(dist="t")])
def test_other_specs(spec: VolatilitySpec) -> None:
    fit = fit_volatility(histories(1500, 1, seed=12)[:, 0], spec)
    draws = fit.draw_params(50, np.random.default_rng(1))
    assert draws.values.shape == (50, len(parameter_names(spec)))
    assert draws.method == "covariance"
    if isinstance(spec, Ewma) and spec.mean == "zero":
        np.testing.assert_allclose(draws.next_variance, fit.next_variance, rtol=1e-12)
    else:
        assert np.std(draws.values[:, -1]) > 0.0


def test_both_ways_agree_where_both_hold(fit: VolatilityFit) -> None:
    """Refits of simulated histories scatter as the draws from the covariance do."""
    draws = fit.draw_params(1000, np.random.default_rng(10)).frame
    shocks = np.random.default_rng(11).standard_t(fit.nu, (fit.n_obs, 300)) * math.sqrt((fit.nu - 2.0) / fit.nu)
    start = fit.long_run_volatility**2
    again = fit_panel(list(simulate_returns(fit.spec, fit.params, shocks, start).T)).params
    for name in ("mu", "alpha[1]", "gamma[1]", "beta[1]", "nu"):
        assert draws[name].std() == pytest.approx(again[name].std(), rel=0.45), name


def test_the_uncertainty_survives_json_pickle_and_scaling(fit: VolatilityFit, bounded: VolatilityFit) -> None:
    for one in (fit.uncertainty, bounded.uncertainty):
        assert ParameterUncertainty.from_dict(one.to_dict()) == one
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one
    assert bounded.uncertainty.covariance is None
    doubled = fit.uncertainty.moved(np.diag([4.0 if name == "omega" else 1.0 for name in fit.params]))
    again = fit_volatility(2.0 * fit.returns, fit.spec).uncertainty
    # A scaled process is not the fit of scaled returns in mu, which scales there; the rest is the same.
    assert doubled.covariance is not None
    assert again.covariance is not None
    np.testing.assert_allclose(doubled.covariance[1:, 1:], again.covariance[1:, 1:], rtol=1e-3)
    np.testing.assert_allclose(doubled.state_slopes[:, 1:], again.state_slopes[:, 1:], rtol=1e-3, atol=1e-6)
    assert not fit.uncertainty.with_given_state().state_slopes.any()


def test_wrong_arguments_are_named(fit: VolatilityFit) -> None:
    with pytest.raises(InputError) as caught:
        draw_params(fit, 0, 7)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 2
    names = ("omega", "nu")
    for covariance in ([[1.0, 0.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, math.nan], [0.0, 1.0]], [[1.0], [0.0, 1.0]]):
        with pytest.raises(InputError):
            ParameterUncertainty(names, covariance, np.zeros((0, 2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must have 2 columns"):
        ParameterUncertainty(names, np.eye(2), np.zeros((1, 3)))
    with pytest.raises(InputError, match="is missing"):
        ParameterUncertainty.from_dict({"names": ["omega"]})


@pytest.mark.slow
def test_intervals_of_the_parameters_cover_the_truth() -> None:
    """95 % of the intervals of 200 fits hold the true persistence and next variance, within 4 standard errors."""
    runs, inside = 200, np.zeros(2)
    columns = histories(2000, runs, seed=21)
    for column in columns.T:
        fit = fit_volatility(column, Garch())
        draws = fit.draw_params(199, np.random.default_rng(1))
        h = TRUE["omega"] / (1.0 - 0.06 - 0.04 - 0.82)
        for e in (column - TRUE["mu"]).tolist():
            h = TRUE["omega"] + (0.06 + 0.08 * (e < 0)) * e * e + 0.82 * h
        for place, (values, truth) in enumerate(((draws.persistence, 0.92), (draws.next_variance, h))):
            low, high = np.quantile(values, [0.025, 0.975])
            inside[place] += low <= truth <= high
    assert (np.abs(inside / runs - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / runs)).all(), inside / runs


def test_a_covariance_is_symmetric_though_the_information_is_nearly_singular():
    rng = np.random.default_rng(1)
    for _ in range(5):
        turned = np.linalg.qr(rng.standard_normal((5, 5)))[0]
        information = turned @ np.diag([1e-9, 0.5, 1.0, 1.0, 2.0]) @ turned.T
        scores = rng.standard_normal((200, 5))
        identified, found = covariances(scores.T @ scores, np.eye(5), 0.5 * (information + information.T))
        assert identified
        for covariance in found:
            np.testing.assert_array_equal(covariance, covariance.T)
            ParameterUncertainty(tuple("abcde"), covariance, np.zeros((1, 5)))
