"""The examination of prices: all findings at once, nothing changed, nothing filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError
from collatrisk.base.findings import SEVERITIES, Finding, Severity, worst_severity
from collatrisk.base.tables import html_table
from collatrisk.market.calendar_checks import check_clock, check_missing, check_rows
from collatrisk.market.clock import Clock
from collatrisk.market.frames import (
    RowNames,
    as_problem,
    note,
    repeated,
    require_frame,
    show_stamp,
    text_columns,
    unnamed_columns,
    utc_index,
)
from collatrisk.market.order import tidy
from collatrisk.market.pegs import find_pegs
from collatrisk.market.series_checks import check_series


@dataclass(frozen=True, slots=True, repr=False)
class DataQualityReport:
    """What an examination of prices found.

    Attributes
    ----------
    findings : all findings, errors first, then warnings and notes.
    clock : the clock the rows were checked against; None where the assets mix clocks or the dates do not tell.
    n_rows : the number of rows examined.
    assets : the names of the assets.
    first, last : the first and the last date (UTC); None without rows.
    source : where the prices came from, if it is known.
    """

    findings: tuple[Finding, ...]
    clock: Clock | None
    n_rows: int
    assets: tuple[str, ...]
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    source: str = ""

    @property
    def worst(self) -> Severity | None:
        """The gravest severity; None without findings."""
        return worst_severity(self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings of severity error."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def of(self, code: str, subject: str | None = None) -> tuple[Finding, ...]:
        """The findings with a code, and about a subject if one is given."""
        return tuple(f for f in self.findings if f.code == code and subject in (None, f.subject))

    def raise_if_errors(self) -> None:
        """Refuse the prices if any finding is an error.

        Raises
        ------
        DataError : with all of them.
        """
        if self.errors:
            raise DataError("Prices are not usable", [as_problem(finding) for finding in self.errors])

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: severity, subject, code, message, rows. Text is as it is: escape it at output."""
        columns = ["severity", "subject", "code", "message", "rows"]
        rows = [(f.severity, f.subject, f.code, f.message, "; ".join(f.rows)) for f in self.findings]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "source": self.source,
            "n_rows": self.n_rows,
            "assets": list(self.assets),
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "clock": None if self.clock is None else self.clock.to_dict(),
            "worst": self.worst,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __repr__(self) -> str:
        return f"DataQualityReport({self._title()})"

    def __str__(self) -> str:
        lines = [self._title()]
        lines += [f"  {f.severity}: {f.subject}: {f.message}" for f in self.findings]
        return "\n".join(lines)

    def _title(self) -> str:
        span = (
            "" if self.first is None or self.last is None else f", {show_stamp(self.first)} to {show_stamp(self.last)}"
        )
        counts = Counter(finding.severity for finding in self.findings)
        found = ", ".join(f"{counts[s]} {s}" for s in reversed(SEVERITIES) if counts[s]) or "no findings"
        clock = "no common clock" if self.clock is None else str(self.clock)
        return f"{self.n_rows} rows, {len(self.assets)} assets{span}; {clock}; {found}"

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        return html_table(
            list(frame.columns), frame.itertuples(index=False, name=None), "Data quality: " + self._title()
        )


def check_prices(
    frame: pd.DataFrame, clock: Clock | str | None = None, *, pegs: Mapping[str, float] | None = None
) -> DataQualityReport:
    """Examine prices, in whatever state they are, and report everything at once.

    Parameters
    ----------
    frame : DataFrame of prices with a DatetimeIndex (no zone is read as UTC), one column an asset. It is not changed.
    clock : a `Clock`, ``"24/7"`` or ``"business"`` (with the steps of the data), or None to infer it.
    pegs : the level of each pegged asset; None for the known dollar stablecoins; ``{}`` for none.

    Returns
    -------
    DataQualityReport. Errors: no rows, no asset, text, dates missing, one date with several prices, prices that are
    zero, negative or infinite, fewer than 30 prices, a clock that the dates contradict. Warnings: gaps, rows out of
    order or repeated, missing prices, five or more equal prices in a row, moves beyond 12 robust standard deviations
    (1.4826 x MAD of the log returns), prices more than 2 % from a peg (pegs have no stale or jump check), constant
    prices, fewer than 250 prices, mixed clocks.

    Raises
    ------
    InputError : if `frame` is no frame of dates, or `clock` or `pegs` are wrong.
    """
    source = require_frame(frame, "check_prices")
    index = utc_index(source.index, "check_prices")
    findings = []
    names = [str(name) for name in source.columns]
    text = text_columns(source)
    for k in text:
        rule = f"the column holds {source.iloc[:, k].dtype}, not numbers"
        findings.append(note("text-column", "error", names[k], rule, "convert it with pd.to_numeric or drop it"))
    rule, remedy = "several columns have this name", "rename or drop them"
    findings += [note("duplicate-column", "error", name, rule, remedy) for name in repeated(names)]
    rule, remedy = "the column has no name", "name the asset"
    findings += [note("unnamed-column", "error", f"column {k + 1}", rule, remedy) for k in unnamed_columns(source)]
    kept = [k for k in range(len(names)) if k not in text and names.index(names[k]) == k]
    values = [source.iloc[:, k].to_numpy(dtype=np.float64, na_value=np.nan) for k in kept]
    table = np.column_stack(values) if values else np.empty((len(index), 0))
    numeric = pd.DataFrame(table, index=index, columns=[names[k] for k in kept])
    return examine(numeric, RowNames(index), clock, pegs, findings)[1]


def examine(
    raw: pd.DataFrame,
    names: RowNames,
    clock: Clock | str | None,
    pegs: Mapping[str, float] | None,
    already: Sequence[Finding] = (),
    source: str = "",
) -> tuple[pd.DataFrame, DataQualityReport]:
    """Tidy raw prices (order and repeated dates only) and report on them, with the findings made already."""
    if clock is not None:
        Clock.of(clock)  # refuses an unknown name before anything is examined
    assets = tuple(map(str, raw.columns))
    tidied = tidy(raw, names)
    prices, rows = tidied.frame, tidied.names
    findings = [*already, *tidied.findings]
    chosen = None
    if not assets or prices.empty:
        what = "rows" if assets else "assets"
        findings.append(
            note("empty", "error", "prices", f"there are no {what}", "give at least one asset and two rows")
        )
    else:
        chosen, about_clock = check_clock(prices, clock)
        levels, about_pegs = find_pegs(prices, pegs)
        mixed = any(finding.code in {"mixed-clocks", "unclear-clock"} for finding in about_clock)
        findings += about_clock + check_rows(prices, rows, chosen) + check_missing(prices, rows, mixed=mixed)
        findings += about_pegs + check_series(
            prices, rows, levels, {f.subject for f in already if f.code == "text-column"}
        )
    ranked = tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))
    first, last = (prices.index[0], prices.index[-1]) if len(prices) else (None, None)
    return prices, DataQualityReport(ranked, chosen, len(raw), assets, first, last, source)
