"""`warmup`: parts in their order, in several processes, and nothing left to compile after it."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import collatrisk
from collatrisk.base.errors import InputError
from collatrisk.warming.line import Helper, Line, run_all
from collatrisk.warming.parts import Part, parts


def test_a_part_waits_for_the_one_that_it_comes_after():
    line = Line({"late": Part(list, "early"), "early": Part(list), "free": Part(list)}, None)
    mine, other = line.parts(), line.parts()
    assert next(mine) == "early"
    assert next(other) == "free"
    assert next(mine) == "late"
    assert next(mine, None) is next(other, None) is None
    assert set(line.seconds) == {"early", "late", "free"}


def test_what_is_stopped_hands_nothing_out():
    line = Line({"first": Part(list), "second": Part(list)}, None)
    mine = line.parts()
    next(mine)
    line.stop()
    assert next(mine, None) is None


def test_every_part_comes_after_one_that_exists():
    assert {part.after for part in parts().values()} <= {"", *parts()}


@pytest.mark.parametrize("processes", [1, 2])
def test_all_parts_are_run_whatever_happens_to_the_helpers(processes):
    """Helpers do not know these parts and end with an error: this process runs them then."""
    ran, told = [], []
    some = {"a": Part(lambda: ran.append("a")), "b": Part(lambda: ran.append("b"), "a")}
    seconds = run_all(some, processes, lambda what, done, total: told.append((what, done, total)))
    assert ran == ["a", "b"]
    assert told == [("a", 0, 2), ("b", 1, 2)]
    assert min(seconds.values()) >= 0.0


def test_where_no_process_may_be_started_this_one_does_it_all(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(1, "not here")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    ran = []
    run_all({"a": Part(lambda: ran.append("a")), "b": Part(lambda: ran.append("b"), "a")}, 2, None)
    assert ran == ["a", "b"]


def test_an_error_of_a_part_is_raised():
    with pytest.raises(ZeroDivisionError):
        run_all({"a": Part(lambda: 1 // 0), "b": Part(list, "a")}, 2, None)


def test_nobody_waits_for_a_part_that_has_failed(monkeypatch):
    """The first to work waits for what comes after the part that fails with the second."""
    monkeypatch.setattr(Helper, "ask", lambda helper, name: False)
    failing, raised = threading.Event(), []

    def fail():
        failing.set()
        raise ZeroDivisionError

    some = {"held": Part(lambda: failing.wait(20)), "failing": Part(fail), "never": Part(list, "failing")}

    def run():
        try:
            run_all(some, 2, None)
        except ZeroDivisionError as error:
            raised.append(error)

    runner = threading.Thread(target=run, daemon=True)
    runner.start()
    runner.join(30)
    assert not runner.is_alive()
    assert len(raised) == 1


def test_the_number_of_processes_is_checked():
    with pytest.raises(InputError, match="processes"):
        collatrisk.warmup(processes=0)


@pytest.mark.slow
def test_after_it_ordinary_use_compiles_nothing(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    warm = [sys.executable, "-c", "import collatrisk; collatrisk.warmup(processes=2)"]
    subprocess.run(warm, env=environment, check=True, timeout=1_800)
    use = [sys.executable, str(Path(__file__).parent / "ordinary_use.py")]
    done = subprocess.run(use, env=environment, capture_output=True, text=True, check=True, timeout=600)
    assert json.loads(done.stdout.splitlines()[-1]) == []
