"""One group of a grouped t copula, fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collatrisk.base.validation import Problems


@dataclass(frozen=True, slots=True)
class TGroup:
    """A group of assets that share degrees of freedom.

    Attributes
    ----------
    name : the group. assets : its assets. nu : degrees of freedom, > 2.
    nu_std_error : its standard error; None where there is none (not fitted, or nu on its bound).

    Raises
    ------
    InputError : with all broken rules at once.
    """

    name: str
    assets: tuple[str, ...]
    nu: float
    nu_std_error: float | None = None

    def __post_init__(self) -> None:
        problems = Problems(f"TGroup {self.name!r}")
        remedy = "above 2: a finite variance"
        object.__setattr__(self, "nu", problems.number("nu", self.nu, low=2, open_low=True, remedy=remedy))
        object.__setattr__(self, "assets", tuple(self.assets))
        problems.check(bool(self.assets), "assets", self.assets, "must name an asset", "leave the group out")
        if self.nu_std_error is not None:
            problems.number("nu_std_error", self.nu_std_error, low=0, remedy="None where there is none")
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"name": self.name, "assets": list(self.assets), "nu": self.nu, "nu_std_error": self.nu_std_error}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TGroup:
        """The inverse of `to_dict`."""
        return cls(data["name"], tuple(data["assets"]), data["nu"], data["nu_std_error"])

    def __str__(self) -> str:
        error = "" if self.nu_std_error is None else f" (s.e. {self.nu_std_error:.2g})"
        return f"{self.name} nu = {self.nu:.4g}{error}"
