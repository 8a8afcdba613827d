"""The distribution of the collateral's loss over the margin period of risk, VaR and ES marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collatrisk.report.charts.common import finish_panels, panels, percent_axis, short
from collatrisk.report.palette import INK, LIMIT
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table, records
from collatrisk.report.text import days, percent, share
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BODY, _TAIL = "#9db4c8", "#d55e00"


def losses(name: str, histogram: pd.DataFrame, measures: pd.DataFrame) -> Chart:
    """One panel a book; the tail beyond VaR in another colour and above a logarithmic count.

    Parameters
    ----------
    histogram, measures : the tables `loss_histogram` and `loss_measures` of a study.
    """
    books = list(dict.fromkeys(histogram["book"]))
    n_rows, n_columns = panels(len(books))
    title, subtitle = _texts(measures)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
        low, high = _range(histogram)
        for axes, book in zip(grid.flat, books, strict=False):
            _panel(axes, histogram[histogram["book"] == book], measures[measures["book"] == book], book)
            axes.set_xlim(low, high)
        finish_panels(grid, len(books))
        figure.supxlabel("loss of the collateral, share of its value (a gain is negative)", fontsize=8.5)
        figure.supylabel("share of paths", fontsize=8.5)

    described = "; ".join(f"{row['book']}: {row['measure']} {percent(row['value'])}" for row in records(measures))
    svg = draw(name, title, described, (8.4, 0.5 + 1.85 * n_rows), paint)
    columns = ("book", "measure", "level", "horizon_days", "value", "low", "high", "n")
    return Chart(name, title, subtitle, svg, data_table(measures, columns))


def _panel(axes: Axes, bins: pd.DataFrame, measures: pd.DataFrame, book: str) -> None:
    left, right = bins["left"].to_numpy(), bins["right"].to_numpy()
    share = bins["count"].to_numpy() / max(bins["count"].sum(), 1)
    marks = {row["measure"]: float(row["value"]) for row in records(measures)}
    var = marks.get("VaR", np.inf)
    colours = [_TAIL if edge >= var else _BODY for edge in left]
    axes.bar(left, share, width=right - left, align="edge", color=colours, linewidth=0)
    top = axes.get_ylim()[1]
    for measure, height in (("VaR", 0.98), ("ES", 0.76)):
        if measure in marks and np.isfinite(marks[measure]):
            value = marks[measure]
            dash = "solid" if measure == "VaR" else (0, (4, 2))
            axes.plot([value, value], [0, top * height], color=LIMIT, linewidth=1.1, linestyle=dash)
            axes.annotate(
                f"{measure} {percent(value)}",
                (value, top * height),
                xytext=(3, -1),
                textcoords="offset points",
                va="top",
                fontsize=7.8,
                color=LIMIT,
            )
    axes.axvline(0, color=INK, linewidth=0.5)
    axes.set_title(short(book, 30))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    percent_axis(axes.xaxis)


def _range(histogram: pd.DataFrame) -> tuple[float, float]:
    """From the gains that all but a thousandth stay below to the largest loss."""
    edges = histogram[histogram["count"] > 0].sort_values("left")
    if not len(edges):
        return -1.0, 1.0
    running = edges["count"].cumsum().to_numpy() / float(edges["count"].sum())
    first, last = np.searchsorted(running, [0.002, 0.9998]).tolist()
    low, high = edges["left"].iloc[first], edges["right"].iloc[min(last, len(edges) - 1)]
    return float(low), float(high + 0.18 * (high - low))


def _texts(measures: pd.DataFrame) -> tuple[str, str]:
    es = measures[measures["measure"] == "ES"]
    if not len(es):
        return "No loss distribution could be computed", ""
    worst = es.sort_values("value").iloc[-1]
    level, horizon = float(worst["level"]), float(worst["horizon_days"])
    mean = f"in its worst {share(1 - level)} of cases"
    title = f"{worst['book']} loses {percent(float(worst['value']))} on average over {days(horizon)} {mean}"
    return title, f"Loss over {days(horizon)}; VaR and ES at {share(level)}; the tail beyond VaR in orange."
