"""Surfaces: the register tile and its plain twin, first calls by barrier, many exact intervals at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import naive_surfaces as naive
import numpy as np
import pytest
from numba import njit

from collatrisk.collateral import Mix, Terms
from collatrisk.kernels.surface import first_calls
from collatrisk.kernels.tile import LANES, ROWS, pack_rows, rows_by_columns, tile_below_plain
from collatrisk.kernels.vectors import lowest_bit, tile_below_wide
from collatrisk.risk import BinomialInterval, clopper_pearson
from collatrisk.simulation import MarketModel, PathPlan
from collatrisk.sizing import compare_mixes

ASSETS = ("ETH", "BTC", "SOL", "UNI")


@njit
def in_registers(prices, at, columns, first, last, weights, start, scale, limits, values):
    return tile_below_wide(prices, at, columns, first, last, weights, start, scale, limits, values)


@njit
def lowest(bits):
    return lowest_bit(bits)


@pytest.mark.parametrize("kernel", [in_registers, tile_below_plain])
@pytest.mark.parametrize("n_columns", [0, 1, 5])
def test_both_tiles_agree_with_the_twin_to_the_last_bit(kernel, n_columns):
    rng = np.random.default_rng(n_columns)
    prices = rng.lognormal(size=(3, 6, LANES))
    columns, weights = rng.permutation(6)[:n_columns].astype(np.int64), rng.standard_normal((n_columns, ROWS))
    start, scale = rng.random(ROWS), 0.97
    picked = prices[1, columns]
    sums = [naive.row_sum(picked[:, k], weights[:, r], start[r] * scale) for r in range(ROWS) for k in range(LANES)]
    for shift in (-1.0, 0.0, 1.0):
        limits = np.array(sums) + shift * rng.integers(0, 2, ROWS * LANES)
        values = np.full(ROWS * LANES, np.nan)
        skipped = np.r_[np.int64(5), columns]
        found = kernel(
            prices.ravel(), 6 * LANES, skipped, 1, 1 + n_columns, np.r_[np.ones(ROWS), weights.ravel()], start, scale,
            limits, values,
        )  # fmt: skip
        assert found == naive.below_bits(sums, limits)
        if any(found):
            np.testing.assert_array_equal(values, sums)


def test_the_lowest_bit_is_found():
    for k in range(64):
        assert lowest(np.uint64(1) << np.uint64(k) | np.uint64(1) << np.uint64(63)) == k


def test_rows_are_packed_by_fours_with_the_columns_that_they_use():
    weights = np.zeros((6, 5))
    weights[[0, 2, 4], [1, 3, 0]] = 2.0, 3.0, 4.0
    bounds, columns, packed = pack_rows(weights)
    assert bounds.tolist() == [0, 2, 3]
    assert columns.tolist() == [1, 3, 0]
    assert packed.reshape(-1, ROWS).tolist() == [[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0], [4.0, 0.0, 0.0, 0.0]]
    order = rows_by_columns(np.array([[1.0, 0], [0, 1], [2, 0], [0, 3]]))
    assert [sorted(pair) for pair in order.reshape(2, 2).tolist()] in ([[0, 2], [1, 3]], [[1, 3], [0, 2]])


@pytest.mark.parametrize("n_paths", [1, 31, 32, 70])
@pytest.mark.parametrize("n_barriers", [1, 7])
def test_first_calls_agree_with_the_twin(n_paths, n_barriers):
    rng = np.random.default_rng(n_paths)
    prices = 50 * np.exp(np.cumsum(0.1 * rng.standard_normal((7, 3, n_paths)), axis=0))
    coefficients = np.array([[0.8, 0, 0], [0.2, 0.3, 0.1], [0, 0, 0], [0, 0.4, 0.5], [0, 0, 0.7]])
    cash, growth = np.array([0.0, 0.2, 0.9, 0, 0.1]), 1.01
    barriers = np.sort(rng.uniform(0.5, 1.0, n_barriers))[::-1].copy()
    bins = np.array([0, 0, 0, 1, 1, 2, 2])
    counts = np.zeros((8, 3, n_barriers), dtype=np.int64)
    first_calls(prices, *pack_rows(coefficients), np.r_[cash, np.zeros(3)], growth, barriers, bins, counts)
    np.testing.assert_array_equal(counts[:5], naive.first_calls(prices, coefficients, cash, growth, barriers, bins))
    assert counts[:5].sum() > 0


@pytest.mark.parametrize("mark", ["close", "bridge"])
def test_a_surface_depends_on_neither_blocks_nor_workers_nor_neighbours(mark):
    model = MarketModel.constant(dict.fromkeys(ASSETS, 0.9), 0.6)
    plan = PathPlan(model, n_paths=2_500, horizon_days=12, seed=3)
    weights = np.random.default_rng(1).dirichlet(np.ones(4), 9)
    weights[::2, 1] = 0.0
    mixes = [Mix(dict(zip(ASSETS, row / row.sum(), strict=True)), f"m{i}") for i, row in enumerate(weights)]
    asked = {"ltv": [0.6, 0.3, 0.8, 0.7], "horizons": [12, 1, 5], "terms": Terms(mark=mark, borrow_rate=0.1)}
    table = compare_mixes(plan, mixes, **asked)
    for size in (1024, 2048):
        with ThreadPoolExecutor(2) as executor:
            assert table.equals(compare_mixes(plan, mixes, **asked, block_size=size, executor=executor))
    alone = compare_mixes(plan, mixes[3], **asked)
    assert alone.equals(table[table["mix"] == "m3"].reset_index(drop=True))
    surface = table["probability"].to_numpy().reshape(9, 4, 3)
    assert (np.diff(surface, axis=2) >= 0).all()
    assert (np.diff(surface[:, [1, 0, 3, 2]], axis=1) >= 0).all()
    assert 0 < surface[:, 0, 2].min() < surface[:, 0, 2].max() < 1


@pytest.mark.parametrize("overlap", [1, 7])
def test_many_intervals_are_those_of_one_at_a_time(overlap):
    hits = np.array([[0, 1, 30], [99, 100, 30]])
    low, high = clopper_pearson(hits, 100, overlap, 0.9)
    for place, count in np.ndenumerate(hits):
        assert (low[place], high[place]) == BinomialInterval(count / overlap, 100 / overlap).ci(0.9)


def test_overlaps_may_differ_by_column():
    hits = np.array([[3, 3], [0, 50]])
    low, high = clopper_pearson(hits, 50, np.array([1, 5]), 0.95)
    for place, count in np.ndenumerate(hits):
        overlap = (1, 5)[place[1]]
        assert (low[place], high[place]) == BinomialInterval(count / overlap, 50 / overlap).ci(0.95)


def test_intervals_are_those_of_the_binomial_law():
    hits = np.array([0, 1, 3, 12])
    low, high = clopper_pearson(hits, 12, 1, 0.95)
    for count, *bounds in zip(hits.tolist(), low, high, strict=True):
        assert bounds == pytest.approx(naive.binomial_bounds(count, 12, 0.95), rel=1e-9, abs=1e-12)
