"""Random keys: every stream of random numbers is named by a seed and a purpose.

The counter of the generator (Philox4x32-10, `collatrisk.kernels.random`) then names the path, the step, the asset and
the draw, so that changing what one purpose draws never moves another.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

_MASK64 = (1 << 64) - 1


class Purpose(IntEnum):
    """What a stream of random numbers is for. Numbers are part of the reproducibility promise: never reuse one."""

    PATHS = 1
    BRIDGE = 2
    CURE = 3
    JUMPS = 4
    BOOTSTRAP = 5
    AUCTIONS = 6
    PEGS = 7
    RARE = 8
    WITHIN_STEP = 16
    PATHS_SINGLE = 17


def stream_key(seed: int, purpose: Purpose) -> np.uint64:
    """The 64-bit Philox key of a stream.

    Parameters
    ----------
    seed : int in [0, 2**64).
    purpose : what the stream is for.

    Returns
    -------
    np.uint64; its low and high halves are the two 32-bit words of the Philox key. For a fixed purpose the map from
    seed to key is a bijection (the SplitMix64 finaliser of Steele, Lea and Flood, OOPSLA 2014), so no two seeds share
    a stream.
    """
    z = (seed + 0x9E3779B97F4A7C15 * int(purpose)) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return np.uint64(z ^ (z >> 31))
