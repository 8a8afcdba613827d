"""What to fit between assets: independence, a copula whose correlation stays or moves, or rows of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from collatrisk.base.validation import Problems
from collatrisk.dependence.dynamic_specs import Dcc, EwmaCorrelation, Shrinkage, check_shrinkage
from collatrisk.dependence.historical import FilteredHistorical


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
        check_shrinkage("GaussianCopula", self.shrinkage)

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
        check_shrinkage("StudentTCopula", self.shrinkage)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "student-t", "shrinkage": self.shrinkage}

    def __str__(self) -> str:
        return "Student t copula"


@dataclass(frozen=True, slots=True, init=False)
class GroupedTCopula:
    """A t copula in which every group of assets has its own degrees of freedom.

    Daul, De Giorgi, Lindskog and McNeil (2003): asset i of group k has the score sqrt(nu_k / chi2_k) z_i. The
    normals z are correlated across all groups, and chi2_k is the chi-square quantile, with nu_k degrees of freedom,
    of one uniform that all groups share.

    Parameters
    ----------
    groups : group name -> its assets; every asset in exactly one group, two or more in each (fewer cannot tell nu).
    shrinkage : ``"auto"`` (Ledoit-Wolf when there are fewer than ten observations an asset) or None (never).

    Raises
    ------
    InputError : with all broken rules at once.
    """

    groups: tuple[tuple[str, tuple[str, ...]], ...]
    shrinkage: Shrinkage

    def __init__(self, groups: Mapping[str, Sequence[str]], shrinkage: Shrinkage = "auto") -> None:
        problems = Problems("GroupedTCopula")
        remedy = "give {'majors': ('BTC', 'ETH'), 'stables': ('USDC', 'DAI')}"
        fits = isinstance(groups, Mapping) and bool(groups)
        problems.check(fits, "groups", groups, "must map group names to assets", remedy)
        kept: list[tuple[str, tuple[str, ...]]] = []
        for name, assets in groups.items() if fits else ():
            listed = isinstance(assets, Sequence) and not isinstance(assets, str) and len(assets) > 0
            if problems.check(listed, f"groups[{name}]", assets, "must list its assets", remedy):
                kept.append((str(name), tuple(map(str, assets))))
        everyone = [asset for _, assets in kept for asset in assets]
        twice = sorted({asset for asset in everyone if everyone.count(asset) > 1})
        problems.check(not twice, "groups", twice, "must not share an asset", "put each asset into one group")
        problems.raise_if_any()
        check_shrinkage("GroupedTCopula", shrinkage)
        object.__setattr__(self, "groups", tuple(kept))
        object.__setattr__(self, "shrinkage", shrinkage)

    def group_of(self, asset: str) -> str | None:
        """The group of an asset, None if it is in none."""
        return next((name for name, assets in self.groups if asset in assets), None)

    def select(self, assets: Sequence[str]) -> GroupedTCopula:
        """The groups of some of the assets."""
        left = {name: tuple(asset for asset in members if asset in assets) for name, members in self.groups}
        return GroupedTCopula({name: members for name, members in left.items() if members}, self.shrinkage)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        groups = {name: list(assets) for name, assets in self.groups}
        return {"kind": "grouped-t", "groups": groups, "shrinkage": self.shrinkage}

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupedTCopula, (dict(self.groups), self.shrinkage)

    def __str__(self) -> str:
        return f"grouped t copula ({', '.join(name for name, _ in self.groups)})"


DependenceSpec: TypeAlias = (
    Independent | GaussianCopula | StudentTCopula | GroupedTCopula | Dcc | EwmaCorrelation | FilteredHistorical
)

DEPENDENCE_SPECS = (
    Independent,
    GaussianCopula,
    StudentTCopula,
    GroupedTCopula,
    Dcc,
    EwmaCorrelation,
    FilteredHistorical,
)
_KEYS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "independent": (Independent, ()),
    "gaussian": (GaussianCopula, ("shrinkage",)),
    "student-t": (StudentTCopula, ("shrinkage",)),
    "grouped-t": (GroupedTCopula, ("groups", "shrinkage")),
    "dcc": (Dcc, ("variant", "copula", "likelihood", "shrinkage")),
    "ewma": (EwmaCorrelation, ("decay", "copula", "shrinkage")),
    "filtered-historical": (FilteredHistorical, ("mean_block",)),
}


def spec_from_dict(data: Mapping[str, Any]) -> DependenceSpec:
    """The inverse of a dependence spec's `to_dict`; what is left out has its default.

    Raises
    ------
    InputError : for an unknown or missing kind, or a key that the kind does not have.
    """
    kind = data.get("kind")
    problems = Problems("Dependence spec")
    problems.choice("kind", kind, tuple(_KEYS))
    spec, keys = _KEYS.get(str(kind), (Independent, ()))
    problems.known("key", data, ("kind", *keys))
    problems.check(kind != "grouped-t" or "groups" in data, "groups", "nothing", "is missing", "name the groups")
    problems.raise_if_any()
    made: DependenceSpec = spec(**{key: data[key] for key in keys if key in data})
    return made
