"""From a market model to the arrays of the path kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.dependence.correlation import correlation_factor
from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.tables import CubicTable, mixing_table, normal_score_table, t_score_table

if TYPE_CHECKING:
    from collatrisk.kernels.paths import PathInputs

FloatArray = NDArray[np.float64]
Drift: TypeAlias = Literal["martingale", "zero_log", "fitted"]
DRIFTS: tuple[Drift, ...] = ("martingale", "zero_log", "fitted")

_NO_CUBICS = np.zeros((2, 4))


def path_inputs(model: MarketModel, clock: Clock, seed: int, drift: Drift) -> PathInputs:
    """Everything that `collatrisk.kernels.paths.simulate_block` reads.

    Parameters
    ----------
    clock : the clock of the simulated steps; finer than the model's only where every variance is constant.
    """
    from collatrisk.kernels.paths import PathInputs

    refinement = clock.steps_per_day / model.clock.steps_per_day
    nu = model.dependence.nu
    correlation = model.dependence.correlation
    mixing = None if nu is None else mixing_table(nu)
    fitted = drift == "fitted"
    return PathInputs(
        key=stream_key(seed, Purpose.PATHS),
        jump_key=stream_key(seed, Purpose.JUMPS),
        lower=correlation_factor(correlation),
        correlated=not np.array_equal(correlation, np.eye(len(model.assets))),
        spot=np.array(model.spot),
        mean=np.array([m.mu / refinement if fitted else 0.0 for m in model.marginals]),
        variance_drift=-0.5 if drift == "martingale" else 0.0,
        **_recursion(model.marginals, refinement),
        mixed=mixing is not None,
        mixing=_NO_CUBICS if mixing is None else mixing.cubics,
        mixing_scale=0.0 if mixing is None else float(2**mixing.power),
        conditional=1.0 if nu is None else (nu - 2.0) / nu,
        **_laws(model.marginals, nu),
        jump_probability=np.array([-np.expm1(-j.intensity_per_year * clock.step_years) for j in model.jumps]),
        jump_size=np.array([[j.log_sizes.get(a, 0.0) for a in model.assets] for j in model.jumps]).reshape(
            len(model.jumps), len(model.assets)
        ),
    )


def is_constant(marginal: Marginal) -> bool:
    """Whether the variance of this marginal never moves."""
    c = marginal.coefficients
    return c.residual_lags == 0 and c.variance_lags == 0


def _recursion(marginals: tuple[Marginal, ...], refinement: float) -> dict[str, Any]:
    """The GARCH coefficients and the filtered state, padded with zeros to the longest lag."""
    coefficients = [marginal.coefficients for marginal in marginals]
    size = len(marginals)
    lags = max(1, *(max(c.residual_lags, c.variance_lags) for c in coefficients))
    constant = np.array([is_constant(marginal) for marginal in marginals])
    arrays = {name: np.zeros((size, lags)) for name in ("alpha", "gamma", "beta", "residuals", "variances")}
    omega = np.array([c.omega for c in coefficients])
    omega[constant] /= refinement
    for i, (marginal, c) in enumerate(zip(marginals, coefficients, strict=True)):
        for name in ("alpha", "gamma", "beta"):
            values = getattr(c, name)
            arrays[name][i, : len(values)] = values
        for name, values in (("residuals", marginal.last_residuals), ("variances", marginal.last_variances)):
            arrays[name][i, lags - len(values) :] = values
        if constant[i]:
            arrays["variances"][i] = omega[i]
    return {"constant": constant, "omega": omega, **arrays}


def _laws(marginals: tuple[Marginal, ...], copula_nu: float | None) -> dict[str, Any]:
    """How each asset's score becomes its innovation; assets of one law share a table."""
    from collatrisk.kernels.paths import EVEN, LINEAR, OCTAVE

    size = len(marginals)
    law, power, offset, segments = (np.zeros(size, dtype=np.int64) for _ in range(4))
    scale = np.ones(size)
    tables: dict[tuple[str, float, float], tuple[CubicTable, int]] = {}
    stacked = [_NO_CUBICS]
    for i, marginal in enumerate(marginals):
        factor = _linear_scale(marginal, copula_nu)
        if factor is not None:
            law[i], scale[i] = LINEAR, factor
            continue
        shape = (marginal.dist, marginal.nu, marginal.lam)
        if shape not in tables:
            table = normal_score_table(*shape) if copula_nu is None else t_score_table(copula_nu, *shape)
            tables[shape] = (table, sum(map(len, stacked)))
            stacked.append(table.cubics)
        table, offset[i] = tables[shape]
        law[i] = OCTAVE if table.octaves else EVEN
        scale[i], power[i], segments[i] = float(2**table.power), table.power, table.segments
    cubics = np.ascontiguousarray(np.concatenate(stacked))
    return {"law": law, "scale": scale, "power": power, "offset": offset, "segments": segments, "cubics": cubics}


def _linear_scale(marginal: Marginal, copula_nu: float | None) -> float | None:
    """The factor from score to innovation where they differ by no more; None where a table is needed."""
    if copula_nu is None:
        return 1.0 if marginal.dist == "normal" else None
    same = marginal.dist != "normal" and marginal.lam == 0.0 and marginal.nu == copula_nu
    return float(np.sqrt((copula_nu - 2.0) / copula_nu)) if same else None
