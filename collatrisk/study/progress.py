"""How far a study is: one number for all its passes over the paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, float, float], object]
"""``report(what, done, total)``: what is being computed; how many units of work are done, of how many."""


class Meter:
    """Adds up passes of different weight and remembers the wall time of each step."""

    def __init__(self, report: Report | None, total: float) -> None:
        self._report = report
        self.total = total
        self.done = 0.0
        self.timings: list[dict[str, Any]] = []

    def follow(self, label: str, weight: float) -> Callable[[int, int], object]:
        """A callback for one pass: ``callback(paths_done, n_paths)``."""
        start = self.done
        self._tell(label)

        def on_done(done: int, total: int) -> None:
            self.done = start + weight * done / max(total, 1)
            self._tell(label)

        return on_done

    def skip(self, label: str, until: float) -> None:
        """All work up to `until` is done, by whatever way."""
        self.done = max(self.done, until)
        self._tell(label)

    @contextmanager
    def step(self, label: str, weight: float) -> Iterator[dict[str, Any]]:
        """Time a step; the caller may write ``cells`` and ``resumed`` into the row.

        At its end all of its weight is done: cells of an earlier run need no pass, and those that fail need another.
        """
        row: dict[str, Any] = {"step": label, "seconds": 0.0, "cells": 0, "resumed": 0}
        start, until = time.perf_counter(), self.done + weight
        self._tell(label)
        try:
            yield row
        finally:
            row["seconds"] = time.perf_counter() - start
            self.timings.append(row)
            self.done = until

    def _tell(self, label: str) -> None:
        if self._report is not None:
            self._report(label, min(self.done, self.total), self.total)
