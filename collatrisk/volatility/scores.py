"""Scores of forecasts: lower is better, and the truth has the lowest expected score; the test of a difference."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array


def qlike(variance: ArrayLike, proxy: ArrayLike) -> Array:
    """``ln h + proxy / h``: the normal quasi-likelihood, minimised in expectation by h = E[proxy].

    The ranking of forecasts is that of the true variance for any unbiased proxy, however noisy (Patton 2011, Journal of
    Econometrics 160(1)). Another unit adds a constant.

    Parameters
    ----------
    variance : (n,) forecasts h > 0. proxy : (n,) >= 0, such as the squared return or a range estimator.
    """
    h, seen = np.asarray(variance, dtype=np.float64), np.asarray(proxy, dtype=np.float64)
    problems = Problems("qlike")
    problems.check(bool(np.all(h > 0.0)), "variance", "some <= 0 or NaN", "must be above 0", "mend the forecasts")
    problems.check(bool(np.all(seen >= 0.0)), "proxy", "some < 0 or NaN", "must be at least 0", "leave these rows out")
    problems.raise_if_any()
    return np.asarray(np.log(h) + seen / h, dtype=np.float64)


def fissler_ziegel(returns: ArrayLike, var: ArrayLike, es: ArrayLike, level: float) -> Array:
    """The FZ0 score of joint VaR and ES forecasts, strictly consistent for the pair (Patton, Ziegel and Chen 2019).

    With p = 1 - level, v = -VaR and e = -ES as returns, e <= v < 0::

        1(r <= v) (r - v) / (p e) + v / e + ln(-e) - 1

    The last constant moves no comparison; differences do not depend on the unit of the returns.

    Parameters
    ----------
    returns : (n,) realised. var, es : (n,) forecasts as positive losses, 0 < VaR <= ES.
    level : confidence in (0, 1), 0.99 for 99 %.

    Raises
    ------
    InputError : an argument breaks a rule.
    """
    r = np.asarray(returns, dtype=np.float64)
    v, e = -np.asarray(var, dtype=np.float64), -np.asarray(es, dtype=np.float64)
    problems = Problems("fissler_ziegel")
    remedy = "give 0.99 for 99 %"
    level = problems.number("level", level, low=0, high=1, open_low=True, open_high=True, remedy=remedy)
    ordered = bool(np.all((v < 0.0) & (e <= v)))
    problems.check(ordered, "es", "some break it", "must be 0 < VaR <= ES", "forecasts of losses are positive")
    problems.raise_if_any()
    return np.asarray((r <= v) * (r - v) / ((1.0 - level) * e) + v / e + np.log(-e) - 1.0, dtype=np.float64)


def quantile_score(returns: ArrayLike, var: ArrayLike, level: float) -> Array:
    """The tick loss of VaR forecasts, ``(1(r <= v) - p) (v - r)`` with p = 1 - level and v = -VaR: lowest at the truth.

    Parameters
    ----------
    returns : (n,) realised. var : (n,) forecasts as losses. level : confidence in (0, 1).

    Raises
    ------
    InputError : an argument breaks a rule.
    """
    r, v = np.asarray(returns, dtype=np.float64), -np.asarray(var, dtype=np.float64)
    problems = Problems("quantile_score")
    level = problems.number("level", level, low=0, high=1, open_low=True, open_high=True, remedy="give 0.99 for 99 %")
    known = r.shape == v.shape and bool(np.all(np.isfinite(v)))
    problems.check(known, "var", v.shape, f"must be {r.shape} finite numbers", "leave missing forecasts out")
    problems.raise_if_any()
    return np.asarray(((r <= v) - (1.0 - level)) * (v - r), dtype=np.float64)


def long_run_variance(values: ArrayLike, lags: int | None = None) -> float:
    """The variance of the mean times n, with Bartlett weights (Newey and West 1987).

    Parameters
    ----------
    lags : None for floor(4 (n / 100)^(2/9)).
    """
    given = np.asarray(values, dtype=np.float64)
    centred = given - float(np.mean(given))
    n = centred.size
    depth = math.floor(4.0 * (n / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    depth = int(min(depth, n - 1))
    total = float(centred @ centred) / n
    for lag in range(1, depth + 1):
        total += 2.0 * (1.0 - lag / (depth + 1.0)) * float(centred[lag:] @ centred[:-lag]) / n
    return float(total)


def diebold_mariano(first: ArrayLike, second: ArrayLike, lags: int | None = None) -> tuple[float, float]:
    """The test of equal expected scores of two forecasts (Diebold and Mariano 1995), HAC errors.

    Parameters
    ----------
    first, second : (n,) scores of the same steps. lags : see `long_run_variance`.

    Returns
    -------
    (statistic, p-value): positive where the first has the higher (worse) scores; two-sided by the normal law;
    (0, 1) where the two never differ.
    """
    gap = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    if not np.any(gap):
        return 0.0, 1.0
    spread = math.sqrt(long_run_variance(gap, lags) / gap.size)
    statistic = float(np.mean(gap)) / spread if spread > 0.0 else math.copysign(math.inf, float(np.mean(gap)))
    return statistic, float(2.0 * special.ndtr(-abs(statistic)))
