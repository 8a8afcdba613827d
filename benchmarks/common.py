"""What the benchmarks share: timing beside peers in one run, models without a fit, machine and versions."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RUNS = 7
ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("collatrisk", "numpy", "numba", "scipy", "pandas", "arch", "QuantLib")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of some runs, in a unit of the reader's choice once `scaled`."""

    values: tuple[float, ...]

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    @property
    def high(self) -> float:
        return max(self.values)

    def scaled(self, factor: float) -> Times:
        """Every value times `factor`."""
        return Times(tuple(value * factor for value in self.values))

    def plus(self, other: Times) -> Times:
        """Round by round, the two together."""
        return Times(tuple(a + b for a, b in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of results.

    Attributes
    ----------
    work : what was done. unit : of all the times. ours, peers, floor : times in that unit, all measured in one run.
    note : how the peer and the floor are to be read. target : the ratio that was set as a goal, in words.
    """

    work: str
    unit: str
    ours: Times
    peers: Mapping[str, Times] = field(default_factory=dict)
    floor: tuple[str, Times] | None = None
    note: str = ""
    target: str = ""


def race(functions: Mapping[str, Callable[[], Any]], runs: int = RUNS) -> dict[str, Times]:
    """Seconds of each function over `runs` rounds.

    Every round runs every function once, so that a change in the machine's load meets them all; one round before is not
    counted (compilation, page faults).
    """
    for function in functions.values():
        function()
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            found[name].append(time.perf_counter() - start)
    return {name: Times(tuple(values)) for name, values in found.items()}


def arithmetic(threads: int, steps: int = 4_000_000) -> Callable[[], None]:
    """Twice `steps` of multiplying and adding in registers, ten milliseconds each: one after the other, or in two
    threads, as a run with two workers starts them. What the second thread gains is all that the machine has to give."""
    import numba

    @numba.njit(nogil=True)
    def spin(x: float) -> float:
        for _ in range(steps):
            x = x * 0.999999 + 1e-6
        return x

    spin(1.0)

    def once() -> None:
        if threads == 1:
            spin(spin(1.0))
        else:
            with ThreadPoolExecutor(threads) as executor:
                list(executor.map(spin, (1.0, 1.0)))

    return once


def in_process(code: str, *arguments: str, cache: Path | None = None) -> dict[str, float]:
    """Run `code` in a fresh interpreter; it must print ``name value`` lines, which come back as numbers.

    cache : the folder of numba's cache; None for the project's own.
    """
    import os

    environment = dict(os.environ) | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    pairs = (line.split() for line in done.stdout.splitlines())
    return {name: float(value) for name, value in pairs}


def market(n_assets: int, *, nu: float = 6.0) -> Any:
    """GJR-GARCH(1,1,1) with t innovations of a nu of their own, joined by a t copula (a single asset needs none)."""
    from collatrisk.dependence import DependenceFit, Independent, StudentTCopula
    from collatrisk.market.clock import Clock
    from collatrisk.simulation import Marginal, MarketModel
    from collatrisk.volatility.specs import Garch

    names = tuple(f"A{i}" for i in range(n_assets))
    law = {"mu": 0.0, "omega": 1.2e-5, "alpha[1]": 0.04, "gamma[1]": 0.06, "beta[1]": 0.88}
    marginals = tuple(
        Marginal(name, Garch(dist="t"), law | {"nu": 5.0 + 0.3 * i}, {}, (-0.03,), (8e-4,))
        for i, name in enumerate(names)
    )
    matrix = np.full((n_assets, n_assets), 0.5) + 0.5 * np.eye(n_assets)
    if n_assets == 1:
        dependence = DependenceFit(Independent(), names, matrix, None)
    else:
        dependence = DependenceFit(StudentTCopula(), names, matrix, nu)
    return MarketModel(names, np.full(n_assets, 100.0), Clock(), marginals, dependence)


def even_loan(model: Any, ltv: float = 0.6) -> Any:
    """A loan against equal shares of all assets of a model."""
    import collatrisk as cr

    share = 1.0 / len(model.assets)
    return cr.Loan(cr.Mix(dict.fromkeys(model.assets, share)), collateral_value=1_000_000, ltv=ltv)


def terms(mark: str = "bridge", **changes: Any) -> Any:
    """Terms with a margin call at 1.15 and a liquidation at 1."""
    import collatrisk as cr

    usual = {"liquidation_threshold": 0.85, "margin_call": 1.15, "restore_to": 1.3, "liquidation_bonus": 0.05}
    return cr.Terms(mark=mark, **(usual | changes))


def machine() -> str:
    """The processor, its cores and the system."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    import os

    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def versions() -> str:
    """Versions of the library and of its peers."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)
