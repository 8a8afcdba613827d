"""The two-line way, on real prices: what is printed, what is written, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import collatrisk as cr

LOAN = cr.Loan(cr.Mix({"SP500": 0.6, "WTI": 0.4}), collateral_value=1_000_000, ltv=0.6)


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    from arch.data import sp500, wti

    frame = pd.DataFrame({"SP500": sp500.load()["Adj Close"], "WTI": wti.load()["DCOILWTICO"]})["2010":"2018"]
    frame.index = pd.DatetimeIndex(frame.index, name="date").tz_localize("UTC")
    return frame.dropna(how="all")


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def assessment(prices: pd.DataFrame, said: list[str]) -> cr.Assessment:
    return cr.assess(prices, LOAN, n_paths=2_000, scenarios=("t-2011-08",), say=said.append)


def test_the_clock_and_the_terms_that_were_used_are_said(assessment: cr.Assessment, said: list[str]) -> None:
    assert said[0] == "clock: business clock, daily steps, 252 days a year (found from the dates)"
    assert said[1].startswith("terms: liquidation threshold 0.85")
    assert said[1].endswith("(the defaults)")
    assert assessment.terms == cr.Terms()


def test_its_numbers_are_those_of_the_rooms_below(assessment: cr.Assessment, prices: pd.DataFrame) -> None:
    model = cr.fit_market(prices, clock="business")
    plan = cr.PathPlan(model, n_paths=2_000, horizon_days=30, seed=0)
    called = cr.run_margin(plan, LOAN, cr.Terms()).probability("margin_called")
    cut = cr.haircut(plan, LOAN.mix, level=0.99, mpor_days=10, measure="es")
    row = assessment.summary().iloc[0]
    assert (row["call_probability"], row["call_probability_low"]) == (called.value, called.ci()[0])
    assert row["haircut"] == pytest.approx(cut.value, rel=1e-12)


def test_the_report_is_one_file(assessment: cr.Assessment, tmp_path: Path) -> None:
    path = assessment.report(tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert "60% SP500, 40% WTI" in page
    assert "<script" not in page
    with pytest.raises(cr.InputError, match=r"must end in \.html"):
        assessment.report(tmp_path / "report.pdf")
    with pytest.raises(cr.InputError, match="folder that exists"):
        assessment.report(tmp_path / "nowhere" / "report.html")


def test_it_shows_itself_shortly(assessment: cr.Assessment) -> None:
    assert "business clock" in assessment._repr_html_()
    assert len(repr(assessment)) < 400


def test_several_accounts_share_the_paths(prices: pd.DataFrame) -> None:
    account = cr.Account({"SP500": 100.0}, {"USD": 100_000.0}, name="shares")
    both = cr.assess(prices, [LOAN, account], n_paths=1_000, scenarios=(), say=None)
    assert list(both.summary()["book"]) == ["60% SP500, 40% WTI at 60% LTV", "shares"]


def test_what_cannot_be_assessed_is_refused(prices: pd.DataFrame) -> None:
    with pytest.raises(cr.InputError, match="must be Loan or Account"):
        cr.assess(prices, [0.6], say=None)  # type: ignore[list-item]
    unknown = cr.Loan(cr.Mix({"SP50": 1.0}), collateral_value=1.0, ltv=0.5)
    with pytest.raises(cr.InputError, match="did you mean 'SP500'"):
        cr.assess(prices, unknown, say=None)
    with pytest.raises(cr.DataError):
        cr.assess(prices * np.where(np.arange(len(prices)) == 5, -1.0, 1.0)[:, None], LOAN, say=None)
