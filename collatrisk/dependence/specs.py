"""What to fit between assets: independence, the Gaussian copula, the Student t copula, or rows of history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from collatrisk.base.validation import Problems
from collatrisk.dependence.historical import FilteredHistorical

Shrinkage: TypeAlias = Literal["auto"] | None


@dataclass(frozen=True, slots=True)
class Independent:
    """Assets whose innovations have nothing to do with each other."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "independent"}

    def __str__(self) -> str:
        return "independent"


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """The copula of the normal law: correlation, no tail dependence.

    Parameters
    ----------
    shrinkage : ``"auto"`` (Ledoit-Wolf when there are fewer than ten observations an asset) or None (never).

    Raises
    ------
    InputError : for any other `shrinkage`.
    """

    shrinkage: Shrinkage = "auto"

    def __post_init__(self) -> None:
        _check_shrinkage("GaussianCopula", self.shrinkage)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "gaussian", "shrinkage": self.shrinkage}

    def __str__(self) -> str:
        return "Gaussian copula"


@dataclass(frozen=True, slots=True)
class StudentTCopula:
    """The copula of the multivariate Student t law: correlation, and crashes that come together.

    Parameters
    ----------
    shrinkage : ``"auto"`` (Ledoit-Wolf when there are fewer than ten observations an asset) or None (never).

    Raises
    ------
    InputError : for any other `shrinkage`.
    """

    shrinkage: Shrinkage = "auto"

    def __post_init__(self) -> None:
        _check_shrinkage("StudentTCopula", self.shrinkage)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "student-t", "shrinkage": self.shrinkage}

    def __str__(self) -> str:
        return "Student t copula"


DependenceSpec: TypeAlias = Independent | GaussianCopula | StudentTCopula | FilteredHistorical

_KEYS = {
    "independent": ("kind",),
    "gaussian": ("kind", "shrinkage"),
    "student-t": ("kind", "shrinkage"),
    "filtered-historical": ("kind", "mean_block"),
}


def spec_from_dict(data: Mapping[str, Any]) -> DependenceSpec:
    """The inverse of a dependence spec's `to_dict`.

    Raises
    ------
    InputError : for an unknown or missing kind, or a key that the kind does not have.
    """
    kind = data.get("kind")
    problems = Problems("Dependence spec")
    problems.choice("kind", kind, tuple(_KEYS))
    problems.raise_if_any()
    assert isinstance(kind, str)
    problems.known("key", data, _KEYS[kind])
    problems.raise_if_any()
    if kind == "independent":
        return Independent()
    if kind == "filtered-historical":
        return FilteredHistorical(data.get("mean_block", 1.0))
    shrinkage = data.get("shrinkage", "auto")
    return GaussianCopula(shrinkage) if kind == "gaussian" else StudentTCopula(shrinkage)


def _check_shrinkage(title: str, shrinkage: object) -> None:
    problems = Problems(title)
    problems.check(
        shrinkage is None or shrinkage == "auto", "shrinkage", shrinkage, "must be 'auto' or None", "leave it out"
    )
    problems.raise_if_any()
