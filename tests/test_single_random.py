"""Functions and normals in float32: largest errors, known words, distribution, and no float64 in between."""

from __future__ import annotations

import math

import naive_single
import numpy as np
import pytest
from numba import njit
from scipy import stats

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels import cubics_single, paths_single, random_single, rows, scores, steps
from collatrisk.kernels.random_single import LARGEST_NORMAL, fill_normals_single, fill_words, normals_of_words
from collatrisk.kernels.special_single import exp_single, log_single, sin_cos_single

N = 400_000
SIGMAS = 4.5
MIXING = 1 << 16


@njit
def _log(x, out):
    for i in range(x.size):
        out[i] = log_single(x[i])


@njit
def _exp(x, out):
    for i in range(x.size):
        out[i] = exp_single(x[i])


@njit
def _sin_cos(k, sine, cosine):
    for i in range(k.size):
        sine[i], cosine[i] = sin_cos_single(k[i])


def floats(*shape):
    return np.empty(shape, dtype=np.float32)


def worst_ulp(found, exact):
    """The largest error in units in the last place of float32; `exact` in float64."""
    return float(np.max(np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float32))))


def test_log_is_within_one_ulp():
    rng = np.random.default_rng(1)
    parts = rng.random(500_000), np.exp(rng.uniform(-80, 80, 100_000)), 1.0 + 1e-3 * rng.standard_normal(50_000)
    x = np.concatenate([*parts, [1.0, 2.0**-41]]).astype(np.float32)
    out = np.empty_like(x)
    _log(x, out)
    exact = np.log(x.astype(np.float64))
    assert worst_ulp(out[exact != 0.0], exact[exact != 0.0]) < 1.0
    assert np.all(out[exact == 0.0] == 0.0)


def test_exp_is_within_a_little_more_than_one_ulp_and_stays_finite_and_positive():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-64, 64, 500_000), 0.1 * rng.standard_normal(100_000)]).astype(np.float32)
    out = np.empty_like(x)
    _exp(x, out)
    assert worst_ulp(out, np.exp(x.astype(np.float64))) < 1.05
    _exp(np.array([0.0, -1e9, 1e9, -np.inf, np.inf], dtype=np.float32), out)
    assert out[0] == 1.0
    assert out[1] == out[3] == pytest.approx(math.exp(-64), rel=2e-7)
    assert out[2] == out[4] == pytest.approx(math.exp(64), rel=2e-7)


def test_sine_and_cosine_are_within_two_ulp_and_never_zero():
    borders = [place + np.arange(-50, 50) for place in (2**21, 2**22, 2**23, 2**23 + 2**22)]
    random = np.random.default_rng(3).integers(0, 2**24, 500_000)
    k = np.concatenate([random, np.arange(50), *borders, 2**24 - 1 - np.arange(50)]).astype(np.int32)
    sine, cosine = floats(k.size), floats(k.size)
    _sin_cos(k, sine, cosine)
    angle = (k.astype(np.longdouble) + 0.5) / 2**24 * 8 * np.arctan(np.longdouble(1))
    assert worst_ulp(sine, np.sin(angle)) < 2.0
    assert worst_ulp(cosine, np.cos(angle)) < 2.0
    assert np.abs(sine).min() > 1e-7
    assert np.abs(cosine).min() > 1e-7


def test_the_words_are_those_of_philox_across_the_32_bit_border():
    key, first = stream_key(5, Purpose.PATHS_SINGLE), 2**32 - 20
    words = np.empty((4, 37), dtype=np.uint32)
    fill_words(key, first, 3, MIXING, *words)
    assert np.array_equal(words, naive_single.words_of(key, first, 37, 3, MIXING))


def test_normals_agree_with_their_twin_to_the_rounding_of_float32():
    key, n = stream_key(9, Purpose.PATHS_SINGLE), 3000
    out = floats(4, n)
    fill_normals_single(key, 77, 2, 1, np.empty((4, n), dtype=np.uint32), *out)
    twin = naive_single.normals_of(naive_single.words_of(key, 77, n, 2, 1))
    # A radius near 0 has fewer digits: the uniform near 1 that it comes from has no more.
    np.testing.assert_allclose(out, twin, rtol=1e-6, atol=2e-4)
    far = np.hypot(twin[::2], twin[1::2]) > 0.5
    for half in (0, 1):
        np.testing.assert_allclose(out[half::2][far], twin[half::2][far], rtol=3e-7, atol=2e-7)


def test_the_tail_reaches_its_bound_and_no_further():
    v = np.array([0, 0, 1, 2**32 - 1], dtype=np.uint32)
    w = np.array([0, 255, 0, 0], dtype=np.uint32)
    a, b = floats(4), floats(4)
    normals_of_words(v, w, a, b)
    radius = np.hypot(a.astype(float), b)
    u = (v.astype(float) + ((w & 255) + 0.5) / 256) / 2**32
    assert radius[:3] == pytest.approx(np.sqrt(-2 * np.log(u[:3])), rel=3e-7)
    assert radius[0] == pytest.approx(LARGEST_NORMAL, abs=1e-3)
    assert radius[0] < LARGEST_NORMAL
    assert radius[3] < 3e-4


def normals(seed=0, first=0, quad=0, slot=0, n=N):
    out = floats(4, n)
    words = np.empty((4, n), dtype=np.uint32)
    fill_normals_single(stream_key(seed, Purpose.PATHS_SINGLE), first, quad, slot, words, *out)
    return out.astype(np.float64)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(("seed", "quad", "slot"), [(0, 0, 0), (2**64 - 1, 1000, MIXING)])
def test_normal_moments_and_distribution(seed, quad, slot, part):
    z = normals(seed, quad=quad, slot=slot)[part]
    for power, mean, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs(np.mean(z**power) - mean) < SIGMAS * math.sqrt(variance / N)
    assert stats.kstest(z, "norm").pvalue > 1e-5
    for level in (2.0, 3.0, 4.0):
        expected = 2 * stats.norm.sf(level)
        assert abs(np.mean(np.abs(z) > level) - expected) < SIGMAS * math.sqrt(expected / N)


@pytest.mark.parametrize("other", [{"seed": 4}, {"quad": 1}, {"slot": 1}, {"slot": MIXING}, {"first": 2**32}])
def test_no_correlation_within_a_counter_or_between_streams(other):
    streams = np.vstack([normals(seed=3), normals(**({"seed": 3} | other))])
    for f in (lambda x: x, lambda x: (x * x - 1) / math.sqrt(2)):
        correlation = f(streams) @ f(streams).T / N
        assert np.max(np.abs(correlation[~np.eye(8, dtype=bool)])) < SIGMAS / math.sqrt(N)


def test_angle_and_radius_of_a_counter_are_independent_and_uniform():
    for a, b in normals(seed=6).reshape(2, 2, N):
        angle, level = np.arctan2(b, a) / (2 * math.pi) + 0.5, np.exp(-0.5 * (a * a + b * b))
        assert stats.kstest(angle, "uniform").pvalue > 1e-5
        assert stats.kstest(level, "uniform").pvalue > 1e-5
        cells = np.bincount((angle * 32).astype(int) % 32 * 32 + (level * 32).astype(int) % 32, minlength=1024)
        assert stats.chisquare(cells).pvalue > 1e-5
        deep = angle[level < 1e-3]  # where bits of the angle's word are part of the radius
        assert stats.kstest(deep, "uniform").pvalue > 1e-5


ROW, WORDS, PLACES = floats(512), np.zeros(512, dtype=np.uint32), np.zeros(512, dtype=np.int32)
ONE = np.float32(1.0)
PASSES = {
    "normals": (random_single.normals_of_words, (WORDS, WORDS, ROW, ROW)),
    "even cubics": (cubics_single.interpolate_even_single, (np.zeros((8, 4), np.float32), ONE, ROW, PLACES)),
    "octave cubics": (cubics_single.interpolate_octaves_single, (np.zeros((8, 4), np.float32), 2, ROW, PLACES)),
    "multiply": (rows.multiply_row, (ROW, ROW)),
    "correlate": (scores.correlate, (np.eye(6, dtype=np.float32), floats(6, 512))),
    "prices": (paths_single._write_prices, (ONE, ROW, ROW)),
    "variances": (paths_single._write_variances, (ONE, ROW, ROW, ROW)),
    "constant": (steps._step_constant, (ONE, ONE, ONE, ROW, floats(2048))),
    "one lag": (steps._step_one_lag, (*[ONE] * 7, ROW, floats(2048))),
}


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_has_no_float64_in_it(name):
    kernel, arguments = PASSES[name]
    again = njit(error_model="numpy")(kernel.py_func)
    again(*arguments)
    (code,) = again.inspect_llvm().values()
    assert "fpext" not in code
