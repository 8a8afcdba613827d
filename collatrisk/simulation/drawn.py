"""Marginals drawn within their estimation error, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.dependence.correlation import correlation_factor
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.volatility.coordinates import Coordinates, as_vector
from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.peg_estimate import from_coordinate, to_coordinate
from collatrisk.volatility.tail_law import InnovationLaw, TailLaw
from collatrisk.volatility.uncertainty import (
    bootstrap_finding,
    covariance_draws,
    joint_draws,
    law_shocks,
    shifted_variances,
    stationary,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MarginalDraws:
    """One asset's parameters and last variances, a row a draw; no rows where the parameters were given.

    Attributes
    ----------
    origin : the marginal of the estimates. names : of the columns.
    values : (n, k). last_variances : (n, q). findings : how they were drawn.
    laws : of the innovations where they are not the spec's, one a draw.
    """

    origin: Marginal
    names: tuple[str, ...]
    values: FloatArray | None
    last_variances: FloatArray
    findings: tuple[Finding, ...]
    laws: tuple[InnovationLaw, ...] = ()

    def marginal(self, draw: int) -> Marginal:
        """The marginal with the parameters and the state of one draw, as if they had been given."""
        origin = self.origin
        if self.values is None:
            return origin
        params = dict(zip(self.names, self.values[draw].tolist(), strict=True))
        moved = origin.mu - params.get("mu", 0.0)
        return replace(
            origin,
            params=params,
            std_errors={},
            last_residuals=tuple(value + moved for value in origin.last_residuals),
            last_variances=tuple(self.last_variances[draw].tolist()),
            n_obs=0,
            loglikelihood=None,
            findings=(*origin.findings, *self.findings),
            uncertainty=None,
            innovations=self.laws[draw] if self.laws else origin.innovations,
        )


@dataclass(frozen=True)
class PegDraws:
    """One peg's parameters, a row a draw of those that were estimated; no rows where there is nothing to draw from.

    Attributes
    ----------
    origin : the marginal of the estimates. values : (n, k), in the order of `origin.uncertainty.names`.
    findings : how they were drawn.
    """

    origin: PegMarginal
    values: FloatArray | None
    findings: tuple[Finding, ...]

    def marginal(self, draw: int) -> PegMarginal:
        """The peg with the parameters of one draw; where its basis stands is kept, measured from the drawn centre."""
        origin = self.origin
        if self.values is None or origin.uncertainty is None:
            return origin
        params = dict(origin.params) | dict(zip(origin.uncertainty.names, self.values[draw].tolist(), strict=True))
        return replace(
            origin,
            params=params,
            std_errors={},
            last_distance=origin.last_distance + origin.params["center"] - params["center"],
            n_obs=0,
            loglikelihood=None,
            findings=(*origin.findings, *self.findings),
            uncertainty=None,
        )


def _draw_peg(peg: PegMarginal, n: int, rng: np.random.Generator) -> PegDraws:
    """From the normal law of the coordinates; what was given or is a default stays."""
    known = peg.uncertainty
    if peg.n_obs == 0 or known is None or known.covariance is None:
        text = "the peg's parameters were given, or have no standard errors: they are taken as known"
        return PegDraws(peg, None, (Finding("parameters-given", "info", peg.asset, text),))
    centre = np.array([to_coordinate(name, peg.params[name]) for name in known.names])
    drawn = rng.multivariate_normal(centre, known.covariance, n, method="eigh")
    values = np.array(
        [[from_coordinate(name, float(c)) for name, c in zip(known.names, row, strict=True)] for row in drawn]
    )
    return PegDraws(peg, values, ())


def draw_marginals(model: MarketModel, n: int, rng: np.random.Generator) -> tuple[MarginalDraws | PegDraws, ...]:
    """Draws of every asset's parameters; see `collatrisk.simulation.draw_models`."""
    normals = _NormalsByName(model, n, rng)
    streams = rng.spawn(len(model.marginals))
    joint = _joint_normals(model, n, rng)
    found: list[MarginalDraws | PegDraws] = []
    for place, (marginal, stream) in enumerate(zip(model.marginals, streams, strict=True)):
        if isinstance(marginal, PegMarginal):
            found.append(_draw_peg(marginal, n, stream))
            continue
        column = None if model.dependence.rows is None else model.dependence.rows[:, place]
        own = stream.spawn(1)[0]
        own_normals = normals.of(place, Coordinates(marginal.spec).names)
        known = marginal.uncertainty
        common = None if known is None else joint.get(known.shared)
        drawn = _draw_one(marginal, own_normals, common, column, stream)
        law = marginal.innovations
        laws = tuple(law.draw(own) for _ in range(n)) if isinstance(law, TailLaw) and marginal.n_obs else ()
        found.append(replace(drawn, laws=laws))
    return tuple(found)


def _shocks(
    marginal: Marginal, column: FloatArray | None, shape: tuple[int, int], rng: np.random.Generator
) -> FloatArray:
    """Innovations as the paths have them: from the rows, from the semiparametric law, or from the spec's."""
    if column is not None:
        return np.asarray(column[rng.integers(column.size, size=shape)])
    if isinstance(marginal.innovations, TailLaw):
        return marginal.innovations.ppf(rng.random(shape))
    return law_shocks(marginal.dist, marginal.nu, marginal.lam, shape, rng)


class _NormalsByName:
    """Standard normals for each parameter name, correlated between the assets as their estimation errors are."""

    def __init__(self, model: MarketModel, n: int, rng: np.random.Generator) -> None:
        plain = [marginal for marginal in model.marginals if not isinstance(marginal, PegMarginal)]
        names = sorted({name for marginal in plain for name in Coordinates(marginal.spec).names})
        correlation = model.dependence.correlation
        squared = correlation_factor(np.asarray(correlation**2))  # a correlation too, by Schur's product theorem
        unsquared = correlation_factor(correlation)
        draws = rng.standard_normal((n, len(names), len(model.assets)))
        self._normals = {
            name: np.array([(unsquared if name == "mu" else squared) @ row for row in draws[:, place, :]])
            for place, name in enumerate(names)
        }
        self._n = n

    def of(self, asset: int, names: tuple[str, ...]) -> FloatArray:
        """(n, k) for one asset's parameters."""
        columns = [self._normals[name][:, asset] for name in names]
        return np.column_stack(columns) if columns else np.empty((self._n, 0))


def _joint_normals(model: MarketModel, n: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    """By the name of each joint law of errors: the standard normals (n, m) that its assets share."""
    found: dict[str, FloatArray] = {}
    for marginal in model.marginals:
        known = None if isinstance(marginal, PegMarginal) else marginal.uncertainty
        if known is not None and known.loadings is not None and known.shared not in found:
            found[known.shared] = rng.spawn(1)[0].standard_normal((n, known.loadings.shape[1]))
    return found


def _draw_one(
    marginal: Marginal,
    normals: FloatArray,
    common: FloatArray | None,
    column: FloatArray | None,
    rng: np.random.Generator,
) -> MarginalDraws:
    n = normals.shape[0]
    coordinates = Coordinates(marginal.spec)
    last = np.array(marginal.last_variances, dtype=np.float64)
    if marginal.n_obs == 0:
        text = "the parameters were given, not fitted: they are taken as known"
        given = Finding("parameters-given", "info", marginal.asset, text)
        return MarginalDraws(marginal, coordinates.names, None, np.tile(last, (n, 1)), (given,))
    theta = as_vector(marginal.spec, marginal.params)
    known, notes = marginal.uncertainty, list[Finding]()
    values = None if known is None or common is None else joint_draws(coordinates, theta, known, common)
    if values is None and known is not None:
        values = covariance_draws(coordinates, theta, known, normals)
    if values is None and known is None:
        values = _uncorrelated(marginal, coordinates, theta, normals, notes)
    if values is None:
        values = _bootstrapped(marginal, coordinates, theta, n, column, rng, notes)
    state = np.tile(last, (n, 1)) if known is None else shifted_variances(theta, values, known, last)
    return MarginalDraws(marginal, coordinates.names, values, state, tuple(notes))


def _uncorrelated(
    marginal: Marginal, coordinates: Coordinates, theta: FloatArray, normals: FloatArray, notes: list[Finding]
) -> FloatArray | None:
    """By the standard errors alone, where refits of simulated histories would take minutes."""
    from collatrisk.volatility.quasi import is_fast

    if is_fast(marginal.spec) or any(name not in marginal.std_errors for name in coordinates.names):
        return None
    errors = np.array([marginal.std_errors[name] for name in coordinates.names])
    alone = ParameterUncertainty(coordinates.names, np.diag(errors**2), np.zeros((0, theta.size)))
    values = covariance_draws(coordinates, theta, alone, normals)
    if values is not None:
        text = "the model was saved without covariances: robust standard errors as if they were not correlated are used"
        notes.append(Finding("parameters-uncorrelated", "warning", marginal.asset, f"{text}; fit the model again"))
    return values


def _bootstrapped(
    marginal: Marginal,
    coordinates: Coordinates,
    theta: FloatArray,
    n: int,
    column: FloatArray | None,
    rng: np.random.Generator,
    notes: list[Finding],
) -> FloatArray:
    """Refits of histories simulated from the marginal itself, of its own length."""
    from collatrisk.volatility.bootstrap import bootstrap_params, simulate_returns

    long_run = marginal.long_run_volatility**2
    start = long_run if math.isfinite(long_run) else marginal.next_variance

    def simulate(count: int) -> FloatArray:
        shocks = _shocks(marginal, column, (marginal.n_obs, count), rng)
        return simulate_returns(marginal.spec, marginal.params, shocks, start, marginal.last_return or 0.0)

    values, failed = bootstrap_params(marginal.spec, "mean_square", simulate, n, theta)
    values, pulled = stationary(coordinates, values)
    law = "innovations of the fitted law" if column is None else "innovations drawn from the rows of history"
    notes.append(bootstrap_finding(marginal.asset, marginal.uncertainty, law, failed, pulled))
    return values
