"""Engines of sales beside the paths that they run on: a sale, loans in bands, perpetual accounts, an annex."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from common import Row, market, race

import collatrisk as cr

STEPS = 30
PATHS = 20_480
ACCOUNTS = 20


def run() -> list[Row]:
    """One row an engine, one worker; the floor is reading the paths alone."""
    plan = cr.PathPlan(market(2), n_paths=PATHS, horizon_days=STEPS, seed=7)
    price = float(plan.spot[0])
    asset = plan.assets[0]
    law = cr.PriceImpact.square_root(0.04, 1e8)
    loan, bands = cr.BandPosition(10.0, 7.5 * price), cr.venues.load("crvusd").terms()
    rng = np.random.default_rng(1)
    accounts = [
        cr.PerpetualPositions(0.2 * price, {asset: float(size)}, {asset: price}) for size in rng.normal(size=ACCOUNTS)
    ]
    exchange, annex = cr.venues.load("exchange").terms(), cr.CsaTerms(mpor_days=10)
    works: dict[str, Callable[[], object]] = {
        "run_sale, square root, 10 parts": lambda: cr.run_sale(plan, 1e4, law, cr.Splitting.evenly(10), asset=asset),
        "run_bands, one loan in 10 bands": lambda: cr.run_bands(plan, loan, bands, asset=asset),
        f"run_perpetuals, {ACCOUNTS} accounts": lambda: cr.run_perpetuals(plan, accounts, exchange),
        "run_csa, cash": lambda: cr.run_csa(plan, {asset: 10.0}, annex),
    }

    def paths_alone() -> None:
        for first in range(0, PATHS, 4096):
            plan.read(first, min(first + 4096, PATHS))

    found = race({**works, "paths": paths_alone})
    floor = ("reading the paths alone", found["paths"].scaled(1e3))
    title = f", {PATHS} paths x 2 assets x {STEPS} steps"
    return [Row(work + title, "ms", found[work].scaled(1e3), floor=floor, note="one worker") for work in works]
