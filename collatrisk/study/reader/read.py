"""Read a study file strictly: every mistake at once, each with its TOML path, its value, the rule and the remedy."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from pydantic import ValidationError

from collatrisk.base.errors import InputError, Problem
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.collateral.sale_rules import rule_from_dict
from collatrisk.dependence.specs import spec_from_dict as dependence_from_dict
from collatrisk.liquidation import venues
from collatrisk.study.reader.problems import Location, shape_problems, toml_path
from collatrisk.study.reader.schema import StudyFile
from collatrisk.study.spec import Book, Grid, MarketPlan, Sizing, StressPlan, check_name
from collatrisk.study.study import Study, check_books, check_horizons, check_settings
from collatrisk.volatility.peg_spec import marginal_spec_from_dict as volatility_from_dict
from collatrisk.volatility.season import HourOfWeek
from collatrisk.volatility.tails import innovations_from_dict

Built = TypeVar("Built")
_MAX_BYTES = 4 * 2**20
_LOAN: dict[str, Any] = {"mix": Mix({"?": 1.0}), "ltv": 0.7, "collateral_value": 1_000_000.0}


def load_study(path: str | Path) -> Study:
    """The study that a TOML file describes.

    Parameters
    ----------
    path : the file; what it names (`prices`, `calibration`) is relative to its folder.

    Raises
    ------
    InputError : with all mistakes at once; unknown keys say which key was probably meant.
    """
    path = Path(path)
    document = _parse(path)
    return _Reading(path, document).study()


def _parse(path: Path) -> dict[str, Any]:
    problems = Problems(f"Study file {path.name or path}")
    if not path.is_file():
        rule = "is a folder" if path.is_dir() else "does not exist"
        problems.add("study file", str(path), rule, "run `collatrisk init lombard`, or check the path")
        problems.raise_if_any()
    if path.stat().st_size > _MAX_BYTES:
        problems.add("study file", str(path), "is larger than 4 MiB", "a study file is a page of text; is it data?")
        problems.raise_if_any()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        problems.add("study file", f"byte {error.start}", "is not UTF-8 text", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problems.add("study file", str(error), "is not TOML", "mend that line; see https://toml.io for the syntax")
    problems.raise_if_any()
    raise AssertionError("unreachable")


class _Reading:
    """One pass over one document: shape first, then everything that can still be built, then one error with all."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.found: dict[Location, Problem] = {}
        try:
            StudyFile.model_validate(document)
        except ValidationError as error:
            self.found = shape_problems(error, document)
        self.problems = Problems(f"Study file {path.name or path}")
        self.problems.found.extend(self.found.values())
        self.sound = _without(document, list(self.found))

    def study(self) -> Study:
        """The study, or one InputError with every problem of the file."""
        settings = self.section("study")
        defaults = {"name": "?", "title": "", "seed": 0, "n_paths": 20_000, "horizon_days": 30.0}
        self.checked(("study",), lambda p: check_settings(p, SimpleNamespace(**{**defaults, **settings})))
        market = self.market()
        books = self.books()
        terms = self.terms()
        grid = self.built(("grid",), Grid, **{key: _floats(value) for key, value in self.section("grid").items()})
        sizing = self.built(("sizing",), Sizing, **self.section("sizing"))
        stress = self.stress()
        # A misspelt key leaves a default behind, and what follows from that would only confuse.
        if grid and sizing and not any(self.touched((section,)) for section in ("study", "grid", "sizing")):
            horizon = float(settings.get("horizon_days", defaults["horizon_days"]))
            self.checked((), lambda p: check_horizons(p, horizon, grid, sizing))
        self.problems.raise_if_any()
        assert market is not None
        assert grid is not None
        assert sizing is not None
        assert stress is not None
        return Study(
            market=market,
            books=tuple(books),
            terms=terms,
            grid=grid,
            sizing=sizing,
            stress=stress,
            source=self.path.resolve(),
            **settings,
        )

    def section(self, name: str) -> dict[str, Any]:
        """The sound keys of a top section; empty if it is absent or no table."""
        value = self.sound.get(name, {})
        return dict(value) if isinstance(value, dict) else {}

    def market(self) -> MarketPlan | None:
        """[market], with its files found."""
        body = self.section("market")
        known = body.get("volatility", {})
        volatility = {
            asset: self.built(("market", "volatility", asset), volatility_from_dict, _without_words(spec))
            for asset, spec in (known.items() if isinstance(known, dict) else ())
            if isinstance(spec, dict)
        }
        dependence_body = dict(body.get("dependence") or {})
        if dependence_body.get("shrinkage") == "none":
            dependence_body["shrinkage"] = None
        if dependence_body.get("kind") in {"independent", "filtered-historical"}:
            dependence_body.pop("shrinkage", None)
        dependence_body.setdefault("kind", "student-t")
        dependence = self.built(("market", "dependence"), dependence_from_dict, dependence_body)
        innovations = None
        if isinstance(body.get("innovations"), dict):
            told = {"kind": "gpd-tails", **body["innovations"]}
            innovations = self.built(("market", "innovations"), innovations_from_dict, told)
        files = {key: self.file(key, body[key]) for key in ("prices", "calibration") if isinstance(body.get(key), str)}
        if any(location[:2] in {("market", "prices"), ("market", "calibration")} for location in self.found):
            return None
        options = {key: body[key] for key in ("clock", "align", "presample", "drift") if key in body}
        return self.built(
            ("market",),
            MarketPlan,
            assets=tuple(body.get("assets", ())),
            volatility=volatility,
            dependence=dependence,
            innovations=innovations,
            season=HourOfWeek() if body.get("season") is not None else None,
            **files,
            **options,
        )

    def file(self, key: str, name: str) -> Path:
        """A file that [market] names, which must exist."""
        path = Path(name).expanduser()
        path = path if path.is_absolute() else self.path.resolve().parent / path
        rule = f"no such file in {path.parent}"
        self.problems.check(path.is_file(), f"market.{key}", name, rule, "paths are relative to the study file")
        return path

    def books(self) -> list[Book]:
        """[[mixes]] and [[accounts]]."""
        loan = self.section("loan")
        if self.built(("loan",), Loan, **{**_LOAN, **loan}) is None:
            loan = {}
        books: list[Book | None] = []
        for i, body in enumerate(_tables(self.sound.get("mixes"))):
            books.append(self.mix_book(("mixes", i), body, loan) if body is not None else None)
        for i, body in enumerate(_tables(self.sound.get("accounts"))):
            books.append(self.account_book(("accounts", i), body) if body is not None else None)
        if not any(location[:1] in {("mixes",), ("accounts",)} for location in self.found):
            self.problems.check(len(books) > 0, "mixes", "(absent)", "at least one mix is needed", "add [[mixes]]")
        sound = [book for book in books if book is not None]
        self.checked(("mixes",), lambda p: check_books(p, sound))
        return sound

    def mix_book(self, location: Location, body: dict[str, Any], loan: dict[str, Any]) -> Book | None:
        """One of [[mixes]]: the loan of [loan], unless the mix says otherwise, against these weights."""
        mix = None
        if "weights" in body and not self.touched((*location, "weights")):
            mix = self.built(location, Mix, body["weights"], name=body.get("name", ""))
        stated = {key: value for key, value in body.items() if key in {"ltv", "collateral_value", "name"}}
        position = self.built(location, Loan, **{**_LOAN, **loan, **stated, "mix": mix or _LOAN["mix"]})
        return None if position is None else self.built(location, Book, body.get("name", "?"), position)

    def account_book(self, location: Location, body: dict[str, Any]) -> Book | None:
        """One of [[accounts]]."""
        if any(key not in body or self.touched((*location, key)) for key in ("holdings", "debts")):
            return None
        account = self.built(location, Account, **body)
        return None if account is None else self.built(location, Book, body.get("name", "?"), account)

    def terms(self) -> dict[str, Terms]:
        """[terms.NAME], each a term sheet."""
        sheets: dict[str, Terms] = {}
        tables = self.section("terms")
        if not tables and ("terms",) not in self.found:
            self.problems.add("terms", "{}", "at least one term sheet is needed", "add [terms.standard]")
        for name, body in tables.items():
            self.checked(("terms",), lambda p, n=name: check_name(p, n, n))  # type: ignore[misc]
            if isinstance(body, dict):
                given = {key: value for key, value in body.items() if value != {}}
                sheet = self.built(("terms", name), _terms, given)
                if sheet is not None:
                    sheets[name] = sheet
        return sheets

    def stress(self) -> StressPlan | None:
        """[stress], with its scenarios known to the catalogue."""
        body = self.section("stress")
        names = body.pop("scenarios", "all")
        names = ("all",) if names == "all" else tuple(name for name in names if isinstance(name, str))
        if names and names != ("all",):
            from collatrisk.scenarios import load_catalogue

            self.checked(("stress",), lambda p: p.known("scenarios", names, list(load_catalogue())))
        return self.built(("stress",), StressPlan, scenarios=names, **body)

    def touched(self, location: Location) -> bool:
        """Whether the shape of this key, or of something inside it, is already known to be wrong."""
        return any(bad[: len(location)] == location for bad in self.found)

    def built(self, location: Location, make: Callable[..., Built], *args: Any, **kwargs: Any) -> Built | None:
        """``make(...)``, or None with its problems recorded under the location."""
        try:
            return make(*args, **kwargs)
        except InputError as error:
            self.record(location, error.problems)
            return None

    def checked(self, location: Location, check: Callable[[Problems], None]) -> None:
        """Run a check that fills a `Problems`, and record what it found under the location."""
        problems = Problems("")
        check(problems)
        self.record(location, tuple(problems.found))

    def record(self, location: Location, found: tuple[Problem, ...]) -> None:
        prefix = toml_path(location)
        for problem in found:
            name = f"{prefix}.{problem.name}" if prefix else problem.name
            self.problems.found.append(Problem(name, problem.value, problem.rule, problem.remedy))


def _terms(body: dict[str, Any]) -> Terms:
    """A term sheet from its keys: a venue's, or one of the reader's own.

    Raises
    ------
    InputError : with all broken rules at once; figures without a venue.
    """
    keys = dict(body)
    venue, figures = keys.pop("venue", None), keys.pop("figures", {})
    if venue is None:
        problems = Problems("")
        problems.check(not figures, "figures", figures, "belong to a venue", 'name it: venue = "aave-v3"')
        problems.raise_if_any()
        return Terms.from_dict(keys)
    rule = keys.pop("liquidation", {})
    changes = {name: rule_from_dict(value) for name, value in rule.items()}
    return venues.load(venue, **figures).margin_terms(**keys, **changes)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values if value is not None) if isinstance(values, list) else ()


def _tables(value: Any) -> list[dict[str, Any] | None]:
    return [item if isinstance(item, dict) else None for item in value] if isinstance(value, list) else []


def _without(document: Mapping[str, Any], locations: list[Location]) -> dict[str, Any]:
    """A deep copy less the keys at these locations; an item of a list becomes None: the others keep their place."""
    sound = copy.deepcopy(dict(document))
    for location in locations:
        node: Any = sound
        for part in location[:-1]:
            node = node[part] if _has(node, part) else None
        if isinstance(node, dict):
            node.pop(location[-1], None)
        elif isinstance(node, list) and isinstance(location[-1], int):
            node[location[-1]] = None
    return sound


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node)


def _without_words(spec: dict[str, Any]) -> dict[str, Any]:
    """A file has no null: an accrual that is to be estimated is a word there."""
    return {**spec, "accrual": None} if spec.get("accrual") == "estimated" else spec
