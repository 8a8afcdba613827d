"""Common dates, returns and hashes: nothing is invented, nothing is filled, the same prices have the same hash."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.data import nasdaq, sp500, wti
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from collatrisk.base.errors import DataError, InputError
from collatrisk.market import align_prices, check_prices, frame_hash, infer_clock, log_returns, simple_returns
from collatrisk.market.clock import Clock

tables = arrays(
    np.float64,
    st.tuples(st.integers(2, 25), st.integers(1, 4)),
    elements=st.one_of(st.just(np.nan), st.floats(1e-6, 1e9)),
)
full_tables = arrays(np.float64, st.tuples(st.integers(2, 25), st.integers(1, 4)), elements=st.floats(1e-6, 1e9))


def framed(values: np.ndarray) -> pd.DataFrame:
    index = pd.date_range("2022-01-01", periods=len(values), freq="D", tz="UTC").as_unit("us")
    return pd.DataFrame(values, index=index.rename("date"), columns=[f"X{k}" for k in range(values.shape[1])])


@pytest.fixture(scope="module")
def indices() -> pd.DataFrame:
    """The closes of S&P 500, Nasdaq and WTI that arch carries, on all dates of any of them."""
    series = {"SP500": sp500.load()["Adj Close"], "NASDAQ": nasdaq.load()["Adj Close"], "WTI": wti.load().iloc[:, 0]}
    return pd.concat(series, axis=1, sort=True)


def test_real_series_keep_common_dates_only_and_nothing_is_filled_forward(indices: pd.DataFrame) -> None:
    crude = indices["WTI"].loc[wti.load().index]
    assert crude.isna().sum() == 290
    aligned, findings = align_prices(indices)
    assert not aligned.isna().any().any()
    by_hand = indices.dropna()
    np.testing.assert_array_equal(aligned.to_numpy(), by_hand.to_numpy())
    assert (aligned.index.tz_localize(None) == by_hand.index).all()
    named = {f.subject: f for f in findings if f.code == "missing-days"}
    lacking = indices["WTI"].isna()
    assert named["WTI"].message.startswith(f"{lacking.sum()} of {len(indices)} rows have no price")
    assert named["WTI"].rows[0] == f"{lacking.index[lacking.to_numpy()][0]:%Y-%m-%d}"
    assert infer_clock(aligned) == Clock("business")


def test_the_missing_days_of_wti_are_reported_one_by_one(indices: pd.DataFrame) -> None:
    report = check_prices(wti.load())
    finding = report.of("missing")[0]
    assert finding.message.startswith("290 rows without a price")
    assert finding.rows[-1] == "and 280 more"
    assert report.worst == "warning"
    assert not check_prices(indices[["SP500", "NASDAQ"]].dropna()).errors


def test_mixed_clocks_are_said_and_the_common_dates_are_business_days() -> None:
    frame = framed(np.random.default_rng(2).uniform(90, 110, (700, 2)))
    frame.loc[frame.index.day_of_week >= 5, "X1"] = np.nan
    aligned, findings = align_prices(frame)
    by_code = {f.code: f for f in findings}
    assert "X0 trade at weekends and X1 do not" in by_code["mixed-clocks"].message
    assert by_code["missing-days"].severity == "info"
    assert (
        "200 of 700 rows have no price (2 before its first price, 198 on weekends)" in by_code["missing-days"].message
    )
    assert infer_clock(aligned) == Clock("business")


def test_late_starts_bind_the_common_dates() -> None:
    frame = framed(np.random.default_rng(2).uniform(90, 110, (400, 2)))
    frame.iloc[:300, 0] = np.nan
    frame.iloc[350, 1] = np.nan
    aligned, findings = align_prices(frame)
    severities = {(f.code, f.subject): f.severity for f in findings}
    assert severities == {
        ("missing-days", "X0"): "info",
        ("missing-days", "X1"): "warning",
        ("common-dates", "date"): "info",
        ("short-history", "date"): "warning",
    }
    assert len(aligned) == 99


def test_complete_prices_are_returned_as_they_are() -> None:
    frame = framed(np.random.default_rng(2).uniform(90, 110, (300, 2)))
    aligned, findings = align_prices(frame)
    pd.testing.assert_frame_equal(aligned, frame, check_freq=False)
    assert findings == ()


def test_no_common_date_says_why() -> None:
    frame = framed(np.ones((6, 2)))
    frame["X1"] = np.nan
    with pytest.raises(
        DataError, match=r"no date has a price of every asset; leave out an asset \('X1' has 0 prices\)"
    ):
        align_prices(frame)
    stamps = pd.date_range("2022-01-01", periods=6, freq="12h", tz="UTC")
    shifted = pd.DataFrame({"A": [1.0, np.nan] * 3, "B": [np.nan, 2.0] * 3}, index=stamps)
    with pytest.raises(DataError, match="their days meet but not their times of day"):
        align_prices(shifted)


def test_align_refuses_other_ways_and_disorder() -> None:
    frame = framed(np.ones((5, 1)))
    with pytest.raises(InputError, match=r"how = 'ffill': must be one of 'intersection'"):
        align_prices(frame, how="ffill")
    with pytest.raises(DataError, match="strictly increase"):
        align_prices(frame.iloc[::-1])
    with pytest.raises(DataError, match="strictly increase"):
        align_prices(pd.concat([frame, frame.iloc[[4]]]))


@given(tables)
def test_align_keeps_exactly_the_complete_rows_and_invents_no_value(values: np.ndarray) -> None:
    frame = framed(values)
    complete = ~np.isnan(values).any(axis=1)
    if not complete.any():
        with pytest.raises(DataError):
            align_prices(frame)
        return
    aligned, findings = align_prices(frame)
    np.testing.assert_array_equal(aligned.to_numpy(), values[complete])
    assert (aligned.index == frame.index[complete]).all()
    told = {f.subject: int(f.message.split()[0]) for f in findings if f.code == "missing-days"}
    assert told == {name: int(n) for name, n in frame.isna().sum().items() if n}


@given(full_tables)
def test_log_returns_sum_to_the_log_of_last_over_first(values: np.ndarray) -> None:
    returns = log_returns(framed(values))
    assert returns.shape == (len(values) - 1, values.shape[1])
    np.testing.assert_allclose(returns.sum(), np.log(values[-1] / values[0]), rtol=1e-12, atol=1e-12)


@given(tables)
def test_returns_are_of_neighbours_only_and_agree(values: np.ndarray) -> None:
    frame = framed(values)
    logs, simple = log_returns(frame).to_numpy(), simple_returns(frame).to_numpy()
    gone = np.isnan(values)
    np.testing.assert_array_equal(np.isnan(logs), gone[1:] | gone[:-1])
    np.testing.assert_allclose(simple, np.expm1(logs), rtol=1e-12, atol=1e-12)


def test_returns_by_hand() -> None:
    frame = framed(np.array([[100.0], [110.0], [99.0]]))
    np.testing.assert_allclose(simple_returns(frame)["X0"], [0.1, -0.1], rtol=1e-14)
    np.testing.assert_allclose(log_returns(frame)["X0"], [np.log(1.1), np.log(0.9)], rtol=1e-14)
    assert (log_returns(frame).index == frame.index[1:]).all()
    pd.testing.assert_frame_equal(log_returns(frame["X0"]), log_returns(frame))  # type: ignore[arg-type]


def test_returns_refuse_all_impossible_prices_at_once() -> None:
    frame = framed(np.array([[1.0, -37.63], [0.0, 2.0], [3.0, np.inf]]))
    with pytest.raises(DataError) as caught:
        log_returns(frame)
    assert [(p.name, p.value) for p in caught.value.problems] == [
        ("X0", "0.0 on 2022-01-02"),
        ("X1", "-37.63 on 2022-01-01 and 1 more"),
    ]
    with pytest.raises(DataError, match="a return needs two rows"):
        log_returns(frame.iloc[:1, :1])
    with pytest.raises(DataError, match="a column of prices must hold numbers"):
        log_returns(frame.astype(str))


def test_the_hash_is_the_same_wherever_and_however_the_prices_were_made() -> None:
    frame = framed(np.array([[1.0, 0.0], [np.nan, 2.5]]))
    known = "2fef9b892b9e26f1c29ac4527e8e913dc413a01d961a7ff6e27d8c4d6a34b686"
    assert frame_hash(frame) == known
    nanoseconds = frame.set_axis(frame.index.as_unit("ns"))
    elsewhere = frame.set_axis(frame.index.tz_convert("Asia/Tokyo"))
    fortran = pd.DataFrame(np.asfortranarray(frame.to_numpy()), index=frame.index, columns=frame.columns)
    negative_zero = frame.replace(0.0, -0.0)
    naive = frame.set_axis(frame.index.tz_localize(None))
    for same in (nanoseconds, elsewhere, fortran, negative_zero, naive):
        assert frame_hash(same) == known


@given(full_tables, st.data())
def test_the_hash_sees_every_value_name_and_date(values: np.ndarray, data: st.DataObject) -> None:
    frame = framed(values)
    i = data.draw(st.integers(0, len(values) - 1))
    k = data.draw(st.integers(0, values.shape[1] - 1))
    changed = frame.copy()
    changed.iloc[i, k] = np.nextafter(values[i, k], np.inf)
    renamed = frame.rename(columns={f"X{k}": "Y"})
    later = frame.set_axis(frame.index + pd.Timedelta(microseconds=1))
    assert len({frame_hash(f) for f in (frame, changed, renamed, later, frame.iloc[1:])}) == 5
