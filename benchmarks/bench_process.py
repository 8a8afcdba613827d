"""Cold starts and peak memory, each in a fresh process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from common import RUNS, Row, Times, in_process

STARTING = """
import time
start = time.perf_counter()
import collatrisk as cr
print("import", time.perf_counter() - start)
import sys
sys.path.insert(0, "benchmarks")
from common import even_loan, market, terms
model = market(5)
plan = cr.PathPlan(model, n_paths=10_000, horizon_days=30, seed=7)
called = cr.run_margin(plan, even_loan(model), terms()).probability("margin_called")
print("answer", time.perf_counter() - start)
"""

MEMORY = """
import sys
sys.path.insert(0, "benchmarks")
import collatrisk as cr
from common import even_loan, market, terms
model = market(1)
plan = cr.PathPlan(model, n_paths=int(sys.argv[1]), horizon_days=30, seed=7)
cr.run_margin(plan, even_loan(model), terms("close"), lowest_level=0.99)
# Not ru_maxrss: a child process starts with its parent's.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("peak", status["VmHWM"].split()[0])
"""


def run() -> list[Row]:
    """First margin-call probability of a process without and with compiled kernels; memory against paths."""
    cached = [in_process(STARTING) for _ in range(RUNS + 1)][1:]
    with tempfile.TemporaryDirectory() as folder:
        fresh = [in_process(STARTING, cache=Path(folder, str(i))) for i in range(2)]
    return [*_starts(cached, fresh), _memory()]


def _memory() -> Row:
    peaks = {n: in_process(MEMORY, str(n))["peak"] / 1024 for n in (100_000, 1_000_000, 10_000_000)}
    shown = ", ".join(f"{n:.0e} paths {peak:.0f}".replace("e+0", "e") for n, peak in peaks.items())
    ratio = max(peaks.values()) / min(peaks.values())
    return Row(
        "peak memory of 10^7 paths through run_margin, one asset",
        "MiB",
        Times((peaks[10_000_000],)),
        note=f"{shown} MiB: {ratio:.2f}x from least to most; one run each, levels from 0.99 up",
        target="within 10 % of 10^5 paths",
    )


def _starts(cached: list[dict[str, float]], fresh: list[dict[str, float]]) -> list[Row]:
    return [
        Row("import collatrisk", "s", _column(cached, "import"), target="<= 0.2 s"),
        Row("process start to first margin-call probability, cached", "s", _column(cached, "answer"), target="<= 3 s"),
        Row(
            "the same, nothing compiled",
            "s",
            _column(fresh, "answer"),
            note="two runs; path and margin kernels",
            target="< 5 s a family",
        ),
    ]


def _column(found: list[dict[str, float]], name: str) -> Times:
    return Times(tuple(one[name] for one in found))
