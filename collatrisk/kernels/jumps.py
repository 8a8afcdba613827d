"""Jumps that arrive by a Poisson clock and move several assets at once, by fixed or by random amounts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.numbering import path_at
from collatrisk.kernels.random import fill_uniforms, uniform_pair
from collatrisk.kernels.rows import CHUNK
from collatrisk.kernels.special import log

MOST = 8  # arrivals of one jump in one step

P_UP, MEAN_UP, MEAN_DOWN, MINIMUM_UP, MINIMUM_DOWN, HIT = range(6)
"""Places in the law of a random size."""


class JumpInputs(NamedTuple):
    """The jumps; built by `collatrisk.simulation.jump_inputs.jump_inputs`.

    Attributes
    ----------
    key : uint64 Philox key. tails : (J, MOST) probability of at least 1, 2, ... arrivals a step.
    size : (J, d) fixed amounts added to log prices. random : bool (J, d), whether the amount is drawn instead.
    law : (J, d, 6) of random amounts. together : (J,) probability that assets share the rank of their size.
    drift : (d,) added to log prices every step: what compensates the jumps.
    """

    key: np.uint64
    tails: NDArray[np.float64]
    size: NDArray[np.float64]
    random: NDArray[np.bool_]
    law: NDArray[np.float64]
    together: NDArray[np.float64]
    drift: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def add_jumps(inputs, first, step, uniforms, state):  # type: ignore[no-untyped-def]
    """Every jump that arrives in this step moves all of its assets."""
    for i in range(state.shape[0]):
        if inputs.drift[i] != 0.0:
            _add(inputs.drift[i], state[i, 2 * CHUNK : 3 * CHUNK])
    for jump in range(inputs.tails.shape[0]):
        fill_uniforms(inputs.key, first, step, jump, uniforms)
        for i in range(state.shape[0]):
            if inputs.size[jump, i] != 0.0:
                log_price = state[i, 2 * CHUNK : 3 * CHUNK]
                _add_fixed(inputs.size[jump, i], inputs.tails[jump], uniforms, log_price)
        if inputs.random[jump].any():
            _add_random(inputs, jump, first, step, uniforms, state)


@njit(cache=True, nogil=True, error_model="numpy")
def _add(amount, log_price):  # type: ignore[no-untyped-def]
    for n in range(log_price.size):
        log_price[n] += amount


@njit(cache=True, nogil=True, error_model="numpy")
def _add_fixed(size, tails, uniforms, log_price):  # type: ignore[no-untyped-def]
    for n in range(log_price.size):
        log_price[n] += size * arrivals(tails, uniforms[n])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def arrivals(tails, u):  # type: ignore[no-untyped-def]
    """How many there are: the largest k with u below the probability of at least k."""
    count = 0
    while count < tails.size and u < tails[count]:
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _add_random(inputs, jump, first, step, uniforms, state):  # type: ignore[no-untyped-def]
    """Amounts are drawn where something arrives. Slots: jump | draw << 16, draw = 1 + event (d + 1) + (0 or 1 + i)."""
    assets = state.shape[0]
    for n in range(uniforms.size):
        for event in range(arrivals(inputs.tails[jump], uniforms[n])):
            slot = jump | ((1 + event * (assets + 1)) << 16)
            direction, sharing = uniform_pair(inputs.key, path_at(first, n), step, slot)
            shared = sharing < inputs.together[jump]
            common = sharing / inputs.together[jump] if shared else 0.0
            for i in range(assets):
                if inputs.random[jump, i]:
                    rank, hit = uniform_pair(inputs.key, path_at(first, n), step, slot + ((1 + i) << 16))
                    law = inputs.law[jump, i]
                    if hit < law[HIT]:
                        state[i, 2 * CHUNK + n] += _amount(law, direction, common if shared else rank)


@njit(cache=True, nogil=True, error_model="numpy")
def _amount(law, direction, rank):  # type: ignore[no-untyped-def]
    """The double exponential beyond its smallest jump."""
    if direction < law[P_UP]:
        return law[MINIMUM_UP] - law[MEAN_UP] * log(rank)
    return -law[MINIMUM_DOWN] + law[MEAN_DOWN] * log(rank)
