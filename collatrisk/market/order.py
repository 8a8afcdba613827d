"""Rows in order of date, once each: what had to be done is a finding, what contradicts itself is an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collatrisk.base.findings import Finding
from collatrisk.market.frames import FloatArray, IntArray, RowNames, counted, microseconds, note, show_stamp


@dataclass(frozen=True, slots=True)
class Tidy:
    """Prices in order of date, one row a date.

    Attributes
    ----------
    frame : the prices; of repeated dates, each asset's first price.
    names : the names of these rows.
    findings : what was noticed about order and repetition.
    """

    frame: pd.DataFrame
    names: RowNames
    findings: tuple[Finding, ...]


def tidy(frame: pd.DataFrame, names: RowNames) -> Tidy:
    """Sort by date, merge rows of one date, leave out rows without a date; changes nothing else."""
    findings: list[Finding] = []
    missing = np.flatnonzero(frame.index.isna())
    if missing.size:
        rule = f"{counted(int(missing.size), 'row')} without a date"
        rows = tuple(f"row {row + 1}" for row in missing)
        findings.append(note("unreadable-date", "error", "date", rule, "date or drop them", rows))
    dated = np.flatnonzero(frame.index.notna())
    stamps = microseconds(frame.index)[dated]
    _check_order(stamps, names.take(dated), findings)
    order = dated[np.argsort(stamps, kind="stable")]
    sorted_stamps = np.sort(stamps)
    starts = np.flatnonzero(np.diff(sorted_stamps, prepend=sorted_stamps[:1] - 1))
    values = frame.to_numpy()[order]
    merged = values[starts] if starts.size == order.size else _merge(values, starts, order, frame, names, findings)
    kept = order[starts]
    clean = pd.DataFrame(merged, index=frame.index[kept], columns=frame.columns)
    return Tidy(clean, names.take(kept), tuple(findings))


def _check_order(stamps: IntArray, names: RowNames, findings: list[Finding]) -> None:
    steps = np.diff(stamps)
    if not (steps < 0).any():
        return
    if (steps <= 0).all():
        rule = "the rows run from the newest to the oldest, and are read from the oldest"
        findings.append(note("newest-first", "info", "date", rule, "nothing to do"))
        return
    rows = np.flatnonzero(steps < 0) + 1
    rule = f"{counted(int(rows.size), 'row')} earlier than the row before; all are read in order of date"
    remedy = "check the export: were date formats mixed?"
    findings.append(note("unsorted", "warning", "date", rule, remedy, names.names(rows), int(rows.size)))


def _merge(
    values: FloatArray,
    starts: IntArray,
    order: IntArray,
    frame: pd.DataFrame,
    names: RowNames,
    findings: list[Finding],
) -> FloatArray:
    """One row a date: each asset's first price of that date; contradictions are errors, repetitions warnings."""
    merged = values[starts].copy()
    ends = np.append(starts[1:], len(values))
    same: list[str] = []
    different: dict[int, list[str]] = {}
    for group in np.flatnonzero(ends - starts > 1):
        block = values[starts[group] : ends[group]]
        rows = order[starts[group] : ends[group]]
        repeats = False
        for k in range(block.shape[1]):
            there = np.flatnonzero(~np.isnan(block[:, k]))
            if there.size:
                merged[group, k] = block[there[0], k]
            if there.size > 1:
                repeats = True
                if (block[there, k] != block[there[0], k]).any():
                    different.setdefault(k, []).append(_clash(names, rows[there], k, block[there, k]))
        if repeats:
            same.append(_clash(names, rows, None, None))
    if same:
        rule = f"{counted(len(same), 'date')} more than once, of which the first price of each asset counts"
        findings.append(note("duplicate-date", "warning", "date", rule, "remove the repeated rows", same))
    for k, clashes in different.items():
        rule = f"{counted(len(clashes), 'date')} with several prices that differ"
        remedy = "keep the right one of each"
        findings.append(note("conflicting-prices", "error", str(frame.columns[k]), rule, remedy, clashes))
    return merged


def _clash(names: RowNames, rows: IntArray, column: int | None, prices: FloatArray | None) -> str:
    """``"2020-03-12: lines 7, 9: 4800.0, 4801.0"``."""
    date = show_stamp(names.stamps[int(rows[0])])
    lines = [names.line(int(row), column) for row in rows]
    where = f"{names.unit}s " + ", ".join(map(str, lines)) if all(lines) else f"{rows.size} rows"
    return f"{date}: {where}" + ("" if prices is None else ": " + ", ".join(f"{price:g}" for price in prices))
