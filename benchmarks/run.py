"""`make bench`: run every ``bench_*.py`` beside this file and write `RESULTS.md`.

``python benchmarks/run.py paths tails`` runs those modules alone and shows their rows without writing the file.
"""

from __future__ import annotations

import os

# One thread a BLAS call, set before numpy loads: peers and we have the same workers, none a hidden second one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import importlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent


def main(wanted: list[str]) -> None:
    """Run the modules named, or all, and write or show the table."""
    sys.path.insert(0, str(HERE))
    names = sorted(path.stem for path in HERE.glob("bench_*.py"))
    chosen = [name for name in names if not wanted or name.removeprefix("bench_") in wanted]
    start = time.perf_counter()
    rows: list[Any] = []
    for name in chosen:
        sys.stderr.write(f"{name} ...\n")
        rows += importlib.import_module(name).run()
    text = _page(rows, time.perf_counter() - start)
    if wanted:
        sys.stdout.write(text)
    else:
        (HERE / "RESULTS.md").write_text(text)
        sys.stderr.write(f"wrote {HERE / 'RESULTS.md'}\n")


def _page(rows: list[Any], seconds: float) -> str:
    from common import RUNS, machine, versions

    head = [
        "# Benchmarks",
        "",
        f"{machine()}; {versions()}; {datetime.now(UTC):%Y-%m-%d}; {seconds:.0f} s in all.",
        "",
        f"Written by `make bench`. Ours: min / median / max of at least {RUNS} runs unless the note says otherwise. "
        "Peers and floors are medians of the same rounds as ours; the ratio behind a peer is how many times our median "
        "it takes, the ratio behind a floor how many times the floor we take. BLAS has one thread. What was tried, and "
        "what it gave: `NOTES.md`.",
        "",
        "| work | unit | ours: min / median / max | peers | floor | target | note |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join(head + [_line(row) for row in rows]) + "\n"


def _line(row: Any) -> str:
    """A row of the table from a `Row`, or from a mapping with the names of its fields and times as plain tuples."""
    from common import Row, Times

    def times(value: Any) -> Any:
        return value if isinstance(value, Times) else Times(tuple(np.atleast_1d(value).tolist()))

    found = row if isinstance(row, Row) else Row(**row)
    ours = times(found.ours)
    beside = {name: times(value).median for name, value in found.peers.items()}
    peers = "; ".join(f"{name} {_number(value)} ({value / ours.median:.1f}x)" for name, value in beside.items())
    under = ""
    if found.floor is not None:
        name, value = found.floor[0], times(found.floor[1]).median
        under = f"{name} {_number(value)} ({ours.median / value:.2f}x)"
    figures = " / ".join(_number(value) for value in (ours.low, ours.median, ours.high))
    cells = (found.work, found.unit, figures, peers, under, found.target, found.note)
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main(sys.argv[1:])
