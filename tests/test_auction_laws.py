"""What holds of any auctions: nothing is lost or made, limits hold, and nothing but the stated order matters."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from auction_cases import HOURLY, depths, keepers, random_book, random_terms
from hypothesis import given, settings, strategies as st
from margin_cases import FakePaths, one_path, random_paths

from collatrisk.collateral import Account
from collatrisk.liquidation import (
    AuctionTerms,
    BatchTerms,
    Depth,
    DutchTerms,
    EnglishTerms,
    ExponentialDecrease,
    Keepers,
    StairstepExponentialDecrease,
    run_auctions,
)

MAKER = DutchTerms(StairstepExponentialDecrease(0.99, 90.0), 1.2, tail_s=8400, cusp=0.4, chip=0.001, penalty=0.13)


@st.composite
def random_case(draw):
    source, accounts = draw(random_book())
    return source, accounts, draw(random_terms(source.assets)), draw(keepers), draw(depths)


@settings(max_examples=50)
@given(random_case())
def test_collateral_and_money_are_conserved(case) -> None:
    source, accounts, terms, bidders, depth = case
    out = run_auctions(source, accounts, terms, keepers=bidders, depth=depth, tick_s=600, keep="paths")
    table, frame = out.auctions(), out.to_frame()
    ends = dict(zip(source.assets, source.prices[:, -1].T, strict=True))
    growth = math.exp(terms.borrow_rate * HOURLY.step_years * source.n_steps)
    assert np.allclose(table.collateral, table.sold + table.returned + table.lot, rtol=1e-9, atol=1e-12)
    assert np.allclose(table.target, table.raised + table.given_up + table.tab, rtol=1e-9, atol=1e-9)
    for name in ("sold", "returned", "lot", "raised", "given_up", "tab", "resold", "value_sold", "gas_paid", "rewards"):
        assert (table[name] >= 0).all(), name
    for name in set(frame.columns) - {"keeper_profit", "borrower_cost"}:
        assert not (frame[name] < 0).any(), name
    for account in accounts:
        mine, rows = table[table.account == account.name], frame.loc[account.name]
        debt = account.debts["USD"] + rows.interest
        owed = rows.debt_repaid + rows.cash_used + rows.outstanding_debt + rows.written_off
        assert np.allclose(owed, debt, rtol=1e-8)
        assert (rows.interest <= account.debts["USD"] * (growth - 1) * (1 + 1e-9) + 1e-12).all()
        for path in range(source.n_paths):
            sales = mine[mine.path == path]
            assert sales.raised.sum() == pytest.approx(rows.raised[path])
            sold = sales.groupby("asset").sold.sum()
            left = account.holdings["USD"] - rows.cash_used[path]
            for asset in source.assets:
                left += (account.holdings[asset] - sold.get(asset, 0.0)) * ends[asset][path]
            assert rows.remaining_collateral[path] == pytest.approx(left, rel=1e-8, abs=1e-8)
            short = max(rows.outstanding_debt[path] - left, 0.0) + rows.written_off[path]
            assert rows.shortfall[path] == pytest.approx(short, abs=1e-7)
    paid = frame.raised + frame.keeper_profit - frame.keeper_rewards
    resold = frame.collateral_sold - frame.slippage_cost
    gas = table.groupby(["account", "path"]).gas_paid.sum().reindex(frame.index, fill_value=0.0)
    assert np.allclose(paid, resold - gas, rtol=1e-8, atol=1e-8)


@settings(max_examples=30)
@given(random_case())
def test_limits_are_never_exceeded_but_by_dust(case) -> None:
    source, accounts, terms, bidders, depth = case
    out = run_auctions(source, accounts, terms, keepers=bidders, depth=depth, tick_s=600, keep="paths")
    table = out.auctions()
    slack = 1 + 1e-9
    for path in range(source.n_paths):
        mine = table[table.path == path]
        for moment in mine.first_s:
            running = mine[(mine.first_s <= moment) & (mine.end_s > moment)]
            assert len(running) <= terms.most_running
            untouched = running[(running.first_s == moment) & (running.sold == 0) & (running.raised == 0)]
            for asset, lots in untouched.groupby("asset"):
                rule = terms.rule_of(asset)
                extra = rule.dust * (1 + rule.penalty) * len(lots)
                assert lots.target.sum() <= (rule.collateral_capacity + extra) * slack
                assert (lots.debt <= (terms.max_lot_of(asset) + rule.dust) * slack).all()
    if not math.isinf(terms.capacity):
        first = table[table.first_s == 0].groupby("path").target.sum()
        extra = sum(rule.dust * (1 + rule.penalty) for rule in terms.rules) * len(accounts)
        assert (first <= (terms.capacity + extra) * slack).all()


def a_book(n: int = 4) -> list[Account]:
    return [Account({"X": 1.0 + 0.1 * i}, {"USD": 80.0 + 9.3 * i}, name=f"v{i}") for i in range(n)]


def hourly(n_paths: int = 40, sigma: float = 0.02, steps: int = 24) -> FakePaths:
    paths = random_paths(np.random.default_rng(5), n_paths, steps, 1, sigma)
    prices = 100 * paths.prices / paths.prices[:, :1]
    return FakePaths(("X",), prices, paths.variance, np.eye(1), seed=9, clock=HOURLY)


SHARED = Keepers(3, 0.01, 0.03, capital=50.0, latency_s=900, gas=0.01)
LIMITED = AuctionTerms(replace(MAKER, capacity=150.0), liquidation_threshold=0.9)


def test_the_order_in_which_accounts_are_listed_does_not_matter() -> None:
    source, book, depth = hourly(), a_book(), Depth.square_root(5_000.0, 0.04, stress=2.0)
    order = [2, 0, 3, 1]
    one = run_auctions(source, book, LIMITED, keepers=SHARED, depth=depth, tick_s=120, keep="paths").to_frame()
    shuffled = [book[i] for i in order]
    two = run_auctions(source, shuffled, LIMITED, keepers=SHARED, depth=depth, tick_s=120, keep="paths").to_frame()
    assert one.auctions.sum() > 50
    for account in book:
        np.testing.assert_allclose(one.loc[account.name], two.loc[account.name], rtol=1e-9, atol=1e-12)
    listed = replace(LIMITED, account_order="listed")
    other = run_auctions(source, shuffled, listed, keepers=SHARED, depth=depth, tick_s=120, keep="paths").to_frame()
    assert not np.allclose(one.loc["v0"].shortfall, other.loc["v0"].shortfall)


def test_workers_and_block_sizes_do_not_matter() -> None:
    source, book = hourly(2500, steps=6), a_book(2)
    options = {"keepers": SHARED, "depth": Depth.linear(1e-3), "tick_s": 600}
    base = run_auctions(source, book, LIMITED, **options)
    with ThreadPoolExecutor(2) as pool:
        others = [
            run_auctions(source, book, LIMITED, block_size=1024, **options),
            run_auctions(source, book, LIMITED, executor=pool, block_size=2048, **options),
            run_auctions(source, book, LIMITED, keep="paths", **options),
        ]
    for other in others:
        assert other.data.moments == base.data.moments
        assert other.data.tails == base.data.tails
        assert np.array_equal(other.data.counts, base.data.counts)
    kept, view = others[2].book, base.book
    assert kept.expected_shortfall("shortfall", 0.99).value == view.expected_shortfall("shortfall", 0.99).value
    assert kept.values("shortfall").mean() == pytest.approx(view.mean("shortfall").value, rel=1e-12)
    assert view.mean("shortfall").value > 0


def test_fewer_paths_are_a_prefix_and_the_auction_moves_no_price() -> None:
    source, account = hourly(30), a_book(1)[0]
    few = FakePaths(source.assets, source.prices[:10], source.variance[:10], np.eye(1), 9, clock=HOURLY)
    full = run_auctions(source, account, LIMITED, keepers=SHARED, tick_s=600, keep="paths")
    part = run_auctions(few, account, LIMITED, keepers=SHARED, tick_s=600, keep="paths")
    assert np.array_equal(full[0].values("raised")[:10], part[0].values("raised"))
    # Another rule and fewer keepers find the same triggers at the same moments.
    other = run_auctions(
        source, account, replace(LIMITED, rule=BatchTerms(1200.0, reserve=0.9)), keepers=Keepers(1), tick_s=600,
        keep="paths",
    )  # fmt: skip
    first = [out.auctions().groupby("path").first_s.min() for out in (full, other)]
    late = first[0] - first[1]  # a keeper may look later, but the lot is found at the same moment or not at all
    assert len(late.dropna()) >= 4
    assert np.array_equal(full[0].steps("triggered"), other[0].steps("triggered"))


def test_unlimited_depth_is_the_limit_of_any_depth() -> None:
    source, account = hourly(), a_book(1)[0]

    def proceeds(depth):
        return run_auctions(source, account, LIMITED, keepers=SHARED, depth=depth, tick_s=600, keep="paths")

    free = proceeds(Depth.unlimited())
    deep = Depth.linear(1e-12), Depth.square_root(1e24, 0.04), Depth.constant_product(1e12)
    for depth in deep:
        found = proceeds(depth)
        np.testing.assert_allclose(found[0].values("raised"), free[0].values("raised"), rtol=1e-6)
        assert found.mean("slippage_cost").value == pytest.approx(0.0, abs=1e-6)


def test_attentive_keepers_leave_no_shortfall_without_a_gap() -> None:
    source, account = hourly(200, sigma=0.005), Account({"X": 1.0}, {"USD": 88.0})
    smooth = DutchTerms(ExponentialDecrease(0.9999), 1.001)
    terms = AuctionTerms(smooth, liquidation_threshold=0.9)
    out = run_auctions(source, account, terms, keepers=Keepers(1, 0.0), tick_s=60)
    assert out.probability("auctioned").value > 0.2
    assert out.mean("shortfall").value == 0.0
    assert out.probability("failed").value == 0.0
    gap = one_path(70.0, 70.0, 70.0, asset="X", clock=HOURLY)
    loss = run_auctions(gap, account, terms, keepers=Keepers(1, 0.0), tick_s=60)
    assert loss.mean("shortfall").value == pytest.approx(88.0 - 70.0, abs=0.006 * 70)  # a tick of the curve


def test_time_to_clear_is_the_closed_form() -> None:
    account = Account({"X": 1.0}, {"USD": 95.0})
    flat = one_path(*[100.0] * 4, asset="X", clock=HOURLY)
    for margin in (0.01, 0.03, 0.08):
        terms = AuctionTerms(MAKER, liquidation_threshold=0.9)
        out = run_auctions(flat, account, terms, keepers=Keepers(1, margin), tick_s=30)
        expected = MAKER.time_until_taken(margin) / 86_400
        assert out.mean("clearing_days").value == pytest.approx(expected, abs=1e-12)


def test_the_black_thursday_of_march_2020() -> None:
    """Nobody but a scavenger: an English auction clears at zero and all is lost; a Dutch one keeps its collateral."""
    account = Account({"ETH": 10.0}, {"USD": 1000.0})
    crash = one_path(*[160.0, 110.0], *[110.0] * 60, asset="ETH", clock=HOURLY)
    english = AuctionTerms(EnglishTerms(1.05, bid_s=10_800, length_s=172_800, penalty=0.13), 0.66, recourse=False)
    zero = run_auctions(crash, account, english, keepers=Keepers(0, scavenger=True), tick_s=600, keep="paths")
    assert zero.probability("zero_bid").value == 1.0
    assert zero.mean("shortfall").value == 1000.0
    assert zero.mean("raised").value == 0.0
    assert zero.auctions().sold[0] == 10.0
    # One keeper alone need not bid more either; two bid the price up.
    alone = run_auctions(crash, account, english, keepers=Keepers(1), tick_s=600)
    assert alone.mean("shortfall").value == 1000.0
    two = run_auctions(crash, account, english, keepers=Keepers(2, 0.05), tick_s=3600)
    assert two.mean("raised").value == pytest.approx(0.95 * 1100)
    assert two.mean("shortfall").value == 0.0
    dutch = replace(english, rule=MAKER)
    kept = run_auctions(crash, account, dutch, keepers=Keepers(0, scavenger=True), tick_s=600, keep="paths")
    assert kept.mean("raised").value == 0.0
    assert kept.mean("shortfall").value == 0.0  # nothing is sold: 1100 of collateral stand behind 1000 of debt
    assert kept.probability("failed").value == 1.0
