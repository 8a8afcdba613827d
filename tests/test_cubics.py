"""Tables of cubics: both ways of reading them give the same bits, in either precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collatrisk.kernels.cubics import evaluate_plain, evaluate_wide


@pytest.mark.parametrize(("number", "whole"), [(np.float64, np.int64), (np.float32, np.int32)])
@given(size=st.integers(0, 70), seed=st.integers(0, 10**6))
def test_the_wide_evaluation_has_the_bits_of_the_plain_one(number, whole, size, seed):
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((37, 4)).astype(number)
    rows = rng.integers(0, 37, size).astype(whole)
    t = rng.random(size).astype(number)
    plain, wide = t.copy(), t.copy()
    evaluate_plain(table, rows, plain)
    evaluate_wide(table, rows, wide)
    assert np.array_equal(plain, wide)
    exact = (table[rows].astype(np.float64) * t[:, None].astype(np.float64) ** np.arange(4)).sum(axis=1)
    np.testing.assert_allclose(plain, exact, rtol=0, atol=20 * np.finfo(number).eps)
