"""Jumps of fixed size that arrive by a Poisson clock and move several assets at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.kernels.random import fill_uniforms
from collatrisk.kernels.rows import CHUNK


class JumpInputs(NamedTuple):
    """The jumps; built by `collatrisk.simulation.jump_inputs.jump_inputs`.

    Attributes
    ----------
    key : uint64 Philox key. probability : (J,) a step. size : (J, d) added to log prices.
    """

    key: np.uint64
    probability: NDArray[np.float64]
    size: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def add_jumps(inputs, first, step, uniforms, state):  # type: ignore[no-untyped-def]
    """Every jump that arrives in this step moves all of its assets."""
    for jump in range(inputs.probability.size):
        fill_uniforms(inputs.key, first, step, jump, uniforms)
        for i in range(state.shape[0]):
            if inputs.size[jump, i] != 0.0:
                log_price = state[i, 2 * CHUNK :]
                _add_jump(inputs.size[jump, i], inputs.probability[jump], uniforms, log_price)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_jump(size, probability, uniforms, log_price):  # type: ignore[no-untyped-def]
    for n in range(log_price.size):
        log_price[n] += size if uniforms[n] < probability else 0.0
