"""Tests of realised auctions against what was promised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.risk import BinomialInterval, Estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """One promise and what came of it.

    Attributes
    ----------
    measure : what is compared. promised, realised : with their errors. p_value : of the test; nan where it cannot tell.
    test : in words.
    """

    measure: str
    promised: Estimate
    realised: Estimate
    p_value: float
    test: str


def count_test(measure: str, promised: Estimate, hits: int, n: int) -> Comparison:
    """Exact one-sided binomial test: are there more events among `n` independent windows than were promised?

    The promised probability is taken at its upper 95 % bound, so that its own Monte Carlo error does not count as a
    failure; p = P(X >= hits), X binomial.
    """
    from scipy import special

    text = f"exact binomial, one-sided, {hits} of {n} windows against the promise's upper bound"
    interval = BinomialInterval(float(hits), float(max(n, 1)))
    value = hits / n if n else math.nan
    error = math.sqrt(value * (1 - value) / n) if n else math.inf
    realised = Estimate(value, error, "probability", f"{hits} of {n} disjoint windows", n, float(n), interval)
    if n == 0:
        return Comparison(measure, promised, realised, math.nan, f"{text}; no windows")
    high = promised.ci()[1]
    # P(X >= k) is the regularised incomplete beta function I_p(k, n - k + 1).
    p_value = 1.0 if hits == 0 or high >= 1.0 else float(special.betainc(hits, n - hits + 1, high))
    return Comparison(measure, promised, realised, p_value, text)


def ratio_test(measure: str, promised: Estimate, realised: Estimate, *, bad_if_larger: bool = True) -> Comparison:
    """One-sided z test of a ratio of means over windows, whose error comes from a moving-block bootstrap.

    ``z = (realised - promised) / sqrt(se_realised^2 + se_promised^2)``, both errors counted.
    """
    text = "one-sided z test, moving-block bootstrap error of the windows and Monte Carlo error of the promise"
    gap = realised.value - promised.value if bad_if_larger else promised.value - realised.value
    error = math.hypot(realised.standard_error, promised.standard_error)
    if math.isnan(gap) or math.isinf(error):
        return Comparison(measure, promised, realised, math.nan, f"{text}; too few windows")
    if error == 0.0:
        return Comparison(measure, promised, realised, 1.0 if gap <= 0 else 0.0, f"{text}; no error on either side")
    return Comparison(measure, promised, realised, 0.5 * math.erfc(gap / error / math.sqrt(2.0)), text)


def disjoint(flags: NDArray[np.bool_], length: int) -> tuple[int, int]:
    """Hits and number of the windows that share no step: every `length`-th one."""
    chosen = flags[::length]
    return int(np.count_nonzero(chosen)), int(chosen.size)
