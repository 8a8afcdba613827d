"""The kernels behind VaR and ES: gathering, selecting and summing, against sorting and exact sums."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from hypothesis import given, strategies as st
from test_risk import AWKWARD, LEVELS, many

from collatrisk.kernels.tails import CHUNK, compress_above_plain, compress_above_wide, sum_twice
from collatrisk.risk import expected_shortfall, value_at_risk, var_and_es
from collatrisk.risk.losses import kth_largest
from collatrisk.risk.tailmath import exact_sum

KERNELS = (compress_above_wide, compress_above_plain)
odd_values = st.floats(-3, 3) | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])


@pytest.mark.parametrize("kernel", KERNELS)
@given(values=st.lists(odd_values, max_size=70), threshold=st.floats(-3, 3))
def test_both_kernels_agree_with_the_twin(kernel, values, threshold):
    out = np.empty(len(values) + CHUNK)
    above, equal, bad = kernel(np.array(values, dtype=float), threshold, out)
    kept, twin_equal, twin_bad = naive.compress_above(values, threshold)
    assert (out[:above].tolist(), equal, bad) == (kept, twin_equal, twin_bad)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n", [0, 1, 7, 8, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 3])
def test_both_kernels_at_the_ends_of_chunks(kernel, n):
    values = np.random.default_rng(n).standard_normal(n)
    out = np.empty(n + CHUNK)
    above, equal, bad = kernel(values, 0.5, out)
    np.testing.assert_array_equal(out[:above], values[values > 0.5])
    assert (equal, bad) == (0, 0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_both_kernels_say_when_the_buffer_is_too_small(kernel):
    assert kernel(np.ones(3 * CHUNK), 0.0, np.empty(2 * CHUNK))[0] == -1


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize("n", [20_000, 150_001])
def test_selection_is_that_of_a_sort(kind, n):
    values = many(kind, n)
    ordered = np.sort(values)[::-1]
    for k in (1, 2, 100, n // 20, n // 2, n // 2 + 1, n - 3, n):
        assert kth_largest(values, k) == ordered[k - 1]


@pytest.mark.parametrize("kind", AWKWARD)
def test_one_pass_for_both_measures_and_all_levels(kind):
    losses = many(kind, 150_000)
    var, es = var_and_es(losses, LEVELS)
    np.testing.assert_array_equal(var, value_at_risk(losses, LEVELS))
    np.testing.assert_array_equal(es, expected_shortfall(losses, LEVELS))
    np.testing.assert_array_equal(var, [value_at_risk(losses, level) for level in LEVELS])
    np.testing.assert_array_equal(es, [expected_shortfall(losses, level) for level in LEVELS])
    assert var_and_es(losses, 0.99) == (value_at_risk(losses, 0.99), expected_shortfall(losses, 0.99))


@pytest.mark.parametrize("n", [1000, 1001, 5003])
@pytest.mark.parametrize("spread", [0.0, 30.0, 200.0])
def test_sums_are_exactly_rounded_in_any_order(n, spread):
    rng = np.random.default_rng(n)
    values = rng.standard_normal(n) * 10.0 ** rng.uniform(-spread / 2, spread / 2, n)
    cancelling = np.concatenate([values, -values[::-1], [1e-30]])
    for array in (values, np.sort(values), rng.permutation(values), cancelling):
        assert exact_sum(array) == math.fsum(array)


def test_the_compensated_sum_is_within_its_bound():
    values = np.random.default_rng(1).standard_t(2, 4099) * 1e6
    high, low, magnitude = sum_twice(values)
    assert high + low == math.fsum(values)
    assert magnitude == pytest.approx(np.abs(values).sum())
