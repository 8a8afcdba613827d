"""Parts waiting in line for the processes that compile them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from collatrisk.warming.parts import Part

OnStep = Callable[[str, int, int], object]


class Line:
    """Parts in their order, each handed out once, and not before the part that it comes after has ended."""

    def __init__(self, parts: Mapping[str, Part], on_step: OnStep | None) -> None:
        self._waiting = {name: part.after for name, part in parts.items()}
        self._total = len(parts)
        self._on_step = on_step
        self._turn = threading.Condition()
        self.seconds: dict[str, float] = {}
        self.stopped = False

    def parts(self) -> Iterator[str]:
        """The parts that fall to one process; time runs from when a part is handed out to when it asks again."""
        while (name := self._next()) is not None:
            start = time.perf_counter()
            yield name
            with self._turn:
                self.seconds[name] = time.perf_counter() - start
                self._turn.notify_all()

    def stop(self) -> None:
        """Hand nothing out any more."""
        with self._turn:
            self.stopped = True
            self._waiting.clear()
            self._turn.notify_all()

    def _next(self) -> str | None:
        with self._turn:
            while self._waiting:
                for name, after in self._waiting.items():
                    if not after or after in self.seconds:
                        del self._waiting[name]
                        if self._on_step is not None:
                            self._on_step(name, len(self.seconds), self._total)
                        return name
                self._turn.wait()
        return None


def run_all(parts: Mapping[str, Part], processes: int, on_step: OnStep | None) -> dict[str, float]:
    """Run all parts in as many processes, in this one alone if it is one; seconds by part."""
    line = Line(parts, on_step)
    if processes == 1:
        for name in line.parts():
            parts[name].run()
        return line.seconds
    helpers = [Helper() for _ in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        try:
            for ended in [pool.submit(_work, helper, line, parts) for helper in helpers]:
                ended.result()
        finally:
            line.stop()
            for helper in helpers:
                helper.end()
    return line.seconds


def _work(helper: Helper, line: Line, parts: Mapping[str, Part]) -> None:
    """Have the helper run what falls to it. What it cannot, for whatever reason, this process runs itself: there an
    error is seen, and nobody goes on waiting for the part."""
    try:
        for name in line.parts():
            if not helper.ask(name) and not line.stopped:
                parts[name].run()
    except BaseException:
        line.stop()
        raise


class Helper:
    """A process of its own that runs parts by name. It imports nothing of the script that this process runs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        with contextlib.suppress(OSError):  # where no process may be started
            self._process = subprocess.Popen(
                [sys.executable or "python", "-P", "-m", "collatrisk.warming"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )

    def ask(self, name: str) -> bool:
        """Run a part and wait until it has ended; whether all went well."""
        if self._process is None:
            return False
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        try:
            to.write(f"{name}\n")
            to.flush()
        except OSError:  # the process has ended
            return False
        return bool(answers.readline())

    def end(self) -> None:
        """Stop the process, whatever it is doing."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
