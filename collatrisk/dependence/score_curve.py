"""The copula's scores, fast enough for a search over nu."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from collatrisk.dependence.density import normal_scores, t_scores

FloatArray = NDArray[np.float64]

_SEGMENTS = 264  # up to normal scores of 8.25: uniforms within [1e-16, 1 - 1e-16]
_PER_UNIT = 32
_NODES = np.arange(_SEGMENTS + 1) / _PER_UNIT
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class ScoreCurve:
    """Scores of the same uniforms at many nu: the t quantile as a function of the normal score.

    Piecewise quintic Hermite polynomials with exact values, slopes and curvatures at 32 nodes a unit of the normal
    score; relative error below 1e-10 (tested). Uniforms further out are asked of the t law itself.

    Parameters
    ----------
    uniforms : float64 (n_obs, n_assets), inside (0, 1).
    """

    def __init__(self, uniforms: FloatArray) -> None:
        self.normal = np.ascontiguousarray(normal_scores(uniforms))
        size = np.abs(self.normal)
        self._segments = min(int(np.max(size, initial=0.0) * _PER_UNIT) + 1, _SEGMENTS)  # where the scores lie
        self._beyond = np.flatnonzero(size > _NODES[-1])
        self._far = np.asarray(uniforms, dtype=np.float64).ravel()[self._beyond]

    def at(self, nu: float | None) -> FloatArray:
        """Scores of variance 1 at `nu`, sqrt((nu - 2) / nu) T^{-1}(u); the normal ones for None. (n_obs, n_assets)."""
        return self.normal if nu is None else math.sqrt((nu - 2.0) / nu) * self.quantiles(nu)

    def quantiles(self, nu: float) -> FloatArray:
        """T^{-1}(u), as `t_scores`, float64 (n_obs, n_assets)."""
        from collatrisk.kernels.quintics import fit_quintics, odd_quintic

        value, slope, curvature = _curve(nu, _NODES[: self._segments + 1])
        rows, found = np.empty((self._segments, 6)), np.empty(self.normal.shape)
        fit_quintics(value, slope / _PER_UNIT, curvature / _PER_UNIT**2, rows)
        odd_quintic(self.normal.ravel(), float(_PER_UNIT), rows, found.reshape(-1))
        if self._beyond.size:
            found.reshape(-1)[self._beyond] = t_scores(self._far, nu)
        return found


def _curve(nu: float, nodes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x(z), the t quantile of Phi(z), its slope and its curvature at the nodes z >= 0, by symmetry from the lower tail.

    f(x) dx = phi(z) dz, so x' = phi(z) / f(x) and x'' = x' (-z - x' d log f / dx).
    """
    value = -t_scores(ndtr(-nodes), nu)
    constant = float(gammaln((nu + 1) / 2) - gammaln(nu / 2)) - 0.5 * math.log(nu * math.pi)
    slope = np.exp(-0.5 * nodes * nodes - _HALF_LOG_2PI - constant + (nu + 1) / 2 * np.log1p(value * value / nu))
    return value, slope, slope * ((nu + 1) * value * slope / (nu + value * value) - nodes)
