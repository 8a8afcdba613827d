"""Memory that a thread keeps: fresh memory costs more to touch than much of the work that is done in it."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.float64, np.int64, np.int32)
_LEAST = 1 << 18  # floats; what is never touched costs no memory
_MOST_KEPT = 1 << 24  # bytes a thread may keep between uses
_MOST_IDLE = 8  # threads that have ended whose memory waits for new ones
_idle: deque[dict[str, NDArray[np.float64]]] = deque(maxlen=_MOST_IDLE)


class _Held(dict[str, NDArray[np.float64]]):
    """The buffers of a thread; when it ends they wait for the next: a new pool finds them warm."""

    def __del__(self, idle: deque[dict[str, NDArray[np.float64]]] = _idle) -> None:
        idle.append(dict(self))  # named above: at the end of the process the module may be gone


class _Kept(threading.local):
    """What a thread keeps."""

    def __init__(self) -> None:
        try:
            self.buffers = _Held(_idle.pop())
        except IndexError:
            self.buffers = _Held()


_kept = _Kept()


def kept_buffer(name: str, size: int) -> NDArray[np.float64]:
    """`size` float64 of this thread's own memory, uninitialised; the next call with this name gives them away again."""
    held = _kept.buffers.get(name)
    if held is None or held.size < size:
        held = np.empty(max(size, _LEAST))
        if held.nbytes <= _MOST_KEPT:
            _kept.buffers[name] = held
    return held[:size]


def kept_array(name: str, shape: tuple[int, ...], dtype: type[Number] = np.float64) -> NDArray[Number]:  # type: ignore[assignment]
    """`kept_buffer` in a shape and of a type."""
    wanted = math.prod(shape)
    held = kept_buffer(name, -(-wanted * np.dtype(dtype).itemsize // 8))
    return held.view(dtype)[:wanted].reshape(shape)
