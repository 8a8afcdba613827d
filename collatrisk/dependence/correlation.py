"""Correlation matrices: the nearest one to a matrix that is not one, its square root, and stressed ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import FitError, InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]

MAX_CONDITION = 1e8
_MAX_ITERATIONS = 20_000
_CONVERGED = 1e-13
_GOOD_ENOUGH = 1e-8


def nearest_correlation(matrix: FloatArray, *, min_eigenvalue: float = 0.0) -> tuple[FloatArray, Finding | None]:
    """The correlation matrix nearest to a symmetric matrix in the Frobenius norm.

    Higham's alternating projections with Dykstra's correction (N. J. Higham, Computing the nearest correlation
    matrix: a problem from finance, IMA Journal of Numerical Analysis 22 (2002), 329-343, algorithm 3.3, unit weights).

    Parameters
    ----------
    matrix : float (n, n), symmetric, finite. A matrix that already is a correlation matrix comes back as it is.
    min_eigenvalue : float in [0, 1): smallest eigenvalue allowed in the result.

    Returns
    -------
    matrix : float64 (n, n), symmetric, exact unit diagonal, smallest eigenvalue >= `min_eigenvalue` up to rounding.
    finding : ``"correlation-repaired"`` with the largest change of an entry, or None if nothing had to change.

    Raises
    ------
    InputError : not square, not symmetric or not finite.
    FitError : no convergence.
    """
    start = _checked(matrix, min_eigenvalue)
    tolerance = 1e-12 * max(len(start), 1)
    smallest = float(np.linalg.eigvalsh(start)[0]) if len(start) else 1.0
    if smallest >= min_eigenvalue - tolerance and np.array_equal(np.diag(start), np.ones(len(start))):
        return start, None
    nearest = _finish(_project(start, min_eigenvalue), min_eigenvalue)
    change = float(np.max(np.abs(nearest - start)))
    message = (
        f"smallest eigenvalue {smallest:.3g} of the given correlation is below {min_eigenvalue:g} or its diagonal is "
        f"not one; replaced by the nearest correlation matrix (Higham 2002): no entry moves by more than {change:.2g}"
    )
    return nearest, Finding("correlation-repaired", "warning", "correlation", message)


def correlation_factor(correlation: FloatArray) -> FloatArray:
    """A lower triangular L with L L' = correlation, also where the matrix is singular (perfect correlation).

    Parameters
    ----------
    correlation : float64 (n, n), symmetric positive semi-definite.

    Returns
    -------
    float64 (n, n), C-contiguous. A pivot below 1e-12 counts as zero, and so does the rest of its column.
    """
    size = len(correlation)
    factor = np.zeros((size, size))
    for j in range(size):
        rest = correlation[j:, j] - factor[j:, :j] @ factor[j, :j]
        if rest[0] > 1e-12:
            factor[j:, j] = rest / np.sqrt(rest[0])
    return factor


def equicorrelation(size: int, rho: float) -> FloatArray:
    """The matrix in which every pair has correlation `rho`.

    Raises
    ------
    InputError : unless -1 / (size - 1) <= rho <= 1, without which it is not positive semi-definite.
    """
    lowest = -1.0 / (size - 1) if size > 1 else -1.0
    problems = Problems("equicorrelation")
    problems.number("rho", rho, low=lowest, high=1.0, remedy=f"{size} assets cannot all be less correlated")
    problems.raise_if_any()
    matrix = np.full((size, size), float(rho))
    np.fill_diagonal(matrix, 1.0)
    return matrix


def is_correlation(matrix: FloatArray) -> bool:
    """Whether a square, finite matrix is symmetric and positive semi-definite (to 1e-9), with ones on its diagonal."""
    symmetric = bool(np.isfinite(matrix).all()) and np.allclose(matrix, matrix.T, rtol=0, atol=1e-12)
    ones = np.allclose(np.diag(matrix), 1.0, rtol=0, atol=1e-12)
    return bool(symmetric and ones and np.linalg.eigvalsh(matrix)[0] >= -1e-9)


def condition_number(correlation: FloatArray) -> float:
    """Largest over smallest eigenvalue of a symmetric matrix; infinite if the smallest is not positive."""
    values = np.linalg.eigvalsh(correlation)
    return float(values[-1] / values[0]) if values[0] > 0 else float("inf")


def _checked(matrix: FloatArray, min_eigenvalue: float) -> FloatArray:
    problems = Problems("nearest_correlation")
    problems.number("min_eigenvalue", min_eigenvalue, low=0, high=1, open_high=True, remedy="0, or a small number")
    array = as_numbers(matrix, "nearest_correlation", "matrix")
    square = array.ndim == 2 and array.shape[0] == array.shape[1]
    problems.check(square, "matrix", array.shape, "must be square", "one row and one column an asset")
    if square:
        finite = bool(np.isfinite(array).all())
        problems.check(finite, "matrix", array.tolist(), "must be finite", "remove NaN and infinities")
        symmetric = bool(np.allclose(array, array.T, rtol=0, atol=1e-12)) or not finite
        problems.check(symmetric, "matrix", array.tolist(), "must be symmetric", "use (C + C.T) / 2")
    problems.raise_if_any()
    return np.ascontiguousarray((array + array.T) / 2)


def _project(start: FloatArray, min_eigenvalue: float) -> FloatArray:
    current, correction, gap = start.copy(), np.zeros_like(start), np.inf
    for _ in range(_MAX_ITERATIONS):
        shifted = current - correction
        positive = _clip_eigenvalues(shifted, min_eigenvalue)
        correction = positive - shifted
        before, current = current, positive.copy()
        np.fill_diagonal(current, 1.0)
        scale = max(1.0, float(np.max(np.abs(current))))
        gap = float(max(np.max(np.abs(current - before)), np.max(np.abs(current - positive)))) / scale
        if gap <= _CONVERGED:
            return current
    if gap <= _GOOD_ENOUGH:
        return current
    raise FitError(f"nearest_correlation: no convergence in {_MAX_ITERATIONS} alternating projections")


def _clip_eigenvalues(matrix: FloatArray, lowest: float) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    clipped = (vectors * np.maximum(values, lowest)) @ vectors.T
    return np.asarray((clipped + clipped.T) / 2)


def _finish(matrix: FloatArray, min_eigenvalue: float) -> FloatArray:
    """Take off the last rounding errors: eigenvalues at the floor, exact unit diagonal."""
    clipped = _clip_eigenvalues(matrix, min_eigenvalue)
    scale = 1.0 / np.sqrt(np.diag(clipped))
    unit = clipped * scale[:, None] * scale[None, :]
    np.fill_diagonal(unit, 1.0)
    return np.ascontiguousarray(np.clip((unit + unit.T) / 2, -1.0, 1.0))


def as_numbers(values: object, title: str, name: str) -> FloatArray:
    """A copy as C-contiguous float64.

    Raises
    ------
    InputError : for what is no table of numbers.
    """
    try:
        return np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        problems = Problems(title)
        problems.add(name, values, "must be a table of numbers", "give a float64 array")
        raise InputError(title, problems.found) from error
