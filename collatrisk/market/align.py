"""Common dates: rows in which every asset has a price. Nothing is ever filled forward."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError, Problem
from collatrisk.base.findings import Finding, Severity
from collatrisk.base.validation import Problems
from collatrisk.market.calendar_checks import closed_at_weekends
from collatrisk.market.frames import (
    DAY_US,
    BoolArray,
    IntArray,
    RowNames,
    counted,
    microseconds,
    note,
    ordered_prices,
    show_stamp,
)
from collatrisk.market.patterns import Pattern, asset_patterns, common_kind
from collatrisk.market.series_checks import ENOUGH, FEWEST


def align_prices(frame: pd.DataFrame, *, how: str = "intersection") -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Keep the dates on which every asset has a price.

    Parameters
    ----------
    frame : prices in order of date, NaN where an asset has none.
    how : ``"intersection"``, the only way: a price that was not quoted is not invented.

    Returns
    -------
    The rows without any NaN (values untouched), and findings: for each asset how many rows it lacks and which; how many
    rows are kept; whether assets of different clocks were mixed (crypto at weekends, equities not), in which case a
    return of the others spans the closed days; too few common rows.

    Raises
    ------
    InputError : an unknown `how`.
    DataError : dates out of order or repeated; no common date.
    """
    problems = Problems("align_prices")
    problems.choice("how", how, ("intersection",))
    problems.raise_if_any()
    prices = ordered_prices(frame, "align_prices")
    empty = np.isnan(prices.to_numpy())
    kept = ~empty.any(axis=1)
    if not kept.any():
        raise DataError("align_prices", [_no_common_date(prices, empty)])
    patterns = asset_patterns(prices)
    findings = _lacking(prices, empty, patterns)
    kind, disagreement = common_kind(patterns)
    if kind is None and any(pattern.kind for pattern in patterns.values()):
        rule = f"mixed clocks: {disagreement}, so the common dates have returns over the closed days"
        findings.append(note("mixed-clocks", "warning", "clock", rule, "use the clock of the common dates"))
    aligned = prices.loc[kept]
    if empty.any():
        first, last = show_stamp(aligned.index[0]), show_stamp(aligned.index[-1])
        rule = f"{len(aligned)} of {len(prices)} rows have a price of every asset, {first} to {last}"
        findings.append(note("common-dates", "info", "date", rule, "leave out the asset with the fewest for more"))
    findings += _few(len(aligned))
    return aligned, tuple(findings)


def _lacking(prices: pd.DataFrame, empty: BoolArray, patterns: Mapping[str, Pattern]) -> list[Finding]:
    """Per asset, the rows it lacks: a warning where a price was due, a note where it had not begun or was closed."""
    rows = RowNames(pd.DatetimeIndex(prices.index))
    stamps = microseconds(prices.index)
    findings = []
    for k, (name, pattern) in enumerate(patterns.items()):
        absent: IntArray = np.flatnonzero(empty[:, k])
        if not absent.size:
            continue
        there = np.flatnonzero(~empty[:, k])
        closed = closed_at_weekends(stamps, pattern)[absent]
        due = int(((absent > there[0]) & ~closed).sum())
        parts = {
            "before its first price": int((absent < there[0]).sum()),
            "after its last price": int(((absent > there[-1]) & ~closed).sum()),
            "on weekends": int((closed & (absent > there[0])).sum()),
        }
        detail = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
        rule = f"{absent.size} of {len(prices)} rows have no price" + (f" ({detail})" if detail else "")
        remedy = "these dates are left out for all assets"
        severity: Severity = "warning" if due else "info"
        findings.append(note("missing-days", severity, name, rule, remedy, rows.names(absent), int(absent.size)))
    return findings


def _few(count: int) -> list[Finding]:
    if count < FEWEST:
        rule = f"{counted(count, 'common date')}, too few: at least {FEWEST} are needed"
        return [note("too-short", "error", "date", rule, "leave out the asset with the fewest prices")]
    if count < ENOUGH:
        rule = f"{counted(count, 'common date')}, few: a volatility model wants at least {ENOUGH}"
        return [note("short-history", "warning", "date", rule, "leave out the asset with the fewest prices")]
    return []


def _no_common_date(prices: pd.DataFrame, empty: BoolArray) -> Problem:
    """Why no date is common: an asset without prices, or times of day that never meet."""
    counts = dict(zip(map(str, prices.columns), (~empty).sum(axis=0).tolist(), strict=True))
    fewest = min(counts, key=lambda name: counts[name])
    stamps = microseconds(prices.index)
    days = [set((stamps[~empty[:, k]] // DAY_US).tolist()) for k in range(prices.shape[1])]
    remedy = f"leave out an asset ({fewest!r} has {counts[fewest]} prices) or load a longer history"
    if days and set.intersection(*days):
        remedy = (
            "their days meet but not their times of day: frame.groupby(frame.index.normalize()).last() keeps the days"
        )
    shown = ", ".join(f"{name}: {count} prices" for name, count in list(counts.items())[:5])
    return Problem("prices", shown, "no date has a price of every asset", remedy)
