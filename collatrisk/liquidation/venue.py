"""A venue: its figures with their quality, what is known and what is not modelled, and the rules that they build."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems, did_you_mean
from collatrisk.collateral import Terms
from collatrisk.liquidation.checks import refuse
from collatrisk.liquidation.venue_margin import margin_terms
from collatrisk.liquidation.venue_terms import BUILDERS, settings_of

QUALITIES: Final = {"V": "read in the source and recomputed", "S": "read in the source", "own": "given by the user"}
BASES: Final = {
    "rule": "part of the venue's rules, or its default",
    "test": "a setting of the venue's own tests: deployed ones differ",
    "market": "the setting of one deployed market",
    "example": "of a public example: each contract has its own",
    "own": "given by the user",
}


@dataclass(frozen=True, slots=True)
class VenueValue:
    """A figure with its `quality` (see `QUALITIES`), its `basis` (see `BASES`) and a note."""

    value: float | str | tuple[Any, ...]
    quality: str
    basis: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue's figures and what is known about them.

    Attributes
    ----------
    name, title, version : of the venue. archetype : A to E, see docs/liquidation.md. read : the day on which the
        figures were taken down; deployed ones change. sources : repositories and files.
    boundary : who is liquidatable, and what happens at equality. unmodelled : rules of the venue that are not here.
    values : the figures by name. missing : settings without a published figure, that `terms` needs.
    """

    name: str
    title: str
    archetype: str
    version: str
    read: dt.date
    sources: tuple[str, ...]
    boundary: str
    unmodelled: tuple[str, ...]
    values: Mapping[str, VenueValue]

    @property
    def missing(self) -> tuple[str, ...]:
        """Settings that must be given before `terms` can be built."""
        needed = [name for build in BUILDERS[self.name].values() for name in settings_of(build)[0]]
        return tuple(dict.fromkeys(name for name in needed if name not in self.values))

    @property
    def parts(self) -> tuple[str, ...]:
        """The sets of rules that `terms` can build."""
        return tuple(BUILDERS[self.name])

    def terms(self, part: str | None = None) -> Any:
        """The venue's rules as a frozen object, such as `DutchTerms`.

        Parameters
        ----------
        part : one of `parts`. Default: the first.

        Raises
        ------
        InputError : no such part, a setting is missing, or one breaks a rule.
        """
        part = self.parts[0] if part is None else part
        if part not in self.parts:
            rule = f"is no part of {self.name} (parts: {', '.join(self.parts)})"
            refuse(f"Venue {self.name}", "part", part, rule, did_you_mean(part, self.parts))
        build = BUILDERS[self.name][part]
        needed, known = settings_of(build)
        problems = Problems(f"Venue {self.name}")
        for name in needed:
            rule = "has no published figure and must be given"
            remedy = f"venues.load({self.name!r}, {name}=...)"
            problems.check(name in self.values, name, "nothing", rule, remedy)
        problems.raise_if_any()
        return build(**{name: self.values[name].value for name in known if name in self.values})

    def margin_terms(self, **changes: Any) -> Terms:
        """The `Terms` that make `run_margin` liquidate as this lending venue does.

        Nobody is called before the liquidation (``margin_call = restore_to = 1``) unless `changes` say so.

        Parameters
        ----------
        changes : any field of `Terms` (such as `liquidation_threshold`, which most venues set for each market,
            `price_impact`, `mark`) and of the liquidation rule (such as ``order``, ``calls_a_step``, ``pool``; `bonus`
            may be a mapping by asset).

        Raises
        ------
        InputError : no lending venue, an unknown field, a missing one, or a broken rule.
        """
        return margin_terms(self.name, self.terms(), changes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``test-settings``: figures of the venue's own tests. ``example-settings``: of one market or a public example.
        ``missing-settings``: those that must be given."""
        tests = [name for name, value in self.values.items() if value.basis == "test"]
        samples = [name for name, value in self.values.items() if value.basis in ("market", "example")]
        found = []
        if tests:
            text = (
                f"{', '.join(tests)}: settings of the venue's own tests, not of a deployed market; give deployed ones"
            )
            found.append(Finding("test-settings", "warning", self.name, text))
        if samples:
            text = f"{', '.join(samples)}: of one market or of a public example; give those of your contract"
            found.append(Finding("example-settings", "warning", self.name, text))
        if self.missing:
            text = f"{', '.join(self.missing)}: no published figure is known here; give them to venues.load"
            found.append(Finding("missing-settings", "warning", self.name, text))
        return tuple(found)

    def _repr_html_(self) -> str:
        rows = [(name, item.value, item.quality, BASES[item.basis], item.note) for name, item in self.values.items()]
        return html_table(("setting", "value", "quality", "basis", "note"), rows, f"{self.title} ({self.version})")
