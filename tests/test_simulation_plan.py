"""PathPlan: reproducible, random access, validated."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, strategies as st
from path_models import crash, flat, gjr, market

from collatrisk.base.errors import InputError
from collatrisk.market.clock import Clock
from collatrisk.simulation import PathPlan, PathSource, simulate

MODEL = market(gjr("A"), gjr("B", dist="skewt", lam=-0.1), rho=0.5, nu=5.0, jumps=[crash("B")])
PLAN = PathPlan(MODEL, n_paths=1500, horizon_days=9, seed=42)
WHOLE = PLAN.read(0, 1500)


def same(block, columns):
    prices = np.array_equal(block.prices, WHOLE.prices[:, :, columns])
    return prices and np.array_equal(block.step_variance, WHOLE.step_variance[:, :, columns])


@given(st.tuples(st.integers(0, 1500), st.integers(0, 1500)).map(sorted))
def test_any_range_has_the_same_bits(ends):
    block = PLAN.read(*ends)
    assert block.first_path == ends[0]
    assert same(block, slice(*ends))


@pytest.mark.parametrize("size", [1, 97, 512, 1024, 5000])
def test_blocks_of_any_size_have_the_same_bits(size):
    blocks = (
        list(PLAN.blocks(size)) if size > 1 else list(PathPlan(MODEL, n_paths=30, horizon_days=9, seed=42).blocks(1))
    )
    assert all(same(block, slice(block.first_path, block.first_path + block.n_paths)) for block in blocks)
    assert sum(block.n_paths for block in blocks) == (1500 if size > 1 else 30)


def test_fewer_paths_are_a_prefix_of_more():
    few = PathPlan(MODEL, n_paths=10, horizon_days=9, seed=42)
    assert same(few.read(0, 10), slice(0, 10))


@pytest.mark.parametrize("days", [1, 2, 5, 8])
def test_a_longer_horizon_extends_a_shorter_one(days):
    short = PathPlan(MODEL, n_paths=1500, horizon_days=days, seed=42).read(100, 300)
    assert np.array_equal(short.prices, WHOLE.prices[: days + 1, :, 100:300])
    assert np.array_equal(short.step_variance, WHOLE.step_variance[:days, :, 100:300])


def test_threads_and_pickles_have_the_same_bits():
    fresh = pickle.loads(pickle.dumps(PLAN))
    assert fresh == PLAN
    assert fresh._inputs is None
    ranges = [(low, min(low + 100, 1500)) for low in range(0, 1500, 100)]
    with ThreadPoolExecutor(2) as pool:
        blocks = list(pool.map(lambda ends: fresh.read(*ends), ranges))
    assert all(same(block, slice(*ends)) for block, ends in zip(blocks, ranges, strict=True))


def test_another_seed_and_an_added_jump_move_what_they_should():
    other = PathPlan(MODEL, n_paths=1500, horizon_days=9, seed=43).read(0, 1500)
    assert not np.any(other.prices[1:] == WHOLE.prices[1:])
    calm = PathPlan(market(*MODEL.marginals, rho=0.5, nu=5.0), n_paths=1500, horizon_days=9, seed=42).read(0, 1500)
    assert np.array_equal(calm.prices[:, 0], WHOLE.prices[:, 0])
    assert np.array_equal(calm.step_variance, WHOLE.step_variance)
    hit = calm.prices[-1, 1] != WHOLE.prices[-1, 1]
    assert 0 < np.mean(hit) < 0.2


def test_an_asset_keeps_its_draws_when_others_join():
    alone = PathPlan(market(gjr("A")), n_paths=50, horizon_days=4, seed=1).read(0, 50)
    both = PathPlan(market(gjr("A"), gjr("B")), n_paths=50, horizon_days=4, seed=1).read(0, 50)
    assert np.array_equal(alone.prices[:, 0], both.prices[:, 0])


def test_a_plan_is_a_path_source_and_describes_itself():
    assert isinstance(PLAN, PathSource)
    assert (PLAN.assets, PLAN.n_steps, PLAN.overlap) == (("A", "B"), 9, 1)
    assert PLAN.times.tolist() == list(range(10))
    assert WHOLE.prices.flags.c_contiguous
    assert WHOLE.step_variance.flags.c_contiguous
    assert np.all(WHOLE.prices[0] == 100.0)
    assert PLAN.describe()["model"] == MODEL.fingerprint()
    assert "seed 42" in repr(PLAN)
    assert "1,500 paths" in PLAN._repr_html_()
    with pytest.raises(FrozenInstanceError):
        PLAN.seed = 1


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InputError) as caught:
        PathPlan(MODEL, n_paths=0, horizon_days=float("nan"), seed=-1, drift="up", steps_per_day=24)
    assert [p.name for p in caught.value.problems] == ["n_paths", "horizon_days", "seed", "drift", "steps_per_day"]
    with pytest.raises(InputError, match="must be a MarketModel"):
        PathPlan("model", n_paths=1, horizon_days=1)


@pytest.mark.parametrize("days", [0, -1, 0.5, 1.25, True, "30"])
def test_a_horizon_must_be_a_whole_number_of_steps(days):
    with pytest.raises(InputError, match="horizon_days"):
        PathPlan(MODEL, n_paths=1, horizon_days=days)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, None])
def test_a_seed_has_64_bits(seed):
    with pytest.raises(InputError, match="seed"):
        PathPlan(MODEL, n_paths=1, horizon_days=1, seed=seed)


@pytest.mark.parametrize("ends", [(-1, 5), (5, 4), (0, 1501)])
def test_paths_that_are_not_there_are_refused(ends):
    with pytest.raises(InputError, match="range"):
        PLAN.read(*ends)
    with pytest.raises(InputError, match="size"):
        PLAN.blocks(0)


def test_one_path_and_the_largest_seed_are_allowed():
    plan = PathPlan(MODEL, n_paths=1, horizon_days=1, seed=2**64 - 1)
    assert plan.read(0, 1).prices.shape == (2, 2, 1)
    assert plan.read(0, 0).prices.shape == (2, 2, 0)


def test_only_constant_volatility_may_be_refined():
    with pytest.raises(InputError, match=r"A, B was fitted on that grid.*ConstantVolatility"):
        PathPlan(MODEL, n_paths=1, horizon_days=1, steps_per_day=24)
    hourly = market(flat("A"), clock=Clock(steps_per_day=24))
    with pytest.raises(InputError, match="multiple of the model's 24"):
        PathPlan(hourly, n_paths=1, horizon_days=1, steps_per_day=36)
    fine = PathPlan(market(flat("A", 0.8, mu=0.01)), n_paths=20_000, horizon_days=2.5, steps_per_day=8, drift="fitted")
    assert (fine.n_steps, fine.clock.steps_per_day) == (20, 8)
    assert fine.times[-1] == 2.5
    block = fine.read(0, 20_000)
    np.testing.assert_allclose(block.step_variance, 0.8**2 / 365 / 8, rtol=1e-14)
    end = np.log(block.prices[-1, 0] / 100.0)
    sd = 0.8 * np.sqrt(2.5 / 365)
    assert abs(end.mean() - 0.025) < 4 * sd / np.sqrt(20_000)
    assert abs(end.std() / sd - 1) < 4 / np.sqrt(40_000)


def test_simulate_holds_the_same_paths():
    paths = simulate(PLAN)
    assert np.array_equal(paths.block, WHOLE.prices)
    assert np.array_equal(paths.prices, WHOLE.prices.transpose(2, 0, 1))
    assert paths.prices.shape == (1500, 10, 2)
    assert paths.origin["kind"] == "PathPlan"
    assert same(paths.read(10, 20), slice(10, 20))
