"""Running a study: tables that agree with the rooms below, cells that fail alone, batches that resume."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collatrisk.base.errors import DataError
from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.margining import run_margin
from collatrisk.simulation import MarketModel, PathPlan
from collatrisk.sizing import haircut, max_ltv
from collatrisk.study import Book, Grid, MarketPlan, Sizing, StressPlan, Study, StudyResult, run_study
from collatrisk.study.result import COLUMNS, QUANTITIES

MODEL = MarketModel.constant({"ETH": 0.9, "BTC": 0.7}, correlation=0.7)
TERMS = {"standard": Terms(0.8), "late": Terms(0.8, liquidation_delay_days=1, close_factor=1.0)}
STUDY = Study(
    name="small",
    market=MarketPlan(calibration=MODEL),
    books=(
        Book("ETH", Loan(Mix({"ETH": 1.0}), 1e5, 0.6)),
        Book("half", Loan(Mix({"ETH": 0.5, "BTC": 0.5}), 1e5, 0.6)),
        Book("account", Account({"BTC": 3.0, "USD": 1.0}, {"USD": 2.0})),
    ),
    terms=TERMS,
    seed=11,
    n_paths=3000,
    horizon_days=10,
    grid=Grid((0.5, 0.6), (2.0, 10.0)),
    sizing=Sizing(mpor_days=5, max_shortfall_probability=0.02),
    stress=StressPlan(("h-crypto-50",), 1024),
)


@pytest.fixture(scope="module")
def result() -> StudyResult:
    return run_study(STUDY)


def same(one: StudyResult, other: StudyResult) -> None:
    for name, frame in one.tables.items():
        if name != "timings":
            pd.testing.assert_frame_equal(frame, other.tables[name], check_exact=True)


def test_every_table_has_its_columns_and_every_book_its_row(result: StudyResult) -> None:
    assert {name: tuple(frame.columns) for name, frame in result.tables.items()} == dict(COLUMNS)
    assert list(zip(result.executive["terms"], result.executive["book"], strict=True)) == [
        (terms, book.name) for terms in TERMS for book in STUDY.books
    ]
    assert not len(result.failures)
    assert result.exit_code == 0
    assert len(result.call_probability) == 2 * 3 * 2 * 2
    assert set(result.term_structure["days"]) == set(range(11))


def test_the_executive_table_says_what_the_rooms_below_say(result: StudyResult) -> None:
    plan = PathPlan(MODEL, n_paths=3000, horizon_days=10, seed=11)
    row = result.executive[(result.executive["book"] == "half") & (result.executive["terms"] == "standard")].iloc[0]
    mix = Mix({"ETH": 0.5, "BTC": 0.5})
    cut = haircut(plan, mix, level=0.99, mpor_days=5, measure="es")
    limit = max_ltv(plan, mix, TERMS["standard"], max_call_probability=0.05)
    outcomes = run_margin(plan, Loan(mix, 1e5, 0.6), TERMS["standard"], lowest_level=0.99)
    for name, estimate in (
        ("haircut", cut),
        ("max_ltv", limit),
        ("call_probability", outcomes.probability("margin_called")),
        ("liquidation_probability", outcomes.probability("liquidated")),
        ("shortfall_es", outcomes.expected_shortfall("shortfall", 0.99)),
    ):
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == (estimate.value, *estimate.ci()), name
    assert row["ltv"] == pytest.approx(0.6)
    assert row["call_at"] == pytest.approx(1.1 / (0.8 / 0.6))
    assert row["threshold"] == pytest.approx(0.8)


def test_intervals_hold_their_values(result: StudyResult) -> None:
    for name in QUANTITIES:
        value, low, high = (result.executive[f"{name}{part}"] for part in ("", "_low", "_high"))
        known = value.notna()
        assert known.any(), name
        assert ((low <= value) & (value <= high))[known].all(), name


def test_distributions_are_those_of_the_paths(result: StudyResult) -> None:
    bins = result.loss_histogram[result.loss_histogram["book"] == "ETH"]
    assert bins["count"].sum() == STUDY.n_paths
    prices = PathPlan(MODEL, n_paths=3000, horizon_days=10, seed=11).read(0, 3000).prices[5, 0]
    in_bin = (1 - prices >= 0.1) & (1 - prices < 0.105)
    assert bins.loc[np.isclose(bins["left"], 0.1), "count"].item() == in_bin.sum()
    fan = result.fan[(result.fan["subject"] == "BTC") & (result.fan["days"] == 10)].iloc[0]
    sd = 0.7 * math.sqrt(10 / 365)
    error = math.sqrt(0.25 / 3000) / (math.exp(-0.0) / (sd * math.sqrt(2 * math.pi)))
    assert math.log(fan["q50"]) == pytest.approx(-(sd**2) / 2, abs=4 * error)


def test_a_notebook_sees_every_number_with_its_interval(result: StudyResult) -> None:
    shown = result._repr_html_()
    row = result.executive.iloc[0]
    for name in QUANTITIES[:3]:
        assert f"{row[name]:.4g} [{row[f'{name}_low']:.4g}, {row[f'{name}_high']:.4g}]" in shown


def test_ratings_follow_the_intervals(result: StudyResult) -> None:
    table = result.executive
    limit = STUDY.sizing.max_call_probability
    assert (table.loc[table["call_probability_low"] > limit, "rating"] == "breach").all()
    within = table["rating"] == "within"
    assert (table.loc[within, "call_probability_high"] <= limit).all()
    assert result.status == "red"


def test_results_do_not_depend_on_the_workers(result: StudyResult) -> None:
    with ThreadPoolExecutor(2) as executor:
        same(result, run_study(STUDY, executor=executor))


def test_a_bad_book_is_a_row_with_a_reason_and_spoils_no_other(result: StudyResult) -> None:
    bad = Book("bad", Loan(Mix({"ETC": 1.0}), 1e5, 0.6))
    study = replace(STUDY, books=(STUDY.books[0], bad, *STUDY.books[1:]))
    found = run_study(study)
    rows = found.executive[found.executive["book"] == "bad"]
    assert list(rows["status"]) == ["failed", "failed"]
    assert rows["reason"].str.contains("ETC").all()
    assert rows["call_probability"].isna().all()
    assert found.exit_code == 4
    assert found.status == "red"
    assert set(found.failures["book"]) == {"bad"}
    others = found.executive[found.executive["book"] != "bad"].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, result.executive, check_exact=True)
    shocked = found.stress[found.stress["book"] != "bad"].reset_index(drop=True)
    pd.testing.assert_frame_equal(shocked, result.stress, check_exact=True)


def test_a_killed_batch_resumes_and_ends_at_the_same_numbers(result: StudyResult, tmp_path: Path) -> None:
    def kill(what: str, done: float, total: float) -> None:
        if what.startswith("stress"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY, progress=kill, cells_dir=tmp_path)
    assert any(tmp_path.glob("*.json"))
    resumed = run_study(STUDY, cells_dir=tmp_path)
    counts = resumed.timings.set_index("step")
    assert counts.loc["sizing, late", "resumed"] == counts.loc["sizing, late", "cells"] > 0
    assert counts.loc["stress tests, late", "resumed"] == 0
    same(result, resumed)
    again = run_study(STUDY, cells_dir=tmp_path).timings.iloc[1:]
    assert (again["resumed"] == again["cells"]).all()


def test_cells_are_found_again_only_for_the_same_question(tmp_path: Path) -> None:
    small = replace(STUDY, terms={"standard": TERMS["standard"]}, stress=StressPlan(()))
    run_study(small, cells_dir=tmp_path)
    seeded = run_study(replace(small, seed=12), cells_dir=tmp_path).timings
    assert seeded["resumed"].sum() == 0
    more = replace(small, books=(*small.books, Book("new", Loan(Mix({"BTC": 1.0}), 1e5, 0.5))))
    grown = run_study(more, cells_dir=tmp_path).timings.set_index("step")
    assert grown.loc["margin calls, standard", "cells"] - grown.loc["margin calls, standard", "resumed"] == 2
    for path in tmp_path.glob("*.json"):
        path.write_text("{broken", encoding="utf-8")
    assert run_study(small, cells_dir=tmp_path).timings["resumed"].sum() == 0


def test_progress_grows_to_the_end() -> None:
    seen: list[tuple[float, float]] = []
    run_study(replace(STUDY, n_paths=2048), progress=lambda what, done, total: seen.append((done, total)))
    done = [one for one, _ in seen]
    assert all(0 <= one <= total for one, total in seen)
    assert done[-1] == seen[-1][1]
    assert done == sorted(done)


def test_progress_counts_cells_of_an_earlier_run_as_done(tmp_path: Path) -> None:
    shares: list[dict[str, float]] = []
    for _ in range(2):
        seen: dict[str, float] = {}

        def report(what: str, done: float, total: float, seen: dict[str, float] = seen) -> None:
            seen.setdefault(what, done / total)

        run_study(replace(STUDY, n_paths=2048), progress=report, cells_dir=tmp_path)
        shares.append(seen)
    first, again = shares
    for step in ("margin calls, late", "stress tests, late"):
        assert again[step] == pytest.approx(first[step])


def test_an_account_that_owes_a_volatile_asset_has_probabilities_but_no_loan_to_value_limit() -> None:
    short = Book("short", Account({"USD": 100.0}, {"ETH": 75.0}))
    study = replace(STUDY, books=(short,), terms={"standard": TERMS["standard"]}, stress=StressPlan(()))
    found = run_study(study)
    row = found.executive.iloc[0]
    assert row["status"] == "ok"
    assert 0 < row["call_probability"] < 1
    assert math.isnan(row["max_ltv"])
    assert not len(found.call_probability)


def test_prices_are_fitted_and_their_fit_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    index = pd.date_range("2022-01-01", periods=500, freq="D", tz="UTC")
    walk = np.exp(np.cumsum(0.03 * rng.standard_normal((500, 2)), axis=0))
    prices = pd.DataFrame(100 * walk, index=index, columns=["ETH", "BTC"])
    from collatrisk.volatility import ConstantVolatility

    market = MarketPlan(prices=prices, clock="24/7", volatility={"default": ConstantVolatility()})
    study = replace(STUDY, market=market, terms={"standard": TERMS["standard"]}, books=STUDY.books[:1])
    first, second = run_study(study, cells_dir=tmp_path), run_study(study, cells_dir=tmp_path)
    assert second.timings["resumed"].iloc[0] == 1
    assert first.model is not None
    assert second.model is not None
    assert first.model.fingerprint() == second.model.fingerprint()
    same(first, second)
    assert first.run.first == "2022-01-01"
    assert first.run.n_obs == 499
    assert len(first.run.hashes["input"]) == 64
    with pytest.raises(DataError):
        run_study(replace(study, market=replace(market, prices=prices.iloc[:1])))
