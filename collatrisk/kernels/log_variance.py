"""The EGARCH recursion over a sample, and its derivatives: sequential, as each shock is scaled by its own variance.

``l_t = omega + sum_i alpha_i (|z_{t-i}| - centre) + sum_i gamma_i z_{t-i} + sum_j beta_j l_{t-j}``, l = ln h,
z_t = e_t exp(-l_t / 2). Before the sample l is `begin` and there are no shocks.
"""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def filter_log(residuals, omega, alpha, gamma, beta, centre, begin, logs):  # type: ignore[no-untyped-def]
    """ln h of every step into `logs` (n,)."""
    for t in range(residuals.size):
        total = omega
        for i in range(min(alpha.size, t)):
            total += alpha[i] * (abs(residuals[t - 1 - i]) * math.exp(-0.5 * logs[t - 1 - i]) - centre)
        for i in range(min(gamma.size, t)):
            total += gamma[i] * residuals[t - 1 - i] * math.exp(-0.5 * logs[t - 1 - i])
        for j in range(beta.size):
            total += beta[j] * (logs[t - 1 - j] if j < t else begin)
        logs[t] = total


@njit(cache=True, nogil=True, error_model="numpy")
def filter_log_slopes(residuals, logs, alpha, gamma, beta, centre, begin, along, moved, slopes):  # type: ignore[no-untyped-def]
    """d ln h / d parameter of every step.

    Parameters
    ----------
    residuals, logs : (n,), the latter of `filter_log`.
    along : (m, n) d e / d(mean parameters). moved : (m,) d begin / d(mean parameters).
    slopes : (m + 1 + p + o + q, n) overwritten, in the order mean parameters, omega, alpha, gamma, beta.
    """
    means, p, o, q = along.shape[0], alpha.size, gamma.size, beta.size
    lags = max(p, o)
    first_alpha, first_gamma, first_beta = means + 1, means + 1 + p, means + 1 + p + o
    for t in range(residuals.size):
        for row in range(slopes.shape[0]):
            total = 0.0
            for j in range(q):
                if j < t:
                    total += beta[j] * slopes[row, t - 1 - j]
                elif row < means:
                    total += beta[j] * moved[row]
            slopes[row, t] = total
        slopes[means, t] += 1.0
        for i in range(min(lags, t)):
            s = t - 1 - i
            shrink = math.exp(-0.5 * logs[s])
            z = residuals[s] * shrink
            weight = 0.0
            if i < p:
                weight += alpha[i] if z >= 0.0 else -alpha[i]
                slopes[first_alpha + i, t] += abs(z) - centre
            if i < o:
                weight += gamma[i]
                slopes[first_gamma + i, t] += z
            for row in range(slopes.shape[0]):
                slopes[row, t] -= 0.5 * weight * z * slopes[row, s]
            for row in range(means):
                slopes[row, t] += weight * shrink * along[row, s]
        for j in range(q):
            slopes[first_beta + j, t] += logs[t - 1 - j] if j < t else begin
