"""Slow, obvious twin of the jump kernel."""

from __future__ import annotations

import math

import naive


def jump_on(jumps, path, step, i):
    """What the jumps of a step, and their compensation, add to the log price of row i."""
    d = jumps.size.shape[1]
    total = jumps.drift[i]
    for j in range(len(jumps.tails)):
        u = naive.draw_uniforms(jumps.key, path, step, j)[0]
        for event in range(sum(u < tail for tail in jumps.tails[j])):
            if not jumps.random[j, i]:
                total += jumps.size[j, i]
                continue
            draw = 1 + event * (d + 1)
            direction, sharing = naive.draw_uniforms(jumps.key, path, step, j + draw * 2**16)
            rank, hit = naive.draw_uniforms(jumps.key, path, step, j + (draw + 1 + i) * 2**16)
            p_up, mean_up, mean_down, minimum_up, minimum_down, share = jumps.law[j, i]
            if sharing < jumps.together[j]:
                rank = sharing / jumps.together[j]
            if hit < share:
                up = direction < p_up
                total += minimum_up - mean_up * math.log(rank) if up else -(minimum_down - mean_down * math.log(rank))
    return total
