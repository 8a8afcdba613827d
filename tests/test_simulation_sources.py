"""Paths in memory and windows of history."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from collatrisk.base.errors import DataError, InputError
from collatrisk.market.clock import Clock
from collatrisk.simulation import HistoricalWindows, PathSource, PricePaths

PRICES = 50.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.03, (20, 6, 2)), axis=1))
PRICES[:, 0] = [50.0, 7.0]


def history(n=200, freq="D", start="2021-01-01"):
    index = pd.date_range(start, periods=n, freq=freq, tz="UTC")
    returns = np.random.default_rng(1).normal(0, 0.03, (n, 2))
    return pd.DataFrame(np.exp(np.cumsum(returns, axis=0)) * [30_000.0, 2_000.0], index=index, columns=["BTC", "ETH"])


def test_paths_from_an_array_keep_their_values():
    variance = np.full((20, 5, 2), 9e-4)
    paths = PricePaths.from_array(PRICES, ["A", "B"], "24/7", step_variance=variance, correlation=np.eye(2), seed=3)
    assert isinstance(paths, PathSource)
    assert np.array_equal(paths.prices, PRICES)
    assert (paths.n_paths, paths.n_steps, paths.overlap, paths.seed) == (20, 5, 1, 3)
    assert paths.spot.tolist() == [50.0, 7.0]
    assert paths.times.tolist() == [0, 1, 2, 3, 4, 5]
    block = paths.read(4, 9)
    assert block.first_path == 4
    assert block.prices.flags.c_contiguous
    assert np.array_equal(block.prices, PRICES[4:9].transpose(1, 2, 0))
    assert block.step_variance.shape == (5, 2, 5)
    assert [b.n_paths for b in paths.blocks(8)] == [8, 8, 4]
    assert "20 paths of A, B" in repr(paths)
    assert "<table" in paths._repr_html_()


def test_paths_cannot_be_changed_and_do_not_hold_the_callers_array():
    array = PRICES.copy()
    paths = PricePaths.from_array(array, ["A", "B"], "24/7")
    array[:] = 1.0
    assert np.array_equal(paths.prices, PRICES)
    for copy in (paths, pickle.loads(pickle.dumps(paths))):
        assert np.array_equal(copy.block, paths.block)
        with pytest.raises(ValueError, match="read-only"):
            copy.block[0, 0, 0] = 2.0
    assert paths.step_variance is None
    assert paths.read(0, 1).step_variance is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:, :, 0], "three dimensions"),
        (lambda p: p[:, :, :1], "2 assets"),
        (lambda p: p[:, :1], "at least one step"),
        (lambda p: p[:0], "one path"),
        (lambda p: np.where(p > 55, np.nan, p), "finite and above zero"),
        (lambda p: -p, "finite and above zero"),
        (lambda p: p * np.linspace(1, 2, 20)[:, None, None], "start at one spot"),
    ],
)
def test_bad_arrays_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        PricePaths.from_array(change(PRICES), ["A", "B"], "24/7")


def test_bad_companions_are_refused_together():
    with pytest.raises(InputError) as caught:
        PricePaths.from_array(
            PRICES, ["A", "B"], "24/7", step_variance=np.ones((20, 6, 2)), correlation=np.eye(3), seed=-1, overlap=0
        )
    assert [p.name for p in caught.value.problems] == ["seed", "overlap", "step_variance", "correlation"]


def test_windows_are_the_history_rebased():
    frame = history()
    windows = HistoricalWindows(frame, 30)
    assert isinstance(windows, PathSource)
    assert windows.clock == Clock()
    assert (windows.n_paths, windows.n_steps, windows.overlap) == (170, 30, 30)
    assert windows.missing_steps == 0
    np.testing.assert_array_equal(windows.spot, frame.iloc[-1])
    block = windows.read(50, 53)
    assert block.step_variance is None
    assert block.prices.flags.c_contiguous
    for k in range(3):
        real = frame.to_numpy()[50 + k : 81 + k]
        np.testing.assert_allclose(block.prices[:, :, k], real / real[0] * windows.spot, rtol=1e-14)
    assert sum(b.n_paths for b in windows.blocks(64)) == 170


def test_windows_start_at_the_spot_that_is_asked_for():
    windows = HistoricalWindows(history(), 10, spot={"ETH": 1.0}, clock="24/7")
    assert windows.spot[1] == 1.0
    assert np.all(windows.read(0, 5).prices[0, 1] == 1.0)
    with pytest.raises(InputError, match="did you mean 'ETH'"):
        HistoricalWindows(history(), 10, spot={"ETHH": 1.0})
    with pytest.raises(InputError, match="spot"):
        HistoricalWindows(history(), 10, spot={"ETH": -1.0})


def test_a_horizon_beyond_the_data_says_what_is_possible():
    with pytest.raises(DataError, match=r"needs 201 rows of prices and there are 200; ask for at most 199 days"):
        HistoricalWindows(history(), 200)
    assert HistoricalWindows(history(), 199).n_paths == 1


@pytest.mark.parametrize("value", [np.nan, 0.0, -3.0, np.inf])
def test_prices_that_are_no_prices_are_refused(value):
    frame = history()
    frame.iloc[7, 1] = value
    with pytest.raises(DataError, match=r"ETH = .* in row 7 \(1 such rows\)"):
        HistoricalWindows(frame, 10)


def test_dates_must_increase_and_be_dates():
    with pytest.raises(DataError, match="strictly increase"):
        HistoricalWindows(history().iloc[::-1], 10)
    with pytest.raises(InputError, match="DatetimeIndex"):
        HistoricalWindows(history().reset_index(drop=True), 10)


@pytest.mark.parametrize("days", [0, -1, 0.5, float("nan")])
def test_windows_need_a_whole_number_of_steps(days):
    with pytest.raises((InputError, DataError), match="horizon_days"):
        HistoricalWindows(history(), days)


def test_business_days_and_hours_are_steps_of_their_clocks():
    business = HistoricalWindows(history(freq="B"), 5)
    assert business.clock.kind == "business"
    assert business.n_steps == 5
    hourly = HistoricalWindows(history(freq="h"), 2)
    assert hourly.clock.steps_per_day == 24
    assert (hourly.n_steps, hourly.times[-1]) == (48, 2.0)


def test_missing_days_are_counted_and_described():
    windows = HistoricalWindows(history().drop(history().index[[20, 21, 90]]), 10)
    assert windows.missing_steps == 3
    described = windows.describe()
    assert described["missing_steps"] == 3
    assert described["first_date"].startswith("2021-01-01")
    assert len(described["history_sha256"]) == 64
    assert "187 paths" in windows._repr_html_()


def test_windows_survive_a_pickle_read_only():
    windows = pickle.loads(pickle.dumps(HistoricalWindows(history(), 10)))
    assert not windows.history.flags.writeable
    assert windows.read(0, 3).prices.shape == (11, 2, 3)
