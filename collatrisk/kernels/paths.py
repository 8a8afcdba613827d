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

from collatrisk.kernels.extras import ExtraInputs, start_extras, step_asset
from collatrisk.kernels.history import HistoryInputs, draw_rows
from collatrisk.kernels.jit import njit
from collatrisk.kernels.jumps import JumpInputs, add_jumps
from collatrisk.kernels.laws import LawInputs, innovate
from collatrisk.kernels.motion import MotionInputs, motion_work, start_motion
from collatrisk.kernels.numbering import Numbers, numbers_at
from collatrisk.kernels.pegs import PegInputs, keep_distances, log_prices, start_pegs, step_peg, stress_jumped
from collatrisk.kernels.rows import CHUNK, STRIDE, fill_row
from collatrisk.kernels.scores import ScoreInputs, draw_pair
from collatrisk.kernels.special import exp
from collatrisk.kernels.steps import StepInputs, start_paths, step_plain

FloatArray = NDArray[np.float64]


class PathInputs(NamedTuple):
    """What the kernel needs to know, a part a stage; built by `collatrisk.simulation.path_inputs`.

    Inside, pegs come last, each after what it depends on: row i of every part belongs to the asset `columns[i]`. The
    parts after `steps` may all be None: then assets have GARCH(1,1) or constant variances and the copula's scores, and
    that is all that is compiled.

    Attributes
    ----------
    spot : (d,) prices at step 0. columns : int64 (d,), where the asset of each row is written.
    scores : the copula. laws : the innovations. steps : the recursions.
    extras : seasons, leaning means, other recursions. motion : how the correlation moves.
    history : rows of innovations in the place of scores and laws, where it has any.
    jumps : what arrives on top. pegs : the assets that hold a level.
    """

    spot: FloatArray
    columns: NDArray[np.int64]
    scores: ScoreInputs
    laws: LawInputs
    steps: StepInputs
    extras: ExtraInputs | None
    motion: MotionInputs | None
    history: HistoryInputs | None
    jumps: JumpInputs | None
    pegs: PegInputs | None


def simulate_block(inputs: PathInputs, first: Numbers, prices: FloatArray, step_variance: FloatArray) -> None:
    """Simulate paths `first`, `first` + 1, ... into a block.

    Parameters
    ----------
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
    _simulate(*inputs, first, prices, step_variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _simulate(  # type: ignore[no-untyped-def]
    spot, columns, copula, laws, recursions, extras, motion, history, jumps, pegs, first, prices, step_variance
):
    """The parts as arguments of their own: numba leaves out what hangs on one that is None."""
    steps, assets, paths = prices.shape[0] - 1, prices.shape[1], prices.shape[2]
    wanted = step_variance.shape[0] > 0
    market = assets
    scores = np.zeros((2, assets, STRIDE))
    mixing = np.ones((2, copula.mixing_scale.size, CHUNK))
    state = np.empty((assets, 4 * CHUNK))
    seasons = np.ones(assets)  # of the step; pegs have none
    rows = np.empty(CHUNK, dtype=np.int64)
    uniforms = np.empty(CHUNK)
    q, room = np.empty((0, 0)), np.empty(0)
    if extras is not None:
        lags = recursions.residuals.shape[1]
        e = np.empty((assets, lags, CHUNK))
        h = np.empty((assets, lags, CHUNK))
        past = np.empty((extras.base.shape[0], min(steps, extras.weights.shape[1]), CHUNK))
    if motion is not None:
        q, room = motion_work(motion, assets, CHUNK)
    if history is not None:
        places = np.empty(CHUNK, dtype=np.int64)
        draws = np.empty((2, CHUNK))
    if pegs is not None:
        market = assets - pegs.slots.size
        work = np.empty((4, CHUNK))
        kept = np.empty((pegs.slots.size, CHUNK))
    for low in range(0, paths, CHUNK):
        high = min(low + CHUNK, paths)
        start_paths(recursions, state)
        if extras is not None:
            start_extras(extras, recursions, state, e, h)
        if motion is not None:
            start_motion(motion, q)
        if pegs is not None:
            start_pegs(pegs, numbers_at(first, low, 0), uniforms, state)
        for i in range(assets):
            fill_row(spot[i], prices[0, columns[i], low:high])
        for step in range(steps):
            half = step % 2
            numbers = numbers_at(first, low, step // 2)
            if history is not None and history.columns.shape[1] > 0:
                draw_rows(history, numbers, step, places, draws, scores[half])
            elif half == 0:
                draw_pair(copula, motion, numbers, step // 2, scores, mixing, q, room, rows)
            for i in range(market):
                innovations = scores[half, i, :CHUNK]
                innovate(laws, i, innovations, rows)
                if extras is None:
                    step_plain(recursions, i, 1.0, innovations, state[i])
                else:
                    seasons[i] = extras.season[i, step % extras.season.shape[1]]
                    step_asset(extras, recursions, i, step, seasons[i], innovations, state[i], e[i], h[i], past)
            if pegs is not None:
                for j in range(assets - market):
                    step_peg(pegs, laws, j, numbers, step, seasons, scores[half], work, rows, state)
            if wanted:
                for i in range(assets):
                    out = step_variance[step, columns[i], low:high]
                    factor = copula.conditional[i] * (seasons[i] * seasons[i])
                    _write_variances(factor, state[i, :CHUNK], mixing[half, copula.group[i]], out)
            if jumps is not None:
                keep_distances(pegs, state, kept)
                add_jumps(jumps, numbers, step, uniforms, state)
                stress_jumped(pegs, kept, state)
            for i in range(market):
                _write_prices(spot[i], state[i, 2 * CHUNK : 3 * CHUNK], prices[step + 1, columns[i], low:high])
            if pegs is not None:
                for j in range(assets - market):
                    log_prices(pegs, j, step, state, kept)
                    i = market + j
                    _write_prices(spot[i], kept[j], prices[step + 1, columns[i], low:high])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_prices(spot, log_price, prices):  # type: ignore[no-untyped-def]
    for n in range(prices.size):
        prices[n] = spot * exp(log_price[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_variances(factor, h, mixing, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = h[n] * (factor * (mixing[n] * mixing[n]))
