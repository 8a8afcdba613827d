"""Sparse outcomes of the margin engine: sums, tails, books and columns against plain numpy; bridges left out."""

from __future__ import annotations

import math

import numpy as np
import path_models
import pytest
from margin_cases import random_paths

import collatrisk as cr
from collatrisk.base.keys import Purpose, stream_key
from collatrisk.collateral import Account, Terms
from collatrisk.execution import MICRO_BLOCK
from collatrisk.kernels.bridge_uniforms import bridge_uniform
from collatrisk.margining import METRICS, run_margin
from collatrisk.margining.names import TAIL_METRICS

N_PATHS = 2500
TERMS = Terms(
    liquidation_threshold=0.8, margin_call=1.2, restore_to=1.4, cure_probability=0.4, borrow_rate=0.5, mark="bridge"
)


def accounts(source, ltvs):
    """Loans in cash against even shares of all assets; one owes an asset too."""
    units = {asset: 50.0 / price for asset, price in zip(source.assets, source.spot, strict=True)}
    worth = 50.0 * len(source.assets)
    plain = [Account(units, {"USD": worth * ltv}) for ltv in ltvs]
    first = source.assets[0]
    return [*plain, Account({**units, "USD": 10.0}, {"USD": 0.2 * worth, first: 0.3 * worth / source.spot[0]})]


@pytest.fixture(scope="module", params=[1, 3])
def runs(request):
    source = random_paths(np.random.default_rng(request.param), N_PATHS, 9, request.param, 0.06)
    held = accounts(source, (0.3, 0.55, 0.7))
    kept = run_margin(source, held, TERMS, keep="paths")
    return source, held, kept, run_margin(source, held, TERMS, block_size=MICRO_BLOCK)


def test_sums_over_micro_blocks_are_those_of_the_columns(runs):
    _, held, kept, streamed = runs
    for row in range(len(held) + 1):
        for metric in range(len(METRICS)):
            values = kept.data.amounts[row, :, metric]
            for power, found in ((1, "total"), (2, "squares")):
                parts = []
                for first in range(0, N_PATHS, MICRO_BLOCK):
                    total = 0.0
                    for value in values[first : first + MICRO_BLOCK].tolist():
                        total += value**power if power == 1 else value * value
                    parts.append(total)
                for outcomes in (kept, streamed):
                    assert math.fsum(getattr(outcomes.data.moments[row][metric], found)) == math.fsum(parts)


def test_tails_and_counts_are_those_of_the_columns(runs):
    _, held, kept, streamed = runs
    for row in range(len(held) + 1):
        for tail, metric in zip(streamed.data.tails[row], TAIL_METRICS, strict=True):
            values = kept.data.amounts[row, :, METRICS.index(metric)]
            values = np.sort(-values if metric == "min_health_factor" else values)
            np.testing.assert_array_equal(tail.tail, values[-tail.keep :])
        steps = kept.data.events[row]
        counts = [[np.count_nonzero(steps[:, e] == t) for t in range(10)] for e in range(steps.shape[1])]
        np.testing.assert_array_equal(streamed.data.counts[row], counts)


def test_half_a_micro_block_at_a_time_gives_the_same_bits(monkeypatch):
    source = random_paths(np.random.default_rng(4), 2 * MICRO_BLOCK + 700, 10, 2, 0.04)
    worth = source.spot.sum()
    accounts = [Account(dict.fromkeys(source.assets, 1.0), {"USD": share * worth}) for share in (0.6, 0.75)]
    terms = Terms(liquidation_threshold=0.85, margin_call=1.05, restore_to=1.2, mark="bridge")
    whole = run_margin(source, accounts, terms).data
    monkeypatch.setattr("collatrisk.margining.task._CACHED_FLOATS", 1)
    parts = run_margin(source, accounts, terms).data
    assert parts.moments == whole.moments
    assert (parts.counts == whole.counts).all()
    assert whole.counts.any()


def test_the_book_is_the_sum_of_its_accounts(runs):
    _, _, kept, _ = runs
    amounts, events, lowest = kept.data.amounts, kept.data.events, METRICS.index("min_health_factor")
    total = amounts[:-1].sum(axis=0)
    total[:, lowest] = amounts[:-1, :, lowest].min(axis=0)
    np.testing.assert_array_equal(amounts[-1], total)
    first = np.where(events[:-1] < 0, 99, events[:-1]).min(axis=0)
    np.testing.assert_array_equal(events[-1], np.where(first == 99, -1, first))


def test_floors_of_the_tails_leave_out_nothing_that_counts():
    """Many small blocks raise the floors early; one block never does."""
    model = path_models.market(path_models.gjr("A"), path_models.flat("B"))
    plan = cr.PathPlan(model, n_paths=40_000, horizon_days=5, seed=4)
    loan = cr.Loan(cr.Mix(dict.fromkeys(plan.assets, 0.5)), collateral_value=100.0, ltv=0.6)
    many = run_margin(plan, loan, Terms(), block_size=MICRO_BLOCK)
    one = run_margin(plan, loan, Terms(), block_size=40 * MICRO_BLOCK)
    for left, right in zip(many.data.tails[0], one.data.tails[0], strict=True):
        np.testing.assert_array_equal(left.tail, right.tail)


@pytest.mark.parametrize("n_assets", [1, 2, 6])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_bridges_that_are_left_out_could_not_have_counted(n_assets, rate):
    """Every bridge of every quiet path in numpy, none left out: the same lowest health factors."""
    source = random_paths(np.random.default_rng(n_assets), 600, 20, n_assets, 0.04)
    weights = np.arange(1.0, n_assets + 1)
    held = {asset: w / price for asset, w, price in zip(source.assets, weights, source.spot, strict=True)}
    cash, debt = 0.05 * weights.sum(), 0.7 * weights.sum()
    account = Account({**held, "USD": cash}, {"USD": debt})
    terms = Terms(liquidation_threshold=0.8, margin_call=1.05, restore_to=1.2, borrow_rate=rate, mark="bridge")
    found = run_margin(source, account, terms, keep="paths")[0]
    growth = math.exp(rate * source.clock.step_years)
    counted = 0.8 * (source.prices / source.spot * weights)
    total = counted.sum(axis=2) + cash * terms.threshold_of("USD", "USD")
    logs = np.log(total / (debt * growth ** np.arange(21.0)))
    shares = counted[:, :-1] / total[:, :-1, None] * np.sqrt(source.variance)
    variance = np.einsum("pti,ij,ptj->pt", shares, source.correlation, shares)
    key = stream_key(source.seed, Purpose.BRIDGE)
    draws = np.array([[bridge_uniform(key, path, step) for step in range(1, 21)] for path in range(600)])
    start, end = logs[:, :-1] - math.log(growth), logs[:, 1:]
    lows = 0.5 * (start + end - np.sqrt((end - start) ** 2 - 2.0 * variance * np.log(draws)))
    expected = np.exp(np.minimum(lows.min(axis=1), logs.min(axis=1)))
    quiet = found.steps("margin_called") < 0
    assert quiet.sum() > 50
    np.testing.assert_allclose(found.values("min_health_factor")[quiet], expected[quiet], rtol=1e-12)
