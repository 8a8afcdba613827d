"""Does correlation move, does a fit follow it, and do assets fall together more than they rise?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import as_numbers
from collatrisk.dependence.correlation_path import correlation_path
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.score_curve import ScoreCurve

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CorrelationTest:
    """Engle and Sheppard's (2001) test of constant correlation.

    Attributes
    ----------
    statistic : chi-square with lags + 1 degrees of freedom where correlation is what it was standardised by.
    p_value : of it. lags : how many products before enter the regression.
    """

    statistic: float
    p_value: float
    lags: int


@dataclass(frozen=True, eq=False)
class DependenceDiagnostics:
    """What a fit's own history says of it.

    Attributes
    ----------
    constant : the test on scores standardised by one constant correlation: a small p-value says that it moves.
    fitted : the same on scores standardised by the fit's correlation of each step: a small p-value says that the fit
        does not follow it.
    targeting_error : the largest distance, over the pairs, between the mean of the fitted correlations and the long-run
        level; 0 where correlation is constant, nan for an EWMA, which has no level.
    tails : one row a pair: lower and upper tail dependence with their interval, and what the fit says.
    """

    constant: CorrelationTest
    fitted: CorrelationTest
    targeting_error: float
    tails: pd.DataFrame


def conditional_correlations(uniforms: FloatArray, fit: DependenceFit) -> FloatArray:
    """The fitted correlation of every observation and of the step after the last, float64 (n_obs + 1, d, d).

    Parameters
    ----------
    uniforms : float64 (n_obs, d), those of the fit, in time order.
    """
    data = _checked(uniforms, fit)
    motion = fit.dynamics
    if motion is None:
        return np.broadcast_to(fit.correlation, (len(data) + 1, *fit.correlation.shape))
    scores = ScoreCurve(data).at(fit.nu)
    level = fit.correlation
    if motion.motion == "ewma":
        moment = scores.T @ scores
        unit = np.sqrt(np.diag(moment))
        level = moment / np.outer(unit, unit)  # where the filter began
    theta = np.array([motion.a, motion.b, motion.g])
    return correlation_path(scores, motion.motion, theta, level, motion.negatives)


def diagnose_dependence(
    uniforms: FloatArray, fit: DependenceFit, *, lags: int = 5, tail: float = 0.05, seed: int = 0, replicates: int = 499
) -> DependenceDiagnostics:
    """Test whether correlation moves, whether the fit follows it, and measure the tails.

    Tail dependence at the level `tail` is the number of observations in which both assets are in their own tail, over
    that in which one of them is; its interval is the 95 % of a moving-block bootstrap with blocks of n^(1/3).

    Parameters
    ----------
    uniforms : float64 (n_obs, d), those of the fit, in time order; d >= 2.
    lags : of the tests, >= 1. tail : in (0, 0.5). seed, replicates : of the bootstrap.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("diagnose_dependence")
    problems.integer("lags", lags, low=1, high=100, remedy="5 is usual")
    problems.number("tail", tail, low=0, high=0.5, open_low=True, open_high=True, remedy="0.05")
    problems.integer("replicates", replicates, low=99, high=100_000, remedy="499")
    problems.check(len(fit.assets) > 1, "assets", fit.assets, "must be two or more", "one has no dependence")
    problems.raise_if_any()
    data = _checked(uniforms, fit)
    scores = ScoreCurve(data).at(fit.nu)
    path = conditional_correlations(data, fit)[:-1]
    sample = np.corrcoef(scores, rowvar=False)
    levelled = fit.dynamics is None or fit.dynamics.motion != "ewma"
    error = float(np.max(np.abs(path.mean(axis=0) - fit.correlation))) if levelled else math.nan
    return DependenceDiagnostics(
        constant=constant_correlation_test(scores, np.broadcast_to(sample, path.shape), lags),
        fitted=constant_correlation_test(scores, path, lags),
        targeting_error=error,
        tails=_tails(data, fit, tail, seed, replicates),
    )


def constant_correlation_test(scores: FloatArray, correlations: FloatArray, lags: int) -> CorrelationTest:
    """Engle and Sheppard (2001): regress products of jointly standardised scores on their own past.

    With e_t = R_t^{-1/2} x_t and Y_t the products e_i e_j, i < j, stacked over pairs, Y_t = c + sum_k b_k Y_{t-k} + v_t
    has c = b_k = 0 if R_t is the correlation. The statistic delta' X'X delta / s^2 is chi-square with lags + 1 degrees.
    Scores with fat tails inflate it: s^2 is then replaced by White's (1980) covariance.

    Parameters
    ----------
    scores : float64 (n, d). correlations : float64 (n, d, d). lags : >= 1.
    """
    from scipy.special import chdtrc

    values, vectors = np.linalg.eigh(correlations)
    root = np.einsum("tij,tj,tkj->tik", vectors, 1.0 / np.sqrt(np.maximum(values, 1e-12)), vectors)
    e = np.einsum("tij,tj->ti", root, scores)
    i, j = np.triu_indices(scores.shape[1], 1)
    products = e[:, i] * e[:, j]
    left = products[lags:].T.ravel()
    columns = [np.ones_like(left)] + [products[lags - k : -k].T.ravel() for k in range(1, lags + 1)]
    design = np.column_stack(columns)
    gram = np.linalg.inv(design.T @ design)
    found = gram @ (design.T @ left)
    weighted = design * (left - design @ found)[:, None]
    covariance = gram @ (weighted.T @ weighted) @ gram
    statistic = float(found @ np.linalg.solve(covariance, found))
    return CorrelationTest(statistic, float(chdtrc(lags + 1, statistic)), lags)


def _tails(data: FloatArray, fit: DependenceFit, tail: float, seed: int, replicates: int) -> pd.DataFrame:
    import pandas as pd

    n_obs, size = data.shape
    ranks = (np.argsort(np.argsort(data, axis=0), axis=0) + 0.5) / n_obs
    lower, upper = (ranks <= tail).astype(np.float64), (ranks >= 1.0 - tail).astype(np.float64)
    implied = fit.tail_dependence().to_numpy()
    rows = list(_resampled_rows(n_obs, seed, replicates))
    sides = {"lower": lower, "upper": upper}
    drawn = {side: np.array([_shared(hits[r]) for r in rows]) for side, hits in sides.items()}
    table = []
    for i in range(size):
        for j in range(i + 1, size):
            row: dict[str, object] = {"asset": fit.assets[i], "other": fit.assets[j]}
            for side, hits in sides.items():
                low, high = np.quantile(drawn[side][:, i, j], [0.025, 0.975])
                row[side] = float(_shared(hits)[i, j])
                row[f"{side}_low"], row[f"{side}_high"] = float(low), float(high)
            row["limit_of_fit"] = float(implied[i, j])
            table.append(row)
    return pd.DataFrame(table)


def _shared(hits: FloatArray) -> FloatArray:
    """By pair, how often both are in their tails over how often each is on average, (d, d)."""
    both = hits.T @ hits
    alone = np.diag(both)
    return np.asarray(both / np.maximum(0.5 * (alone[:, None] + alone[None, :]), 1.0))


def _resampled_rows(n_obs: int, seed: int, replicates: int) -> list[NDArray[np.int64]]:
    """Rows of moving-block resamples (Kuensch 1989)."""
    rng = np.random.default_rng(seed)
    length = min(math.ceil(n_obs ** (1 / 3)), n_obs)
    inside = np.arange(length)
    count = -(-n_obs // length)
    return [
        (rng.integers(0, n_obs - length + 1, size=count)[:, None] + inside).ravel()[:n_obs] for _ in range(replicates)
    ]


def _checked(uniforms: object, fit: DependenceFit) -> FloatArray:
    data = as_numbers(uniforms, "diagnose_dependence", "uniforms")
    problems = Problems("diagnose_dependence")
    size = len(fit.assets)
    fits = data.ndim == 2 and data.shape[1] == size and len(data) > 2 * size
    rule = f"must have shape (n_obs, {size}), with more than {2 * size} rows"
    if problems.check(fits, "uniforms", data.shape, rule, "give those of the fit"):
        inside = bool(np.all((data > 0.0) & (data < 1.0)))
        problems.check(inside, "uniforms", "some", "must lie inside (0, 1)", "give those of the fit")
    copula = fit.rows is None and not fit.groups
    problems.check(copula, "fit", str(fit.spec), "must be a copula with one law of scores", "use another spec")
    problems.raise_if_any()
    return data
