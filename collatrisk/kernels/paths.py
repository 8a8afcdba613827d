"""Correlated GARCH paths, one block at a time.

Each pass is a plain loop over consecutive paths with few arrays, which is what LLVM vectorises; a chunk of paths stays
in the first-level cache from draw to price. Nothing is allocated inside the loops. All operations are elementwise
over paths, so a path has the same bits whichever chunk, block or worker it falls in. A chunk is always computed in
full: loops have a fixed length, and what lies beyond the block is not written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.history import HistoryInputs, draw_rows
from collatrisk.kernels.jit import njit
from collatrisk.kernels.jumps import JumpInputs, add_jumps
from collatrisk.kernels.laws import LawInputs, innovate
from collatrisk.kernels.motion import motion_work, start_motion
from collatrisk.kernels.numbering import numbers_at
from collatrisk.kernels.pegs import PegInputs, keep_distances, log_prices, start_pegs, step_peg, stress_jumped
from collatrisk.kernels.rows import CHUNK
from collatrisk.kernels.scores import ScoreInputs, draw_pair
from collatrisk.kernels.special import exp
from collatrisk.kernels.steps import StepInputs, start_paths, step_asset


class PathInputs(NamedTuple):
    """What the kernel needs to know, a part a stage; built by `collatrisk.simulation.path_inputs.path_inputs`.

    Inside, pegs come last, each after what it depends on: row i of every part belongs to the asset `columns[i]`.

    Attributes
    ----------
    spot : (d,) prices at step 0. columns : int64 (d,), where the asset of each row is written.
    scores : the copula. laws : the innovations. steps : the recursions. jumps : what arrives on top.
    history : rows of innovations in the place of scores and laws, where it has any.
    pegs : the assets that hold a level.
    """

    spot: NDArray[np.float64]
    columns: NDArray[np.int64]
    scores: ScoreInputs
    laws: LawInputs
    steps: StepInputs
    jumps: JumpInputs
    history: HistoryInputs
    pegs: PegInputs


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_block(inputs, first, prices, step_variance):  # type: ignore[no-untyped-def]
    """Simulate paths `first`, `first` + 1, ... into a block.

    Parameters
    ----------
    inputs : PathInputs.
    first : int >= 0, index of the first path in the whole plan; or the paths' numbers, uint64 (n_pairs, N), a row for
        every pair of steps, N the number of paths rounded up to whole chunks.
    prices : float64 (n_steps + 1, d, n), overwritten.
    step_variance : float64 (n_steps, d, n), overwritten; (0, d, n): not wanted.

    Notes
    -----
    Per step and asset: r = s mean + variance_drift s^2 h + s e, e = sqrt(h) z, s the season, and z the asset's law at
    the score that the copula gives it, or its place in a row of history; pegs move by their own rule. Steps 2k and
    2k + 1 share the two normals of one counter, so a longer horizon extends a shorter.
    """
    steps, assets, paths = prices.shape[0] - 1, prices.shape[1], prices.shape[2]
    wanted = step_variance.shape[0] > 0
    pegs = inputs.pegs.slots.size
    market = assets - pegs
    drawn = inputs.history.columns.shape[1] > 0
    places = np.empty(CHUNK, dtype=np.int64)
    draws = np.empty((2, CHUNK))
    lags = inputs.steps.residuals.shape[1]
    scores = np.empty((2, assets, CHUNK))
    mixing = np.ones((2, inputs.scores.mixing_scale.size, CHUNK))
    q, room = motion_work(inputs.scores.motion, assets, CHUNK)
    uniforms = np.empty(CHUNK)
    rows = np.empty(CHUNK, dtype=np.int64)
    state = np.empty((assets, 4 * CHUNK))
    e = np.empty((assets, lags, CHUNK))
    h = np.empty((assets, lags, CHUNK))
    seasons = np.ones(assets)  # of the step; pegs have none
    work = np.empty((4, CHUNK))
    kept = np.empty((pegs, CHUNK))
    past = np.empty((inputs.steps.base.shape[0], min(steps, inputs.steps.weights.shape[1]), CHUNK))
    for low in range(0, paths, CHUNK):
        high = min(low + CHUNK, paths)
        start_paths(inputs.steps, state, e, h)
        start_pegs(inputs.pegs, numbers_at(first, low, 0), uniforms, state)
        start_motion(inputs.scores.motion, q)
        for i in range(assets):
            prices[0, inputs.columns[i], low:high] = inputs.spot[i]
        for step in range(steps):
            half = step % 2
            numbers = numbers_at(first, low, step // 2)
            if drawn:
                draw_rows(inputs.history, numbers, step, places, draws, scores[half])
            elif half == 0:
                draw_pair(inputs.scores, numbers, step // 2, scores, mixing, q, room, rows)
            for i in range(market):
                seasons[i] = inputs.steps.season[i, step % inputs.steps.season.shape[1]]
                innovate(inputs.laws, i, scores[half, i], rows)
                step_asset(inputs.steps, i, step, seasons[i], scores[half, i], state[i], e[i], h[i], past)
            for j in range(pegs):
                step_peg(inputs.pegs, inputs.laws, j, numbers, step, seasons, scores[half], work, rows, state)
            if wanted:
                for i in range(assets):
                    out = step_variance[step, inputs.columns[i], low:high]
                    factor = inputs.scores.conditional[i] * (seasons[i] * seasons[i])
                    _write_variances(factor, state[i, :CHUNK], mixing[half, inputs.scores.group[i]], out)
            keep_distances(inputs.pegs, state, kept)
            add_jumps(inputs.jumps, numbers, step, uniforms, state)
            stress_jumped(inputs.pegs, kept, state)
            for i in range(market):
                _write_prices(
                    inputs.spot[i], state[i, 2 * CHUNK : 3 * CHUNK], prices[step + 1, inputs.columns[i], low:high]
                )
            for j in range(pegs):
                log_prices(inputs.pegs, j, step, state, kept)
                i = market + j
                _write_prices(inputs.spot[i], kept[j], prices[step + 1, inputs.columns[i], low:high])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_prices(spot, log_price, prices):  # type: ignore[no-untyped-def]
    for n in range(prices.size):
        prices[n] = spot * exp(log_price[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_variances(factor, h, mixing, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = h[n] * (factor * (mixing[n] * mixing[n]))
