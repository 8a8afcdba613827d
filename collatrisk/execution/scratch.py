"""Memory that a thread keeps: fresh memory costs more to touch than much of the work that is done in it."""

from __future__ import annotations

import math
import threading
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.float64, np.int64, np.int32)
_LEAST = 1 << 18  # floats; what is never touched costs no memory
_MOST_KEPT = 1 << 24  # bytes a thread may keep between uses
_kept = threading.local()


def kept_buffer(name: str, size: int) -> NDArray[np.float64]:
    """`size` float64 of this thread's own memory, uninitialised; the next call with this name gives them away again."""
    held: NDArray[np.float64] | None = getattr(_kept, name, None)
    if held is None or held.size < size:
        held = np.empty(max(size, _LEAST))
        if held.nbytes <= _MOST_KEPT:
            setattr(_kept, name, held)
    return held[:size]


def kept_array(name: str, shape: tuple[int, ...], dtype: type[Number] = np.float64) -> NDArray[Number]:  # type: ignore[assignment]
    """`kept_buffer` in a shape and of a type."""
    wanted = math.prod(shape)
    held = kept_buffer(name, -(-wanted * np.dtype(dtype).itemsize // 8))
    return held.view(dtype)[:wanted].reshape(shape)
