"""Colours that colour-blind readers can tell apart (Okabe and Ito, 2008), and ratings: a colour, a word and a shape."""

from __future__ import annotations

from dataclasses import dataclass

INK = "#1c2733"
MUTED = "#5b6876"
RULE = "#d5dbe1"
LIMIT = "#8a2d0c"

_SERIES = ("#0072b2", "#d55e00", "#009e73", "#b0598c", "#b8860b", "#3a9bd1", "#444444")
_DASHES = ("solid", (0, (5, 1.6)), (0, (1.4, 1.2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one series is drawn: colour and, from the eighth on, another dash."""

    colour: str
    dash: str | tuple[int, tuple[float, ...]]
    marker: str


def stroke(index: int) -> Stroke:
    """The stroke of the `index`-th series; colours repeat with another dash and marker after seven."""
    group, place = divmod(index, len(_SERIES))
    return Stroke(_SERIES[place], _DASHES[group % len(_DASHES)], _MARKERS[(place + group) % len(_MARKERS)])


@dataclass(frozen=True, slots=True)
class Mark:
    """Red, amber or green, never by colour alone."""

    word: str
    shape: str
    tone: str


RATINGS = {
    "within": Mark("within limits", "\u25cf", "green"),
    "borderline": Mark("borderline", "\u25b2", "amber"),
    "breach": Mark("breach", "\u25a0", "red"),
    "failed": Mark("failed", "\u2716", "red"),
}
STATUSES = {
    "green": Mark("Within limits", "\u25cf", "green"),
    "amber": Mark("Needs attention", "\u25b2", "amber"),
    "red": Mark("Action required", "\u25a0", "red"),
}
SEVERITIES = {
    "info": Mark("note", "\u25cb", "grey"),
    "warning": Mark("warning", "\u25b2", "amber"),
    "error": Mark("error", "\u25a0", "red"),
}
OUTCOMES = {
    "none": Mark("holds", "\u25cf", "green"),
    "margin call": Mark("margin call", "\u25b2", "amber"),
    "liquidation": Mark("liquidated", "\u25a0", "red"),
    "shortfall": Mark("shortfall", "\u25c6", "dark"),
    "failed": Mark("failed", "\u2716", "grey"),
    "refused": Mark("says nothing", "\u25cb", "grey"),
}
