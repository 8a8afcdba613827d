"""Scenarios as path sources: the shock path, the replay of a window."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import DataError, InputError
from collatrisk.market.clock import Clock
from collatrisk.scenarios import Scenario, ScenarioPaths, load_catalogue, replay
from collatrisk.simulation.source import PathSource

shock = st.floats(min_value=-1.0, max_value=5.0)
price = st.floats(min_value=1e-6, max_value=1e7)


@given(st.lists(st.tuples(shock, shock), min_size=1, max_size=5), price, price, st.integers(1, 6))
def test_price_after_the_shock_is_spot_times_one_plus_shock(
    shocks: list[tuple[float, float]], a: float, b: float, n_steps: int
) -> None:
    scenarios = [Scenario(f"s{i}", "S", shocks={"A": x, "B": y}) for i, (x, y) in enumerate(shocks)]
    paths = ScenarioPaths.of(scenarios, {"A": a, "B": b}, n_steps=n_steps)
    block = paths.read(0, paths.n_paths)
    assert block.prices.shape == (n_steps + 1, 2, len(shocks))
    assert np.all(block.prices > 0)
    np.testing.assert_array_equal(block.prices[0], np.repeat([[a], [b]], len(shocks), axis=1))
    expected = np.array([[a], [b]]) * np.maximum(1 + np.array(shocks).T, 1e-9)
    for step in range(1, n_steps + 1):
        np.testing.assert_allclose(block.prices[step], expected, rtol=1e-15)


def test_a_fall_of_all_leaves_a_trace() -> None:
    paths = ScenarioPaths.of(load_catalogue()["2022-05"], {"LUNA": 80.0})
    assert paths.read(0, 1).prices[1, 0, 0] == pytest.approx(80e-9)


def test_it_is_a_path_source() -> None:
    scenarios = [load_catalogue()[name] for name in ("2020-03", "2022-05", "h-crypto-50")]
    paths = ScenarioPaths.of(scenarios, {"UNI": 10.0, "BTC": 60_000.0}, clock=Clock("24/7", 24), n_steps=3, seed=5)
    assert isinstance(paths, PathSource)
    assert (paths.n_paths, paths.n_steps, paths.overlap, paths.correlation, paths.seed) == (3, 3, 1, None, 5)
    np.testing.assert_allclose(paths.times, [0, 1 / 24, 2 / 24, 3 / 24])
    np.testing.assert_array_equal(paths.spot, [10.0, 60_000.0])
    whole = paths.read(0, 3)
    assert whole.step_variance is None
    pieces = list(paths.blocks(2))
    assert [piece.first_path for piece in pieces] == [0, 2]
    assert all(piece.prices.flags.c_contiguous for piece in pieces)
    np.testing.assert_array_equal(np.concatenate([p.prices for p in pieces], axis=2), whole.prices)
    again = pickle.loads(pickle.dumps(paths))
    np.testing.assert_array_equal(again.read(0, 3).prices, whole.prices)
    assert again.describe() == paths.describe()
    assert paths.describe()["paths"] == ["2020-03", "2022-05", "h-crypto-50"]
    assert paths.resolved[0].how["UNI"] == "proxy ETH x1.04"


def test_refusals_are_named_all_at_once() -> None:
    catalogue = load_catalogue()
    with pytest.raises(InputError) as error:
        ScenarioPaths.of([catalogue["t-2008-09"], catalogue["2022-05"]], {"BTC": 1.0, "SP500": 1.0, "NOPE": 1.0})
    names = [problem.name for problem in error.value.problems]
    assert names == ["t-2008-09.BTC", "t-2008-09.NOPE", "2022-05.SP500", "2022-05.NOPE"]
    with pytest.raises(InputError, match=r"spot\.BTC"):
        ScenarioPaths.of(catalogue["2022-05"], {"BTC": -1.0})
    with pytest.raises(InputError, match="scenarios"):
        ScenarioPaths.of([], {"BTC": 1.0})
    with pytest.raises(InputError, match="n_steps"):
        ScenarioPaths.of(catalogue["2022-05"], {"BTC": 1.0}, n_steps=0)
    with pytest.raises(InputError, match="spot"):
        ScenarioPaths.of(catalogue["2022-05"], {})


def daily(first: str, last: str, freq: str = "D") -> pd.DataFrame:
    index = pd.date_range(first, last, freq=freq, tz="UTC")
    steps = np.arange(len(index), dtype=np.float64)
    return pd.DataFrame({"BTC": 100.0 + steps, "ETH": 50.0 * 0.99**steps}, index=index)


def test_replay_is_the_real_window_from_the_spot() -> None:
    scenario = load_catalogue()["2022-05"]  # replays 2022-05-04 to 2022-05-17
    prices = daily("2022-04-01", "2022-06-30")
    path = replay(prices, scenario, spot={"BTC": 30_000.0}, clock="24/7", seed=3)
    window = prices.loc["2022-05-04":"2022-05-17"]
    values = path.read(0, 1).prices[:, :, 0]
    assert isinstance(path, PathSource)
    assert (path.n_paths, path.n_steps, path.seed) == (1, 13, 3)
    np.testing.assert_allclose(values[:, 0], 30_000.0 * window["BTC"] / window["BTC"].iloc[0], rtol=1e-14)
    assert values[0, 0] == 30_000.0
    assert values[0, 1] == prices["ETH"].iloc[-1]
    np.testing.assert_allclose(values[-1, 1] / values[0, 1], 0.99**13, rtol=1e-12)
    only = replay(prices, scenario, assets=["ETH"], clock="24/7")
    assert only.assets == ("ETH",)
    assert pickle.loads(pickle.dumps(only)).describe() == only.describe()


def test_replay_on_business_days_starts_on_the_first_open_day() -> None:
    scenario = load_catalogue()["h-equity-40"]
    with pytest.raises(InputError, match="no replay window"):
        replay(daily("2008-01-01", "2009-12-31"), scenario, clock="24/7")
    lehman = load_catalogue()["t-2008-09"]
    prices = daily("2008-09-12", "2008-12-05", "B")
    path = replay(prices, lehman, clock="business")
    assert path.n_steps == len(prices) - 1
    # 2008-12-06 and 07 are a weekend: prices that begin on Monday the 15th miss Friday the 12th.
    with pytest.raises(DataError, match="cover the replay window"):
        replay(prices.loc["2008-09-15":], lehman, clock="business")


@pytest.mark.parametrize(("first", "last"), [("2022-05-10", "2022-06-30"), ("2022-04-01", "2022-05-10")])
def test_replay_outside_the_prices_is_refused(first: str, last: str) -> None:
    with pytest.raises(DataError, match="cover the replay window 2022-05-04 to 2022-05-17"):
        replay(daily(first, last), load_catalogue()["2022-05"], clock="24/7")


def test_replay_of_holes_is_refused() -> None:
    prices = daily("2022-04-01", "2022-06-30")
    prices.loc["2022-05-06", "BTC"] = np.nan
    prices.loc["2022-05-07", "ETH"] = 0.0
    with pytest.raises(DataError) as error:
        replay(prices, load_catalogue()["2022-05"], clock="24/7")
    assert [problem.name for problem in error.value.problems] == ["BTC", "ETH"]
    with pytest.raises(InputError, match="NOPE"):
        replay(prices, load_catalogue()["2022-05"], assets=["NOPE"], clock="24/7")
    with pytest.raises(DataError):
        replay(prices.iloc[:0], load_catalogue()["2022-05"], spot={"BTC": 1.0, "ETH": 1.0}, clock="24/7")
    with pytest.raises(InputError, match=r"spot\.BTC"):
        replay(daily("2022-04-01", "2022-06-30"), load_catalogue()["2022-05"], spot={"BTC": -1.0}, clock="24/7")
