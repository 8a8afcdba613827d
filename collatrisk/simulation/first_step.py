"""How the estimation error of each asset's volatility model moves its uniforms, for two-step standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.dependence.first_step import FirstStep
from collatrisk.simulation.common_dates import places_of
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.curvature import mean_curvature
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.estimate import tangent_directions
from collatrisk.volatility.fit import VolatilityFit
from collatrisk.volatility.likelihood import Likelihood, State

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.peg_fit import PegFit

FloatArray = NDArray[np.float64]

_STEP, _LARGEST = 1e-2, 1e-4  # of a natural step (a standard error were the others known), and of any parameter


def first_step(
    fits: Mapping[str, VolatilityFit | PegFit], dates: Mapping[str, pd.Index], common: pd.Index
) -> FirstStep:
    """The influences of the marginals' parameters and the slopes of the uniforms in them, on the common dates.

    A constraint that holds an estimate is taken as known, be it a bound of one parameter or a persistence of 1: the
    errors move along it. The parameters of pegs are taken as known.

    Parameters
    ----------
    fits : one fit an asset, uniforms by their laws. dates : of each fit's returns. common : the dates of the copula.
    """
    influences, slopes, findings = [], [], list[Finding]()
    for asset, fit in fits.items():
        influence, slope = np.empty((len(dates[asset]), 0)), np.empty((len(dates[asset]), 0))
        if isinstance(fit, VolatilityFit):
            influence, slope = _of_one(fit)
            findings += _notes(asset, fit)
        places = places_of(common, dates[asset])
        # An estimate from a longer history is the mean of more influences, of which these are the common ones.
        influences.append(np.ascontiguousarray(influence[places]) * (len(common) / max(len(influence), 1)))
        slopes.append(np.ascontiguousarray(slope[places]))
    return FirstStep(tuple(influences), tuple(slopes), tuple(findings))


def _notes(asset: str, fit: VolatilityFit) -> list[Finding]:
    if not any(one.code == "persistence-at-or-above-one" and one.severity == "warning" for one in fit.findings):
        return []
    text = (
        f"{asset} is fitted with persistence {fit.persistence:.6g}, its bound: the two-step standard errors of the "
        "dependence take the persistence as known; a longer history of it, or a spec without that bound, tells more"
    )
    return [Finding("margin-at-persistence-one", "warning", asset, text)]


@dataclass(frozen=True)
class _Estimate:
    """A fit's optimum in the unit of returns of variance 1, and how each observation moved it.

    Attributes
    ----------
    likelihood, theta : the optimum. free : (k, m) the directions that keep the constraints which hold it.
    influences : (n, k): to first order the estimate is the truth plus their mean.
    """

    likelihood: Likelihood
    theta: FloatArray
    free: FloatArray
    influences: FloatArray


def _estimate_of(fit: VolatilityFit) -> _Estimate | None:
    """The influences of a fit; None where its parameters are not identified.

    With F the directions that keep the active constraints, H the Hessian of the mean and s the scores along them, the
    influence is F times -H^-1 s.
    """
    scale = float(np.std(fit.returns))
    likelihood = Likelihood(fit.returns / scale, fit.spec, fit.presample)
    theta = likelihood.rescaled(as_vector(fit.spec, fit.params), 1.0 / scale)[0]
    found = likelihood.evaluate(theta)
    if found is None or theta.size == 0:
        return None
    free = tangent_directions(likelihood, theta, State.of(*found))
    hessian = mean_curvature(likelihood, theta, free) if free.size else None
    if hessian is None:
        return None
    scores = (found[1] - found[1].mean(axis=0)) @ free
    influences = -scores @ np.linalg.inv(hessian) @ free.T
    return _Estimate(likelihood, theta, free, influences)


def _of_one(fit: VolatilityFit) -> tuple[FloatArray, FloatArray]:
    """Influences and slopes (n, k) of the parameters, in the unit of returns of variance 1; (n, 0) if not identified.

    The slopes are those along F times F's pseudo-inverse: their product with the influences is that along F.
    """
    found = _estimate_of(fit)
    if found is None:
        return np.empty((fit.n_obs, 0)), np.empty((fit.n_obs, 0))
    free, slopes = found.free, []
    for direction in free.T:
        step = min(_STEP, _LARGEST / float(np.max(np.abs(direction))))
        ends = [_uniforms(found.likelihood, found.theta + sign * step * direction) for sign in (1.0, -1.0)]
        slopes.append((ends[0] - ends[1]) / (2.0 * step))
    unit = np.max(np.abs(free), axis=1)
    unit = np.where(unit > 0.0, unit, 1.0)
    return found.influences, np.column_stack(slopes) @ (np.linalg.pinv(free / unit[:, None]) / unit[None, :])


def _uniforms(likelihood: Likelihood, theta: FloatArray) -> FloatArray:
    filtered = likelihood.filter(theta)
    z = filtered.residuals / np.sqrt(filtered.variances)
    law = likelihood.law(theta)
    return np.asarray(cdf(law.dist, z, law.nu, law.lam), dtype=np.float64)
