"""How the estimation error of each asset's volatility model moves its uniforms, for two-step standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence.first_step import FirstStep
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.fit import VolatilityFit
from collatrisk.volatility.likelihood import Likelihood

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.peg_fit import PegFit

FloatArray = NDArray[np.float64]

_STEP = 1e-5


def first_step(
    fits: Mapping[str, VolatilityFit | PegFit], dates: Mapping[str, pd.Index], common: pd.Index
) -> FirstStep:
    """The influences of the marginals' parameters and the slopes of the uniforms in them, on the common dates.

    Parameters on a bound are taken as known, and so are those of pegs.

    Parameters
    ----------
    fits : one fit an asset, uniforms by their laws. dates : of each fit's returns. common : the dates of the copula.
    """
    influences, slopes = [], []
    for asset, fit in fits.items():
        influence, slope = np.empty((len(dates[asset]), 0)), np.empty((len(dates[asset]), 0))
        if isinstance(fit, VolatilityFit):
            influence, slope = _of_one(fit)
        places = dates[asset].get_indexer(common)
        # An estimate from a longer history is the mean of more influences, of which these are the common ones.
        influences.append(np.ascontiguousarray(influence[places]) * (len(common) / max(len(influence), 1)))
        slopes.append(np.ascontiguousarray(slope[places]))
    return FirstStep(tuple(influences), tuple(slopes))


def _of_one(fit: VolatilityFit) -> tuple[FloatArray, FloatArray]:
    """Influences and slopes (n, k) of the free parameters, in the unit of returns of variance 1."""
    scale, size = float(np.std(fit.returns)), fit.n_obs
    likelihood = Likelihood(fit.returns / scale, fit.spec, fit.presample)
    theta = likelihood.rescaled(as_vector(fit.spec, fit.params), 1.0 / scale)[0]
    free = np.flatnonzero([np.isfinite(fit.std_errors["robust"][name]) for name in likelihood.names])
    found = likelihood.evaluate(theta)
    if found is None or free.size == 0:
        return np.empty((size, 0)), np.empty((size, 0))
    scores = found[1][:, free]
    hessian, slopes = [], []
    for place in free:
        step = _STEP * max(abs(float(theta[place])), 1e-3)
        ends = []
        for sign in (1.0, -1.0):
            moved = theta.copy()
            moved[place] += sign * step
            after = likelihood.evaluate(moved)
            if after is None:
                return np.empty((size, 0)), np.empty((size, 0))
            ends.append((after[1][:, free].mean(axis=0), _uniforms(likelihood, moved)))
        hessian.append((ends[0][0] - ends[1][0]) / (2.0 * step))
        slopes.append((ends[0][1] - ends[1][1]) / (2.0 * step))
    influence = -np.linalg.solve(np.array(hessian), (scores - scores.mean(axis=0)).T).T
    return influence, np.column_stack(slopes)


def _uniforms(likelihood: Likelihood, theta: FloatArray) -> FloatArray:
    filtered = likelihood.filter(theta)
    z = filtered.residuals / np.sqrt(filtered.variances)
    law = likelihood.law(theta)
    return np.asarray(cdf(law.dist, z, law.nu, law.lam), dtype=np.float64)
