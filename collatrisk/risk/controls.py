"""A mean sharpened by control variates: quantities of the same paths whose means are known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems
from collatrisk.risk.estimate import Estimate
from collatrisk.risk.intervals import FixedInterval, NormalInterval
from collatrisk.risk.levels import check_floor
from collatrisk.risk.losses import HUGE, as_losses, check_finite

if TYPE_CHECKING:
    from collatrisk.risk.losses import Losses

FloatArray = NDArray[np.float64]

_FAR = 8.0  # standard errors between a control's sample mean and its mean: no chance does that


def estimate_controlled_mean(
    values: Losses, controls: ArrayLike, means: ArrayLike, *, floor: float = -math.inf
) -> Estimate:
    """The mean of values, given the means of other quantities of the same paths.

    Regresses the values on the controls less their means; the intercept is the estimate. Its variance is that of the
    plain mean times 1 - R^2. The regression's coefficients come from the same sample, which biases the estimate by a
    term of order 1/n, nothing beside its error of order 1/sqrt(n). For a probability give values 0 and 1; the bounds
    are then those of a large sample, not the exact binomial ones: have some hundred hits.

    Parameters
    ----------
    values : (n,) finite numbers of independent paths.
    controls : (n,) or (n, k) finite numbers of the same paths in the same order, no column constant nor a combination
        of the others.
    means : number or (k,), the means of the controls, known exactly (a closed form): what is wrong with them goes
        straight into the estimate.
    floor : a value that none can fall below, such as 0 for amounts.

    Returns
    -------
    Estimate of kind ``"mean"``, with the Student t interval of n - k - 1 degrees of freedom.

    Raises
    ------
    InputError : with all broken rules at once; also if a control's sample mean is more than eight standard errors from
        the mean given, or if n <= k + 1.

    Notes
    -----
    Source: S. S. Lavenberg and P. D. Welch, "A perspective on the use of control variables to increase the efficiency
    of Monte Carlo simulations", Management Science 27 (1981) 322-335.
    """
    problems = Problems("estimate_controlled_mean")
    array = as_losses(values, problems, "values")
    check_finite(array, problems, "values")
    check_floor(floor, problems)
    offsets = _offsets(controls, means, array.size, problems)
    problems.raise_if_any()
    n, k = offsets.shape
    average = float(array.mean())
    if float(np.ptp(array)) == 0.0:
        method = "controlled mean; no bounds: all values are equal, so the sample cannot tell"
        return Estimate(average, math.inf, "mean", method, n, float(n), FixedInterval(floor, math.inf), math.inf)
    centres = offsets.mean(axis=0)
    q, r = np.linalg.qr(offsets - centres)
    spread = q.T @ (array - average)
    rest = (array - average) - q @ spread
    aside = np.linalg.solve(r.T, centres)  # how far the controls' sample means lie from their means
    value = average - float(aside @ spread)
    variance = float(rest @ rest) / (n - k - 1)
    error = math.sqrt(variance * (1.0 / n + float(aside @ aside)))
    method = f"mean with {k} control variate{'s' if k > 1 else ''}; Student t interval"
    interval = NormalInterval(value, error, floor, float(n - k - 1))
    return Estimate(max(value, floor), error, "mean", method, n, float(n), interval, error)


def _offsets(controls: ArrayLike, means: ArrayLike, n: int, problems: Problems) -> FloatArray:
    """Controls less their means, (n, k), in units of their standard deviations; what is wrong goes to `problems`."""
    remedy = "give (n,) or (n, k) numbers, and a mean for each of the k"
    try:
        columns = np.atleast_2d(np.asarray(controls, dtype=np.float64).T).T
        expected = np.atleast_1d(np.asarray(means, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        problems.add("controls", controls, "must be numbers, and their means too", remedy)
        return np.empty((n, 0))
    shapes = (columns.shape, expected.shape)
    fits = columns.ndim == 2 and columns.shape[1] >= 1 and shapes == ((n, columns.shape[1]), (columns.shape[1],))
    if not problems.check(fits, "controls, means", shapes, f"must have shapes ({n}, k) and (k,)", remedy):
        return np.empty((n, 0))
    given = np.concatenate([columns.ravel(), expected])
    finite = bool(np.all(np.abs(given) <= HUGE))  # False for NaN too
    rule = f"must be numbers within -+{HUGE:g}"
    if not problems.check(finite, "controls, means", "NaN, infinite or huge", rule, "drop those paths or mend them"):
        return np.empty((n, 0))
    k = expected.size
    if not problems.check(n > k + 1, "values", n, f"must be more than {k + 1} for {k} controls", "simulate more paths"):
        return np.empty((n, 0))
    sd = columns.std(axis=0, ddof=1)
    free = bool(np.all(sd > 1e-12 * np.abs(columns).max(axis=0)))
    free = free and int(np.linalg.matrix_rank((columns - columns.mean(axis=0)) / sd)) == k
    rule = "must vary, and none may be a combination of the others"
    if not problems.check(free, "controls", f"standard deviations {sd.tolist()}", rule, "leave the redundant ones out"):
        return np.empty((n, 0))
    away = (columns.mean(axis=0) - expected) / sd * math.sqrt(n)
    rule = f"must be the means of the controls; the sample's lie {np.round(away, 1).tolist()} standard errors away"
    problems.check(bool(np.all(np.abs(away) <= _FAR)), "means", expected.tolist(), rule, "check the closed form")
    offsets: FloatArray = (columns - expected) / sd
    return offsets
