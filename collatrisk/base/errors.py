"""What goes wrong, said so that a reader can mend it: the name, the value, the rule and the remedy.

Every error of the library carries *all* the problems that were found, not the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule.

    Attributes
    ----------
    name : what is wrong, as the user wrote it: an argument, a column, a path in a study file.
    value : the offending value, already shortened to something printable.
    rule : what must hold.
    remedy : what to do about it.
    """

    name: str
    value: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}: {self.rule}; {self.remedy}"


def show_value(value: object) -> str:
    """A short printable form of any value, for an error message."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


class CollatriskError(Exception):
    """The root of every error that the library raises on purpose.

    Attributes
    ----------
    problems : all the problems found, in the order in which they were found.
    """

    def __init__(self, title: str, problems: Sequence[Problem] = ()) -> None:
        self.title = title
        self.problems = tuple(problems)
        super().__init__(title, self.problems)

    def __str__(self) -> str:
        if not self.problems:
            return self.title
        if len(self.problems) == 1:
            return f"{self.title}: {self.problems[0]}"
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{self.title}: {len(self.problems)} problems\n{lines}"


class InputError(CollatriskError, ValueError):
    """An argument, a term sheet or a study file breaks a rule (command line: exit code 2)."""


class DataError(CollatriskError, ValueError):
    """Prices or another data file cannot be used as they are (command line: exit code 3)."""


class FitError(CollatriskError, RuntimeError):
    """A model could not be estimated; the message says which attempts were made."""
