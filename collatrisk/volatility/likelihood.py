"""The exact likelihood of a volatility spec on one series, with the score of every observation.

arch finds the neighbourhood of the optimum (`collatrisk.volatility.estimate`); this likelihood, the same as arch's for
the same pre-sample values, settles it: with analytic scores the gradient can be driven to rounding and the standard
errors do not hang on finite differences of the likelihood.

Pre-sample values. The recursion reads squared residuals and variances from before the first observation. Both are set
to one number b; the squared negative part is set to b / 2 (arch's convention).

- ``"mean_square"``: b is the mean of the squared residuals *at the parameters in hand*, as in Fiorentini, Calzolari and
  Panattoni (1996); it moves with mu and its derivative is part of the score.
- ``"backcast"``: arch's own, an exponentially weighted mean (0.94) of the first 75 squared residuals about the sample
  mean; fixed before the fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from collatrisk.volatility.distributions import Array, log_density, log_density_slope, shape_slopes
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch, GarchCoefficients, VolatilitySpec

Presample: TypeAlias = Literal["mean_square", "backcast"]
PRESAMPLES: tuple[Presample, ...] = ("mean_square", "backcast")

NU_BOUNDS = (2.05, 500.0)
LAMBDA_BOUNDS = (-0.999, 0.999)
_LOG_2PI = math.log(2.0 * math.pi)


def parameter_names(spec: VolatilitySpec) -> tuple[str, ...]:
    """The estimated parameters of a spec by arch's names (skewt's eta is nu), in arch's order."""
    names = ["mu"] if spec.mean == "constant" else []
    if not isinstance(spec, Ewma):
        names.append("omega")
    if isinstance(spec, Garch):
        for letter, order in (("alpha", spec.p), ("gamma", spec.o), ("beta", spec.q)):
            names.extend(f"{letter}[{lag}]" for lag in range(1, order + 1))
    names.extend({"normal": (), "t": ("nu",), "skewt": ("nu", "lambda")}[spec.dist])
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Filtered:
    """The recursion at one parameter vector: residuals (n,), variances (n,), the pre-sample value."""

    residuals: Array
    variances: Array
    presample: float


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-likelihood of `spec` on `returns`, of which nothing is rescaled here.

    Attributes
    ----------
    returns : (n,) float64, of unit-ish variance: the bounds of the estimation suppose it.
    presample : which pre-sample value.
    names : the parameters, in the order of every parameter vector.
    """

    returns: Array
    spec: VolatilitySpec
    presample: Presample = "mean_square"
    names: tuple[str, ...] = field(init=False)
    backcast: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", parameter_names(self.spec))
        object.__setattr__(self, "backcast", _backcast(self.returns, self.spec))

    def coefficients(self, theta: Array) -> GarchCoefficients:
        """The recursion's coefficients at a parameter vector."""
        spec = self.spec
        start = 1 if spec.mean == "constant" else 0
        if isinstance(spec, Ewma):
            return GarchCoefficients(0.0, (1.0 - spec.decay,), (), (spec.decay,))
        omega = float(theta[start])
        if isinstance(spec, ConstantVolatility):
            return GarchCoefficients(omega, (), (), ())
        cuts = np.cumsum([start + 1, spec.p, spec.o, spec.q])
        alpha, gamma, beta = (tuple(map(float, theta[a:b])) for a, b in pairwise(cuts))
        return GarchCoefficients(omega, alpha, gamma, beta)

    def shapes(self, theta: Array) -> tuple[float, float]:
        """nu (inf for the normal) and lambda at a parameter vector."""
        if self.spec.dist == "normal":
            return math.inf, 0.0
        if self.spec.dist == "t":
            return float(theta[-1]), 0.0
        return float(theta[-2]), float(theta[-1])

    def filter(self, theta: Array) -> Filtered:
        """Residuals and conditional variances."""
        mu = float(theta[0]) if self.spec.mean == "constant" else 0.0
        residuals = self.returns - mu
        start = float(np.mean(residuals**2)) if self.presample == "mean_square" else self.backcast
        found = self.coefficients(theta)
        squares, negatives = residuals**2, np.minimum(residuals, 0.0) ** 2
        inputs = np.full(residuals.shape, found.omega)
        for lag, weight in enumerate(found.alpha, 1):
            inputs += weight * _lagged(squares, lag, start)
        for lag, weight in enumerate(found.gamma, 1):
            inputs += weight * _lagged(negatives, lag, 0.5 * start)
        variances = _recursion(inputs[None, :], found.beta, np.array([start]))[0]
        return Filtered(residuals, variances, start)

    def evaluate(self, theta: Array) -> tuple[Array, Array] | None:
        """The log-likelihood (n,) and the score (n, k) of every observation; None where a variance is not positive."""
        with np.errstate(all="ignore"):
            filtered = self.filter(theta)
            if not (np.all(filtered.variances > 0.0) and np.all(np.isfinite(filtered.variances))):
                return None
            nu, lam = self.shapes(theta)
            sd = np.sqrt(filtered.variances)
            z = filtered.residuals / sd
            if self.spec.dist == "normal":
                values, slope = -0.5 * (_LOG_2PI + z * z), -z
            else:
                values, slope = log_density(z, nu, lam), log_density_slope(z, nu, lam)
            per_variance = -0.5 * (1.0 + z * slope) / filtered.variances
            derivatives = self.variance_derivatives(theta, filtered)
            scores = np.empty((len(self.names), z.size))
            scores[: len(derivatives)] = derivatives * per_variance
            if self.spec.mean == "constant":
                scores[0] -= slope / sd
            for row, values_of_shape in enumerate(shape_slopes(self.spec.dist, z, nu, lam), len(derivatives)):
                scores[row] = values_of_shape
        if not np.all(np.isfinite(scores)):
            return None
        return np.asarray(values - np.log(sd), dtype=np.float64), scores.T

    def variance_derivatives(self, theta: Array, filtered: Filtered) -> Array:
        """dh/d(mu, omega, alpha, gamma, beta), as far as they are estimated: (rows, n).

        Each obeys the recursion of h itself, driven by the derivative of its inputs.
        """
        found, start, e = self.coefficients(theta), filtered.presample, filtered.residuals
        rows, before = [], []
        if self.spec.mean == "constant":
            moved = -2.0 * float(np.mean(e)) if self.presample == "mean_square" else 0.0
            drive = np.zeros(e.shape)
            for lag, weight in enumerate(found.alpha, 1):
                drive += weight * _lagged(-2.0 * e, lag, moved)
            for lag, weight in enumerate(found.gamma, 1):
                drive += weight * _lagged(-2.0 * np.minimum(e, 0.0), lag, 0.5 * moved)
            rows.append(drive)
            before.append(moved)
        if not isinstance(self.spec, Ewma):
            squares, negatives = e**2, np.minimum(e, 0.0) ** 2
            rows.append(np.ones(e.shape))
            rows.extend(_lagged(squares, lag, start) for lag in range(1, len(found.alpha) + 1))
            rows.extend(_lagged(negatives, lag, 0.5 * start) for lag in range(1, len(found.gamma) + 1))
            rows.extend(_lagged(filtered.variances, lag, start) for lag in range(1, len(found.beta) + 1))
            before.extend([0.0] * (len(rows) - len(before)))
        if not rows:
            return np.empty((0, e.size))
        return _recursion(np.array(rows), found.beta, np.array(before))

    def bounds(self) -> Array:
        """(k, 2) lowest and highest value of each parameter: arch's, but nu up to 500 for both t laws."""
        scale = float(np.mean(self.returns**2))
        ranges = {
            "mu": (-math.inf, math.inf),
            "omega": (1e-8 * scale, 10.0 * scale),
            "alpha": (0.0, 1.0),
            "beta": (0.0, 1.0),
            "nu": NU_BOUNDS,
            "lambda": LAMBDA_BOUNDS,
        }
        rows = []
        for name in self.names:
            letter, _, lag = name.rstrip("]").partition("[")
            if letter == "gamma":
                rows.append((-1.0 if int(lag) <= getattr(self.spec, "p", 0) else 0.0, 2.0))
            else:
                rows.append(ranges[letter])
        return np.array(rows, dtype=np.float64).reshape(len(self.names), 2)

    def constraints(self) -> tuple[Array, Array, tuple[str, ...]]:
        """A, d and a name for each row of ``A theta >= d``: arch's, with the bounds as rows.

        alpha_i + gamma_i >= 0, and sum(alpha) + sum(gamma) / 2 + sum(beta) <= 1 whatever the law.
        """
        k = len(self.names)
        rows, limits, labels = [], [], []
        for position, (low, high) in enumerate(self.bounds()):
            for sign, limit in ((1.0, low), (-1.0, -high)):
                if math.isfinite(limit):
                    rows.append(sign * np.eye(k)[position])
                    limits.append(limit)
                    labels.append(self.names[position])
        if isinstance(self.spec, Garch):
            for lag in range(1, min(self.spec.p, self.spec.o) + 1):
                pair = (f"alpha[{lag}]", f"gamma[{lag}]")
                rows.append(np.array([1.0 if name in pair else 0.0 for name in self.names]))
                limits.append(0.0)
                labels.append(f"alpha[{lag}] + gamma[{lag}]")
            weights = {"alpha": -1.0, "gamma": -0.5, "beta": -1.0}
            rows.append(np.array([weights.get(name.partition("[")[0], 0.0) for name in self.names]))
            limits.append(-1.0)
            labels.append("persistence")
        return np.array(rows).reshape(len(rows), k), np.array(limits), tuple(labels)


def _backcast(returns: Array, spec: VolatilitySpec) -> float:
    """arch's: exponentially weighted mean of the first squared residuals about the sample mean."""
    centre = float(np.mean(returns)) if spec.mean == "constant" else 0.0
    head = returns[:75] - centre
    weights = 0.94 ** np.arange(head.size)
    return float(np.sum(head**2 * weights) / np.sum(weights))


def _lagged(values: Array, lag: int, before: float) -> Array:
    """values shifted by `lag` steps, `before` in the place of what came before the sample."""
    shifted = np.empty_like(values)
    shifted[:lag] = before
    shifted[lag:] = values[:-lag]
    return shifted


def _recursion(inputs: Array, beta: tuple[float, ...], before: Array) -> Array:
    """``y_t = inputs_t + sum_j beta_j y_{t-j}`` for every row, y = before[row] in front of the sample."""
    from scipy.signal import lfilter

    if not beta:
        return inputs
    tails = np.cumsum(np.asarray(beta)[::-1])[::-1]
    state = before[:, None] * tails[None, :]
    filtered, _ = lfilter([1.0], np.concatenate(([1.0], -np.asarray(beta))), inputs, axis=-1, zi=state)
    return np.asarray(filtered, dtype=np.float64)
