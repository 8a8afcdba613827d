"""Moments of many quantities gathered at once: exact, the same however the micro-blocks come, and small."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collatrisk.risk import Moments, MomentSums
from collatrisk.risk.moment_sums import exact_parts

some_numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32) | st.floats(-1e200, 1e200))


@given(some_numbers, st.randoms())
def test_exact_parts_lose_nothing_and_depend_on_the_sum_alone(numbers: list[float], shuffle) -> None:
    parts = exact_parts(numbers)
    assert sum(map(Fraction, parts)) == sum(map(Fraction, numbers))
    assert parts[0] == math.fsum(numbers)
    mixed = list(numbers)
    shuffle.shuffle(mixed)
    assert exact_parts(mixed) == parts
    assert exact_parts(parts) == parts


def test_what_has_no_exact_sum_is_left_alone() -> None:
    assert exact_parts([math.inf, 1.0, math.inf]) == (math.inf,)
    assert exact_parts([1e308, 1e308]) == (1e308, 1e308)
    assert exact_parts([math.inf, -math.inf]) == (math.inf, -math.inf)
    assert math.isnan(exact_parts([math.nan, 1.0])[0])


@pytest.mark.parametrize("n_micro", [3, 511, 1700])
def test_sums_of_many_micro_blocks_give_the_bits_of_all_of_them_in_few_floats(n_micro: int) -> None:
    rng = np.random.default_rng(4)
    values = 10.0 ** rng.uniform(-3, 7, (n_micro, 2, 3)) * rng.choice([-1.0, 1.0], (n_micro, 2, 3))
    squares = values**2
    values[:, 1, 2] = squares[:, 1, 2] = math.inf  # health factors without debt
    found = []
    for size in (1, 7, 600):
        sums = MomentSums()
        for first in range(0, n_micro, size):
            sums.push(values[first : first + size], squares[first : first + size])
        found.append(sums.moments(1024 * n_micro))
    assert found[0] == found[1] == found[2]
    for row in range(2):
        for metric in range(3):
            one = found[0][row][metric]
            total, square = tuple(values[:, row, metric].tolist()), tuple(squares[:, row, metric].tolist())
            direct = Moments(1024 * n_micro, total, square)
            assert one.mean == direct.mean
            if math.isfinite(one.mean):
                assert one.variance == direct.variance
            assert len(one.total) <= min(n_micro, 512)
    if n_micro > 512:
        assert max(len(one.total) + len(one.squares) for row in found[0] for one in row) < 12
