"""One step of one asset: its variance, its residual and its log price.

GARCH(1,1) and constant volatility are here; whatever else there is, is in `collatrisk.kernels.extras`.

Models that have nothing else take the way of `start_moves` and `move_asset`, whose state is that of the coming step:
its variance and the root of it are known before its innovation is. So the root, which takes as long as all the rest,
is computed beside the price and not before it. Operations and bits are those of `step_plain`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.rows import CHUNK
from collatrisk.kernels.special import exp, fma

CONSTANT = 0  # h never moves
GARCH = 1  # h <- omega + (alpha + gamma 1{e < 0}) e^2 + beta h
POWER = 2  # the same in s = h^(power/2) and |e|^power
LOG = 3  # ln h <- omega + alpha |z| + gamma z + beta ln h
MEMORY = 4  # s <- base of the step + sum of weights times |e|^power of the simulated steps


class StepInputs(NamedTuple):
    """The recursions and where they start; built by `collatrisk.simulation.step_inputs.step_inputs`.

    d assets, K lags (at least 1; fewer are padded with zeros).

    Attributes
    ----------
    mean : (d,). variance_drift : the log drift is season * mean + variance_drift * season^2 * h.
    kind : int64 (d,) CONSTANT, GARCH, POWER, LOG or MEMORY.
    omega : (d,). alpha, gamma, beta : (d, K), nearest lag first.
    residuals, variances : (d, K), the start in the scale of the recursion, oldest first.
    """

    mean: NDArray[np.float64]
    variance_drift: float
    kind: NDArray[np.int64]
    omega: NDArray[np.float64]
    alpha: NDArray[np.float64]
    gamma: NDArray[np.float64]
    beta: NDArray[np.float64]
    residuals: NDArray[np.float64]
    variances: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def start_paths(inputs, state):  # type: ignore[no-untyped-def]
    """The filtered state on every path: last variances and residuals, log price over spot 0."""
    last = inputs.residuals.shape[1] - 1
    for i in range(state.shape[0]):
        row, variance, residual = state[i], inputs.variances[i, last], inputs.residuals[i, last]
        for n in range(CHUNK):
            row[n] = variance
            row[CHUNK + n] = residual
            row[2 * CHUNK + n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def step_plain(inputs, i, season, innovations, state):  # type: ignore[no-untyped-def]
    """One step of an asset of kind CONSTANT, or GARCH with one lag. The recursion knows nothing of the season.

    Parameters
    ----------
    state : (3 CHUNK or more,) h, e and log price over spot, one after the other.
    """
    mean, variance_drift = season * inputs.mean[i], inputs.variance_drift * (season * season)
    if inputs.kind[i] == CONSTANT:
        _step_constant(mean, variance_drift, season, innovations, state)
    else:
        alpha, gamma, beta = inputs.alpha[i, 0], inputs.gamma[i, 0], inputs.beta[i, 0]
        _step_one_lag(inputs.omega[i], alpha, gamma, beta, mean, variance_drift, season, innovations, state)


@njit(cache=True, nogil=True, error_model="numpy")
def _step_one_lag(omega, alpha, gamma, beta, mean, variance_drift, season, innovations, state):  # type: ignore[no-untyped-def]
    """h <- omega + (alpha + gamma 1{e < 0}) e^2 + beta h, e <- sqrt(h) z, and the log price on by a return.

    The return is mean + variance_drift h + season e, where mean and variance_drift have the season in them.
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
def start_moves(inputs, state):  # type: ignore[no-untyped-def]
    """On every path the variance of step 1, by the last variance and residual, its root, and log price over spot 0."""
    last = inputs.residuals.shape[1] - 1
    for i in range(state.shape[0]):
        row, h, e = state[i], inputs.variances[i, last], inputs.residuals[i, last]
        if inputs.kind[i] == GARCH:
            slope = inputs.alpha[i, 0] + inputs.gamma[i, 0] if e < 0.0 else inputs.alpha[i, 0]
            h = fma(slope, e * e, fma(inputs.beta[i, 0], h, inputs.omega[i]))
        root = math.sqrt(h)
        for n in range(CHUNK):
            row[n] = h
            row[CHUNK + n] = root
            row[2 * CHUNK + n] = 0.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def move_asset(inputs, i, innovations, spot, state, prices):  # type: ignore[no-untyped-def]
    """One step of an asset of kind CONSTANT, or GARCH with one lag, without a season, to its price.

    Parameters
    ----------
    state : (3 CHUNK or more,) of `start_moves`: h of this step, its root and log price over spot before it; then those
        of the next step.
    prices : (n,), n <= CHUNK, overwritten. Lanes from n on are left as they are.
    """
    mean, drift = inputs.mean[i], inputs.variance_drift
    if inputs.kind[i] == CONSTANT:
        _move_constant(mean, drift, innovations, spot, state, prices)
    else:
        alpha, gamma, beta = inputs.alpha[i, 0], inputs.gamma[i, 0], inputs.beta[i, 0]
        _move_one_lag(inputs.omega[i], alpha, gamma, beta, mean, drift, innovations, spot, state, prices)


@njit(cache=True, nogil=True, error_model="numpy")
def _move_one_lag(omega, alpha, gamma, beta, mean, drift, innovations, spot, state, prices):  # type: ignore[no-untyped-def]
    """e = sqrt(h) z, the log price on by mean + drift h + e, the price; then h <- omega + (alpha + gamma 1{e < 0}) e^2
    + beta h and its root."""
    fallen = alpha + gamma
    for n in range(prices.size):
        h = state[n]
        e = state[CHUNK + n] * innovations[n]
        x = state[2 * CHUNK + n] + (e + fma(drift, h, mean))
        h = fma(fallen if e < 0.0 else alpha, e * e, fma(beta, h, omega))
        state[n] = h
        state[CHUNK + n] = math.sqrt(h)
        state[2 * CHUNK + n] = x
        prices[n] = spot * exp(x)


@njit(cache=True, nogil=True, error_model="numpy")
def _move_constant(mean, drift, innovations, spot, state, prices):  # type: ignore[no-untyped-def]
    """The same with a variance that never moves."""
    deviation = state[CHUNK]
    step = fma(drift, state[0], mean)
    for n in range(prices.size):
        x = state[2 * CHUNK + n] + fma(deviation, innovations[n], step)
        state[2 * CHUNK + n] = x
        prices[n] = spot * exp(x)
