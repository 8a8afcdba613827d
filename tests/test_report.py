"""Reports: self-contained, escaped, deterministic, and every number with its interval."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from unicodedata import category

import numpy as np
import pytest
import study_example
from hypothesis import given, strategies as st

from collatrisk.report import render_html, text as words, write_report
from collatrisk.report.charts.common import spread
from collatrisk.report.charts.heat_map import heat_map
from collatrisk.report.files import write_csv
from collatrisk.report.sections.stress import _chance, _mean
from collatrisk.report.view import Cell
from collatrisk.study.result import COLUMNS, StudyResult, table

EVIL = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "$\\frac{1}{2}$ & Söhne", "]]>--><b>")
_VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return study_example.result()


@pytest.fixture(scope="module")
def page(result: StudyResult) -> str:
    return render_html(result)


@pytest.fixture(scope="module")
def evil() -> StudyResult:
    return study_example.result(EVIL, title="<img src=x onerror=alert(1)>")


class _Checker(HTMLParser):
    """Tags balance, ids are unique, nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in _VOID:
            self.open.append(tag)
        self._look(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._look(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _look(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "action", "data"} and not (value or "").startswith("#"):
                self.fetched.append(value or "")
            assert not name.startswith("on"), name


def check(page: str) -> _Checker:
    checker = _Checker()
    checker.feed(page)
    assert not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    return checker


def svgs(page: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)]


def test_the_page_needs_nothing_else(page: str) -> None:
    checker = check(page)
    assert not checker.fetched
    assert not checker.tags & {"script", "iframe", "object", "embed", "link", "base", "form"}
    addresses = re.findall(r"(.{0,14})https?://", page)
    assert addresses
    assert all(re.search(r'xmlns(:xlink)?="$', before) for before in addresses)
    assert not re.search(r"url\((?!#)|@import", page)


def test_links_within_the_page_lead_somewhere(page: str) -> None:
    ids = set(check(page).ids)
    targets = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    assert len(targets) > 20
    assert set(targets) <= ids


def test_the_sections_come_in_the_order_that_a_committee_reads(page: str) -> None:
    order = ("summary", "scope", "calls", "distributions", "stress", "models", "data", "limits", "reproduce")
    places = [page.index(f'<section id="{key}"') for key in order]
    assert places == sorted(places)


def test_every_chart_has_a_text_alternative_and_its_data(page: str) -> None:
    charts = svgs(page)
    assert len(charts) >= 7
    space = "{http://www.w3.org/2000/svg}"
    for chart in charts:
        title, description = chart.find(f"{space}title"), chart.find(f"{space}desc")
        assert chart.get("role") == "img"
        assert title is not None
        assert title.text
        assert description is not None
        assert description.text
        assert chart.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert page.count("The numbers behind this chart") == len(charts)


def test_the_page_is_the_same_for_the_same_result(result: StudyResult, page: str) -> None:
    assert render_html(result) == page


def test_ratings_have_a_word_and_a_shape(page: str) -> None:
    for mark in ("within limits", "breach", "failed"):
        assert re.search(rf'class="shape" aria-hidden="true">[^<]+</span>{mark}', page), mark


def test_a_failed_cell_is_a_row_with_its_reason(page: str) -> None:
    assert page.count("did you mean &#39;WTI&#39;?") == 2
    assert "1 cell could not be computed" in page


def test_none_seen_is_printed_with_its_upper_limit(page: str) -> None:
    assert "none seen" in page
    assert words.percent_estimate(0.0, 0.0, 7.4e-5, 2e-5) == ("none seen", "at most 0.0074\u202f%")


def test_simulated_stress_numbers_have_intervals_and_certain_ones_have_none() -> None:
    shown = {"margin_called": 0.25, "margin_called_low": 0.24, "margin_called_high": 0.26}
    assert _chance(shown, "margin_called") == Cell("25.0\u202f%", "24.0 to 26.0")
    assert _chance({**shown, "margin_called_high": 0.24}, "margin_called") == Cell("25.0\u202f%")
    amount = {"shortfall": 5000.0, "shortfall_low": 4000.0, "shortfall_high": 6000.0}
    assert _mean(amount, "shortfall") == Cell("5,000", "4,000 to 6,000")
    assert _mean({**amount, "shortfall_high": np.inf}, "shortfall") == Cell("5,000", "the same on all paths")
    assert _mean({**amount, "shortfall_low": np.nan}, "shortfall") == Cell("5,000")


def test_room_is_promised_to_no_row_that_breaches_a_limit(result: StudyResult) -> None:
    from dataclasses import replace

    rows = result.executive.copy()
    rows["max_ltv"] = rows["ltv"] + 0.1 - 0.01 * np.arange(len(rows))
    rows["rating"] = ["breach", *["within"] * (len(rows) - 1)]
    promised = re.findall(r"Most room: ([^<]*?) could", render_html(replace(result, executive=rows)))
    assert promised == [f"{rows['book'].iloc[1]} ({rows['terms'].iloc[1]})"]
    rows["rating"] = "breach"
    assert "Most room" not in render_html(replace(result, executive=rows))


def test_pegs_have_a_table_of_parameters_of_their_own(result: StudyResult) -> None:
    from dataclasses import replace

    asset = str(result.model_parameters["asset"].iloc[0])
    coin = [{"asset": "USDX", "parameter": name, "value": 0.1, "std_error": 0.01} for name in ("center", "nu")]
    rows = [*result.model_parameters.to_dict("records"), *coin]
    shown = render_html(replace(result, model_parameters=table("model_parameters", rows)))
    own = shown[shown.index("Parameters, standard errors") : shown.index("Parameters of pegs")]
    assert asset in own
    assert "USDX" not in own
    assert "center" not in own


def test_names_cannot_break_out_of_the_page(evil: StudyResult) -> None:
    page = render_html(evil)
    checker = check(page)
    assert not checker.tags & {"script", "img", "b"}
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<title>&lt;img src=x onerror=alert(1)&gt;</title>" in page
    drawn = "".join("".join(chart.itertext()) for chart in svgs(page))
    assert "<script>alert(1)" in drawn
    assert "$\\frac{1}{2}$ & S" in drawn


def test_names_in_any_script_are_drawn_and_control_characters_are_not() -> None:
    from dataclasses import replace

    result = study_example.result(("\u65e5\u672c\u8a9e", "\u0645\u0632\u064a\u062c", "c", "d"))
    page = render_html(replace(result, run=study_example.run_info(command="bell\x07 \x00\x1b[31m")))
    check(page)
    assert "\u65e5\u672c\u8a9e" in "".join("".join(chart.itertext()) for chart in svgs(page))
    assert not any(category(letter) == "Cc" for letter in page if letter not in "\n\t")
    assert "bell\ufffd \ufffd\ufffd[31m" in page


@pytest.mark.parametrize("kind", ["str", object])
def test_a_table_of_any_kind_of_text_holds_no_formula(kind: object, tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"=name": pd.Series(["=1+1", "-2+3", "plain"], dtype=kind), "x": [1.0, -2.0, 3.0]})  # type: ignore[call-overload]
    write_csv(frame, tmp_path / "t.csv")
    rows = list(csv.reader((tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [["'=name", "x"], ["'=1+1", "1.0"], ["'-2+3", "-2.0"], ["plain", "3.0"]]


def test_names_cannot_become_formulas_or_scripts_in_files(evil: StudyResult, tmp_path: Path) -> None:
    files = write_report(evil, tmp_path)
    assert {path.stem for path in files.tables} == {*COLUMNS, "findings"}
    seen = set()
    for path in files.tables:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
        for cell in (cell for row in rows for cell in row):
            assert cell[:1] not in {"=", "+", "@", "\t"}, (path, cell)
            assert cell[:1] != "-" or float(cell) < 0
            seen.add(cell)
    assert "'=cmd|' /C calc'!A0" in seen
    text = files.json.read_text(encoding="utf-8")
    assert "<script" not in text
    assert json.loads(text)["tables"]["executive"][0]["book"] == EVIL[0]
    assert not list(tmp_path.rglob("*.part"))


def test_json_and_csv_hold_the_numbers_to_the_last_bit(result: StudyResult, tmp_path: Path) -> None:
    files = write_report(result, tmp_path)

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    body = json.loads(files.json.read_text(encoding="utf-8"), parse_constant=refuse)
    assert body["status"] == "red"
    assert body["exit_code"] == 4
    assert [row["haircut"] for row in body["tables"]["executive"][:-1]] == list(result.executive["haircut"][:-1])
    assert body["tables"]["executive"][-1]["haircut"] is None
    import pandas as pd

    read = pd.read_csv(tmp_path / "tables" / "call_probability.csv")
    assert np.array_equal(read["probability"], result.call_probability["probability"])


def test_a_report_of_nothing_is_still_a_report(result: StudyResult) -> None:
    from dataclasses import replace

    keep = {"executive", "timings", "failures"}
    bare = replace(result, **{name: table(name, []) for name in COLUMNS if name not in keep})
    check(render_html(bare))


def test_a_heat_map_counts_what_exceeds_the_limit(result: StudyResult) -> None:
    chart = heat_map("map", result.call_probability, "standard", 63.0, 0.05)
    rows = result.call_probability.query("terms == 'standard' and horizon_days == 63")
    assert chart.title.startswith(f"{(rows['probability'] > 0.05).sum()} of {len(rows)} combinations")


@given(
    st.lists(st.floats(-50, 150), min_size=1, max_size=12),
    st.floats(0.5, 8),
)
def test_labels_are_spread_in_order_and_inside(positions: list[float], gap: float) -> None:
    high = max(100.0, gap * len(positions))
    inside = [min(max(position, 0.0), high) for position in positions]
    placed = spread(inside, gap, 0.0, high)
    order = np.argsort(inside, kind="stable")
    ordered = np.array(placed)[order]
    assert np.all(np.diff(ordered) >= gap - 1e-9)
    assert ordered[0] >= -1e-9
    assert ordered[-1] <= high + 1e-6


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.percent_estimate(0.12345, 0.1226, 0.1243, 0.00043), ("12.35\u202f%", "12.26 to 12.43")),
        (words.percent_estimate(0.5, 0.4, 0.6, 0.05), ("50\u202f%", "40 to 60")),
        (words.percent_estimate(float("nan"), 0, 0, 0), ("n/a", "")),
        (words.money_estimate(1234.5, 1000.0, float("inf")), ("1,234", "1,000 to unbounded")),
        (words.with_error(-0.01234, 0.00056), ("\u22120.01234", "0.00056")),
        (words.probability(0.00012), "0.012\u202f%"),
        (words.change(-0.614), "\u221261\u202f%"),
        (words.change(0.2), "+20\u202f%"),
        (words.change(-0.0004), "0\u202f%"),
        (words.change(-0.9968), "\u221299.7\u202f%"),
        (words.change(-1.0), "\u2212100\u202f%"),
        (words.correlation(-0.004), "0.00"),
        (words.correlation(-0.26), "\u22120.26"),
        (words.share(0.05), "5\u202f%"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_digits_follow_the_error(shown: object, expected: object) -> None:
    assert shown == expected
