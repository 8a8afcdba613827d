"""The likelihood of a moving correlation, with its targets: what the search for a, b and g climbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from collatrisk.dependence.dynamics import MOTIONS, Motion, scaled_to_correlation
from collatrisk.dependence.shrinkage import constant_correlation_target
from collatrisk.kernels import dcc_search
from collatrisk.kernels.dcc import stretch_into

FloatArray = NDArray[np.float64]

_REMEMBERED = 4  # evaluations: a reader comes back to where the search ended
DONE = 1e-9  # Newton decrement: (distance to the optimum in standard errors)^2


@dataclass(frozen=True)
class Peak:
    """Where a search ended.

    Attributes
    ----------
    theta : (a, b, g). value : the log-likelihood. decrement : the squared distance to the optimum, in standard errors,
        that is left. curvature : (3, 3) of minus the log-likelihood in the shares a, delta g and slack.
    """

    theta: FloatArray
    value: float
    decrement: float
    curvature: FloatArray


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
    _known: dict[bytes, tuple[FloatArray, FloatArray]] = field(init=False, repr=False, default_factory=dict)

    def evaluate(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The log-density (n_obs,) of every observation and its score (n_obs, 3) in a, b and g = `theta`."""
        key = theta.tobytes()
        if key not in self._known:
            values, slopes, _ = self._evaluate(theta, 0, np.empty((dcc_search.WALK, dcc_search.SIZE)))
            self._remember(theta, values, slopes)
        return self._known[key]

    def target_slopes(self, theta: FloatArray) -> FloatArray:
        """Slopes of the mean log-density in S and N at given u: (2, d, d), symmetric.

        The slope times a symmetric change of the matrix, summed over all elements, is the change of the mean.
        """
        packed = self._evaluate(theta, 2, np.empty((dcc_search.WALK, dcc_search.SIZE)))[2] / len(self.scores)
        size = self.scores.shape[1]
        lower = np.tril_indices(size)
        found = np.zeros((2, size, size))
        found[:, lower[0], lower[1]] = packed
        # The kernel's element stands for both of its places.
        return np.asarray(0.5 * (found + found.transpose(0, 2, 1)))

    def climb(self, starts: FloatArray, curvature: FloatArray | None = None, done: float = DONE) -> Peak:
        """The peak in (a, b, g) that the search ends on.

        Parameters
        ----------
        starts : (k, 3) inside the bounds; the search begins at the best of them.
        curvature : of a similar `Peak`, to begin with. done : the decrement at which to stop.
        """
        limit = self._problem.limit
        walk, trial = np.zeros((dcc_search.WALK, dcc_search.SIZE)), np.empty(3)
        bent = slice(dcc_search.CURVATURE, dcc_search.CURVATURE + dcc_search.SIZE)
        if curvature is not None:
            walk[bent] = curvature
        highest = -np.inf
        for number, point in enumerate(np.atleast_2d(starts)):
            a, b, g = map(float, point)
            walk[dcc_search.TRIAL] = a, limit * g, 1.0 - a - b - limit * g
            tried = np.array(point)
            seen = self._evaluate(tried, 0, walk)
            found = walk[dcc_search.VALUES, dcc_search.FOUND]
            if number == 0 or found > highest:
                highest = found
                dcc_search.begin(walk, curvature is not None)
        asymmetric = self.motion == "asymmetric"
        going = dcc_search.set_off(walk, trial, limit, asymmetric, done)
        while going:
            tried = trial.copy()
            seen = self._evaluate(tried, 0, walk)
            going = dcc_search.settle(walk, trial, limit, asymmetric, not self.pairs, done)
        shares = walk[dcc_search.SHARES]
        theta = np.array([shares[0], 1.0 - float(shares.sum()), shares[1] / limit])
        if np.array_equal(shares, walk[dcc_search.TRIAL]):
            theta = tried
            self._remember(theta, seen[0], seen[1])
        value, _, decrement = walk[dcc_search.VALUES].tolist()
        return Peak(theta, value, decrement, walk[bent].copy())

    def _evaluate(
        self, theta: FloatArray, n_targets: int, walk: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What the kernel gives at theta; sums for the search into `walk`."""
        problem = self._problem
        values, slopes = np.empty(len(self.scores)), np.empty((len(self.scores), 3))
        in_targets = np.empty((n_targets, problem.packed.shape[1]))
        leaning = self._leaning(theta) if n_targets else problem.no_leaning
        wanted = (problem, theta, leaning, values, slopes, in_targets, walk)
        tiles, _, _ = self._layout
        if tiles:
            dcc_search.evaluate_by_tiles(tiles, *wanted)
        else:
            dcc_search.evaluate_by_runs(*wanted)
        return values, slopes, in_targets * problem.share

    def _remember(self, theta: FloatArray, values: FloatArray, slopes: FloatArray) -> None:
        """An evaluation of the kernel, put on the scale of the log-likelihood and kept."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        share = self._problem.share
        if share != 1.0:
            values, slopes = values * share, slopes * share
        self._known[theta.tobytes()] = (values + self._margins, slopes)

    @cached_property
    def _layout(self) -> tuple[tuple[int, ...], int, int]:
        return dcc_search.layout(self.scores.shape[1], pairs=self.pairs)

    @cached_property
    def _problem(self) -> dcc_search.DccProblem:
        """What the kernel needs to know; its scratch makes a likelihood one thread's."""
        n_obs, size = self.scores.shape
        _, lanes, scratch = self._layout
        rows = -(-n_obs // lanes)
        laid = np.zeros((rows, size, lanes))
        stretch_into(self.scores, laid)
        corrected = self.motion == "corrected"
        packed = np.zeros((4, len(self._lower[0]))) if corrected else self._packed(self._fixed_targets)
        return dcc_search.DccProblem(
            scores=self.scores,
            laid=laid,
            driving=np.zeros_like(laid) if corrected else laid,
            along=np.zeros((2, rows if corrected else 0, size, lanes)),
            packed=packed,
            motion=MOTIONS.index(self.motion),
            nu=0.0 if self.nu is None else self.nu,
            pairs=self.pairs,
            shrinkage=self.shrinkage,
            share=1.0 / (size - 1) if self.pairs else 1.0,
            margins=float(np.sum(self._margins)),
            limit=self.asymmetry_limit,
            work=np.zeros(scratch),
            no_leaning=np.zeros((0, rows, lanes)),
        )

    def targets(self, theta: FloatArray) -> Targets:
        """u, S and N at theta, with the derivatives of u and S that a corrected model has."""
        if self.motion != "corrected":
            return self._fixed_targets
        driving = dcc_search.correct_scores(self.scores, float(theta[0]), float(theta[1]))
        correlation = dcc_search.corrected_targets(driving, self.shrinkage)
        return Targets(driving, correlation, np.zeros_like(correlation[0]))

    @cached_property
    def _fixed_targets(self) -> Targets:
        x = self.scores
        correlation = np.zeros((3, x.shape[1], x.shape[1]))
        correlation[0] = self._shrink(scaled_to_correlation(_moment(x, x)))
        falls = np.minimum(x, 0.0)
        return Targets(x[None], correlation, _moment(falls, falls))

    def _shrink(self, matrix: FloatArray) -> FloatArray:
        if self.shrinkage == 0.0:
            return matrix
        return (1.0 - self.shrinkage) * matrix + self.shrinkage * constant_correlation_target(matrix)

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
        if self.motion != "ewma":
            constant = (1.0 - a - b) * targets.correlation[0] - g * targets.negatives
        n_obs = len(self.scores)
        weights = b ** np.arange(n_obs - 1, -1, -1.0)
        driving = targets.driving[0]
        state = b**n_obs * targets.correlation[0] + weights.sum() * constant
        state += a * (driving * weights[:, None]).T @ driving
        if self.motion == "asymmetric":
            falls = np.minimum(self.scores, 0.0)
            state += g * (falls * weights[:, None]).T @ falls
        return np.asarray(0.5 * (state + state.T))

    @property
    def _lower(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return _lower_triangle(self.scores.shape[1])

    def _packed(self, targets: Targets) -> FloatArray:
        """S, its derivatives in a and b, and N: (4, p), rows of lower triangles."""
        stacked = np.concatenate([targets.correlation, targets.negatives[None]])
        return np.ascontiguousarray(stacked[:, self._lower[0], self._lower[1]])

    def _leaning(self, theta: FloatArray) -> FloatArray:
        """dQ_t/dS and dQ_t/dN, a number an observation each: (2, rows, lanes).

        Q_1 = S and each step adds (1 - a - b) S - g N to b times what was: 1 and 0 at first, then by that recursion.
        """
        a, b, g = map(float, theta)
        n_obs, (rows, _, lanes) = len(self.scores), self._problem.laid.shape
        fading = b ** np.arange(n_obs)
        summed = np.concatenate([[0.0], np.cumsum(fading)[:-1]])
        level = 0.0 if self.motion == "ewma" else 1.0 - a - b
        laid = np.zeros((2, lanes * rows))
        laid[0, :n_obs] = fading + level * summed
        laid[1, :n_obs] = -g * summed
        return np.ascontiguousarray(laid.reshape(2, lanes, rows).transpose(0, 2, 1))

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


@lru_cache(maxsize=4)
def _lower_triangle(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.tril_indices(size)


def _moment(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(left.T @ right / len(left))
