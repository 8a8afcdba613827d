"""Compiled kernels: kept, noticed when stale, and possible where nothing may be written."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from collatrisk.kernels import cache
from collatrisk.kernels.jit import njit

_DRAW = """
from numba.core import event
from collatrisk.kernels import cache
from collatrisk.kernels.random import uniform
with event.install_recorder("numba:compile") as compiled:
    value = uniform(1, 2, 3, 4)
print(value.hex(), len(compiled.buffer), cache.cache_folder())
"""


def _draw(folder: Path) -> tuple[list[str], str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _DRAW], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.split(), done.stderr


def test_a_second_process_compiles_nothing_and_is_not_told_to_wait(tmp_path):
    first, told = _draw(tmp_path)
    second, silent = _draw(tmp_path)
    assert first[0] == second[0]
    assert int(first[1]) > 0
    assert int(second[1]) == 0
    assert Path(first[2]).is_relative_to(tmp_path)
    assert told.count("collatrisk warmup") == 1
    assert silent == ""


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A folder of three kernel modules: top imports middle, middle imports bottom, aside imports nothing."""
    for name, text in (
        ("top", "from collatrisk.kernels.middle import x\n"),
        ("middle", "import numpy\nfrom collatrisk.kernels import bottom as b\n"),
        ("bottom", "y = 1\n"),
        ("aside", "z = 1\n"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(cache, "_HERE", tmp_path)
    cache._sources_behind.cache_clear()
    yield tmp_path
    cache._sources_behind.cache_clear()


@pytest.mark.parametrize(("edited", "stale"), [("bottom", True), ("middle", True), ("top", True), ("aside", False)])
def test_an_edit_of_any_source_behind_a_kernel_makes_it_stale(sources, edited, stale):
    before = cache.source_stamp(sources / "top.py")
    (sources / f"{edited}.py").write_text((sources / f"{edited}.py").read_text() + "new = 2\n")
    cache._sources_behind.cache_clear()
    assert (cache.source_stamp(sources / "top.py") != before) == stale


def test_the_real_path_kernel_depends_on_the_generator():
    folder = Path(cache.__file__).parent
    assert {"paths", "random", "special", "steps"} <= set(cache._sources_behind("paths"))
    assert len(cache.source_stamp(folder / "paths.py")) == 64


@pytest.fixture
def refused(monkeypatch):
    """Folders whose path contains one of these words may not be written to, as in a read-only installation."""
    words = []
    make, write = Path.mkdir, cache.tempfile.TemporaryFile

    def guarded_mkdir(self, *args, **kwargs):
        if any(word in str(self) for word in words):
            raise PermissionError(13, "read-only", str(self))
        make(self, *args, **kwargs)

    def guarded_file(*args, **kwargs):
        if any(word in str(kwargs.get("dir")) for word in words):
            raise PermissionError(13, "read-only", str(kwargs.get("dir")))
        return write(*args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", guarded_mkdir)
    monkeypatch.setattr(cache.tempfile, "TemporaryFile", guarded_file)
    monkeypatch.setattr(cache.config, "CACHE_DIR", "")
    cache.cache_folder.cache_clear()
    yield words
    cache.cache_folder.cache_clear()


def test_a_read_only_installation_uses_the_users_cache(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    refused.append("__pycache__")
    assert cache.cache_folder().is_relative_to(tmp_path / "collatrisk")


def test_without_any_home_kernels_still_compile_and_it_says_so(refused, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere-at-all")
    refused += ["__pycache__", "/nowhere-at-all"]
    folder = cache.cache_folder()
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_only_our_kernels_are_located_here():
    assert cache.KernelLocator.from_function(np.sum, np.__file__) is None


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_the_garbage_collector_rarely_runs_while_kernels_compile_and_as_before_afterwards(thresholds):
    listener = cache._RareCollection()
    listener.on_start(None)
    listener.on_start(None)  # a kernel that another one calls
    assert gc.get_threshold()[0] > 10 * thresholds[0]
    listener.on_end(None)
    assert gc.get_threshold()[0] > 10 * thresholds[0]
    listener.on_end(None)
    assert gc.get_threshold() == thresholds


def test_a_collector_that_somebody_set_otherwise_stays_so(thresholds):
    listener = cache._RareCollection()
    gc.set_threshold(0)
    listener.on_start(None)
    assert gc.get_threshold()[0] == 0
    listener.on_end(None)
    assert gc.get_threshold()[0] == 0
    gc.set_threshold(*thresholds)
    listener.on_start(None)
    gc.set_threshold(1234, 5, 6)
    listener.on_end(None)
    assert gc.get_threshold() == (1234, 5, 6)


def test_a_number_that_is_written_down_is_no_type_of_its_own():
    @njit()
    def called(a, flag):
        return a + 1 if flag else a

    @njit()
    def calling(n):
        total = 0
        for _ in range(n):
            total = called(total, True)  # numba sees the 0 first
        return total + called(7, False) + called(n, n > 2)

    assert calling(3) == 3 + 7 + 4
    assert len(called.signatures) == 1
