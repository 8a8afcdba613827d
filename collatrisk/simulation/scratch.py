"""Reading paths into buffers that a thread keeps: fresh memory costs more to touch than a path costs to simulate."""

from __future__ import annotations

from typing import Protocol, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from collatrisk.execution.scratch import kept_array, kept_buffer
from collatrisk.simulation.source import FloatArray, PathArray, PathBlock, PathSource

T = TypeVar("T", np.float64, np.float32)


class Rereadable(PathSource, Protocol):
    """A source that can write paths into the caller's arrays, and fewer steps than it has."""

    def read_into(self, first: int, prices: FloatArray, step_variance: FloatArray) -> None:
        """Write paths from `first` on; arrays as in `PathBlock`, a `step_variance` without steps is not wanted."""


class Narrow(PathSource, Protocol):
    """A source that may draw in single precision, and then writes float32 arrays too."""

    @property
    def precision(self) -> str:
        """``"double"`` or ``"single"``."""

    def read_into(self, first: int, prices: PathArray, step_variance: PathArray) -> None:
        """As `Rereadable.read_into`."""


def read_scratch(source: PathSource, first: int, last: int, n_steps: int, *, variance: bool = True) -> PathBlock:
    """The paths `first` to `last` - 1 up to step `n_steps` at least, for use at once: the thread's next call here
    overwrites them.

    The same bits as ``source.read``, which is what sources without `read_into` are asked for. All arrays are of one
    type to the compiler: C-contiguous float64 that may be written to.

    Parameters
    ----------
    first, last : 0 <= first <= last <= source.n_paths; not checked.
    n_steps : int, 1 to source.n_steps.
    variance : False if the step variances are not wanted; a source may leave them out then.
    """
    if not _rereadable(source):
        block = source.read(first, last)
        known = block.step_variance
        return PathBlock(first, _plain("prices", block.prices), None if known is None else _plain("variance", known))
    prices, step_variance = _kept(len(source.assets), last - first, n_steps, variance, np.float64)
    source.read_into(first, prices, step_variance)
    return PathBlock(first, prices, step_variance if variance else None)


def read_native(
    source: PathSource, first: int, last: int, n_steps: int, *, variance: bool = True
) -> tuple[PathArray, PathArray | None]:
    """Prices and step variances of `read_scratch` in the precision in which the source draws them.

    C-contiguous; float32 from a `PathPlan` in single precision, float64 from every other source.
    """
    if not _narrow(source) or source.precision != "single":
        block = read_scratch(source, first, last, n_steps, variance=variance)
        return block.prices, block.step_variance
    prices, step_variance = _kept(len(source.assets), last - first, n_steps, variance, np.float32)
    source.read_into(first, prices, step_variance)
    return prices, step_variance if variance else None


def _plain(name: str, values: FloatArray) -> FloatArray:
    """The array itself or a copy in this thread's memory: for one that is read-only or has gaps kernels would be
    compiled anew."""
    if values.dtype == np.float64 and values.flags.c_contiguous and values.flags.writeable:
        return values
    copy = kept_array(name, values.shape)
    copy[:] = values
    return copy


def _rereadable(source: PathSource) -> TypeGuard[Rereadable]:
    """Whether paths can be written into arrays; `isinstance` with a protocol takes ten microseconds, every time."""
    return hasattr(source, "read_into")


def _narrow(source: PathSource) -> TypeGuard[Narrow]:
    return hasattr(source, "read_into") and hasattr(source, "precision")


def _kept(n_assets: int, n_paths: int, n_steps: int, variance: bool, number: type[T]) -> tuple[NDArray[T], NDArray[T]]:
    """Arrays for prices and step variances in the thread's buffer; without `variance`, none of the latter."""
    steps = n_steps if variance else 0
    split, size = (n_steps + 1) * n_assets * n_paths, (n_steps + 1 + steps) * n_assets * n_paths
    doubles = -(-size * np.dtype(number).itemsize // 8)
    buffer = kept_buffer("paths", doubles).view(number)[:size]
    return buffer[:split].reshape(-1, n_assets, n_paths), buffer[split:].reshape(steps, n_assets, n_paths)
