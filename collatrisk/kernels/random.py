"""Counter-based random numbers: Philox4x32-10 and its uniforms and normals.

A draw is a pure function of (key, path, step, slot), so any path can be drawn alone, in any order and on any worker,
with the same bits. Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011; the known answers of their Random123 library are in the tests.

Layout of the 128-bit counter: words 0 and 1 the path (low, high), word 2 the step (or the pair of steps), word 3 the
slot, which is asset | draw << 16. Words are 32 bits, held in uint64 because that is how products vectorise.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.numbering import path_at
from collatrisk.kernels.special import log, sin_cos_turns

MIXING_SLOT = 1 << 16  # draw 1 of asset 0: the common mixing variable of the t copula
HISTORY_SLOT = 2 << 16  # draw 2 of asset 0: which row of history

_MASK32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_12 = np.uint64(12)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_ONE_BITS = np.uint64(0x3FF0000000000000)
_ONE_LESS_HALF_CELL = 1.0 - 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def philox(c0, c1, c2, c3, key):  # type: ignore[no-untyped-def]
    """Ten rounds of Philox4x32.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64 < 2**32, the counter.
    key : uint64; the low half is the first key word, the high half the second.

    Returns
    -------
    Four uint64 < 2**32.
    """
    k0 = key & _MASK32
    k1 = key >> _32
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _32) ^ c1 ^ k0
        c2 = (p0 >> _32) ^ c3 ^ k1
        c1 = p1 & _MASK32
        c3 = p0 & _MASK32
        k0 = (k0 + _W0) & _MASK32
        k1 = (k1 + _W1) & _MASK32
    return c0, c1, c2, c3


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def unit(high, low):  # type: ignore[no-untyped-def]
    """A uniform in (0, 1) from two words: (k + 1/2) / 2**52 with k their leading 52 bits. Never 0 and never 1.

    k is put into the mantissa of a float in [1, 2); the subtraction is exact.
    """
    bits = ((high << _32) | low) >> _12
    return np.uint64(bits | _ONE_BITS).view(np.float64) - _ONE_LESS_HALF_CELL


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def uniform(key, path, step, slot):  # type: ignore[no-untyped-def]
    """One uniform in (0, 1).

    Parameters
    ----------
    key : uint64 from `collatrisk.base.keys.stream_key`.
    path : int >= 0, below 2**64. step : int >= 0, below 2**32. slot : int >= 0, below 2**32.
    """
    c = np.uint64(path)
    w0, w1, _, _ = philox(c & _MASK32, c >> _32, np.uint64(step), np.uint64(slot), np.uint64(key))
    return unit(w0, w1)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def uniform_pair(key, path, step, slot):  # type: ignore[no-untyped-def]
    """The two uniforms of one counter; the first is that of `uniform`."""
    c = np.uint64(path)
    w0, w1, w2, w3 = philox(c & _MASK32, c >> _32, np.uint64(step), np.uint64(slot), np.uint64(key))
    return unit(w0, w1), unit(w2, w3)


@njit(cache=True, nogil=True, error_model="numpy")
def normal_pair(key, path, step, slot):  # type: ignore[no-untyped-def]
    """The two normals of one counter: those of `fill_normals` for the pair `step`.

    Parameters as in `uniform`.
    """
    c = np.uint64(path)
    w0, w1, w2, w3 = philox(c & _MASK32, c >> _32, np.uint64(step), np.uint64(slot), np.uint64(key))
    radius = math.sqrt(-2.0 * log(unit(w0, w1)))
    sine, cosine = sin_cos_turns(unit(w2, w3))
    return radius * cosine, radius * sine


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def fill_normals(key, first_path, pair, slot, even, odd):  # type: ignore[no-untyped-def]
    """Fill two rows with the normals of consecutive paths at steps 2 `pair` and 2 `pair` + 1.

    The transform of Box and Muller (1958) of the two uniforms of one counter, so |z| <= 8.58.

    Parameters
    ----------
    key, slot : as in `uniform`. first_path : int, the path of element 0, or uint64 (n,), all of them.
    pair : int, half the step.
    even, odd : float64 (n,), overwritten.
    """
    _fill_unit_pairs(np.uint64(key), first_path, np.uint64(pair), np.uint64(slot), even, odd)
    _square_radii(even)
    _turn(even, odd)


@njit(cache=True, nogil=True, error_model="numpy")
def fill_uniform_pairs(key, first_path, step, slot, a, b):  # type: ignore[no-untyped-def]
    """Fill two rows with the two uniforms of each counter; the first is that of `fill_uniforms`."""
    _fill_unit_pairs(np.uint64(key), first_path, np.uint64(step), np.uint64(slot), a, b)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_unit_pairs(key, first, c2, c3, a, b):  # type: ignore[no-untyped-def]
    for i in range(a.size):
        path = path_at(first, i)
        w0, w1, w2, w3 = philox(path & _MASK32, path >> _32, c2, c3, key)
        a[i] = unit(w0, w1)
        b[i] = unit(w2, w3)


@njit(cache=True, nogil=True, error_model="numpy")
def _square_radii(a):  # type: ignore[no-untyped-def]
    """Uniforms to squared radii in place. Passes of their own leave the registers to one polynomial set, and the root
    does not wait for the logarithm."""
    for i in range(a.size):
        a[i] = -2.0 * log(a[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(a, b):  # type: ignore[no-untyped-def]
    """Squared radii and uniforms to normals in place."""
    for i in range(a.size):
        radius = math.sqrt(a[i])
        sine, cosine = sin_cos_turns(b[i])
        a[i] = radius * cosine
        b[i] = radius * sine


@njit(cache=True, nogil=True, error_model="numpy")
def fill_uniforms(key, first_path, step, slot, out):  # type: ignore[no-untyped-def]
    """Fill a row with `uniform(key, first_path + i, step, slot)`."""
    key = np.uint64(key)
    c2 = np.uint64(step)
    c3 = np.uint64(slot)
    for i in range(out.size):
        path = path_at(first_path, i)
        w0, w1, _, _ = philox(path & _MASK32, path >> _32, c2, c3, key)
        out[i] = unit(w0, w1)
