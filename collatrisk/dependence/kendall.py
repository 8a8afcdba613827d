"""Kendall's tau of every pair, the correlation it implies, and how much each observation moves it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_REFERENCES = 4_000
_CHUNK_ELEMENTS = 8_000_000


def kendall_tau(values: FloatArray) -> FloatArray:
    """Kendall's tau-b of every pair of columns.

    Parameters
    ----------
    values : float64 (n_obs, n_assets), no column constant.

    Returns
    -------
    float64 (n_assets, n_assets), symmetric, unit diagonal.
    """
    from scipy.stats import kendalltau

    size = values.shape[1]
    tau = np.eye(size)
    for i in range(size):
        for j in range(i):
            pair = kendalltau(values[:, i], values[:, j], method="asymptotic")
            tau[i, j] = tau[j, i] = float(pair.statistic)
    return tau


def tau_to_correlation(tau: FloatArray) -> FloatArray:
    """rho = sin(pi tau / 2), for every elliptical copula (Lindskog, McNeil and Schmock, 2003)."""
    correlation = np.sin(np.pi / 2 * tau)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def tau_influence(values: FloatArray) -> FloatArray:
    """First-order effect of each observation on tau: tau_hat - tau is about the mean of these over the observations.

    2 (E[sign((x_i - X)(y_i - Y))] - tau), the Hajek projection of the U-statistic (Hoeffding 1948). The expectation is
    taken over at most 4 000 evenly spaced observations, which keeps the cost linear in a long history.

    Returns
    -------
    float64 (n_obs, n_assets, n_assets), mean zero over the observations.
    """
    n_obs, size = values.shape
    # Dense ranks are exact in float32 and let one matrix product count the concordant pairs of all columns.
    ranks = np.empty((n_obs, size), dtype=np.float32)
    for j in range(size):
        ranks[:, j] = np.unique(values[:, j], return_inverse=True)[1]
    rows = np.unique(np.linspace(0, n_obs - 1, min(n_obs, _REFERENCES)).round().astype(np.int64))
    reference = np.ascontiguousarray(ranks[rows].T)
    concordance = np.empty((n_obs, size, size))
    step = max(1, _CHUNK_ELEMENTS // reference.size)
    for first in range(0, n_obs, step):
        signs = np.sign(ranks[first : first + step, :, None] - reference[None])
        concordance[first : first + step] = signs @ signs.transpose(0, 2, 1)
    concordance /= len(rows)
    return np.asarray(2.0 * (concordance - concordance.mean(axis=0)))
