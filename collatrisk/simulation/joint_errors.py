"""How the estimation errors of different assets' volatility models move together: the sandwich of all their scores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence.dynamic_specs import FEW_ASSETS
from collatrisk.simulation.common_dates import places_of
from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.fit import VolatilityFit

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.peg_fit import PegFit

FloatArray = NDArray[np.float64]


def joint_uncertainties(
    fits: Mapping[str, VolatilityFit | PegFit], dates: Mapping[str, pd.Index], common: pd.Index
) -> dict[str, ParameterUncertainty]:
    """The uncertainty of every volatility fit, with loadings on the errors that the assets share.

    An estimate is the truth plus the mean of its influences, so that the covariance of two assets' errors is the sum of
    the products of their influences over the dates that both have, over the product of their lengths: the blocks off
    the diagonal of the joint robust covariance. Scores are martingale differences, hence no lags. The blocks on the
    diagonal are the robust covariances of the fits.

    Without loadings: assets with a parameter on a bound, a single asset, and fits of more than `FEW_ASSETS`.

    Parameters
    ----------
    fits : one an asset. dates : of each fit's returns. common : the dates that all have.
    """
    found = {asset: fit.uncertainty for asset, fit in fits.items() if isinstance(fit, VolatilityFit)}
    columns: dict[str, FloatArray] = {}
    for asset, known in found.items():
        fit = fits[asset]
        if known.covariance is None or known.covariance.size == 0 or not isinstance(fit, VolatilityFit):
            continue
        scores = fit.scores() if 1 < len(found) <= FEW_ASSETS else None
        if scores is not None:
            places = places_of(common, dates[asset])
            columns[asset] = (scores - scores.mean(axis=0))[places] @ fit.hessian_covariance
    if len(columns) < 2:
        return found
    joint = np.column_stack(list(columns.values()))
    covariance, ends = joint.T @ joint, np.cumsum([0, *(part.shape[1] for part in columns.values())])
    for asset, first, last in zip(columns, ends[:-1], ends[1:], strict=True):
        covariance[first:last, first:last] = found[asset].covariance
    factor = _factor(covariance)
    name = hashlib.sha256(factor.tobytes()).hexdigest()[:16]
    for asset, first, last in zip(columns, ends[:-1], ends[1:], strict=True):
        loadings = factor[first:last]
        found[asset] = replace(found[asset], covariance=loadings @ loadings.T, loadings=loadings, shared=name)
    return found


def _factor(covariance: FloatArray) -> FloatArray:
    """F with F F' = covariance, small negative eigenvalues (of blocks estimated apart) taken as 0."""
    unit = np.sqrt(np.diag(covariance))
    unit = np.where(unit > 0.0, unit, 1.0)
    scaled = covariance / np.outer(unit, unit)
    values, vectors = np.linalg.eigh(0.5 * (scaled + scaled.T))
    return np.asarray(unit[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)
