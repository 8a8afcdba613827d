"""The generator against its published answers, the elementary functions against extended precision."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from hypothesis import given, strategies as st
from numba import njit

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels.random import fill_normals, fill_uniforms, philox, uniform, unit
from collatrisk.kernels.special import exp, log, sin_cos_turns

ALL_ONES = 0xFFFFFFFF
# Known answers of philox4x32-10 in Random123 (D. E. Shaw Research), file tests/kat_vectors.
KNOWN = [
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ALL_ONES,) * 4, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0x299F31D0A4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@njit
def _log(x, out):
    for i in range(x.size):
        out[i] = log(x[i])


@njit
def _exp(x, out):
    for i in range(x.size):
        out[i] = exp(x[i])


@njit
def _sin_cos(u, sine, cosine):
    for i in range(u.size):
        sine[i], cosine[i] = sin_cos_turns(u[i])


def worst_ulp(found, exact):
    """The largest error in units in the last place; `exact` in extended precision."""
    return float(np.max(np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float64))))


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, answer):
    assert tuple(map(int, philox(*map(np.uint64, counter), np.uint64(key)))) == answer
    assert naive.philox_words(counter, key) == answer


@given(st.tuples(*[st.integers(0, ALL_ONES)] * 4), st.integers(0, 2**64 - 1))
def test_philox_agrees_with_its_twin(counter, key):
    found = philox(*map(np.uint64, counter), np.uint64(key))
    assert tuple(map(int, found)) == naive.philox_words(counter, key)


def test_uniforms_never_reach_zero_or_one():
    assert unit(np.uint64(0), np.uint64(0)) == 2.0**-53
    assert unit(np.uint64(ALL_ONES), np.uint64(ALL_ONES)) == 1.0 - 2.0**-53


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**63), st.integers(0, 2**31), st.integers(0, 2**31))
def test_a_uniform_agrees_with_its_twin_to_the_bit(key, path, step, slot):
    assert uniform(np.uint64(key), np.uint64(path), step, slot) == naive.draw_uniforms(key, path, step, slot)[0]


def test_rows_of_uniforms_are_the_single_uniforms_across_the_32_bit_border():
    key, first = stream_key(5, Purpose.BRIDGE), 2**32 - 7
    row = np.empty(21)
    fill_uniforms(key, first, 3, 2, row)
    assert row.tolist() == [uniform(key, first + i, 3, 2) for i in range(21)]


def test_normals_agree_with_their_twin():
    key = stream_key(11, Purpose.PATHS)
    even, odd = np.empty(200), np.empty(200)
    fill_normals(key, 2**32 - 100, 9, 4, even, odd)
    twin = np.array([naive.draw_normals(key, 2**32 - 100 + i, 9, 4) for i in range(200)])
    np.testing.assert_allclose(np.column_stack([even, odd]), twin, rtol=1e-12, atol=1e-15)


def test_normals_have_the_same_bits_in_rows_of_any_length():
    key = stream_key(3, Purpose.PATHS)
    whole = np.empty((2, 301))
    fill_normals(key, 1000, 1, 0, whole[0], whole[1])
    for first, last in ((0, 1), (0, 7), (5, 64), (13, 301), (300, 301)):
        part = np.empty((2, last - first))
        fill_normals(key, 1000 + first, 1, 0, part[0], part[1])
        assert np.array_equal(part, whole[:, first:last])


def test_log_is_within_one_ulp():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.random(200_000), np.exp(50 * rng.standard_normal(50_000)), 1.0 + 1e-9 * rng.random(1000)])
    out = np.empty_like(x)
    _log(x, out)
    assert worst_ulp(out, np.log(x.astype(np.longdouble))) < 1.0
    _log(np.ones(1), out)
    assert out[0] == 0.0


def test_exp_is_within_one_ulp_and_stays_finite_and_positive():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-708, 709, 200_000), 0.1 * rng.standard_normal(50_000)])
    out = np.empty_like(x)
    _exp(x, out)
    assert worst_ulp(out, np.exp(x.astype(np.longdouble))) < 1.0
    _exp(np.array([0.0, -1e9, 1e9, -np.inf, np.inf]), out)
    assert out[0] == 1.0
    assert out[1] == out[3] == pytest.approx(math.exp(-708), rel=1e-15)
    assert out[2] == out[4] == pytest.approx(math.exp(709), rel=1e-15)


def test_sine_and_cosine_of_turns_are_within_two_ulp():
    u = np.concatenate([np.random.default_rng(3).random(200_000), np.arange(9) / 8, [2.0**-53, 1 - 2.0**-53]])
    sine, cosine = np.empty_like(u), np.empty_like(u)
    _sin_cos(u, sine, cosine)
    pi = 4 * np.arctan(np.longdouble(1))
    # From the nearest zero, so that the reference keeps its relative precision.
    half = np.round(2 * u) / 2
    exact_sine = np.sin(2 * pi * (u - half).astype(np.longdouble)) * np.where(half == 0.5, -1, 1)
    quarter = np.where(u < 0.5, 0.25, 0.75)
    exact_cosine = np.sin(2 * pi * (u - quarter).astype(np.longdouble)) * np.where(quarter == 0.25, -1, 1)
    nonzero = exact_sine != 0
    assert worst_ulp(sine[nonzero], exact_sine[nonzero]) < 2.0
    assert np.all(sine[~nonzero] == 0.0)
    nonzero = exact_cosine != 0
    assert worst_ulp(cosine[nonzero], exact_cosine[nonzero]) < 2.0
    assert np.all(cosine[~nonzero] == 0.0)
