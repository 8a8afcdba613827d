"""The uniforms of the bridge: their twin, their bounds, and that bytes and rest make independent uniforms."""

from __future__ import annotations

import math

import naive_bridge
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels.bridge_uniforms import (
    bridge_uniform,
    fill_leads,
    joined,
    lead_row,
    lead_rows,
    lead_shift,
    least_uniform,
    trailing,
)
from collatrisk.kernels.jit import njit

SIGMAS = 4.5
N = 40_000
STEPS = 48


@njit(cache=True)
def draw_block(key, first, least, out):
    """By step and path, the uniforms as the kernels put them together, and the least ones with the same bytes."""
    words = np.empty((lead_rows(out.shape[0] - 1), out.shape[1]), np.uint64)
    for group in range(words.shape[0] // 2):
        fill_leads(key, first, group, words[2 * group], words[2 * group + 1])
    for step in range(out.shape[0]):
        for k in range(out.shape[1]):
            rest = trailing(key, np.uint64(first + k), np.uint64(step))
            least[step, k] = least_uniform(words[lead_row(step), k], lead_shift(step))
            out[step, k] = joined(words[lead_row(step), k], lead_shift(step), rest)


@pytest.fixture(scope="module")
def both():
    least, out = np.empty((STEPS, N)), np.empty((STEPS, N))
    draw_block(stream_key(3, Purpose.BRIDGE), 0, least, out)
    return least, out


@pytest.fixture(scope="module")
def block(both):
    return both[1]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_a_uniform_agrees_with_its_twin_to_the_bit(key, path, step):
    key = np.uint64(key)
    assert bridge_uniform(key, np.uint64(path), step) == naive_bridge.bridge_uniform(key, path, step)


def test_rows_are_the_single_uniforms_across_the_32_bit_border():
    key, first = stream_key(5, Purpose.BRIDGE), 2**32 - 3
    out = np.empty((35, 7))
    draw_block(key, first, np.empty((35, 7)), out)
    assert out.tolist() == [[bridge_uniform(key, first + k, step) for k in range(7)] for step in range(35)]


def test_the_least_uniform_of_a_byte_is_below_it_by_less_than_a_cell(both):
    least, whole = both
    assert least.min() > 0
    assert 0 <= (whole - least).min() < (whole - least).max() < 2.0**-8
    assert (np.floor(least * 256) == np.floor(whole * 256)).all()


def test_cells_are_filled_evenly_above_and_below_the_leading_byte(block):
    u = block.ravel()
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u[:400_000], "uniform").pvalue > 1e-5
    lead = (u * 256).astype(int)
    rest = ((u * 256 - lead) * 256).astype(int)
    for cells in (lead, rest, lead // 8 * 32 + rest // 8):
        assert stats.chisquare(np.bincount(cells)).pvalue > 1e-5


@pytest.mark.parametrize("step", [1, 8, 15, 16, 31])
def test_each_step_is_uniform(block, step):
    assert stats.kstest(block[step], "uniform").pvalue > 1e-5


def test_no_correlation_between_steps_and_paths(block):
    for f in (
        lambda u: math.sqrt(12) * (u - 0.5),
        lambda u: math.sqrt(180) * ((u - 0.5) ** 2 - 1 / 12),
        lambda u: -1 - np.log(u),
    ):
        z = f(block)
        matrix = z @ z.T / N
        assert np.max(np.abs(matrix[~np.eye(STEPS, dtype=bool)])) < 5.5 / math.sqrt(N)  # the largest of 1128
        for lag in (1, 2, 8, 64):
            assert abs(np.mean(z[:, :-lag] * z[:, lag:])) < SIGMAS / math.sqrt(z.size)


def test_the_lowest_of_a_path_has_its_law(block):
    # P(lowest of n uniforms > x) = (1 - x)**n: what the bridges of a path are decided by.
    lowest = 1.0 - (1.0 - block[1:31].min(axis=0)) ** 30
    assert stats.kstest(lowest, "uniform").pvalue > 1e-5
