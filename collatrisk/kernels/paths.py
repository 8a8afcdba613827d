"""Correlated GARCH paths, one block at a time.

Each pass is a plain loop over consecutive paths with few arrays, which is what LLVM vectorises; a chunk of paths stays
in the first-level cache from draw to price. Nothing is allocated inside the loops. All operations are elementwise
over paths, so a path has the same bits whichever chunk, block or worker it falls in. A chunk is always computed in
full: loops have a fixed length, and what lies beyond the block is not written.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.kernels.random import MIXING_SLOT, fill_normals, fill_uniforms
from collatrisk.kernels.special import exp, fma

CHUNK = 512  # paths at a time: their state stays in the first-level cache, or near it

LINEAR = 0  # innovation = scale * score
EVEN = 1  # cubic segments of equal width in |score|
OCTAVE = 2  # cubic segments in 1 + |score|, 2**k of them to each power of two


class PathInputs(NamedTuple):
    """What the kernel needs to know; built by `collatrisk.simulation.tables.path_inputs`.

    d assets, K lags (at least 1; fewer are padded with zeros), J jumps.

    Attributes
    ----------
    key, jump_key : uint64 Philox keys.
    lower : (d, d) lower Cholesky factor of the scores' correlation. correlated : False if it is the identity.
    spot, mean : (d,). variance_drift : the log drift is mean + variance_drift * h.
    constant : bool (d,), True where h never moves. omega : (d,).
    alpha, gamma, beta : (d, K), nearest lag first. residuals, variances : (d, K), the start, oldest first.
    mixed : True for a t copula. mixing : (2 m, 4) cubic segments of sqrt(nu / chi2) in the normal score g,
        `mixing_scale` segments to a unit. conditional : (nu - 2) / nu, so that h * conditional * nu / chi2 has mean h.
    law : int64 (d,) LINEAR, EVEN or OCTAVE. scale : (d,) factor, or segments to a unit.
    power : int64 (d,) 2**power segments to an octave.
    offset, segments : int64 (d,) first row and rows a side in `cubics` (n, 4), coefficients from the constant up.
    jump_probability : (J,) a step. jump_size : (J, d) added to log prices.
    """

    key: np.uint64
    jump_key: np.uint64
    lower: NDArray[np.float64]
    correlated: bool
    spot: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance_drift: float
    constant: NDArray[np.bool_]
    omega: NDArray[np.float64]
    alpha: NDArray[np.float64]
    gamma: NDArray[np.float64]
    beta: NDArray[np.float64]
    residuals: NDArray[np.float64]
    variances: NDArray[np.float64]
    mixed: bool
    mixing: NDArray[np.float64]
    mixing_scale: float
    conditional: float
    law: NDArray[np.int64]
    scale: NDArray[np.float64]
    power: NDArray[np.int64]
    offset: NDArray[np.int64]
    segments: NDArray[np.int64]
    cubics: NDArray[np.float64]
    jump_probability: NDArray[np.float64]
    jump_size: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def correlate(lower, scores):  # type: ignore[no-untyped-def]
    """scores <- lower @ scores in place, (d, n); from the last row up, so that the rows still needed are untouched."""
    for i in range(scores.shape[0] - 1, -1, -1):
        row = scores[i]
        _scale_row(lower[i, i], row)
        j = 0
        while j + 4 <= i:
            _add_four_rows(lower[i, j : j + 4], scores[j], scores[j + 1], scores[j + 2], scores[j + 3], row)
            j += 4
        while j < i:
            _add_row(lower[i, j], scores[j], row)
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _scale_row(factor, row):  # type: ignore[no-untyped-def]
    for n in range(row.size):
        row[n] *= factor


@njit(cache=True, nogil=True, error_model="numpy")
def _add_row(factor, source, row):  # type: ignore[no-untyped-def]
    for n in range(row.size):
        row[n] = fma(factor, source[n], row[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_four_rows(factors, a, b, c, d, row):  # type: ignore[no-untyped-def]
    fa, fb, fc, fd = factors[0], factors[1], factors[2], factors[3]
    for n in range(row.size):
        row[n] = fma(fd, d[n], fma(fc, c[n], fma(fb, b[n], fma(fa, a[n], row[n]))))


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_even(cubics, scale, x, rows):  # type: ignore[no-untyped-def]
    """Piecewise cubics with `scale` segments to a unit of |x|; the second half of the rows serves x < 0.

    Parameters
    ----------
    cubics : (2 m, 4). x : float64 (n,), overwritten by the result. rows : int64 (n,), scratch.
    """
    segments = np.int64(cubics.shape[0] // 2)
    for n in range(x.size):
        s = abs(x[n]) * scale
        row = min(np.floor(s), np.float64(segments - 1))
        rows[n] = np.int64(row) + (segments if x[n] < 0.0 else 0)
        x[n] = s - row
    _evaluate(cubics, rows, x)


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate_octaves(cubics, power, x, rows):  # type: ignore[no-untyped-def]
    """Piecewise cubics in s = 1 + |x|, 2**power segments to a doubling of s, named by its leading bits.

    Parameters
    ----------
    cubics, x, rows : as in `interpolate_even`.
    """
    segments = np.int64(cubics.shape[0] // 2)
    shift = np.int64(52) - power
    first = np.int64(1023) << np.int64(power)
    for n in range(x.size):
        s = 1.0 + abs(x[n])
        row = min((np.float64(s).view(np.int64) >> shift) - first, segments - 1)
        rows[n] = row + (segments if x[n] < 0.0 else 0)
        x[n] = s - np.int64((row + first) << shift).view(np.float64)
    _evaluate(cubics, rows, x)


@njit(cache=True, nogil=True, error_model="numpy")
def _evaluate(cubics, rows, x):  # type: ignore[no-untyped-def]
    """The cubic of each row at its local variable, in place. Unsigned indices spare the test for negative ones."""
    for n in range(x.size):
        row = np.uint64(rows[n])
        t = x[n]
        c2 = fma(t, cubics[row, np.uint64(3)], cubics[row, np.uint64(2)])
        x[n] = fma(t, fma(t, c2, cubics[row, np.uint64(1)]), cubics[row, np.uint64(0)])


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(a, row):  # type: ignore[no-untyped-def]
    for n in range(row.size):
        row[n] *= a[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _step_one_lag(omega, alpha, gamma, beta, mean, variance_drift, innovations, state):  # type: ignore[no-untyped-def]
    """One step with one lag: `state` holds h, e and the log price, `CHUNK` of each one after the other.

    h <- omega + (alpha + gamma 1{e < 0}) e^2 + beta h, e <- sqrt(h) z, log price += mean + variance_drift h + e. In one
    array at fixed distances they need no test that they do not overlap, so that one loop can do all of it.
    """
    fallen = alpha + gamma
    for n in range(CHUNK):
        e = state[CHUNK + n]
        h = fma(fallen if e < 0.0 else alpha, e * e, fma(beta, state[n], omega))
        e = math.sqrt(h) * innovations[n]
        state[n] = h
        state[CHUNK + n] = e
        state[2 * CHUNK + n] += fma(variance_drift, h, mean) + e


@njit(cache=True, nogil=True, error_model="numpy")
def _step_constant(mean, variance_drift, innovations, state):  # type: ignore[no-untyped-def]
    """One step with a variance that never moves; `state` as in `_step_one_lag`."""
    deviation = math.sqrt(state[0])
    drift = fma(variance_drift, state[0], mean)
    for n in range(CHUNK):
        state[2 * CHUNK + n] += fma(deviation, innovations[n], drift)


@njit(cache=True, nogil=True, error_model="numpy")
def _step_lags(alpha, gamma, beta, omega, mean, variance_drift, step, innovations, state, e, h):  # type: ignore[no-untyped-def]
    """One step with several lags; e and h (K, CHUNK) are rings whose slot `step` mod K holds the oldest lag."""
    lags = h.shape[0]
    slot = step % lags
    oldest = lags - 1
    for n in range(CHUNK):
        last = e[slot, n]
        weight = alpha[oldest] + gamma[oldest] if last < 0.0 else alpha[oldest]
        h[slot, n] = fma(weight, last * last, fma(beta[oldest], h[slot, n], omega))
    for k in range(oldest - 1, -1, -1):
        lagged = (step - 1 - k) % lags
        for n in range(CHUNK):
            last = e[lagged, n]
            weight = alpha[k] + gamma[k] if last < 0.0 else alpha[k]
            h[slot, n] += fma(weight, last * last, beta[k] * h[lagged, n])
    for n in range(CHUNK):
        e[slot, n] = math.sqrt(h[slot, n]) * innovations[n]
        state[n] = h[slot, n]
        state[2 * CHUNK + n] += fma(variance_drift, h[slot, n], mean) + e[slot, n]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_jump(size, probability, uniforms, log_price):  # type: ignore[no-untyped-def]
    for n in range(log_price.size):
        log_price[n] += size if uniforms[n] < probability else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _write_prices(spot, log_price, prices):  # type: ignore[no-untyped-def]
    for n in range(prices.size):
        prices[n] = spot * exp(log_price[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _write_variances(factor, h, mixing, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = h[n] * (factor * (mixing[n] * mixing[n]))


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _draw_pair(inputs, first, pair, scores, mixing, rows):  # type: ignore[no-untyped-def]
    """Correlated scores (2, d, n) and mixing variables (2, n) of the steps 2 `pair` and 2 `pair` + 1."""
    assets = scores.shape[1]
    for i in range(assets):
        fill_normals(inputs.key, first, pair, i, scores[0, i], scores[1, i])
    if inputs.mixed:
        fill_normals(inputs.key, first, pair, MIXING_SLOT, mixing[0], mixing[1])
    for half in range(2):
        if inputs.correlated:
            correlate(inputs.lower, scores[half])
        if inputs.mixed:
            interpolate_even(inputs.mixing, inputs.mixing_scale, mixing[half], rows)
            for i in range(assets):
                _multiply(mixing[half], scores[half, i])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _innovate(inputs, i, row, rows):  # type: ignore[no-untyped-def]
    """Scores of asset i to innovations of its own law, in place."""
    cubics = inputs.cubics[inputs.offset[i] : inputs.offset[i] + 2 * inputs.segments[i]]
    if inputs.law[i] == EVEN:
        interpolate_even(cubics, inputs.scale[i], row, rows)
    elif inputs.law[i] == OCTAVE:
        interpolate_octaves(cubics, inputs.power[i], row, rows)
    elif inputs.scale[i] != 1.0:
        _scale_row(inputs.scale[i], row)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _step_asset(inputs, i, step, innovations, state, e, h):  # type: ignore[no-untyped-def]
    """One step of one asset: variance, residual, log price."""
    mean, variance_drift = inputs.mean[i], inputs.variance_drift
    if inputs.constant[i]:
        _step_constant(mean, variance_drift, innovations, state)
    elif h.shape[0] == 1:
        alpha, gamma, beta = inputs.alpha[i, 0], inputs.gamma[i, 0], inputs.beta[i, 0]
        _step_one_lag(inputs.omega[i], alpha, gamma, beta, mean, variance_drift, innovations, state)
    else:
        alpha, gamma, beta = inputs.alpha[i], inputs.gamma[i], inputs.beta[i]
        _step_lags(alpha, gamma, beta, inputs.omega[i], mean, variance_drift, step, innovations, state, e, h)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _add_jumps(inputs, first, step, uniforms, state):  # type: ignore[no-untyped-def]
    """Every jump that arrives in this step moves all of its assets."""
    for jump in range(inputs.jump_probability.size):
        fill_uniforms(inputs.jump_key, first, step, jump, uniforms)
        for i in range(state.shape[0]):
            if inputs.jump_size[jump, i] != 0.0:
                log_price = state[i, 2 * CHUNK :]
                _add_jump(inputs.jump_size[jump, i], inputs.jump_probability[jump], uniforms, log_price)


@njit(cache=True, nogil=True, error_model="numpy")
def _start(inputs, state, e, h):  # type: ignore[no-untyped-def]
    """The filtered state on every path: last variances and residuals, log price over spot 0."""
    lags = inputs.residuals.shape[1]
    for i in range(state.shape[0]):
        state[i, :CHUNK] = inputs.variances[i, lags - 1]
        state[i, CHUNK : 2 * CHUNK] = inputs.residuals[i, lags - 1]
        state[i, 2 * CHUNK :] = 0.0
        for k in range(lags):
            e[i, k, :] = inputs.residuals[i, k]
            h[i, k, :] = inputs.variances[i, k]


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_block(inputs, first, prices, step_variance):  # type: ignore[no-untyped-def]
    """Simulate paths `first`, `first` + 1, ... into a block.

    Parameters
    ----------
    inputs : PathInputs.
    first : int >= 0, index of the first path in the whole plan.
    prices : float64 (n_steps + 1, d, n), overwritten.
    step_variance : float64 (n_steps, d, n), overwritten; (0, d, n): not wanted.

    Notes
    -----
    Per step and asset: r = mean + variance_drift h + e, e = sqrt(h) z, and z the asset's law at the score that the
    copula gives it. Steps 2k and 2k + 1 share the two normals of one counter, so a longer horizon extends a shorter.
    """
    steps, assets, paths = prices.shape[0] - 1, prices.shape[1], prices.shape[2]
    wanted = step_variance.shape[0] > 0
    lags = inputs.residuals.shape[1]
    scores = np.empty((2, assets, CHUNK))
    mixing = np.ones((2, CHUNK))
    uniforms = np.empty(CHUNK)
    rows = np.empty(CHUNK, dtype=np.int64)
    state = np.empty((assets, 3 * CHUNK))
    e = np.empty((assets, lags, CHUNK))
    h = np.empty((assets, lags, CHUNK))
    for low in range(0, paths, CHUNK):
        high = min(low + CHUNK, paths)
        _start(inputs, state, e, h)
        for i in range(assets):
            prices[0, i, low:high] = inputs.spot[i]
        for step in range(steps):
            half = step % 2
            if half == 0:
                _draw_pair(inputs, first + low, step // 2, scores, mixing, rows)
            for i in range(assets):
                _innovate(inputs, i, scores[half, i], rows)
                _step_asset(inputs, i, step, scores[half, i], state[i], e[i], h[i])
                if wanted:
                    out = step_variance[step, i, low:high]
                    _write_variances(inputs.conditional, state[i, :CHUNK], mixing[half], out)
            _add_jumps(inputs, first + low, step, uniforms, state)
            for i in range(assets):
                _write_prices(inputs.spot[i], state[i, 2 * CHUNK :], prices[step + 1, i, low:high])
