"""run_margin and Outcomes: the same bits however the work is cut, bounded memory, questions, findings, errors."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from margin_cases import FakePaths, one_path

from collatrisk.base.errors import InputError
from collatrisk.collateral import Account, Loan, Mix, Terms
from collatrisk.margining import EVENTS, METRICS, TAIL_METRICS, run_margin
from collatrisk.risk import expected_shortfall, value_at_risk
from collatrisk.simulation import HistoricalWindows, MarketModel, PathPlan
from collatrisk.sizing import haircut

MODEL = MarketModel.constant({"ETH": 1.2, "BTC": 0.9}, {("ETH", "BTC"): 0.7}, spot={"ETH": 2000.0, "BTC": 40000.0})
PLAN = PathPlan(MODEL, n_paths=5_000, horizon_days=10, seed=7)
LOANS = (
    Loan(Mix({"ETH": 0.6, "BTC": 0.4}), 1_000_000, 0.72, name="mixed"),
    Account({"ETH": 100.0}, {"USD": 60_000.0, "BTC": 2.0}, name="short BTC"),
)
TERMS = Terms({"ETH": 0.85, "BTC": 0.87}, margin_call=1.1, restore_to=1.2, cure_probability=0.4, price_impact=1e-8)


@pytest.fixture(scope="module")
def kept():
    return run_margin(PLAN, LOANS, TERMS, keep="paths")


@pytest.fixture(scope="module")
def streamed():
    return run_margin(PLAN, LOANS, TERMS)


def same_bits(first, second) -> bool:
    same = np.array_equal(first.data.counts, second.data.counts) and first.data.tails == second.data.tails
    return same and first.summary().equals(second.summary())


@pytest.mark.parametrize("size", [1024, 2048, 8192])
def test_outcomes_do_not_depend_on_the_block_size(streamed, size):
    assert same_bits(streamed, run_margin(PLAN, LOANS, TERMS, block_size=size))


@pytest.mark.parametrize("workers", [1, 2])
def test_outcomes_do_not_depend_on_threads(streamed, kept, workers):
    with ThreadPoolExecutor(workers) as pool:
        assert same_bits(streamed, run_margin(PLAN, LOANS, TERMS, executor=pool, block_size=1024))
        again = run_margin(PLAN, LOANS, TERMS, executor=pool, block_size=1024, keep="paths")
    assert again.to_frame().equals(kept.to_frame())


def test_outcomes_do_not_depend_on_processes(streamed):
    with ProcessPoolExecutor(2) as pool:
        assert same_bits(streamed, run_margin(PLAN, LOANS, TERMS, executor=pool, block_size=1024))


def test_fewer_paths_are_a_prefix_of_more(kept):
    fewer = run_margin(replace(PLAN, n_paths=1_500), LOANS, TERMS, keep="paths")
    for row in range(2):
        assert fewer[row].to_frame().equals(kept[row].to_frame().iloc[:1_500])


def test_a_shorter_run_is_the_start_of_a_longer(kept):
    shorter = run_margin(PLAN, LOANS, TERMS, keep="paths", horizon_days=4)
    same = run_margin(replace(PLAN, horizon_days=4), LOANS, TERMS, keep="paths")
    assert shorter.to_frame().equals(same.to_frame())
    assert shorter.horizon_days == 4
    for event in ("margin_called", "liquidated"):
        by_four = kept["mixed"].probability(event, horizon_days=4)
        assert shorter["mixed"].probability(event).value == by_four.value


def test_streamed_numbers_are_those_of_the_columns(streamed, kept):
    for view, columns in zip((*streamed, streamed.book), (*kept, kept.book), strict=True):
        for event in EVENTS:
            assert view.probability(event).value == np.mean(columns.steps(event) >= 0)
        for metric in METRICS:
            assert view.mean(metric).value == pytest.approx(columns.values(metric).mean(), rel=1e-12)
        for metric in TAIL_METRICS:
            sign = -1 if metric == "min_health_factor" else 1
            losses = sign * columns.values(metric)
            for level in (0.95, 0.99):
                assert view.value_at_risk(metric, level).value == sign * value_at_risk(losses, level)
                expected = sign * expected_shortfall(losses, level)
                assert view.expected_shortfall(metric, level).value == pytest.approx(expected, rel=1e-12)
                assert columns.value_at_risk(metric, level).value == view.value_at_risk(metric, level).value


def test_collateral_losses_are_those_of_the_prices_read_alone(streamed, kept):
    """The loss of what was put in, called and sold or not: VaR and ES are the bits of the same losses taken by hand."""
    prices = PLAN.read(0, PLAN.n_paths).prices
    ether, bitcoin = 0.6e6 / 2000.0, 0.4e6 / 40000.0
    by_hand = 1e6 - (ether * prices[-1, 0] + bitcoin * prices[-1, 1])
    losses = kept["mixed"].values("collateral_loss")
    np.testing.assert_allclose(losses, by_hand, rtol=1e-12, atol=1e-9)
    assert losses.min() < -1e5
    assert kept["mixed"].values("top_up").max() > 0
    for level in (0.95, 0.975, 0.99, 0.995):
        var = streamed["mixed"].value_at_risk("collateral_loss", level)
        assert var.value == value_at_risk(losses, level)
        assert streamed["mixed"].expected_shortfall("collateral_loss", level).value == expected_shortfall(losses, level)
        cut = haircut(PLAN, LOANS[0].mix, level=level, mpor_days=10)
        assert cut.value == pytest.approx(var.value / 1e6, rel=1e-12)
        assert cut.ci() == pytest.approx([bound / 1e6 for bound in var.ci()], rel=1e-12)
    np.testing.assert_allclose(kept.book.values("collateral_loss"), losses + kept[1].values("collateral_loss"))
    mean = streamed["mixed"].mean("collateral_loss")
    assert mean.value == pytest.approx(losses.mean(), rel=1e-9)
    assert mean.ci()[0] < 0


def test_probabilities_and_tails_come_from_one_reading():
    reads = []

    class Counted(FakePaths):
        def read(self, first, last):
            reads.append((first, last))
            return super().read(first, last)

    prices = np.exp(np.random.default_rng(5).normal(0.0, 0.1, (4_096, 3, 1)).cumsum(axis=1))
    source = Counted(("X",), np.concatenate([np.ones((4_096, 1, 1)), prices], axis=1))
    out = run_margin(source, Account({"X": 1.0, "USD": 2.0}, {"USD": 2.0}), replace(TERMS, liquidation_threshold=0.8))
    out.probability("margin_called"), out.value_at_risk("collateral_loss"), out.expected_shortfall("collateral_loss")
    assert sum(last - first for first, last in reads) == source.n_paths
    losses = 1.0 - source.prices[:, -1, 0]
    assert out.value_at_risk("collateral_loss").value == pytest.approx(value_at_risk(losses, 0.99), rel=1e-12)


def test_the_book_adds_up(kept):
    total = kept["mixed"].values("debt_repaid") + kept["short BTC"].values("debt_repaid")
    np.testing.assert_allclose(kept.book.values("debt_repaid"), total, rtol=1e-15)
    called = np.minimum.reduce(
        [np.where(view.steps("margin_called") < 0, 99, view.steps("margin_called")) for view in kept]
    )
    np.testing.assert_array_equal(kept.book.steps("margin_called"), np.where(called == 99, -1, called))
    assert kept.book.probability("liquidated").value >= max(view.probability("liquidated").value for view in kept)


def test_memory_does_not_grow_with_the_paths():
    model = MarketModel.constant({"X": 0.8})
    account = Account({"X": 1.0}, {"USD": 0.7 * model.spot[0]})

    def peak(n_paths: int) -> int:
        plan = PathPlan(model, n_paths=n_paths, horizon_days=20)
        tracemalloc.start()
        run_margin(plan, account, Terms(), block_size=4096)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(1024)
    # Only the tails grow: 8 bytes for one path in twenty and quantity, against 440 for the paths and their columns.
    assert peak(40 * 4096) - peak(10 * 4096) < 8 * 30 * 4096


def test_one_account_under_several_terms_in_one_pass():
    sweep = [replace(TERMS, liquidation_threshold=threshold) for threshold in (0.76, 0.80, 0.84)]
    outcomes = run_margin(PLAN, LOANS[0], sweep)
    assert outcomes.accounts == ("mixed #1", "mixed #2", "mixed #3")
    called = [outcomes.probability("margin_called", account=row).value for row in range(3)]
    assert called[0] > called[1] > called[2] > 0
    assert run_margin(PLAN, LOANS[0], sweep[1]).probability("margin_called").value == called[1]


def test_many_accounts_run_in_chunks():
    accounts = [Account({"ETH": 1.0}, {"USD": 1000.0 + 8 * k}, name=f"a{k}") for k in range(70)]
    plan = replace(PLAN, n_paths=300)
    outcomes = run_margin(plan, accounts, TERMS)
    for row in (0, 63, 64, 69):
        alone = run_margin(plan, accounts[row], TERMS)
        assert alone.mean("min_health_factor").value == outcomes[row].mean("min_health_factor").value
    total = sum(view.mean("debt_repaid").value for view in outcomes)
    assert outcomes.book.mean("debt_repaid").value == pytest.approx(total)


def test_windows_of_history_keep_paths_and_widen_intervals():
    rng = np.random.default_rng(2)
    logs = np.cumsum(0.04 * rng.standard_normal(600))
    index = pd.date_range("2022-01-01", periods=600, tz="UTC")
    windows = HistoricalWindows(pd.DataFrame({"X": 100 * np.exp(logs)}, index=index), 10, clock="24/7")
    account = Account({"X": 1.0}, {"USD": 0.7 * windows.spot[0]})
    outcomes = run_margin(windows, account, Terms(0.85))
    assert {finding.code for finding in outcomes.findings} == {"no-bridge", "overlapping-windows"}
    found = outcomes.probability("margin_called")
    assert found.n_effective == windows.n_paths / windows.overlap
    alone = run_margin(
        FakePaths(("X",), windows.read(0, windows.n_paths).prices.transpose(2, 0, 1)), account, Terms(0.85)
    )
    assert alone.probability("margin_called").value == found.value
    assert found.standard_error > alone.probability("margin_called").standard_error
    assert "bootstrap" in outcomes.mean("debt_repaid").method
    assert "bootstrap" in outcomes.value_at_risk("min_health_factor", 0.95).method


def test_findings():
    plain = run_margin(one_path(100, 90), Account({"X": 1.0}, {"USD": 50.0}), replace(TERMS, liquidation_threshold=0.8))
    assert [finding.code for finding in plain.findings] == ["no-bridge"]
    closes = Terms(0.8, mark="close")
    assert run_margin(one_path(100, 90), Account({"X": 1.0}, {"USD": 50.0}), closes).findings == ()
    called = run_margin(one_path(100, 90), Account({"X": 1.0}, {"USD": 75.0}), closes)
    assert [finding.code for finding in called.findings] == ["called-at-start"]
    below = run_margin(
        one_path(100, 90), Account({"X": 1.0}, {"USD": 95.0}), replace(closes, liquidation_threshold=0.99)
    )
    assert [finding.code for finding in below.findings] == ["liquidation-digs", "called-at-start"]
    assert run_margin(PLAN, LOANS, TERMS).findings == ()


def test_tables(streamed, kept):
    summary = streamed.summary()
    assert list(summary.index.get_level_values("account").unique()) == ["mixed", "short BTC", "book"]
    assert (summary.low <= summary.value).all()
    assert (summary.value <= summary.high).all()
    assert summary.loc[("mixed", "P(margin_called)"), "value"] == streamed.probability("margin_called", "mixed").value
    frame = kept.to_frame()
    assert frame.index.names == ["account", "path"]
    assert len(frame) == 2 * PLAN.n_paths
    structure = streamed.term_structure("liquidated", "mixed")
    assert list(structure.columns) == ["days", "probability", "low", "high"]
    assert structure.probability.is_monotonic_increasing
    assert "mixed" in streamed._repr_html_()
    assert "5,000 paths" in streamed["mixed"]._repr_html_()


def test_html_escapes_account_names():
    outcomes = run_margin(one_path(100, 90), Account({"X": 1.0}, {"USD": 50.0}, name="<script>"), Terms(0.8))
    assert "<script>" not in outcomes._repr_html_()


def message(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_errors_say_name_rule_and_remedy(streamed):
    assert "did you mean 'ETH'" in message(lambda: run_margin(PLAN, Account({"EHT": 1.0}, {"USD": 1}), TERMS))
    assert "did you mean 'ETH'" in message(lambda: run_margin(PLAN, Loan({"EHT": 1.0}, 1, 0.5), TERMS))
    assert "must hold at least one" in message(lambda: run_margin(PLAN, [], TERMS))
    assert "must be Terms" in message(lambda: run_margin(PLAN, LOANS, [TERMS, 3]))
    assert "one for each of 2 accounts" in message(lambda: run_margin(PLAN, LOANS, [TERMS] * 3))
    other = Account({"ETH": 1.0}, {"EUR": 1.0}, currency="EUR")
    assert "one currency" in message(lambda: run_margin(PLAN, [LOANS[0], other], TERMS))
    assert "did you mean" in message(lambda: run_margin(PLAN, LOANS, TERMS, keep="path"))
    assert "at most the 10 days" in message(lambda: run_margin(PLAN, LOANS, TERMS, horizon_days=11))
    assert "whole number of steps" in message(lambda: run_margin(PLAN, LOANS, replace(TERMS, cure_days=0.5)))
    assert "multiple of 1024" in message(lambda: run_margin(PLAN, LOANS, TERMS, block_size=1000))
    assert "has no threshold" in message(
        lambda: run_margin(PLAN, LOANS, replace(TERMS, liquidation_threshold={"ETH": 0.8}))
    )
    assert "there are 2 accounts" in message(lambda: streamed.probability("liquidated"))
    assert "did you mean 'liquidated'" in message(lambda: streamed.book.probability("liquidate"))
    assert "did you mean 'mixed'" in message(lambda: streamed["mixd"])
    assert "from 0 to 1" in message(lambda: streamed[2])
    assert "keep='paths'" in message(lambda: streamed.to_frame())
    assert "keep='paths'" in message(lambda: streamed.book.value_at_risk("interest"))
    assert "judged at the end" in message(lambda: streamed.book.probability("shortfall", horizon_days=3))
    assert "0.99 for 99 %" in message(lambda: streamed.book.value_at_risk("shortfall", 99))
    assert "level 0.5" in message(lambda: streamed.book.value_at_risk("shortfall", 0.5))
    currency = one_path(100, 90, asset="USD")
    assert "both the account's currency" in message(lambda: run_margin(currency, Account({"USD": 1.0}, {}), TERMS))


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Loan({"ETH": 1.0}, 1e300, 0.5), "holdings of 100% ETH at 50% LTV = 1e+300"),
        (Account({"ETH": 1.0}, {"USD": 1e-300}, name="dust"), "debts of dust = 1e-300"),
        (Account({"ETH": 1e-300}, {"USD": 1e300}, name="vast"), "debts of vast = 1e+300"),
    ],
)
def test_amounts_that_would_overflow_are_refused(account, words):
    """The run ended, and its variances then failed in the middle of a summary."""
    assert words in message(lambda: run_margin(PLAN, account, TERMS))


def test_the_largest_and_smallest_amounts_have_finite_answers():
    for account in (Account({"ETH": 1e50}, {"USD": 1e-60}), Account({"ETH": 1e-300}, {"USD": 1e60})):
        table = run_margin(PLAN, account, TERMS).summary()
        assert np.all(np.isfinite(table["value"]))


@pytest.mark.parametrize("price", [np.nan, np.inf])
@pytest.mark.parametrize("keep", ["summary", "paths"])
def test_prices_that_are_no_numbers_are_refused(price, keep):
    account = Account({"X": 1.0}, {"USD": 0.5})
    assert "nan or inf" in message(lambda: run_margin(one_path(1.0, 1.1, price), account, Terms(), keep=keep))


def test_lower_levels_on_request():
    outcomes = run_margin(PLAN, LOANS[0], TERMS, lowest_level=0.5)
    assert outcomes.value_at_risk("min_health_factor", 0.5).value > outcomes.value_at_risk("min_health_factor").value


def test_an_account_without_debt_has_an_infinite_health_factor():
    outcomes = run_margin(PLAN, Account({"ETH": 1.0}, {}), TERMS)
    for estimate in (outcomes.mean("min_health_factor"), outcomes.value_at_risk("min_health_factor")):
        assert estimate.value == np.inf
    assert outcomes.probability("margin_called").value == 0
    assert outcomes.mean("remaining_collateral").value == pytest.approx(2000, rel=0.05)


def test_progress_counts_to_the_end():
    seen: list[tuple[int, int]] = []
    run_margin(PLAN, LOANS[0], TERMS, progress=lambda done, total: seen.append((done, total)), block_size=2048)
    assert seen == [(2048, 5000), (4096, 5000), (5000, 5000)]
