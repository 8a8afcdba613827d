"""Map a function over ranges of paths, in order, with bounded memory, on any executor.

What a worker returns must depend on the range of paths alone; then the list of results is the same whatever the
executor and the number of workers. Sizes are whole micro-blocks, so that sums taken over micro-blocks are the same
numbers whatever the block size (`collatrisk.risk.moments`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

from collatrisk.base.validation import Problems

MICRO_BLOCK = 1024
"""Paths in a micro-block: sums over paths are taken inside micro-blocks first, then over the micro-blocks."""

LARGEST_BLOCK = 16 * MICRO_BLOCK
"""Paths of the largest block where nobody chose: its prices are in memory at once."""

Result = TypeVar("Result")
Progress = Callable[[int, int], object]
_WAITING_PER_WORKER = 4  # with fewer, workers wait for the thread that takes results while it waits for its turn
_BLOCKS_PER_WORKER = 2
_LEAST = 4  # micro-blocks


def usual_ranges(n_paths: int, workers: int, largest: int = LARGEST_BLOCK) -> list[tuple[int, int]]:
    """The ranges of paths where nobody chose: two a worker, of 4 micro-blocks to `largest` paths, as even as
    micro-blocks allow.

    A block costs a tenth of a millisecond beside its paths, more where workers take turns at Python; and workers end
    together if each has as many blocks as the others.
    """
    whole = -(-n_paths // MICRO_BLOCK)
    blocks = max(-(-whole * MICRO_BLOCK // largest), min(_BLOCKS_PER_WORKER * workers, whole // _LEAST))
    blocks = min(-(-blocks // workers) * workers, whole)
    ends = [min(whole * (block + 1) // blocks * MICRO_BLOCK, n_paths) for block in range(blocks)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def block_ranges(n_paths: int, size: int) -> list[tuple[int, int]]:
    """The half-open ranges of paths ``[(0, size), (size, 2 size), ...]`` that cover `n_paths`.

    Parameters
    ----------
    n_paths : int >= 1.
    size : int, paths a block, a positive multiple of `MICRO_BLOCK` (1024).

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("Blocks of paths")
    n_paths = problems.integer("n_paths", n_paths, low=1, remedy="give at least one path")
    size = problems.integer("size", size, low=MICRO_BLOCK, remedy=f"give a multiple of {MICRO_BLOCK}")
    problems.check(
        size % MICRO_BLOCK == 0,
        "size",
        size,
        f"must be a multiple of {MICRO_BLOCK}, or results would depend on the block size",
        f"give {max(1, (size + MICRO_BLOCK // 2) // MICRO_BLOCK) * MICRO_BLOCK}",
    )
    problems.raise_if_any()
    return [(first, min(first + size, n_paths)) for first in range(0, n_paths, size)]


def iter_blocks(
    function: Callable[[int, int], Result],
    n_paths: int,
    *,
    size: int | None = None,
    largest: int = LARGEST_BLOCK,
    executor: Executor | None = None,
    on_done: Progress | None = None,
) -> Iterator[Result]:
    """Yield ``function(first, last)`` for each block of paths, in path order.

    At most four blocks a worker are submitted or kept beyond the one that is yielded next: memory does not grow with
    `n_paths`. Closing the iterator, an error or an interrupt cancels what has not started; the executor stays open.

    Parameters
    ----------
    function : picklable if the executor uses processes; called with the half-open range of its paths.
    n_paths : int >= 1.
    size : int, paths a block, a multiple of `MICRO_BLOCK`; None for `usual_ranges`.
    largest : int, paths of the largest block where `size` is None; more for functions that cut their blocks again.
    executor : any `concurrent.futures.Executor`; None runs in this thread.
    on_done : called in this thread as ``on_done(paths_done, n_paths)`` after each block.

    Raises
    ------
    InputError : for a bad size, number of paths or executor.
    Exception : whatever `function` raises, with a note that names the paths.
    """
    problems = Problems("Blocks of paths")
    problems.check(
        executor is None or callable(getattr(executor, "submit", None)),
        "executor",
        executor,
        "must be None or a concurrent.futures.Executor",
        "give ProcessPoolExecutor(2), ThreadPoolExecutor(2) or any other Executor",
    )
    problems.check(
        on_done is None or callable(on_done), "progress", on_done, "must be None or a function", "give print, or None"
    )
    if size is None:
        n_paths = problems.integer("n_paths", n_paths, low=1, remedy="give at least one path")
    problems.raise_if_any()
    ranges = usual_ranges(n_paths, _workers(executor), largest) if size is None else block_ranges(n_paths, size)
    if executor is None:
        return _serial(function, ranges, on_done)
    return _submitted(function, ranges, executor, on_done)


def map_blocks(
    function: Callable[[int, int], Result],
    n_paths: int,
    *,
    size: int | None = None,
    executor: Executor | None = None,
    on_done: Progress | None = None,
) -> list[Result]:
    """``function(first, last)`` of every block of paths, as a list in path order. See `iter_blocks`."""
    return list(iter_blocks(function, n_paths, size=size, executor=executor, on_done=on_done))


def _serial(
    function: Callable[[int, int], Result], ranges: list[tuple[int, int]], on_done: Progress | None
) -> Iterator[Result]:
    n_paths = ranges[-1][1]
    for first, last in ranges:
        try:
            result = function(first, last)
        except Exception as error:
            _name_the_paths(error, first, last)
            raise
        if on_done is not None:
            on_done(last, n_paths)
        yield result


def _submitted(
    function: Callable[[int, int], Result],
    ranges: list[tuple[int, int]],
    executor: Executor,
    on_done: Progress | None,
) -> Iterator[Result]:
    window = max(2, _WAITING_PER_WORKER * _workers(executor))
    n_paths = ranges[-1][1]
    futures: dict[int, Future[Result]] = {}
    uncounted: set[Future[Result]] = set()
    lengths: dict[Future[Result], int] = {}
    submitted = done_paths = 0
    try:
        for index, (first, last) in enumerate(ranges):
            while submitted < len(ranges) and submitted < index + window:
                future = executor.submit(function, *ranges[submitted])
                futures[submitted] = future
                if on_done is not None:  # who asks for progress pays for every wait
                    uncounted.add(future)
                    lengths[future] = ranges[submitted][1] - ranges[submitted][0]
                submitted += 1
            while on_done is not None and futures[index] in uncounted:
                finished, uncounted = wait(uncounted, return_when=FIRST_COMPLETED)
                for future in finished:
                    done_paths += lengths.pop(future)
                    if future.exception() is None:
                        on_done(done_paths, n_paths)
            try:
                result = futures.pop(index).result()
            except Exception as error:
                _name_the_paths(error, first, last)
                raise
            yield result
    finally:
        for future in futures.values():
            future.cancel()


def _workers(executor: Executor | None) -> int:
    """The number of workers, as far as the executor tells: the interface of `Executor` has no such question."""
    if executor is None:
        return 1
    told = getattr(executor, "_max_workers", None)
    return told if isinstance(told, int) and told > 0 else (os.cpu_count() or 1)


def _name_the_paths(error: Exception, first: int, last: int) -> None:
    error.add_note(f"while working on paths {first} to {last - 1}")
