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
        begun = time.perf_counter()
        rows += importlib.import_module(name).run()
        sys.stderr.write(f"{name} took {time.perf_counter() - begun:.0f} s\n")
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


def _line(found: Any) -> str:
    row = _as_row(found)
    ours = row.ours
    beside = {name: times.median for name, times in row.peers.items()}
    peers = "; ".join(f"{name} {_number(value)} ({value / ours.median:.1f}x)" for name, value in beside.items())
    under = ""
    if row.floor is not None:
        name, value = row.floor[0], row.floor[1].median
        under = f"{name} {_number(value)} ({ours.median / value:.2f}x)"
    figures = " / ".join(_number(value) for value in (ours.low, ours.median, ours.high))
    return "| " + " | ".join((row.work, row.unit, figures, peers, under, row.target, row.note)) + " |"


def _as_row(found: Any) -> Any:
    """A `Row`, also from the mapping of milliseconds that a benchmark against arch alone returns."""
    from common import Row, Times

    if isinstance(found, Row):
        return found
    ours, arch = (Times(tuple(found[f"{who}{end}"] for end in ("min", "median", "max"))) for who in ("ms_", "arch_ms_"))
    ratios = " / ".join(f"{found[f'ratio_{end}']:.0f}" for end in ("min", "median", "max"))
    note = f"{found['repetitions']} repetitions; ratio min / median / max {ratios}"
    return Row(f"{found['benchmark']}: {found['case']}", "ms a fit", ours, {"arch": arch}, note=note)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main(sys.argv[1:])
