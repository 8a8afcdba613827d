"""What charts share: axes in percent, logarithmic probabilities, labels that do not sit on each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from collatrisk.report.palette import LIMIT, RULE
from collatrisk.report.text import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LABEL = 26
_LOWEST = 1e-6
_LABEL_SIZE = 8.3


def short(name: str, longest: int = LONGEST_LABEL) -> str:
    """A name that fits beside a line."""
    return name if len(name) <= longest else name[: longest - 1] + "\u2026"


def probability_floor(values: Sequence[float]) -> float:
    """The decade below the smallest positive finite value: where a logarithmic axis starts."""
    positive = [value for value in values if 0 < value < math.inf]
    smallest = min(positive, default=1e-3)
    return max(_LOWEST, 10.0 ** math.floor(math.log10(min(smallest, 0.5))))


def probability_axis(axes: Axes, floor: float) -> None:
    """A logarithmic axis of probabilities from `floor` to 1, ticks in percent."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    decades = [10.0**k for k in range(round(math.log10(floor)), 1)]
    axes.set_yscale("log")
    axes.set_ylim(floor, 1.15)
    axes.yaxis.set_major_locator(FixedLocator(decades))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g} %"))
    axes.grid(visible=True, axis="y")


def percent_axis(axis: Any, decimals: int = 0) -> None:
    """Ticks of fractions in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.{decimals}f} %"))


def limit_line(axes: Axes, level: float, text: str) -> None:
    """The tolerated probability as a dashed line with its words."""
    axes.axhline(level, color=LIMIT, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    axes.annotate(
        f"{text} {share(level)}",
        (0.012, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color=LIMIT,
        fontsize=7.8,
    )


def label_ends(axes: Axes, x: float, heights: Sequence[float], names: Sequence[str], colours: Sequence[str]) -> None:
    """Names beside the right ends of lines, moved apart where they would touch, with a hairline back to the line."""
    figure = axes.figure
    figure.canvas.draw()
    pixels = axes.transData.transform([(x, height) for height in heights])[:, 1]
    box = axes.get_window_extent()
    gap = 1.25 * _LABEL_SIZE * figure.dpi / 72
    placed = spread(np.clip(pixels, box.y0, box.y1).tolist(), gap, box.y0, max(box.y1, box.y0 + gap * len(names)))
    for name, start, height, colour in zip(names, pixels, placed, colours, strict=True):
        end = (height - start) * 72 / figure.dpi
        value = float(axes.transData.inverted().transform((0, start))[1])
        line = {"arrowstyle": "-", "color": RULE, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 1}
        axes.annotate(
            short(name),
            (x, value),
            xytext=(12, end),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=_LABEL_SIZE,
            arrowprops=line,
            annotation_clip=False,
        )


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved as little as a sweep can so that neighbours are `gap` apart, inside [low, high] if they fit."""
    order = np.argsort(positions, kind="stable")
    placed = [float(positions[i]) for i in order]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    if placed and placed[-1] > high:
        placed[-1] = high
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    if placed and placed[0] < low:
        shift = low - placed[0]
        placed = [place + shift for place in placed]
    back = [0.0] * len(placed)
    for i, place in zip(order, placed, strict=True):
        back[int(i)] = place
    return back


def panels(count: int, columns: int = 3) -> tuple[int, int]:
    """Rows and columns of small multiples."""
    columns = 2 if count in {2, 4} else min(columns, max(count, 1))
    return math.ceil(max(count, 1) / columns), columns


def finish_panels(grid: Any, count: int) -> None:
    """Hide what is left over; the lowest panel of each column carries the ticks' labels."""
    n_columns = grid.shape[1]
    for k, axes in enumerate(grid.flat):
        axes.set_visible(k < count)
        axes.tick_params(labelbottom=k + n_columns >= count)
