"""Paths to margin calls, liquidations and losses through `run_margin`, beside arch, numpy and QuantLib."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from common import Row, even_loan, market, race, terms
from peers import STEPS, arch_result, arch_simulation, numpy_margin, quantlib_paths

ARCH_PATHS = 100_000
QUANTLIB_PATHS = 4_000
UNIT = "ns a path, step and asset"


def run() -> list[Row]:
    """For 1, 5 and 20 assets: 10^5 paths on one worker and on two beside the peers, 10^6 paths on two."""
    result = arch_result()
    rows = []
    for n_assets in (1, 5, 20):
        rows += _beside_peers(n_assets, result)
    for n_assets in (1, 5, 20):
        rows += _many(n_assets)
    return rows


def _beside_peers(n_assets: int, result: Any) -> list[Row]:
    n_paths = 100_000
    ours = {f"{mark} {workers}": _margin(n_assets, n_paths, mark, workers) for mark in MARKS for workers in (1, 2)}
    peers = {
        "numpy in chunks": lambda: numpy_margin(n_paths, n_assets),
        "arch": lambda: arch_simulation(result, ARCH_PATHS),
        "QuantLib": lambda: quantlib_paths(QUANTLIB_PATHS, n_assets),
    }
    found = race(ours | peers)
    work = 1e9 / (n_paths * STEPS * n_assets)
    beside = {
        "numpy in chunks (multivariate t)": found["numpy in chunks"].scaled(work),
        "arch (one asset at a time, no correlation)": found["arch"].scaled(1e9 / (ARCH_PATHS * STEPS)),
        "QuantLib (GBM)": found["QuantLib"].scaled(1e9 / (QUANTLIB_PATHS * STEPS * n_assets)),
    }
    one, two = found["close 1"], found["close 2"]
    scaling = f"two workers {one.median / two.median:.2f}x one"
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
    found = race({mark: _margin(n_assets, n_paths, mark, 2) for mark in MARKS})
    work = 1e9 / (n_paths * STEPS * n_assets)
    title = f"run_margin, 10^6 paths x {STEPS} steps x {n_assets} assets"
    ratio = found["bridge"].median / found["close"].median
    return [
        Row(f"{title}, bridge off, 2 workers", UNIT, found["close"].scaled(work), target=TARGETS[n_assets]),
        Row(f"{title}, bridge on, 2 workers", UNIT, found["bridge"].scaled(work), note=f"{ratio:.2f}x bridge off"),
    ]


def _margin(n_assets: int, n_paths: int, mark: str, workers: int) -> Any:
    import collatrisk as cr

    model = market(n_assets)
    plan = cr.PathPlan(model, n_paths=n_paths, horizon_days=STEPS, seed=7)
    loan, rules = even_loan(model), terms(mark)

    def once() -> Any:
        if workers == 1:
            return cr.run_margin(plan, loan, rules)
        with ThreadPoolExecutor(workers) as executor:
            return cr.run_margin(plan, loan, rules, executor=executor)

    return once


MARKS = ("close", "bridge")
TARGETS = {1: "<= 4.2", 5: "<= 3.7", 20: "<= 3.8"}
