"""Surfaces of margin calls and the sweep of liquidation thresholds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from common import Row, even_loan, market, race, terms

import collatrisk as cr

STEPS = 30


def run() -> list[Row]:
    """A surface over mixes, LTVs and horizons; 64 candidate thresholds beside one run of the margin engine."""
    return [_surface("close", 1000, 102_400), _surface("bridge", 100, 10_240), _sweep("close"), _sweep("bridge")]


def _surface(mark: str, n_mixes: int, n_paths: int) -> Row:
    n_assets = 10
    model = market(n_assets)
    plan = cr.PathPlan(model, n_paths=n_paths, horizon_days=STEPS, seed=7)
    weights = np.random.default_rng(1).dirichlet(np.ones(n_assets), n_mixes)
    mixes = [cr.Mix(dict(zip(model.assets, row, strict=True)), name=f"mix {i}") for i, row in enumerate(weights)]
    ltvs = np.linspace(0.3, 0.8, 20).tolist()
    horizons = list(range(1, STEPS + 1))
    rules = terms(mark)
    prices = plan.read(0, 1024).prices[1:].transpose(1, 0, 2).reshape(n_assets, -1)
    outs = [np.empty((n_mixes, prices.shape[1])) for _ in range(2)]

    def half(out: Any) -> None:
        for _ in range(n_paths // 2048):
            np.matmul(weights, prices, out=out)

    def product() -> None:
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(half, outs))

    def surface() -> None:
        with ThreadPoolExecutor(2) as executor:
            cr.compare_mixes(plan, mixes, ltv=ltvs, horizons=horizons, terms=rules, executor=executor)

    def paths_alone() -> None:
        with ThreadPoolExecutor(2) as executor:
            cr.compare_mixes(plan, mixes[:1], ltv=0.6, horizons=STEPS, terms=rules, executor=executor)

    found = race({"ours": surface, "product": product, "paths alone": paths_alone})
    bridge = "on" if mark == "bridge" else "off"
    paths = found["paths alone"].scaled(1e3).median
    return Row(
        f"compare_mixes, {n_mixes} mixes x 20 LTVs x {STEPS} horizons, {n_paths} paths x {n_assets} assets, "
        f"bridge {bridge}",
        "ms",
        found["ours"].scaled(1e3),
        floor=("the matrix product alone, BLAS on two threads", found["product"].scaled(1e3)),
        note=f"two workers, paths and intervals included; one mix, LTV and horizon {paths:.1f} ms",
        target="<= 2x the product" if mark == "close" else "",
    )


def _sweep(mark: str) -> Row:
    n_paths, n_assets = 100_000, 2
    model = market(n_assets)
    plan = cr.PathPlan(model, n_paths=n_paths, horizon_days=STEPS, seed=7)
    loan, rules = even_loan(model), terms(mark)

    def sweep() -> None:
        with ThreadPoolExecutor(2) as executor:
            cr.liquidation_threshold(
                plan, loan, rules, max_shortfall_probability=0.01, candidates=64, executor=executor
            )

    def one() -> None:
        with ThreadPoolExecutor(2) as executor:
            cr.run_margin(plan, loan, rules, executor=executor)

    found = race({"ours": sweep, "one": one})
    bridge = "on" if mark == "bridge" else "off"
    return Row(
        f"liquidation_threshold, 64 candidates, {n_paths} paths x {STEPS} steps x {n_assets} assets, bridge {bridge}",
        "ms",
        found["ours"].scaled(1e3),
        floor=("one run_margin", found["one"].scaled(1e3)),
        note="two workers",
        target="<= 2x one run",
    )
