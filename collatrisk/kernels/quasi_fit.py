"""One series: scale it, walk from several starts, put the best optimum back into the series' unit."""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.bfgs import (
    CONVERGED,
    LEADS_TO_KNOWN,
    NOT_FINITE,
    NU_HIGH,
    NU_LOW,
    SIZE,
    copy,
    minimise,
    objective,
    omega_of,
    variable_of,
)
from collatrisk.kernels.jit import njit
from collatrisk.kernels.quasi_likelihood import LANES, NORMAL, SKEWED, SUMS, fill_work, work_rows

# A row of results.
(
    MU,
    OMEGA,
    ALPHA,
    GAMMA,
    BETA,
    NU,
    LAMBDA,
    LOGLIKELIHOOD,
    NEXT_VARIANCE,
    DECREMENT,
    STATUS,
    EVALUATIONS,
    AGREE,
    OTHER,
    GAP,
    GAIN,
) = range(16)
RESULTS = 16
TOO_SHORT, NOT_NUMBERS, CONSTANT, BAD_UNIT = 10, 11, 12, 13

_SAME_OPTIMUM = 1e-2  # of log-likelihood
_CLEAR = 20.0  # log-likelihood by which moving volatility beats a constant one on data with a clear optimum

# alpha, gamma, beta, 1 / nu, lambda, all with the sample variance. The first is a common case; the next four are
# those that with it missed the fewest optima that any of twenty starts found on 1200 GARCH and 600 noise series.
STARTS = np.array(
    [
        [0.04, 0.08, 0.88, 0.15, 0.0],
        [0.005, 0.01, 0.985, 0.02, 0.0],
        [0.10, 0.00, 0.00, 0.15, 0.0],
        [0.02, 0.02, 0.95, 0.20, 0.0],
        [0.03, 0.03, 0.70, 0.15, 0.0],
        [0.25, 0.05, 0.70, 0.30, 0.0],
        [0.01, 0.15, 0.10, 0.05, 0.0],
        [0.05, 0.05, 0.45, 0.15, 0.0],
    ]
)


@njit(cache=True, nogil=True, error_model="numpy")
def filter_next(returns, params, presample, variances):  # type: ignore[no-untyped-def]
    """h_1 to h_{n+1} into `variances` (n + 1,): the last is the variance of the step after the last return."""
    mu, omega, alpha, gamma, beta = params[MU], params[OMEGA], params[ALPHA], params[GAMMA], params[BETA]
    h = omega + (alpha + 0.5 * gamma + beta) * presample
    variances[0] = h
    for t in range(returns.size):
        e = returns[t] - mu
        h = omega + (alpha + (gamma if e < 0.0 else 0.0)) * (e * e) + beta * h
        variances[t + 1] = h


@njit(cache=True, nogil=True, error_model="numpy")
def presample_value(returns, mu, mean, backcast):  # type: ignore[no-untyped-def]
    """What stands for e^2 and h before the sample; see `collatrisk.volatility.likelihood`."""
    n = returns.size
    if not backcast:
        total = 0.0
        for t in range(n):
            total += (returns[t] - mu) ** 2
        return total / n
    centre = 0.0
    if mean:
        for t in range(n):
            centre += returns[t]
        centre /= n
    weight, total, weights = 1.0, 0.0, 0.0
    for t in range(min(n, 75)):
        total += weight * (returns[t] - centre) ** 2
        weights += weight
        weight *= 0.94
    return total / weights


@njit(cache=True, nogil=True, error_model="numpy")
def standardise(returns, params, backcast, mean, found):  # type: ignore[no-untyped-def]
    """(r_t - mu) / sqrt(h_t) into `found` (n,); params by the places of a row of results."""
    variances = np.empty(returns.size + 1)
    filter_next(returns, params, presample_value(returns, params[MU], mean, backcast), variances)
    for t in range(returns.size):
        found[t] = (returns[t] - params[MU]) / math.sqrt(variances[t])


@njit(cache=True, nogil=True, error_model="numpy")
def _start(row, mean_square, moments, asymmetric, mean, dist, x):  # type: ignore[no-untyped-def]
    alpha, gamma, beta = STARTS[row, 0], STARTS[row, 1], STARTS[row, 2]
    x[0] = moments[0] if mean else 0.0
    x[2] = 0.5 * alpha if asymmetric else alpha + 0.5 * gamma
    x[3] = 0.5 * (alpha + gamma) if asymmetric else 0.0
    x[4] = beta
    x[5] = 1.0 - x[2] - x[3] - x[4]
    x[1] = variable_of(x[5])
    x[6] = STARTS[row, 3] if dist != NORMAL else 1.0 / NU_HIGH
    x[7] = STARTS[row, 4] if dist == SKEWED else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _value_of_constancy(best, asymmetric, data, x, slopes):  # type: ignore[no-untyped-def]
    """Minus the log-likelihood of a volatility that all but stands still, with the mean and the law of `best`."""
    copy(best, x)
    x[2] = 0.001
    x[3] = 0.001 if asymmetric else 0.0
    x[4] = 0.5
    x[5] = 1.0 - x[2] - x[3] - x[4]
    x[1] = variable_of(x[5])
    return objective(x, np.int64(4), data, slopes)


@njit(cache=True, nogil=True, error_model="numpy")
def _examine(returns, shortest):  # type: ignore[no-untyped-def]
    """(status, mean, mean square about it, mean square): 0 where the series can be fitted."""
    n = returns.size
    total = size = 0.0
    finite = True
    for t in range(n):
        finite = finite and math.isfinite(returns[t])
        total += returns[t]
        size = max(size, abs(returns[t]))
    if not finite:
        return NOT_NUMBERS, 0.0, 0.0, 0.0
    if n < shortest:
        return TOO_SHORT, 0.0, 0.0, 0.0
    if size != 0.0 and not 1e-100 < size < 1e100:
        return BAD_UNIT, 0.0, 0.0, 0.0
    centre = total / n
    about = square = 0.0
    for t in range(n):
        about += (returns[t] - centre) ** 2
        square += returns[t] ** 2
    if not math.sqrt(about / n) > 1e-10 * size:
        return CONSTANT, 0.0, 0.0, 0.0
    return 0, centre, about / n, square / n


@njit(cache=True, nogil=True, error_model="numpy")
def fit_one(  # type: ignore[no-untyped-def]
    returns, dist, asymmetric, mean, backcast, starts, shortest, warm, best, best_hessian, result
):
    """Fit one series.

    Parameters
    ----------
    returns : float64 (n,).
    dist : 0 normal, 1 t, 2 skewed t. asymmetric, mean, backcast : bool.
    starts : how many rows of `STARTS` to walk from.
    shortest : fewer returns are refused.
    warm : pivot of a first start given by `best` (8,) and `best_hessian` (8, 8), -1 for none.
    best, best_hessian : overwritten by the optimum and its Hessian, in the variables of `kernels.bfgs`.
    result : float64 (RESULTS,), overwritten; STATUS >= 10: not fitted, the reason.

    Returns
    -------
    int : the pivot of the optimum, -1 without one.
    """
    result[:] = np.nan
    n = returns.size
    status, centre, about, square = _examine(returns, shortest)
    result[STATUS] = status
    result[EVALUATIONS] = 0.0
    if status != 0:
        return -1
    scale = math.sqrt(about) if mean else math.sqrt(square)
    rows = work_rows(n)
    work, sums, powers = np.empty((5, rows + 1, LANES)), np.empty(SUMS), np.empty(rows + 1)
    order = np.empty(rows, dtype=np.int64)
    for i in range(rows):
        order[i] = rows - 1 - i
    fill_work(returns, scale, work)
    start_value = presample_value(returns, 0.0, mean, True) / scale**2
    moments = (centre / scale, square / scale**2, start_value)
    data = (work, sums, powers, order, np.empty(7), np.empty(7), (n, dist, asymmetric, mean, backcast), moments)
    movable = np.ones(SIZE, dtype=np.bool_)
    movable[0] = mean
    movable[3] = asymmetric
    movable[6] = dist != NORMAL
    movable[7] = dist == SKEWED
    box = np.zeros((2, SIZE))
    box[0, 0], box[1, 0] = -1e300, 1e300
    box[0, 1], box[1, 1] = variable_of(1e-8 * moments[1]), variable_of(10.0 * moments[1])
    box[1, 2], box[1, 3], box[1, 4], box[1, 5] = 0.5 if asymmetric else 1.0, 1.0, 1.0, 1.0
    box[0, 6], box[1, 6] = 1.0 / NU_HIGH, 1.0 / NU_LOW
    box[0, 7], box[1, 7] = -0.999, 0.999

    x, slopes, hessian = np.empty(SIZE), np.empty(SIZE), np.empty((SIZE, SIZE))
    reached, fates = np.full(starts + 1, np.nan), np.full(starts + 1, -1)
    best_value, best_pivot, decrement, ended = np.inf, np.int64(-1), np.inf, np.int64(NOT_FINITE)
    constancy = np.nan
    first, compared = 0 if warm >= 0 else 1, False
    clear = best_pivot >= 0  # False so far; a constant would be a type of its own and compile all below twice
    for number in range(first, starts + 1):
        pivot, has_hessian = np.int64(4), best_pivot >= 0
        if number == 0:
            copy(best, x)
            copy(best_hessian, hessian)
            pivot, has_hessian = warm, warm >= 0
            for i in range(SIZE):
                x[i] = min(max(x[i], box[0, i]), box[1, i])
        else:
            if best_pivot >= 0 and not compared:
                compared = True
                constancy = _value_of_constancy(best, asymmetric, data, x, slopes)
                clear = constancy > best_value + _CLEAR
            _start(number - 1, moments[1], moments, asymmetric, mean, dist, x)
            has_hessian = clear
            if clear:
                copy(best_hessian, hessian)
                pivot = best_pivot
        value, left, pivot, state, spent = minimise(
            x, pivot, hessian, has_hessian, best, best_hessian, best_pivot, best_value, clear, movable, box, data
        )
        result[EVALUATIONS] += spent
        reached[number], fates[number] = -value, state
        if value < best_value:
            best_value, best_pivot, decrement, ended = value, pivot, left, state
            copy(x, best)
            copy(hessian, best_hessian)
    result[STATUS] = ended
    if best_pivot < 0:
        return -1
    agree, other, gap = 0, 0, 0.0
    for number in range(first, starts + 1):
        behind = -best_value - reached[number]
        if behind <= _SAME_OPTIMUM:
            agree += 1
        elif fates[number] == CONVERGED or fates[number] == LEADS_TO_KNOWN:
            other += 1
            gap = max(gap, behind)
    unit = 2.0 if asymmetric else 1.0
    result[MU] = best[0] * scale
    result[OMEGA] = omega_of(best[1]) * scale**2
    result[ALPHA] = unit * best[2]
    result[GAMMA] = unit * (best[3] - best[2]) if asymmetric else 0.0
    result[BETA] = best[4]
    result[NU] = min(max(1.0 / best[6], NU_LOW), NU_HIGH) if dist != NORMAL else np.inf
    result[LAMBDA] = best[7]
    result[LOGLIKELIHOOD] = -best_value - n * math.log(scale)
    before = start_value * scale**2 if backcast else presample_value(returns, result[MU], mean, False)
    variances = np.empty(n + 1)
    filter_next(returns, result, before, variances)
    result[NEXT_VARIANCE] = variances[n]
    result[DECREMENT], result[AGREE], result[OTHER], result[GAP] = decrement, agree, other, gap
    result[GAIN] = constancy - best_value
    return best_pivot
