"""The kernels behind VaR and ES: gathering, selecting and summing, against sorting and exact sums."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from hypothesis import given, strategies as st
from test_risk import AWKWARD, LEVELS, many

from collatrisk.kernels.tail_search import kth_largest, plan_gather, split_tail, tail_points
from collatrisk.kernels.tails import (
    CHUNK,
    compress_above_plain,
    compress_above_wide,
    compress_between_plain,
    compress_between_wide,
    sum_twice,
)
from collatrisk.risk import (
    estimate_expected_shortfall,
    estimate_value_at_risk,
    expected_shortfall,
    value_at_risk,
    var_and_es,
)
from collatrisk.risk.tailmath import estimate_es, estimate_var, exact_sum

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
        assert kth_largest(values, k, np.empty(n + CHUNK)) == ordered[k - 1]


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 2.5]) | st.floats(-3, 3), min_size=1))
def test_selection_knows_one_zero(values):
    array = np.array(values)
    for k in range(1, len(values) + 1):
        assert kth_largest(array, k, np.empty(array.size + CHUNK)) == sorted(values, reverse=True)[k - 1]


@pytest.mark.parametrize("kernel", [compress_between_wide, compress_between_plain])
@given(values=st.lists(st.floats(-3, 3) | st.sampled_from([0.0, -0.0, 1.0]), max_size=70), data=st.data())
def test_what_lies_between(kernel, values, data):
    low, high = sorted(data.draw(st.tuples(*[st.sampled_from([*values, -9.0, 0.0, 9.0])] * 2)))
    array = np.array(values, dtype=float)
    out = np.empty(len(values) + 8)
    inside, above = kernel(array, low, high, out)
    assert out[:inside].tolist() == [x for x in values if low < x <= high]
    assert above == sum(x > high for x in values)
    inside, _ = kernel(array, low, high, array)  # in place
    assert array[:inside].tolist() == [x for x in values if low < x <= high]


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize("searched", [False, True])
def test_points_of_a_tail_are_those_of_a_sort(kind, searched):
    n = 30_000
    values = many(kind, n)
    ordered = np.sort(values)[::-1]
    places, inside = np.array([3000, 1500, 1500, 2, 1]), np.array([2999, 1498, 1499, 1, 0])
    stride, rank, capacity = plan_gather(n, 3000)
    points = np.empty((5, 5))
    status = (
        -1 if searched else tail_points(values, places, inside, stride, rank, np.empty(2 * (capacity + CHUNK)), points)
    )
    if status < 0:
        assert tail_points(values, places, inside, stride, 0, np.empty(2 * (n + CHUNK)), points) == 0
    for point, place, count in zip(points, places, inside, strict=True):
        assert point[0] == ordered[place - 1]
        assert point[1] == ordered[max(place - 2, 0)]
        assert point[2] + point[3] == pytest.approx(math.fsum(ordered[:count]), rel=1e-15)


def test_bad_values_are_counted():
    values = np.random.default_rng(0).standard_normal(10_000)
    values[[3, 500, 9000]] = math.nan, math.inf, -math.inf
    stride, rank, capacity = plan_gather(values.size, 100)
    for r, size in ((rank, capacity), (0, values.size)):
        work = np.empty(2 * (size + CHUNK))
        assert tail_points(values, np.array([100]), np.array([99]), stride, r, work, np.empty((1, 5))) == 3


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


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 40), (200, 900), (2500, 3000)])
def test_a_split_tail_is_that_of_a_sort(kind, first, last):
    values = many(kind, 3000)
    middle, beyond = np.empty((2, values.size + CHUNK))
    n_middle, n_beyond = split_tail(values, first, last, middle, beyond)
    assert n_beyond < first <= last <= n_beyond + n_middle
    expected = np.sort(values)[::-1][: n_beyond + n_middle]
    found = np.concatenate([np.sort(beyond[:n_beyond])[::-1], np.sort(middle[:n_middle])[::-1]])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize("n", [4096, 4097, 60_000])
def test_estimates_are_those_of_a_sorted_sample(kind, n):
    values = many(kind, n)
    tail, levels = np.sort(values), (0.5, 0.9, 0.99, 0.9999)
    assert estimate_value_at_risk(values, levels) == tuple(estimate_var(tail, n, level) for level in levels)
    assert estimate_expected_shortfall(values, levels) == tuple(estimate_es(tail, n, level) for level in levels)
