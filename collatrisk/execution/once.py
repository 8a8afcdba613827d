"""One thread builds what many need at once; the others wait, for they would only take turns at the same work."""

from __future__ import annotations

import os
import threading

_lock = threading.RLock()


def building() -> threading.RLock:
    """The lock under which tables are built: ``with building(): ...``, then look again whether they are there."""
    return _lock


def _renew() -> None:
    """A forked child has no thread that could release a lock taken before."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
