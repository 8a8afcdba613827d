"""Elementwise operations on rows of consecutive paths: what the passes of the path kernel are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import fma

CHUNK = 512  # paths at a time: their state stays in the first-level cache, or near it
STRIDE = CHUNK + 32  # from row to row of a matrix that is read by columns: 512 numbers on, all rows share cache lines

_LINE = 64  # bytes of a cache line, and of the widest register


def aligned(shapes: Sequence[tuple[int, ...]]) -> list[NDArray[np.float64]]:
    """Uninitialised float64 arrays, each beginning at a cache line.

    numpy begins its own at multiples of 16 bytes, so that every second register would be loaded from two lines: a tenth
    of the time of the path kernel.
    """
    sizes = [-(-math.prod(shape) // (_LINE // 8)) * (_LINE // 8) for shape in shapes]
    memory = np.empty(sum(sizes) + _LINE // 8)
    place = -memory.__array_interface__["data"][0] % _LINE // 8
    found = []
    for shape, size in zip(shapes, sizes, strict=True):
        found.append(memory[place : place + math.prod(shape)].reshape(shape))
        place += size
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def fill_row(value, row):  # type: ignore[no-untyped-def]
    """row <- value. (A slice assignment would do, but its checks take longer to compile than all of these loops.)"""
    for n in range(row.size):
        row[n] = value


@njit(cache=True, nogil=True, error_model="numpy")
def copy_row(source, row):  # type: ignore[no-untyped-def]
    """row <- source."""
    for n in range(row.size):
        row[n] = source[n]


@njit(cache=True, nogil=True, error_model="numpy")
def scale_row(factor, row):  # type: ignore[no-untyped-def]
    """row <- factor row."""
    for n in range(row.size):
        row[n] *= factor


@njit(cache=True, nogil=True, error_model="numpy")
def add_row(factor, source, row):  # type: ignore[no-untyped-def]
    """row <- row + factor source."""
    for n in range(row.size):
        row[n] = fma(factor, source[n], row[n])


@njit(cache=True, nogil=True, error_model="numpy")
def add_four_rows(factors, a, b, c, d, row):  # type: ignore[no-untyped-def]
    """row <- row + factors[0] a + factors[1] b + factors[2] c + factors[3] d."""
    fa, fb, fc, fd = factors[0], factors[1], factors[2], factors[3]
    for n in range(row.size):
        row[n] = fma(fd, d[n], fma(fc, c[n], fma(fb, b[n], fma(fa, a[n], row[n]))))


@njit(cache=True, nogil=True, error_model="numpy")
def multiply_row(factors, row):  # type: ignore[no-untyped-def]
    """row <- factors row, elementwise."""
    for n in range(row.size):
        row[n] *= factors[n]
