"""Correlated GARCH paths, one block at a time.

Each pass is a plain loop over consecutive paths with few arrays, which is what LLVM vectorises; a chunk of paths stays
in the first-level cache from draw to price. Nothing is allocated inside the loops. All operations are elementwise
over paths, so a path has the same bits whichever chunk, block or worker it falls in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.kernels.random import MIXING_SLOT, fill_normals, fill_uniforms
from collatrisk.kernels.special import exp

CHUNK = 512

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
        row[n] += factor * source[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_four_rows(factors, a, b, c, d, row):  # type: ignore[no-untyped-def]
    fa, fb, fc, fd = factors[0], factors[1], factors[2], factors[3]
    for n in range(row.size):
        row[n] += (fa * a[n] + fb * b[n]) + (fc * c[n] + fd * d[n])


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
        c2 = cubics[row, np.uint64(2)] + t * cubics[row, np.uint64(3)]
        x[n] = cubics[row, np.uint64(0)] + t * (cubics[row, np.uint64(1)] + t * c2)


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(a, row):  # type: ignore[no-untyped-def]
    for n in range(row.size):
        row[n] *= a[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _first_lag(omega, alpha, gamma, beta, e, h):  # type: ignore[no-untyped-def]
    """h <- omega + (alpha + gamma 1{e < 0}) e^2 + beta h, where e and h hold one lag."""
    for n in range(h.size):
        weight = alpha + gamma if e[n] < 0.0 else alpha
        h[n] = omega + (weight * (e[n] * e[n]) + beta * h[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_lag(alpha, gamma, beta, e, h_lag, h):  # type: ignore[no-untyped-def]
    for n in range(h.size):
        weight = alpha + gamma if e[n] < 0.0 else alpha
        h[n] += weight * (e[n] * e[n]) + beta * h_lag[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _residuals(h, innovations, e):  # type: ignore[no-untyped-def]
    for n in range(e.size):
        e[n] = math.sqrt(h[n]) * innovations[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_return(mean, variance_drift, h, e, log_price):  # type: ignore[no-untyped-def]
    for n in range(log_price.size):
        log_price[n] += (mean + variance_drift * h[n]) + e[n]


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
def _advance_variance(inputs, i, step, e, h):  # type: ignore[no-untyped-def]
    """The variance of this step into h[slot]; e and h (K, n) are rings whose slot `step` mod K holds the oldest lag."""
    lags = h.shape[0]
    slot = step % lags
    oldest = lags - 1
    _first_lag(
        inputs.omega[i], inputs.alpha[i, oldest], inputs.gamma[i, oldest], inputs.beta[i, oldest], e[slot], h[slot]
    )
    for k in range(oldest - 1, -1, -1):
        lagged = (step - 1 - k) % lags
        _add_lag(inputs.alpha[i, k], inputs.gamma[i, k], inputs.beta[i, k], e[lagged], h[lagged], h[slot])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _step_asset(inputs, i, step, innovations, mixing, e, h, log_price, step_variance):  # type: ignore[no-untyped-def]
    """One step of one asset: variance, residual, log price, and the step's variance for the bridge."""
    slot = step % h.shape[0]
    if not inputs.constant[i]:
        _advance_variance(inputs, i, step, e, h)
    _residuals(h[slot], innovations, e[slot])
    _add_return(inputs.mean[i], inputs.variance_drift, h[slot], e[slot], log_price)
    _write_variances(inputs.conditional, h[slot], mixing, step_variance)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _add_jumps(inputs, first, step, uniforms, log_price):  # type: ignore[no-untyped-def]
    """Every jump that arrives in this step moves all of its assets."""
    for jump in range(inputs.jump_probability.size):
        fill_uniforms(inputs.jump_key, first, step, jump, uniforms)
        for i in range(log_price.shape[0]):
            if inputs.jump_size[jump, i] != 0.0:
                _add_jump(inputs.jump_size[jump, i], inputs.jump_probability[jump], uniforms, log_price[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _simulate_chunk(inputs, first, low, high, prices, step_variance):  # type: ignore[no-untyped-def]
    """Paths `first`, ... into the columns `low` to `high` - 1 of the block."""
    steps, assets, _ = step_variance.shape
    lags = inputs.residuals.shape[1]
    scores = np.empty((2, assets, high - low))
    mixing = np.ones((2, high - low))
    uniforms = np.empty(high - low)
    rows = np.empty(high - low, dtype=np.int64)
    e = np.empty((assets, lags, high - low))
    h = np.empty((assets, lags, high - low))
    log_price = np.zeros((assets, high - low))
    for i in range(assets):
        prices[0, i, low:high] = inputs.spot[i]
        for k in range(lags):
            e[i, k, :] = inputs.residuals[i, k]
            h[i, k, :] = inputs.variances[i, k]
    for step in range(steps):
        half = step % 2
        if half == 0:
            _draw_pair(inputs, first, step // 2, scores, mixing, rows)
        for i in range(assets):
            _innovate(inputs, i, scores[half, i], rows)
            _step_asset(
                inputs,
                i,
                step,
                scores[half, i],
                mixing[half],
                e[i],
                h[i],
                log_price[i],
                step_variance[step, i, low:high],
            )
        _add_jumps(inputs, first, step, uniforms, log_price)
        for i in range(assets):
            _write_prices(inputs.spot[i], log_price[i], prices[step + 1, i, low:high])


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_block(inputs, first, prices, step_variance):  # type: ignore[no-untyped-def]
    """Simulate paths `first`, `first` + 1, ... into a block.

    Parameters
    ----------
    inputs : PathInputs.
    first : int >= 0, index of the first path in the whole plan.
    prices : float64 (n_steps + 1, d, n), overwritten.
    step_variance : float64 (n_steps, d, n), overwritten.

    Notes
    -----
    Per step and asset: r = mean + variance_drift h + e, e = sqrt(h) z, and z the asset's law at the score that the
    copula gives it. Steps 2k and 2k + 1 share the two normals of one counter, so a longer horizon extends a shorter.
    """
    paths = step_variance.shape[2]
    for low in range(0, paths, CHUNK):
        _simulate_chunk(inputs, first + low, low, min(low + CHUNK, paths), prices, step_variance)
