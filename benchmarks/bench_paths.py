"""Paths to margin calls, liquidations and losses through `run_margin`, beside arch, numpy and QuantLib."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeAlias

import numpy as np
from common import Row, Times, arithmetic, even_loan, market, race, terms
from peers import STEPS, arch_result, arch_simulation, numpy_margin, quantlib_paths

Precision: TypeAlias = Literal["double", "single"]

ARCH_PATHS = 100_000
QUANTLIB_PATHS = 4_000
UNIT = "ns a path, step and asset"


def run() -> list[Row]:
    """For 1, 5 and 20 assets: 10^5 paths on one worker and on two beside the peers, 10^6 paths on two, in single
    precision too, and the paths alone in both precisions."""
    result = arch_result()
    rows = []
    for n_assets in (1, 5, 20):
        rows += _beside_peers(n_assets, result)
    for n_assets in (1, 5, 20):
        rows += [*_many(n_assets), _reading(n_assets)]
    return rows


def _beside_peers(n_assets: int, result: Any) -> list[Row]:
    n_paths = 100_000
    ours = {f"{mark} {workers}": _margin(n_assets, n_paths, mark, workers) for mark in MARKS for workers in (1, 2)}
    peers = {
        "numpy in chunks": lambda: numpy_margin(n_paths, n_assets),
        "arch": lambda: arch_simulation(result, ARCH_PATHS),
        "QuantLib": lambda: quantlib_paths(QUANTLIB_PATHS, n_assets),
    }
    bounds = {f"arithmetic {threads}": arithmetic(threads) for threads in (1, 2)}
    found = race(ours | peers | bounds)
    work = 1e9 / (n_paths * STEPS * n_assets)
    beside = {
        "numpy in chunks (multivariate t)": found["numpy in chunks"].scaled(work),
        "arch (one asset at a time, no correlation)": found["arch"].scaled(1e9 / (ARCH_PATHS * STEPS)),
        "QuantLib (GBM)": found["QuantLib"].scaled(1e9 / (QUANTLIB_PATHS * STEPS * n_assets)),
    }
    one, two = found["close 1"], found["close 2"]
    gain = found["arithmetic 1"].median / found["arithmetic 2"].median
    scaling = f"two workers {one.median / two.median:.2f}x one, two threads of pure arithmetic {gain:.2f}x"
    title = f"run_margin, 10^5 paths x {STEPS} steps x {n_assets} assets"
    return [
        Row(f"{title}, bridge off, 1 worker", UNIT, one.scaled(work), beside),
        Row(f"{title}, bridge off, 2 workers", UNIT, two.scaled(work), beside, note=scaling, target=TARGETS[n_assets]),
        Row(
            f"{title}, bridge on, 2 workers",
            UNIT,
            found["bridge 2"].scaled(work),
            note=f"{found['bridge 2'].median / two.median:.2f}x bridge off; one worker "
            f"{found['bridge 1'].scaled(work).median:.2f}",
            target="<= 1.5x bridge off",
        ),
    ]


def _many(n_assets: int) -> list[Row]:
    n_paths = 1_000_000
    runs = {f"{mark} {precision}": (mark, precision) for precision in PRECISIONS for mark in MARKS}
    ours = {name: _margin(n_assets, n_paths, mark, 2, precision) for name, (mark, precision) in runs.items()}
    found = race(ours | {"alone": _margin(n_assets, n_paths, "close", 1)})
    work = 1e9 / (n_paths * STEPS * n_assets)
    title = f"run_margin, 10^6 paths x {STEPS} steps x {n_assets} assets"
    close, bridge = found["close double"], found["bridge double"]
    scaling = f"two workers {found['alone'].median / close.median:.2f}x one"
    rows = [
        Row(f"{title}, bridge off, 2 workers", UNIT, close.scaled(work), note=scaling, target=TARGETS[n_assets]),
        Row(
            f"{title}, bridge on, 2 workers",
            UNIT,
            bridge.scaled(work),
            note=f"{bridge.median / close.median:.2f}x bridge off",
            target="<= 1.5x bridge off",
        ),
    ]
    for mark, double in (("off", close), ("on", bridge)):
        single = found["close single" if mark == "off" else "bridge single"]
        rows.append(_beside_double(f"{title}, bridge {mark}, 2 workers, single precision", single, double, work))
    return rows


def _reading(n_assets: int) -> Row:
    """The path kernel alone, 64 blocks of 1 024 paths into one array, one worker, without step variances."""
    import collatrisk as cr

    model, blocks, size = market(n_assets), 64, 1_024
    functions = {}
    for precision, number in zip(PRECISIONS, (np.float64, np.float32), strict=True):
        plan = cr.PathPlan(model, n_paths=blocks * size, horizon_days=STEPS, seed=7, precision=precision)
        prices, none = np.empty((STEPS + 1, n_assets, size), number), np.empty((0, n_assets, size), number)

        def read(plan: Any = plan, prices: Any = prices, none: Any = none) -> None:
            for block in range(blocks):
                plan.read_into(block * size, prices, none)

        functions[precision] = read
    found, work = race(functions), 1e9 / (blocks * size * STEPS * n_assets)
    title = f"read_into, {STEPS} steps x {n_assets} assets, 1 worker, single precision"
    return _beside_double(title, found["single"], found["double"], work)


def _beside_double(title: str, single: Times, double: Times, work: float) -> Row:
    note = f"{single.median / double.median:.2f}x double"
    return Row(title, UNIT, single.scaled(work), {"double precision": double.scaled(work)}, note=note)


def _margin(n_assets: int, n_paths: int, mark: str, workers: int, precision: Precision = "double") -> Any:
    import collatrisk as cr

    model = market(n_assets)
    plan = cr.PathPlan(model, n_paths=n_paths, horizon_days=STEPS, seed=7, precision=precision)
    loan, rules = even_loan(model), terms(mark)

    def once() -> Any:
        if workers == 1:
            return cr.run_margin(plan, loan, rules)
        with ThreadPoolExecutor(workers) as executor:
            return cr.run_margin(plan, loan, rules, executor=executor)

    return once


MARKS = ("close", "bridge")
PRECISIONS: tuple[Precision, ...] = ("double", "single")
TARGETS = {1: "<= 4.2", 5: "<= 3.7", 20: "<= 3.8"}
