"""When: the probability of a margin call and of a liquidation by each day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collatrisk.report.charts.common import label_ends, probability_axis, probability_floor
from collatrisk.report.palette import stroke
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table
from collatrisk.report.text import days, probability
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_EVENTS = {"margin_called": "Margin called", "liquidated": "Liquidated"}
_MOST_ROWS = 12


def term_structure(name: str, table: pd.DataFrame, terms: str) -> Chart:
    """Two panels on one logarithmic scale, one line a book with its 95 % band.

    Parameters
    ----------
    table : the table `term_structure` of a study.
    terms : which term sheet.
    """
    rows = table[(table["terms"] == terms) & (table["days"] > 0)]
    books = list(dict.fromkeys(rows["book"]))
    last = float(rows["days"].max()) if len(rows) else 0.0
    title = _finding(rows, last)

    def paint(figure: Figure) -> None:
        floor = probability_floor(list(rows["probability"]))
        for axes, (event, label) in zip(figure.subplots(1, 2, sharey=True), _EVENTS.items(), strict=True):
            probability_axis(axes, floor)
            axes.set_title(label)
            axes.set_xlabel("days from the start")
            axes.set_xlim(0, last)
            part = rows[rows["event"] == event]
            ends, names, colours = [], [], []
            for i, book in enumerate(books):
                line = part[(part["book"] == book) & (part["probability"] > 0)].sort_values("days")
                style = stroke(i)
                axes.fill_between(
                    line["days"],
                    line["low"].clip(lower=floor),
                    line["high"],
                    color=style.colour,
                    alpha=0.15,
                    linewidth=0,
                )
                axes.plot(line["days"], line["probability"], color=style.colour, linestyle=style.dash)
                if len(line):
                    ends.append(float(line["probability"].iloc[-1]))
                    names.append(book)
                    colours.append(style.colour)
            if names:
                label_ends(axes, last, ends, names, colours)
            else:
                axes.text(0.5, 0.5, "none seen", transform=axes.transAxes, ha="center")
        figure.axes[0].set_ylabel("probability by that day")

    described = "; ".join(
        f"{book}, {_EVENTS[event].lower()}: {probability(_last(rows, book, event))} by day {last:g}"
        for book in books
        for event in _EVENTS
    )
    subtitle = f"Terms \u201c{terms}\u201d, at each book\u2019s stated loan-to-value. Bands: 95 % intervals."
    svg = draw(name, title, described, (8.6, 3.5), paint)
    return Chart(
        name, title, subtitle, svg, data_table(_thinned(rows), ("book", "event", "days", "probability", "low", "high"))
    )


def _last(rows: pd.DataFrame, book: str, event: str) -> float:
    line = rows[(rows["book"] == book) & (rows["event"] == event)].sort_values("days")
    return float(line["probability"].iloc[-1]) if len(line) else float("nan")


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """About a dozen days for the table beneath the chart; the CSV has them all."""
    all_days = sorted(set(rows["days"]))
    step = max(1, -(-len(all_days) // _MOST_ROWS))
    return rows[rows["days"].isin([*all_days[step - 1 :: step], *all_days[-1:]])]


def _finding(rows: pd.DataFrame, last: float) -> str:
    called = rows[rows["event"] == "margin_called"]
    books = list(dict.fromkeys(called["book"]))
    if not books:
        return "No term structure could be computed"
    worst = max(books, key=lambda book: _last(called, book, "margin_called"))
    line = called[called["book"] == worst].sort_values("days")
    final = _last(called, worst, "margin_called")
    if final == 0:
        return f"No margin call was seen in {days(last)} for any book"
    half = float(line.loc[line["probability"] >= final / 2, "days"].iloc[0])
    return f"{worst} is called first: {probability(final)} within {days(last)}, half of it by day {half:g}"
