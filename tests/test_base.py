"""The ground floor: errors that name everything wrong at once, findings, random keys, escaped tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import CollatriskError, DataError, InputError, Problem
from collatrisk.base.findings import Finding, worst_severity
from collatrisk.base.keys import Purpose, stream_key
from collatrisk.base.tables import html_table, neutralise_formula
from collatrisk.base.validation import Problems


def test_a_finding_about_a_part_names_the_part_once() -> None:
    named = Finding("parameter-on-bound", "info", "alpha[1]", "alpha[1] is on its bound 0")
    other = Finding("ljung-box", "warning", "residuals", "autocorrelated")
    assert named.of_part("BTC") == Finding("parameter-on-bound", "info", "BTC", named.message)
    assert other.of_part("BTC").message == "residuals: autocorrelated"
    assert other.of_part("residuals") is other


def test_all_problems_are_raised_at_once_with_name_value_rule_and_remedy() -> None:
    problems = Problems("Loan")
    problems.number("ltv", 99, low=0, high=1, open_low=True, remedy="give 0.99 for 99 %")
    problems.integer("n_paths", 0.5, low=1, remedy="give a whole number")
    problems.choice("mark", "brigde", ("bridge", "close"))
    with pytest.raises(InputError) as caught:
        problems.raise_if_any()
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "ltv = 99: must be a number in (0, 1]; give 0.99 for 99 %" in text
    assert "n_paths = 0.5: must be a whole number of at least 1; give a whole number" in text
    assert "did you mean 'bridge'?" in text


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.5", None, True])
def test_a_number_must_be_a_finite_number(value: object) -> None:
    problems = Problems("x")
    assert math.isnan(problems.number("ltv", value, remedy="give a number"))
    assert len(problems.found) == 1


def test_open_and_closed_bounds() -> None:
    problems = Problems("x")
    problems.number("a", 0.0, low=0, high=1, remedy="r")
    problems.number("b", 1.0, low=0, high=1, remedy="r")
    assert not problems.found
    problems.number("a", 0.0, low=0, high=1, open_low=True, remedy="r")
    problems.number("b", 1.0, low=0, high=1, open_high=True, remedy="r")
    assert [problem.name for problem in problems.found] == ["a", "b"]


def test_errors_are_also_the_builtin_kind_and_share_a_root() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(DataError, CollatriskError)
    assert str(DataError("prices.csv", [Problem("a", "1", "must be 2", "write 2")])) == (
        "prices.csv: a = 1: must be 2; write 2"
    )


def test_worst_severity_ranks_error_over_warning_over_info() -> None:
    info, warning, error = (Finding("c", s, "x", "m") for s in ("info", "warning", "error"))
    assert worst_severity([info, error, warning]) == "error"
    assert worst_severity([info]) == "info"
    assert worst_severity([]) is None
    assert Finding.from_dict(error.to_dict()) == error


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_no_two_seeds_share_a_stream(first: int, second: int) -> None:
    same = stream_key(first, Purpose.PATHS) == stream_key(second, Purpose.PATHS)
    assert same == (first == second)
    assert stream_key(first, Purpose.PATHS) != stream_key(first, Purpose.BRIDGE)


def test_the_stream_key_is_splitmix64() -> None:
    # Seed 1234567 and increments of the golden gamma: the published first outputs of SplitMix64 (Rosetta Code,
    # "Pseudo-random numbers/Splitmix64").
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(stream_key(1234567, Purpose(purpose))) for purpose in (1, 2, 3)] == published


def test_tables_escape_text_and_spreadsheets_see_no_formula() -> None:
    page = html_table(["<b>"], [["<script>alert(1)</script>"]], caption="a & b")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page
    assert neutralise_formula("=cmd|' /C calc'!A0").startswith("'=")
    assert neutralise_formula("ETH") == "ETH"


def test_one_or_several_of_a_kind() -> None:
    problems = Problems("run")
    assert problems.listed("n", 3, (int,), "r") == (3,)
    assert problems.listed("n", [1, 2], (int,), "r") == (1, 2)
    assert not problems.found
    problems.listed("a", 5, (str,), "give text")
    problems.listed("b", [], (str,), "give text")
    problems.listed("c", ["x", 1], (str,), "give text")
    assert [problem.name for problem in problems.found] == ["a", "b", "c[1]"]


def test_a_number_that_no_float_can_hold_and_a_choice_that_is_no_text() -> None:
    problems = Problems("x")
    problems.number("a", 10**400, remedy="r")
    problems.choice("b", ["bridge"], ("bridge",))
    assert [problem.name for problem in problems.found] == ["a", "b"]


def test_rules_of_one_sided_numbers_are_in_words() -> None:
    problems = Problems("x")
    problems.number("a", -1, low=0, remedy="r")
    problems.number("b", 0, low=0, open_low=True, remedy="r")
    problems.number("c", 2, high=1, remedy="r")
    rules = ["must be a number of at least 0", "must be a number above 0", "must be a number of at most 1"]
    assert [problem.rule for problem in problems.found] == rules
