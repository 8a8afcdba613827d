"""Blocks of paths over executors: same results in the same order, bounded, and honest about what failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import pytest
from hypothesis import given, strategies as st

from collatrisk.base.errors import InputError
from collatrisk.execution import MICRO_BLOCK, block_ranges, iter_blocks, map_blocks
from collatrisk.execution.blocks import usual_ranges


def spell(first: int, last: int) -> tuple[int, int]:
    return first, last


def fail_late(first: int, last: int) -> int:
    if first >= 2 * MICRO_BLOCK:
        raise ValueError("the well is dry")
    return last


@pytest.fixture(params=["serial", "thread", "process"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    if request.param == "serial":
        yield None
    elif request.param == "thread":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield pool


@given(st.integers(1, 20_000), st.integers(1, 8))
def test_ranges_cover_every_path_once(n_paths: int, micro_blocks: int) -> None:
    ranges = block_ranges(n_paths, micro_blocks * MICRO_BLOCK)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == n_paths
    assert all(left[1] == right[0] for left, right in pairwise(ranges))
    assert all(last - first == micro_blocks * MICRO_BLOCK for first, last in ranges[:-1])


@given(st.integers(1, 3_000_000), st.integers(1, 70), st.sampled_from([16, 25]))
def test_ranges_that_nobody_chose_are_even_and_as_many_for_each_worker(n_paths: int, workers: int, most: int) -> None:
    ranges = usual_ranges(n_paths, workers, most * MICRO_BLOCK)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == n_paths
    assert all(left[1] == right[0] for left, right in pairwise(ranges))
    whole = [-(-(last - first) // MICRO_BLOCK) for first, last in ranges]
    assert max(whole) - min(whole) <= 1
    assert 1 <= max(whole) <= most
    assert all(first % MICRO_BLOCK == 0 for first, _ in ranges)
    assert len(ranges) % workers == 0 or max(whole) == 1


def test_how_many_blocks_nobody_chose() -> None:
    assert [len(usual_ranges(n, 2)) for n in (1_000, 5_000, 100_000, 1_000_000)] == [1, 2, 8, 62]
    assert [len(usual_ranges(n, 2, 25 * MICRO_BLOCK)) for n in (5_000, 100_000, 1_000_000)] == [2, 4, 40]
    assert len(usual_ranges(100_000, 16)) == 32


def test_results_come_in_path_order_whatever_the_executor(executor: Executor | None) -> None:
    told: list[tuple[int, int]] = []
    n_paths = 9 * MICRO_BLOCK + 5
    results = map_blocks(spell, n_paths, size=MICRO_BLOCK, executor=executor, on_done=lambda *done: told.append(done))
    assert results == block_ranges(n_paths, MICRO_BLOCK)
    assert len(told) == 10
    assert told == sorted(told)
    assert told[-1] == (n_paths, n_paths)


def test_an_error_names_its_paths(executor: Executor | None) -> None:
    with pytest.raises(ValueError, match="the well is dry") as caught:
        map_blocks(fail_late, 5 * MICRO_BLOCK, size=MICRO_BLOCK, executor=executor)
    assert "while working on paths 2048 to 3071" in caught.value.__notes__


def test_results_keep_their_order_when_blocks_finish_out_of_order() -> None:
    def slow_first(first: int, last: int) -> int:
        time.sleep(0.05 if first == 0 else 0.0)
        return first

    with ThreadPoolExecutor(3) as pool:
        results = map_blocks(slow_first, 6 * MICRO_BLOCK, size=MICRO_BLOCK, executor=pool)
    assert results == [i * MICRO_BLOCK for i in range(6)]


class Counting(Executor):
    """Runs at once and remembers how many results were not yet fetched."""

    _max_workers = 1

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.submitted += 1
        future: Future[object] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_only_a_window_of_blocks_is_submitted() -> None:
    pool = Counting()
    seen = 0
    for _ in iter_blocks(spell, 100 * MICRO_BLOCK, size=MICRO_BLOCK, executor=pool):
        seen += 1
        assert pool.submitted <= seen + 4
    assert seen == pool.submitted == 100


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_cancels_what_has_not_started(stop: type[BaseException]) -> None:
    gate = threading.Event()
    started: list[int] = []

    def wait_for_gate(first: int, last: int) -> int:
        started.append(first)
        if first > 0:
            gate.wait(5)
        return first

    def interrupt(done: int, total: int) -> None:
        raise stop

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(stop):
            map_blocks(wait_for_gate, 50 * MICRO_BLOCK, size=MICRO_BLOCK, executor=pool, on_done=interrupt)
        gate.set()
    assert len(started) <= 2


@pytest.mark.parametrize("size", [0, -1024, 1000, 1.5, True])
def test_a_block_size_that_is_not_whole_micro_blocks_is_refused(size: object) -> None:
    with pytest.raises(InputError, match="multiple of 1024"):
        map_blocks(spell, 10, size=size)  # type: ignore[arg-type]


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        block_ranges(0, 1500)
    assert {problem.name for problem in caught.value.problems} == {"n_paths", "size"}


def test_a_number_is_not_an_executor() -> None:
    with pytest.raises(InputError, match=r"concurrent\.futures\.Executor"):
        map_blocks(spell, 10, executor=4)  # type: ignore[arg-type]
