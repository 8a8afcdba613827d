"""Draws of the parameters within their estimation error: every draw is a model that can be simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.coordinates import Coordinates, as_vector
from collatrisk.volatility.covariance import ParameterUncertainty, uncertainty_of
from collatrisk.volatility.distributions import Array, ppf
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.recursions import Recursion, recursion_of
from collatrisk.volatility.specs import VolatilitySpec

if TYPE_CHECKING:
    from collatrisk.volatility.fit import VolatilityFit

# A standard error of 0.7 in a free coordinate is, to first order, a bound 1.4 standard errors away: nearer to it the
# normal law in these coordinates is skewed beyond what the estimate knows (measured against refits).
_NEAR = 0.7
_LEAST_GAP = 1e-6  # between the persistence of a draw and 1
_LARGEST_SHIFT = math.log(4.0)  # of a last variance, where a straight line is all that is known


@dataclass(frozen=True, slots=True, eq=False)
class ParameterDraws:
    """Parameters drawn within their estimation error, each with the state in which it leaves the filter.

    Attributes
    ----------
    spec : the volatility spec.
    names : the parameters, in the order of the columns of `values`.
    values : (n, k) float64, in the unit of the fit; each row stationary and within the bounds of the estimation.
    last_residuals, last_variances : (n, lags) the states, oldest first: the history filtered with each row.
    method : ``"covariance"`` or ``"bootstrap"``.
    findings : how the draws were made and what to keep in mind.
    """

    spec: VolatilitySpec
    names: tuple[str, ...]
    values: Array
    last_residuals: Array
    last_variances: Array
    method: str
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def params(self, draw: int) -> dict[str, float]:
        """One draw by the parameters' names."""
        return dict(zip(self.names, self.values[draw].tolist(), strict=True))

    @property
    def frame(self) -> pd.DataFrame:
        """The draws, a row each, a column a parameter."""
        return pd.DataFrame(self.values, columns=list(self.names), index=pd.RangeIndex(len(self), name="draw"))

    @property
    def persistence(self) -> Array:
        """The persistence of each draw (n,), by its own law."""
        found = []
        for draw in range(len(self)):
            recursion, law = self._numeric(draw)
            found.append(recursion.persistence(law))
        return np.array(found)

    @property
    def next_variance(self) -> Array:
        """The variance of the step after the last, by each draw (n,)."""
        found = []
        for draw in range(len(self)):
            recursion, law = self._numeric(draw)
            found.append(recursion.forecast(self.last_residuals[draw], self.last_variances[draw], 1, law)[0])
        return np.array(found)

    def _numeric(self, draw: int) -> tuple[Recursion, Law]:
        params = self.params(draw)
        return recursion_of(self.spec, params), Law.of(self.spec.dist, params)

    def summary(self) -> pd.DataFrame:
        """One row a parameter, and the persistence: mean, sd, 2.5 %, 50 % and 97.5 % points of the draws."""
        table = self.frame.assign(persistence=self.persistence)
        quantiles = table.quantile([0.025, 0.5, 0.975]).T
        quantiles.columns = pd.Index(["2.5 %", "50 %", "97.5 %"])
        found = pd.concat([table.mean().rename("mean"), table.std(ddof=0).rename("sd"), quantiles], axis=1)
        found.index.name = "parameter"
        return found

    def __repr__(self) -> str:
        return f"ParameterDraws({len(self)} of {self.spec}, by {self.method})"

    def _repr_html_(self) -> str:
        table = self.summary()
        rows = [
            (name, *(f"{value:.6g}" for value in row)) for name, row in zip(table.index, table.to_numpy(), strict=True)
        ]
        found = html_table(["parameter", *table.columns], rows, repr(self))
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return found + html_table(["finding", "severity", "message"], notes)


def draw_params(fit: VolatilityFit, n: int, rng: np.random.Generator) -> ParameterDraws:
    """Draw the parameters of a fit within their estimation error, and filter the history with each draw.

    From the robust covariance: a normal law in free coordinates (see `collatrisk.volatility.coordinates`) whose
    covariance is J V J', J the derivative of the coordinates at the estimate (delta method). Every draw is stationary
    (persistence below 1 by its own law), has omega above 0 and its shapes within the bounds of the estimation.

    Where a parameter lies on a bound, or nearer than 1.4 standard errors, no normal law holds: the history is simulated
    anew from the estimate with resampled standardised residuals and refitted (residual bootstrap), which is said in a
    finding. A refit of persistence 1 is brought down to 1 - 1e-6. On the bound itself the bootstrap is an
    approximation (Andrews 2000, Econometrica 68(2)).

    Parameters
    ----------
    fit : of `fit_volatility`.
    n : draws, >= 1.
    rng : the source of random numbers; the same state gives the same draws.

    Raises
    ------
    InputError : an argument breaks a rule.
    FitError : the bootstrap was needed and most simulated histories could not be fitted.
    """
    from collatrisk.volatility.bootstrap import bootstrap_params, simulate_returns

    n = checked_draws("draw_params", n, rng)
    coordinates, theta = Coordinates(fit.spec), as_vector(fit.spec, fit.params)
    known = uncertainty_of(fit)
    findings: tuple[Finding, ...] = ()
    # Asked without normals first, so that random numbers are used by one of the two ways alone.
    if covariance_draws(coordinates, theta, known, np.empty((0, theta.size))) is None:
        shocks = standardised(fit.std_resid)
        start = float(np.mean((fit.std_resid * fit.conditional_volatility) ** 2))

        def simulate(count: int) -> Array:
            rows: NDArray[np.int64] = rng.integers(0, shocks.size, (fit.n_obs, count))
            return simulate_returns(fit.spec, fit.params, shocks[rows], start, float(fit.returns[0]))

        values, failed = bootstrap_params(fit.spec, fit.presample, simulate, n, theta)
        values, pulled = stationary(coordinates, values)
        findings = (bootstrap_finding(fit.name, known, "resampled residuals", failed, pulled),)
    else:
        drawn = covariance_draws(coordinates, theta, known, rng.standard_normal((n, theta.size)))
        assert drawn is not None
        values = drawn
    residuals, variances = _filtered(fit, values)
    method = "bootstrap" if findings else "covariance"
    return ParameterDraws(fit.spec, coordinates.names, _frozen(values), residuals, variances, method, findings)


def covariance_draws(
    coordinates: Coordinates, theta: Array, known: ParameterUncertainty, normals: Array
) -> Array | None:
    """Parameters (n, k) from standard normals (n, k), by the delta method; None where it does not hold.

    The square root of the correlation is the symmetric one, so that each normal moves mostly its own parameter.
    """
    if known.covariance is None or not np.isfinite(coordinates.free(theta)).all():
        return None
    if theta.size == 0:
        return np.empty((normals.shape[0], 0))
    try:
        slopes = coordinates.jacobian(theta)
    except np.linalg.LinAlgError:
        return None
    spread = slopes @ known.covariance @ slopes.T
    errors = np.sqrt(np.diag(spread))
    unbounded = {"mu", *coordinates.family.unbounded}
    bounded = np.array([name not in unbounded for name in coordinates.names])
    if not np.isfinite(errors).all() or np.any(errors[bounded] > _NEAR):
        return None
    unit = np.where(errors > 0.0, errors, 1.0)
    values, vectors = np.linalg.eigh(spread / np.outer(unit, unit))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    factor, centre = root * unit[None, :], coordinates.free(theta)
    # Row by row: the bits of a matrix product may depend on how many rows it has.
    return np.array([coordinates.params(centre + row @ factor) for row in normals])


def joint_draws(coordinates: Coordinates, theta: Array, known: ParameterUncertainty, normals: Array) -> Array | None:
    """`covariance_draws` by the loadings, from standard normals (n, m) that other assets' draws share; None without."""
    nothing = covariance_draws(coordinates, theta, known, np.empty((0, theta.size)))
    if known.loadings is None or nothing is None or theta.size == 0:
        return None
    factor, centre = coordinates.jacobian(theta) @ known.loadings, coordinates.free(theta)
    # Row by row: the bits of a matrix product may depend on how many rows it has.
    return np.array([coordinates.params(centre + factor @ row) for row in normals])


def shifted_variances(theta: Array, values: Array, known: ParameterUncertainty, last: Array) -> Array:
    """The last variances (n, q) with other parameters (n, k), where the history is not at hand: to first order.

    Straight in the logarithm of the variance, and by a factor of at most 4, beyond which no straight line is believed.
    """
    straight = np.array([known.state_slopes @ (row - theta) for row in values])
    moves = np.clip(straight, -_LARGEST_SHIFT, _LARGEST_SHIFT)
    return np.asarray(last * np.exp(moves), dtype=np.float64)


def standardised(values: Array) -> Array:
    """The same with mean 0 and variance 1, as the innovations of the model have."""
    centred = values - np.mean(values)
    return np.asarray(centred / np.sqrt(np.mean(centred**2)), dtype=np.float64)


def stationary(coordinates: Coordinates, values: Array) -> tuple[Array, int]:
    """The rows, those of persistence 1 or more brought just below it, and how many those were."""
    pulled = [coordinates.pulled_inside(row, _LEAST_GAP) for row in values]
    moved = sum(not np.array_equal(a, b) for a, b in zip(pulled, values, strict=True))
    return np.array(pulled).reshape(values.shape), moved


def bootstrap_finding(
    subject: str, known: ParameterUncertainty | None, shocks: str, failed: int, pulled: int
) -> Finding:
    """Why and how the draws were bootstrapped."""
    why = (
        "no covariance and no slopes were kept with the parameters, so that the last variances are held"
        if known is None
        else "a parameter is on its bound, where the covariance is not defined"
        if known.covariance is None
        else f"a parameter or the persistence is within {1.0 / _NEAR:.2g} standard errors of its bound"
    )
    text = f"{why}: the draws are refits of histories simulated with {shocks} (bootstrap)"
    text += f"; {failed} histories that could not be fitted were drawn again" if failed else ""
    text += f"; {pulled} refit(s) of persistence 1 were brought down to 1 - {_LEAST_GAP:g}" if pulled else ""
    return Finding("parameters-bootstrapped", "info", subject, text)


def law_shocks(dist: str, nu: float, lam: float, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Innovations of mean 0 and variance 1 from the law, by inversion."""
    uniforms = np.clip(rng.random(shape), 1e-16, 1.0 - 1e-16)
    return ppf(dist, uniforms, nu, lam)


def checked_draws(title: str, n: object, rng: object) -> int:
    """The number of draws; refuses what is neither a count nor a generator."""
    problems = Problems(title)
    count = problems.integer("n", n, low=1, high=1_000_000, remedy="200 to 1000 draws are usual")
    rule = "must be a numpy.random.Generator"
    problems.check(isinstance(rng, np.random.Generator), "rng", rng, rule, "give numpy.random.default_rng(7)")
    problems.raise_if_any()
    return count


def _filtered(fit: VolatilityFit, values: Array) -> tuple[Array, Array]:
    """Where the history ends by each row of parameters: last residuals and last variances."""
    likelihood = Likelihood(fit.returns, fit.spec, fit.presample)
    lags, depth = len(fit.last_residuals), len(fit.last_variances)
    residuals, variances = np.empty((len(values), lags)), np.empty((len(values), depth))
    for draw, row in enumerate(values):
        found = likelihood.filter(row)
        state = likelihood.recursion(row).state(found.residuals, found.variances, found.start)
        residuals[draw], variances[draw] = state
    return _frozen(residuals), _frozen(variances)


def _frozen(values: Array) -> Array:
    values = np.ascontiguousarray(values, dtype=np.float64)
    values.setflags(write=False)
    return values
