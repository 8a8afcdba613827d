"""Collect every broken rule before refusing: one `Problems` per object that is checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

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
        number = _as_float(value)
        above = number > low if open_low else number >= low
        below = number < high if open_high else number <= high
        finite = math.isfinite(number)
        if not (finite and above and below):
            self.add(name, value, _number_rule(low, high, open_low, open_high), remedy)
        return number if finite else math.nan

    def integer(self, name: str, value: object, *, low: int, high: int | None = None, remedy: str) -> int:
        """`value` as an int of at least `low` (and at most `high`); records a problem (and returns `low`) otherwise."""
        rule = f"must be a whole number of at least {low}" + ("" if high is None else f" and at most {high}")
        if isinstance(value, bool) or not isinstance(value, Integral):
            self.add(name, value, rule, remedy)
            return low
        number = int(value)
        self.check(number >= low and (high is None or number <= high), name, value, rule, remedy)
        return number

    def listed(self, name: str, value: object, kinds: tuple[type, ...], remedy: str) -> tuple[Any, ...]:
        """One object of `kinds`, or several, as a tuple; what is neither is a problem, as is none at all."""
        if isinstance(value, kinds):
            return (value,)
        rule = f"must be {' or '.join(kind.__name__ for kind in kinds)}, one or a list of them"
        if not isinstance(value, Iterable) or isinstance(value, str | bytes):
            self.add(name, value, rule, remedy)
            return ()
        each = tuple(value)
        self.check(bool(each), name, value, "must hold at least one", remedy)
        for i, one in enumerate(each):
            self.check(isinstance(one, kinds), f"{name}[{i}]", one, rule, remedy)
        return each

    def choice(self, name: str, value: object, allowed: Collection[str]) -> None:
        """`value` must be one of `allowed`."""
        if not isinstance(value, str) or value not in allowed:
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


def _as_float(value: object) -> float:
    """A real number as a float; nan for anything else, bools included, and inf for what no float can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


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
