"""Assets that are meant to hold a level: known stablecoins, or what the user says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.market.frames import FloatArray, IntArray, RowNames, counted, note

BREAK = 0.02
"""A peg is broken when the price is more than 2 % from its level."""
_GUESS_RANGE = 0.05
_DOLLAR_COINS = (
    *("USDC", "USDT", "DAI", "TUSD", "BUSD", "FDUSD", "USDP", "PYUSD", "GUSD", "FRAX"),
    *("LUSD", "SUSD", "USDS", "USDE", "USDD", "GHO", "CRVUSD", "USDC.E", "USDBC"),
)
KNOWN_PEGS: Mapping[str, float] = MappingProxyType(dict.fromkeys(_DOLLAR_COINS, 1.0))
"""Symbols of dollar stablecoins and their level in dollars."""


def find_pegs(prices: pd.DataFrame, pegs: Mapping[str, float] | None) -> tuple[dict[str, float], list[Finding]]:
    """The level of each pegged asset of a frame.

    Parameters
    ----------
    pegs : levels by asset, instead of the known ones; an empty mapping for none; None for `KNOWN_PEGS`, where a
        symbol (``"USDC"``, ``"usdc-usd"``) is taken for a peg if its median price is within 5 % of the level.

    Raises
    ------
    InputError : an unknown asset, a level that is not a positive number.
    """
    names = [str(name) for name in prices.columns]
    if pegs is not None:
        problems = Problems("check_prices")
        mapped = isinstance(pegs, Mapping)
        problems.check(mapped, "pegs", pegs, "must map assets to levels", "give {'USDC': 1.0}, or {} for none")
        problems.raise_if_any()
        problems.known("pegs", pegs, names)
        for asset, level in pegs.items():
            problems.number(f"pegs[{asset!r}]", level, low=0, open_low=True, remedy="1.0 for a dollar stablecoin")
        problems.raise_if_any()
        return {asset: float(level) for asset, level in pegs.items()}, []
    found: dict[str, float] = {}
    findings: list[Finding] = []
    for k, name in enumerate(names):
        known = KNOWN_PEGS.get(re.split(r"[-/_ ]", name.upper())[0])
        column = prices.to_numpy()[:, k]
        if known is None or np.isnan(column).all():
            continue
        median = float(np.nanmedian(column))
        if abs(median / known - 1) <= _GUESS_RANGE:
            found[name] = known
        else:
            rule = f"it is named as a stablecoin and its median price is {median:g}, so it is not checked as a peg"
            remedy = f"pass pegs={{{name!r}: level}} if it has another level"
            findings.append(note("peg-not-assumed", "info", name, rule, remedy))
    return found, findings


def check_peg(name: str, level: float, rows: RowNames, places: IntArray, values: FloatArray) -> list[Finding]:
    """Prices more than 2 % from the level: `values` are the prices of the rows `places`."""
    gap = values / level - 1
    broken = np.flatnonzero(np.abs(gap) > BREAK)
    if not broken.size:
        return []
    worst = broken[np.argsort(-np.abs(gap[broken]), kind="stable")]
    shown = [f"{rows.name(int(places[i]))}: {values[i]:g} ({gap[i]:+.1%})" for i in broken[:10]]
    rule = (
        f"{counted(int(broken.size), 'price')} more than {BREAK:.0%} from the peg of {level:g}, "
        f"the farthest {values[worst[0]]:g} on {rows.name(int(places[worst[0]]))}"
    )
    remedy = "do not model it by one constant volatility without a depeg scenario"
    return [note("peg-break", "warning", name, rule, remedy, shown, int(broken.size))]
