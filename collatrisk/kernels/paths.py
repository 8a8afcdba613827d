"""Correlated GARCH paths, one block at a time.

Each pass is a plain loop over consecutive paths with few arrays, which is what LLVM vectorises; a chunk of paths stays
in the first-level cache from draw to price. Nothing is allocated inside the loops. All operations are elementwise
over paths, so a path has the same bits whichever chunk, block or worker it falls in. A chunk is always computed in
full: loops have a fixed length, and what lies beyond the block is not written.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.extras import ExtraInputs, start_extras, step_asset
from collatrisk.kernels.history import HistoryInputs, draw_rows
from collatrisk.kernels.jit import njit
from collatrisk.kernels.jumps import JumpInputs, add_jumps
from collatrisk.kernels.laws import LawInputs, innovate
from collatrisk.kernels.motion import MotionInputs, motion_work, start_motion
from collatrisk.kernels.numbering import Numbers, numbers_at, row_of
from collatrisk.kernels.pegs import PegInputs, keep_distances, log_prices, start_pegs, step_peg, stress_jumped
from collatrisk.kernels.rows import CHUNK, STRIDE, aligned, fill_row
from collatrisk.kernels.scores import ScoreInputs, draw_pair
from collatrisk.kernels.special import exp
from collatrisk.kernels.steps import StepInputs, move_asset, start_moves, start_paths

FloatArray = NDArray[np.float64]
_kept = threading.local()


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
    steps, assets, paths = prices.shape
    numbers = first if inputs.extras is None else row_of(first, paths)
    _simulate(*inputs, scratch(inputs, steps - 1, assets), numbers, prices, step_variance)


class Scratch(NamedTuple):
    """What the kernel works in, `CHUNK` paths at a time; None where the parts that need it are.

    Attributes
    ----------
    scores : (2, d, STRIDE) of a pair of steps, then innovations. mixing : (2, groups, CHUNK).
    state : (d, 4 CHUNK), see `collatrisk.kernels.steps` and `extras`. seasons : (d,), of the step; pegs have none.
    rows : int64 (CHUNK,). numbers : uint64 (CHUNK,), of the paths. uniforms : (CHUNK,).
    e, h, past : rings of the extras. q, room : of the motion. places, draws : of the history. shocks, kept : of pegs.
    """

    scores: FloatArray
    mixing: FloatArray
    state: FloatArray
    seasons: FloatArray
    rows: NDArray[np.int64]
    numbers: NDArray[np.uint64]
    uniforms: FloatArray
    e: FloatArray | None = None
    h: FloatArray | None = None
    past: FloatArray | None = None
    q: FloatArray | None = None
    room: FloatArray | None = None
    places: NDArray[np.int64] | None = None
    draws: FloatArray | None = None
    shocks: FloatArray | None = None
    kept: FloatArray | None = None


def scratch(inputs: PathInputs, steps: int, assets: int) -> Scratch:
    """Room for one call. A thread keeps that of plain models: to make it anew takes as long as to simulate 50 paths."""
    groups, mixed = inputs.scores.mixing_scale.size, inputs.scores.mixed
    if inputs.extras is not None:
        return _with_parts(_plain_scratch(assets, groups), inputs, steps)
    shape = (assets, groups, mixed)
    if getattr(_kept, "shape", None) != shape:
        _kept.shape, _kept.scratch = shape, _plain_scratch(assets, groups)
    kept: Scratch = _kept.scratch
    return kept


def _plain_scratch(assets: int, groups: int) -> Scratch:
    scores, mixing, state = aligned([(2, assets, STRIDE), (2, groups, CHUNK), (assets, 4 * CHUNK)])
    scores[:, :, CHUNK:] = 0.0
    mixing.fill(1.0)
    rows, numbers = np.empty(CHUNK, dtype=np.int64), np.empty(CHUNK, dtype=np.uint64)
    return Scratch(scores, mixing, state, np.ones(assets), rows, numbers, np.empty(CHUNK))


def _with_parts(plain: Scratch, inputs: PathInputs, steps: int) -> Scratch:
    extras, motion, pegs = inputs.extras, inputs.motion, inputs.pegs
    assert extras is not None
    assert motion is not None
    assert pegs is not None
    rings = (len(plain.state), inputs.steps.residuals.shape[1], CHUNK)
    e, h, past = aligned([rings, rings, (len(extras.base), min(steps, extras.weights.shape[1]), CHUNK)])
    q, room = motion_work(motion.moving, len(plain.state), CHUNK)
    places, draws = np.empty(CHUNK, dtype=np.int64), np.empty((2, CHUNK))
    shocks, kept = aligned([(4, CHUNK), (pegs.slots.size, CHUNK)])
    return plain._replace(e=e, h=h, past=past, q=q, room=room, places=places, draws=draws, shocks=shocks, kept=kept)


# Without numba's runtime nothing can be allocated here, and slices have no references counted: two atomic operations
# a slice were a tenth of the time.
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _simulate(  # type: ignore[no-untyped-def]
    spot, columns, copula, laws, recursions, extras, motion, history, jumps, pegs, work, first, prices, step_variance
):
    """The parts as arguments of their own: numba leaves out what hangs on one that is None."""
    steps, assets, paths = prices.shape[0] - 1, prices.shape[1], prices.shape[2]
    wanted = step_variance.shape[0] > 0
    market = assets if pegs is None else assets - pegs.slots.size
    scores, mixing, state, seasons = work.scores, work.mixing, work.state, work.seasons
    for low in range(0, paths, CHUNK):
        high = min(low + CHUNK, paths)
        if extras is None:
            start_moves(recursions, state)
        else:
            start_paths(recursions, state)
            start_extras(extras, recursions, state, work.e, work.h)
        if motion is not None:
            start_motion(motion, work.q)
        if pegs is not None:
            start_pegs(pegs, numbers_at(first, low, 0, work.numbers), work.uniforms, state)
        for i in range(assets):
            fill_row(spot[i], prices[0, columns[i], low:high])
        for step in range(steps):
            half = step % 2
            numbers = numbers_at(first, low, step // 2, work.numbers)
            if history is not None and history.columns.shape[1] > 0:
                draw_rows(history, numbers, step, work.places, work.draws, scores[half])
            elif half == 0:
                draw_pair(copula, motion, numbers, step // 2, scores, mixing, work.q, work.room, work.rows)
            for i in range(market):
                innovations = scores[half, i, :CHUNK]
                innovate(laws, i, innovations, work.rows)
                if extras is None:
                    if wanted:
                        out = step_variance[step, columns[i], low:high]
                        mixed = mixing[half, copula.group[i]]
                        _write_variances(copula.conditional[i], state[i, :CHUNK], mixed, out)
                    out = prices[step + 1, columns[i], low:high]
                    move_asset(recursions, i, innovations, spot[i], state[i], out)
                else:
                    seasons[i] = extras.season[i, step % extras.season.shape[1]]
                    step_asset(
                        extras, recursions, i, step, seasons[i], innovations, state[i], work.e[i], work.h[i], work.past
                    )
            if pegs is not None:
                for j in range(assets - market):
                    step_peg(pegs, laws, j, numbers, step, seasons, scores[half], work.shocks, work.rows, state)
            if extras is not None and wanted:
                for i in range(assets):
                    out = step_variance[step, columns[i], low:high]
                    factor = copula.conditional[i] * (seasons[i] * seasons[i])
                    _write_variances(factor, state[i, :CHUNK], mixing[half, copula.group[i]], out)
            if jumps is not None:
                keep_distances(pegs, state, work.kept)
                add_jumps(jumps, numbers, step, work.uniforms, state)
                stress_jumped(pegs, work.kept, state)
            if extras is not None:
                for i in range(market):
                    _write_prices(spot[i], state[i, 2 * CHUNK : 3 * CHUNK], prices[step + 1, columns[i], low:high])
            if pegs is not None:
                for j in range(assets - market):
                    log_prices(pegs, j, step, state, work.kept)
                    i = market + j
                    _write_prices(spot[i], work.kept[j], prices[step + 1, columns[i], low:high])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_prices(spot, log_price, prices):  # type: ignore[no-untyped-def]
    for n in range(prices.size):
        prices[n] = spot * exp(log_price[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_variances(factor, h, mixing, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = h[n] * (factor * (mixing[n] * mixing[n]))
