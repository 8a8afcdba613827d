"""VaR, ES and their errors from the largest losses of a sample, sorted ascending. Levels are already checked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from collatrisk.risk.estimate import Estimate
from collatrisk.risk.intervals import FixedInterval, NormalInterval, OrderInterval
from collatrisk.risk.levels import quantile_rank, tail_count

FloatArray = NDArray[np.float64]
_MANY = 512
_HALF_ULP = 2.0**-53
_ONE_SD = math.erf(math.sqrt(0.5))
FEW_IN_TAIL = 100
VAR_METHOD = "order statistic ceil(n x level), level {level:.10g}"
ES_METHOD = "Acerbi-Tasche tail mean, level {level:.10g}"
OVERLAP_NOTE = "; windows overlap by {overlap:g} steps: n counts as n / {overlap:g}"


def needed(n: int, level: float) -> int:
    """How many of the largest losses the estimators at `level` read."""
    return n - quantile_rank(n, level) + 1


def most_needed(n: int, level: float) -> int:
    """How many of the largest losses `tail_var` and `tail_es` read; one of them may read one less."""
    return max(needed(n, level), math.ceil(tail_count(n, level)))


def span(n: int, level: float, overlap: float = 1) -> tuple[int, int]:
    """The places from the end of the losses that `estimate_var` reads, and `estimate_es` with them: (first, last).

    That of VaR and six standard deviations of its rank on both sides: every interval up to a confidence of 1 - 1e-8.
    """
    reach = math.ceil(6.0 * math.sqrt(overlap * n * level * (1.0 - level))) + 3
    return max(1, needed(n, level) - reach), min(n, needed(n, level) + reach)


def tail_var(tail: FloatArray, n: int, level: float) -> float:
    """The order statistic of rank ceil(n x level) among `n` losses of which `tail` holds the largest."""
    return float(tail[tail.size - needed(n, level)])


def tail_es(tail: FloatArray, n: int, level: float) -> float:
    """The Acerbi-Tasche tail mean: the mean of the (1 - level) n largest losses, the last one with its fraction.

    The sum is exactly rounded: it does not depend on how the tail was put together, nor on its order.
    """
    count = tail_count(n, level)
    whole = math.ceil(count) - 1
    inside = tail[tail.size - whole :] if whole else tail[:0]
    last = float(tail[tail.size - whole - 1])
    return mean_with_last(exact_sum(inside), whole, last, count)


def mean_with_last(total: float, whole: int, last: float, count: float) -> float:
    """The mean of `count` losses from the sum of the `whole` largest and the `last` one, which counts in part."""
    return (total + (count - whole) * last) / count


def exact_sum(values: FloatArray) -> float:
    """`math.fsum`, the exactly rounded sum, of an array: from a compensated sum where that leaves no doubt."""
    if values.size < _MANY:
        return math.fsum(values)
    # Imported here because numba is slow to import and short tails do not need it.
    from collatrisk.kernels.tails import sum_twice

    high, low, magnitude = sum_twice(values)
    total = rounded_sum(high, low, magnitude, values.size)
    return math.fsum(values) if total is None else total


def rounded_sum(high: float, low: float, magnitude: float, n: int) -> float | None:
    """The exactly rounded sum of `n` numbers from what `sum_twice` says of them; None where that leaves a doubt."""
    doubt = 4.0 * (n * _HALF_ULP) ** 2 * magnitude
    total = high + low
    return total if high + (low - doubt) == total == high + (low + doubt) else None


def estimate_var(tail: FloatArray, n: int, level: float, overlap: float = 1) -> Estimate:
    """The order statistic with its distribution-free interval; half of the 68 % interval is its standard error.

    `tail` has to be sorted where `span` says.
    """
    n_effective = n / overlap
    first, last = span(n, level, overlap)
    last = min(last, tail.size)
    kept = tail[tail.size - last : tail.size - first + 1]
    interval = OrderInterval(tuple(kept.tolist()), n - last + 1, n, level, n_effective)
    low, high = interval.ci(_ONE_SD)
    error = (high - low) / 2
    method = VAR_METHOD.format(level=level) + "; distribution-free interval between order statistics (exact binomial)"
    if overlap > 1:
        method += OVERLAP_NOTE.format(overlap=overlap)
    method += missing_bounds(interval.ci(), n_effective)
    monte_carlo = error if overlap == 1 else None
    return Estimate(tail_var(tail, n, level), error, "quantile", method, n, n_effective, interval, monte_carlo)


def estimate_es(tail: FloatArray, n: int, level: float, overlap: float = 1, floor: float = -math.inf) -> Estimate:
    """The tail mean with its Student t interval, one degree of freedom less than losses in the tail.

    se = sqrt((Var(L | L > VaR) + level (ES - VaR)^2) / (n (1 - level))), n being the effective number. A tail that
    shows no variation, or holds a single loss, cannot bound what it estimates: bounds are then `floor` and infinity.
    `tail` has to be sorted where `span` says.
    """
    n_effective = n / overlap
    value = tail_es(tail, n, level)
    method = ES_METHOD.format(level=level)
    error = _es_error(tail, n, level, value) * math.sqrt(overlap)
    interval: FixedInterval | NormalInterval = FixedInterval(floor, math.inf)
    if overlap > 1:
        method += OVERLAP_NOTE.format(overlap=overlap)
    if math.isinf(error):
        method += "; no bounds: fewer than two losses in the tail"
    elif error == 0:
        method += "; no upper bound: all losses in the tail are equal, so the sample cannot tell"
    else:
        whole = math.ceil(tail_count(n, level))
        method += f"; Student t interval, {whole:,} losses in the tail"
        if whole < FEW_IN_TAIL:
            method += f" (fewer than {FEW_IN_TAIL}: where the tail is heavy, the upper bound is too low)"
        interval = NormalInterval(value, error, floor, whole - 1.0)
    monte_carlo = error if overlap == 1 else None
    return Estimate(value, error, "expected_shortfall", method, n, n_effective, interval, monte_carlo)


def _es_error(tail: FloatArray, n: int, level: float, es: float) -> float:
    count = tail_count(n, level)
    whole = math.ceil(count)
    if whole < 2:
        return math.inf
    weights = np.ones(whole)
    weights[0] = count - (whole - 1)
    inside = tail[tail.size - whole :]
    variance = exact_sum(weights * (inside - es) ** 2) / count * whole / (whole - 1)
    # A constant tail leaves only rounding: call it zero, so that it is seen for what it is.
    if inside[0] == inside.max():
        variance = 0.0
    excess = es - tail_var(tail, n, level) if variance else 0.0
    return math.sqrt((variance + level * excess**2) / count)


def missing_bounds(bounds: tuple[float, float], n_effective: float) -> str:
    """Words for the bounds that the sample cannot support, empty if it supports both."""
    missing = [name for name, end in zip(("lower", "upper"), bounds, strict=True) if math.isinf(end)]
    if not missing:
        return ""
    return f"; no {' or '.join(missing)} bound at 95 %: n = {n_effective:,.4g} is too small at this level"
