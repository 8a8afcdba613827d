"""Checks of the rows against a clock: gaps, closed days, rows closer than a step, missing prices, mixed clocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from collatrisk.base.errors import CollatriskError
from collatrisk.base.findings import Finding, Severity
from collatrisk.market.clock import Clock
from collatrisk.market.frames import DAY_US, BoolArray, IntArray, RowNames, counted, microseconds, note
from collatrisk.market.patterns import Pattern, asset_patterns, common_kind, common_steps, resolve_clock, weekdays

# Without holidays a business clock misses about ten weekdays a year, at most four in a row (September 2001: four).
_HOLIDAYS_A_YEAR, _LONGEST_CLOSURE = 16, 4


def check_clock(prices: pd.DataFrame, clock: Clock | str | None) -> tuple[Clock | None, list[Finding]]:
    """The clock to check against (None if none can be told) and what is wrong with it."""
    patterns = asset_patterns(prices)
    kind, disagreement = common_kind(patterns)
    told = any(pattern.kind for pattern in patterns.values())
    findings: list[Finding] = []
    if kind is None and told:
        mixed = not any(pattern.kind == "unclear" for pattern in patterns.values())
        remedy = "align_prices keeps the common dates; until then no clock fits all assets"
        unclear = "give the clock; are the dates of another time zone, or some weekends missing?"
        code = "mixed-clocks" if mixed else "unclear-clock"
        findings.append(note(code, "warning", "clock", disagreement, remedy if mixed else unclear))
    try:
        chosen = resolve_clock(prices, clock)
    except CollatriskError as error:
        # What the mixed clocks say already is not said twice.
        others = [problem for problem in error.problems if not (findings and problem.rule == disagreement)]
        findings += [note("unknown-clock", "warning", "clock", p.rule, p.remedy) for p in others]
        return None, findings
    if clock is not None:
        findings += _mismatch(chosen, kind, patterns)
    return chosen, findings


def _mismatch(clock: Clock, kind: str | None, patterns: Mapping[str, Pattern]) -> list[Finding]:
    """A given clock that the data contradict would annualise by the wrong number of days or steps."""
    findings = []
    if kind is not None and kind != clock.kind:
        has = "prices at weekends" if kind == "24/7" else "no prices at weekends"
        rule = f"the clock is {clock.kind!r} and the data have {has}"
        findings.append(note("clock-mismatch", "error", "clock", rule, f"use clock={kind!r}"))
    steps, wrong = common_steps(patterns, clock.kind)
    if steps is None:
        findings.append(note("clock-mismatch", "error", "clock", wrong, "resample the prices to one grid"))
    elif (steps if clock.kind == "24/7" else min(steps, 2)) != (
        clock.steps_per_day if clock.kind == "24/7" else min(clock.steps_per_day, 2)
    ):
        rule = f"the clock has {clock.steps_per_day} steps a day and the data {steps}"
        findings.append(note("clock-mismatch", "error", "clock", rule, f"use clock.with_steps_per_day({steps})"))
    return findings


def check_rows(prices: pd.DataFrame, rows: RowNames, clock: Clock | None) -> list[Finding]:
    """Gaps between rows, rows on closed days and rows closer than a step.

    On a daily or a business clock the days count, whatever the time of day; on a finer 24/7 clock the steps. Without a
    clock (mixed assets) only days on which no asset has a price are gaps.
    """
    if len(prices) < 2:
        return []
    stamps = microseconds(prices.index)
    judge = clock or Clock("24/7")
    by_day = judge.kind == "business" or judge.steps_per_day == 1
    step = DAY_US if by_day else DAY_US // judge.steps_per_day
    slots = stamps // step if by_day else np.rint((stamps - stamps[0]) / step).astype(np.int64)
    findings = _closed_days(slots, rows, judge) if judge.kind == "business" else []
    if judge.steps_per_day == 1 and clock is not None:
        findings += _too_close(slots, rows, judge)
    missing = _missing_slots(slots, judge)
    if missing.any():
        years = float(stamps[-1] - stamps[0]) / (365.25 * DAY_US)
        findings.append(_gaps(missing, years, rows, judge, "day" if by_day else "step"))
    return findings


def _missing_slots(slots: IntArray, clock: Clock) -> IntArray:
    """How many open slots lie strictly between consecutive rows."""
    if clock.kind == "24/7":
        return np.asarray(np.maximum(np.diff(slots) - 1, 0), dtype=np.int64)
    days = slots.astype("datetime64[D]")
    holidays = np.array(clock.holidays, dtype="datetime64[D]")
    # busday_count counts [begin, end): begin is the day after the row, so closed rows do not matter.
    counts = np.busday_count(days[:-1] + 1, np.maximum(days[1:], days[:-1] + 1), holidays=holidays)
    return np.asarray(counts, dtype=np.int64)


def _like_holidays(total: int, longest: int, years: float) -> bool:
    return longest <= _LONGEST_CLOSURE and total <= _HOLIDAYS_A_YEAR * (1 + years)


def _gaps(missing: IntArray, years: float, rows: RowNames, clock: Clock, unit: str) -> Finding:
    where = np.flatnonzero(missing)
    total, longest = int(missing.sum()), int(missing.max())
    shown = [f"after {rows.name(int(i))}: {counted(int(missing[i]), unit)}" for i in where[:10]]
    if clock.kind == "business" and not clock.holidays and _like_holidays(total, longest, years):
        rule = f"{counted(total, 'weekday')} without a row, as holidays are"
        remedy = "give the holidays (Clock.business(calendar)) to check the others"
        return note("gap", "info", "date", rule, remedy, shown, int(where.size))
    gaps = counted(int(where.size), "gap")
    rule = f"{counted(total, unit)} of the {clock.kind} clock without a row, in {gaps} of at most {longest}"
    remedy = "fetch them; a return over a gap is not a return of one step, and nothing is filled in"
    return note("gap", "warning", "date", rule, remedy, shown, int(where.size))


def _closed_days(days: IntArray, rows: RowNames, clock: Clock) -> list[Finding]:
    holidays = np.array(clock.holidays, dtype="datetime64[D]")
    closed = np.flatnonzero(~np.is_busday(days.astype("datetime64[D]"), holidays=holidays))
    if not closed.size:
        return []
    rule = f"{counted(int(closed.size), 'row')} on weekends or holidays of the business clock"
    remedy = "align_prices drops the days that not all assets have; else use a 24/7 clock"
    return [note("off-clock", "warning", "date", rule, remedy, rows.names(closed), int(closed.size))]


def _too_close(days: IntArray, rows: RowNames, clock: Clock) -> list[Finding]:
    close = np.flatnonzero(np.diff(days) == 0) + 1
    if not close.size:
        return []
    rule = f"{counted(int(close.size), 'row')} of the same UTC day as the row before, on a daily clock"
    remedy = "keep one row a day (a last row is often the live quote), or use a finer clock"
    return [note("same-day", "warning", "date", rule, remedy, rows.names(close), int(close.size))]


def closed_at_weekends(stamps: IntArray, pattern: Pattern) -> BoolArray:
    """Which rows are weekend days of an asset that trades on business days only: no price is due there."""
    if pattern.kind != "business":
        return np.zeros(stamps.size, dtype=bool)
    return np.asarray(weekdays(stamps) >= 5)


def check_missing(prices: pd.DataFrame, rows: RowNames, *, mixed: bool) -> list[Finding]:
    """Rows in which an asset has no price: before its first, after its last, and in between."""
    stamps = microseconds(prices.index)
    patterns = asset_patterns(prices)
    findings: list[Finding] = []
    for k, (name, pattern) in enumerate(patterns.items()):
        empty = np.isnan(prices.to_numpy()[:, k])
        there = np.flatnonzero(~empty)
        if not empty.any() or not there.size:
            continue
        first, last = int(there[0]), int(there[-1])
        if mixed:
            empty &= ~closed_at_weekends(stamps, pattern)
        absent = np.flatnonzero(empty)
        findings += _ends(name, absent, first, last, rows, k)
        inside = absent[(absent > first) & (absent < last)]
        if inside.size:
            years = float(stamps[last] - stamps[first]) / (365.25 * DAY_US)
            findings.append(_holes(name, inside, rows, k, years if mixed and pattern.kind == "business" else None))
    return findings


def _ends(name: str, empty: IntArray, first: int, last: int, rows: RowNames, k: int) -> list[Finding]:
    findings = []
    before, after = int((empty < first).sum()), int((empty > last).sum())
    if before:
        rule = f"its first price is {rows.name(first, k)}, {counted(before, 'row')} after the first row"
        findings.append(note("late-start", "info", name, rule, "common dates begin there"))
    if after:
        rule = f"its last price is {rows.name(last, k)}, {counted(after, 'row')} before the last row"
        findings.append(note("early-end", "warning", name, rule, "common dates end there: was it delisted?"))
    return findings


def _holes(name: str, inside: IntArray, rows: RowNames, k: int, business_years: float | None) -> Finding:
    """Missing prices between the first and the last; `business_years` tells that holidays may explain them."""
    runs = np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1)
    longest = max(runs, key=len)
    rule = f"{counted(int(inside.size), 'row')} without a price"
    if longest.size > 1:
        rule += f", at most {longest.size} in a row from {rows.name(int(longest[0]), k)}"
    closures = business_years is not None and _like_holidays(int(inside.size), int(longest.size), business_years)
    rule += ", as holidays are" if closures else ""
    remedy = "nothing is filled in: align_prices leaves these dates out for all assets"
    severity: Severity = "info" if closures else "warning"
    return note("missing", severity, name, rule, remedy, rows.names(inside, k), int(inside.size))
