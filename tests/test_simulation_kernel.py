"""The path kernel against its twin, and the tables against exact quantiles."""

from __future__ import annotations

import math
from dataclasses import replace

import naive_paths
import numpy as np
import pytest
from hypothesis import given, strategies as st
from path_models import crash, flat, gjr, market, whole_inputs

from collatrisk.dependence import correlation_factor
from collatrisk.kernels.cubics import interpolate_even, interpolate_octaves
from collatrisk.kernels.paths import simulate_block
from collatrisk.kernels.rows import aligned
from collatrisk.kernels.scores import correlate_plain, correlate_wide
from collatrisk.simulation import Marginal, PathPlan
from collatrisk.simulation.path_inputs import without_unused
from collatrisk.simulation.tables import (
    LARGEST_SCORE,
    TOLERANCE,
    ParametricLaw,
    largest_t_score,
    mixing_table,
    normal_score_table,
    t_score_table,
)
from collatrisk.volatility import distributions
from collatrisk.volatility.season import Season
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch


def high_order(asset):
    """GJR-GARCH(2,1,3): more lags than one, and not as many of each."""
    params = {"mu": 0.0, "omega": 1e-5, "alpha[1]": 0.03, "alpha[2]": 0.04, "gamma[1]": 0.05}
    params |= {"beta[1]": 0.4, "beta[2]": 0.2, "beta[3]": 0.2, "nu": 7.0}
    return Marginal(asset, Garch(2, 1, 3, dist="t"), params, {}, (0.05, -0.04), (4e-4, 9e-4, 2e-3))


def ewma(asset):
    return Marginal(asset, Ewma(decay=0.94), {}, {}, (-0.01,), (5e-4,))


MODELS = {
    "one normal": market(gjr("A", dist="normal")),
    "t copula, mixed laws": market(
        gjr("A", nu=4.2),
        gjr("B", dist="skewt", nu=5.0, lam=-0.2),
        high_order("C"),
        gjr("D", dist="normal"),
        ewma("E"),
        gjr("F", nu=6.0),  # the copula's own nu: a linear map
        rho=0.5,
        nu=6.0,
    ),
    "Gaussian copula with jumps": market(
        flat("A", dist="t"), high_order("B"), gjr("C", mu=2e-4), rho=-0.3, jumps=[crash("A", "C", intensity=60.0)]
    ),
    "independent": market(flat("A"), gjr("B", dist="skewt", lam=0.3)),
}


@pytest.mark.parametrize("drift", ["martingale", "zero_log", "fitted"])
@pytest.mark.parametrize("name", MODELS)
def test_the_kernel_agrees_with_its_twin(name, drift):
    plan = PathPlan(MODELS[name], n_paths=2**40, horizon_days=7, seed=12, drift=drift)
    first = 2**32 - 3
    block = plan.read(first, first + 6)
    for k in range(6):
        prices, variances = naive_paths.simulate_path(whole_inputs(plan), first + k, 7)
        np.testing.assert_allclose(block.prices[:, :, k], prices, rtol=1e-12)
        np.testing.assert_allclose(block.step_variance[:, :, k], variances, rtol=1e-12)


PLAIN = {
    "t copula": market(gjr("A", nu=4.2), flat("B"), ewma("C"), gjr("D", dist="normal"), rho=0.5, nu=6.0),
    "Gaussian copula": market(flat("A", dist="t"), gjr("B", dist="skewt", lam=0.2), rho=-0.3),
    "one asset": market(gjr("A")),
}


@pytest.mark.parametrize("drift", ["martingale", "fitted"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_model_has_the_same_bits_from_the_kernel_without_and_with_all_parts(name, drift):
    plan = PathPlan(PLAIN[name], n_paths=700, horizon_days=5, seed=3, drift=drift)
    whole = whole_inputs(plan)
    plain = without_unused(whole)
    assert plain[5:] == (None,) * 5
    found = []
    for inputs in (plain, whole):
        prices, variances = np.empty((6, len(plan.assets), 700)), np.empty((5, len(plan.assets), 700))
        simulate_block(inputs, 0, prices, variances)
        found.append((prices, variances))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("precision", ["double", "single"])
def test_one_asset_needs_no_copula(precision):
    """Its law is its own whatever the copula: drawn as under none, and the bridge has the variance of its recursion."""
    found = []
    for nu in (None, 4.0):
        plan = PathPlan(market(gjr("A"), rho=1.0, nu=nu), n_paths=50, horizon_days=4, seed=2, precision=precision)
        assert not whole_inputs(plan).scores.mixed
        found.append(plan.read(0, 50))
    assert np.array_equal(found[0].prices, found[1].prices)
    assert np.array_equal(found[0].step_variance, found[1].step_variance)
    assert np.unique(found[1].step_variance[0]).size == 1


def test_room_that_a_thread_keeps_makes_no_difference():
    plans = [PathPlan(PLAIN[name], n_paths=600, horizon_days=3, seed=4) for name in ("t copula", "one asset")]
    plans += [PathPlan(market(gjr("A"), gjr("B"), rho=0.2, nu=nu), n_paths=600, horizon_days=3) for nu in (5.0, None)]
    once = [plan.read(0, 600) for plan in plans]
    for plan, before in zip(reversed(plans), reversed(once), strict=True):
        again = plan.read(0, 600)
        assert np.array_equal(again.prices, before.prices)
        assert np.array_equal(again.step_variance, before.step_variance)


def test_aligned_arrays_begin_at_cache_lines_and_share_nothing():
    shapes = [(2, 3, 5), (7,), (0, 4), (9, 1)]
    found = aligned(shapes)
    for k, one in enumerate(found):
        assert one.ctypes.data % 64 == 0 or one.size == 0
        one.fill(float(k))
    assert [one.shape for one in found] == shapes
    assert all(np.all(one == k) for k, one in enumerate(found))


def test_no_part_is_left_out_where_any_is_needed():
    autoregressive = Marginal(
        "A", ConstantVolatility(mean="ar1"), {"mu": 0.0, "ar[1]": 0.1, "omega": 1e-4}, last_return=0.0
    )
    season = Season(tuple(np.sqrt(np.linspace(0.4, 1.6, 7)).tolist()), 3 * 1440.0)
    for model in (
        market(high_order("A")),
        market(flat("A"), jumps=[crash("A")]),
        market(autoregressive),
        market(replace(gjr("A"), season=season)),
    ):
        inputs = whole_inputs(PathPlan(model, n_paths=1, horizon_days=3, drift="zero_log"))
        assert without_unused(inputs) is inputs


@pytest.mark.parametrize("number", [np.float64, np.float32])
@given(d=st.integers(1, 11), n=st.sampled_from([33, 192]), seed=st.integers(0, 10**6))
def test_correlate_is_the_matrix_product_and_in_registers_has_the_same_bits(number, d, n, seed):
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.standard_normal((d, d))).astype(number)
    scores = rng.standard_normal((d, n)).astype(number)
    plain, wide = scores.copy(), scores.copy()
    correlate_plain(lower, plain)
    correlate_wide(lower, wide)
    exact = lower.astype(np.float64) @ scores.astype(np.float64)
    np.testing.assert_allclose(plain, exact, rtol=0, atol=200 * np.finfo(number).eps)
    assert np.array_equal(plain, wide)


def test_correlation_factor_gives_the_correlation_back_singular_or_not():
    rng = np.random.default_rng(4)
    loadings = rng.standard_normal((5, 2))
    singular = loadings @ loadings.T
    scale = np.sqrt(np.diag(singular))
    for matrix in (
        np.eye(3),
        np.full((4, 4), 0.6) + 0.4 * np.eye(4),
        np.ones((3, 3)),
        singular / np.outer(scale, scale),
    ):
        lower = correlation_factor(matrix)
        assert np.array_equal(lower, np.tril(lower))
        np.testing.assert_allclose(lower @ lower.T, matrix, atol=1e-12)


def even(table, x):
    out = x.copy()
    interpolate_even(table.cubics, float(2**table.power), out, np.empty(x.size, dtype=np.int64))
    return out


def octaves(table, x):
    out = x.copy()
    interpolate_octaves(table.cubics, table.power, out, np.empty(x.size, dtype=np.int64))
    return out


def test_interpolation_agrees_with_its_twin():
    x = np.concatenate([np.linspace(-8.5, 8.5, 999), [0.0, -0.0, 1e-300]])
    table = mixing_table(5.0)
    twin = [naive_paths.piecewise_cubic(table.cubics, value, scale=2**table.power) for value in x]
    np.testing.assert_allclose(even(table, x), twin, rtol=1e-12)
    x = np.concatenate([x, np.geomspace(1, 3e4, 200), -np.geomspace(1, 3e4, 200)])
    table = t_score_table(5.0, ParametricLaw("skewt", 4.0, 0.2))
    twin = [naive_paths.piecewise_cubic(table.cubics, value, power=table.power) for value in x]
    np.testing.assert_allclose(octaves(table, x), twin, rtol=1e-12, atol=1e-14)


LAWS = [("t", 2.1, 0.0), ("t", 5.0, 0.0), ("t", 60.0, 0.0), ("skewt", 4.0, -0.15), ("skewt", 3.0, 0.6)]


def exact_innovation(law, left, tail):
    dist, nu, lam = law
    return np.where(left, distributions.ppf(dist, tail, nu, lam), distributions.isf(dist, tail, nu, lam))


def relative_error(found, exact):
    return np.max(np.abs(found - exact) / np.maximum(np.abs(exact), 0.1))


@pytest.mark.parametrize("law", LAWS)
def test_normal_score_tables_reach_every_score_within_a_ten_millionth(law):
    from scipy.special import ndtr

    z = np.random.default_rng(5).uniform(-LARGEST_SCORE, LARGEST_SCORE, 4001)
    exact = exact_innovation(law, z < 0, ndtr(-np.abs(z)))
    found = even(normal_score_table(ParametricLaw(*law)), z)
    assert relative_error(found, exact) < 1e-7
    assert np.all(np.diff(found[np.argsort(z)]) > 0)


@pytest.mark.parametrize("law", [*LAWS, ("normal", math.inf, 0.0)])
@pytest.mark.parametrize("nu", [2.2, 5.0, 40.0])
def test_t_score_tables_reach_every_score_within_a_ten_millionth(nu, law):
    rng, reach = np.random.default_rng(6), math.asinh(largest_t_score(nu))
    t = np.sinh(rng.uniform(-reach, reach, 4001))
    exact = exact_innovation(law, t < 0, distributions.cdf("t", -np.abs(t) * math.sqrt((nu - 2) / nu), nu))
    found = octaves(t_score_table(nu, ParametricLaw(*law)), t)
    assert relative_error(found, exact) < 1e-7
    assert np.all(np.diff(found[np.argsort(t)]) > 0)


@pytest.mark.parametrize("nu", [2.1, 3.0, 6.5, 30.0, 400.0])
def test_mixing_tables_are_exact_to_their_tolerance(nu):
    from scipy.special import chdtri, gammaincinv, ndtr

    g = np.random.default_rng(7).uniform(-LARGEST_SCORE, LARGEST_SCORE, 4001)
    chi2 = np.where(g < 0, 2 * gammaincinv(nu / 2, ndtr(-np.abs(g))), chdtri(nu, ndtr(-np.abs(g))))
    found = even(mixing_table(nu), g)
    np.testing.assert_allclose(found, np.sqrt(nu / chi2), rtol=2 * TOLERANCE)
    assert np.all(np.diff(found[np.argsort(g)]) < 0)


def test_the_largest_score_covers_the_smallest_uniform():
    assert math.sqrt(-2.0 * math.log(2.0**-53)) < LARGEST_SCORE
