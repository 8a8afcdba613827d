"""Buffers that threads keep: never shared by two that live, handed on when one ends."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from collatrisk.execution.scratch import kept_array, kept_buffer
from collatrisk.margining.gather import Tail
from collatrisk.scenarios import ScenarioPaths
from collatrisk.simulation import MarketModel, PathPlan, simulate
from collatrisk.simulation.scratch import read_scratch


def in_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    gc.collect()
    return found[0]


def address(name: str, size: int = 10) -> int:
    return kept_buffer(name, size).ctypes.data


def test_a_thread_gets_its_own_buffer_back():
    assert address("a") == address("a")
    assert address("a") != address("b")


def test_threads_that_live_share_nothing():
    barrier = threading.Barrier(4)

    def work(number):
        mine = kept_buffer("shared", 1000)
        mine[:] = number
        barrier.wait()
        return bool((mine == number).all()), mine.ctypes.data

    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(work, range(4)))
    assert all(kept for kept, _ in found)
    assert len({place for _, place in found}) == 4


def test_the_memory_of_an_ended_thread_serves_a_later_one():
    name = "handed on"
    first = {in_thread(lambda: address(name)) for _ in range(3)}
    later = {in_thread(lambda: address(name)) for _ in range(3)}
    assert first & later


def test_arrays_have_their_shape_and_type():
    for dtype in (np.float64, np.int64, np.int32):
        array = kept_array("typed", (3, 5), dtype)
        assert array.shape == (3, 5)
        assert array.dtype == dtype
        assert array.flags.c_contiguous


def test_a_tail_keeps_the_largest_whatever_was_guessed():
    rng = np.random.default_rng(1)
    for keep, parts in ((7, 40), (3000, 30), (50_000, 10)):
        for values in (
            rng.normal(size=(parts, 4096)),
            np.round(rng.normal(size=(parts, 4096)), 1),
            np.zeros((parts, 4096)),
        ):
            tail = Tail(keep)
            for part in values:
                tail.push(part)
            expected = np.sort(values.ravel())[-keep:]
            np.testing.assert_array_equal(tail.sketch(values.size).tail, expected)
            assert tail.floor <= expected[0]


def test_blocks_of_every_source_are_of_one_type_to_the_compiler():
    """Kernels are compiled anew for arrays that are read-only or have gaps."""
    plan = PathPlan(MarketModel.constant({"A": 0.5}), n_paths=8, horizon_days=2, seed=1)
    wanted = plan.read(0, 8).prices
    for source in (plan, simulate(plan), ScenarioPaths(("A",), plan.clock, wanted.copy(), tuple("abcdefgh"), "test")):
        for first, last in ((0, 8), (2, 5)):
            prices = read_scratch(source, first, last, 2).prices
            assert np.array_equal(prices, wanted[:, :, first:last])
            assert (prices.dtype, prices.flags.c_contiguous, prices.flags.writeable) == (np.float64, True, True)
            prices[:] = 0.0  # they are the caller's until the next call
            assert np.array_equal(source.read(0, 8).prices, wanted)
