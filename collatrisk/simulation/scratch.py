"""Reading paths into buffers that a thread keeps: fresh memory costs more to touch than a path costs to simulate."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from collatrisk.execution.scratch import kept_buffer
from collatrisk.simulation.source import FloatArray, PathBlock, PathSource


@runtime_checkable
class Rereadable(Protocol):
    """A source that can write paths into the caller's arrays, and fewer steps than it has."""

    def read_into(self, first: int, prices: FloatArray, step_variance: FloatArray) -> None:
        """Write paths from `first` on; arrays as in `PathBlock`, a `step_variance` without steps is not wanted."""


def read_scratch(source: PathSource, first: int, last: int, n_steps: int, *, variance: bool = True) -> PathBlock:
    """The paths `first` to `last` - 1 up to step `n_steps` at least, for use at once: the thread's next call here
    overwrites them.

    The same bits as ``source.read``, which is what sources without `read_into` are asked for.

    Parameters
    ----------
    first, last : 0 <= first <= last <= source.n_paths; not checked.
    n_steps : int, 1 to source.n_steps.
    variance : False if the step variances are not wanted; a source may leave them out then.
    """
    if not isinstance(source, Rereadable):
        return source.read(first, last)
    shape = (len(source.assets), last - first)
    steps = n_steps if variance else 0
    buffer = kept_buffer("paths", (n_steps + 1 + steps) * shape[0] * shape[1])
    split = (n_steps + 1) * shape[0] * shape[1]
    prices = buffer[:split].reshape(n_steps + 1, *shape)
    step_variance = buffer[split:].reshape(steps, *shape)
    source.read_into(first, prices, step_variance)
    return PathBlock(first, prices, step_variance if variance else None)
