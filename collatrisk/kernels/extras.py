"""What assets have beyond GARCH(1,1) and constant volatility: seasons, leaning means, further lags and recursions.

The recursions keep their lags in rings of rows (e and h below), each in the scale in which it is linear: residuals and
variances for GARCH; signed |e|^power and h^(power/2) for a power recursion; z and ln h for a logarithmic one. A
recursion on squared residuals of all steps so far (FIGARCH, RiskMetrics 2006) reads what the history adds to each step
from a table and keeps only the simulated residuals.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.rows import CHUNK, add_four_rows, add_row, fill_row
from collatrisk.kernels.special import exp, fma, log
from collatrisk.kernels.steps import CONSTANT, GARCH, LOG, POWER, step_plain

_TINIEST = 1e-300  # whose logarithm exists
# ln h of LOG stays within an sd of 1e-130 and of 100 a step: with t innovations nothing else bounds it.
_LOWEST_LOG, _HIGHEST_LOG = -600.0, 9.21


class ExtraInputs(NamedTuple):
    """Built by `collatrisk.simulation.step_inputs.extra_inputs`.

    d assets, M of them of kind MEMORY.

    Attributes
    ----------
    season : (d, P) the factor of the standard deviation at step t is season[t mod P]; one 1 where there is none.
    inherited : (d,) what the log return (over its season) takes over from the one before it; last_return : (d,) that
        of step 0.
    lags : int64 (d,) how many of the K lags of `StepInputs` an asset has. power : (d,).
    slot : int64 (d,) row of `base` and `weights` for MEMORY, -1 for the others.
    base : (M, n_steps) what is known of s at each step. weights : (M, L) of the residuals, nearest first.
    """

    season: NDArray[np.float64]
    inherited: NDArray[np.float64]
    last_return: NDArray[np.float64]
    lags: NDArray[np.int64]
    power: NDArray[np.float64]
    slot: NDArray[np.int64]
    base: NDArray[np.float64]
    weights: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def start_extras(extras, inputs, state, e, h):  # type: ignore[no-untyped-def]
    """The last log return into the fourth quarter of `state`, and the rings, on every path."""
    for i in range(state.shape[0]):
        row = state[i]
        for n in range(CHUNK):
            row[3 * CHUNK + n] = extras.last_return[i]
        for k in range(inputs.residuals.shape[1]):
            for n in range(CHUNK):
                e[i, k, n] = inputs.residuals[i, k]
                h[i, k, n] = inputs.variances[i, k]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def step_asset(extras, inputs, i, step, season, innovations, state, e, h, past):  # type: ignore[no-untyped-def]
    """One step of one asset: variance, residual, log price. The recursion knows nothing of the season.

    Parameters
    ----------
    state : (4 CHUNK,) h, e, log price over spot and last log return, one after the other.
    e, h : (K, CHUNK) rings of the asset. past : (M, R, CHUNK) rings of the simulated |e|^power of kind MEMORY.
    """
    mean, variance_drift, kind = season * inputs.mean[i], inputs.variance_drift * (season * season), inputs.kind[i]
    if extras.inherited[i] != 0.0:
        _inherit(season * extras.inherited[i], state)
    if kind == CONSTANT or (kind == GARCH and extras.lags[i] == 1):
        step_plain(inputs, i, season, innovations, state)
    elif kind == GARCH:
        alpha, gamma, beta = inputs.alpha[i], inputs.gamma[i], inputs.beta[i]
        _step_lags(alpha, gamma, beta, inputs.omega[i], mean, variance_drift, season, step, innovations, state, e, h)
    else:
        if kind == POWER:
            alpha, gamma, beta = inputs.alpha[i], inputs.gamma[i], inputs.beta[i]
            _step_power(alpha, gamma, beta, inputs.omega[i], extras.power[i], step, innovations, state, e, h)
        elif kind == LOG:
            alpha, gamma, beta = inputs.alpha[i], inputs.gamma[i], inputs.beta[i]
            _step_log(alpha, gamma, beta, inputs.omega[i], step, innovations, state, e, h)
        else:
            row = extras.slot[i]
            _step_memory(extras.base[row], extras.weights[row], extras.power[i], step, innovations, state, past[row])
        _move_price(mean, variance_drift, season, state)
    if extras.inherited[i] != 0.0:
        _note_return(1.0 / season, state)


@njit(cache=True, nogil=True, error_model="numpy")
def _inherit(share, state):  # type: ignore[no-untyped-def]
    """The log price takes over a share of the last log return, in whose place stays minus the log price before it."""
    for n in range(CHUNK):
        before = state[2 * CHUNK + n]
        state[2 * CHUNK + n] = fma(share, state[3 * CHUNK + n], before)
        state[3 * CHUNK + n] = -before


@njit(cache=True, nogil=True, error_model="numpy")
def _note_return(per_season, state):  # type: ignore[no-untyped-def]
    for n in range(CHUNK):
        state[3 * CHUNK + n] = per_season * (state[3 * CHUNK + n] + state[2 * CHUNK + n])


@njit(cache=True, nogil=True, error_model="numpy")
def _move_price(mean, variance_drift, season, state):  # type: ignore[no-untyped-def]
    for n in range(CHUNK):
        state[2 * CHUNK + n] += fma(season, state[CHUNK + n], fma(variance_drift, state[n], mean))


@njit(cache=True, nogil=True, error_model="numpy")
def _step_lags(alpha, gamma, beta, omega, mean, variance_drift, season, step, innovations, state, e, h):  # type: ignore[no-untyped-def]
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
        state[2 * CHUNK + n] += fma(season, e[slot, n], fma(variance_drift, h[slot, n], mean))


@njit(cache=True, nogil=True, error_model="numpy")
def _step_power(alpha, gamma, beta, omega, power, step, innovations, state, e, h):  # type: ignore[no-untyped-def]
    """One step in s = h^(power/2): ring e holds |e|^power with the sign of e, ring h holds s."""
    lags = h.shape[0]
    slot = step % lags
    oldest = lags - 1
    for n in range(CHUNK):
        last = e[slot, n]
        weight = alpha[oldest] + gamma[oldest] if last < 0.0 else alpha[oldest]
        h[slot, n] = fma(weight, abs(last), fma(beta[oldest], h[slot, n], omega))
    for k in range(oldest - 1, -1, -1):
        lagged = (step - 1 - k) % lags
        for n in range(CHUNK):
            last = e[lagged, n]
            weight = alpha[k] + gamma[k] if last < 0.0 else alpha[k]
            h[slot, n] += fma(weight, abs(last), beta[k] * h[lagged, n])
    if power == 1.0:
        for n in range(CHUNK):
            s = h[slot, n]
            state[n] = s * s
            state[CHUNK + n] = e[slot, n] = s * innovations[n]
        return
    up, down = 2.0 / power, 0.5 * power
    for n in range(CHUNK):
        z = innovations[n]
        s = h[slot, n]
        variance = exp(up * log(max(s, _TINIEST)))
        state[n] = variance
        state[CHUNK + n] = math.sqrt(variance) * z
        size = s * exp(down * log(max(z * z, _TINIEST)))
        e[slot, n] = -size if z < 0.0 else size


@njit(cache=True, nogil=True, error_model="numpy")
def _step_log(alpha, gamma, beta, omega, step, innovations, state, e, h):  # type: ignore[no-untyped-def]
    """One step in ln h: ring e holds z, ring h holds ln h."""
    lags = h.shape[0]
    slot = step % lags
    oldest = lags - 1
    for n in range(CHUNK):
        last = e[slot, n]
        h[slot, n] = fma(alpha[oldest], abs(last), fma(gamma[oldest], last, fma(beta[oldest], h[slot, n], omega)))
    for k in range(oldest - 1, -1, -1):
        lagged = (step - 1 - k) % lags
        for n in range(CHUNK):
            last = e[lagged, n]
            h[slot, n] += fma(alpha[k], abs(last), fma(gamma[k], last, beta[k] * h[lagged, n]))
    for n in range(CHUNK):
        bounded = min(max(h[slot, n], _LOWEST_LOG), _HIGHEST_LOG)
        variance = exp(bounded)
        h[slot, n] = bounded
        e[slot, n] = innovations[n]
        state[n] = variance
        state[CHUNK + n] = math.sqrt(variance) * innovations[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _step_memory(base, weights, power, step, innovations, state, past):  # type: ignore[no-untyped-def]
    """One step with a sum over all simulated steps; ring `past` (R, CHUNK) holds |e|^power, R >= the weights in use."""
    depth = past.shape[0]
    total = state[:CHUNK]
    fill_row(base[step], total)
    lag = 1
    reach = min(step, weights.size)
    while lag + 3 <= reach:
        rows = past[(step - lag) % depth], past[(step - lag - 1) % depth]
        more = past[(step - lag - 2) % depth], past[(step - lag - 3) % depth]
        add_four_rows(weights[lag - 1 : lag + 3], rows[0], rows[1], more[0], more[1], total)
        lag += 4
    while lag <= reach:
        add_row(weights[lag - 1], past[(step - lag) % depth], total)
        lag += 1
    newest = past[step % depth]
    if power == 2.0:
        for n in range(CHUNK):
            residual = math.sqrt(total[n]) * innovations[n]
            state[CHUNK + n] = residual
            newest[n] = residual * residual
        return
    up, down = 2.0 / power, 0.5 * power
    for n in range(CHUNK):
        z, s = innovations[n], total[n]
        variance = exp(up * log(max(s, _TINIEST)))
        newest[n] = s * exp(down * log(max(z * z, _TINIEST)))
        state[n] = variance
        state[CHUNK + n] = math.sqrt(variance) * z
