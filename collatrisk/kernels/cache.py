"""Where compiled kernels are kept, and when they are out of date.

Numba keeps compiled functions beside their source and compiles again when that source changes. Two things are missing
there: it does not notice a change in a kernel that another one calls, and it refuses to work where it may not write,
as in a read-only installation without a home. Importing `collatrisk.kernels` installs a locator, for the kernels of
this package only, that stamps a function with its own source and with all the kernel sources behind it, and that looks
for a place it may write to: the folder of the environment variable ``NUMBA_CACHE_DIR``, the source's ``__pycache__``,
the user's cache folder, and at last a folder of this process alone, which is removed when it ends.

Files are written under a temporary name and then renamed (Numba does), so that processes that compile at the same time
do each other no harm.
"""

from __future__ import annotations

import ast
import atexit
import functools
import gc
import hashlib
import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from numba.core import caching, config, event

_HERE = Path(__file__).resolve().parent
_PACKAGE = "collatrisk.kernels"
_OF_PROCESS = "collatrisk-kernels-"
_LOGGER = logging.getLogger("collatrisk")


def source_stamp(path: Path) -> str:
    """SHA-256 (hex) of a kernel module and of all kernel modules that it imports, directly or not."""
    digest = hashlib.sha256()
    for name, content in sorted(_sources_behind(path.stem).items()):
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


@functools.cache
def _sources_behind(module: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (_HERE / f"{name}.py").read_bytes()
            waiting += _imported(ast.parse(found[name]))
    return found


def _imported(module: ast.Module) -> list[str]:
    """Kernel modules that a module imports, in whatever form, at its top or inside its functions."""
    names: list[str] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            names += [f"{_PACKAGE}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
    return [name.removeprefix(f"{_PACKAGE}.") for name in names if name.startswith(f"{_PACKAGE}.")]


@functools.cache
def cache_folder() -> Path:
    """The first folder of the list above that may be written to; it is made if it is not there."""
    installation = hashlib.sha256(str(_HERE).encode()).hexdigest()[:12]  # two of them share a cache without a quarrel
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    folders = [_HERE / "__pycache__", user / "collatrisk" / installation]
    if config.CACHE_DIR:
        folders.insert(0, Path(config.CACHE_DIR) / f"collatrisk-{installation}")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    folder = Path(tempfile.mkdtemp(prefix=_OF_PROCESS))  # only its owner may read or write there
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _LOGGER.warning("compiled kernels cannot be kept: no cache folder may be written to; set NUMBA_CACHE_DIR to one")
    return folder


def outlives_process() -> bool:
    """Whether what is compiled is kept for later processes."""
    return not cache_folder().name.startswith(_OF_PROCESS)


class KernelLocator(caching._CacheLocator):  # type: ignore[misc]
    """Tells Numba where a kernel's compiled code lies and what it was compiled from."""

    def __init__(self, py_func: Any, path: Path) -> None:
        self._line = py_func.__code__.co_firstlineno
        self._path = path

    def get_cache_path(self) -> str:
        """The folder of the compiled code."""
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        """Changes whenever a source behind the function does."""
        return source_stamp(self._path)

    def get_disambiguator(self) -> str:
        """Tells functions of one name apart."""
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> KernelLocator | None:
        """A locator for a kernel of this package; None for any other function, which Numba's own locators serve."""
        path = Path(py_file).resolve()
        return cls(py_func, path) if path.parent == _HERE else None


class _Announcement(event.Listener):  # type: ignore[misc]
    """Says once, when the first kernel of a process is compiled, what is being waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said = False

    def on_start(self, event: Any) -> None:
        dispatcher = event.data.get("dispatcher")
        module = getattr(getattr(dispatcher, "py_func", None), "__module__", "") or ""
        with self._lock:
            if self._said or not module.startswith("collatrisk.kernels"):
                return
            self._said = True
        _LOGGER.warning(
            "compiling kernels for this processor, once; `collatrisk warmup` does all of them ahead of time"
        )

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


class _RareCollection(event.Listener):  # type: ignore[misc]
    """While the compiler runs, the garbage collector rarely does: a fifth of the compiler's time was looking through
    objects that it still holds. Takes 30 MB more for as long."""

    _RARE = (50_000, 50, 1000)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._usual = gc.get_threshold()

    def on_start(self, event: Any) -> None:
        with self._lock:
            self._running += 1
            usual = gc.get_threshold()
            if self._running == 1 and usual[0] > 0:  # 0: somebody has switched it off
                self._usual = usual
                gc.set_threshold(*self._RARE)

    def on_end(self, event: Any) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and gc.get_threshold() == self._RARE:
                gc.set_threshold(*self._usual)


_ANNOUNCEMENT = _Announcement()
_RARE_COLLECTION = _RareCollection()


def install() -> None:
    """Put the locator before Numba's own and listen to the compiler; done once, by the import of the kernels."""
    implementation = getattr(caching, "CacheImpl", None) or caching._CacheImpl  # its name in older versions
    implementation._locator_classes = [KernelLocator, *implementation._locator_classes]
    event.register("numba:compile", _ANNOUNCEMENT)
    event.register("numba:compile", _RARE_COLLECTION)
