"""Fit a moving correlation: targets from moments, a, b and g by likelihood, nu by its profile."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import MAX_CONDITION, condition_number
from collatrisk.dependence.dynamic_likelihood import DONE, DynamicLikelihood, Peak
from collatrisk.dependence.dynamic_specs import FEW_ASSETS, Dcc, EwmaCorrelation
from collatrisk.dependence.dynamics import CorrelationDynamics, Motion, scaled_to_correlation
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.dependence.shrinkage import FEW_OBSERVATIONS_PER_ASSET, ledoit_wolf_intensity, shrinkage_finding
from collatrisk.dependence.student import NU_HIGH, NU_LOW, nu_finding
from collatrisk.kernels.dcc_search import LEAST_SLACK

if TYPE_CHECKING:
    from collatrisk.dependence.first_step import FirstStep

FloatArray = NDArray[np.float64]

_STARTS = ((0.02, 0.96), (0.08, 0.85))
_START_ASSETS = 5
_FLAT = 1e-6
_ROUGHLY = 0.1
_NU_GRID = (2.5, 3.5, 5.0, 7.0, 10.0, 16.0, 30.0, 80.0)


def fit_dynamic(
    uniforms: FloatArray,
    spec: Dcc | EwmaCorrelation,
    names: tuple[str, ...],
    first_step: FirstStep | None,
    std_errors: bool,
) -> DependenceFit:
    """What `fit_dependence` does for a moving correlation; arguments are checked."""
    curve = ScoreCurve(uniforms)
    search = _Search(curve, spec, _shrinkage_weight(curve, spec))
    _check_distinct(search, names)
    nu, peak = search.best()
    likelihood = search.likelihood(nu)
    theta, targets = peak.theta, likelihood.targets(peak.theta)
    state = likelihood.last_state(theta)
    whole = likelihood if not likelihood.pairs else replace(likelihood, pairs=False)
    names_of: tuple[str, ...] = ()
    covariance: FloatArray | None = None
    notes: tuple[Finding, ...] = ()
    if std_errors and isinstance(spec, Dcc):
        from collatrisk.dependence.dynamic_errors import two_step_covariance

        names_of, covariance, notes = two_step_covariance(uniforms, likelihood, theta, first_step)
        notes += first_step.findings if first_step is not None and covariance is not None else ()
    dynamics = CorrelationDynamics(
        motion=search.motion,
        a=float(theta[0]),
        b=float(theta[1]),
        g=float(theta[2]),
        state=state,
        negatives=targets.negatives if search.motion == "asymmetric" else None,
        names=names_of,
        covariance=covariance,
        likelihood="composite" if search.pairs else "full",
    )
    nu_error = dynamics.std_errors.get("nu")
    found = (*shrinkage_finding(search.weight, *uniforms.shape), *_findings(peak, nu, search), *notes)
    return DependenceFit(
        spec,
        names,
        scaled_to_correlation(state) if search.motion == "ewma" else targets.correlation[0],
        nu,
        nu_error,
        float(np.sum(whole.evaluate(theta)[0])),
        len(uniforms),
        search.weight,
        found,
        dynamics=dynamics,
    )


def _shrinkage_weight(curve: ScoreCurve, spec: Dcc | EwmaCorrelation) -> float:
    n_obs, size = curve.normal.shape
    if spec.shrinkage is None or n_obs >= FEW_OBSERVATIONS_PER_ASSET * size:
        return 0.0
    return ledoit_wolf_intensity(curve.normal)


def _check_distinct(search: _Search, names: tuple[str, ...]) -> None:
    correlation = search.likelihood(None).targets(np.array([0.05, 0.9, 0.0])).correlation[0]
    problems = Problems("fit_dependence", DataError)
    for i, j in np.argwhere(np.tril(np.abs(correlation), -1) > 1.0 - 1e-9):
        rule = f"moves as one with {names[j]}, so that no correlation can be followed"
        problems.add(names[i], float(correlation[i, j]), rule, "keep one of the two")
    condition = condition_number(correlation)
    rule = f"must be below {MAX_CONDITION:g}: the correlation is singular"
    remedy = "use a longer history, fewer assets, or shrinkage='auto'"
    problems.check(bool(problems.found) or condition < MAX_CONDITION, "condition number", condition, rule, remedy)
    problems.raise_if_any()


@dataclass
class _Search:
    """The likelihood at every nu, and the peaks found so far."""

    curve: ScoreCurve
    spec: Dcc | EwmaCorrelation
    weight: float
    last: DynamicLikelihood | None = None

    @property
    def motion(self) -> Motion:
        return self.spec.variant if isinstance(self.spec, Dcc) else "ewma"

    @property
    def pairs(self) -> bool:
        if not isinstance(self.spec, Dcc):
            return False
        many = self.curve.normal.shape[1] > FEW_ASSETS
        return self.spec.likelihood == "composite" or (self.spec.likelihood == "auto" and many)

    def likelihood(self, nu: float | None) -> DynamicLikelihood:
        """The likelihood at `nu`; that of the last nu is kept."""
        if self.last is None or self.last.nu != nu:
            self.last = DynamicLikelihood(self.curve.at(nu), self.motion, nu, self.pairs, self.weight)
        return self.last

    def best(self) -> tuple[float | None, Peak]:
        """The degrees of freedom (None for a Gaussian copula) and the peak at them."""
        likelihood = self.likelihood(None)
        peak = self.peak(likelihood, self._start(likelihood), None)
        if self.spec.copula == "gaussian":
            return None, peak
        return self._profile(peak)

    def peak(
        self, likelihood: DynamicLikelihood, start: FloatArray, curvature: FloatArray | None, done: float = DONE
    ) -> Peak:
        """The peak in (a, b, g) that the climb from `start` (or the best row of it) ends on."""
        if isinstance(self.spec, EwmaCorrelation):
            theta = np.array([1.0 - self.spec.decay, self.spec.decay, 0.0])
            return Peak(theta, float(np.sum(likelihood.evaluate(theta)[0])), 0.0, np.eye(3))
        inside = np.array([_inside(likelihood, point) for point in np.atleast_2d(start)])
        return likelihood.climb(inside, curvature, done)

    def _start(self, likelihood: DynamicLikelihood) -> FloatArray:
        """A few points; for many assets the peak of a few of them, which costs next to nothing."""
        guess = 0.01 if self.motion == "asymmetric" else 0.0
        points = np.array([[a, b, guess] for a, b in _STARTS])
        if isinstance(self.spec, EwmaCorrelation):
            return np.asarray(points[0])
        size = likelihood.scores.shape[1]
        few = likelihood
        if size > _START_ASSETS:
            chosen = np.linspace(0, size - 1, _START_ASSETS).round().astype(np.int64)
            scores = np.ascontiguousarray(likelihood.scores[:, chosen])
            few = DynamicLikelihood(scores, self.motion, None, likelihood.pairs)
        return points if few is likelihood else self._moved_inside(self.peak(few, points, None, _ROUGHLY).theta)

    @staticmethod
    def _moved_inside(theta: FloatArray) -> FloatArray:
        """Off the bounds, on which another likelihood would have to be very sure to leave them."""
        a, b, g = map(float, theta)
        return np.array([max(a, 0.005), min(b, 0.985), g])

    def _profile(self, peak: Peak) -> tuple[float, Peak]:
        """Brent's method in 1 / nu between the neighbours of the best point of a grid."""
        from scipy.optimize import minimize_scalar

        grid = (NU_LOW, *_NU_GRID, NU_HIGH)
        at_grid = []
        for nu in grid:
            likelihood = self.likelihood(nu)
            at_grid.append(float(np.sum(likelihood.evaluate(_inside(likelihood, peak.theta))[0])))
        best = int(np.nanargmax(at_grid))
        left, right = grid[min(best + 1, len(grid) - 1)], grid[max(best - 1, 0)]
        held = {"peak": peak}

        def loss(inverse: float) -> float:
            held["peak"] = self.peak(self.likelihood(1.0 / inverse), held["peak"].theta, held["peak"].curvature)
            return -held["peak"].value

        found = minimize_scalar(loss, bounds=(1.0 / left, 1.0 / right), method="bounded", options={"xatol": 1e-7})
        candidates = [(-float(found.fun), 1.0 / float(found.x))]
        if left == NU_HIGH or right == NU_LOW:
            bound = NU_HIGH if left == NU_HIGH else NU_LOW
            candidates.append((-loss(1.0 / bound) + _FLAT, bound))
        nu = max(candidates)[1]
        loss(1.0 / nu)
        return nu, held["peak"]


def _inside(likelihood: DynamicLikelihood, theta: FloatArray) -> FloatArray:
    """A point within the bounds of this likelihood: delta of an asymmetric model moves with nu."""
    if likelihood.motion == "ewma":
        return theta
    room = 1.0 - 2.0 * LEAST_SLACK
    total = float(theta[0] + theta[1] + likelihood.asymmetry_limit * theta[2])
    return theta if total < room else theta * (room / total)


def _findings(peak: Peak, nu: float | None, search: _Search) -> tuple[Finding, ...]:
    found: list[Finding] = []
    note = None if nu is None else nu_finding(nu)
    if note is not None:
        found.append(note)
    if isinstance(search.spec, EwmaCorrelation):
        return tuple(found)
    a, b, g = map(float, peak.theta)
    if a + g < 1e-5:
        message = (
            "a is on its bound 0: the history shows no correlation that moves, b means nothing; use StudentTCopula()"
        )
        found.append(Finding("correlation-constant", "warning", "dependence", message))
    elif a + b > 1.0 - 2.0 * LEAST_SLACK:
        message = (
            f"a + b is on its bound {a + b:.6f}: correlation has no level to return to; read long horizons with care"
        )
        found.append(Finding("correlation-integrated", "warning", "dependence", message))
    if not peak.decrement < 1e-6 or not math.isfinite(peak.value):
        message = (
            f"the search for a and b stopped {math.sqrt(max(peak.decrement, 0.0)):.2g} standard errors off its peak"
        )
        found.append(Finding("not-converged", "error", "dependence", message))
    return tuple(found)
