"""The exact likelihood of a volatility spec on one series, with the score of every observation.

A grid or arch finds the neighbourhood of the optimum (`collatrisk.volatility.estimate`); this likelihood, the same as
arch's for the same pre-sample values, settles it: with analytic scores the gradient can be driven to rounding and
the standard errors do not hang on finite differences of the likelihood.

Pre-sample values. The recursion reads squared residuals and variances from before the first observation. Both are set
to one number b; the squared negative part is set to b / 2 (arch's convention). Powers of them are powers of b. An
EGARCH has ln b and no shocks before the sample, a RiskMetrics 2006 model one number for each of its components.

- ``"mean_square"``: b is the mean of the squared residuals *at the parameters in hand*, as in Fiorentini, Calzolari and
  Panattoni (1996); it moves with mu and its derivative is part of the score.
- ``"backcast"``: arch's own, an exponentially weighted mean (0.94) of the first 75 squared residuals about the sample
  mean; fixed before the fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from collatrisk.volatility.distributions import Array, density_terms
from collatrisk.volatility.law import Law
from collatrisk.volatility.law_scores import law_scores
from collatrisk.volatility.means import AR_BOUNDS, MeanModel, mean_names
from collatrisk.volatility.quasi import is_fast, quasi_totals
from collatrisk.volatility.recursions import Constraint, Family, Recursion, Walk, family_of
from collatrisk.volatility.specs import Garch, VolatilitySpec

Presample: TypeAlias = Literal["mean_square", "backcast"]
PRESAMPLES: tuple[Presample, ...] = ("mean_square", "backcast")

NU_BOUNDS = (2.05, 500.0)
GED_BOUNDS = (1.01, 500.0)
LAMBDA_BOUNDS = (-0.999, 0.999)
_SMALLEST = float(np.finfo(np.float64).tiny)  # of a variance
_MOMENT = 0.05  # how far nu stays above the power whose mean must be finite
_SHAPES: dict[str, tuple[str, ...]] = {"normal": (), "t": ("nu",), "skewt": ("nu", "lambda"), "ged": ("nu",)}


def parameter_names(spec: VolatilitySpec) -> tuple[str, ...]:
    """The estimated parameters of a spec by arch's names (skewt's eta is nu), in arch's order: mean, variance, law."""
    return (*mean_names(spec.mean), *family_of(spec).names, *_SHAPES[spec.dist])


def shape_bounds(dist: str) -> list[tuple[float, float]]:
    """Lowest and highest value of each shape of a law."""
    ranges = {"nu": GED_BOUNDS if dist == "ged" else NU_BOUNDS, "lambda": LAMBDA_BOUNDS}
    return [ranges[name] for name in _SHAPES[dist]]


@dataclass(frozen=True, slots=True)
class Filtered:
    """The recursion at one parameter vector: residuals (n,), variances (n,), pre-sample variance(s) (s,)."""

    residuals: Array
    variances: Array
    start: Array

    @property
    def presample(self) -> float:
        """The pre-sample variance, the mean of several."""
        return float(np.mean(self.start))


@dataclass(frozen=True, slots=True)
class State:
    """The log-likelihood at a point: value, gradient (k,), and the sum of the scores' outer products (k, k)."""

    value: float
    gradient: Array
    outer: Array

    @classmethod
    def of(cls, values: Array, scores: Array) -> State:
        """From those of every observation, (n,) and (n, k)."""
        return cls(float(values.sum()), scores.sum(axis=0), scores.T @ scores)


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of `spec` on `returns`, of which nothing is rescaled here.

    Attributes
    ----------
    returns : float64 (n,), or (n + 1,) with an AR(1) mean; of unit-ish variance: the bounds suppose it.
    presample : which pre-sample value.
    names : the parameters, in the order of every parameter vector: mean, variance, law.
    mean, family : what they do. backcast : arch's pre-sample variance(s).
    extra : constraints that the search adds where it holds the persistence to 1, or mu on a kink.
    """

    returns: Array
    spec: VolatilitySpec
    presample: Presample = "mean_square"
    extra: tuple[Constraint, ...] = ()
    names: tuple[str, ...] = field(init=False)
    mean: MeanModel = field(init=False)
    family: Family = field(init=False)
    backcast: Array = field(init=False)

    def __post_init__(self) -> None:
        mean, family = MeanModel(self.spec.mean, self.returns), family_of(self.spec)
        object.__setattr__(self, "names", parameter_names(self.spec))
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "family", family)
        object.__setattr__(self, "backcast", family.backcast(mean.residuals(mean.first_guess())))

    @property
    def is_smooth(self) -> bool:
        """Whether the likelihood has a derivative in mu: |e| to a power of 1 or less has none where e is 0."""
        power = self.family.power
        return self.spec.mean == "zero" or (power is not None and power > 1.0)

    def has_spikes(self, theta: Array) -> bool:
        """Whether |e| to a power below 1 gives the likelihood spikes instead of mere kinks where e is 0."""
        power = float(theta[self.names.index("delta")]) if "delta" in self.names else self.family.power
        return self.spec.mean != "zero" and power is not None and 0.0 < power < 1.0

    @property
    def n(self) -> int:
        """How many returns are explained."""
        return self.mean.explained.size

    def parts(self, theta: Array) -> tuple[Array, Array, Law]:
        """Parameters of the mean, parameters of the variance, the law."""
        first = self.mean.slopes.shape[0]
        last = first + len(self.family.names)
        nu, lam = (*map(float, theta[last:]), *(math.inf, 0.0)[theta.size - last :])
        return theta[:first], theta[first:last], Law(self.spec.dist, nu, lam)

    def recursion(self, theta: Array) -> Recursion:
        """The recursion at a parameter vector."""
        return self.family.recursion(self.parts(theta)[1])

    def law(self, theta: Array) -> Law:
        """The law at a parameter vector."""
        return self.parts(theta)[2]

    def filter(self, theta: Array) -> Filtered:
        """Residuals and conditional variances."""
        mean, own, _ = self.parts(theta)
        residuals = self.mean.residuals(mean)
        start = np.array([np.mean(residuals**2)]) if self.presample == "mean_square" else self.backcast
        return Filtered(residuals, self.family.recursion(own).variances(residuals, start), start)

    def rescaled(self, theta: Array, factor: float) -> tuple[Array, Array]:
        """The parameters of the returns times `factor`, and their derivatives (k, k)."""
        first = self.mean.slopes.shape[0]
        last = first + len(self.family.names)
        found, jacobian = np.array(theta), np.eye(theta.size)
        if first:
            found[0] *= factor
            jacobian[0, 0] = factor
        found[first:last], jacobian[first:last, first:last] = self.family.rescale(theta[first:last], factor)
        return found, jacobian

    def persistence(self, theta: Array) -> float:
        """Of the recursion at a parameter vector, by its law."""
        return self.recursion(theta).persistence(self.law(theta))

    def loglikelihood(self, theta: Array) -> float:
        """The sum over the observations; -inf where it is not finite."""
        with np.errstate(all="ignore"):
            filtered = self.filter(theta)
            law = self.law(theta)
            sd = np.sqrt(filtered.variances)
            found = float(np.sum(density_terms(law.dist, filtered.residuals / sd, law.nu, law.lam)[0] - np.log(sd)))
        return found if math.isfinite(found) else -math.inf

    def evaluate(self, theta: Array) -> tuple[Array, Array] | None:
        """The log-likelihood (n,) and the score (n, k) of every observation; None where a variance is not positive."""
        with np.errstate(all="ignore"):
            filtered = self.filter(theta)
            if not (filtered.variances.min() >= _SMALLEST and np.all(np.isfinite(filtered.variances))):
                return None
            slopes = self.variance_derivatives(theta, filtered)
            law = self.law(theta)
            values, scores = law_scores(law, filtered.residuals, filtered.variances, self.mean.slopes, slopes)
        return (values, scores.T) if np.all(np.isfinite(scores)) else None

    def state(self, theta: Array) -> State | None:
        """`evaluate`, summed up."""
        found = self.evaluate(theta)
        return None if found is None else State.of(*found)

    def totals(self, points: Array) -> tuple[Array, Array] | None:
        """The log-likelihood (m,) and its gradient (m, k) at parameters (m, k); None where `evaluate` has none."""
        if isinstance(self.spec, Garch) and is_fast(self.spec):
            backcast = float(self.backcast[0]) if self.presample == "backcast" else None
            return quasi_totals(self.returns, self.spec, points, backcast)
        values, gradients = np.empty(len(points)), np.empty(points.shape)
        for place, theta in enumerate(points):
            found = self.evaluate(theta)
            if found is None:
                return None
            values[place], gradients[place] = found[0].sum(), found[1].sum(axis=0)
        return values, gradients

    def variance_derivatives(self, theta: Array, filtered: Filtered) -> Array:
        """dh/d(mean parameters, variance parameters), as far as they are estimated: (rows, n)."""
        slopes, e = self.mean.slopes, filtered.residuals
        moved = np.zeros((slopes.shape[0], filtered.start.size))
        if self.presample == "mean_square":
            moved[:, 0] = 2.0 * slopes @ e / e.size
        walk = Walk(e, filtered.variances, slopes, filtered.start, moved)
        return self.family.slopes(self.parts(theta)[1], walk)

    @cached_property
    def bounds(self) -> Array:
        """(k, 2) lowest and highest value of each parameter: arch's for most, but nu up to 500 for both t laws."""
        free = [(-math.inf, math.inf), AR_BOUNDS][: self.mean.slopes.shape[0]]
        own = self.family.bounds(float(np.mean(self.returns**2)))
        rows = [*free, *own, *shape_bounds(self.spec.dist)]
        if self.family.curved and self.names[-1] in {"nu", "lambda"} and self.spec.dist != "ged":
            # E|z|^power must be finite; a power that is estimated has a constraint of its own.
            place = self.names.index("nu")
            rows[place] = (max(rows[place][0], (self.family.power or 0.0) + _MOMENT), rows[place][1])
        return np.array(rows, dtype=np.float64).reshape(len(self.names), 2)

    @cached_property
    def constraints(self) -> tuple[Array, Array, tuple[str, ...]]:
        """A, d and a name for each row of ``A theta >= d``: the bounds as rows, then those of the family."""
        k, first = len(self.names), self.mean.slopes.shape[0]
        rows, limits, labels, own_rows = [], [], [], np.eye(k)
        for position, (low, high) in enumerate(self.bounds.tolist()):
            for sign, limit in ((1.0, low), (-1.0, -high)):
                if math.isfinite(limit):
                    rows.append(sign * own_rows[position])
                    limits.append(limit)
                    labels.append(self.names[position])
        for own, limit, label in self.family.constraints():
            row = np.zeros(k)
            row[first : first + own.size] = own
            rows.append(row)
            limits.append(limit)
            labels.append(label)
        if "delta" in self.names and self.spec.dist in {"t", "skewt"}:
            rows.append(np.array([{"nu": 1.0, "delta": -1.0}.get(name, 0.0) for name in self.names]))
            limits.append(_MOMENT)
            labels.append("delta < nu")
        for row, limit, label in self.extra:
            rows.append(row)
            limits.append(limit)
            labels.append(label)
        return np.array(rows).reshape(len(rows), k), np.array(limits), tuple(labels)
