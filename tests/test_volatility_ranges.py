"""Range estimators: closed forms, bias and efficiency on simulated bars, clipped wicks, refused bars."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from collatrisk.base.errors import DataError, InputError
from collatrisk.volatility import range_variance
from collatrisk.volatility.ranges import ESTIMATORS

SIGMA = 0.03
N_BARS = 40_000


def brownian_bars(n: int, sigma: float, drift: float = 0.0, gap: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """Bars of a Brownian log price watched all the time.

    Highs and lows between the 24 steps of a bar are drawn from the law of the bridge: nothing is lost to the grid but
    the dependence of a high and a low inside one and the same step.
    """
    rng = np.random.default_rng(seed)
    parts = 24
    steps = sigma / math.sqrt(parts) * rng.standard_normal((n, parts)) + drift / parts
    ends = np.concatenate([np.zeros((n, 1)), np.cumsum(steps, axis=1)], axis=1)
    left, right = ends[:, :-1], ends[:, 1:]
    s2 = sigma**2 / parts

    def extreme() -> NDArray[np.float64]:
        return np.sqrt((right - left) ** 2 - 2.0 * s2 * np.log(rng.random((n, parts))))

    high = (0.5 * (left + right + extreme())).max(axis=1)
    low = (0.5 * (left + right - extreme())).min(axis=1)
    opens = np.cumsum(np.concatenate([[0.0], ends[:-1, -1] + gap * rng.standard_normal(n - 1)]))
    opens = opens - np.mean(opens)
    logs = {"open": opens, "high": opens + high, "low": opens + low, "close": opens + ends[:, -1]}
    return pd.DataFrame(
        {name: np.exp(values) for name, values in logs.items()}, index=pd.date_range("2000-01-01", periods=n, tz="UTC")
    )


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return brownian_bars(N_BARS, SIGMA)


def one_bar(opened: float, high: float, low: float, close: float) -> pd.DataFrame:
    return pd.DataFrame({"open": [opened], "high": [high], "low": [low], "close": [close]})


# Variances of the estimators in units of sigma^4, and with them the efficiency 2 / variance.
PARKINSON = 9.0 * 1.2020569031595942 / (16.0 * math.log(2.0) ** 2) - 1.0
EFFICIENCY = {"parkinson": 2.0 / PARKINSON, "garman_klass": 7.4, "rogers_satchell": 6.0}


@pytest.mark.parametrize("method", ESTIMATORS)
def test_a_brownian_motion_is_measured_without_bias_and_as_precisely_as_published(
    bars: pd.DataFrame, method: str
) -> None:
    found = range_variance(bars, method, max_wick=None).variance.to_numpy() / SIGMA**2
    error = found.std() / math.sqrt(N_BARS)
    assert abs(found.mean() - 1.0) < 4.0 * error
    assert 2.0 / found.var() == pytest.approx(EFFICIENCY[method], rel=0.04)


def test_the_exact_efficiency_of_parkinson_is_4_91() -> None:
    assert pytest.approx(4.91, abs=0.005) == 2.0 / PARKINSON


def test_closed_forms_on_one_bar() -> None:
    bar = one_bar(100.0, 110.0, 95.0, 104.0)
    u, d, c = math.log(1.10), math.log(0.95), math.log(1.04)
    wanted = {
        "parkinson": (u - d) ** 2 / (4.0 * math.log(2.0)),
        "garman_klass": 0.5 * (u - d) ** 2 - (2.0 * math.log(2.0) - 1.0) * c**2,
        "rogers_satchell": u * (u - c) + d * (d - c),
    }
    for method, value in wanted.items():
        assert range_variance(bar, method).variance.iloc[0] == pytest.approx(value, rel=1e-12)


def test_the_logarithm_of_the_square_is_not_the_square_of_the_logarithm() -> None:
    bar = one_bar(100.0, 104.0, 98.0, 101.0)
    found = range_variance(bar, "parkinson").variance.iloc[0]
    mistaken = math.log((104.0 / 98.0) ** 2) / (4.0 * math.log(2.0))
    assert found == pytest.approx(math.log(104.0 / 98.0) ** 2 / (4.0 * math.log(2.0)), rel=1e-12)
    assert mistaken > 30.0 * found


def test_only_rogers_satchell_bears_a_drift() -> None:
    drifting = brownian_bars(20_000, SIGMA, drift=SIGMA, seed=2)
    ratio = {
        method: range_variance(drifting, method, max_wick=None).variance.mean() / SIGMA**2 for method in ESTIMATORS
    }
    assert ratio["rogers_satchell"] == pytest.approx(1.0, abs=4.0 * math.sqrt(0.4 / 20_000) + 0.005)
    assert min(ratio["parkinson"], ratio["garman_klass"]) > 1.1


def test_gaps_count_where_asked_and_in_yang_zhang() -> None:
    gapped = brownian_bars(20_000, SIGMA, gap=0.5 * SIGMA, seed=3)
    inside = range_variance(gapped, "garman_klass", max_wick=None).variance
    whole = range_variance(gapped, "garman_klass", overnight=True, max_wick=None).variance
    assert math.isnan(whole.iloc[0])
    gap = np.log(gapped["open"].to_numpy()[1:] / gapped["close"].to_numpy()[:-1])
    np.testing.assert_allclose((whole - inside).to_numpy()[1:], gap**2, atol=1e-15)
    found = range_variance(gapped, "yang_zhang", window=22)
    assert found.overnight
    assert int(found.variance.isna().sum()) == 22
    known = found.variance.dropna().to_numpy()[::22]
    assert abs(known.mean() / SIGMA**2 - 1.25) < 4.0 * known.std() / SIGMA**2 / math.sqrt(known.size)
    # Far more precise than 22 squared returns, whose variance is 2 / 22.
    assert known.var() / (1.25 * SIGMA**2) ** 2 < 0.5 * 2.0 / 22


def test_a_false_wick_is_clipped_and_named_and_nothing_else_moves(bars: pd.DataFrame) -> None:
    clean = bars.iloc[:200]
    spiked = clean.copy()
    spiked.iloc[100, spiked.columns.get_loc("high")] *= 3.0
    spiked.iloc[150, spiked.columns.get_loc("low")] *= 0.2
    found = range_variance(spiked, "parkinson")
    (finding,) = found.findings
    assert finding.code == "clipped-wicks"
    assert finding.rows == tuple(str(label) for label in clean.index[[100, 150]])
    untouched = np.ones(200, dtype=bool)
    untouched[[100, 150]] = False
    wanted = range_variance(clean, "parkinson").variance
    assert found.variance[untouched].equals(wanted[untouched])
    assert (found.variance[~untouched] < 100.0 * SIGMA**2).all()
    raw = range_variance(spiked, "parkinson", max_wick=None)
    assert raw.findings == ()
    assert raw.variance.iloc[100] > 10.0 * found.variance.iloc[100]


def test_the_clip_leaves_a_brownian_motion_and_a_real_crash_alone(bars: pd.DataFrame) -> None:
    assert range_variance(bars, "garman_klass").findings == ()
    crash = bars.iloc[:60].copy()
    opened = crash["open"].iloc[50]
    crash.iloc[50] = [opened, 1.01 * opened, 0.45 * opened, 0.5 * opened]
    assert range_variance(crash, "garman_klass").findings == ()


def test_a_print_of_nothing_in_a_real_crash_is_clipped_to_the_body() -> None:
    """LINK on 2020-03-12: half the price lost by the close, and one print at 0.0001."""
    calm = one_bar(4.0, 4.2, 3.9, 4.1)
    crash = one_bar(3.8170, 3.8519, 0.0001, 1.9931)
    found = range_variance(pd.concat([calm] * 25 + [crash], ignore_index=True), "parkinson")
    assert found.findings[0].rows == ("25",)
    body = math.log(3.8170 / 1.9931)
    wanted = (math.log(3.8519 / 3.8170) + 2.0 * body) ** 2 / (4.0 * math.log(2.0))
    assert found.variance.iloc[25] == pytest.approx(wanted, rel=1e-12)


def test_a_flat_bar_is_named() -> None:
    flat = pd.concat([one_bar(100.0, 101.0, 99.0, 100.5), one_bar(100.5, 100.5, 100.5, 100.5)], ignore_index=True)
    found = range_variance(flat, "parkinson")
    assert [finding.code for finding in found.findings] == ["flat-bars"]
    assert found.findings[0].rows == ("1",)
    assert found.summary().loc["parkinson", "zero"] == 1
    assert "parkinson" in found._repr_html_()


def test_the_case_of_columns_and_other_columns_do_not_matter(bars: pd.DataFrame) -> None:
    some = bars.iloc[:30]
    titled = some.rename(columns=str.title).assign(Volume=1.0)
    assert range_variance(titled).variance.equals(range_variance(some).variance)


def test_impossible_bars_are_refused_with_their_rows(bars: pd.DataFrame) -> None:
    broken = bars.iloc[:10].copy()
    broken.iloc[3, broken.columns.get_loc("high")] = 0.5 * broken["close"].iloc[3]
    broken.iloc[7, broken.columns.get_loc("low")] = 2.0 * broken["open"].iloc[7]
    with pytest.raises(DataError) as caught:
        range_variance(broken)
    text = str(caught.value)
    assert str(broken.index[3]) in text
    assert str(broken.index[7]) in text
    assert "must hold close <= high" in text
    assert "must hold low <= open" in text


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_prices_that_are_none_are_refused_with_their_rows(bars: pd.DataFrame, bad: float) -> None:
    broken = bars.iloc[:10].copy()
    broken.iloc[4, 0] = bad
    with pytest.raises(DataError, match="2000-01-05"):
        range_variance(broken)


def test_missing_columns_and_wrong_arguments_are_refused_at_once(bars: pd.DataFrame) -> None:
    with pytest.raises(DataError) as caught:
        range_variance(bars.drop(columns=["high", "low"]))
    assert len(caught.value.problems) == 2
    with pytest.raises(DataError, match="must hold numbers"):
        range_variance(bars.iloc[:3].astype(object).replace(bars["open"].iloc[0], "n/a"))
    with pytest.raises(InputError) as wrong:
        range_variance(bars, "parkinsons", window=1, max_wick=0.5)
    assert len(wrong.value.problems) == 3


@given(st.floats(0.01, 1e6), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.001, 1000.0))
def test_variances_are_not_negative_and_have_no_unit(
    low: float, width: float, opened: float, closed: float, unit: float
) -> None:
    high = low * (1.0 + width)
    prices = [low + opened * (high - low), high, low, low + closed * (high - low)]
    bar = one_bar(min(max(prices[0], low), high), high, low, min(max(prices[3], low), high))
    for method in ESTIMATORS:
        value = range_variance(bar, method).variance.iloc[0]
        assert value >= -1e-15
        assert range_variance(bar * unit, method).variance.iloc[0] == pytest.approx(value, rel=1e-6, abs=1e-12)
