"""The auction kernel against its slow twin, on random books, rules, keepers and markets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from auction_cases import depths, keepers, random_book, random_terms, twin
from hypothesis import given, settings, strategies as st

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.kernels.auction_market import proceeds, refine, resaleable, value_fetching
from collatrisk.kernels.auction_state import LINEAR_DEPTH, POOL_DEPTH, ROOT_DEPTH
from collatrisk.kernels.random import fill_normals, normal_pair
from collatrisk.liquidation import constant_product, linear_proceeds, run_auctions, square_root_impact


@st.composite
def random_case(draw):
    source, accounts = draw(random_book())
    return (
        source,
        accounts,
        draw(random_terms(source.assets)),
        draw(keepers),
        draw(depths),
        draw(st.sampled_from([6, 12])),
    )


def near(value):
    return pytest.approx(value, rel=1e-8, abs=1e-8)


@settings(max_examples=80)
@given(random_case())
def test_the_kernel_is_its_twin(case) -> None:
    source, accounts, terms, bidders, depth, n_ticks = case
    tick_s = 3600 / n_ticks
    out = run_auctions(source, accounts, terms, keepers=bidders, depth=depth, tick_s=tick_s, keep="paths")
    table, frame = out.auctions(), out.to_frame()
    for path in range(source.n_paths):
        slow = twin(source, accounts, terms, bidders, depth, n_ticks, path)
        found = table[table.path == path]
        assert len(found) == len(slow.lots)
        for (_, row), lot in zip(found.iterrows(), slow.lots, strict=True):
            assert (row.account, row.asset) == (out.accounts[lot.account], lot.asset)
            for name in ("collateral", "debt", "sold", "raised", "resold", "feed", "first_s", "purchases", "end_s"):
                assert row[name] == near(getattr(lot, name)), name
            assert row.value_sold == near(lot.value)
            assert row.gas_paid == near(lot.gas)
            assert row.rewards == near(lot.rewards)
            assert row.resets == lot.auction.resets
        for a, vault in enumerate(slow.vaults):
            row = frame.loc[(out.accounts[a], path)]
            running = [lot for lot in slow.running if lot.account == a]
            assert row.written_off == near(vault.written_off)
            assert row.interest == near(vault.interest)
            assert row.outstanding_debt == near(vault.debt + sum(max(lot.debt - lot.raised, 0) for lot in running))
            cleared = vault.ended_s is not None
            assert row.clearing_days == near((vault.ended_s - vault.found_s) / 86_400 if cleared else 0.0)


def test_prices_within_a_step_are_a_brownian_bridge() -> None:
    n_ticks, sigma, end, n = 8, 0.05, 0.1, 4000
    correlation = np.array([[1.0, 0.6], [0.6, 1.0]])
    factor = np.linalg.cholesky(correlation)
    prices = np.empty((2, 2, n))
    prices[0], prices[1] = 100.0, 100.0 * np.exp(end)
    variance = np.full((1, 2, n), sigma**2)
    logs = np.empty((n, n_ticks + 1, 2))
    fine, work = np.empty((n_ticks + 1, 2)), np.empty((4, 2))
    key = stream_key(1, Purpose.WITHIN_STEP)
    for p in range(n):
        refine(prices, variance, np.array([0, 1]), factor, p, 1, key, p, n_ticks, work, fine)
        logs[p] = np.log(fine / 100.0)
    assert np.all(logs[:, 0] == 0.0)
    assert np.all(fine[-1] == prices[1, :, -1])
    for j in range(1, n_ticks):
        share = j / n_ticks
        expected = sigma**2 * share * (1 - share)
        assert logs[:, j, 0].mean() == pytest.approx(end * share, abs=4 * np.sqrt(expected / n))
        assert logs[:, j, 1].var() == pytest.approx(expected, rel=4 * np.sqrt(2 / n))
        assert np.corrcoef(logs[:, j].T)[0, 1] == pytest.approx(0.6, abs=4 * 0.64 / np.sqrt(n))
    middle = np.cov(logs[:, 2, 0], logs[:, 6, 0])[0, 1]
    assert middle == pytest.approx(sigma**2 * 0.25 * 0.25, abs=4 * sigma**2 * 0.25 / np.sqrt(n))


@given(st.floats(0, 5e5), st.floats(1, 1e6), st.floats(0.2, 1.0))
def test_the_market_is_that_of_the_impact_laws(before, value, size) -> None:
    impact = 4e-7
    thin = impact / size
    assert proceeds(LINEAR_DEPTH, impact, size, before, value) == near(linear_proceeds(value, thin, before))
    pool = size / impact
    sold = constant_product(before + value, pool, pool) - constant_product(before, pool, pool)
    assert proceeds(POOL_DEPTH, impact, size, before, value) == near(sold)
    sigma, adv = 0.03, 2e8  # the average price of the whole sale is lower by the square-root law
    root = sigma / math.sqrt(adv)
    whole = value * (1 - square_root_impact(value / adv / size, sigma))
    assert proceeds(ROOT_DEPTH, root, size, 0.0, value) == near(whole)
    for kind, c in ((LINEAR_DEPTH, impact), (ROOT_DEPTH, root), (POOL_DEPTH, impact)):
        fetched = proceeds(kind, c, size, before, value)
        assert value_fetching(kind, c, size, before, 0.5 * fetched, value) <= value
        again = proceeds(kind, c, size, before, value_fetching(kind, c, size, before, 0.5 * fetched, value))
        assert again == pytest.approx(0.5 * fetched, rel=1e-9, abs=1e-9)
        # The unit after what can be resold fetches less than the share, the one before it more.
        most = resaleable(kind, c, size, before, 0.9)
        step = 1e-3 * (1 + most)
        assert proceeds(kind, c, size, before + most, step) <= 0.9 * step * (1 + 1e-9)
        if most > step:
            assert proceeds(kind, c, size, before + most - step, step) >= 0.9 * step * (1 - 1e-9)
    assert value_fetching(LINEAR_DEPTH, impact, size, before, value * 1.01, value) == math.inf


def test_one_pair_of_normals_is_that_of_a_row() -> None:
    even, odd = np.empty(5), np.empty(5)
    fill_normals(7, 11, 3, 2, even, odd)
    for i in range(5):
        assert normal_pair(7, 11 + i, 3, 2) == (even[i], odd[i])
