"""A study: books x terms x scenarios on one set of paths."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.study.spec import Book, Grid, MarketPlan, Sizing, StressPlan, check_line, check_name, repeated

if TYPE_CHECKING:
    from collatrisk.collateral import Terms

_MAX_SEED = 2**64 - 1


@dataclass(frozen=True)
class Study:
    """Everything that a nightly batch needs, and nothing that changes while it runs.

    Parameters
    ----------
    name : short, used in file names and on the report.
    market : where the model comes from.
    books : what is held against what; names are unique.
    terms : term sheets by name; every book is run under each.
    title : the report's headline; the name if empty.
    seed : int in [0, 2**64). The result depends on it, on the inputs and on the versions, never on the workers.
    n_paths : >= 2.
    horizon_days : > 0, days of the clock.
    grid, sizing, stress : see their classes.
    source : the study file, if there was one; part of the reproducibility page, not of the result.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    name: str
    market: MarketPlan
    books: tuple[Book, ...]
    terms: Mapping[str, Terms]
    title: str = ""
    seed: int = 0
    n_paths: int = 20_000
    horizon_days: float = 30.0
    grid: Grid = field(default_factory=Grid)
    sizing: Sizing = field(default_factory=Sizing)
    stress: StressPlan = field(default_factory=StressPlan)
    source: Path | None = None

    def __post_init__(self) -> None:
        problems = Problems("Study")
        check_settings(problems, self)
        problems.check(len(self.books) > 0, "mixes", [], "at least one mix or account is needed", "add one")
        problems.check(len(self.terms) > 0, "terms", {}, "at least one term sheet is needed", "add [terms.standard]")
        check_books(problems, self.books)
        for name in self.terms:
            check_name(problems, "terms", name)
        check_horizons(problems, self.horizon_days, self.grid, self.sizing)
        problems.raise_if_any()

    @property
    def headline(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    @property
    def horizons(self) -> tuple[float, ...]:
        """The horizons of the surface, in days; the study's horizon where none were given."""
        return self.grid.horizons or (float(self.horizon_days),)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary of all that the result depends on, market files by name only."""
        market = self.market
        return {
            "name": self.name,
            "title": self.title,
            "seed": self.seed,
            "n_paths": self.n_paths,
            "horizon_days": self.horizon_days,
            "market": {
                "prices": _named(market.prices),
                "calibration": _named(market.calibration),
                "clock": spec_dict(market.clock) if isinstance(market.clock, Clock) else market.clock,
                "align": market.align,
                "assets": list(market.assets),
                "volatility": {asset: spec_dict(spec) for asset, spec in market.volatility.items()},
                "dependence": spec_dict(market.dependence),
                "presample": market.presample,
                "drift": market.drift,
            },
            "books": [book.to_dict() for book in self.books],
            "terms": {name: spec_dict(terms) for name, terms in self.terms.items()},
            "grid": {"ltv": list(self.grid.ltv), "horizons": list(self.horizons)},
            "sizing": asdict(self.sizing),
            "stress": {"scenarios": list(self.stress.scenarios), "n_paths": self.stress.n_paths},
        }

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical JSON of `to_dict`: the configuration hash that the report shows."""
        return canonical_hash(self.to_dict())


def check_settings(problems: Problems, settings: Any) -> None:
    """The rules of the [study] section, on anything that has its attributes."""
    check_name(problems, "name", settings.name)
    check_line(problems, "title", settings.title)
    problems.integer("seed", settings.seed, low=0, high=_MAX_SEED, remedy="give any whole number, such as 7")
    problems.integer("n_paths", settings.n_paths, low=2, remedy="give 10000 or more: a single path has no error")
    remedy = "give days of the clock, such as 30"
    problems.number("horizon_days", settings.horizon_days, low=0, open_low=True, remedy=remedy)


def check_books(problems: Problems, books: Sequence[Book]) -> None:
    """Names of books must be unique: they are the rows of every table. Prices are in one currency: so are the books."""
    for name in repeated([book.name for book in books]):
        problems.add("name", name, "is used by more than one mix or account", "give each its own name")
    currencies = list(dict.fromkeys(book.currency for book in books))
    rule = "all mixes and accounts must share one currency, that of the prices"
    problems.check(len(currencies) <= 1, "currency", currencies, rule, "make a study of each currency's own prices")


def check_horizons(problems: Problems, horizon_days: float, grid: Grid, sizing: Sizing) -> None:
    """Nothing may look further than the paths go."""
    rule = f"must not exceed study.horizon_days = {horizon_days:g}"
    remedy = "shorten it or lengthen the study"
    for i, value in enumerate(grid.horizons):
        problems.check(value <= horizon_days, f"grid.horizons[{i}]", value, rule, remedy)
    problems.check(sizing.mpor_days <= horizon_days, "sizing.mpor_days", sizing.mpor_days, rule, remedy)


def spec_dict(spec: Any) -> Any:
    """A specification as plain JSON values: its `to_dict` if it has one, else its fields."""
    if spec is None:
        return None
    if hasattr(spec, "to_dict"):
        return plain(spec.to_dict())
    body = {name: getattr(spec, name) for name in getattr(spec, "__dataclass_fields__", {})}
    return plain({"kind": type(spec).__name__, **body})


def plain(value: Any) -> Any:
    """`value` with mappings as dicts and sequences as lists, for JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def canonical_hash(body: Any) -> str:
    """SHA-256 (hex) of the JSON of `body` with sorted keys and no spaces."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _named(market: Any) -> str | None:
    if market is None:
        return None
    return market.name if isinstance(market, Path) else f"<{type(market).__name__} in memory>"
