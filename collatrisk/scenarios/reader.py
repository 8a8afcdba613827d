"""Scenario files: TOML, read strictly. Unknown keys fail with "did you mean"; all problems of a file at once."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems, did_you_mean
from collatrisk.scenarios import checks
from collatrisk.scenarios.records import Arrival, Number, Proxy, StressedModel, Window
from collatrisk.scenarios.scenario import Scenario

FORMAT = 1

_HEAD = ("format", "id", "title", "kind", "description", "window", "replay", "sources")
_SCENARIO_KEYS = (*_HEAD, "stressed", "shocks", "figures", "proxies")
_NUMBER_KEYS = ("asset", "value", "unit", "measure", "window", "venue", "source", "quality", "note")
_PROXY_KEYS = ("asset", "of", "beta", "factor", "source", "quality", "note")
_STRESSED_KEYS = ("volatility_scale", "correlation", "jumps", "depegs", "quality", "note")
_JUMP_KEYS = ("label", "intensity_per_year", "sizes", "note")
_DEPEG_KEYS = ("asset", "price", "intensity_per_year", "note")


class _Reader:
    """Walks one parsed file and collects what is wrong with its shape."""

    def __init__(self, title: str) -> None:
        self.problems = Problems(title)

    def table(self, name: str, value: object, keys: Collection[str], needed: Collection[str] = ()) -> dict[str, Any]:
        """`value` as a table with known keys and all the needed ones; an empty one, with problems, otherwise."""
        if not isinstance(value, dict):
            self.problems.add(name, value, "must be a table", "see the catalogue for an example")
            return {}
        for key in value:
            if key not in keys:
                path = f"{name}.{key}" if name else key
                known = f"is not a key here (known: {', '.join(keys)})"
                self.problems.add(path, value[key], known, did_you_mean(key, keys))
        for key in needed:
            if key not in value:
                self.problems.add(f"{name}.{key}" if name else key, "nothing", "is needed here", "add it")
        return {key: value[key] for key in value if key in keys}

    def tables(self, name: str, value: object) -> list[object]:
        """`value` as a list of tables."""
        if isinstance(value, list):
            return value
        self.problems.add(name, value, "must be a list of tables", f"write [[{name}]]")
        return []

    def window(self, name: str, value: object) -> Window | None:
        if value is None:
            return None
        ends = self.table(name, value, ("first", "last"), ("first", "last"))
        if len(ends) < 2:
            return None
        window = Window(ends["first"], ends["last"])
        checks.check_window(self.problems, name, window)
        return window if isinstance(window.first, dt.date) and isinstance(window.last, dt.date) else None

    def number(self, name: str, value: object, sources: Collection[str], *, shock: bool) -> Number | None:
        needed = ("asset", "value", "measure", "source", "quality")
        entry = self.table(name, value, _NUMBER_KEYS, needed)
        entry["window"] = self.window(f"{name}.window", entry.get("window"))
        if any(key not in entry for key in needed):
            return None
        number = Number(**entry)
        checks.check_number(self.problems, name, number, sources, shock=shock)
        return number

    def numbers(self, name: str, value: object, sources: Collection[str], *, shock: bool) -> list[Number]:
        entries = enumerate(self.tables(name, value))
        found = [self.number(f"{name}[{i}]", entry, sources, shock=shock) for i, entry in entries]
        return [number for number in found if number is not None]

    def proxies(self, value: object, sources: Collection[str]) -> list[Proxy]:
        rules = []
        needed = ("asset", "of", "source", "quality")
        for i, entry in enumerate(self.tables("proxies", value)):
            keys = self.table(f"proxies[{i}]", entry, _PROXY_KEYS, needed)
            if all(key in keys for key in needed):
                rules.append(Proxy(**keys))
                checks.check_proxy(self.problems, f"proxies[{i}]", rules[-1], sources)
        return rules

    def sources(self, value: object) -> dict[str, str]:
        if not isinstance(value, dict):
            self.problems.add("sources", value, "must be a table", "write [sources]")
            return {}
        for key, text in value.items():
            checks.check_text(self.problems, f"sources.{key}", text, "name the publication or the price collection")
        return value

    def stressed(self, value: object) -> StressedModel | None:
        if value is None:
            return None
        entry = self.table("stressed", value, _STRESSED_KEYS, ("quality",))
        pair = None
        if "correlation" in entry:
            both = self.table("stressed.correlation", entry["correlation"], ("rho", "weight"), ("rho", "weight"))
            pair = (both["rho"], both["weight"]) if len(both) == 2 else None
        arrivals = [*self._jumps(entry.get("jumps", [])), *self._depegs(entry.get("depegs", []))]
        quality, note = entry.get("quality", "assumption"), entry.get("note", "")
        stressed = StressedModel(entry.get("volatility_scale", 1.0), pair, tuple(arrivals), quality, note)
        checks.check_stressed(self.problems, "stressed", stressed)
        return stressed

    def _jumps(self, value: object) -> list[Arrival]:
        found = []
        for i, raw in enumerate(self.tables("stressed.jumps", value)):
            entry = self.table(f"stressed.jumps[{i}]", raw, _JUMP_KEYS, _JUMP_KEYS[:3])
            sizes = entry.get("sizes")
            if isinstance(sizes, dict) and all(key in entry for key in _JUMP_KEYS[:3]):
                found.append(Arrival(**entry))
            elif sizes is not None:
                self.problems.check(
                    isinstance(sizes, dict), f"stressed.jumps[{i}].sizes", sizes, "must be a table", "{ USDC = -0.1 }"
                )
        return found

    def _depegs(self, value: object) -> list[Arrival]:
        found = []
        for i, raw in enumerate(self.tables("stressed.depegs", value)):
            name = f"stressed.depegs[{i}]"
            entry = self.table(name, raw, _DEPEG_KEYS, _DEPEG_KEYS[:3])
            if any(key not in entry for key in _DEPEG_KEYS[:3]):
                continue
            price = self.problems.number(
                f"{name}.price", entry["price"], low=0, high=1, open_low=True, remedy="the new price of one dollar"
            )
            asset = str(entry["asset"])
            sizes = {asset: price - 1.0} if price > 0 else {asset: 0.0}
            found.append(Arrival(f"depeg of {asset}", entry["intensity_per_year"], sizes, entry.get("note", "")))
        return found


def parse_scenario(data: Mapping[str, Any], title: str = "Scenario") -> Scenario:
    """A scenario from a parsed TOML file.

    Raises
    ------
    InputError : with all problems of the file at once, each with its path in the file.
    """
    reader = _Reader(title)
    problems = reader.problems
    top = reader.table("", dict(data), _SCENARIO_KEYS, ("format", "id", "title", "kind"))
    if "format" in top:
        known = f"must be {FORMAT}, the format that this version reads"
        problems.check(top["format"] == FORMAT, "format", top["format"], known, "convert the file or upgrade")
    sources = reader.sources(top.get("sources", {}))
    window, replay = reader.window("window", top.get("window")), reader.window("replay", top.get("replay"))
    shocks = reader.numbers("shocks", top.get("shocks", []), sources, shock=True)
    checks.check_unique(problems, "shocks", (number.asset for number in shocks))
    figures = reader.numbers("figures", top.get("figures", []), sources, shock=False)
    proxies = reader.proxies(top.get("proxies", []), sources)
    stressed = reader.stressed(top.get("stressed"))
    if all(key in top for key in ("id", "title", "kind")):
        checks.check_head(problems, top["id"], top["title"], top["kind"], window)
    problems.raise_if_any()
    return Scenario(
        id=top["id"],
        title=top["title"],
        kind=top["kind"],
        shocks={number.asset: number for number in shocks},
        window=window,
        figures=tuple(figures),
        stressed=stressed,
        replay=replay,
        proxies=tuple(proxies),
        sources=sources,
        description=str(top.get("description", "")),
    )


def _parse_toml(text: str, title: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems = Problems(title)
        problems.add("file", str(error), "must be valid TOML", "mend the line that is named")
        raise InputError(title, problems.found) from error


@lru_cache(maxsize=1)
def load_catalogue() -> Mapping[str, Scenario]:
    """The scenarios that ship with the package, by id: crypto events, traditional (``t-``), hypothetical (``h-``)."""
    folder = files("collatrisk.scenarios") / "catalogue"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    found = {}
    for name in names:
        text = (folder / name).read_text(encoding="utf-8")
        scenario = parse_scenario(_parse_toml(text, f"catalogue/{name}"), f"catalogue/{name}")
        found[scenario.id] = scenario
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def load_proxies() -> tuple[Proxy, ...]:
    """The shared proxy rules, in the order in which they are tried."""
    text = (files("collatrisk.scenarios") / "proxies.toml").read_text(encoding="utf-8")
    reader = _Reader("proxies.toml")
    top = reader.table("", _parse_toml(text, "proxies.toml"), ("format", "sources", "proxies"), ("format", "proxies"))
    rules = reader.proxies(top.get("proxies", []), reader.sources(top.get("sources", {})))
    reader.problems.raise_if_any()
    return tuple(rules)


def load_scenario(id_or_path: str | PathLike[str] | Scenario) -> Scenario:
    """A scenario of the catalogue by its id, or one of your own from a TOML file (a `Scenario` is returned as it is).

    Raises
    ------
    InputError : no such id or file; or the file is not a valid scenario (all its problems at once).
    """
    if isinstance(id_or_path, Scenario):
        return id_or_path
    catalogue = load_catalogue()
    if isinstance(id_or_path, str) and id_or_path in catalogue:
        return catalogue[id_or_path]
    problems = Problems("Scenario")
    named = isinstance(id_or_path, str | PathLike)
    problems.check(named, "scenario", id_or_path, "must be an id or a path", f"give {next(iter(catalogue))!r}, say")
    problems.raise_if_any()
    path = Path(id_or_path)
    if not path.is_file():
        rule = f"is neither a scenario of the catalogue ({', '.join(catalogue)}) nor a file"
        problems.add("scenario", str(id_or_path), rule, did_you_mean(str(id_or_path), tuple(catalogue)))
        problems.raise_if_any()
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problems = Problems("Scenario")
        problems.add("file", str(path), "must be UTF-8 text", "save it as UTF-8")
        raise InputError("Scenario", problems.found) from error
    return parse_scenario(_parse_toml(text, path.name), path.name)
