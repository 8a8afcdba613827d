"""Cells: the units of a study that fail alone and are not computed twice.

A cell's file is named by a hash of everything that its numbers depend on: its question, the model, the paths, the
versions and the kind of processor. A killed batch that is started again finds what was done; a study that gains a book
computes that book only.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from collatrisk.base.errors import CollatriskError
from collatrisk.base.version import __version__
from collatrisk.study.study import canonical_hash

Item = TypeVar("Item")
Body = dict[str, Any]
_PACKAGES = ("numpy", "scipy", "numba", "pandas", "arch", "matplotlib")


@dataclass(frozen=True, slots=True)
class Solved:
    """What became of a cell: its numbers, or the reason why there are none."""

    body: Body | None
    reason: str = ""
    resumed: bool = False


class CellStore:
    """A folder of finished cells; without a folder it remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def read(self, key: str) -> Body | None:
        """A finished cell, or None. A file that is cut short or not JSON counts as not there."""
        if self.folder is None:
            return None
        try:
            body = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return body if isinstance(body, dict) else None

    def write(self, key: str, body: Body) -> None:
        """Keep a cell, in one step: a killed run leaves no half of it."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{key}.{os.getpid()}.part"
        partial.write_text(json.dumps(body), encoding="utf-8")
        os.replace(partial, self.folder / f"{key}.json")


def solve(
    store: CellStore,
    items: Sequence[tuple[Mapping[str, Any], Item]],
    compute: Callable[[list[Item]], list[Body]],
) -> list[Solved]:
    """Every cell: from the store, or computed with its peers in one pass, or alone where the pass is refused.

    Parameters
    ----------
    store : finished cells.
    items : for each cell, what its numbers depend on (JSON-ready) and what `compute` takes.
    compute : the bodies of several cells, in order. If it raises, the cells are computed one at a time, so that one
        bad cell is one failure.
    """
    keys = [canonical_hash(key) for key, _ in items]
    found: dict[int, Solved] = {}
    for i, key in enumerate(keys):
        body = store.read(key)
        if body is not None:
            found[i] = Solved(body, resumed=True)
    pending = [i for i in range(len(items)) if i not in found]
    for i, solved in zip(pending, _computed([items[i][1] for i in pending], compute), strict=True):
        if solved.body is not None:
            store.write(keys[i], solved.body)
        found[i] = solved
    return [found[i] for i in range(len(items))]


def _computed(items: list[Item], compute: Callable[[list[Item]], list[Body]]) -> list[Solved]:
    if not items:
        return []
    try:
        return [Solved(body) for body in compute(items)]
    except Exception as error:
        if len(items) == 1:
            return [Solved(None, reason_of(error))]
    return [solved for item in items for solved in _computed([item], compute)]


def reason_of(error: Exception) -> str:
    """Why a cell has no numbers: the library's own words, or the kind of an error that nobody foresaw."""
    if isinstance(error, CollatriskError):
        return " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {error}"


def versions() -> dict[str, str]:
    """Interpreter, processor and packages that numbers may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "collatrisk": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
