"""Log-density and score of every observation, given the variances and their derivatives: compiled for normal and t."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from collatrisk.volatility.distributions import Array, density_terms, shape_slopes
from collatrisk.volatility.law import Law


def law_scores(
    law: Law, residuals: Array, variances: Array, residual_slopes: Array, slopes: Array
) -> tuple[Array, Array]:
    """Log-density (n,) of e = sqrt(h) z and its slopes in the parameters of mean, variance and law, (rows, n).

    Parameters
    ----------
    residuals, variances : (n,), e and h; h > 0 and not subnormal.
    residual_slopes : (m, n), de / d(parameters of the mean). slopes : (k, n), dh / d(those and parameters of h).
    """
    if law.dist == "normal" or (law.dist == "t" and math.isfinite(law.nu)):
        return _compiled(law, residuals, variances, residual_slopes, slopes)
    sd = np.sqrt(variances)
    z = residuals / sd
    values, slope = density_terms(law.dist, z, law.nu, law.lam)
    of_law = shape_slopes(law.dist, z, law.nu, law.lam)
    scores = np.empty((len(slopes) + len(of_law), z.size))
    scores[: len(slopes)] = slopes * (-0.5 * (1.0 + z * slope) / variances)
    scores[: len(residual_slopes)] += slope / sd * residual_slopes
    for row, of_shape in enumerate(of_law, len(slopes)):
        scores[row] = of_shape
    return np.asarray(values - np.log(sd), dtype=np.float64), scores


def _compiled(
    law: Law, residuals: Array, variances: Array, residual_slopes: Array, slopes: Array
) -> tuple[Array, Array]:
    from collatrisk.kernels.law_scores import normal_scores, student_scores

    k, n, nu = len(slopes), residuals.size, law.nu
    work, values = np.empty((2, n)), np.empty(n)
    if law.dist == "normal":
        scores = np.empty((k, n))
        normal_scores(residuals, variances, residual_slopes, slopes, work, values, scores)
        return values, scores
    scores = np.empty((k + 1, n))
    constant = float(special.gammaln(0.5 * nu + 0.5) - special.gammaln(0.5 * nu)) - 0.5 * math.log(math.pi * (nu - 2.0))
    rise = 0.5 * float(special.digamma(0.5 * nu + 0.5) - special.digamma(0.5 * nu) - 1.0 / (nu - 2.0))
    student_scores(residuals, variances, residual_slopes, slopes, nu, constant, rise, work, values, scores)
    return values, scores
