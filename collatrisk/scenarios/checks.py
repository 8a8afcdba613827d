"""The rules of a scenario, collected into one `Problems`: the reader and the dataclass share them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping

from collatrisk.base.validation import Problems, did_you_mean
from collatrisk.scenarios.records import KINDS, QUALITIES, Arrival, Number, Proxy, StressedModel, Window

_SHOCK_REMEDY = "give -0.5 for a fall of 50 %; no price falls by more than 100 %"
_SCALE_REMEDY = "2 doubles the standard deviation"


def check_text(problems: Problems, name: str, value: object, remedy: str = "give text that is not empty") -> None:
    """`value` must be text that is not empty."""
    problems.check(
        isinstance(value, str) and bool(value.strip()), name, value, "must be text that is not empty", remedy
    )


def check_head(problems: Problems, scenario_id: object, title: object, kind: object, window: Window | None) -> None:
    """The rules of id, title, kind and window."""
    check_text(problems, "id", scenario_id, "give a short name such as '2020-03'")
    check_text(problems, "title", title)
    problems.choice("kind", kind, KINDS)
    if kind == "historical":
        problems.check(
            window is not None, "window", None, "a historical scenario has one", "give its first and last day"
        )


def check_window(problems: Problems, name: str, window: Window | None) -> None:
    """Both ends must be dates in order."""
    if window is None:
        return
    for end in ("first", "last"):
        value = getattr(window, end)
        is_date = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        if not problems.check(is_date, f"{name}.{end}", value, "must be a date", "write 2020-03-11 without quotes"):
            return
    problems.check(
        window.first <= window.last, name, str(window), "must not end before it begins", "swap the two dates"
    )


def check_number(problems: Problems, name: str, number: Number, sources: Collection[str], *, shock: bool) -> None:
    """The rules of one number; a shock is a fraction of at least -1."""
    check_text(problems, f"{name}.asset", number.asset)
    if shock:
        problems.number(f"{name}.value", number.value, low=-1, remedy=_SHOCK_REMEDY)
        problems.choice(f"{name}.unit", number.unit, ("fraction",))
    else:
        problems.number(f"{name}.value", number.value, remedy="give a number")
    check_text(problems, f"{name}.measure", number.measure)
    check_origin(problems, name, number.source, number.quality, sources)
    check_window(problems, f"{name}.window", number.window)


def check_origin(problems: Problems, name: str, source: object, quality: object, sources: Collection[str]) -> None:
    """A source must be known and a quality one of the five."""
    problems.choice(f"{name}.quality", quality, QUALITIES)
    if not isinstance(source, str) or source not in sources:
        known = ", ".join(sources) or "none"
        remedy = did_you_mean(source, sources) if sources else "add it to [sources]"
        problems.add(f"{name}.source", source, f"must be a key of sources (known: {known})", remedy)


def check_unique(problems: Problems, name: str, assets: Iterable[str]) -> None:
    """No asset twice."""
    names = [str(asset) for asset in assets]
    for twice in sorted({asset for asset in names if names.count(asset) > 1}):
        problems.add(name, twice, "must name an asset once", "keep one and move the other to the figures")


def check_proxy(problems: Problems, name: str, proxy: Proxy, sources: Collection[str]) -> None:
    """The rules of one proxy."""
    check_text(problems, f"{name}.asset", proxy.asset)
    check_text(problems, f"{name}.of", proxy.of)
    problems.check(proxy.of != proxy.asset, f"{name}.of", proxy.of, "an asset cannot follow itself", "name another")
    problems.number(f"{name}.beta", proxy.beta, low=0, remedy="1 moves as the reference does")
    problems.number(f"{name}.factor", proxy.factor, low=0, open_low=True, remedy="1 keeps the ratio to the reference")
    check_origin(problems, name, proxy.source, proxy.quality, sources)


def check_stressed(problems: Problems, name: str, stressed: StressedModel) -> None:
    """The rules of the stressed-model block."""
    scale = stressed.volatility_scale
    scales = scale if isinstance(scale, Mapping) else {"": scale}
    for asset, value in scales.items():
        label = f"{name}.volatility_scale" + (f".{asset}" if asset else "")
        problems.number(label, value, low=0, open_low=True, remedy=_SCALE_REMEDY)
    if stressed.correlation is not None:
        for part, value in zip(("rho", "weight"), stressed.correlation, strict=True):
            problems.number(f"{name}.correlation.{part}", value, low=0, high=1, remedy="give a number such as 0.9")
    for arrival in stressed.arrivals:
        check_arrival(problems, f"{name}.jump {arrival.label!r}", arrival)
    problems.choice(f"{name}.quality", stressed.quality, QUALITIES)


def check_arrival(problems: Problems, name: str, arrival: Arrival) -> None:
    """The rules of one jump; a jump to a price of zero has no logarithm."""
    check_text(problems, f"{name}.label", arrival.label)
    problems.number(f"{name}.intensity_per_year", arrival.intensity_per_year, low=0, remedy="12 for once a month")
    problems.check(bool(arrival.sizes), f"{name}.sizes", {}, "must name an asset", "such as { USDC = -0.12 }")
    for asset, size in arrival.sizes.items():
        remedy = "give -0.12 for a fall of 12 %; -1 is no price"
        problems.number(f"{name}.sizes.{asset}", size, low=-1, open_low=True, remedy=remedy)
