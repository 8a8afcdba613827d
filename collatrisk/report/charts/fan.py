"""Price fans: quantile bands of the simulated paths, small multiples on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from collatrisk.report.charts.common import finish_panels, panels, percent_axis, short
from collatrisk.report.palette import INK, LIMIT
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table
from collatrisk.report.text import count, days, percent
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BANDS = (("q01", "q99", 0.16), ("q05", "q95", 0.24), ("q25", "q75", 0.36))
_COLOUR = "#0072b2"
_TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (1.5, (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)),
    (2.6, (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0)),
    (12.0, (0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.4, 2.0, 3.0)),
    (math.inf, (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)),
)
"""Ticks by how many times the largest share is the smallest."""
_QUANTILES = ("q01", "q05", "q25", "q50", "q75", "q95", "q99")


def fan(name: str, table: pd.DataFrame, kind: str, calls: Mapping[str, float] | None = None) -> Chart:
    """Bands of 98, 90 and 50 % of the paths and the median, relative to today.

    Parameters
    ----------
    table : the table `fan` of a study.
    kind : ``"asset"`` or ``"book"``.
    calls : book -> share of today's collateral value at which margin is called, drawn as a line.
    """
    rows = table[table["kind"] == kind]
    subjects = list(dict.fromkeys(rows["subject"]))
    last = float(rows["days"].max()) if len(rows) else 0.0
    ends = rows[rows["days"] == last].set_index("subject")
    title = _finding(ends, last, kind)
    calls = calls or {}
    n_rows, n_columns = panels(len(subjects))

    def paint(figure: Figure) -> None:
        grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for axes, subject in zip(grid.flat, subjects, strict=False):
            _panel(axes, rows[rows["subject"] == subject], subject, calls.get(subject))
        finish_panels(grid, len(subjects))
        for axes in list(grid.flat)[: len(subjects)]:
            _ticks(axes)
            percent_axis(axes.yaxis)
        figure.supxlabel("days from the start", fontsize=8.5)
        what = "price" if kind == "asset" else "collateral value"
        figure.supylabel(f"{what}, share of today\u2019s", fontsize=8.5)

    described = "; ".join(
        f"{subject}: 1 % quantile {percent(row['q01'])}, median {percent(row['q50'])}, 99 % {percent(row['q99'])}"
        for subject, row in ends.iterrows()
    )
    n = count(float(rows["n"].iloc[0])) if len(rows) else "0"
    subtitle = f"Bands hold 50, 90 and 98 % of the first {n} paths; the line is the median." + (
        " Dashed: margin is called." if calls else ""
    )
    svg = draw(name, title, described, (8.4, 0.5 + 1.75 * n_rows), paint)
    return Chart(name, title, subtitle, svg, data_table(_some_days(rows), ("subject", "days", *_QUANTILES)))


def _panel(axes: Axes, line: pd.DataFrame, subject: str, call: float | None) -> None:
    for low, high, strength in _BANDS:
        axes.fill_between(line["days"], line[low], line[high], color=_COLOUR, alpha=strength, linewidth=0)
    axes.plot(line["days"], line["q50"], color=INK, linewidth=1.2)
    if call is not None and call > 0:
        axes.axhline(call, color=LIMIT, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_title(short(subject, 30))
    axes.set_yscale("log")
    axes.grid(visible=True, axis="y")


def _ticks(axes: Axes) -> None:
    """Round shares of today's value, as many as the range has room for."""
    from matplotlib.ticker import FixedLocator, NullLocator

    low, high = axes.get_ylim()
    places = next(places for widest, places in _TICKS if high / low <= widest)
    axes.yaxis.set_major_locator(FixedLocator(places))
    axes.yaxis.set_minor_locator(NullLocator())


def _some_days(rows: pd.DataFrame) -> pd.DataFrame:
    all_days = sorted(set(rows["days"]))
    step = max(1, -(-len(all_days) // 6))
    return rows[rows["days"].isin([*all_days[::step], *all_days[-1:]])]


def _finding(ends: pd.DataFrame, last: float, kind: str) -> str:
    if not len(ends):
        return "No price fan could be computed"
    worst, left = str(ends["q01"].idxmin()), percent(float(ends["q01"].min()), 0)
    whose = worst if kind == "asset" else f"the collateral of {worst}"
    return f"In the worst 1 % of paths, {whose} keeps {left} of today\u2019s value or less after {days(last)}"
