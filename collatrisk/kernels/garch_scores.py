"""GARCH and GJR recursions of any orders along a series: variances, and the score of every observation."""

from __future__ import annotations

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
    n, m = residuals.size, residual_slopes.shape[0]
    for r in range(m):
        row, along, moved = out[r], residual_slopes[r], start_slopes[r]
        for t in range(n):
            drive = 0.0
            for i in range(alpha.size):
                drive += alpha[i] * (2.0 * residuals[t - i - 1] * along[t - i - 1] if t > i else moved)
            for i in range(gamma.size):
                fall = min(residuals[t - i - 1], 0.0) if t > i else 0.0
                drive += gamma[i] * (2.0 * fall * along[t - i - 1] if t > i else 0.5 * moved)
            for j in range(beta.size):
                drive += beta[j] * (row[t - j - 1] if t > j else moved)
            row[t] = drive
    if own:
        _drives(residuals, variances, start, alpha.size, gamma.size, beta.size, out[m:])
        for r in range(m, out.shape[0]):
            row = out[r]
            for t in range(n):
                total = row[t]
                for j in range(min(t, beta.size)):
                    total += beta[j] * row[t - j - 1]
                row[t] = total


@njit(cache=True, nogil=True, error_model="numpy")
def _drives(residuals, variances, start, p, o, q, out):  # type: ignore[no-untyped-def]
    """What omega, alpha, gamma and beta multiply at each step, (1 + p + o + q, n)."""
    for t in range(residuals.size):
        out[0, t] = 1.0
        for i in range(p):
            out[1 + i, t] = residuals[t - i - 1] ** 2 if t > i else start
        for i in range(o):
            out[1 + p + i, t] = min(residuals[t - i - 1], 0.0) ** 2 if t > i else 0.5 * start
        for j in range(q):
            out[1 + p + o + j, t] = variances[t - j - 1] if t > j else start
