"""Every engine of sales runs on every kind of path source: Monte Carlo, windows of history, scenarios, memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr
from collatrisk.liquidation.path_columns import PathColumns


def history() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    moves = rng.normal(0, 0.03, (200, 2))
    days = pd.date_range("2023-01-01", periods=200, tz="UTC")
    return pd.DataFrame(100.0 * np.exp(moves.cumsum(axis=0)), index=days, columns=["ETH", "BTC"])


def sources() -> dict[str, cr.PathSource]:
    model = cr.MarketModel.constant({"ETH": 0.8, "BTC": 0.6}, correlation=0.7, spot={"ETH": 100.0, "BTC": 100.0})
    plan = cr.PathPlan(model, n_paths=300, horizon_days=10, seed=4)
    windows = cr.HistoricalWindows(history(), horizon_days=10, clock="24/7")
    return {"plan": plan, "windows": windows, "memory": cr.simulate(plan)}


def sale(source: cr.PathSource) -> PathColumns:
    return cr.run_sale(source, 10.0, cr.PriceImpact.linear(1e-6), cr.Splitting.evenly(5), asset="ETH")


def bands(source: cr.PathSource) -> PathColumns:
    debt = 7.5 * float(source.spot[source.assets.index("ETH")])
    return cr.run_bands(source, cr.BandPosition(10.0, debt), cr.venues.load("crvusd").terms(), asset="ETH")[0]


def perpetuals(source: cr.PathSource) -> PathColumns:
    price = float(source.spot[source.assets.index("ETH")])
    accounts = [
        cr.PerpetualPositions(0.1 * price, {"ETH": 1.0}, {"ETH": price}),
        cr.PerpetualPositions(0.2 * price, {"ETH": -1.0}, {"ETH": price}, {"BTC": 0.01}),
    ]
    return cr.run_perpetuals(source, accounts, cr.venues.load("exchange").terms())


def support(source: cr.PathSource) -> PathColumns:
    return cr.run_csa(source, {"ETH": 10.0, "BTC": -3.0}, cr.CsaTerms(10.0, 10.0, 5.0, mpor_days=2))


ENGINES = {"sale": (sale, "cost"), "bands": (bands, "soft_loss"), "perpetuals": (perpetuals, "liquidated")}
ENGINES |= {"support": (support, "peak_exposure")}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["plan", "windows", "memory"])
def test_an_engine_answers_with_intervals_on_any_source(engine: str, kind: str) -> None:
    run: Callable[[cr.PathSource], PathColumns]
    run, metric = ENGINES[engine]
    source = sources()[kind]
    out = run(source)
    assert out.n_paths == source.n_paths
    estimate = out.mean(metric)
    low, high = estimate.ci()
    assert low < estimate.value < high
    assert estimate.n_effective == source.n_paths / source.overlap
    if kind == "memory":
        np.testing.assert_array_equal(out.values(metric), run(sources()["plan"]).values(metric))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_scenario_is_a_source_too(engine: str) -> None:
    """A fall of both assets to 60 %: whoever sells or owes loses."""
    shock = cr.load_catalogue()["2020-03"]
    source = cr.ScenarioPaths.of([shock], {"ETH": 100.0, "BTC": 100.0}, clock="24/7", n_steps=5)
    run, metric = ENGINES[engine]
    out = run(source)
    assert out.n_paths == 1
    assert out.values(metric)[0] > 0.0
