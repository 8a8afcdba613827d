"""The examination of prices: each defect is found, with its rows and severity, and clean prices have none."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pandas.tseries.holiday import USFederalHolidayCalendar

from collatrisk.base.errors import DataError, InputError
from collatrisk.base.findings import Finding
from collatrisk.market import DataQualityReport, check_prices, infer_clock, resolve_clock
from collatrisk.market.clock import Clock
from collatrisk.market.series_checks import robust_deviation


def walk(n: int = 400, freq: str = "D", assets: tuple[str, ...] = ("A",), scale: float = 0.01) -> pd.DataFrame:
    moves = np.random.default_rng(5).normal(0, scale, (n, len(assets)))
    index = pd.date_range("2021-01-04", periods=n, freq=freq, tz="UTC")
    return pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), index=index, columns=list(assets))


def only(report: DataQualityReport, code: str) -> Finding:
    found = report.of(code)
    assert len(found) == 1, [f.code for f in report.findings]
    return found[0]


def test_clean_prices_have_no_findings_and_the_report_says_what_was_examined() -> None:
    frame = walk(assets=("A", "B"))
    report = check_prices(frame)
    assert report.findings == ()
    assert report.worst is None
    assert (report.n_rows, report.assets, report.clock) == (400, ("A", "B"), Clock("24/7"))
    assert (report.first, report.last) == (frame.index[0], frame.index[-1])
    report.raise_if_errors()
    assert "no findings" in str(report)


def test_the_frame_is_left_alone() -> None:
    frame = walk().iloc[::-1]
    frame.iloc[3, 0] = np.nan
    before = frame.copy(deep=True)
    check_prices(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_all_defects_at_once() -> None:
    frame = walk(assets=("A", "B", "USDC"))
    frame["USDC"] = 1.0 + 0.0005 * np.sin(np.arange(400.0))
    frame.iloc[50, 0] = -1.0
    frame.iloc[60, 0] = np.nan
    frame.iloc[100:107, 1] = frame.iloc[100, 1]
    frame.iloc[200:, 1] *= 3.0
    frame.iloc[300, 2] = 0.93
    frame = frame.drop(frame.index[[150, 151, 152]])
    report = check_prices(pd.concat([frame, frame.iloc[[10]]]))
    expected = {"non-positive", "missing", "stale", "jump", "peg-break", "gap", "unsorted", "duplicate-date"}
    assert {f.code for f in report.findings} == expected
    assert report.worst == "error"
    assert report.findings[0].severity == "error"
    assert only(report, "non-positive").rows == ("2021-02-23: -1",)
    assert only(report, "missing").rows == ("2021-03-05",)
    assert only(report, "stale").rows[0].startswith("2021-04-14: 7 x ")
    assert only(report, "peg-break").rows == ("2021-10-31: 0.93 (-7.0%)",)
    assert only(report, "gap").rows == ("after 2021-06-02: 3 days",)
    assert only(report, "duplicate-date").rows == ("2021-01-14: 2 rows",)
    assert "2021-07-23: +19" in only(report, "jump").rows[0]
    with pytest.raises(DataError, match=r"A = 2021-02-23: -1: 1 price zero or negative"):
        report.raise_if_errors()


def test_conflicting_duplicates_are_an_error_that_shows_both_prices() -> None:
    frame = walk()
    other = frame.iloc[[20]] * 2
    report = check_prices(pd.concat([frame, other]).sort_index(kind="stable"))
    row = only(report, "conflicting-prices").rows[0]
    assert row == f"2021-01-24: 2 rows: {frame.iloc[20, 0]:g}, {other.iloc[0, 0]:g}"


def test_four_equal_prices_are_not_stale_and_five_are() -> None:
    frame = walk()
    frame.iloc[10:14, 0] = 50.0
    assert not check_prices(frame).of("stale")
    frame.iloc[14, 0] = 50.0
    assert only(check_prices(frame), "stale").rows == ("2021-01-14: 5 x 50",)


def test_the_jump_threshold_is_twelve_robust_deviations() -> None:
    frame = walk()
    returns = np.diff(np.log(frame["A"].to_numpy()))
    middle, scale = robust_deviation(returns)
    assert scale == pytest.approx(0.01, rel=0.15)
    for size, hit in ((11.8, False), (12.2, True)):
        moved = frame.copy()
        # Replacing one return of 399 moves the deviation itself by less than 1 %.
        wanted = middle + size * scale
        moved.iloc[200:, 0] *= np.exp(wanted - returns[199])
        assert bool(check_prices(moved).of("jump")) is hit


def test_a_bad_tick_is_told_from_a_crash() -> None:
    frame = walk()
    frame.iloc[100, 0] *= 10
    assert "undone by the next row" in only(check_prices(frame), "jump").message


def test_robust_deviation_of_mostly_equal_prices_falls_back_to_the_mean() -> None:
    returns = np.array([0.0] * 9 + [0.1])
    assert robust_deviation(returns) == (0.0, pytest.approx(1.2533 * 0.01))


def test_pegs_are_known_guessed_with_care_and_given() -> None:
    coin = walk(assets=("USDC", "usdt-usd", "DAI"), scale=1e-4) / 100
    coin.iloc[100:120, 0] = coin.iloc[100, 0]
    coin["DAI"] = coin["DAI"] * 0.9
    coin.iloc[50, 1] = 1.021
    report = check_prices(coin)
    assert not report.of("stale")
    assert only(report, "peg-break").subject == "usdt-usd"
    assert only(report, "peg-not-assumed").subject == "DAI"
    given = check_prices(coin, pegs={"DAI": 0.9})
    assert given.of("stale", "USDC")
    assert not given.of("peg-break")
    with pytest.raises(InputError, match=r"'DIA': is not known here.*did you mean 'DAI'\?"):
        check_prices(coin, pegs={"DIA": 1.0})
    with pytest.raises(InputError, match=r"pegs\['DAI'\] = 0"):
        check_prices(coin, pegs={"DAI": 0})


@pytest.mark.parametrize(("n", "code", "severity"), [(29, "too-short", "error"), (30, "short-history", "warning")])
def test_short_histories(n: int, code: str, severity: str) -> None:
    assert only(check_prices(walk(n)), code).severity == severity
    assert not check_prices(walk(250)).of("short-history")
    assert check_prices(walk(249)).of("short-history")


def test_constant_empty_and_text_columns() -> None:
    frame = walk(assets=("A", "B"))
    frame["C"] = 7.0
    frame["D"] = np.nan
    report = check_prices(frame.assign(E="x"))
    assert only(report, "constant").severity == "warning"
    assert (only(report, "no-prices").subject, only(report, "text-column").subject) == ("D", "E")
    assert report.assets == ("A", "B", "C", "D")


def test_frames_that_hold_nothing_or_no_dates() -> None:
    assert only(check_prices(walk().iloc[:0]), "empty").severity == "error"
    assert only(check_prices(walk()[[]]), "empty").severity == "error"
    assert check_prices(walk(1)).of("too-short")
    with pytest.raises(InputError, match="prices need a DatetimeIndex"):
        check_prices(walk().reset_index(drop=True))
    with pytest.raises(InputError, match="must be a pandas DataFrame"):
        check_prices([1, 2, 3])  # type: ignore[arg-type]
    frame = walk()
    frame.index = frame.index.where(np.arange(400) != 7, pd.NaT)
    assert only(check_prices(frame), "unreadable-date").rows == ("row 8",)


def test_holidays_are_a_note_without_a_calendar_and_expected_with_one() -> None:
    clock = Clock.business(USFederalHolidayCalendar(), first="2020-01-01", last="2023-12-31")
    frame = walk(500, "B")
    frame = frame[[day.date() not in clock.holidays for day in frame.index]]
    report = check_prices(frame)
    assert report.clock == Clock("business")
    assert only(report, "gap").severity == "info"
    assert not check_prices(frame, clock).findings
    holed = frame.drop(frame.index[100:120])
    assert only(check_prices(holed, clock), "gap").severity == "warning"
    assert "20 days" in only(check_prices(holed, clock), "gap").message


def test_rows_on_closed_days_and_two_rows_of_one_day() -> None:
    frame = walk(300, "B")
    live = frame.iloc[[-1]].set_axis(frame.index[[-1]] + pd.Timedelta(hours=9))
    holiday = Clock("business", holidays=(frame.index[40].date(),))
    report = check_prices(pd.concat([frame, live]), holiday)
    assert only(report, "off-clock").rows == ("2021-03-01",)
    assert only(report, "same-day").rows == (f"{live.index[0]:%Y-%m-%d} 09:00:00",)


def test_a_daylight_saving_shift_is_no_gap() -> None:
    index = pd.date_range("2021-01-04 16:00", periods=400, freq="B", tz="America/New_York").tz_convert("UTC")
    report = check_prices(walk(400).set_axis(index))
    assert report.clock == Clock("business")
    assert report.findings == ()


def test_a_given_clock_that_the_data_contradict_is_an_error() -> None:
    assert only(check_prices(walk(400, "B"), "24/7"), "clock-mismatch").severity == "error"
    assert only(check_prices(walk(400), Clock("business")), "clock-mismatch").severity == "error"
    hourly = check_prices(walk(400, "h"), Clock("24/7"))
    assert "1 steps a day and the data 24" in only(hourly, "clock-mismatch").message
    assert check_prices(walk(400, "h"), "24/7").clock == Clock("24/7", steps_per_day=24)


def test_mixed_clocks_are_reported_and_weekends_are_not_missing() -> None:
    frame = walk(assets=("BTC", "SPX"))
    frame.loc[frame.index.day_of_week >= 5, "SPX"] = np.nan
    report = check_prices(frame)
    assert report.clock is None
    assert only(report, "mixed-clocks").message.startswith("BTC trade at weekends and SPX do not")
    assert not report.of("missing")
    frame.loc[frame.index[[30, 31]], "SPX"] = np.nan
    assert only(check_prices(frame), "missing").severity == "info"
    assert only(check_prices(frame, "business"), "mixed-clocks").severity == "warning"


def test_late_starts_and_early_ends() -> None:
    frame = walk(assets=("A", "B"))
    frame.iloc[:40, 1] = np.nan
    frame.iloc[-9:, 1] = np.nan
    report = check_prices(frame)
    assert "2021-02-13, 40 rows after the first row" in only(report, "late-start").message
    assert "9 rows before the last row" in only(report, "early-end").message
    assert not report.of("missing")


def test_long_lists_of_rows_are_shortened_and_say_so() -> None:
    frame = walk()
    frame.iloc[100:200:2, 0] = np.nan
    rows = only(check_prices(frame), "missing").rows
    assert len(rows) == 11
    assert rows[-1] == "and 40 more"


def test_the_report_as_frame_json_and_html() -> None:
    frame = walk(assets=("<b>", "B"))
    frame.iloc[3, 0] = -1
    report = check_prices(frame)
    table = report.to_frame()
    assert list(table.columns) == ["severity", "subject", "code", "message", "rows"]
    assert table.iloc[0].tolist()[:3] == ["error", "<b>", "non-positive"]
    assert json.loads(json.dumps(report.to_dict()))["worst"] == "error"
    assert "&lt;b&gt;" in report._repr_html_()
    assert "<b>" not in report._repr_html_()
    with pytest.raises(AttributeError):
        report.n_rows = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("D", Clock("24/7")),
        ("B", Clock("business")),
        ("h", Clock("24/7", 24)),
        ("15min", Clock("24/7", 96)),
        ("min", Clock("24/7", 1440)),
    ],
)
def test_clocks_are_inferred(freq: str, expected: Clock) -> None:
    n = {"D": 100, "B": 100, "h": 800, "15min": 1400, "min": 12_000}[freq]
    assert infer_clock(walk(n, freq)) == expected


def test_the_bars_of_a_session_are_counted() -> None:
    days = pd.bdate_range("2022-01-03", periods=40, tz="UTC")
    index = pd.DatetimeIndex([day + pd.Timedelta(hours=h, minutes=30) for day in days for h in range(14, 21)])
    frame = pd.DataFrame({"SPY": np.linspace(400, 420, index.size)}, index=index)
    assert infer_clock(frame) == Clock("business", 7)
    assert not check_prices(frame).of("gap")
    assert not check_prices(frame).of("same-day")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (walk(60, "W-FRI"), "have a price every 7 days 00:00:00, which is no step of a day"),
        (walk(3000, "7min"), "no step of a day"),
        (walk(4), "span no whole weekend"),
        (walk(200)[lambda f: f.index.day_of_week != 5], "on some weekends only"),
    ],
)
def test_unclear_clocks_ask_for_a_choice(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer_clock(frame)
    assert any(message in f.message for f in check_prices(frame).findings if f.subject == "clock")


def test_mixed_clocks_and_mixed_steps_are_refused() -> None:
    frame = walk(assets=("BTC", "SPX"))
    frame.loc[frame.index.day_of_week >= 5, "SPX"] = np.nan
    with pytest.raises(
        DataError, match=r"BTC trade at weekends and SPX do not; keep the common dates with align_prices"
    ):
        infer_clock(frame)
    assert resolve_clock(frame, "business") == Clock("business")
    assert resolve_clock(frame, Clock("24/7", 24)) == Clock("24/7", 24)
    hourly = walk(1000, "h", assets=("A", "B"))
    hourly.loc[hourly.index.hour != 0, "B"] = np.nan
    with pytest.raises(DataError, match="have 1 and 24 steps a day"):
        infer_clock(hourly)


@given(st.sets(st.integers(0, 149), max_size=40), st.integers(0, 6))
def test_gaps_count_every_missing_day_of_either_clock(dropped: set[int], shift: int) -> None:
    for freq, clock in (("D", Clock("24/7")), ("B", Clock("business", holidays=(pd.Timestamp("1999-01-01").date(),)))):
        index = pd.date_range(pd.Timestamp("2021-01-04") + pd.Timedelta(days=shift), periods=150, freq=freq, tz="UTC")
        frame = pd.DataFrame({"A": np.arange(1.0, 151.0)}, index=index)
        inside = sorted(i for i in dropped if 0 < i < 149)
        found = check_prices(frame.drop(index[inside]), clock).of("gap")
        total = int(found[0].message.split()[0]) if found else 0
        assert total == len(inside)
