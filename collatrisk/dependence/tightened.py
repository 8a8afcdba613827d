"""A dependence under a correlation stress: constant or moving, and positive semi-definite in every step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collatrisk.dependence.correlation import equicorrelation
from collatrisk.dependence.dynamics import CorrelationDynamics
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import GaussianCopula, Independent

FloatArray = NDArray[np.float64]


def tightened(fit: DependenceFit, rho: float, weight: float) -> DependenceFit:
    """R* = (1 - weight) R + weight E, E the matrix in which every pair has correlation rho.

    A mixture of two correlation matrices is one. Where correlation moves, the level and the next step are mixed so and
    the motion keeps its parameters: R* is where the paths start and the level to which they return; in between a joint
    move still moves them. N of an asymmetric model is mixed with that of normal scores of correlation rho, and
    scaled down where the constant of the recursion would not be positive semi-definite with it.

    Parameters
    ----------
    fit : a copula, constant or moving; independent assets become a Gaussian copula.
    rho : in [-1 / (n - 1), 1]. weight : in [0, 1].
    """
    size = len(fit.assets)
    if weight == 0.0 or size < 2:
        return fit
    target = equicorrelation(size, rho)
    mixed = _mixed(fit.correlation, target, weight)
    spec = GaussianCopula() if isinstance(fit.spec, Independent) else fit.spec
    motion = None if fit.dynamics is None else _motion(fit.dynamics, mixed, target, rho, weight)
    if motion is not None and motion.motion == "ewma":
        mixed = motion.next_correlation
    return replace(fit, spec=spec, correlation=mixed, loglikelihood=None, dynamics=motion)


def _mixed(correlation: FloatArray, target: FloatArray, weight: float) -> FloatArray:
    mixed = (1.0 - weight) * correlation + weight * target
    np.fill_diagonal(mixed, 1.0)
    return mixed


def _motion(
    motion: CorrelationDynamics, level: FloatArray, target: FloatArray, rho: float, weight: float
) -> CorrelationDynamics:
    sd = np.sqrt(np.diag(motion.state))
    state = _mixed(motion.next_correlation, target, weight) * np.outer(sd, sd)
    moved = replace(motion, state=0.5 * (state + state.T))
    if motion.negatives is None:
        return moved
    falls = np.full_like(level, _joint_falls(rho))
    np.fill_diagonal(falls, 0.5)
    moved = replace(moved, negatives=(1.0 - weight) * motion.negatives + weight * falls)
    room, needed = 1.0 - motion.a - motion.b, moved.limit(level) * motion.g
    if needed <= room:
        return moved
    assert moved.negatives is not None
    return replace(moved, negatives=moved.negatives * (room / needed))


def _joint_falls(rho: float) -> float:
    """E[min(x, 0) min(y, 0)] of standard normals with correlation rho."""
    rho = min(max(rho, -1.0), 1.0)
    return (math.sqrt(1.0 - rho * rho) + rho * (0.5 * math.pi + math.asin(rho))) / (2.0 * math.pi)
