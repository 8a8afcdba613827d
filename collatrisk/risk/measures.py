"""VaR, ES and means: pure functions of losses, positive = bad."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.risk import tailmath
from collatrisk.risk.bootstrap import REPLICATES, block_length, bootstrap
from collatrisk.risk.estimate import Estimate, Kind
from collatrisk.risk.intervals import BootstrapInterval, FixedInterval, Interval
from collatrisk.risk.levels import check_floor, check_levels, check_overlap, check_seed
from collatrisk.risk.losses import as_losses, check_finite, tails_about
from collatrisk.risk.moments import Moments
from collatrisk.risk.tail_points import var_and_es_of

if TYPE_CHECKING:
    from collatrisk.risk.losses import Losses

FloatArray = NDArray[np.float64]
_Reader = Callable[[FloatArray, int, float], float]


@overload
def value_at_risk(losses: Losses, level: float) -> float: ...
@overload
def value_at_risk(losses: Losses, level: Sequence[float] | FloatArray) -> FloatArray: ...
def value_at_risk(losses: Losses, level: float | Sequence[float] | FloatArray) -> float | FloatArray:
    """Value at risk: the order statistic of rank ceil(n x level) of the losses, ascending.

    The rank is computed so that 0.99 x 100 is 99. Exact: the same number as sorting, in one pass over the losses.

    Parameters
    ----------
    losses : (n,) numbers in any unit, positive = loss, finite; an array, a Series or a list.
    level : confidence in (0, 1), 0.99 for 99 %, or several.

    Returns
    -------
    float for one level, float64 array in the order of `level` for several; unit of the losses.

    Raises
    ------
    InputError : for empty, NaN, infinite or non-numeric losses and for levels outside (0, 1), all at once.
    """
    return _both("value_at_risk", losses, level)[0]


@overload
def expected_shortfall(losses: Losses, level: float) -> float: ...
@overload
def expected_shortfall(losses: Losses, level: Sequence[float] | FloatArray) -> FloatArray: ...
def expected_shortfall(losses: Losses, level: float | Sequence[float] | FloatArray) -> float | FloatArray:
    """Expected shortfall: the Acerbi-Tasche tail mean, the mean of the (1 - level) n largest losses.

    Where (1 - level) n is not whole, the smallest loss of the tail counts with the fraction: the tail holds exactly
    1 - level of the mass (Acerbi and Tasche 2002, "On the coherence of expected shortfall").

    Parameters, returns and raises as `value_at_risk`.
    """
    return _both("expected_shortfall", losses, level)[1]


@overload
def var_and_es(losses: Losses, level: float) -> tuple[float, float]: ...
@overload
def var_and_es(losses: Losses, level: Sequence[float] | FloatArray) -> tuple[FloatArray, FloatArray]: ...
def var_and_es(
    losses: Losses, level: float | Sequence[float] | FloatArray
) -> tuple[float, float] | tuple[FloatArray, FloatArray]:
    """`value_at_risk` and `expected_shortfall` from one pass over the losses.

    Parameters and raises as `value_at_risk`.

    Returns
    -------
    (VaR, ES), as those functions give them.
    """
    var, es = _both("var_and_es", losses, level)
    return var, es  # type: ignore[return-value]  # both are floats, or both are arrays


def _both(
    title: str, losses: Losses, level: float | Sequence[float] | FloatArray
) -> tuple[float | FloatArray, float | FloatArray]:
    problems = Problems(title)
    levels = check_levels(level, problems)
    values = as_losses(losses, problems)
    pairs = var_and_es_of(values, () if problems.found else levels, problems) if values.size else []
    problems.raise_if_any()
    if isinstance(level, float) or np.ndim(level) == 0:
        return pairs[0]
    var, es = zip(*pairs, strict=True)
    return np.array(var), np.array(es)


@overload
def estimate_value_at_risk(losses: Losses, level: float, *, overlap: int = 1, seed: int = 0) -> Estimate: ...
@overload
def estimate_value_at_risk(
    losses: Losses, level: Sequence[float] | FloatArray, *, overlap: int = 1, seed: int = 0
) -> tuple[Estimate, ...]: ...
def estimate_value_at_risk(
    losses: Losses, level: float | Sequence[float] | FloatArray, *, overlap: int = 1, seed: int = 0
) -> Estimate | tuple[Estimate, ...]:
    """`value_at_risk` with its error.

    Independent losses: bounds are order statistics whose ranks come from the exact binomial law, so they hold for any
    distribution. Overlapping windows: moving-block bootstrap, 999 replicates.

    Parameters
    ----------
    losses, level : as for `value_at_risk`.
    overlap : 1 for independent losses; k for losses over windows of k steps that start at every step, in time order.
    seed : of the bootstrap.

    Returns
    -------
    Estimate for one level, a tuple of them for several.

    Raises
    ------
    InputError : as `value_at_risk`, and for an overlap that is not a whole number of at least 1.
    """

    def independent(tail: FloatArray, n: int, one: float) -> Estimate:
        return tailmath.estimate_var(tail, n, one)

    method = tailmath.VAR_METHOD
    return _estimates("quantile", losses, level, overlap, seed, independent, tailmath.tail_var, method)


@overload
def estimate_expected_shortfall(
    losses: Losses, level: float, *, overlap: int = 1, seed: int = 0, floor: float = -math.inf
) -> Estimate: ...
@overload
def estimate_expected_shortfall(
    losses: Losses,
    level: Sequence[float] | FloatArray,
    *,
    overlap: int = 1,
    seed: int = 0,
    floor: float = -math.inf,
) -> tuple[Estimate, ...]: ...
def estimate_expected_shortfall(
    losses: Losses,
    level: float | Sequence[float] | FloatArray,
    *,
    overlap: int = 1,
    seed: int = 0,
    floor: float = -math.inf,
) -> Estimate | tuple[Estimate, ...]:
    """`expected_shortfall` with its error.

    Independent losses: Student t interval, one degree of freedom less than losses in the tail, with
    se = sqrt((Var(L | L > VaR) + level (ES - VaR)^2) / (n (1 - level))). Overlapping windows: moving-block bootstrap.

    Parameters
    ----------
    losses, level, overlap, seed : as for `estimate_value_at_risk`.
    floor : a value that losses cannot fall below, such as 0 for amounts; the lower bound is not below it.

    Returns and raises as `estimate_value_at_risk`.
    """

    def independent(tail: FloatArray, n: int, one: float) -> Estimate:
        return tailmath.estimate_es(tail, n, one, 1, floor)

    method = tailmath.ES_METHOD
    return _estimates("expected_shortfall", losses, level, overlap, seed, independent, tailmath.tail_es, method, floor)


def _estimates(
    kind: Kind,
    losses: Losses,
    level: float | Sequence[float] | FloatArray,
    overlap: int,
    seed: int,
    independent: Callable[[FloatArray, int, float], Estimate],
    read: _Reader,
    method: str,
    floor: float = -math.inf,
) -> Estimate | tuple[Estimate, ...]:
    problems = Problems(f"Estimate of {kind.replace('_', ' ')}")
    levels = check_levels(level, problems)
    values = as_losses(losses, problems)
    overlap = check_overlap(overlap, problems)
    seed = check_seed(seed, problems)
    check_floor(floor, problems)
    tails: list[FloatArray] = []
    if not problems.found and overlap == 1:
        tails = tails_about(values, [tailmath.span(values.size, one) for one in levels], problems)
    elif values.size:
        check_finite(values, problems)
    problems.raise_if_any()

    def resampled(one: float) -> Estimate:
        def statistic(sample: FloatArray) -> float:
            return read(np.sort(sample), sample.size, one)

        words = method.format(level=one)
        found = block_estimate(values, statistic, overlap, seed, kind=kind, method=words, level=one)
        return found.mapped(floor=floor)

    if overlap == 1:
        found = tuple(independent(tail, values.size, one) for tail, one in zip(tails, levels, strict=True))
    else:
        found = tuple(resampled(one) for one in levels)
    return found[0] if np.ndim(level) == 0 else found


def block_estimate(
    losses: FloatArray,
    statistic: Callable[[FloatArray], float],
    overlap: int,
    seed: int,
    *,
    kind: Kind,
    method: str,
    level: float | None = None,
) -> Estimate:
    """Any statistic of overlapping windows with its moving-block bootstrap interval (999 replicates).

    Parameters
    ----------
    losses : float64 (n,), one a window, in time order.
    statistic : from a sample of losses to a number.
    overlap : steps that neighbouring windows share.
    level : of a quantile or tail mean; see `BootstrapInterval`.
    """
    n = losses.size
    n_effective = n / overlap
    value = float(statistic(losses))
    if n < 2 * block_length(n, overlap):
        text = f"{method}; no bounds: {n} windows that overlap by {overlap} steps are worth fewer than two"
        return Estimate(value, math.inf, kind, text, n, n_effective, FixedInterval())
    replicates, error = bootstrap(losses, statistic, overlap, seed)
    interval: Interval = BootstrapInterval(replicates, n_effective, level)
    text = f"{method}; moving-block bootstrap, blocks of {block_length(n, overlap)}, {REPLICATES} replicates"
    text += tailmath.missing_bounds(interval.ci(), n_effective)
    return Estimate(value, error, kind, text, n, n_effective, interval)


def estimate_mean(values: Losses, *, overlap: int = 1, seed: int = 0, floor: float = -math.inf) -> Estimate:
    """The mean of values with its error: Student t interval, or moving-block bootstrap for overlapping windows.

    Parameters
    ----------
    values : (n,) finite numbers.
    overlap, seed : as for `estimate_value_at_risk`.
    floor : a value that none can fall below, such as 0 for amounts.

    Raises
    ------
    InputError : for empty, NaN, infinite or non-numeric values.
    """
    problems = Problems("estimate_mean")
    array = as_losses(values, problems, "values")
    check_finite(array, problems, "values")
    overlap = check_overlap(overlap, problems)
    seed = check_seed(seed, problems)
    check_floor(floor, problems)
    problems.raise_if_any()
    if overlap == 1:
        return Moments().add(array).estimate(floor=floor)

    def mean(sample: FloatArray) -> float:
        return float(sample.mean())

    return block_estimate(array, mean, overlap, seed, kind="mean", method="sample mean").mapped(floor=floor)
