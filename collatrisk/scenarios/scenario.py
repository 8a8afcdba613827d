"""A scenario: what prices did, or might do, with the source of every number; and what it says about given assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from collatrisk.base.errors import Problem
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.scenarios import checks
from collatrisk.scenarios.records import Number, Proxy, StressedModel, Window

_USER_SOURCES = {"user": "given by the caller"}


_FIRM = ("computed from prices", "sourced")


def _doubt(quality: str) -> str:
    return "" if quality in _FIRM else f", {quality}"


@dataclass(frozen=True, slots=True)
class ResolvedShocks:
    """What a scenario says about given assets.

    Attributes
    ----------
    scenario : its id.
    shocks : asset -> relative change of the price, in [-1, inf).
    how : asset -> ``"named"`` or the proxy rule, such as ``"proxy ETH x1.04"``; followed by the quality of the number
        where nobody observed it or sources disagree: ``"named, assumption"``.
    refused : asset -> why the scenario says nothing about it.
    """

    scenario: str
    shocks: Mapping[str, float] = field(hash=False)
    how: Mapping[str, str] = field(hash=False)
    refused: Mapping[str, str] = field(hash=False)

    @property
    def complete(self) -> bool:
        """Whether every asset has a shock."""
        return not self.refused

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One problem for every refused asset."""
        remedy = "name it in shocks, or give a proxy for it"
        return tuple(Problem(f"{self.scenario}.{a}", "no shock", why, remedy) for a, why in self.refused.items())

    @property
    def text(self) -> str:
        """One line: which shocks are named, which follow a proxy, which are refused."""
        parts = [f"{a} {100 * s:+.1f}% ({self.how[a]})" for a, s in self.shocks.items()]
        parts += [f"{a} refused: {why}" for a, why in self.refused.items()]
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        rows = [(a, f"{100 * s:+.2f}%", self.how[a]) for a, s in self.shocks.items()]
        rows += [(a, "refused", why) for a, why in self.refused.items()]
        return html_table(("asset", "shock", "how"), rows, f"Scenario {self.scenario}")


@dataclass(frozen=True, repr=False)
class Scenario:
    """A stress scenario. The catalogue's are read by `load_catalogue`; your own can be built here or in a TOML file.

    Parameters
    ----------
    id, title : a short key and a name.
    kind : ``"historical"`` or ``"hypothetical"``.
    shocks : asset -> `Number` (or a plain fraction, -0.5 for a fall of 50 %), the instantaneous application.
    window : first and last day of a historical event.
    figures : further numbers of the event: worst hours, disputed prints, losses. Not applied.
    stressed : how the event changes a market model; None where it says nothing about one.
    replay : the days to replay where the user has prices.
    proxies : rules of this scenario for assets that it does not name; they come before the shared table.
    sources : key -> publication or price collection.
    description : a sentence.

    Raises
    ------
    InputError : with all broken rules at once.

    Examples
    --------
    >>> Scenario("mine", "Half", shocks={"BTC": -0.5}).resolve(["ETH"]).how["ETH"]
    'proxy BTC x1.18, assumption'
    """

    id: str
    title: str
    kind: str = "hypothetical"
    shocks: Mapping[str, Number] = field(default_factory=dict, hash=False)
    window: Window | None = None
    figures: tuple[Number, ...] = ()
    stressed: StressedModel | None = field(default=None, hash=False)
    replay: Window | None = None
    proxies: tuple[Proxy, ...] = ()
    sources: Mapping[str, str] = field(default_factory=lambda: dict(_USER_SOURCES), hash=False)
    description: str = ""

    def __post_init__(self) -> None:
        shocks = {a: s if isinstance(s, Number) else Number(a, s) for a, s in self.shocks.items()}
        object.__setattr__(self, "shocks", shocks)
        object.__setattr__(self, "figures", tuple(self.figures))
        object.__setattr__(self, "proxies", tuple(self.proxies))
        object.__setattr__(self, "sources", dict(self.sources))
        problems = Problems(f"Scenario {self.id}")
        self._check(problems)
        problems.raise_if_any()
        exact = {asset: replace(number, value=float(number.value)) for asset, number in shocks.items()}
        object.__setattr__(self, "shocks", exact)

    def _check(self, problems: Problems) -> None:
        checks.check_head(problems, self.id, self.title, self.kind, self.window)
        checks.check_window(problems, "window", self.window)
        checks.check_window(problems, "replay", self.replay)
        for asset, number in self.shocks.items():
            same = number.asset == asset
            problems.check(same, f"shocks.{asset}", number.asset, "must be about its own asset", "rename one of them")
            checks.check_number(problems, f"shocks.{asset}", number, self.sources, shock=True)
        for i, number in enumerate(self.figures):
            checks.check_number(problems, f"figures[{i}]", number, self.sources, shock=False)
        for i, proxy in enumerate(self.proxies):
            checks.check_proxy(problems, f"proxies[{i}]", proxy, self.sources)
        if self.stressed is not None:
            checks.check_stressed(problems, "stressed", self.stressed)
        says = bool(self.shocks) or self.stressed is not None or self.replay is not None
        problems.check(says, "shocks", {}, "a scenario must say something", "give shocks, a stressed block or a replay")

    def resolve(self, assets: Iterable[str], *, proxies: Sequence[Proxy] | None = None) -> ResolvedShocks:
        """The shock of each asset: named, by the first proxy rule whose reference is named, or refused.

        Parameters
        ----------
        assets : names of assets.
        proxies : further rules, tried after the scenario's own. None: the table that ships with the catalogue; give an
            empty list for none.
        """
        from collatrisk.scenarios.reader import load_proxies

        rules = [*self.proxies, *(load_proxies() if proxies is None else proxies)]
        shocks: dict[str, float] = {}
        how: dict[str, str] = {}
        refused: dict[str, str] = {}
        for asset in dict.fromkeys(assets):
            self._resolve_one(asset, rules, shocks, how, refused)
        return ResolvedShocks(self.id, shocks, how, refused)

    def _resolve_one(
        self, asset: str, rules: list[Proxy], shocks: dict[str, float], how: dict[str, str], refused: dict[str, str]
    ) -> None:
        if asset in self.shocks:
            number = self.shocks[asset]
            shocks[asset], how[asset] = number.value, "named" + _doubt(number.quality)
            return
        tried = [rule for rule in rules if rule.asset == asset]
        rule = next((rule for rule in tried if rule.of in self.shocks), None)
        if rule is not None:
            reference = self.shocks[rule.of]
            shocks[asset], how[asset] = rule.shock(reference.value), str(rule) + _doubt(reference.quality)
            return
        wanted = ", ".join(dict.fromkeys(rule.of for rule in tried))
        refused[asset] = "not named" + (
            f", nor is what it may follow ({wanted})" if wanted else " and has no proxy rule"
        )

    def unstressed(self, assets: Iterable[str], *, proxies: Sequence[Proxy] | None = None) -> tuple[str, ...]:
        """The assets about which the stressed-model block says nothing.

        It speaks about an asset whose volatility multiple it names, and about every asset to which the scenario gives
        a shock: a multiple for all assets is one for all assets of the event, not of the world. A scenario without
        shocks speaks about all.
        """
        scale = None if self.stressed is None else self.stressed.volatility_scale
        named = scale if isinstance(scale, Mapping) else {}
        open_ones = [asset for asset in assets if asset not in named]
        return tuple(self.resolve(open_ones, proxies=proxies).refused) if self.shocks else ()

    def source_of(self, number: Number) -> str:
        """The publication or price collection behind a number."""
        return self.sources[number.source]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready summary: head, shocks and where they come from."""
        return {
            "id": self.id,
            "title": self.title,
            "kind": self.kind,
            "description": self.description,
            "window": None if self.window is None else str(self.window),
            "replay": None if self.replay is None else str(self.replay),
            "shocks": {asset: self._shock_dict(number) for asset, number in self.shocks.items()},
        }

    def _shock_dict(self, number: Number) -> dict[str, Any]:
        return {
            "value": number.value,
            "measure": number.measure,
            "window": str(number.window or self.window or ""),
            "venue": number.venue,
            "source": self.source_of(number),
            "quality": number.quality,
            "note": number.note,
        }

    def __repr__(self) -> str:
        return f"Scenario({self.id}: {self.title}, {self.kind}, {len(self.shocks)} shocks)"

    def _repr_html_(self) -> str:
        columns = ("asset", "shock", "measure", "window", "venue", "quality", "source", "note")
        rows = []
        for asset, number in self.shocks.items():
            entry = self._shock_dict(number)
            rows.append((asset, f"{100 * number.value:+.2f}%", *(entry[name] for name in columns[2:])))
        head = f"<p>{escape(self.description)}</p>" if self.description else ""
        when = f", {self.window}" if self.window else ""
        return html_table(columns, rows, f"{self.title} ({self.kind}{when})") + head
