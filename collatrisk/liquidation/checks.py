"""Checks that every venue rule shares: numbers inside their range, and refusals that name the broken rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sized
from typing import NamedTuple, NoReturn

from collatrisk.base.validation import Problems


class Range(NamedTuple):
    """Where a number may lie; `infinite` also allows plus infinity ("no limit")."""

    low: float = 0.0
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    infinite: bool = False


AMOUNT = Range()
POSITIVE = Range(open_low=True)
LIMIT = Range(open_low=True, infinite=True)
SHARE = Range(high=1.0)
BELOW_ONE = Range(high=1.0, open_high=True)
INSIDE = Range(high=1.0, open_low=True, open_high=True)
POSITIVE_SHARE = Range(high=1.0, open_low=True)
ANY = Range(low=-math.inf)


def record(problems: Problems, name: str, value: object, allowed: Range, remedy: str = "give a number in it") -> None:
    """Record a problem unless `value` is a number inside `allowed`."""
    if allowed.infinite and isinstance(value, float) and value == math.inf:
        return
    problems.number(
        name,
        value,
        low=allowed.low,
        high=allowed.high,
        open_low=allowed.open_low,
        open_high=allowed.open_high,
        remedy=remedy,
    )


def check(title: str, rules: Mapping[str, tuple[object, Range]]) -> None:
    """Refuse all numbers outside their range at once.

    Raises
    ------
    InputError : naming each number, its value and its range.
    """
    problems = Problems(title)
    for name, (value, allowed) in rules.items():
        record(problems, name, value, allowed)
    problems.raise_if_any()


def check_fields(owner: object, rules: Mapping[str, Range]) -> None:
    """`check` for the fields of a frozen dataclass."""
    check(type(owner).__name__, {name: (getattr(owner, name), allowed) for name, allowed in rules.items()})


def check_lengths(title: str, **columns: Sized) -> None:
    """Refuse columns of unequal length.

    Raises
    ------
    InputError : with the length of each.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        refuse(title, ", ".join(lengths), tuple(lengths.values()), "must be equally long", "give one of each a row")


def refuse(title: str, name: str, value: object, rule: str, remedy: str) -> NoReturn:
    """Refuse an operation that a venue's rule forbids.

    Raises
    ------
    InputError : always.
    """
    problems = Problems(title)
    problems.add(name, value, rule, remedy)
    problems.raise_if_any()
    raise AssertionError("unreachable")  # a problem was just added
