"""Histories with a correlation that moves, for the tests of dynamic correlation."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtr

from collatrisk.dependence import equicorrelation


def dcc_scores(n_obs, size, a, b, *, rho=0.5, nu=None, corrected=False, seed=0):
    """Scores of variance 1 from a DCC with equal correlations."""
    rng = np.random.default_rng(seed)
    level = equicorrelation(size, rho)
    q, out = level.copy(), np.empty((n_obs, size))
    for t in range(n_obs):
        sd = np.sqrt(np.diag(q))
        x = np.linalg.cholesky(q / np.outer(sd, sd)) @ rng.standard_normal(size)
        if nu is not None:
            x = x * np.sqrt((nu - 2) / rng.chisquare(nu))
        out[t] = x
        u = x * sd if corrected else x
        q = (1 - a - b) * level + a * np.outer(u, u) + b * q
    return out


def to_uniforms(scores, nu=None):
    """The uniforms of scores of variance 1."""
    return ndtr(scores) if nu is None else stdtr(nu, scores * np.sqrt(nu / (nu - 2)))
