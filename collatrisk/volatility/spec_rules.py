"""What all volatility specs share: laws of the residual, means, and the rules that their fields obey."""

from __future__ import annotations

from typing import Literal, TypeAlias

from collatrisk.base.validation import Problems

Dist: TypeAlias = Literal["normal", "t", "skewt", "ged"]
Mean: TypeAlias = Literal["constant", "zero", "ar1"]

DISTS: tuple[Dist, ...] = ("normal", "t", "skewt", "ged")
MEANS: tuple[Mean, ...] = ("constant", "zero", "ar1")
MAX_ORDER = 10


def check_shape(problems: Problems, dist: object, mean: object) -> None:
    """The law and the mean are known."""
    problems.choice("dist", dist, DISTS)
    problems.choice("mean", mean, MEANS)


def check_orders(problems: Problems, p: object, o: object, q: object) -> None:
    """Whole numbers in [0, 10] of which one lets the residuals in."""
    for name, order in (("p", p), ("o", o), ("q", q)):
        problems.integer(name, order, low=0, high=MAX_ORDER, remedy="orders of 1 suit nearly every series")
    if not problems.found:
        rule = "p + o must be at least 1, or the residuals never enter"
        enough = isinstance(p, int) and isinstance(o, int) and p + o > 0
        problems.check(enough, "p", p, rule, "use p=1, or ConstantVolatility()")
