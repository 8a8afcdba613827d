"""Standard errors of a moving correlation that allow for all that was estimated before it.

The estimate solves mean s_t(theta, S, N, phi) = 0, with s the score in theta = (a, b, g, nu), S and N moments of the
scores and phi the parameters of the marginals. To first order (Newey and McFadden 1994,
theorem 6.1; Engle and Sheppard 2001)

    theta_hat - theta = -H^{-1} mean(s_t + C_S psi_S,t + C_N psi_N,t + C_phi psi_phi,t)

with H = d mean s / d theta, C the derivative of mean s in what came before and psi its influence. The moments of the
influences are long-run ones: Bartlett weights over n^(1/3) lags, because products of scores are autocorrelated where
correlation moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.dependence.dynamic_likelihood import DynamicLikelihood
from collatrisk.dependence.dynamic_specs import FEW_ASSETS
from collatrisk.dependence.first_step import FirstStep
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.dependence.student import NU_HIGH, NU_LOW
from collatrisk.kernels.dcc_search import LEAST_SLACK

FloatArray = NDArray[np.float64]

_ON_BOUND = 1e-5
_STEP = 1e-4
_NU_STEP = 1e-2
_REACH = 1e-2


def two_step_covariance(
    uniforms: FloatArray, likelihood: DynamicLikelihood, theta: FloatArray, first_step: FirstStep | None
) -> tuple[tuple[str, ...], FloatArray | None, tuple[Finding, ...]]:
    """Names of the estimated parameters, their covariance (None where there is none), and what to say of it.

    Parameters
    ----------
    uniforms : float64 (n_obs, d). likelihood : at the estimated nu. theta : (a, b, g), the estimate.
    first_step : of the marginals; None takes the uniforms as given.
    """
    size = uniforms.shape[1]
    moment = _Moment(uniforms, likelihood, theta)
    if size > FEW_ASSETS:
        message = (
            f"standard errors are computed for up to {FEW_ASSETS} assets, not for {size}: see bootstrap_dependence"
        )
        return moment.names, None, (Finding("no-standard-errors", "info", "dependence", message),)
    if not moment.inside:
        message = "a parameter is on its bound, where no normal law holds for the errors: see bootstrap_dependence"
        return moment.names, None, (Finding("no-standard-errors", "info", "dependence", message),)
    hessian = moment.hessian()
    influence = moment.scores(uniforms)
    influence = influence - influence.mean(axis=0) + moment.target_influence()
    if first_step is not None:
        influence = influence + moment.marginal_influence(first_step)
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError:
        inverse = np.full_like(hessian, np.nan)
    covariance = inverse @ long_run_moment(influence) @ inverse.T / len(uniforms)
    fair = bool(np.isfinite(covariance).all()) and bool(np.all(np.linalg.eigvalsh(hessian) < 0))
    if not fair:
        message = "the likelihood is flat at the estimate: there are no standard errors"
        return moment.names, None, (Finding("no-standard-errors", "warning", "dependence", message),)
    return moment.names, 0.5 * (covariance + covariance.T), ()


def long_run_moment(influence: FloatArray) -> FloatArray:
    """Newey and West's (1987) second moment with Bartlett weights over floor(n^(1/3)) lags, (k, k)."""
    n_obs = len(influence)
    lags = math.floor(n_obs ** (1 / 3))
    total = influence.T @ influence / n_obs
    for lag in range(1, lags + 1):
        cross = influence[lag:].T @ influence[:-lag] / n_obs
        total += (1.0 - lag / (lags + 1)) * (cross + cross.T)
    return np.asarray(total)


@dataclass(frozen=True)
class _Moment:
    """The moment condition that the estimate solves, and its derivatives, by central differences of exact scores."""

    uniforms: FloatArray
    likelihood: DynamicLikelihood
    theta: FloatArray

    @property
    def places(self) -> tuple[int, ...]:
        """Which of (a, b, g) were estimated."""
        return (0, 1, 2) if self.likelihood.motion == "asymmetric" else (0, 1)

    @property
    def names(self) -> tuple[str, ...]:
        return (*("abg"[place] for place in self.places), *(("nu",) if self.moves_nu else ()))

    @property
    def moves_nu(self) -> bool:
        """Whether nu was estimated inside its bounds; on one it is taken as known."""
        nu = self.likelihood.nu
        return nu is not None and NU_LOW < nu < NU_HIGH

    @property
    def inside(self) -> bool:
        a, b, g = map(float, self.theta)
        slack = 1.0 - a - b - self.likelihood.asymmetry_limit * g
        room = min(a, b, slack - LEAST_SLACK, *((g,) if 2 in self.places else ()))
        return room > _ON_BOUND

    def scores(self, uniforms: FloatArray, theta: FloatArray | None = None, nu: float | None = None) -> FloatArray:
        """The score of every observation, (n, k); that in nu with S and N moving along."""
        nu = self.likelihood.nu if nu is None else nu
        curve = ScoreCurve(uniforms)
        point = self.theta if theta is None else theta
        found = self._at(curve, nu).evaluate(point)[1][:, self.places]
        if nu is None or not self.moves_nu:
            return np.ascontiguousarray(found)
        step = _NU_STEP * (nu - 2.0)
        ends = [self._at(curve, nu + sign * step).evaluate(point)[0] for sign in (1.0, -1.0)]
        return np.column_stack([found, (ends[0] - ends[1]) / (2.0 * step)])

    def _at(self, curve: ScoreCurve, nu: float | None) -> DynamicLikelihood:
        return replace(self.likelihood, scores=np.ascontiguousarray(curve.at(nu)), nu=nu)

    def hessian(self) -> FloatArray:
        """d mean s / d theta, (k, k)."""
        rows = self._along_theta(lambda theta, nu: self.scores(self.uniforms, theta, nu).mean(axis=0))
        return np.asarray(0.5 * (rows + rows.T))

    def target_influence(self) -> FloatArray:
        """C_S psi_S + C_N psi_N of every observation, (n, k): C by the symmetry of second derivatives."""
        curve = ScoreCurve(self.uniforms)
        leaning = self._along_theta(lambda theta, nu: self._at(curve, nu).target_slopes(theta))
        targets = self.likelihood.targets(self.theta)
        u = targets.driving[0]
        falls = np.minimum(self.likelihood.scores, 0.0)
        unit = np.sqrt(np.mean(u * u, axis=0))
        z = u / unit
        correlation = z.T @ z / len(z)
        kept = 1.0 - self.likelihood.shrinkage
        columns = []
        for in_correlation, in_negatives in leaning:
            weight = in_correlation * (1.0 - np.eye(len(unit)))
            # psi of a correlation: z_i z_j - R_ij (z_i^2 + z_j^2) / 2.
            products = np.sum((z @ weight) * z, axis=1) - (z * z) @ np.sum(weight * correlation, axis=1)
            negatives = np.sum((falls @ in_negatives) * falls, axis=1)
            columns.append(kept * products + negatives - negatives.mean())
        return np.column_stack(columns)

    def marginal_influence(self, first_step: FirstStep) -> FloatArray:
        """C_phi psi_phi of every observation, (n, k)."""
        total = np.zeros((len(self.uniforms), len(self.names)))
        for asset, (influences, slopes) in enumerate(zip(first_step.influences, first_step.slopes, strict=True)):
            for parameter in range(slopes.shape[1]):
                slope = slopes[:, parameter]
                spread = float(np.std(influences[:, parameter])) / math.sqrt(len(slope))
                if spread > 0.0 and np.any(slope):
                    total += np.outer(influences[:, parameter], self._along_uniforms(asset, slope, spread))
        return total

    def _along_uniforms(self, asset: int, slope: FloatArray, spread: float) -> FloatArray:
        """d mean s / d phi of one parameter whose standard error is `spread`, (k,).

        The step moves no uniform by more than a hundredth of its distance to 0 or 1: where a margin is all but
        unidentified a share of its standard error would carry tails beyond them.
        """
        own = self.uniforms[:, asset]
        reach = float(np.min(np.minimum(own, 1.0 - own) / np.maximum(np.abs(slope), 1e-300)))
        step = min(0.1 * spread, _REACH * reach)
        means = []
        for sign in (1.0, -1.0):
            moved = self.uniforms.copy()
            moved[:, asset] = own + sign * step * slope
            means.append(self.scores(moved).mean(axis=0))
        return np.asarray((means[0] - means[1]) / (2.0 * step))

    def _along_theta(self, function: Callable[[FloatArray, float | None], FloatArray]) -> FloatArray:
        """The derivative of an array in each estimated parameter, stacked."""
        nu = self.likelihood.nu
        slack = 1.0 - float(self.theta.sum())
        found = []
        for place in self.places:
            step = _STEP * min(1.0, 100.0 * float(self.theta[place]), 100.0 * slack)
            ends = []
            for sign in (1.0, -1.0):
                moved = self.theta.copy()
                moved[place] += sign * step
                ends.append(function(moved, nu))
            found.append((ends[0] - ends[1]) / (2.0 * step))
        if nu is not None and self.moves_nu:
            step = _NU_STEP * (nu - 2.0)
            found.append((function(self.theta, nu + step) - function(self.theta, nu - step)) / (2.0 * step))
        return np.array(found)
