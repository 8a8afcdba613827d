"""The uniforms of the bridge: leading bytes for sixteen steps at once, the other bits only where they are wanted.

The leading byte of its uniform tells of most bridges that they stay far above what counts. So the uniform of a path and
step is made of byte ``step % 16`` of the counter (path, step // 16, LEAD_SLOT), which leads, and of the 44 leading bits
of the counter (path, step, 0): U = (k + 1/2) / 2**52 with k = byte * 2**44 + those bits. Bytes 0 to 7 are those of the
number 2**32 word 0 + word 1, the lowest first, and bytes 8 to 15 those of 2**32 word 2 + word 3. Any step is drawn by
itself, and a longer horizon extends a shorter.

Leading bytes stay in the words in which they come: of a group of sixteen steps, a row for the first eight and a row for
the others.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from collatrisk.kernels.jit import leaf, njit
from collatrisk.kernels.numbering import path_at
from collatrisk.kernels.random import philox

LEAD_SLOT = 1 << 16  # draw 1 of asset 0

_MASK32 = np.uint64(0xFFFFFFFF)  # also of words that are smaller: LLVM must see it to multiply in vectors
_32 = np.uint64(32)
_12 = np.uint64(12)
_20 = np.uint64(20)
_LEADING = np.uint64(0xFF << 44)
_ONE_BITS = np.uint64(0x3FF0000000000000)
_ONE_LESS_HALF_CELL = 1.0 - 2.0**-53


@register_jitable
def lead_rows(n_steps):  # type: ignore[no-untyped-def]
    """Rows of words for the steps 0 to `n_steps`."""
    return 2 * (n_steps // 16 + 1)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def lead_row(step):  # type: ignore[no-untyped-def]
    """The row of words in which the byte of a step lies."""
    return np.uint64(step) >> np.uint64(3)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def lead_shift(step):  # type: ignore[no-untyped-def]
    """By how much to shift its words to the left, so that the byte of a step leads them."""
    return np.uint64(56) - np.uint64(8) * (np.uint64(step) & np.uint64(7))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def least_uniform(words, shift):  # type: ignore[no-untyped-def]
    """The smallest uniform with this leading byte: at most 2**-8 below the uniform itself."""
    bits = ((words << shift) >> _12) & _LEADING
    return np.uint64(bits | _ONE_BITS).view(np.float64) - _ONE_LESS_HALF_CELL


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def trailing(key, path, step):  # type: ignore[no-untyped-def]
    """The uniform but for its leading byte, as a float in [1, 1 + 2**-8)."""
    w0, w1, _, _ = philox(path & _MASK32, path >> _32, step & _MASK32, np.uint64(0), key)
    return np.uint64((((w0 << _32) | w1) >> _20) | _ONE_BITS).view(np.float64)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def joined(words, shift, trail):  # type: ignore[no-untyped-def]
    """The uniform, from the words with its leading byte and from the rest of it."""
    bits = (((words << shift) >> _12) & _LEADING) | np.uint64(np.float64(trail).view(np.uint64))
    return np.uint64(bits).view(np.float64) - _ONE_LESS_HALF_CELL


@leaf()
def fill_leads(key, first_path, group, low, high):  # type: ignore[no-untyped-def]
    """Two rows of words: the leading bytes of steps 16 `group` to 16 `group` + 15 of consecutive paths, or of those
    numbered in an array.

    Parameters
    ----------
    key : uint64, of Purpose.BRIDGE. first_path : int, the path of element 0, or uint64 (n,), all of them.
    low, high : uint64 (n,), overwritten.
    """
    for i in range(low.size):
        path = path_at(first_path, i)
        w0, w1, w2, w3 = philox(path & _MASK32, path >> _32, np.uint64(group), np.uint64(LEAD_SLOT), np.uint64(key))
        low[i] = (w0 << _32) | w1
        high[i] = (w2 << _32) | w3


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def bridge_uniform(key, path, step):  # type: ignore[no-untyped-def]
    """One uniform of the bridge.

    Parameters
    ----------
    key : uint64, of Purpose.BRIDGE. path : int >= 0, below 2**64. step : int >= 0, the one that ends there.
    """
    key, path, step = np.uint64(key), np.uint64(path), np.uint64(step)
    w0, w1, w2, w3 = philox(path & _MASK32, path >> _32, (step >> np.uint64(4)) & _MASK32, np.uint64(LEAD_SLOT), key)
    words = ((w0 << _32) | w1) if step & np.uint64(8) == np.uint64(0) else ((w2 << _32) | w3)
    return joined(words, lead_shift(step), trailing(key, path, step))
