"""How the estimation error of the marginals reaches the uniforms: what two-step standard errors need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FirstStep:
    """One entry an asset, k_i parameters each; an asset whose parameters are taken as known has k_i = 0.

    Attributes
    ----------
    influences : float64 (n_obs, k_i) each: to first order the estimates are the true parameters plus the mean of these
        over the observations (minus the inverse Hessian of the mean log-likelihood times the score of each).
    slopes : float64 (n_obs, k_i) each: derivative of the asset's uniforms in its parameters.
    findings : what a reader of the standard errors should know of the marginals.

    Where a constraint holds an estimate, influences lie along it and slopes are those along it: only the sum over the
    parameters of their products has a meaning then, and it is what is used.
    """

    influences: tuple[FloatArray, ...]
    slopes: tuple[FloatArray, ...]
    findings: tuple[Finding, ...] = ()
