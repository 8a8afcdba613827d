"""Parquet, hostile names and files of any content: junk ends in words, what was written comes back."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from test_market_load import lines, walk, write

from collatrisk.base.errors import DataError, InputError, Problem
from collatrisk.market import inspect_prices, load_prices, source

JUNK = [
    *("2022-01-01", "2022-01-02T00:00:00+02:00", "31/12/2022", "1/2/2022", "1640995200", "", "x", "-1", "0", "inf"),
    *(
        "nan",
        "1,5",
        '"1,5"',
        "1.5",
        "1e400",
        "=cmd",
        "<b>",
        "date",
        "asset",
        "close",
        '"',
        "'",
        "2022-13-45",
        "31/31/2022",
    ),
    *(
        "99999999999999999999",
        "é",
        "#",
        "20220101",
        "Jan 5, 2022",
        "00/00/0000",
        "2022-01-01 25:00",
        "\r",
        "0x1F",
        "1_0",
    ),
]


@settings(max_examples=300)
@given(
    st.lists(st.lists(st.sampled_from(JUNK), max_size=5), max_size=10),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["", "date,BTC\n", "date,asset,close\n", "date;A;B\n"]),
    st.booleans(),
)
def test_no_file_whatsoever_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], separator: str, header: str, strict: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.csv"
    path.write_text(header + "\n".join(separator.join(row) for row in rows), encoding="utf-8")
    problems: tuple[Problem, ...] = ()
    try:
        frame = load_prices(path, strict=strict)
    except (DataError, InputError) as error:
        problems = error.problems
    if problems:
        assert all(problem.remedy for problem in problems)
    else:
        assert frame.shape[0] > 0
        assert not frame.index.hasnans


prices_strategy = st.lists(
    st.one_of(st.none(), st.floats(1e-8, 1e12, allow_nan=False)), min_size=2, max_size=30
).filter(lambda cells: any(cell is not None for cell in cells))


@given(st.lists(prices_strategy, min_size=1, max_size=3), st.integers(0, 20_000))
def test_wide_files_round_trip(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[float | None]], day: int
) -> None:
    n = max(map(len, columns))
    table = {f"asset {k}": [*cells, *[None] * (n - len(cells))] for k, cells in enumerate(columns)}
    index = pd.date_range(pd.Timestamp("1970-01-02") + pd.Timedelta(days=day), periods=n, freq="D", tz="UTC")
    frame = pd.DataFrame(table, index=index.as_unit("us").rename("date"), dtype=np.float64)
    path = write(tmp_path_factory.mktemp("wide") / "p.csv", frame)
    loaded = inspect_prices(path).prices
    pd.testing.assert_frame_equal(loaded, frame, check_freq=False, check_exact=True)


@given(st.lists(prices_strategy, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_long_files_round_trip_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, columns: list[list[float | None]], random: object
) -> None:
    days = [f"2020-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(max(map(len, columns)))]
    cells = {(days[i], f"X{k}"): p for k, column in enumerate(columns) for i, p in enumerate(column) if p is not None}
    rows = [f"{day},{asset},{price!r}" for (day, asset), price in cells.items()]
    random.shuffle(rows)  # type: ignore[attr-defined]
    path = lines(tmp_path_factory.mktemp("long") / "p.csv", "date,asset,close", *rows)
    loaded = inspect_prices(path).prices
    back = {
        (f"{stamp:%Y-%m-%d}", str(asset)): float(price)
        for asset in loaded.columns
        for stamp, price in loaded[asset].dropna().items()
    }
    assert back == cells
    assert loaded.index.is_monotonic_increasing


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet_wide_long_and_indexed(tmp_path: Path) -> None:
    frame = walk()
    frame.to_parquet(tmp_path / "indexed.parquet")
    frame.reset_index().to_parquet(tmp_path / "wide.parquet")
    long = frame.reset_index().melt("date", var_name="asset", value_name="close")
    long.assign(date=long["date"].dt.strftime("%Y-%m-%d")).to_parquet(tmp_path / "long.parquet")
    for name in ("indexed", "wide", "long"):
        loaded = load_prices(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(loaded, frame, check_freq=False, check_exact=True)
    frame.assign(BTC=-1.0).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=r"row 1 \(2022-01-01\): -1"):
        load_prices(tmp_path / "bad.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="damaged"):
        load_prices(tmp_path / "broken.parquet")


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'collatrisk\[parquet\]'"):
        load_prices(tmp_path / "p.parquet")


def test_hostile_names_stay_data_and_are_escaped_in_html(tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a;b")
    frame = walk(40, assets=names)
    prices, report = inspect_prices(write(tmp_path / "p.csv", frame))
    assert tuple(prices.columns) == names == report.assets
    assert report.of("short-history", names[0])
    html = report._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_wrong_clock_is_refused_by_name_and_by_data(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", walk())
    with pytest.raises(InputError, match="clock = 'bussiness'"):
        load_prices(path, clock="bussiness")
    with pytest.raises(
        DataError, match=r"the clock is 'business' and the data have prices at weekends; use clock='24/7'"
    ):
        load_prices(path, clock="business")
    assert len(load_prices(path, clock="24/7")) == 300


def test_an_open_quote_hides_no_rows(tmp_path: Path) -> None:
    rows = write(tmp_path / "p.csv", walk()).read_text().splitlines()
    path = lines(
        tmp_path / "q.csv", rows[0] + ",note", *[f"{row}," for row in rows[1:100]], rows[100] + ',"', *rows[101:]
    )
    with pytest.raises(DataError, match=r"line 101: 1 cell over several lines"):
        load_prices(path, assets=["BTC"])
