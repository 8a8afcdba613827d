"""`collatrisk init`: a commented study file and what it needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from collatrisk.base.validation import Problems
from collatrisk.cli import talk
from collatrisk.cli.resources import CRYPTO_CALIBRATION, TEMPLATES, calibration, index_prices, template

STUDY_FILE = "study.toml"


def write_template(name: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Write the files of a template into a folder, which is made if needed.

    Returns
    -------
    The files written: the study first.

    Raises
    ------
    InputError : an unknown template, or files that exist (unless `force`): all of them, and none is touched.
    """
    problems = Problems("collatrisk init")
    problems.choice("template", name, TEMPLATES)
    problems.raise_if_any()
    writers: dict[str, Callable[[Path], object]] = {STUDY_FILE: lambda path: _text(path, template(name))}
    if name == "lombard":
        writers["prices.csv"] = lambda path: index_prices().to_csv(path, lineterminator="\n", date_format="%Y-%m-%d")
    else:
        writers[CRYPTO_CALIBRATION] = lambda path: shutil.copyfile(calibration(CRYPTO_CALIBRATION), path)
        calibration(CRYPTO_CALIBRATION)
    problems.check(not folder.exists() or folder.is_dir(), "folder", str(folder), "is a file", "give another folder")
    for file in writers:
        there = (folder / file).exists()
        problems.check(not there or force, "file", str(folder / file), "exists already", "move it, or say --force")
    problems.raise_if_any()
    folder.mkdir(parents=True, exist_ok=True)
    for file, write in writers.items():
        write(folder / file)
    return [folder / file for file in writers]


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def compile_kernels(processes: int | None) -> None:
    """All kernels, with a bar and the folder that they are kept in."""
    from collatrisk.kernels.cache import cache_folder
    from collatrisk.warming import warmup

    start = time.perf_counter()
    with talk.progress("compiling") as report:
        warmup(lambda what, done, total: report(what, done, total), processes=processes)
    talk.say(f"kernels ready in {time.perf_counter() - start:.1f} s, kept in {cache_folder()}", "green")
