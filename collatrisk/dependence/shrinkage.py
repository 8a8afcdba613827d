"""Shrinkage of a sample correlation towards constant correlation, for when observations are few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding

FloatArray = NDArray[np.float64]

FEW_OBSERVATIONS_PER_ASSET = 10


def constant_correlation_target(correlation: FloatArray) -> FloatArray:
    """The matrix in which every pair has the average correlation of `correlation`; PSD because that matrix is."""
    size = len(correlation)
    average = (correlation.sum() - size) / (size * (size - 1)) if size > 1 else 0.0
    target = np.full_like(correlation, average)
    np.fill_diagonal(target, 1.0)
    return target


def ledoit_wolf_intensity(scores: FloatArray) -> float:
    """The weight in [0, 1] of the constant-correlation target that minimises the expected squared error.

    O. Ledoit and M. Wolf, Honey, I shrunk the sample covariance matrix, Journal of Portfolio Management 30(4) (2004),
    110-119, appendix B: delta = max(0, min(1, kappa / n)), kappa = (pi - rho) / gamma, with pi the summed asymptotic
    variances of the sample covariances, rho their summed covariances with the target's entries and gamma the squared
    distance between the sample and the target. Here on scores standardised to mean 0 and variance 1.

    Parameters
    ----------
    scores : float64 (n_obs, n_assets), no column constant.
    """
    n_obs, size = scores.shape
    z = scores - scores.mean(axis=0)
    z = z / np.sqrt(np.mean(z * z, axis=0))
    sample = z.T @ z / n_obs
    target = constant_correlation_target(sample)
    gamma = float(np.sum((target - sample) ** 2))
    if gamma <= 1e-14 * size * size:
        return 0.0
    squares = z * z
    variances = squares.T @ squares / n_obs - sample**2
    # theta[i, j] = mean((z_i^2 - 1) (z_i z_j - s_ij)): how the variance of i moves with its covariance with j.
    theta = (squares * z).T @ z / n_obs - sample
    average = float(target[0, 1])
    off_diagonal = float(theta.sum() - np.trace(theta))
    rho = float(np.trace(variances)) + average * off_diagonal
    kappa = (float(variances.sum()) - rho) / gamma
    return float(max(0.0, min(1.0, kappa / n_obs)))


def shrinkage_finding(weight: float, n_obs: int, size: int) -> tuple[Finding, ...]:
    """What to say of a correlation that was shrunk with `weight`; nothing for 0."""
    if weight == 0.0:
        return ()
    message = (
        f"{n_obs} observations of {size} assets are fewer than {FEW_OBSERVATIONS_PER_ASSET} an asset: the "
        f"correlation is shrunk to constant correlation with Ledoit-Wolf weight {weight:.3f}; use a longer history"
    )
    return (Finding("correlation-shrunk", "info", "dependence", message),)
