"""A number for all assets, or one for each: how terms and sale rules hold figures that may differ by asset."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.validation import Problems

ANY_ASSET = "*"
PerAsset = float | Mapping[str, float]


def checked_figure(
    problems: Problems,
    name: str,
    rule: object,
    *,
    low: float,
    high: float = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
    remedy: str,
) -> float | FrozenMap:
    """A number inside the interval, or a mapping from asset to such numbers (``"*"``: every asset not named)."""
    if not isinstance(rule, Mapping):
        return problems.number(name, rule, low=low, high=high, open_low=open_low, open_high=open_high, remedy=remedy)
    return checked_map(problems, name, rule, low=low, high=high, open_low=open_low, open_high=open_high, remedy=remedy)


def figure_of(title: str, name: str, rule: PerAsset, asset: str, *, cash: float | None = None) -> float:
    """The figure of an asset.

    Parameters
    ----------
    title, name : of what holds it, for the error. cash : given for the account's own currency, which counts as this
        unless a mapping names it.

    Raises
    ------
    InputError : a mapping that names neither the asset nor ``"*"``.
    """
    if not isinstance(rule, Mapping):
        return float(rule)
    if asset in rule:
        return rule[asset]
    if cash is not None:
        return cash
    if ANY_ASSET in rule:
        return rule[ANY_ASSET]
    problems = Problems(title)
    meant = get_close_matches(asset, rule, n=1)
    remedy = "name it, or give '*' for all others" + (f"; did you mean {meant[0]!r}?" if meant else "")
    problems.add(name, asset, f"has no {name.split('_')[-1]} for this asset", remedy)
    problems.raise_if_any()
    raise AssertionError("unreachable")  # a problem was just added


def figure_text(rule: PerAsset) -> str:
    """``"0.85"``, or ``"ETH 0.85, others 0.8"``."""
    if not isinstance(rule, Mapping):
        return f"{rule:g}"
    return ", ".join(f"{'others' if asset == ANY_ASSET else asset} {value:g}" for asset, value in rule.items()) or "0"


def largest(rule: PerAsset) -> float:
    """The largest of the figures; 0 for an empty mapping."""
    return max(rule.values(), default=0.0) if isinstance(rule, Mapping) else float(rule)
