"""Margin-call probability against loan-to-value, one line a book."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collatrisk.report.charts.common import label_ends, limit_line, percent_axis, probability_axis, probability_floor
from collatrisk.report.palette import stroke
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table
from collatrisk.report.text import days, probability, share
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def call_curve(name: str, surface: pd.DataFrame, terms: str, horizon: float, limit: float) -> Chart:
    """Lines with 95 % bands on a logarithmic scale; an open triangle is the upper limit where no path was called.

    Parameters
    ----------
    surface : the table `call_probability` of a study.
    terms, horizon : which slice of it.
    limit : the tolerated probability, drawn as a line.
    """
    rows = surface[(surface["terms"] == terms) & (surface["horizon_days"] == horizon)]
    books = list(dict.fromkeys(rows["book"]))
    title = _finding(rows, books, horizon, limit)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        probability_axis(axes, probability_floor([*rows["probability"], *rows["high"]]))
        percent_axis(axes.xaxis)
        axes.set_xlabel("loan-to-value at the start (debt / collateral value)")
        axes.set_ylabel(f"probability of a margin call within {days(horizon)}")
        limit_line(axes, limit, "tolerated:")
        ends, colours = [], []
        for i, book in enumerate(books):
            line = rows[rows["book"] == book].sort_values("ltv")
            _curve(axes, line, i)
            ends.append(float(np.maximum(line["probability"].iloc[-1], axes.get_ylim()[0])))
            colours.append(stroke(i).colour)
        axes.margins(x=0.02)
        if books:
            label_ends(axes, float(rows["ltv"].max()), ends, books, colours)

    subtitle = (
        f"Terms \u201c{terms}\u201d, {days(horizon)}. Bands: 95 % intervals. Open triangle: none seen, upper limit."
    )
    described = "; ".join(
        f"{book}: " + ", ".join(f"{probability(p)} at {share(ltv)}" for ltv, p in _points(rows, book)) for book in books
    )
    columns = ("book", "ltv", "probability", "low", "high", "n")
    return Chart(name, title, subtitle, draw(name, title, described, (7.4, 3.9), paint), data_table(rows, columns))


def _curve(axes: Axes, line: pd.DataFrame, index: int) -> None:
    style = stroke(index)
    floor = axes.get_ylim()[0]
    ltv, seen = line["ltv"].to_numpy(), line["probability"].to_numpy()
    low, high = np.maximum(line["low"].to_numpy(), floor), line["high"].to_numpy()
    axes.fill_between(ltv, low, high, color=style.colour, alpha=0.16, linewidth=0)
    drawn = seen > 0
    axes.plot(
        ltv[drawn], seen[drawn], color=style.colour, linestyle=style.dash, marker=style.marker, markersize=3.6, zorder=3
    )
    none = ~drawn
    axes.plot(
        ltv[none], high[none], linestyle="none", marker="v", markersize=5, markerfacecolor="none", color=style.colour
    )


def _points(rows: pd.DataFrame, book: str) -> list[tuple[float, float]]:
    line = rows[rows["book"] == book].sort_values("ltv")
    return list(zip(line["ltv"], line["probability"], strict=True))


def _finding(rows: pd.DataFrame, books: list[str], horizon: float, limit: float) -> str:
    """Which book can be lent most against, and which least, within the tolerated probability."""
    best = {book: max((ltv for ltv, p in _points(rows, book) if p <= limit), default=0.0) for book in books}
    if not best:
        return "No margin-call probabilities could be computed"
    strongest, weakest = max(best, key=lambda b: best[b]), min(best, key=lambda b: best[b])
    within = f"a {share(limit)} chance of a call in {days(horizon)}"
    if best[strongest] == 0:
        return f"No tested loan-to-value keeps any book within {within}"
    if best[strongest] == best[weakest]:
        whom = "every book" if len(books) > 1 else strongest
        return f"Of the tested ratios, {share(best[strongest])} is the highest that keeps {whom} within {within}"
    low = f"only {share(best[weakest])}" if best[weakest] else "no tested ratio"
    return f"{strongest} carries {share(best[strongest])} within {within}; {weakest} {low}"
