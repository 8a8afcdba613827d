"""Arrays without a reference count: the same memory, nothing counted, nothing freed too early or too often."""

from __future__ import annotations

import sys

import numpy as np
from numba import njit

from collatrisk.kernels.borrowed import borrowed


@njit
def total_of_rows(array):
    array = borrowed(array)
    total = 0.0
    for i in range(array.shape[0]):
        row = array[i]
        total += row.sum()
        row[0] = -1.0
    return total


@njit
def own_memory(n):
    own = np.ones(n)
    array = borrowed(own)
    array[0] = 3.0
    return array.sum() + own.size - own.size


def test_a_borrowed_array_is_the_same_memory_and_counts_nothing():
    array = np.arange(12.0).reshape(3, 4)
    before = sys.getrefcount(array)
    assert total_of_rows(array) == 66.0
    np.testing.assert_array_equal(array[:, 0], -1.0)
    assert sys.getrefcount(array) == before


def test_memory_that_a_kernel_holds_until_the_end_serves_it():
    assert all(own_memory(n) == n + 2.0 for n in range(1, 2000, 7))


def test_types_of_arrays_do_not_matter():
    assert total_of_rows(np.asfortranarray(np.ones((5, 3)))) == 15.0
    assert total_of_rows(np.ones((4, 6))[::2]) == 12.0
