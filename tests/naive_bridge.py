"""Slow and obvious twin of the uniforms of the bridge."""

from __future__ import annotations

import naive

LEAD_SLOT = 1 << 16


def halves(key, path, step, slot):
    """The four words of a counter as two numbers of 64 bits."""
    words = naive.philox_words((path & 0xFFFFFFFF, path >> 32, step, slot), int(key))
    return words[0] << 32 | words[1], words[2] << 32 | words[3]


def bridge_uniform(key, path, step):
    """Byte step % 16 of the counter shared by sixteen steps, then 44 bits of the step's own counter."""
    shared = [half >> 8 * i & 0xFF for half in halves(key, path, step // 16, LEAD_SLOT) for i in range(8)]
    bits = shared[step % 16] << 44 | halves(key, path, step, 0)[0] >> 20
    return (bits + 0.5) / 2**52
