"""What single precision costs in accuracy: the same draws carried in float64, and a run in double precision beside it.

``python benchmarks/precision_evidence.py`` writes two Markdown tables (those of docs/precision.md). The twin takes the
words of the generator that a plan in single precision takes, and does everything after them in float64, with the tables
of double precision (``tests/naive_single.py``). So its differences are those of precision alone, path by path, and no
Monte Carlo error is in them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from common import even_loan, market, terms

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from naive_single import Twin
from path_models import flat, gjr, market as small_market

import collatrisk as cr
from collatrisk.simulation.source import PathBlock

N_PATHS = 1_000_000
STEPS = 30
COMPARED = 20_480
SLICE = 4_096  # paths of the twin at a time: its arrays stay in the caches


def compiled_words(key: Any, first: int, n: int, quad: int, slot: int) -> Any:
    """The words of the counters of `n` paths, (4, n), from the compiled generator."""
    from collatrisk.kernels.random_single import fill_words

    words = np.empty((4, n), dtype=np.uint32)
    fill_words(key, first, quad, slot, *words)
    return words


class TwinPaths:
    """The twin as a source of paths, so that every question can be asked of it."""

    precision = "double"
    read_into = None  # it does not write into the caller's arrays

    def __init__(self, plan: Any) -> None:
        self.plan, self.twin = plan, Twin(plan, compiled_words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)

    def read(self, first: int, last: int) -> PathBlock:
        """The paths `first` to `last` - 1."""
        parts = [self.twin.read(low, min(low + SLICE, last) - low) for low in range(first, last, SLICE)]
        return PathBlock(first, *(np.concatenate([part[k] for part in parts], axis=2) for k in (0, 1)))

    def blocks(self, size: int = 4096) -> Iterator[PathBlock]:
        """All paths in order."""
        return (self.read(low, min(low + size, self.plan.n_paths)) for low in range(0, self.plan.n_paths, size))

    def describe(self) -> Mapping[str, object]:
        """As the plan's."""
        return dict(self.plan.describe()) | {"kind": "TwinPaths"}


def path_errors() -> str:
    """The table of relative price errors at the last step, in units of 1e-7."""
    cases = (
        ("GJR-GARCH, t", small_market(gjr("A", nu=5.3)), (30, 365), 1),
        ("GJR-GARCH, t, t copula, 5 assets", market(5), (30, 365), 1),
        ("GJR-GARCH, skewed t with nu 3", small_market(gjr("A", dist="skewt", nu=3.0, lam=-0.1)), (30, 365), 1),
        ("constant, normal", small_market(flat("A")), (30, 365), 1),
        ("constant, normal, hours", small_market(flat("A")), (365,), 24),
    )
    rows = ["| model | steps | root mean square | 99.9 % | largest |", "|---|---|---|---|---|"]
    for name, model, horizons, a_day in cases:
        for days in horizons:
            n = COMPARED // a_day
            plan = cr.PathPlan(model, n_paths=n, horizon_days=days, seed=11, precision="single", steps_per_day=a_day)
            twin = TwinPaths(plan).read(0, n).prices[-1]
            error = np.abs(plan.read(0, n).prices[-1] / twin - 1.0).ravel() * 1e7
            figures = np.sqrt(np.mean(error**2)), np.quantile(error, 0.999), error.max()
            rows.append(f"| {name} | {days * a_day:,} | " + " | ".join(f"{value:.1f}" for value in figures) + " |")
    return "\n".join(rows)


def answers(source: Any, model: Any, mark: str, executor: Any) -> dict[str, Any]:
    """The library's own questions of a loan against equal shares, as estimates."""
    out = cr.run_margin(source, even_loan(model, 0.65), terms(mark), executor=executor, lowest_level=0.9)
    found = {name: out.probability(name) for name in ("margin_called", "liquidated", "shortfall")}
    found["VaR 99 % of the collateral's loss"] = out.value_at_risk("collateral_loss", 0.99)
    found["ES 99 % of the collateral's loss"] = out.expected_shortfall("collateral_loss", 0.99)
    found["mean shortfall"] = out.mean("shortfall")
    return found


def question_errors(n_assets: int, mark: str) -> str:
    """The table of answers: same draws in float64, and another stream in double precision."""
    model = market(n_assets)
    single = cr.PathPlan(model, n_paths=N_PATHS, horizon_days=STEPS, seed=7, precision="single")
    double = cr.PathPlan(model, n_paths=N_PATHS, horizon_days=STEPS, seed=7)
    with ThreadPoolExecutor(2) as executor:
        ours, exact, other = (answers(source, model, mark, executor) for source in (single, TwinPaths(single), double))
    rows = []
    for name, found in ours.items():
        error = found.standard_error
        same = abs(found.value - exact[name].value) / error
        apart = (found.value - other[name].value) / np.hypot(error, other[name].standard_error)
        label = f"{n_assets}, {'bridge' if mark == 'bridge' else 'ends of steps'}"
        rows.append(
            f"| {label} | {name.replace('_', ' ')} | {found.value:.6g} | {error:.2g} | {same:.1e} | {apart:+.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Write both tables."""
    write = sys.stdout.write
    write(path_errors())
    write("\n\n| assets, mark | question | single | its standard error | same draws in float64 | double |\n")
    write("|---|---|---|---|---|---|\n")
    for n_assets, mark in ((1, "close"), (5, "close"), (5, "bridge")):
        write(question_errors(n_assets, mark) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
