"""Kendall's tau of every pair, the correlation it implies, and how much each observation moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Concordance:
    """How often every observation moves with the others in each pair of columns, counted in n log n steps a pair.

    Attributes
    ----------
    counts : int64 (n_obs, n_assets, n_assets), sum over j of sign((x_i - x_j) (y_i - y_j)); symmetric in the assets.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: FloatArray) -> Concordance:
        """Of float64 (n_obs, n_assets), no column constant."""
        from collatrisk.kernels.concordance import concordance

        n_obs, size = values.shape
        ranks, orders = np.empty((size, n_obs), dtype=np.int64), np.argsort(values.T, axis=1, kind="stable")
        for j, order in enumerate(orders):
            ordered = values[order, j]
            ranks[j, order[0]] = 0
            ranks[j, order[1:]] = np.cumsum(ordered[1:] != ordered[:-1])
        counts = np.empty((n_obs, size, size), dtype=np.int64)
        tree, found = np.empty(n_obs + 1, dtype=np.int64), np.empty(n_obs, dtype=np.int64)
        for j, order in enumerate(orders):
            counts[:, j, j] = n_obs - np.bincount(ranks[j])[ranks[j]]
            for i in range(j):
                concordance(ranks[j], ranks[i], order, order[::-1].copy(), tree, found)
                counts[:, i, j] = counts[:, j, i] = found
        return cls(counts)

    def select(self, columns: Sequence[int]) -> Concordance:
        """Of some of the columns."""
        if list(columns) == list(range(self.counts.shape[1])):
            return self
        return Concordance(self.counts[:, columns][:, :, columns])

    @cached_property
    def tau(self) -> FloatArray:
        """Kendall's tau-b of every pair, float64 (n_assets, n_assets): symmetric, unit diagonal."""
        total = self.counts.sum(axis=0).astype(np.float64)
        untied = np.sqrt(np.diag(total))
        tau = np.clip(total / untied / untied[:, None], -1.0, 1.0)
        np.fill_diagonal(tau, 1.0)
        return np.asarray(tau)

    @cached_property
    def influence(self) -> FloatArray:
        """First-order effect of each observation on tau: tau_hat - tau is about the mean of these over them.

        2 (E[sign((x_i - X)(y_i - Y))] - tau), the Hajek projection of the U-statistic (Hoeffding 1948).

        Returns
        -------
        float64 (n_obs, n_assets, n_assets), mean zero over the observations.
        """
        shares = self.counts / len(self.counts)
        return np.asarray(2.0 * (shares - shares.mean(axis=0)))


def tau_to_correlation(tau: FloatArray) -> FloatArray:
    """rho = sin(pi tau / 2), for every elliptical copula (Lindskog, McNeil and Schmock, 2003)."""
    correlation = np.sin(np.pi / 2 * tau)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
