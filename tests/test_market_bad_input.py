"""Clocks, paths of files and frames from arguments that break a rule: a clear error or finding, no traceback."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr

PRICES = pd.DataFrame(
    100 * np.exp(np.random.default_rng(0).normal(0, 0.01, (60, 2)).cumsum(axis=0)),
    index=pd.date_range("2023-01-01", periods=60),
    columns=["A", "B"],
)


@pytest.mark.parametrize("path", [None, 5, ""])
def test_paths_of_files(path: Any) -> None:
    with pytest.raises(cr.InputError, match="must be the path of a file"):
        cr.load_prices(path)


def test_choices_of_assets(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    PRICES.to_csv(file, index_label="date")
    wrong: Any = 5
    with pytest.raises(cr.InputError, match="assets = 5: must be names"):
        cr.load_prices(file, assets=wrong)


def test_pegs_are_a_mapping() -> None:
    wrong: Any = 5
    with pytest.raises(cr.InputError, match="pegs = 5: must map assets to levels"):
        cr.check_prices(PRICES, pegs=wrong)


@pytest.mark.parametrize("name", ["", "  ", None, float("nan")])
def test_columns_without_a_name(name: Any) -> None:
    """None was an asset called nan."""
    frame = PRICES.set_axis([name, "B"], axis=1)
    found = cr.check_prices(frame).of("unnamed-column")
    assert [(finding.severity, finding.subject) for finding in found] == [("error", "column 1")]
    with pytest.raises(cr.DataError, match="an asset must have a name"):
        cr.log_returns(frame)


@pytest.mark.parametrize("holidays", [5, ("2024-12-25",), (dt.datetime(2024, 12, 25, 9),)])
def test_holidays_are_dates(holidays: Any) -> None:
    with pytest.raises(cr.InputError, match=r"holidays .*must be dates without a time"):
        cr.Clock("business", holidays=holidays)


def test_clocks_of_the_wrong_sort() -> None:
    wrong: Any = ["24/7"]
    with pytest.raises(cr.InputError, match="kind"):
        cr.Clock(wrong)
    with pytest.raises(cr.InputError, match="must be a pandas holiday calendar"):
        cr.Clock.business("NYSE")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "24/7"},
        {"kind": "24/7", "steps_per_day": "a", "days_per_year": 365},
        {"kind": "business", "steps_per_day": 1, "days_per_year": 252, "holidays": ["2024-13-01"]},
        None,
    ],
)
def test_clocks_from_dictionaries_that_are_none(data: Any) -> None:
    with pytest.raises(cr.InputError, match=r"must be what Clock\.to_dict gives"):
        cr.Clock.from_dict(data)
