"""Margin-call probability of every book at every loan-to-value, as a heat map with its numbers in the cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.report.charts.common import probability_floor, short
from collatrisk.report.palette import INK, LIMIT
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table
from collatrisk.report.text import days, plural, probability, share
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_RAMP = ("#f4f7fa", "#cfe0ee", "#8fb8d8", "#4a86b8", "#215a8e", "#0f2f52")
_DARK = 0.55


def heat_map(name: str, surface: pd.DataFrame, terms: str, horizon: float, limit: float) -> Chart:
    """Books by loan-to-value; a square marks the cells above the tolerated probability.

    Parameters
    ----------
    surface : the table `call_probability` of a study.
    terms, horizon : which slice of it.
    limit : the tolerated probability.
    """
    rows = surface[(surface["terms"] == terms) & (surface["horizon_days"] == horizon)]
    books, ratios = list(dict.fromkeys(rows["book"])), sorted(set(rows["ltv"]))
    grid = rows.pivot(index="book", columns="ltv", values="probability").reindex(index=books, columns=ratios)
    values = grid.to_numpy(dtype=float)
    above = int(np.nansum(values > limit))
    title = (
        f"{above} of {plural(values.size, 'combination')} exceed the tolerated {share(limit)} within {days(horizon)}"
        if above
        else f"Every combination stays within the tolerated {share(limit)} for {days(horizon)}"
    )

    def paint(figure: Figure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        floor = probability_floor(values[values > 0].tolist())
        shade = np.log(np.clip(np.nan_to_num(values), floor, 1) / floor) / math.log(1 / floor)
        ramp = LinearSegmentedColormap.from_list("ramp", _RAMP)
        axes.pcolormesh(shade, cmap=ramp, vmin=0, vmax=1, edgecolors="white", linewidth=2)
        for (i, j), value in np.ndenumerate(values):
            colour = "white" if shade[i, j] > _DARK else INK
            text = probability(value) if value != 0 else "none seen"
            heavy = "bold" if value > limit else "normal"
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8.2, color=colour, fontweight=heavy)
            if value > limit:
                axes.plot(j + 0.94, i + 0.14, marker="s", markersize=4.2, color=LIMIT, markeredgecolor="white")
        axes.set_xticks(np.arange(len(ratios)) + 0.5, [share(ratio) for ratio in ratios])
        axes.set_yticks(np.arange(len(books)) + 0.5, [short(book) for book in books])
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("loan-to-value at the start")

    described = "; ".join(
        f"{book}: " + ", ".join(f"{probability(value)} at {share(r)}" for r, value in zip(ratios, line, strict=True))
        for book, line in zip(books, values, strict=True)
    )
    subtitle = f"Terms \u201c{terms}\u201d, {days(horizon)}. Bold with a square: above the tolerated probability."
    size = (7.6, 0.75 + 0.36 * max(len(books), 1))
    columns = ("book", "ltv", "probability", "low", "high", "n")
    return Chart(name, title, subtitle, draw(name, title, described, size, paint), data_table(rows, columns))
