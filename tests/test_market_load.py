"""Files of prices: whatever vendors write is read as it is meant, or refused with everything that is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collatrisk.base.errors import DataError, InputError
from collatrisk.market import inspect_prices, load_prices
from collatrisk.market.clock import Clock


def walk(
    n: int = 300, start: str = "2022-01-01", assets: tuple[str, ...] = ("BTC", "ETH"), seed: int = 1
) -> pd.DataFrame:
    """A 24/7 frame of prices without anything wrong in it."""
    moves = np.random.default_rng(seed).normal(0, 0.02, (n, len(assets)))
    index = pd.date_range(start, periods=n, freq="D", tz="UTC", name="date").as_unit("us")
    return pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), index=index, columns=list(assets))


def write(
    path: Path, frame: pd.DataFrame, date_format: str = "%Y-%m-%d", separator: str = ",", decimal: str = "."
) -> Path:
    rows = [separator.join(["date", *frame.columns])]
    for stamp, values in zip(frame.index, frame.to_numpy(), strict=True):
        cells = ["" if np.isnan(v) else repr(float(v)).replace(".", decimal) for v in values]
        rows.append(separator.join([stamp.strftime(date_format), *cells]))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def codes(path: Path, severity: str | None = None, **options: object) -> set[str]:
    findings = inspect_prices(path, **options).report.findings  # type: ignore[arg-type]
    return {f.code for f in findings if severity in (None, f.severity)}


def test_a_clean_wide_file_comes_back_bit_for_bit(tmp_path: Path) -> None:
    frame = walk()
    loaded = load_prices(write(tmp_path / "prices.csv", frame))
    pd.testing.assert_frame_equal(loaded, frame, check_freq=False, check_exact=True)
    assert loaded.index.name == "date"
    assert str(loaded.index.tz) == "UTC"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path: Path, separator: str) -> None:
    frame = walk()
    loaded = load_prices(write(tmp_path / "prices.csv", frame, separator=separator))
    np.testing.assert_array_equal(loaded.to_numpy(), frame.to_numpy())


@pytest.mark.parametrize(
    "date_format",
    [
        *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y"),
        *("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ"),
        "%m/%d/%Y %I:%M %p",
    ],
)
def test_date_formats_are_found(tmp_path: Path, date_format: str) -> None:
    frame = walk()
    separator = ";" if "," in date_format else ","
    loaded = load_prices(write(tmp_path / "prices.csv", frame, date_format, separator))
    pd.testing.assert_frame_equal(loaded, frame, check_freq=False, check_exact=True)


@pytest.mark.parametrize(("unit", "suffix"), [(1_000_000, ""), (1_000_000, ".0"), (1000, ""), (1, ""), (0.001, "")])
def test_epoch_numbers_are_told_apart_by_their_digits(tmp_path: Path, unit: float, suffix: str) -> None:
    frame = walk()
    micro = frame.index.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    numbers = [int(m) * 1000 if unit == 0.001 else int(m) // int(unit) for m in micro]
    rows = [f"{n}{suffix},{a!r},{b!r}" for n, (a, b) in zip(numbers, frame.to_numpy().tolist(), strict=True)]
    loaded = load_prices(lines(tmp_path / "prices.csv", "timestamp,BTC,ETH", *rows))
    pd.testing.assert_frame_equal(loaded, frame, check_freq=False, check_exact=True)


def test_ambiguous_dates_are_refused_and_the_remedy_works(tmp_path: Path) -> None:
    rows = [f"{day:02d}/{month:02d}/2022,{100 + day + month}" for month in range(1, 13) for day in range(1, 13)]
    path = lines(tmp_path / "prices.csv", "date,BTC", *rows)
    with pytest.raises(DataError, match=r"ambiguous.*day_first=True or False"):
        load_prices(path)
    assert load_prices(path, day_first=True, strict=False).index[1] == pd.Timestamp("2022-01-02", tz="UTC")
    assert load_prices(path, day_first=False, strict=False).index[1] == pd.Timestamp("2022-02-01", tz="UTC")


def test_two_date_orders_in_one_column_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "prices.csv", "date,BTC", "31/01/2022,1.5", "02/13/2022,1.6", "14/02/2022,1.7")
    with pytest.raises(DataError, match=r"line 3: '02/13/2022'.*2 dates are day-first and 1 month-first"):
        load_prices(path)


def test_offsets_are_converted(tmp_path: Path) -> None:
    frame = walk(400, assets=("BTC",))
    hourly = frame.set_axis(pd.date_range("2022-01-01", periods=400, freq="h", tz="UTC"))
    rows = [f"{stamp.tz_convert('Asia/Tokyo').isoformat()},{value!r}" for stamp, value in hourly["BTC"].items()]
    prices, report = inspect_prices(lines(tmp_path / "prices.csv", "date,BTC", *rows))
    assert (prices.index == hourly.index).all()
    assert report.clock == Clock("24/7", steps_per_day=24)
    assert not report.of("naive-dates")


def test_local_midnights_are_dates_and_stay_on_their_weekday(tmp_path: Path) -> None:
    days = pd.bdate_range("2022-01-03", periods=300, tz="Europe/Paris")
    rows = [f"{day.isoformat()},{100 + i % 7}" for i, day in enumerate(days)]
    prices, report = inspect_prices(lines(tmp_path / "prices.csv", "date,CAC", *rows))
    assert report.of("local-midnight")
    assert prices.index[0] == pd.Timestamp("2022-01-03", tz="UTC")
    assert report.clock is not None
    assert report.clock.kind == "business"


def test_dates_with_and_without_a_zone_are_refused(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "p.csv", "date,A", "2022-01-01T00:00:00Z,1", "2022-01-02T00:00:00,2", "2022-01-03T00:00:00Z,3"
    )
    with pytest.raises(DataError, match=r"line 3: 1 dates? have no time zone while 2 have one"):
        load_prices(path)


def test_naive_dates_are_stated_to_be_utc(tmp_path: Path) -> None:
    finding = inspect_prices(write(tmp_path / "prices.csv", walk())).report.of("naive-dates")
    assert len(finding) == 1
    assert "UTC" in finding[0].message


@pytest.mark.parametrize(
    "header", ["date,asset,close", "Timestamp,Symbol,Price", "asset,close,date", ",date,ticker,close,volume"]
)
def test_long_files(tmp_path: Path, header: str) -> None:
    frame = walk()
    order = {"date": 0, "timestamp": 0, "asset": 1, "symbol": 1, "ticker": 1, "close": 2, "price": 2}
    rows = []
    for number, (stamp, name) in enumerate((s, n) for n in frame.columns for s in frame.index):
        cells = [stamp.strftime("%Y-%m-%d"), name, repr(float(frame.loc[stamp, name]))]
        named = [cells[order[h.lower()]] if h.lower() in order else str(number) for h in header.split(",")]
        rows.append(",".join(named))
    path = lines(tmp_path / "prices.csv", header, *rows)
    pd.testing.assert_frame_equal(load_prices(path), frame, check_freq=False, check_exact=True)
    assert list(load_prices(path, assets=["ETH"]).columns) == ["ETH"]


def test_long_duplicates_name_their_lines_and_symbols_of_digits_are_symbols(tmp_path: Path) -> None:
    days = [f"2022-{m:02d}-{d:02d}" for m in (1, 2, 3) for d in range(1, 29)]
    rows = [f"{day},600519,{1000 + i}" for i, day in enumerate(days)] + [f"{days[4]},600519,9.5"]
    path = lines(tmp_path / "prices.csv", "date,symbol,close", *rows)
    with pytest.raises(DataError, match=r"600519 = 2022-01-05: lines 6, 86: 1004, 9.5: 1 date with several prices"):
        load_prices(path)


def test_a_long_file_without_a_price_column_says_so(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.csv", "date,symbol,mid", "2022-01-01,BTC,5", "2022-01-02,BTC,6")
    with pytest.raises(DataError, match=r"'mid'.*no column is named close or price; rename"):
        load_prices(path)


def test_an_asset_called_coin_with_numbers_is_an_asset(tmp_path: Path) -> None:
    frame = walk(assets=("COIN", "LAST"))
    assert list(load_prices(write(tmp_path / "p.csv", frame)).columns) == ["COIN", "LAST"]


def test_tickers_that_read_as_dates_stay_assets_and_row_numbers_do_not(tmp_path: Path) -> None:
    frame = walk(assets=("TS", "DAY", "id"))
    assert list(load_prices(write(tmp_path / "p.csv", frame)).columns) == ["TS", "DAY", "id"]
    body = write(tmp_path / "p.csv", frame[["TS"]]).read_text().splitlines()[1:]
    for header in ("id,date,TS", "Unnamed: 0,when,date,TS"):
        extra = "" if header.startswith("id") else "x,"
        path = lines(tmp_path / "q.csv", header, *[f"{i},{extra}{row}" for i, row in enumerate(body)])
        assets = None if header.startswith("id") else ["TS"]
        pd.testing.assert_frame_equal(load_prices(path, assets=assets), frame[["TS"]], check_freq=False)
    both = lines(tmp_path / "r.csv", "unix,date,TS", *[f"{1_640_995_200 + 86_400 * i},{r}" for i, r in enumerate(body)])
    pd.testing.assert_frame_equal(load_prices(both), frame[["TS"]], check_freq=False)
    assert inspect_prices(both).report.of("ignored-column", "date")


def test_the_order_of_numeric_dates_is_stated(tmp_path: Path) -> None:
    report = inspect_prices(write(tmp_path / "p.csv", walk(), "%d/%m/%Y")).report
    assert "such as '01/01/2022', are read as day-first" in report.of("date-order")[0].message


def test_bars_of_one_unnamed_asset_need_a_name(tmp_path: Path) -> None:
    frame = walk(assets=("Open", "High", "Low", "Close", "Volume"))
    path = write(tmp_path / "spx.csv", frame)
    with pytest.raises(DataError, match=r"bars of one asset.*assets=\{'Close': 'SPX'\}"):
        load_prices(path)
    loaded = load_prices(path, assets={"Close": "SPX"})
    np.testing.assert_array_equal(loaded["SPX"], frame["Close"])


def test_assets_are_chosen_in_order_and_unknown_ones_suggest_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "prices.csv", walk(assets=("BTC", "ETH", "SOL")))
    assert list(load_prices(path, assets=["SOL", "BTC"]).columns) == ["SOL", "BTC"]
    with pytest.raises(InputError, match=r"assets = 'ETHH': is not known here .*did you mean 'ETH'\?"):
        load_prices(path, assets=["ETHH", "BTC"])


def test_a_column_of_text_is_refused_unless_it_is_not_asked_for(tmp_path: Path) -> None:
    frame = walk()
    rows = [
        f"{s:%Y-%m-%d},binance,{a!r},{b!r}" for s, (a, b) in zip(frame.index, frame.to_numpy().tolist(), strict=True)
    ]
    path = lines(tmp_path / "prices.csv", "date,exchange,BTC,ETH", *rows)
    with pytest.raises(DataError, match=r"exchange = line 2 .*'binance'.*holds text, not prices; remove it") as caught:
        load_prices(path)
    assert len(caught.value.problems) == 1
    np.testing.assert_array_equal(load_prices(path, assets=["BTC", "ETH"]).to_numpy(), frame.to_numpy())


def test_decimal_commas_and_thousands(tmp_path: Path) -> None:
    frame = walk()
    comma = load_prices(write(tmp_path / "comma.csv", frame, separator=";", decimal=","))
    np.testing.assert_array_equal(comma.to_numpy(), frame.to_numpy())
    days = [f"{s:%Y-%m-%d}" for s in frame.index]
    us = lines(tmp_path / "us.csv", "date,BTC", *[f'{day},"{20_000 + i:,.2f}"' for i, day in enumerate(days)])
    assert load_prices(us)["BTC"].iloc[3] == 20_003.0
    german = lines(tmp_path / "de.csv", "date;BTC", *[f"{day};20.{i:03d},5" for i, day in enumerate(days)])
    assert load_prices(german)["BTC"].iloc[3] == 20_003.5
    both = lines(tmp_path / "both.csv", "date;A;B", *[f"{day};1,2{i};1.2{i}" for i, day in enumerate(days)])
    assert "mixed-numbers" in codes(both, "error")
    unclear = lines(tmp_path / "unclear.csv", "date;A", *[f"{day};1,{i:03d}" for i, day in enumerate(days)])
    with pytest.raises(DataError, match="1,000 may be a decimal comma or a thousands separator"):
        load_prices(unclear)


def test_vendor_marks_for_no_price_are_missing_and_never_filled(tmp_path: Path) -> None:
    marks = ["", "NaN", "null", "N/A", "#N/A N/A", "-", "."]
    frame = walk(40, assets=("A",))
    cells = [repr(v) for v in frame["A"].tolist()]
    cells[5 : 5 + len(marks)] = marks
    path = lines(tmp_path / "p.csv", "date,A", *[f"{s:%Y-%m-%d},{c}" for s, c in zip(frame.index, cells, strict=True)])
    loaded = load_prices(path)
    assert np.flatnonzero(loaded["A"].isna()).tolist() == list(range(5, 5 + len(marks)))
    missing = inspect_prices(path).report.of("missing", "A")
    assert missing[0].rows[0] == "line 7 (2022-01-06)"


def test_everything_wrong_is_said_at_once_with_lines(tmp_path: Path) -> None:
    frame = walk(60, assets=("A", "B", "C"))
    rows = [[f"{s:%Y-%m-%d}", *map(repr, v)] for s, v in zip(frame.index, frame.to_numpy().tolist(), strict=True)]
    rows[3][1] = "0"
    rows[4][1] = "-5"
    rows[5][2] = "oops"
    rows[6][0] = "2022-02-30"
    rows[7][3] = "inf"
    rows.append([rows[9][0], "1.0", rows[9][2], rows[9][3]])
    for row in rows:
        row.append("x")
    path = lines(tmp_path / "p.csv", "date,A,B,C,note", *[",".join(row) for row in rows], "2022-03-05,1,2")
    with pytest.raises(DataError) as caught:
        load_prices(path)
    text = str(caught.value)
    for part in (
        "A = line 5 (2022-01-04): 0, line 6 (2022-01-05): -5: 2 prices zero or negative",
        "B = line 7 (2022-01-06): 'oops': 1 price not a number",
        "date = line 8: '2022-02-30': 1 cell not ISO dates",
        "C = line 9 (2022-01-08): inf: 1 price infinite",
        "A = 2022-01-10: lines 11, 62: ",
        "note = line 2",
        "file = line 63 (3 fields): 1 row without the 5 fields",
    ):
        assert part in text, part
    assert len(caught.value.problems) == 7


def test_not_strict_returns_the_rows_as_they_are(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.csv", "date,A", "2022-01-03,3", "2022-01-01,x", "2022-01-03,-4")
    raw = load_prices(path, strict=False)
    assert [f"{stamp:%d}" for stamp in raw.index] == ["03", "01", "03"]
    np.testing.assert_array_equal(raw["A"], [3.0, np.nan, -4.0])


def test_unsorted_rows_are_sorted_and_said(tmp_path: Path) -> None:
    frame = walk()
    newest_first = write(tmp_path / "desc.csv", frame.iloc[::-1])
    pd.testing.assert_frame_equal(load_prices(newest_first), frame, check_freq=False)
    assert "newest-first" in codes(newest_first, "info")
    shuffled = write(tmp_path / "mixed.csv", frame.iloc[np.random.default_rng(3).permutation(len(frame))])
    pd.testing.assert_frame_equal(load_prices(shuffled), frame, check_freq=False)
    assert "unsorted" in codes(shuffled, "warning")


def test_repeated_equal_rows_are_a_warning(tmp_path: Path) -> None:
    frame = walk()
    path = write(tmp_path / "p.csv", pd.concat([frame, frame.iloc[[7]]]))
    assert len(load_prices(path)) == len(frame)
    found = inspect_prices(path).report.of("duplicate-date")
    assert found[0].rows == ("2022-01-08: lines 9, 302",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("  \n\n", "the file is empty"),
        ("date,BTC\n", "and no rows"),
        ("date,BTC\n2022-01-01,5\n", "1 price, too few"),
        ("date\n2022-01-01\n2022-01-02\n", "no asset column"),
        ("2022-01-01,5.0\n2022-01-02,6.0\n", "the header must name the columns"),
        ("when,BTC\nyesterday,5\ntoday,6\n", "no cell of 'when' is a date"),
        ("date,BTC\n44562,5\n44563,6\n", "Excel day numbers"),
        ("date,BTC\n1/2/22,5\n1/3/22,6\n", "two-digit years"),
        ("<!DOCTYPE html><p>404, not found", "looks like a web page"),
        ('{"date": [1, 2]}', "looks like JSON"),
        ("a\x00b,c\x00\n", "binary data"),
        ("date,BTC,BTC\n2022-01-01,5,6\n", "2 columns have this name"),
        ("date,,ETH\n2022-01-01,5,6\n", "no name"),
        ("date,BTC\n1822-01-01,5\n2022-01-02,6\n", "between 1900 and 2100"),
    ],
)
def test_hopeless_files_are_refused_in_words(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode())
    with pytest.raises(DataError) as caught:
        load_prices(path)
    assert message in str(caught.value)
    assert all(problem.remedy for problem in caught.value.problems)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    write(tmp_path / "prices.csv", walk())
    with pytest.raises(InputError, match=r"must be an existing file; did you mean 'prices.csv'\?"):
        load_prices(tmp_path / "price.csv")
    with pytest.raises(InputError, match="is a directory"):
        load_prices(tmp_path)


def test_compressed_files_go_by_their_content(tmp_path: Path) -> None:
    frame = walk()
    plain = write(tmp_path / "prices.csv", frame).read_bytes()
    for name in ("prices.csv.gz", "prices.dat"):
        (tmp_path / name).write_bytes(gzip.compress(plain))
        pd.testing.assert_frame_equal(load_prices(tmp_path / name), frame, check_freq=False)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(plain)[:-40])
    with pytest.raises(DataError, match="damaged"):
        load_prices(tmp_path / "cut.csv.gz")
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DataError, match="Excel workbook"):
        load_prices(tmp_path / "book.xlsx")


def test_encodings_preamble_and_blank_lines(tmp_path: Path) -> None:
    frame = walk()
    text = write(tmp_path / "p.csv", frame).read_text()
    for name, content in (("bom.csv", text.encode("utf-8-sig")), ("wide.csv", text.encode("utf-16"))):
        (tmp_path / name).write_bytes(content)
        pd.testing.assert_frame_equal(load_prices(tmp_path / name), frame, check_freq=False)
    (tmp_path / "latin.csv").write_bytes(text.replace("ETH", "Müller").encode("cp1252"))
    assert list(load_prices(tmp_path / "latin.csv").columns) == ["BTC", "Müller"]
    assert "encoding" in codes(tmp_path / "latin.csv", "warning")
    (tmp_path / "title.csv").write_text("https://vendor.example/\n# daily\n" + text.replace("\n", "\n\n", 3))
    pd.testing.assert_frame_equal(load_prices(tmp_path / "title.csv"), frame, check_freq=False)
    assert "preamble" in codes(tmp_path / "title.csv", "info")
