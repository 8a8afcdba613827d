"""VaR and ES of rows of losses, one row a mix, read block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from collatrisk.execution import iter_blocks
from collatrisk.execution.blocks import Progress
from collatrisk.risk import Estimate, TailSketch, estimate_expected_shortfall, estimate_value_at_risk, tail_size
from collatrisk.simulation.source import FloatArray, PathSource

MEASURES = ("var", "es")


def estimate_rows(
    source: PathSource,
    losses: Callable[[int, int], FloatArray],
    tails: Callable[[int], Callable[[int, int], list[TailSketch]]],
    level: float,
    measures: Sequence[str],
    overlap: int,
    *,
    executor: Executor | None,
    block_size: int | None,
    progress: Progress | None,
) -> list[dict[str, Estimate]]:
    """The measures of every row, each with its interval, from one pass.

    Independent paths: from tails that are merged as blocks come in. Overlapping windows: from all losses, by bootstrap.

    Parameters
    ----------
    losses : of a range of paths, float64 (n_rows, paths). tails : from how many losses to keep to a function of a range
        of paths that gives a sketch a row. Both are picklable.
    level, measures : checked; measures of `MEASURES`. overlap : steps that windows share.
    executor, block_size, progress : as for `map_blocks`.
    """
    if overlap > 1:
        parts = iter_blocks(losses, source.n_paths, size=block_size, executor=executor, on_done=progress)
        rows = np.concatenate(list(parts), axis=1)
        return [{name: _of_losses(row, name, level, overlap, source.seed) for name in measures} for row in rows]
    worker = tails(tail_size(source.n_paths, level))
    blocks = iter_blocks(worker, source.n_paths, size=block_size, executor=executor, on_done=progress)
    sketches = next(blocks)
    for block in blocks:
        sketches = [sketch.merge(other) for sketch, other in zip(sketches, block, strict=True)]
    return [{name: _of_sketch(sketch, name, level) for name in measures} for sketch in sketches]


def _of_losses(losses: FloatArray, measure: str, level: float, overlap: int, seed: int) -> Estimate:
    estimate = estimate_value_at_risk if measure == "var" else estimate_expected_shortfall
    return estimate(losses, level, overlap=overlap, seed=seed)


def _of_sketch(sketch: TailSketch, measure: str, level: float) -> Estimate:
    return sketch.estimate_value_at_risk(level) if measure == "var" else sketch.estimate_expected_shortfall(level)
