"""Charts as deterministic, self-contained, described SVG. The only place that touches matplotlib's settings."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from collatrisk.report.palette import INK, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONTS = "'Inter','Segoe UI','Helvetica Neue',Arial,'Liberation Sans',sans-serif"
_SETTINGS: dict[Any, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def draw(name: str, title: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> str:
    """A chart as inline SVG.

    Parameters
    ----------
    name : unique on the page; every id inside is prefixed with it.
    title, description : the text alternative, as <title> and <desc>; escaped here.
    size : inches.
    paint : draws on an empty figure (object interface; no global state of pyplot).

    Returns
    -------
    str, ``<svg role="img">...</svg>``: no script, no reference to another file, the same bytes for the same data.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    buffer = StringIO()
    with rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # Text stays text: the reader's own fonts draw the scripts that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(buffer.getvalue(), name, title, description)


def _inline(svg: str, name: str, title: str, description: str) -> str:
    body = svg[svg.index("<svg") :].rstrip()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\b(id|xlink:href|href)="(#?)', rf'\1="\2{name}-', body)
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group(0)), body)
    body = body.replace("url(#", f"url(#{name}-").replace("'DejaVu Sans'", _FONTS)
    head, rest = body.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', head)
    box = view_box.group(0) if view_box else ""
    labels = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    texts = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return re.sub(r"\n\s*", "\n", f"<svg {space} {box} {labels}>{texts}{rest}")
