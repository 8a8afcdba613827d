"""Checks that the venues of a sale share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]


def check_array(
    problems: Problems, name: str, value: object, *, high: float = np.inf, open_low: bool = False, remedy: str
) -> FloatArray:
    """`value` as float64 of finite numbers in [0, high) (above 0 if `open_low`); a problem otherwise."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        problems.add(name, value, "must be a number or an array of numbers", remedy)
        return np.asarray(np.nan)
    bad = ~(np.isfinite(array) & ((array > 0.0) if open_low else (array >= 0.0)) & (array < high))
    if bad.any():
        worst = array[bad].flat[0]
        low = "above 0" if open_low else "at least 0"
        rule = f"must be finite, {low}" + (f" and below {high:g}" if np.isfinite(high) else "")
        problems.add(name, float(worst), rule, remedy)
    return array


def check_half_life(problems: Problems, value: object, name: str = "half_life_days") -> None:
    """A half-life may be infinite: what was sold stays in the way."""
    if value != math.inf:
        problems.number(name, value, low=0, remedy="give days, 0 for no memory, inf for no recovery")
