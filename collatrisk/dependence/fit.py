"""Fit a copula to the uniforms (probability integral transforms) of standardised residuals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import DataError, InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import MAX_CONDITION, as_numbers, condition_number, nearest_correlation
from collatrisk.dependence.density import gaussian_loglikelihood, normal_scores
from collatrisk.dependence.kendall import kendall_tau, tau_to_correlation
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.shrinkage import (
    FEW_OBSERVATIONS_PER_ASSET,
    constant_correlation_target,
    ledoit_wolf_intensity,
)
from collatrisk.dependence.specs import DependenceSpec, GaussianCopula, Independent, Shrinkage, StudentTCopula
from collatrisk.dependence.student import NU_HIGH, NU_LOW, fit_nu, nu_finding, nu_standard_error

FloatArray = NDArray[np.float64]

MIN_OBSERVATIONS = 20
_PERFECT = 1.0 - 1e-9


def fit_dependence(uniforms: FloatArray, spec: DependenceSpec, *, assets: Sequence[str]) -> DependenceFit:
    """Fit the dependence between assets.

    Gaussian copula: correlation of the normal scores. Student t copula: correlation by inversion of Kendall's tau,
    rho = sin(pi tau / 2), then nu by maximum likelihood at that correlation (McNeil, Frey and Embrechts, Quantitative
    Risk Management, 2015, section 7.5.1), with a standard error that allows for the first step.

    Parameters
    ----------
    uniforms : float64 (n_obs, n_assets), each in (0, 1): the fitted marginal law's distribution function at the
        standardised residuals, one row a step; at least 20 rows.
    spec : Independent, GaussianCopula or StudentTCopula. Under ``shrinkage="auto"`` and fewer than ten observations an
        asset, the correlation is shrunk to constant correlation with Ledoit and Wolf's weight on the normal scores.
    assets : the columns' names.

    Returns
    -------
    DependenceFit. One asset has no dependence and comes back as `Independent` with a finding. Assets that move as one
    are named in a finding; the likelihood then counts the first of them only.

    Raises
    ------
    InputError : shapes or names that do not fit.
    DataError : NaN, values outside (0, 1), a constant column, too few rows, nothing but copies of one asset.
    """
    data, names = _checked(uniforms, spec, assets)
    n_obs, size = data.shape
    if size == 1:
        message = "one asset has no dependence to fit; it is kept as independent"
        finding = Finding("one-asset", "info", names[0], message)
        return DependenceFit(Independent(), names, np.eye(1), loglikelihood=0.0, n_obs=n_obs, findings=(finding,))
    if isinstance(spec, Independent):
        return DependenceFit(spec, names, np.eye(size), loglikelihood=0.0, n_obs=n_obs)
    if isinstance(spec, GaussianCopula):
        return _fit_gaussian(data, spec, names)
    assert isinstance(spec, StudentTCopula)
    return _fit_student(data, spec, names)


@dataclass(frozen=True)
class _Correlation:
    """A correlation ready for use, and how it came to be."""

    matrix: FloatArray
    distinct: list[int]
    shrinkage: float
    findings: tuple[Finding, ...]


def _fit_gaussian(data: FloatArray, spec: GaussianCopula, names: tuple[str, ...]) -> DependenceFit:
    scores = normal_scores(data)
    raw = np.asarray(np.corrcoef(scores, rowvar=False), dtype=np.float64)
    used = _prepare(raw, scores, spec.shrinkage, names)
    distinct = used.distinct
    value = gaussian_loglikelihood(scores[:, distinct], used.matrix[np.ix_(distinct, distinct)])
    return DependenceFit(
        spec,
        names,
        used.matrix,
        loglikelihood=value,
        n_obs=len(data),
        shrinkage=used.shrinkage,
        findings=used.findings,
    )


def _fit_student(data: FloatArray, spec: StudentTCopula, names: tuple[str, ...]) -> DependenceFit:
    tau = kendall_tau(data)
    used = _prepare(tau_to_correlation(tau), normal_scores(data), spec.shrinkage, names)
    rows = np.ix_(used.distinct, used.distinct)
    if len(used.distinct) < 2:
        problems = Problems("fit_dependence", DataError)
        problems.add(
            "uniforms", list(names), "all move as one, which tells nothing of nu", "keep one, or GaussianCopula()"
        )
        problems.raise_if_any()
    distinct = np.ascontiguousarray(data[:, used.distinct])
    nu, value = fit_nu(distinct, used.matrix[rows])
    finding = nu_finding(nu)
    inside = NU_LOW < nu < NU_HIGH
    # Shrinkage scales what the sample correlation passes on; its target is taken as given.
    left = 1.0 - used.shrinkage
    error = nu_standard_error(distinct, used.matrix[rows], tau[rows], nu, left) if inside else None
    return DependenceFit(
        spec,
        names,
        used.matrix,
        nu,
        error,
        value,
        len(data),
        used.shrinkage,
        (*used.findings, *(() if finding is None else (finding,))),
    )


def _prepare(raw: FloatArray, scores: FloatArray, shrinkage: Shrinkage, names: tuple[str, ...]) -> _Correlation:
    """Shrink if observations are few, repair if the matrix is not fit for use, and name copies."""
    n_obs, size = scores.shape
    matrix = np.clip((raw + raw.T) / 2, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    distinct, findings = _copies(matrix, names)
    weight = 0.0
    if shrinkage == "auto" and n_obs < FEW_OBSERVATIONS_PER_ASSET * size:
        weight = ledoit_wolf_intensity(scores)
        matrix = (1.0 - weight) * matrix + weight * constant_correlation_target(matrix)
        message = (
            f"{n_obs} observations of {size} assets are fewer than {FEW_OBSERVATIONS_PER_ASSET} an asset: the "
            f"correlation is shrunk to constant correlation with Ledoit-Wolf weight {weight:.3f}; use a longer history"
        )
        findings.append(Finding("correlation-shrunk", "info", "dependence", message))
    if condition_number(matrix) > MAX_CONDITION:
        matrix, repaired = nearest_correlation(matrix, min_eigenvalue=size / MAX_CONDITION)
        if repaired is not None:
            findings.append(repaired)
    return _Correlation(matrix, distinct, weight, tuple(findings))


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


def _checked(uniforms: object, spec: object, assets: Sequence[str]) -> tuple[FloatArray, tuple[str, ...]]:
    shape = Problems("fit_dependence", InputError)
    listed = isinstance(assets, Iterable) and not isinstance(assets, str)
    shape.check(listed, "assets", assets, "must be a list of names", "give the columns' names")
    shape.raise_if_any()
    names = tuple(map(str, assets))
    data = as_numbers(uniforms, "fit_dependence", "uniforms")
    known = isinstance(spec, (Independent, GaussianCopula, StudentTCopula))
    rule = "must be a copula, which is fitted to uniforms"
    shape.check(known, "spec", spec, rule, "use StudentTCopula(); FilteredHistorical() has fit_history")
    fits = data.ndim == 2 and data.shape[1] == len(names) and len(names) > 0
    shape.check(fits, "uniforms", data.shape, f"must have shape (n_obs, {len(names)})", "one column an asset")
    shape.check(len(set(names)) == len(names), "assets", names, "must not repeat", "give each asset once")
    shape.raise_if_any()
    problems = Problems("fit_dependence", DataError)
    enough = len(data) >= MIN_OBSERVATIONS
    problems.check(enough, "n_obs", len(data), f"must be at least {MIN_OBSERVATIONS}", "use a longer history")
    for j, name in enumerate(names):
        column = data[:, j]
        inside = (column > 0) & (column < 1)
        if not inside.all():
            bad = int(np.argmin(inside))
            rule = f"must lie inside (0, 1); {int((~inside).sum())} do not, the first in row {bad}"
            problems.add(name, float(column[bad]), rule, "remove missing rows and check the marginal law")
        elif len(data):
            moves = bool(np.ptp(column) > 0)
            problems.check(moves, name, float(column[0]), "must not be constant", "leave the asset out of the fit")
    problems.raise_if_any()
    return data, names
