"""Fit a copula to the uniforms (probability integral transforms) of standardised residuals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import DataError, InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import as_numbers
from collatrisk.dependence.density import gaussian_loglikelihood, normal_scores
from collatrisk.dependence.dynamic_specs import Dcc, EwmaCorrelation
from collatrisk.dependence.historical import FilteredHistorical
from collatrisk.dependence.kendall import Concordance, tau_to_correlation
from collatrisk.dependence.prepared import prepare
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.dependence.specs import (
    DEPENDENCE_SPECS,
    DependenceSpec,
    GaussianCopula,
    GroupedTCopula,
    Independent,
    StudentTCopula,
)
from collatrisk.dependence.student import NU_HIGH, NU_LOW, fit_nu, nu_finding, nu_standard_error

if TYPE_CHECKING:
    from collatrisk.dependence.first_step import FirstStep

FloatArray = NDArray[np.float64]

MIN_OBSERVATIONS = 20


def fit_dependence(
    uniforms: FloatArray,
    spec: DependenceSpec,
    *,
    assets: Sequence[str],
    first_step: FirstStep | None = None,
    std_errors: bool = True,
) -> DependenceFit:
    """Fit the dependence between assets.

    Gaussian copula: correlation of the normal scores. Student t copula: correlation by inversion of Kendall's tau,
    rho = sin(pi tau / 2), then nu by maximum likelihood at that correlation (McNeil, Frey and Embrechts, Quantitative
    Risk Management, 2015, section 7.5.1), with a standard error that allows for the first step. Grouped t copula: the
    same with a nu for each group, from its own assets (Daul, De Giorgi, Lindskog and McNeil 2003).

    Moving correlation (`Dcc`, `EwmaCorrelation`): S (and N) from moments of the scores, then a, b and g by maximum
    likelihood, nu by its profile.

    Parameters
    ----------
    uniforms : float64 (n_obs, n_assets), each in (0, 1): the fitted marginal law's distribution function at the
        standardised residuals, one row a step; at least 20 rows.
    spec : any copula (`FilteredHistorical` has `fit_history`). Under ``shrinkage="auto"`` and fewer than ten
        observations an asset, the correlation is shrunk to constant correlation with Ledoit and Wolf's weight on the
        normal scores.
    assets : the columns' names.
    first_step : how the estimation error of the marginals moves the uniforms (`fit_market` gives it), for the standard
        errors of a `Dcc`; without it they take the uniforms as given, as those of the other specs always do.
    std_errors : False leaves out the standard errors of a `Dcc`, which take longer than the fit. They are computed for
        up to 20 assets; beyond, see `bootstrap_dependence`.

    Returns
    -------
    DependenceFit. One asset has no dependence and comes back as `Independent` with a finding. Assets that move as one
    are named in a finding; the likelihood then counts the first of them only.

    Raises
    ------
    InputError : shapes or names that do not fit.
    DataError : NaN, values outside (0, 1), a constant column, too few rows, nothing but copies of one asset, or any
        copy where correlation moves.
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
    if isinstance(spec, StudentTCopula):
        return _fit_student(data, spec, names)
    if isinstance(spec, GroupedTCopula):
        from collatrisk.dependence.grouped import fit_grouped

        return fit_grouped(data, spec, names)
    from collatrisk.dependence.dynamic_fit import fit_dynamic

    assert isinstance(spec, Dcc | EwmaCorrelation)
    return fit_dynamic(data, spec, names, first_step, std_errors)


def _fit_gaussian(data: FloatArray, spec: GaussianCopula, names: tuple[str, ...]) -> DependenceFit:
    scores = normal_scores(data)
    raw = np.asarray(np.corrcoef(scores, rowvar=False), dtype=np.float64)
    used = prepare(raw, scores, spec.shrinkage, names)
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
    pairs = Concordance.of(data)
    used = prepare(tau_to_correlation(pairs.tau), normal_scores(data), spec.shrinkage, names)
    rows = np.ix_(used.distinct, used.distinct)
    if len(used.distinct) < 2:
        problems = Problems("fit_dependence", DataError)
        problems.add(
            "uniforms", list(names), "all move as one, which tells nothing of nu", "keep one, or GaussianCopula()"
        )
        problems.raise_if_any()
    curve = ScoreCurve(data[:, used.distinct])
    nu, value = fit_nu(curve, used.matrix[rows])
    finding = nu_finding(nu)
    inside = NU_LOW < nu < NU_HIGH
    # Shrinkage scales what the sample correlation passes on; its target is taken as given.
    left = 1.0 - used.shrinkage
    error = nu_standard_error(curve, used.matrix[rows], pairs.select(used.distinct), nu, left) if inside else None
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


def _checked(uniforms: object, spec: object, assets: Sequence[str]) -> tuple[FloatArray, tuple[str, ...]]:
    shape = Problems("fit_dependence", InputError)
    listed = isinstance(assets, Iterable) and not isinstance(assets, str)
    shape.check(listed, "assets", assets, "must be a list of names", "give the columns' names")
    shape.raise_if_any()
    names = tuple(map(str, assets))
    data = as_numbers(uniforms, "fit_dependence", "uniforms")
    known = isinstance(spec, DEPENDENCE_SPECS) and not isinstance(spec, FilteredHistorical)
    rule = "must be a copula, which is fitted to uniforms"
    shape.check(known, "spec", spec, rule, "use StudentTCopula(); FilteredHistorical() has fit_history")
    fits = data.ndim == 2 and data.shape[1] == len(names) and len(names) > 0
    shape.check(fits, "uniforms", data.shape, f"must have shape (n_obs, {len(names)})", "one column an asset")
    shape.check(len(set(names)) == len(names), "assets", names, "must not repeat", "give each asset once")
    shape.raise_if_any()
    problems = Problems("fit_dependence", DataError)
    enough = len(data) >= MIN_OBSERVATIONS
    problems.check(enough, "n_obs", len(data), f"must be at least {MIN_OBSERVATIONS}", "use a longer history")
    lowest, highest = data.min(axis=0, initial=1.0), data.max(axis=0, initial=0.0)
    for j in np.flatnonzero(~((lowest > 0) & (highest < 1) & (lowest != highest))):
        column = data[:, j]
        inside = (column > 0) & (column < 1)
        if not inside.all():
            bad = int(np.argmin(inside))
            rule = f"must lie inside (0, 1); {int((~inside).sum())} do not, the first in row {bad}"
            problems.add(names[j], float(column[bad]), rule, "remove missing rows and check the marginal law")
        elif len(data):
            problems.add(names[j], float(column[0]), "must not be constant", "leave the asset out of the fit")
    problems.raise_if_any()
    return data, names
