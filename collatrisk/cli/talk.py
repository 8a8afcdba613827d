"""Two voices: talk on stderr for people, results on stdout for programs. All text from files is shown as it is."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    from rich.console import Console

    from collatrisk.base.errors import CollatriskError
    from collatrisk.base.findings import Finding


_PLAIN_WIDTH = 132


@dataclass
class _Voice:
    json: bool = False
    debug: bool = False


_voice = _Voice()


def configure(*, json_output: bool | None = None, debug: bool | None = None) -> None:
    """What the options of the command line ask for."""
    if json_output is not None:
        _voice.json = json_output
    if debug is not None:
        _voice.debug = debug


def speaks_json() -> bool:
    """Whether stdout is promised to a program."""
    return _voice.json


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return _voice.debug


def console() -> Console:
    """The console on stderr. Made anew each time: tests and callers may have replaced the stream."""
    from rich.console import Console

    out = Console(stderr=True, highlight=False, soft_wrap=True)
    return out if out.is_terminal else Console(stderr=True, highlight=False, soft_wrap=True, width=_PLAIN_WIDTH)


def say(text: str, style: str = "") -> None:
    """A line to the person at the terminal."""
    console().print(printable(text), style=style or None, markup=False)


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters, which data may hold, are written out."""
    return "".join(
        repr(letter)[1:-1] if category(letter) == "Cc" and letter not in "\n\t" else letter for letter in text
    )


def counted(count: int, noun: str) -> str:
    """``1 book``, ``2 books``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def error(text: str) -> None:
    """What went wrong."""
    say(text, "bold red")


def refusal(problem: CollatriskError) -> None:
    """An error of the library with every problem on its own lines."""
    count = len(problem.problems)
    error(f"{problem.title}: {counted(count, 'problem')}" if count else problem.title)
    for one in problem.problems:
        say(f"  {one.name} = {one.value}: {one.rule}; {one.remedy}")


def findings(found: Sequence[Finding]) -> None:
    """Findings, one a line; notes are counted only."""
    for one in found:
        if one.severity != "info":
            say(f"  {one.severity}: {one.subject}: {one.message}", "red" if one.severity == "error" else "yellow")
    notes = sum(one.severity == "info" for one in found)
    if notes:
        say(f"  and {counted(notes, 'note')}: see the report")


def json_out(body: Any) -> None:
    """A result for a program, on stdout; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(_plain(body), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def text_out(text: str) -> None:
    """A result for a person who may pipe it, on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stderr; the first two columns are text."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=Text(printable(title)), title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for i, head in enumerate(heads):
        shown.add_column(Text(head), justify="left" if i < 2 else "right")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    console().print(shown)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, float, float], None]]:
    """A bar with the time that is left; plain lines where stderr is not a terminal."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out = console()
    if not out.is_terminal:
        seen: set[str] = set()

        def line(what: str, done: float, total: float) -> None:
            stage = what.split(",")[0].split(":")[0]
            if stage not in seen:
                seen.add(stage)
                say(f"  {100 * done / total if total else 0:3.0f} %  {stage}")

        yield line
        return
    columns = (
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(title, total=1.0, what=title)

        def update(what: str, done: float, total: float) -> None:
            bar.update(task, completed=done, total=total, what=what[:44])

        yield update


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
