"""Normals in float32: four steps from one counter of Philox4x32-10, where float64 takes two.

A stream of its own: the four words w0 .. w3 of the counter (path, k, slot), laid out as in `collatrisk.kernels.random`,
give the normals of the steps 4k and 4k + 1 (from w0 and w1) and 4k + 2 and 4k + 3 (from w2 and w3).

Of a pair of words (v, w), the transform of Box and Muller (1958) takes the angle from the 24 high bits of w and the
radius from v, with the 8 low bits of w below it: u = v / 2**32 + (low bits + 1/2) / 2**40, rounded to 24 significant
bits. So u keeps its relative precision down to 2**-41, and |z| <= sqrt(82 ln 2) = 7.54, beyond which a normal lies once
in 2 * 10**13 draws. At the other end a radius below 3e-4 is one of a few values: one draw in 2 * 10**7.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.numbering import path_at
from collatrisk.kernels.random import philox
from collatrisk.kernels.special import fma
from collatrisk.kernels.special_single import log_single, sin_cos_single

LARGEST_NORMAL = 7.54

_MASK32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_8 = np.uint32(8)
_LOW_BITS = np.uint32(0xFF)
_HALF = np.float32(0.5)
_MINUS_TWO = np.float32(-2.0)
_PER_WORD = np.float32(2.0**-32)
_PER_CELL = np.float32(2.0**-40)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_normals_single(key, first_path, quad, slot, words, a, b, c, d):  # type: ignore[no-untyped-def]
    """Fill four rows with the normals of consecutive paths at steps 4 `quad` to 4 `quad` + 3.

    Parameters
    ----------
    key, slot : as in `collatrisk.kernels.random.uniform`. first_path : the path of element 0. quad : a quarter of the
        step.
    words : uint32 (4, n), scratch. a, b, c, d : float32 (n,), overwritten.
    """
    fill_words(key, first_path, quad, slot, words[0], words[1], words[2], words[3])
    normals_of_words(words[0], words[1], a, b)
    normals_of_words(words[2], words[3], c, d)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_words(key, first_path, quad, slot, w0, w1, w2, w3):  # type: ignore[no-untyped-def]
    """The words of the counters of consecutive paths, uint32 (n,) each."""
    key, c2, c3 = np.uint64(key), np.uint64(quad), np.uint64(slot)
    for i in range(w0.size):
        path = path_at(first_path, i)
        a, b, c, d = philox(path & _MASK32, path >> _32, c2, c3, key)
        w0[i] = np.uint32(a)
        w1[i] = np.uint32(b)
        w2[i] = np.uint32(c)
        w3[i] = np.uint32(d)


@njit(cache=True, nogil=True, error_model="numpy")
def normals_of_words(v, w, a, b):  # type: ignore[no-untyped-def]
    """Two rows of normals from two of words; all (n,)."""
    for i in range(v.size):
        cell = np.float32(np.int32(w[i] & _LOW_BITS)) + _HALF
        u = fma(cell, _PER_CELL, np.float32(v[i]) * _PER_WORD)
        radius = math.sqrt(_MINUS_TWO * log_single(u))
        sine, cosine = sin_cos_single(np.int32(w[i] >> _8))
        a[i] = radius * cosine
        b[i] = radius * sine
