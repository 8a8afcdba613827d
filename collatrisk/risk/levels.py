"""Confidence levels and the ranks that they name, safe against the rounding of decimals."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from collatrisk.base.validation import Problems

_EPSILON = float(np.finfo(np.float64).eps)


def check_levels(level: object, problems: Problems, name: str = "level") -> tuple[float, ...]:
    """One level or several as floats in (0, 1); broken rules go to `problems`.

    Several come in an order that the answers keep: a list, a tuple, an array or a Series; no set, no generator.
    """
    if type(level) is tuple and level and all(type(one) is float and 0.0 < one < 1.0 for one in level):
        return level  # the usual case, in a tenth of the time
    n_dimensions = 0 if isinstance(level, Real) else np.ndim(level)  # type: ignore[arg-type]
    if n_dimensions > 1:
        problems.add(name, level, "must be one-dimensional", "give a list such as [0.99, 0.999]")
        return ()
    found = tuple(level) if n_dimensions else (level,)  # type: ignore[arg-type]
    if not found:
        problems.add(name, level, "must hold at least one level", "give 0.99 for 99 %")
    return tuple(check_level(one, problems, name) for one in found)


def check_level(level: object, problems: Problems, name: str = "level") -> float:
    """One level as a float in (0, 1); broken rules go to `problems`."""
    remedy = "give 0.99 for 99 %"
    if isinstance(level, np.ndarray) and level.ndim == 0:
        level = level.item()
    if isinstance(level, int | float) and 1 < level < 100:
        remedy = f"give {float(level) / 100:.6g} for {float(level):g} %"
    return problems.number(name, level, low=0, high=1, open_low=True, open_high=True, remedy=remedy)


def snapped(product: float, n: float) -> float:
    """`product` (a level times `n`), moved to a whole number that it misses only by rounding: 0.99 x 100 is 99."""
    whole = round(product)
    return float(whole) if abs(product - whole) <= 4 * _EPSILON * max(n, 1.0) else product


def quantile_rank(n: int, level: float) -> int:
    """The rank ceil(n x level), from 1 to n, of the order statistic that estimates the quantile (ascending)."""
    return min(max(math.ceil(snapped(n * level, n)), 1), n)


def tail_count(n: int, level: float) -> float:
    """The number of losses in the tail, (1 - level) x n: above zero, not necessarily whole."""
    return n - snapped(n * level, n) or n * (1.0 - level)


def tail_size(n: int, lowest_level: float, *, overlap: float = 1) -> int:
    """How many of the largest of `n` losses answer every level from `lowest_level` up, with intervals.

    The order statistic itself, what lies above it, and six standard deviations of its rank below it (with `overlap`,
    of its effective rank), so that every interval up to a confidence of 1 - 1e-8 lies inside.

    Parameters
    ----------
    n : int >= 1, the number of losses.
    lowest_level : the lowest level that will be asked for, in (0, 1).
    overlap : 1 for independent losses; the number of steps that windows share otherwise.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("tail_size")
    n = problems.integer("n", n, low=1, remedy="give the number of losses")
    lowest_level = check_level(lowest_level, problems, "lowest_level")
    overlap = check_sharing(overlap, problems)
    problems.raise_if_any()
    spread = 6.0 * math.sqrt(max(overlap, 1.0) * n * lowest_level * (1.0 - lowest_level))
    return min(n, n - quantile_rank(n, lowest_level) + 1 + math.ceil(spread) + 3)


def check_overlap(overlap: object, problems: Problems) -> int:
    """`overlap` as an int >= 1; broken rules go to `problems`."""
    return problems.integer("overlap", overlap, low=1, remedy="1 for independent losses, k for windows of k steps")


def check_sharing(overlap: object, problems: Problems) -> float:
    """An overlap that need not be whole, as a finite float >= 1; broken rules go to `problems`."""
    return problems.number("overlap", overlap, low=1, remedy="1 for independent losses, k for windows of k steps")


def check_seed(seed: object, problems: Problems) -> int:
    """A seed in [0, 2**64); broken rules go to `problems`."""
    return problems.integer("seed", seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")


def check_floor(floor: object, problems: Problems) -> None:
    """A floor is a number, minus infinity for none; broken rules go to `problems`."""
    holds = isinstance(floor, Real) and floor == floor
    problems.check(holds, "floor", floor, "must be a number", "give 0 for amounts, or leave it out")
