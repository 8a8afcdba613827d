"""Log-density and score of every observation under normal and unit-variance t laws, in vector code."""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit
from collatrisk.kernels.special import log


@njit(cache=True, nogil=True, error_model="numpy")
def normal_scores(residuals, variances, residual_slopes, slopes, work, values, scores):  # type: ignore[no-untyped-def]
    """As `student_scores`, of e = sqrt(h) z with z normal: scores (k, n)."""
    constant = -0.5 * math.log(2.0 * math.pi)
    for t in range(residuals.size):
        inverse = 1.0 / variances[t]
        u = residuals[t] * inverse
        ratio = residuals[t] * u
        values[t] = constant - 0.5 * (ratio + log(variances[t]))
        work[0, t] = 0.5 * (ratio - 1.0) * inverse
        work[1, t] = -u
    _assemble(residual_slopes, slopes, work, scores)


@njit(cache=True, nogil=True, error_model="numpy")
def student_scores(  # type: ignore[no-untyped-def]
    residuals, variances, residual_slopes, slopes, nu, constant, constant_slope, work, values, scores
):
    """Of e = sqrt(h) z with z from the t law of variance 1: log-density, and its slopes in all parameters.

    log f(e) = c(nu) - log(h) / 2 - (nu + 1) / 2 log(1 + w),  w = e^2 / (h (nu - 2)).

    Parameters
    ----------
    residuals, variances : float64 (n,), e and h; h > 0 and not subnormal.
    residual_slopes : float64 (m, n), de / d(the first m parameters).
    slopes : float64 (k, n), dh / d(all parameters but nu), k >= m.
    nu, constant, constant_slope : floats, nu > 2, c(nu) and its slope.
    work : float64 (2, n), overwritten. values : float64 (n,), scores : float64 (k + 1, n), nu last; overwritten.
    """
    width = nu - 2.0
    along_nu = scores[slopes.shape[0]]
    for t in range(residuals.size):
        inverse = 1.0 / variances[t]
        u = residuals[t] * inverse
        w = residuals[t] * u / width
        share = w / (1.0 + w)
        far = log(1.0 + w)
        values[t] = constant - 0.5 * (log(variances[t]) + (nu + 1.0) * far)
        work[0, t] = 0.5 * ((nu + 1.0) * share - 1.0) * inverse
        work[1, t] = -(nu + 1.0) / width * u / (1.0 + w)
        along_nu[t] = constant_slope - 0.5 * far + 0.5 * (nu + 1.0) / width * share
    _assemble(residual_slopes, slopes, work, scores)


@njit(cache=True, nogil=True, error_model="numpy")
def _assemble(residual_slopes, slopes, work, scores):  # type: ignore[no-untyped-def]
    """Chain rule: slopes in h (`work[0]`) times dh, and in e (`work[1]`) times de."""
    for r in range(slopes.shape[0]):
        row, along = scores[r], slopes[r]
        for t in range(row.size):
            row[t] = work[0, t] * along[t]
    for r in range(residual_slopes.shape[0]):
        row, along = scores[r], residual_slopes[r]
        for t in range(row.size):
            row[t] += work[1, t] * along[t]
