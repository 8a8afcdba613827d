"""Books: reading positions; calls and liquidations against a naive twin and the margin engine; pruning to the bit."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import naive_books as naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from numba import njit

import collatrisk as cr
from collatrisk.kernels.tile import ROWS, STEPS, steps_below_plain
from collatrisk.kernels.vectors import steps_below_wide
from collatrisk.margining.book import BookTask
from collatrisk.margining.book_calls import METRICS
from collatrisk.margining.book_rows import book_rows
from collatrisk.risk import expected_shortfall, value_at_risk
from collatrisk.simulation import HistoricalWindows, MarketModel, PathPlan

ASSETS = ("ETH", "BTC", "SOL")
MODEL = MarketModel.constant(
    {"ETH": 0.9, "BTC": 0.7, "SOL": 1.3}, 0.6, spot={"ETH": 2000.0, "BTC": 40_000.0, "SOL": 50.0}
)
SPOT = np.array([2000.0, 40_000.0, 50.0, 1.0])


def random_book(n: int, seed: int = 0, *, lent: float = 0.0, own: bool = False) -> cr.Book:
    """Accounts worth about 1e5 with one to three assets and cash; a share `lent` of them owes assets too."""
    rng = np.random.default_rng(seed)
    values = rng.dirichlet(np.full(4, 0.4), n) * 1e5
    values[values < 8e3] = 0.0
    held = values / SPOT
    owed = np.zeros((n, 4))
    debts = rng.uniform(0.3, 0.95, n) * values.sum(axis=1)
    debts[::7] = 0.0
    in_assets = rng.random(n) < lent
    owed[:, 3] = np.where(in_assets, 0.4, 1.0) * debts
    owed[in_assets, 1] = 0.6 * debts[in_assets] / SPOT[1]
    thresholds = np.where(rng.random(n) < 0.5, rng.uniform(0.6, 0.95, n), np.nan) if own else None
    return cr.Book(tuple(f"a{i}" for i in range(n)), ASSETS, held, owed, thresholds)


@njit
def steps_in_registers(prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits):
    return steps_below_wide(prices, at, stride, columns, first, last, weights, row, cash, scales, step, limits)


def plan(n_paths: int = 70, days: float = 6) -> PathPlan:
    return PathPlan(MODEL, n_paths=n_paths, horizon_days=days, seed=5)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 99),
    lent=st.sampled_from([0.0, 0.4]),
    own=st.booleans(),
    rate=st.sampled_from([0.0, 0.5, -0.05]),
    prune=st.booleans(),
)
def test_calls_and_liquidations_are_those_of_the_twin(seed, lent, own, rate, prune):
    source, book = plan(), random_book(11, seed, lent=lent, own=own)
    terms = cr.Terms(
        {"ETH": 0.8, "*": 0.75, "USD": 0.95}, margin_call=1.2, restore_to=1.3, borrow_rate=rate, mark="close"
    )
    found = cr.book_margin_calls(source, book, terms, prune=prune)
    prices = source.read(0, source.n_paths).prices
    first = naive.book_calls(prices, source.assets, book, terms, source.clock.step_years)
    np.testing.assert_array_equal(found.hits, (first >= 0).sum(axis=2))
    sums = naive.book_sums(first, book.owed @ SPOT, source.n_steps)
    for metric, rows in zip(METRICS, sums, strict=True):
        for t, row in enumerate(rows):
            assert found.mean(metric, t).value == pytest.approx(row.mean(), rel=1e-12)
            assert found.value_at_risk(metric, 0.95, t).value == pytest.approx(value_at_risk(row, 0.95), rel=1e-12)
        last = found.expected_shortfall(metric, 0.97).value
        assert last == pytest.approx(expected_shortfall(rows[-1], 0.97), rel=1e-12)
    assert found.liquidations_at_risk(0.96) == found.value_at_risk("debt_liquidated", 0.96)


@pytest.mark.parametrize("lent", [0.0, 0.3])
def test_without_cures_these_are_the_first_events_of_the_margin_engine(lent):
    source, book = plan(400, 12), random_book(20, 3, lent=lent)
    terms = cr.Terms(0.8, margin_call=1.15, mark="close", borrow_rate=0.1, liquidation_bonus=0.0)
    accounts = [
        cr.Account(
            dict(zip((*ASSETS, "USD"), held, strict=True)), dict(zip((*ASSETS, "USD"), owed, strict=True)), name=name
        )
        for name, held, owed in zip(book.names, book.held.tolist(), book.owed.tolist(), strict=True)
    ]
    assert cr.Book.from_accounts(accounts).held.shape == book.held.shape
    outcomes = cr.run_margin(source, accounts, terms)
    found = cr.book_margin_calls(source, cr.Book.from_accounts(accounts), terms)
    assert 0 < found.hits[:, 1].sum() < found.hits[:, 0].sum()
    for name in book.names:
        for event in ("margin_called", "liquidated"):
            assert found.probability(event, name) == outcomes.probability(event, name)


@pytest.mark.parametrize("days", [8, 37])
def test_pruned_is_dense_to_the_last_bit_whatever_the_blocks_workers_and_order(days):
    source = plan(2_500, days)
    book = random_book(403, 1, lent=0.3, own=True)
    terms = cr.Terms(0.8, margin_call=1.2, restore_to=1.3, borrow_rate=0.2, mark="close")
    dense = cr.book_margin_calls(source, book, terms, prune=False)
    assert 0.01 < dense.hits.mean() / source.n_paths < 0.8
    with ThreadPoolExecutor(2) as executor:
        others = [
            cr.book_margin_calls(source, book, terms),
            cr.book_margin_calls(source, book, terms, block_size=4096, executor=executor),
            cr.book_margin_calls(source, book, terms, prune=False, block_size=2048),
        ]
    for other in others:
        np.testing.assert_array_equal(other.hits, dense.hits)
        assert other.tails == dense.tails
        assert other.moments == dense.moments
    rows = book_rows(book, terms, source)
    blocks = [BookTask(source, rows, days, prune)(0, 1500) for prune in (False, True)]
    np.testing.assert_array_equal(blocks[0].sums, blocks[1].sums)
    np.testing.assert_array_equal(blocks[0].hits, blocks[1].hits)
    assert (blocks[0].sums[:, :, 0] == 0).all()
    assert blocks[0].sums.any()


@pytest.mark.parametrize("kernel", [steps_in_registers, steps_below_plain])
@pytest.mark.parametrize("n_columns", [0, 1, 5])
def test_both_ways_to_follow_a_path_agree_with_the_twin_to_the_last_bit(kernel, n_columns):
    rng = np.random.default_rng(n_columns)
    n_steps, at = 20, 7  # the last twelve of the second sixteen have no scale
    prices = rng.lognormal(size=at + 6 * n_steps + STEPS)
    scales = np.r_[rng.uniform(0.9, 1, n_steps), np.full(12, np.nan)]
    columns, weights = rng.permutation(6)[:n_columns].astype(np.int64), rng.standard_normal((n_columns, ROWS))
    cash = rng.random(2 * ROWS)
    limits = np.sort(rng.normal(2, 2, (2 * ROWS, 2)), axis=1)[:, ::-1].copy()
    for step in (0, STEPS):
        below = kernel(
            prices, at + step, n_steps, np.r_[np.int64(5), columns], 1, 1 + n_columns,
            np.r_[np.ones(ROWS), weights.ravel()], ROWS, cash, scales, step, limits,
        )  # fmt: skip
        sums = naive.path_sums(prices[at:], n_steps, columns, weights, cash[ROWS:], scales[:n_steps])
        for which, bits in enumerate(below):
            expected = (sums < limits[ROWS:, which, None])[:, step : step + STEPS]
            found = [[bits >> (r * STEPS + k) & 1 for k in range(expected.shape[1])] for r in range(ROWS)]
            np.testing.assert_array_equal(found, expected)
            assert bits.bit_count() == expected.sum()


def test_windows_of_history_count_as_fewer():
    steps = np.random.default_rng(2).standard_normal((300, 3)) * 0.04
    index = pd.date_range("2022-01-01", periods=300, tz="UTC")
    prices = pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), index=index, columns=ASSETS)
    source = HistoricalWindows(prices, 10, clock="24/7")
    book = cr.Book(("one",), ASSETS, [[1.0, 0, 0, 0]], [[0, 0, 0, 70.0]])
    found = cr.book_margin_calls(source, book, cr.Terms(0.85))
    engine = cr.run_margin(source, cr.Account({"ETH": 1.0}, {"USD": 70.0}), cr.Terms(0.85))
    assert found.probability("margin_called", "one") == engine.probability("margin_called")
    assert {finding.code for finding in found.findings} == {"no-bridge", "overlapping-windows"}
    table = found.to_frame(0.9)
    estimate = found.probability("liquidated", 0)
    row = table.iloc[0]
    assert (row["liquidated"], row["liquidated_low"], row["liquidated_high"]) == (estimate.value, *estimate.ci(0.9))


def test_cash_alone_is_followed_too():
    book = cr.Book(("called", "fine", "empty"), (), [[10.0], [20.0], [0.0]], [[9.5], [9.5], [0.0]])
    found = cr.book_margin_calls(plan(), book, cr.Terms(0.8, margin_call=1.1))
    np.testing.assert_array_equal(found.hits, [[70, 0], [0, 0], [0, 0]])
    assert found.mean("debt_called", 0).value == 9.5


def test_the_answer_speaks():
    found = cr.book_margin_calls(plan(), random_book(9), cr.Terms(0.8), horizon_days=3, lowest_level=0.9)
    assert repr(found) == "BookCalls(9 accounts, 70 paths, 3 days)"
    assert "99 % debt_liquidated" in found._repr_html_()
    table = found.term_structure("accounts_called", 0.95)
    assert list(table["days"]) == [0.0, 1.0, 2.0, 3.0]
    assert table["mean"].is_monotonic_increasing
    assert table["value_at_risk"].is_monotonic_increasing
    assert (table["mean_low"] <= table["mean"]).all()
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.hits, found.hits)
    assert again.book == found.book


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (lambda out: out.probability("cured", 0), "event"),
        (lambda out: out.probability("liquidated", "nobody"), "account"),
        (lambda out: out.probability("liquidated", 99), "account"),
        (lambda out: out.mean("shortfall"), "metric"),
        (lambda out: out.value_at_risk("debt_called", 0.99, 99.0), "horizon_days"),
        (lambda out: out.value_at_risk("debt_called", 0.5), "keep"),
        (lambda out: out.to_frame(95), "confidence"),
    ],
)
def test_questions_without_an_answer_are_refused(ask, named):
    found = cr.book_margin_calls(plan(), random_book(5), cr.Terms(0.8))
    with pytest.raises(cr.InputError, match=named):
        ask(found)


def test_what_the_source_or_the_terms_do_not_know_is_refused_at_once():
    book = cr.Book(("a",), ("ETH", "DOGE", "PEPE"), [[1.0, 2, 3, 0]], [[0, 0, 0, 1.0]])
    with pytest.raises(cr.InputError) as error:
        cr.book_margin_calls(plan(), book, cr.Terms({"ETH": 0.8}))
    assert {(problem.name, problem.value) for problem in error.value.problems} >= {
        ("book", "'DOGE'"),
        ("book", "'PEPE'"),
        ("liquidation_threshold", "'DOGE'"),
    }
    with pytest.raises(cr.InputError, match="book"):
        cr.book_margin_calls(plan(), "book", "terms")
    with pytest.raises(cr.InputError, match="prune = 'no'"):
        cr.book_margin_calls(plan(), random_book(5), cr.Terms(0.8), prune="no")


POSITIONS = pd.DataFrame(
    {
        "account": ["x", "x", "y", "y"],
        "asset": ["ETH", "USD", "USD", "BTC"],
        "held": [2.0, None, 5.0, 0.1],
        "owed": [0.0, 900.0, None, 0.0],
        "liquidation_threshold": [0.7, None, None, None],
        "note": ["", "", "", ""],
    }
)


def test_a_book_of_positions():
    book = cr.Book.from_frame(POSITIONS)
    assert book.names == ("x", "y")
    assert book.assets == ("ETH", "BTC")
    np.testing.assert_array_equal(book.held, [[2, 0, 0], [0, 0.1, 5]])
    np.testing.assert_array_equal(book.owed, [[0, 0, 900], [0, 0, 0]])
    np.testing.assert_array_equal(book.liquidation_threshold, [0.7, math.nan])
    assert cr.Book.from_frame(POSITIONS.drop(columns=["owed", "liquidation_threshold"])).liquidation_threshold is None
    assert book == cr.Book.from_frame(POSITIONS)
    assert book != cr.Book.from_frame(POSITIONS.assign(held=1.0))
    assert not book.held.flags.writeable
    assert "ETH" in book._repr_html_()


def test_all_that_is_wrong_with_positions_is_said_at_once():
    bad = pd.DataFrame(
        {
            "account": ["x", None, "y", "z", "z"],
            "asset": ["ETH", "ETH", " ", "BTC", "ETH"],
            "held": [1, -2.0, "many", math.inf, 1],
            "owed": [True, 1, 1, 1, 1],
            "liquidation_threshold": [0.0, 85, 0.5, 0.6, 0.7],
        }
    )
    with pytest.raises(cr.InputError) as error:
        cr.Book.from_frame(bad)
    rules = [(problem.name, problem.rule) for problem in error.value.problems]
    assert rules == [
        ("account", "must not be empty"),
        ("asset", "must not be empty"),
        ("held", "must be a number"),
        ("held", "must be finite"),
        ("held", "must not be negative"),
        ("liquidation_threshold", "must be in (0, 1]"),
    ]
    with pytest.raises(cr.InputError) as error:
        cr.Book.from_frame(POSITIONS.rename(columns={"account": "id", "held": "h", "owed": "o"}))
    assert len(error.value.problems) == 2
    twice = pd.concat([POSITIONS, POSITIONS.assign(liquidation_threshold=0.9)])
    with pytest.raises(cr.InputError) as error:
        cr.Book.from_frame(twice)
    assert [problem.name for problem in error.value.problems] == ["asset", "liquidation_threshold"]
    for nothing in ("text", None, POSITIONS.iloc[:0], POSITIONS.astype({"held": bool})):
        with pytest.raises(cr.InputError):
            cr.Book.from_frame(nothing)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"names": ("a", "a")}, "names"),
        ({"names": ("a", "")}, "names"),
        ({"assets": ("ETH", "USD")}, "assets"),
        ({"held": [[1.0, 2.0, 3.0]]}, "held"),
        ({"held": [[1.0, -2.0, 3.0], [0, 0, math.nan]]}, "held"),
        ({"owed": "much"}, "owed"),
        ({"liquidation_threshold": [0.5]}, "liquidation_threshold"),
        ({"liquidation_threshold": [0.5, 1.5]}, "liquidation_threshold"),
        ({"currency": ""}, "currency"),
    ],
)
def test_books_that_are_none_are_refused(change, named):
    good = cr.Book(("a", "b"), ("ETH", "BTC"), np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(cr.InputError, match=named):
        replace(good, **change)


def test_accounts_of_two_currencies_make_no_book():
    with pytest.raises(cr.InputError, match="currency"):
        cr.Book.from_accounts([cr.Account({"ETH": 1}, {}), cr.Account({"ETH": 1}, {}, "EUR")])
