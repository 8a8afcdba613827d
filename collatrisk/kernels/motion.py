"""Correlation that moves along every path: Q, its Cholesky factor and the scores, `LANES` paths side by side.

A path has its own Q from step to step, because its own scores move it. Runs of `LANES` paths are taken through both
steps of a pair before the next run, so that their matrices stay in the cache.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.packed import LANES, copy_runs, correlate_lanes, factorise, row_place, run_at

_RIDGE = 1.0 + 1e-12  # keeps the factor of a correlation that has come to its bound real; far below rounding elsewhere


class MotionInputs(NamedTuple):
    """Q_{t+1} = C + a u u' + g n n' + b Q_t; built by `collatrisk.simulation.score_inputs`.

    Attributes
    ----------
    moving : False where the correlation is constant; the rest is then empty.
    a, b, g : the parameters. corrected : whether u is x sd, not x.
    constant, state : (p,) C and the first Q, packed by rows.
    unit : (d,) what scales an asset's scores to variance 1.
    """

    moving: bool
    a: float
    b: float
    g: float
    corrected: bool
    constant: NDArray[np.float64]
    state: NDArray[np.float64]
    unit: NDArray[np.float64]


def motion_work(moving: bool, size: int, chunk: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Q of every path (runs, p LANES), and scratch for one run of paths; empty where nothing moves."""
    if not moving:
        return np.empty((0, 0)), np.empty(0)
    packed = size * (size + 1) // 2
    return np.empty((chunk // LANES, packed * LANES)), np.empty((packed + 5 * size) * LANES)


@njit(cache=True, nogil=True, error_model="numpy")
def start_motion(inputs, q):  # type: ignore[no-untyped-def]
    """The state that the fit ended in, on every path."""
    for run in range(q.shape[0]):
        flat = q[run]
        for k in range(inputs.state.size):
            one = run_at(flat, k * LANES)
            for n in range(LANES):
                one[n] = inputs.state[k]


@njit(cache=True, nogil=True, error_model="numpy")
def move_scores(inputs, group, scores, mixing, q, work):  # type: ignore[no-untyped-def]
    """Normals to scores, both steps of a pair, with the correlation of each path and step.

    Parameters
    ----------
    inputs : MotionInputs. group : int64 (d,), the row of `mixing` of each asset.
    scores : float64 (2, d, chunk), standard normals, overwritten by the scores.
    mixing : float64 (2, groups, chunk), the mixing variables; ones for normal scores.
    q : (runs, p LANES) the state, moved two steps on. work : scratch.
    """
    size = scores.shape[1]
    packed = row_place(size)
    inverses, normals, found = packed, packed + size, packed + 2 * size
    sd, driving = packed + 3 * size, packed + 4 * size
    for run in range(q.shape[0]):
        low = run * LANES
        flat = q[run]
        for half in range(2):
            copy_runs(flat, 0, work, 0, packed)
            for i in range(size):
                _begin_asset(
                    run_at(work, (row_place(i) + i) * LANES),
                    run_at(work, (sd + i) * LANES),
                    scores[half, i, low : low + LANES],
                    run_at(work, (normals + i) * LANES),
                )
            factorise(work, 0, size, inverses * LANES)
            correlate_lanes(work, 0, size, normals * LANES, found * LANES)
            for i in range(size):
                _end_asset(
                    run_at(work, (found + i) * LANES),
                    run_at(work, (sd + i) * LANES),
                    mixing[half, group[i], low : low + LANES],
                    inputs.unit[i],
                    inputs.corrected,
                    run_at(work, (driving + i) * LANES),
                    scores[half, i, low : low + LANES],
                )
            _move(inputs, size, driving, work, flat)


@njit(cache=True, nogil=True, error_model="numpy")
def _begin_asset(diagonal, sd, score, normal):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        sd[n] = math.sqrt(diagonal[n])
        normal[n] = score[n]
    for n in range(LANES):
        diagonal[n] *= _RIDGE


@njit(cache=True, nogil=True, error_model="numpy")
def _end_asset(found, sd, mixing, unit, corrected, driving, score):  # type: ignore[no-untyped-def]
    """The score of the step, and what drives Q."""
    for n in range(LANES):
        score[n] = (found[n] / sd[n]) * mixing[n]
    for n in range(LANES):
        driving[n] = unit * score[n]
    if corrected:
        for n in range(LANES):
            driving[n] *= sd[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _move(inputs, size, driving, work, flat):  # type: ignore[no-untyped-def]
    """Q one step on."""
    k = 0
    for i in range(size):
        own = run_at(work, (driving + i) * LANES)
        for j in range(i + 1):
            other = run_at(work, (driving + j) * LANES)
            q = run_at(flat, k * LANES)
            if inputs.g > 0.0:
                _move_asymmetric(inputs.constant[k], inputs.a, inputs.b, inputs.g, own, other, q)
            else:
                _move_run(inputs.constant[k], inputs.a, inputs.b, own, other, q)
            k += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _move_run(constant, a, b, own, other, q):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        q[n] = constant + a * (own[n] * other[n]) + b * q[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _move_asymmetric(constant, a, b, g, own, other, q):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        falls = min(own[n], 0.0) * min(other[n], 0.0)
        q[n] = constant + a * (own[n] * other[n]) + g * falls + b * q[n]
