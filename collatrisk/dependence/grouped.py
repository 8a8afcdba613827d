"""Fit a grouped t copula: one correlation by Kendall's tau, a nu for each group from its own assets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.density import normal_scores, t_scores
from collatrisk.dependence.kendall import Concordance, tau_to_correlation
from collatrisk.dependence.prepared import prepare
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.score_curve import ScoreCurve
from collatrisk.dependence.specs import GroupedTCopula
from collatrisk.dependence.student import NU_HIGH, NU_LOW, fit_nu, nu_finding, nu_standard_error
from collatrisk.dependence.t_group import TGroup

FloatArray = NDArray[np.float64]

_NODES = 200
_CHUNK_ELEMENTS = 4_000_000


def fit_grouped(data: FloatArray, spec: GroupedTCopula, names: tuple[str, ...]) -> DependenceFit:
    """What `fit_dependence` does for a grouped t copula; arguments are checked but for the groups."""
    _check_groups(spec, names)
    pairs = Concordance.of(data)
    used = prepare(tau_to_correlation(pairs.tau), normal_scores(data), spec.shrinkage, names)
    groups: list[TGroup] = []
    findings = list(used.findings)
    for name, assets in spec.groups:
        rows = [names.index(asset) for asset in assets if names.index(asset) in used.distinct]
        block = np.ix_(rows, rows)
        curve = ScoreCurve(data[:, rows])
        nu, _ = fit_nu(curve, used.matrix[block])
        note = nu_finding(nu)
        if note is not None:
            findings.append(Finding(note.code, note.severity, name, note.message))
        inside = NU_LOW < nu < NU_HIGH
        kept = 1.0 - used.shrinkage
        error = nu_standard_error(curve, used.matrix[block], pairs.select(rows), nu, kept) if inside else None
        groups.append(TGroup(name, assets, nu, error))
    of_asset = [group.nu for asset in names for group in groups if asset in group.assets]
    distinct = used.distinct
    value = grouped_loglikelihood(
        data[:, distinct], used.matrix[np.ix_(distinct, distinct)], np.array(of_asset)[distinct]
    )
    return DependenceFit(
        spec,
        names,
        used.matrix,
        loglikelihood=value,
        n_obs=len(data),
        shrinkage=used.shrinkage,
        findings=tuple(findings),
        groups=tuple(groups),
    )


def _check_groups(spec: GroupedTCopula, names: tuple[str, ...]) -> None:
    problems = Problems("GroupedTCopula")
    named = [asset for _, assets in spec.groups for asset in assets]
    problems.known("groups", named, names)
    missing = [name for name in names if name not in named]
    problems.check(not missing, "groups", missing, "must name every asset", "add these to a group")
    for name, assets in spec.groups:
        rule = "must have two assets or more: one alone does not tell its degrees of freedom"
        problems.check(len(assets) > 1, f"groups[{name}]", assets, rule, "put the asset into another group")
    problems.raise_if_any()


def grouped_loglikelihood(uniforms: FloatArray, correlation: FloatArray, nus: FloatArray) -> float:
    """Sum over observations of the grouped t copula's log-density.

    c(u) = integral over s in (0, 1) of phi_R(x_i / w_i(s)) prod 1 / w_i(s) ds / prod t_{nu_i}(x_i), with x_i the t
    quantile of u_i and w_i(s) = sqrt(nu_i / chi2_{nu_i}^{-1}(s)) (Luo and Shevchenko 2010).
    Gauss-Legendre with 200 nodes in the normal score of s between -8 and 8.

    Parameters
    ----------
    uniforms : float64 (n_obs, d). correlation : float64 (d, d). nus : float64 (d,), of each asset.
    """
    from scipy.special import gammainccinv, gammaincinv, logsumexp, ndtr

    size = len(correlation)
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    g = 8.0 * node
    tail = ndtr(-np.abs(g))[:, None]
    half = 0.5 * nus[None, :]
    chi2 = 2.0 * np.where(g[:, None] < 0, gammaincinv(half, tail), gammainccinv(half, tail))
    spread = np.sqrt(nus / chi2)
    log_weight = np.log(8.0 * weight) - 0.5 * g * g - 0.5 * math.log(2 * math.pi) - np.log(spread).sum(axis=1)
    scores = np.column_stack([t_scores(uniforms[:, i], nus[i]) for i in range(size)])
    inverse = np.linalg.inv(correlation)
    constant = -0.5 * np.linalg.slogdet(correlation)[1] - 0.5 * size * math.log(2 * math.pi)
    margins = gammaln((nus + 1) / 2) - gammaln(nus / 2) - 0.5 * np.log(nus * math.pi)
    margins = (margins - (nus + 1) / 2 * np.log1p(scores * scores / nus)).sum(axis=1)
    total = 0.0
    step = max(1, _CHUNK_ELEMENTS // (_NODES * size))
    for first in range(0, len(scores), step):
        scaled = scores[first : first + step, None, :] / spread
        quadratic = np.sum((scaled @ inverse) * scaled, axis=2)
        joint = logsumexp(log_weight - 0.5 * quadratic, axis=1) + constant
        total += float(np.sum(joint - margins[first : first + step]))
    return total
