"""Correlated GARCH paths in float32, for models that need no more than a copula, a table and one lag.

The passes are those of `collatrisk.kernels.paths` with twice the lanes. Log prices are counted from the spot, so that
each step rounds them to 2**-24 of the move so far; `docs/precision.md` has what that comes to.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.cubics_single import interpolate_even_single, interpolate_octaves_single
from collatrisk.kernels.jit import njit
from collatrisk.kernels.laws import EVEN, OCTAVE, LawInputs
from collatrisk.kernels.random import MIXING_SLOT
from collatrisk.kernels.random_single import fill_normals_single
from collatrisk.kernels.rows import CHUNK, copy_row, fill_row, multiply_row, scale_row
from collatrisk.kernels.scores import ScoreInputs, correlate
from collatrisk.kernels.special_single import exp_single
from collatrisk.kernels.steps import StepInputs, start_paths, step_plain

PathArray = NDArray[np.float64] | NDArray[np.float32]
STEPS = 4  # of a counter
STRIDE = CHUNK + 64  # as `rows.STRIDE`, in whole tiles of float32
_ONE = np.float32(1.0)
_WIDE, _NARROW = ((np.empty((0, 0, 0), number),) * 2 for number in (np.float64, np.float32))
_kept = threading.local()


class SingleInputs(NamedTuple):
    """What the kernel needs to know; built by `collatrisk.simulation.single_inputs.single_inputs`.

    The parts of `PathInputs` that plain models have, every float of theirs in float32.

    Attributes
    ----------
    spot : (d,) prices at step 0. scores : the copula. laws : the innovations. steps : the recursions, of one lag.
    """

    spot: NDArray[np.float32]
    scores: ScoreInputs
    laws: LawInputs
    steps: StepInputs


def simulate_single(inputs: SingleInputs, first: int, prices: PathArray, step_variance: PathArray) -> None:
    """`collatrisk.kernels.paths.simulate_block` in float32; steps 4k to 4k + 3 share the four normals of one counter.

    Parameters
    ----------
    first : int >= 0, index of the first path in the whole plan.
    prices : float32 or float64 (n_steps + 1, d, n), overwritten.
    step_variance : as `prices` (n_steps, d, n), overwritten; (0, d, n): not wanted.
    """
    wide, narrow = (prices, step_variance), _NARROW
    if prices.dtype == np.float32:
        wide, narrow = _WIDE, wide
    _simulate(*inputs, np.uint64(first), prices.shape, *wide, *narrow, *_scratch(inputs, prices.shape[1]))


def _scratch(inputs: SingleInputs, assets: int) -> tuple[NDArray[np.generic], ...]:
    """Words, scores, mixing, state and rows; kept by the thread."""
    groups, mixed = inputs.scores.mixing_scale.size, inputs.scores.mixed
    shape = (assets, groups, mixed)
    if getattr(_kept, "shape", None) != shape:
        _kept.shape, _kept.scratch = (
            shape,
            (
                np.empty((STEPS, CHUNK), dtype=np.uint32),
                np.zeros((STEPS, assets, STRIDE), dtype=np.float32),
                np.ones((STEPS, groups, CHUNK), dtype=np.float32),
                np.empty((assets, 3 * CHUNK), dtype=np.float32),
                np.empty(CHUNK, dtype=np.int32),
            ),
        )
    kept: tuple[NDArray[np.generic], ...] = _kept.scratch
    return kept


# Without numba's runtime nothing can be allocated here, and no slice has its references counted: with it, the counting
# (two atomic operations a slice) takes a third of the time.
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _simulate(  # type: ignore[no-untyped-def]
    spot, copula, laws, recursions, first, shape, prices, variance, narrow, narrow_variance, words, scores, mixing,
    state, rows,
):  # fmt: skip
    """Into `prices` and `variance`, or into the narrow ones, whichever have elements: one compilation serves both."""
    steps, assets, paths = shape[0] - 1, shape[1], shape[2]
    single = narrow.size > 0
    wanted = variance.size > 0 or narrow_variance.size > 0
    for low in range(0, paths, CHUNK):
        high = min(low + CHUNK, paths)
        start_paths(recursions, state)
        for i in range(assets):
            if single:
                fill_row(spot[i], narrow[0, i, low:high])
            else:
                fill_row(spot[i], prices[0, i, low:high])
        for step in range(steps):
            part = step % STEPS
            if part == 0:
                _draw(copula, first + np.uint64(low), step // STEPS, words, scores, mixing)
            _score(copula, scores[part], mixing[part], rows)
            for i in range(assets):
                innovations = scores[part, i, :CHUNK]
                _innovate(laws, i, innovations, rows)
                step_plain(recursions, i, _ONE, innovations, state[i])
                factor, h, mixed = copula.conditional[i], state[i, :CHUNK], mixing[part, copula.group[i]]
                log_price = state[i, 2 * CHUNK :]
                if single:
                    if wanted:
                        _write_variances(factor, h, mixed, narrow_variance[step, i, low:high])
                    _write_prices(spot[i], log_price, narrow[step + 1, i, low:high])
                else:
                    if wanted:
                        _write_variances(factor, h, mixed, variance[step, i, low:high])
                    _write_prices(spot[i], log_price, prices[step + 1, i, low:high])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _draw(copula, first, quad, words, scores, mixing):  # type: ignore[no-untyped-def]
    """Independent normals of four steps, and those behind the mixing variables."""
    for i in range(scores.shape[1]):
        a, b, c, d = scores[0, i, :CHUNK], scores[1, i, :CHUNK], scores[2, i, :CHUNK], scores[3, i, :CHUNK]
        fill_normals_single(copula.key, first, quad, i, words, a, b, c, d)
    if copula.mixed:
        last = mixing.shape[1] - 1
        rows = mixing[0, last], mixing[1, last], mixing[2, last], mixing[3, last]
        fill_normals_single(copula.key, first, quad, MIXING_SLOT, words, rows[0], rows[1], rows[2], rows[3])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _score(copula, scores, mixing, rows):  # type: ignore[no-untyped-def]
    """Normals of one step (d, n or more) to scores of the copula; mixing (groups, n), normals in its last row."""
    if copula.correlated:
        correlate(copula.lower, scores)
    if copula.mixed:
        last = mixing.shape[0] - 1
        for group in range(last + 1):
            if group < last:
                copy_row(mixing[last], mixing[group])
            cubics = copula.mixing[copula.mixing_rows[group] : copula.mixing_rows[group + 1]]
            interpolate_even_single(cubics, copula.mixing_scale[group], mixing[group], rows)
        for i in range(scores.shape[0]):
            multiply_row(mixing[copula.group[i]], scores[i, :CHUNK])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _innovate(laws, i, row, rows):  # type: ignore[no-untyped-def]
    """Scores of asset i to innovations of its own law, in place."""
    cubics = laws.cubics[laws.offset[i] : laws.offset[i] + 2 * laws.segments[i]]
    if laws.law[i] == EVEN:
        interpolate_even_single(cubics, laws.scale[i], row, rows)
    elif laws.law[i] == OCTAVE:
        interpolate_octaves_single(cubics, laws.power[i], row, rows)
    elif laws.scale[i] != _ONE:
        scale_row(laws.scale[i], row)


@njit(cache=True, nogil=True, error_model="numpy")
def _write_prices(spot, log_price, prices):  # type: ignore[no-untyped-def]
    for n in range(prices.size):
        prices[n] = spot * exp_single(log_price[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_variances(factor, h, mixing, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = h[n] * (factor * (mixing[n] * mixing[n]))
