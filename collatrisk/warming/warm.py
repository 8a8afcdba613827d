"""`warmup`: compile every kernel ahead of time, in several processes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from collatrisk.base.validation import Problems

_MOST_PROCESSES = 4  # then the longest part is the last to end; each takes up to 1 GB


def warmup(
    on_step: Callable[[str, int, int], object] | None = None, *, processes: int | None = None
) -> Mapping[str, float]:
    """Compile the kernels for this processor and keep them, so that later processes start within seconds.

    Safe to run again (it then takes some seconds), and beside other processes.

    Parameters
    ----------
    on_step : called before each part as ``on_step(what, done, total)``, for a progress bar; `done` parts have ended.
    processes : how many compile at once, 1 to 64; 1: this one. None: one a processor, four at most.

    Returns
    -------
    Seconds by part. Where the compiled code is kept: `collatrisk.kernels.cache.cache_folder`.

    Raises
    ------
    InputError : `processes` out of range.
    """
    from collatrisk.kernels.cache import outlives_process
    from collatrisk.warming.line import run_all
    from collatrisk.warming.parts import parts

    problems = Problems("warmup")
    wanted = processes
    if wanted is not None:
        wanted = problems.integer("processes", wanted, low=1, high=64, remedy="leave it out: one a processor")
    problems.raise_if_any()
    if wanted is None:
        usable = getattr(os, "sched_getaffinity", None)
        wanted = min(len(usable(0)) if usable else (os.cpu_count() or 1), _MOST_PROCESSES)
    # Code that cannot be kept is of use in the process that compiles it alone.
    return MappingProxyType(run_all(parts(), wanted if outlives_process() else 1, on_step))
