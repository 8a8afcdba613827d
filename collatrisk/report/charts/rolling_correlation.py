"""How correlation moved: the fitted correlation of each pair beside the rolling sample one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.report.charts.common import finish_panels, panels
from collatrisk.report.palette import LIMIT, MUTED, stroke
from collatrisk.report.svg import draw
from collatrisk.report.tables import data_table
from collatrisk.report.view import Chart

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_MOST_PAIRS = 9


def rolling_correlation(
    name: str, dates: pd.DatetimeIndex, assets: Sequence[str], fitted: FloatArray, scores: FloatArray, window: int = 60
) -> Chart:
    """Small multiples, one a pair of assets (at most nine): the model's line, the rolling sample's, the long-run level.

    Parameters
    ----------
    dates : (n_obs,), of the observations.
    fitted : float64 (n_obs + 1, d, d), from `collatrisk.dependence.conditional_correlations`; the last is
        that of the next step.
    scores : float64 (n_obs, d), what the sample correlation is of: standardised residuals or normal scores.
    window : observations of the rolling correlation.
    """
    import pandas as pd

    pairs = [(i, j) for i in range(len(assets)) for j in range(i + 1, len(assets))][:_MOST_PAIRS]
    frame = pd.DataFrame(scores, index=dates)
    lines = {}
    for i, j in pairs:
        sample = frame[i].rolling(window).corr(frame[j]).to_numpy()
        lines[i, j] = (fitted[:-1, i, j], sample, float(fitted[:-1, i, j].mean()), float(fitted[-1, i, j]))
    title = _finding(assets, lines)

    def paint(figure: Figure) -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        rows, columns = panels(len(pairs))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        lowest = min(0.0, *(float(np.nanmin([np.nanmin(one[0]), np.nanmin(one[1])])) for one in lines.values()))
        for axes, (i, j) in zip(grid.flat, pairs, strict=False):
            moving, sample, level, now = lines[i, j]
            axes.plot(dates, sample, color=MUTED, linewidth=0.9, alpha=0.8)
            axes.plot(dates, moving, color=stroke(0).colour, linewidth=1.3)
            axes.axhline(level, color=LIMIT, linewidth=0.8, linestyle=(0, (4, 2)))
            axes.plot([dates[-1]], [now], marker="o", markersize=3.5, color=stroke(0).colour)
            axes.set_title(f"{assets[i]} and {assets[j]}, next step {now:.2f}")
            axes.set_ylim(max(lowest - 0.05, -1.0), 1.02)
            axes.grid(visible=True, axis="y")
            locator = AutoDateLocator(minticks=3, maxticks=5)  # type: ignore[no-untyped-call]
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        finish_panels(grid, len(pairs))

    described = "; ".join(
        f"{assets[i]} and {assets[j]}: from {np.min(one[0]):.2f} to {np.max(one[0]):.2f}, next {one[3]:.2f}"
        for (i, j), one in lines.items()
    )
    height = 1.0 + 1.9 * panels(len(pairs))[0]
    subtitle = f"Blue: fitted correlation of each step. Grey: sample correlation of {window} steps. Dashed: its mean."
    table = pd.DataFrame(
        [
            {
                "pair": f"{assets[i]} and {assets[j]}",
                "lowest": float(one[0].min()),
                "mean": one[2],
                "highest": float(one[0].max()),
                "next_step": one[3],
            }
            for (i, j), one in lines.items()
        ]
    )
    svg = draw(name, title, described, (8.6, height), paint)
    return Chart(name, title, subtitle, svg, data_table(table, ("pair", "lowest", "mean", "highest", "next_step")))


def _finding(assets: Sequence[str], lines: dict[tuple[int, int], tuple[FloatArray, FloatArray, float, float]]) -> str:
    widest = max(lines, key=lambda pair: float(np.ptp(lines[pair][0])))
    moving, _, _, now = lines[widest]
    names = f"{assets[widest[0]]} and {assets[widest[1]]}"
    return (
        f"Correlation of {names} has been between {moving.min():.2f} and {moving.max():.2f}; it now stands at {now:.2f}"
    )
