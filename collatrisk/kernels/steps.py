"""One step of one asset: its variance, its residual and its log price."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.kernels.rows import CHUNK
from collatrisk.kernels.special import fma


class StepInputs(NamedTuple):
    """The recursions and where they start; built by `collatrisk.simulation.step_inputs.step_inputs`.

    d assets, K lags (at least 1; fewer are padded with zeros).

    Attributes
    ----------
    mean : (d,). variance_drift : the log drift is season * mean + variance_drift * season^2 * h.
    season : (d, P) the factor of the standard deviation at step t is season[t mod P]; one 1 where there is none.
    constant : bool (d,), True where h never moves. omega : (d,).
    alpha, gamma, beta : (d, K), nearest lag first. residuals, variances : (d, K), the start, oldest first.
    """

    mean: NDArray[np.float64]
    variance_drift: float
    season: NDArray[np.float64]
    constant: NDArray[np.bool_]
    omega: NDArray[np.float64]
    alpha: NDArray[np.float64]
    gamma: NDArray[np.float64]
    beta: NDArray[np.float64]
    residuals: NDArray[np.float64]
    variances: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def start_paths(inputs, state, e, h):  # type: ignore[no-untyped-def]
    """The filtered state on every path: last variances and residuals, log price over spot 0."""
    lags = inputs.residuals.shape[1]
    for i in range(state.shape[0]):
        state[i, :CHUNK] = inputs.variances[i, lags - 1]
        state[i, CHUNK : 2 * CHUNK] = inputs.residuals[i, lags - 1]
        state[i, 2 * CHUNK :] = 0.0
        for k in range(lags):
            e[i, k, :] = inputs.residuals[i, k]
            h[i, k, :] = inputs.variances[i, k]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def step_asset(inputs, i, step, season, innovations, state, e, h):  # type: ignore[no-untyped-def]
    """One step of one asset: variance, residual, log price. The recursion knows nothing of the season."""
    mean, variance_drift = season * inputs.mean[i], inputs.variance_drift * (season * season)
    if inputs.constant[i]:
        _step_constant(mean, variance_drift, season, innovations, state)
    elif h.shape[0] == 1:
        alpha, gamma, beta = inputs.alpha[i, 0], inputs.gamma[i, 0], inputs.beta[i, 0]
        _step_one_lag(inputs.omega[i], alpha, gamma, beta, mean, variance_drift, season, innovations, state)
    else:
        alpha, gamma, beta = inputs.alpha[i], inputs.gamma[i], inputs.beta[i]
        _step_lags(alpha, gamma, beta, inputs.omega[i], mean, variance_drift, season, step, innovations, state, e, h)


@njit(cache=True, nogil=True, error_model="numpy")
def _step_one_lag(omega, alpha, gamma, beta, mean, variance_drift, season, innovations, state):  # type: ignore[no-untyped-def]
    """One step with one lag: `state` holds h, e and the log price, `CHUNK` of each one after the other.

    h <- omega + (alpha + gamma 1{e < 0}) e^2 + beta h, e <- sqrt(h) z, log price += mean + variance_drift h + season e.
    In one array at fixed distances they need no test that they do not overlap, so that one loop can do all of it.
    """
    fallen = alpha + gamma
    for n in range(CHUNK):
        e = state[CHUNK + n]
        h = fma(fallen if e < 0.0 else alpha, e * e, fma(beta, state[n], omega))
        e = math.sqrt(h) * innovations[n]
        state[n] = h
        state[CHUNK + n] = e
        state[2 * CHUNK + n] += fma(season, e, fma(variance_drift, h, mean))


@njit(cache=True, nogil=True, error_model="numpy")
def _step_constant(mean, variance_drift, season, innovations, state):  # type: ignore[no-untyped-def]
    """One step with a variance that never moves; `state` as in `_step_one_lag`."""
    deviation = season * math.sqrt(state[0])
    drift = fma(variance_drift, state[0], mean)
    for n in range(CHUNK):
        state[2 * CHUNK + n] += fma(deviation, innovations[n], drift)


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
