"""Venues as versioned data: TOML files in ``venues/`` with sources, read strictly; every figure can be overridden."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import fields, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from collatrisk.base.errors import InputError
from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import Problems, did_you_mean
from collatrisk.liquidation.checks import refuse
from collatrisk.liquidation.venue import Venue, VenueValue
from collatrisk.liquidation.venue_terms import BUILDERS, settings_of

FORMAT: Final = 1
_HEAD = {"name": str, "title": str, "archetype": str, "version": str, "read": dt.date, "sources": list, "boundary": str}
_KEYS = ("format", *_HEAD, "unmodelled", "values")
_VALUE_KEYS = ("value", "quality", "basis", "note")


def names() -> tuple[str, ...]:
    """The venues that ship with the package."""
    return tuple(sorted(BUILDERS))


def load(name: str, **overrides: Any) -> Venue:
    """A venue by name, with figures of your own in place of its.

    Parameters
    ----------
    name : one of `names`. overrides : setting=value, for any setting of the venue's rules.

    Raises
    ------
    InputError : no such venue or setting (with the nearest name), or a value that breaks a rule.
    """
    if name not in BUILDERS:
        known = f"is not a venue here (known: {', '.join(names())})"
        refuse("venues.load", "name", name, known, did_you_mean(name, names()))
    venue = _shipped(name)
    allowed = dict.fromkeys(setting for build in BUILDERS[name].values() for setting in settings_of(build)[1])
    problems = Problems(f"Venue {name}")
    problems.known("setting", overrides, tuple({**allowed, **venue.values}))
    problems.raise_if_any()
    own = {key: VenueValue(_frozen(value), "own", "own") for key, value in overrides.items()}
    venue = replace(venue, values=FrozenDict({**venue.values, **own}))
    for part, build in BUILDERS[name].items():
        if all(setting in venue.values for setting in settings_of(build)[0]):
            venue.terms(part)  # refuses a value that breaks a rule now, not at its first use
    return venue


@lru_cache(maxsize=32)
def _shipped(name: str) -> Venue:
    text = (files("collatrisk.liquidation") / "venues" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(text, f"venues/{name}.toml")


def parse(text: str, title: str = "Venue") -> Venue:
    """A venue from the text of its file.

    Raises
    ------
    InputError : with all problems of the file at once.
    """
    problems = Problems(title)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add("file", str(error), "must be valid TOML", "mend the line that is named")
        raise InputError(title, problems.found) from error
    problems.known("key", data, _KEYS)
    for key in _KEYS:
        problems.check(key in data, key, "nothing", "is needed here", "add it")
    problems.raise_if_any()
    rule = f"must be {FORMAT}, the format that this version reads"
    problems.check(data["format"] == FORMAT, "format", data["format"], rule, "convert the file or upgrade")
    problems.choice("name", data["name"], names())
    for key, kind in {**_HEAD, "unmodelled": list, "values": dict}.items():
        problems.check(isinstance(data[key], kind), key, data[key], f"must be a {kind.__name__}", "see the other files")
    problems.raise_if_any()
    values = {key: _value(problems, f"values.{key}", entry) for key, entry in data["values"].items()}
    problems.raise_if_any()
    head = {field.name: data[field.name] for field in fields(Venue) if field.name in _HEAD}
    texts = {key: tuple(map(str, data[key])) for key in ("sources", "unmodelled")}
    return Venue(**{**head, **texts, "values": FrozenDict(values)})


def _frozen(value: Any) -> Any:
    """Lists, at any depth, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _value(problems: Problems, name: str, entry: object) -> VenueValue:
    nothing = VenueValue(0.0, "S", "rule")
    if not isinstance(entry, dict):
        problems.add(name, entry, "must be a table", '{ value = 0.05, quality = "V", basis = "rule" }')
        return nothing
    before = len(problems.found)
    problems.known(name, entry, _VALUE_KEYS)
    for key in _VALUE_KEYS[:3]:
        problems.check(key in entry, f"{name}.{key}", "nothing", "is needed here", "add it")
    if len(problems.found) > before:
        return nothing
    value = _frozen(entry["value"])
    plain = isinstance(value, int | float | str | tuple) and not isinstance(value, bool)
    problems.check(plain, f"{name}.value", entry["value"], "must be a number, a text or a list", "write 0.05, say")
    problems.choice(f"{name}.quality", entry["quality"], ("V", "S"))
    problems.choice(f"{name}.basis", entry["basis"], ("rule", "test", "market", "example"))
    return VenueValue(value, entry["quality"], entry["basis"], str(entry.get("note", "")))
