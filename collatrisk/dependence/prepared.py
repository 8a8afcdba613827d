"""A sample correlation made ready for use: shrunk, repaired, and with copies named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.dependence.correlation import MAX_CONDITION, condition_number, nearest_correlation
from collatrisk.dependence.dynamic_specs import Shrinkage
from collatrisk.dependence.shrinkage import (
    FEW_OBSERVATIONS_PER_ASSET,
    constant_correlation_target,
    ledoit_wolf_intensity,
    shrinkage_finding,
)

FloatArray = NDArray[np.float64]

_PERFECT = 1.0 - 1e-9


@dataclass(frozen=True)
class Prepared:
    """A correlation ready for use, and how it came to be.

    Attributes
    ----------
    matrix : float64 (n, n). distinct : columns that are no copy of an earlier one. shrinkage : weight of the target.
    findings : what was noticed.
    """

    matrix: FloatArray
    distinct: list[int]
    shrinkage: float
    findings: tuple[Finding, ...]


def prepare(raw: FloatArray, scores: FloatArray, shrinkage: Shrinkage, names: tuple[str, ...]) -> Prepared:
    """Shrink if observations are few, repair if the matrix is not fit for use, and name copies."""
    n_obs, size = scores.shape
    matrix = np.clip((raw + raw.T) / 2, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    distinct, findings = _copies(matrix, names)
    weight = 0.0
    if shrinkage == "auto" and n_obs < FEW_OBSERVATIONS_PER_ASSET * size:
        weight = ledoit_wolf_intensity(scores)
        matrix = (1.0 - weight) * matrix + weight * constant_correlation_target(matrix)
        findings += shrinkage_finding(weight, n_obs, size)
    if condition_number(matrix) > MAX_CONDITION:
        matrix, repaired = nearest_correlation(matrix, min_eigenvalue=size / MAX_CONDITION)
        if repaired is not None:
            findings.append(repaired)
    return Prepared(matrix, distinct, weight, tuple(findings))


def _copies(matrix: FloatArray, names: tuple[str, ...]) -> tuple[list[int], list[Finding]]:
    distinct: list[int] = []
    findings: list[Finding] = []
    for i, name in enumerate(names):
        twin = next((j for j in distinct if abs(matrix[i, j]) > _PERFECT), None)
        if twin is None:
            distinct.append(i)
            continue
        way = "with" if matrix[i, twin] > 0 else "against"
        message = (
            f"{name} moves perfectly {way} {names[twin]} (correlation {matrix[i, twin]:.9f}), so the likelihood leaves "
            "it out; keep one of the two unless this is meant"
        )
        findings.append(Finding("perfect-correlation", "warning", name, message))
    return distinct, findings
