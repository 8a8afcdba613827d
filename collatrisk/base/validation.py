"""Collect every broken rule before refusing: one `Problems` per object that is checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from numbers import Integral, Real

from collatrisk.base.errors import CollatriskError, InputError, Problem, show_value


class Problems:
    """A list of broken rules that raises once, with all of them.

    Examples
    --------
    >>> problems = Problems("Loan")
    >>> problems.number("ltv", 1.7, low=0, high=1, open_low=True, open_high=True, remedy="give 0.7 for 70 %")
    1.7
    >>> problems.raise_if_any()
    Traceback (most recent call last):
    collatrisk.base.errors.InputError: Loan: ltv = 1.7: must be a number in (0, 1); give 0.7 for 70 %
    """

    def __init__(self, title: str, error: type[CollatriskError] = InputError) -> None:
        self.title = title
        self.found: list[Problem] = []
        self._error = error

    def add(self, name: str, value: object, rule: str, remedy: str) -> None:
        """Record a broken rule."""
        self.found.append(Problem(name, show_value(value), rule, remedy))

    def check(self, holds: bool, name: str, value: object, rule: str, remedy: str) -> bool:
        """Record a broken rule unless it holds; returns whether it holds."""
        if not holds:
            self.add(name, value, rule, remedy)
        return holds

    def number(
        self,
        name: str,
        value: object,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        open_low: bool = False,
        open_high: bool = False,
        remedy: str,
    ) -> float:
        """`value` as a finite float inside the interval; records a problem (and returns nan) otherwise."""
        rule = _number_rule(low, high, open_low, open_high)
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(float(value)):
            self.add(name, value, rule, remedy)
            return math.nan
        number = float(value)
        above = number > low if open_low else number >= low
        below = number < high if open_high else number <= high
        self.check(above and below, name, value, rule, remedy)
        return number

    def integer(self, name: str, value: object, *, low: int, high: int | None = None, remedy: str) -> int:
        """`value` as an int of at least `low` (and at most `high`); records a problem (and returns `low`) otherwise."""
        rule = f"must be a whole number of at least {low}" + ("" if high is None else f" and at most {high}")
        if isinstance(value, bool) or not isinstance(value, Integral):
            self.add(name, value, rule, remedy)
            return low
        number = int(value)
        self.check(number >= low and (high is None or number <= high), name, value, rule, remedy)
        return number

    def choice(self, name: str, value: object, allowed: Collection[str]) -> None:
        """`value` must be one of `allowed`."""
        if value not in allowed:
            self.add(name, value, f"must be one of {', '.join(map(repr, allowed))}", did_you_mean(value, allowed))

    def known(self, name: str, keys: Collection[str] | Mapping[str, object], allowed: Collection[str]) -> None:
        """Every key must be one of `allowed`; each that is not is a problem of its own."""
        for key in keys:
            if key not in allowed:
                known = ", ".join(map(str, allowed))
                self.add(name, key, f"is not known here (known: {known})", did_you_mean(key, allowed))

    def raise_if_any(self) -> None:
        """Raise the error with all that was recorded, if anything was."""
        if self.found:
            raise self._error(self.title, self.found)


def _number_rule(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if math.isinf(low) and math.isinf(high):
        return "must be a finite number"
    if math.isinf(high):
        return f"must be a number {'above' if open_low else 'of at least'} {low:g}"
    if math.isinf(low):
        return f"must be a number {'below' if open_high else 'of at most'} {high:g}"
    return f"must be a number in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def did_you_mean(value: object, allowed: Collection[str]) -> str:
    """The remedy for a misspelt name."""
    close = get_close_matches(str(value), [str(name) for name in allowed], n=1)
    return f"did you mean {close[0]!r}?" if close else "use one of them"
