"""GARCH and GJR recursions of any orders along a series: variances, and the score of every observation."""

from __future__ import annotations

import numpy as np

from collatrisk.kernels.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def garch_variances(residuals, start, omega, up, down, before, beta, out):  # type: ignore[no-untyped-def]
    """h_t = omega + sum_i w_i e_{t-i}^2 + sum_j beta_j h_{t-j}, w_i = down_i after a fall and up_i otherwise.

    Parameters
    ----------
    residuals : float64 (n,). start : float, what stands for h before the sample, and times `before` for w e^2.
    up, down, before : float64 (lags,). beta : float64 (q,). out : float64 (n,), overwritten.
    """
    for t in range(residuals.size):
        h = omega
        for i in range(up.size):
            if t > i:
                e = residuals[t - i - 1]
                h += (down[i] if e < 0.0 else up[i]) * (e * e)
            else:
                h += before[i] * start
        for j in range(beta.size):
            h += beta[j] * (out[t - j - 1] if t > j else start)
        out[t] = h


@njit(cache=True, nogil=True, error_model="numpy")
def garch_slopes(  # type: ignore[no-untyped-def]
    residuals, variances, residual_slopes, start, start_slopes, alpha, gamma, beta, own, out
):
    """Derivatives of the variances in the parameters of the mean, omega, alpha, gamma and beta.

    Each obeys the recursion, driven by the derivative of what enters it.

    Parameters
    ----------
    residuals, variances : float64 (n,). residual_slopes : float64 (m, n), d e / d(parameters of the mean).
    start : float, before the sample e^2 and h; half of it, where e < 0 counts. start_slopes : float64 (m,).
    alpha, gamma, beta : float64 (p,), (o,), (q,). own : bool, whether omega, alpha, gamma and beta have rows.
    out : float64 (m + 1 + p + o + q, n), or (m, n) without rows of their own; overwritten.
    """
    m = residual_slopes.shape[0]
    for r in range(m):
        _mean_drive(residuals, residual_slopes[r], start_slopes[r], alpha, gamma, out[r])
        for t in range(min(beta.size, residuals.size)):
            for j in range(t, beta.size):
                out[r, t] += beta[j] * start_slopes[r]
    if own:
        row = m
        out[row] = 1.0
        for i in range(alpha.size):
            row += 1
            _lagged_squares(residuals, i + 1, start, np.inf, out[row])
        for i in range(gamma.size):
            row += 1
            _lagged_squares(residuals, i + 1, 0.5 * start, 0.0, out[row])
        for j in range(beta.size):
            row += 1
            _lagged(variances, j + 1, start, out[row])
    # All rows of a step together: each alone would wait for its own sum of the step before.
    for t in range(residuals.size):
        for j in range(min(t, beta.size)):
            for r in range(out.shape[0]):
                out[r, t] += beta[j] * out[r, t - j - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_drive(residuals, along, moved, alpha, gamma, row):  # type: ignore[no-untyped-def]
    """What enters the recursion of dh / d(parameter of the mean): the slopes of the weighted squares."""
    n = residuals.size
    row[:] = 0.0
    for i in range(alpha.size):
        row[: i + 1] += alpha[i] * moved
        for t in range(i + 1, n):
            row[t] += 2.0 * alpha[i] * residuals[t - i - 1] * along[t - i - 1]
    for i in range(gamma.size):
        row[: i + 1] += 0.5 * gamma[i] * moved
        for t in range(i + 1, n):
            row[t] += 2.0 * gamma[i] * min(residuals[t - i - 1], 0.0) * along[t - i - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _lagged_squares(residuals, lag, before, highest, row):  # type: ignore[no-untyped-def]
    """Squares of the residuals up to `highest`, 0 of the others, `lag` steps later."""
    row[:lag] = before
    for t in range(lag, residuals.size):
        e = residuals[t - lag]
        row[t] = e * e if e < highest else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _lagged(values, lag, before, row):  # type: ignore[no-untyped-def]
    row[:lag] = before
    for t in range(lag, values.size):
        row[t] = values[t - lag]
