"""The unit-variance laws of the standardised residual against quadrature, scipy and arch."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import integrate, special, stats

from collatrisk.base.errors import InputError
from collatrisk.volatility import distributions as laws

LAWS = [
    ("normal", math.inf, 0.0),
    ("t", 2.5, 0.0),
    ("t", 4.0, 0.0),
    ("t", 60.0, 0.0),
    ("skewt", 4.5, -0.4),
    ("skewt", 6.0, 0.3),
    ("skewt", 30.0, 0.7),
    ("skewt", 5.0, 0.0),
]
VECTORS = {row["name"]: row for row in json.loads((Path(__file__).parent / "vectors" / "garch.json").read_text())}


def whole_line(function):
    """The integral over the line, cut where the laws have their kinks and spread over the tails."""
    edges = [-np.inf, -50.0, -5.0, -1.0, 0.0, 1.0, 5.0, 50.0, np.inf]
    return sum(integrate.quad(function, a, b, limit=200)[0] for a, b in pairwise(edges))


@pytest.mark.parametrize(("dist", "nu", "lam"), [law for law in LAWS if law[1] > 4.0 or law[0] == "normal"])
def test_mass_one_mean_zero_variance_one_by_quadrature(dist, nu, lam):
    for power, expected in ((0, 1.0), (1, 0.0), (2, 1.0)):
        found = whole_line(lambda z, k=power: z**k * float(laws.pdf(dist, z, nu, lam)))
        assert found == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize(("dist", "nu", "lam"), LAWS)
def test_second_moment_below_zero_by_quadrature(dist, nu, lam):
    edges = [-np.inf, -1e3, -50.0, -5.0, -1.0, -0.3, 0.0]
    found = sum(
        integrate.quad(lambda z: z * z * float(laws.pdf(dist, z, nu, lam)), a, b, limit=400)[0]
        for a, b in pairwise(edges)
    )
    assert laws.second_moment_below_zero(dist, nu, lam) == pytest.approx(found, rel=1e-5 if nu < 3 else 1e-7)


def test_second_moment_below_zero_agrees_with_arch_and_mirrors():
    from arch.univariate import SkewStudent

    for nu, lam in ((3.0, -0.6), (5.0, 0.2), (12.0, 0.8)):
        ours = laws.second_moment_below_zero("skewt", nu, lam)
        assert ours == pytest.approx(SkewStudent().partial_moment(2, 0.0, [nu, lam]), abs=1e-12)
        assert ours + laws.second_moment_below_zero("skewt", nu, -lam) == pytest.approx(1.0, abs=1e-13)
    assert laws.second_moment_below_zero("skewt", 6.0, -0.3) > 0.5  # a heavier left tail weighs more


def test_t_is_scipy_t_scaled_to_unit_variance():
    u = np.array([1e-9, 1e-3, 0.2, 0.5, 0.7, 0.99])
    for nu in (2.2, 5.0, 40.0):
        scale = math.sqrt((nu - 2.0) / nu)
        np.testing.assert_allclose(laws.ppf("t", u, nu), stats.t.ppf(u, nu) * scale, rtol=1e-9, atol=1e-14)
        z = np.linspace(-6.0, 6.0, 13)
        np.testing.assert_allclose(laws.pdf("t", z, nu), stats.t.pdf(z / scale, nu) / scale, rtol=1e-11)
        np.testing.assert_allclose(laws.cdf("t", z, nu), stats.t.cdf(z / scale, nu), rtol=1e-11)


def test_standardised_t_quantile_and_shortfall_vector():
    vector = VECTORS["garch.standardised_t_quantile"]
    rows = vector["inputs"]["rows"]
    for (nu, level), var, es in zip(rows, vector["expected"]["var"], vector["expected"]["es"], strict=True):
        q = float(laws.isf("t", 1.0 - level, nu))
        assert q == pytest.approx(var, rel=1e-9)
        tail = integrate.quad(lambda z, nu=nu: z * float(laws.pdf("t", z, nu)), q, np.inf, epsabs=1e-13, limit=400)[0]
        assert tail / (1.0 - level) == pytest.approx(es, rel=1e-8)


def test_skewt_is_arch_skew_student():
    from arch.univariate import SkewStudent

    law, u, z = SkewStudent(), np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 0.999]), np.linspace(-5.0, 5.0, 11)
    for nu, lam in ((2.6, -0.5), (5.0, 0.4), (80.0, 0.1)):
        np.testing.assert_allclose(laws.ppf("skewt", u, nu, lam), law.ppf(u, [nu, lam]), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(laws.cdf("skewt", z, nu, lam), law.cdf(z, [nu, lam]), rtol=1e-10)
        theirs = law.loglikelihood([nu, lam], z, np.ones(z.size), individual=True)
        np.testing.assert_allclose(laws.logpdf("skewt", z, nu, lam), theirs, rtol=1e-12)


@pytest.mark.parametrize(("dist", "nu", "lam"), [*LAWS, ("t", 2.05, 0.0), ("skewt", 2.05, -0.9)])
def test_quantiles_hold_far_in_both_tails(dist, nu, lam):
    p = np.array([1e-300, 1e-200, 1e-100, 1e-31, 1e-29, 1e-12, 1e-4, 0.03])
    np.testing.assert_allclose(laws.cdf(dist, laws.ppf(dist, p, nu, lam), nu, lam), p, rtol=1e-10)
    np.testing.assert_allclose(laws.sf(dist, laws.isf(dist, p, nu, lam), nu, lam), p, rtol=1e-10)
    # A law and its mirror: the left tail of one is the right tail of the other.
    np.testing.assert_allclose(laws.ppf(dist, p, nu, lam), -laws.isf(dist, p, nu, -lam), rtol=1e-14)
    assert np.all(np.diff(laws.ppf(dist, p, nu, lam)) > 0.0)
    assert laws.ppf(dist, 0.0, nu, lam) == -np.inf
    assert laws.ppf(dist, 1.0, nu, lam) == np.inf
    assert np.isnan(laws.ppf(dist, 1.2, nu, lam))
    assert np.isnan(laws.ppf(dist, -0.2, nu, lam))


@given(
    u=st.floats(1e-12, 1.0 - 1e-12),
    nu=st.floats(2.05, 500.0),
    lam=st.floats(-0.99, 0.99),
    dist=st.sampled_from(["normal", "t", "skewt"]),
)
def test_round_trip_and_monotone(u, nu, lam, dist):
    z = float(laws.ppf(dist, u, nu, lam))
    assert float(laws.cdf(dist, z, nu, lam)) == pytest.approx(u, rel=1e-8)
    assert float(laws.ppf(dist, min(u * 1.01, 1.0), nu, lam)) > z
    assert float(laws.cdf(dist, z, nu, lam) + laws.sf(dist, z, nu, lam)) == pytest.approx(1.0, abs=1e-12)


@given(z=st.floats(-30.0, 30.0), nu=st.floats(2.1, 300.0), lam=st.floats(-0.9, 0.9))
def test_slopes_are_the_derivatives_of_the_log_density(z, nu, lam):
    def f(z, nu, lam):
        return float(laws.logpdf("skewt", z, nu, lam))

    at, step = np.array([z]), 1e-6
    along_nu, along_lam = (float(slope[0]) for slope in laws.shape_slopes("skewt", at, nu, lam))
    assert along_nu == pytest.approx((f(z, nu + step, lam) - f(z, nu - step, lam)) / (2 * step), rel=1e-4, abs=1e-7)
    assert along_lam == pytest.approx((f(z, nu, lam + step) - f(z, nu, lam - step)) / (2 * step), rel=1e-3, abs=1e-5)
    slope = float(laws.log_density_slope(at, nu, lam)[0])
    assert slope == pytest.approx((f(z + step, nu, lam) - f(z - step, nu, lam)) / (2 * step), rel=1e-3, abs=1e-5)
    # the t by digamma, and Hansen's law without skewness by the complex step, are the same function
    (direct,) = laws.shape_slopes("t", at, nu, 0.0)
    assert float(direct[0]) == pytest.approx(float(laws.shape_slopes("skewt", at, nu, 0.0)[0][0]), rel=1e-7, abs=1e-12)


def test_infinite_nu_is_the_normal():
    z = np.linspace(-3.0, 3.0, 7)
    np.testing.assert_allclose(laws.cdf("t", z), special.ndtr(z), rtol=1e-15)
    np.testing.assert_allclose(laws.ppf("t", [0.01, 0.5]), special.ndtri([0.01, 0.5]), rtol=1e-15)


def test_shapes_outside_their_range_are_refused_together():
    with pytest.raises(InputError) as caught:
        laws.ppf("skewt", 0.5, 2.0, 1.0)
    assert [problem.name for problem in caught.value.problems] == ["nu", "lambda"]
    with pytest.raises(InputError, match="did you mean 'normal'"):
        laws.cdf("normall", 0.0)
    with pytest.raises(InputError, match="nu = inf: must be finite"):
        laws.pdf("skewt", 0.0)  # a skewed law needs its nu
