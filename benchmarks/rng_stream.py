"""The generator's bits on stdout, without end, for a statistical battery that reads a stream.

python benchmarks/rng_stream.py paths | dieharder -a -g 200
python benchmarks/rng_stream.py steps | dieharder -a -g 200

Four orders in which the library walks through the counters: `paths` (consecutive paths of one step and asset), `steps`
(64 steps of 8 assets of one path, then the next path), `uniforms` (the leading 32 bits of the uniforms of consecutive
paths) and `bridge` (the leading 32 bits of those that the Brownian bridge uses: 64 steps of one path, then the next).

TestU01's batteries read the same stream: see `testu01.c`.
"""

from __future__ import annotations

import sys

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels.bridge_uniforms import bridge_uniform
from collatrisk.kernels.random import fill_uniforms, philox

BLOCK = 1 << 18
STEPS, ASSETS = 64, 8


@njit(cache=True, nogil=True, error_model="numpy")
def words_by_path(key, first, out):  # type: ignore[no-untyped-def]
    """The four words of consecutive paths at step 0 and slot 0."""
    for i in range(out.size // 4):
        path = np.uint64(first + i)
        words = philox(path & np.uint64(0xFFFFFFFF), path >> np.uint64(32), np.uint64(0), np.uint64(0), key)
        for k in range(4):
            out[4 * i + k] = words[k]


@njit(cache=True, nogil=True, error_model="numpy")
def words_by_step(key, first, out):  # type: ignore[no-untyped-def]
    """The four words of every step and asset of one path after the other."""
    for i in range(out.size // 4):
        path = np.uint64(first + i // (STEPS * ASSETS))
        step, asset = np.uint64(i // ASSETS % STEPS), np.uint64(i % ASSETS)
        words = philox(path & np.uint64(0xFFFFFFFF), path >> np.uint64(32), step, asset, key)
        for k in range(4):
            out[4 * i + k] = words[k]


def leading_bits(key: np.uint64, first: int, out: NDArray[np.uint32]) -> None:
    """The leading 32 bits of the uniforms of consecutive paths."""
    uniforms = np.empty(out.size)
    fill_uniforms(key, first, 0, 0, uniforms)
    out[:] = uniforms * 2.0**32


@njit(cache=True, nogil=True, error_model="numpy")
def leading_bits_of_bridges(key, first, out):  # type: ignore[no-untyped-def]
    """The leading 32 bits of the uniforms of the bridges of every step of one path after the other."""
    for i in range(out.size):
        out[i] = np.uint32(bridge_uniform(key, first + i // STEPS, i % STEPS + 1) * 2.0**32)


ORDERS = {
    "paths": (words_by_path, 4),
    "steps": (words_by_step, 4 * STEPS * ASSETS),
    "uniforms": (leading_bits, 1),
    "bridge": (leading_bits_of_bridges, STEPS),
}


def main() -> None:
    """Write until the reader has had enough."""
    fill, words_a_path = ORDERS[sys.argv[1] if len(sys.argv) > 1 else "paths"]
    key = stream_key(int(sys.argv[2]) if len(sys.argv) > 2 else 20_231_231, Purpose.PATHS)
    out = np.empty(BLOCK, dtype=np.uint32)
    first = 0
    try:
        while True:
            fill(key, first, out)
            sys.stdout.buffer.write(out.tobytes())
            first += BLOCK // words_a_path
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
