"""Pegged assets on paths: a basis with two regimes, on a level or on another asset of the model.

A peg is stepped after everything that it depends on. What a row of `state` holds for it, `CHUNK` of each: the variance
of the step, whether the path is stressed (0 or 1), and the distance of the basis from its centre.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.laws import LawInputs, innovate
from collatrisk.kernels.peg_filter import (
    ACCRUAL,
    DEPEG,
    DOWN,
    DROP,
    ENTRY,
    EXIT,
    PHI,
    PHI_STRESSED,
    SENSITIVITY,
    SIGMA,
    SIGMA_STRESSED,
    entry_probability,
)
from collatrisk.kernels.random import fill_uniform_pairs, fill_uniforms
from collatrisk.kernels.rows import CHUNK, add_row, copy_row, fill_row
from collatrisk.kernels.special import log

START = np.uint64(2**32 - 1)  # the step whose uniform draws the first regime


class PegInputs(NamedTuple):
    """The pegs; built by `collatrisk.simulation.peg_inputs.peg_inputs`.

    m assets that are no pegs come first, then J pegs, each after its underlying.

    Attributes
    ----------
    key : uint64 Philox key. slots : int64 (J,), of the counters.
    theta : (J, 13), in the order of `collatrisk.kernels.peg_filter`.
    parent : int64 (J,), row of the underlying, -1 for a level. weights : (J, m), of the innovations in the shock.
    distance, stressed : (J,), where the basis was left, and the probability that it was stressed.
    variance : (J, 2), of the noise inside a step, pegged and stressed. coupling : (J,), correlation of the noise with
        the underlying's.
    normal : the normal law for the copula's scores of each peg.
    """

    key: np.uint64
    slots: NDArray[np.int64]
    theta: NDArray[np.float64]
    parent: NDArray[np.int64]
    weights: NDArray[np.float64]
    distance: NDArray[np.float64]
    stressed: NDArray[np.float64]
    variance: NDArray[np.float64]
    coupling: NDArray[np.float64]
    normal: LawInputs


@njit(cache=True, nogil=True, error_model="numpy")
def start_pegs(inputs, first, uniforms, state):  # type: ignore[no-untyped-def]
    """The last distance on every path, and a regime drawn by its filtered probability."""
    market = state.shape[0] - inputs.slots.size
    for j in range(inputs.slots.size):
        fill_uniforms(inputs.key, first, START, inputs.slots[j], uniforms)
        row = state[market + j]
        for n in range(CHUNK):
            row[n] = 0.0
            row[CHUNK + n] = 1.0 if uniforms[n] < inputs.stressed[j] else 0.0
            row[2 * CHUNK + n] = inputs.distance[j]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def step_peg(inputs, laws, j, first, step, seasons, scores, work, rows, state):  # type: ignore[no-untyped-def]
    """One step of peg j: regime, distance, and the variance of its price.

    Parameters
    ----------
    laws : the laws of all assets. seasons : (d,), of the step, 1 for pegs.
    scores : (d, CHUNK or more), innovations of those before this peg, its own score.
    work : (4, CHUNK), scratch.
    """
    market = inputs.weights.shape[1]
    i = market + j
    theta = inputs.theta[j]
    shock, stressed_noise, first_uniform, second_uniform = work[0], work[1], work[2], work[3]
    fill_row(0.0, shock)
    if theta[SENSITIVITY] != 0.0:
        for k in range(market):
            if inputs.weights[j, k] != 0.0:
                add_row(inputs.weights[j, k], scores[k], shock)
    calm_noise = scores[i, :CHUNK]
    copy_row(calm_noise, stressed_noise)
    innovate(inputs.normal, j, stressed_noise, rows)
    innovate(laws, i, calm_noise, rows)
    fill_uniform_pairs(inputs.key, first, step, inputs.slots[j], first_uniform, second_uniform)
    _move(theta, inputs.variance[j], shock, stressed_noise, first_uniform, second_uniform, calm_noise, state[i])
    if inputs.parent[j] >= 0:
        season = seasons[inputs.parent[j]]
        _add_variance(inputs.coupling[j], season * season, state[inputs.parent[j]], state[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _move(theta, variance, shock, stressed_noise, u, v, calm_noise, row):  # type: ignore[no-untyped-def]
    down, depeg = theta[DOWN], theta[DEPEG]
    for n in range(CHUNK):
        before = row[2 * CHUNK + n]
        if row[CHUNK + n] > 0.0:
            stress, enters = u[n] >= theta[EXIT], False
        else:
            stress, enters = False, u[n] < entry_probability(theta[ENTRY], theta[SENSITIVITY], shock[n])
        if enters:
            fall = v[n] < down
            share = v[n] / down if fall else (1.0 - v[n]) / (1.0 - down)
            size = depeg - theta[DROP] * log(share)
            now = -size if fall else size
        elif stress:
            now = theta[PHI_STRESSED] * before + theta[SIGMA_STRESSED] * stressed_noise[n]
        else:
            now = theta[PHI] * before + theta[SIGMA] * calm_noise[n]
        row[n] = variance[1] if stress or enters else variance[0]
        row[CHUNK + n] = 1.0 if enters or (stress and abs(now) >= depeg) else 0.0
        row[2 * CHUNK + n] = now


@njit(cache=True, nogil=True, error_model="numpy")
def _add_variance(coupling, factor, parent, row):  # type: ignore[no-untyped-def]
    """The variance of the sum of two correlated parts, the other `factor` times `parent`."""
    for n in range(CHUNK):
        own, other = row[n], factor * parent[n]
        row[n] = own + other + 2.0 * coupling * math.sqrt(own * other)


@njit(cache=True, nogil=True, error_model="numpy")
def keep_distances(inputs, state, kept):  # type: ignore[no-untyped-def]
    """Distances before jumps, (J, CHUNK)."""
    market = state.shape[0] - inputs.slots.size
    for j in range(inputs.slots.size):
        copy_row(state[market + j, 2 * CHUNK : 3 * CHUNK], kept[j])


@njit(cache=True, nogil=True, error_model="numpy")
def stress_jumped(inputs, kept, state):  # type: ignore[no-untyped-def]
    """A peg that a jump has moved is stressed if it then stands outside its edges, and pegged if inside."""
    market = state.shape[0] - inputs.slots.size
    for j in range(inputs.slots.size):
        row = state[market + j]
        depeg = inputs.theta[j, DEPEG]
        for n in range(CHUNK):
            now = row[2 * CHUNK + n]
            if now != kept[j, n]:
                row[CHUNK + n] = 1.0 if abs(now) >= depeg else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def log_prices(inputs, j, step, state, totals):  # type: ignore[no-untyped-def]
    """Log price of peg j over its spot after `step` + 1 steps, into totals[j]; those of its underlying come before."""
    market = state.shape[0] - inputs.slots.size
    grown = inputs.theta[j, ACCRUAL] * (step + 1) - inputs.distance[j]
    row = state[market + j, 2 * CHUNK : 3 * CHUNK]
    parent = inputs.parent[j]
    for n in range(CHUNK):
        totals[j, n] = row[n] + grown
    if parent >= market:
        add_row(1.0, totals[parent - market], totals[j])
    elif parent >= 0:
        add_row(1.0, state[parent, 2 * CHUNK : 3 * CHUNK], totals[j])
