"""Execution: blocks of paths over any `concurrent.futures.Executor`. Parallelism lives here and nowhere else."""

from collatrisk.execution.blocks import MICRO_BLOCK, block_ranges, iter_blocks, map_blocks

__all__ = ["MICRO_BLOCK", "block_ranges", "iter_blocks", "map_blocks"]
