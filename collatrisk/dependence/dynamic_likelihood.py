"""The likelihood of a moving correlation, with its targets: what the search for a, b and g climbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from collatrisk.dependence.dynamics import Motion, scaled_to_correlation
from collatrisk.dependence.shrinkage import constant_correlation_target
from collatrisk.kernels.dcc import DccData, DccPoint, correct_scores, evaluate_dcc, stretch, work_size
from collatrisk.kernels.packed import LANES

FloatArray = NDArray[np.float64]

_REMEMBERED = 4  # evaluations: a search comes back to where it began and to where it ended


@dataclass(frozen=True)
class Targets:
    """What the recursion is driven by at given a and b.

    Attributes
    ----------
    driving : (3, n, d) u and its derivatives in a and b; (1, n, d) where it is x itself.
    correlation : (3, d, d) S and its derivatives in a and b.
    negatives : (d, d) N.
    """

    driving: FloatArray
    correlation: FloatArray
    negatives: FloatArray


@dataclass(frozen=True, eq=False)
class DynamicLikelihood:
    """The copula's log-likelihood in (a, b, g) at given scores.

    Attributes
    ----------
    scores : float64 (n_obs, d), variance 1.
    motion : see `CorrelationDynamics`.
    nu : of the t copula; None for the Gaussian one.
    pairs : True for the composite likelihood: the sum over pairs over d - 1, on the scale of the full one.
    shrinkage : weight of the constant-correlation target in S.
    """

    scores: FloatArray
    motion: Motion
    nu: float | None
    pairs: bool
    shrinkage: float = 0.0
    _laid: FloatArray = field(init=False, repr=False)
    _work: FloatArray = field(init=False, repr=False)
    _known: dict[bytes, tuple[FloatArray, FloatArray]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_laid", stretch(self.scores, -(-len(self.scores) // LANES)))
        object.__setattr__(self, "_work", np.zeros(work_size(self.scores.shape[1])))

    def evaluate(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The log-density (n_obs,) of every observation and its score (n_obs, 3) in a, b and g = `theta`."""
        key = theta.tobytes()
        if key not in self._known:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            values, slopes, _ = self._evaluate(theta, 0)
            self._known[key] = (values, slopes)
        return self._known[key]

    def target_slopes(self, theta: FloatArray) -> FloatArray:
        """Slopes of the mean log-density in S and N at given u: (2, d, d), symmetric.

        The slope times a symmetric change of the matrix, summed over all elements, is the change of the mean.
        """
        packed = self._evaluate(theta, 2)[2] / len(self.scores)
        size = self.scores.shape[1]
        lower = np.tril_indices(size)
        found = np.zeros((2, size, size))
        found[:, lower[0], lower[1]] = packed
        # The kernel's element stands for both of its places.
        return np.asarray(0.5 * (found + found.transpose(0, 2, 1)))

    def _evaluate(self, theta: FloatArray, n_targets: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        targets = self.targets(theta)
        n_obs, size = self.scores.shape
        values, slopes = np.empty(n_obs), np.empty((n_obs, 3))
        in_targets = np.empty((n_targets, size * (size + 1) // 2))
        point = self._point(theta, targets, n_targets)
        evaluate_dcc(self._data(targets), point, self._work, values, slopes, in_targets)
        share = 1.0 / (size - 1) if self.pairs else 1.0
        values *= share
        values += self._margins
        return values, slopes * share, in_targets * share

    def targets(self, theta: FloatArray) -> Targets:
        """u, S and N at theta, with the derivatives of u and S that a corrected model has."""
        if self.motion != "corrected":
            return self._fixed_targets
        driving = correct_scores(self.scores, float(theta[0]), float(theta[1]))
        moment = _moment(driving[0], driving[0])
        correlation = scaled_to_correlation(moment)
        stacked = [correlation]
        for slope in driving[1:]:
            moved = _moment(slope, driving[0])
            stacked.append(_scaling_slope(moment, correlation, moved + moved.T))
        shrunk = np.array([self._shrink(matrix, 1.0 if k == 0 else 0.0) for k, matrix in enumerate(stacked)])
        return Targets(driving, shrunk, np.zeros_like(correlation))

    @cached_property
    def _fixed_targets(self) -> Targets:
        x = self.scores
        correlation = np.zeros((3, x.shape[1], x.shape[1]))
        correlation[0] = self._shrink(scaled_to_correlation(_moment(x, x)), 1.0)
        falls = np.minimum(x, 0.0)
        return Targets(x[None], correlation, _moment(falls, falls))

    def _shrink(self, matrix: FloatArray, diagonal: float) -> FloatArray:
        if self.shrinkage == 0.0:
            return matrix
        target = constant_correlation_target(matrix + (1.0 - diagonal) * np.eye(len(matrix)))
        target[np.diag_indices(len(matrix))] = diagonal
        return (1.0 - self.shrinkage) * matrix + self.shrinkage * target

    @cached_property
    def asymmetry_limit(self) -> float:
        """delta, the largest eigenvalue of S^{-1/2} N S^{-1/2}: C is PSD if and only if a + b + delta g <= 1."""
        if self.motion != "asymmetric":
            return 1.0
        values, vectors = np.linalg.eigh(self._fixed_targets.correlation[0])
        root = vectors / np.sqrt(np.maximum(values, 1e-12))
        return float(np.linalg.eigvalsh(root.T @ self._fixed_targets.negatives @ root)[-1])

    def last_state(self, theta: FloatArray) -> FloatArray:
        """Q of the step after the last observation, (d, d): the recursion summed up as a weighted moment."""
        targets = self.targets(theta)
        a, b, g = map(float, theta)
        size = self.scores.shape[1]
        constant = np.zeros((size, size))
        constant[self._lower] = self._constants(theta, self._packed(targets))[0]
        constant += np.tril(constant, -1).T
        n_obs = len(self.scores)
        weights = b ** np.arange(n_obs - 1, -1, -1.0)
        driving = targets.driving[0]
        state = b**n_obs * targets.correlation[0] + weights.sum() * constant
        state += a * (driving * weights[:, None]).T @ driving
        if self.motion == "asymmetric":
            falls = np.minimum(self.scores, 0.0)
            state += g * (falls * weights[:, None]).T @ falls
        return np.asarray(0.5 * (state + state.T))

    def _data(self, targets: Targets) -> DccData:
        n_obs, rows = len(self.scores), len(self._laid)
        if len(targets.driving) == 1:
            return DccData(self._laid, self._laid, self._no_along, n_obs)
        driving, *along = (stretch(part, rows) for part in targets.driving)
        return DccData(self._laid, driving, np.array(along), n_obs)

    @cached_property
    def _lower(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.tril_indices(self.scores.shape[1])

    @cached_property
    def _fixed_packed(self) -> FloatArray:
        return self._packed(self._fixed_targets)

    def _packed(self, targets: Targets) -> FloatArray:
        """S, its derivatives in a and b, and N: (4, p), rows of lower triangles."""
        stacked = np.concatenate([targets.correlation, targets.negatives[None]])
        return np.ascontiguousarray(stacked[:, self._lower[0], self._lower[1]])

    def _constants(self, theta: FloatArray, packed: FloatArray) -> FloatArray:
        """C and its derivatives in a, b and g, (4, p)."""
        a, b, g = map(float, theta)
        level = 1.0 - a - b
        if self.motion == "ewma":
            return np.zeros_like(packed)
        own, in_a, in_b, negatives = packed
        return np.array([level * own - g * negatives, level * in_a - own, level * in_b - own, -negatives])

    def _leaning(self, theta: FloatArray) -> FloatArray:
        """dQ_t/dS and dQ_t/dN, a number an observation each: (2, rows, LANES).

        Q_1 = S and each step adds (1 - a - b) S - g N to b times what was: 1 and 0 at first, then by that recursion.
        """
        a, b, g = map(float, theta)
        n_obs, rows = len(self.scores), len(self._laid)
        fading = b ** np.arange(n_obs)
        summed = np.concatenate([[0.0], np.cumsum(fading)[:-1]])
        level = 0.0 if self.motion == "ewma" else 1.0 - a - b
        laid = np.zeros((2, LANES * rows))
        laid[0, :n_obs] = fading + level * summed
        laid[1, :n_obs] = -g * summed
        return np.ascontiguousarray(laid.reshape(2, LANES, rows).transpose(0, 2, 1))

    def _point(self, theta: FloatArray, targets: Targets, n_targets: int) -> DccPoint:
        packed = self._packed(targets) if self.motion == "corrected" else self._fixed_packed
        start = packed.copy()
        start[3] = 0.0
        a, b, g = map(float, theta)
        return DccPoint(
            a=a,
            b=b,
            g=g,
            asymmetric=self.motion == "asymmetric",
            constants=self._constants(theta, packed),
            start=start,
            nu=0.0 if self.nu is None else self.nu,
            pairs=self.pairs,
            leaning=self._leaning(theta) if n_targets else self._no_leaning,
        )

    @cached_property
    def _no_leaning(self) -> FloatArray:
        return np.zeros((0, len(self._laid), LANES))

    @cached_property
    def _no_along(self) -> FloatArray:
        return np.zeros((2, 0, self.scores.shape[1], LANES))

    @cached_property
    def _margins(self) -> FloatArray:
        """What a copula's density has beside ln|R| and the quadratic form, (n_obs,)."""
        squares, size = self.scores**2, self.scores.shape[1]
        if self.nu is None:
            return np.asarray(0.5 * squares.sum(axis=1))
        nu = self.nu
        together = 2 if self.pairs else size
        constant = gammaln((nu + together) / 2) + (together - 1) * gammaln(nu / 2) - together * gammaln((nu + 1) / 2)
        number = size / 2 if self.pairs else 1.0
        margins = 0.5 * (nu + 1.0) * np.log1p(squares / (nu - 2.0)).sum(axis=1)
        return np.asarray(number * constant + margins)


def _moment(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(left.T @ right / len(left))


def _scaling_slope(moment: FloatArray, correlation: FloatArray, moved: FloatArray) -> FloatArray:
    """The change of a moment's correlation when the moment changes by `moved`."""
    unit = np.sqrt(np.diag(moment))
    share = 0.5 * np.diag(moved) / np.diag(moment)
    slope = moved / np.outer(unit, unit) - correlation * (share[:, None] + share[None, :])
    np.fill_diagonal(slope, 0.0)
    return np.asarray(slope)
