"""The copula, and how its correlation moves, as arrays of the path kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.dependence.correlation import correlation_factor
from collatrisk.dependence.result import DependenceFit
from collatrisk.simulation.tables import TOLERANCE, mixing_table

if TYPE_CHECKING:
    from collatrisk.kernels.motion import MotionInputs
    from collatrisk.kernels.scores import ScoreInputs

FloatArray = NDArray[np.float64]


def score_inputs(dependence: DependenceFit, seed: int, tolerance: float = TOLERANCE) -> ScoreInputs:
    """What `collatrisk.kernels.scores` reads; `tolerance` is that of the tables of mixing variables."""
    from collatrisk.kernels.scores import ScoreInputs

    correlation = dependence.correlation
    nus = _degrees(dependence)
    distinct, group = np.unique(nus, return_inverse=True)
    mixed = bool(np.isfinite(distinct).any())
    tables = [mixing_table(float(nu), tolerance) for nu in distinct] if mixed else []
    cubics = [table.cubics for table in tables] or [np.zeros((2, 4))]
    return ScoreInputs(
        key=stream_key(seed, Purpose.PATHS),
        lower=correlation_factor(correlation),
        correlated=not np.array_equal(correlation, np.eye(len(correlation))),
        mixed=mixed,
        group=np.asarray(group, dtype=np.int64),
        mixing=np.ascontiguousarray(np.concatenate(cubics)),
        mixing_rows=np.cumsum([0, *map(len, cubics)]).astype(np.int64),
        mixing_scale=np.array([float(2**table.power) for table in tables] or [0.0]),
        conditional=_unit_variance(nus),
    )


def motion_inputs(dependence: DependenceFit) -> MotionInputs:
    """What `collatrisk.kernels.motion` reads."""
    from collatrisk.kernels.motion import MotionInputs

    motion = dependence.dynamics
    unit = np.sqrt(_unit_variance(_degrees(dependence)))
    if motion is None:
        return MotionInputs(False, 0.0, 0.0, 0.0, False, np.empty(0), np.empty(0), unit)
    lower = np.tril_indices(len(unit))
    return MotionInputs(
        moving=True,
        a=motion.a,
        b=motion.b,
        g=motion.g,
        corrected=motion.motion == "corrected",
        constant=np.ascontiguousarray(motion.constant(dependence.correlation)[lower]),
        state=np.ascontiguousarray(motion.state[lower]),
        unit=unit,
    )


def _degrees(dependence: DependenceFit) -> FloatArray:
    """Degrees of freedom of the copula by asset, inf where there are none."""
    return np.array([np.inf if nu is None else nu for nu in dependence.nus])


def _unit_variance(nus: FloatArray) -> FloatArray:
    """(nu - 2) / nu, 1 for normal scores: one over the variance of a score."""
    return np.where(np.isfinite(nus), 1.0 - 2.0 / nus, 1.0)
