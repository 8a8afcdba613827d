"""`collatrisk run`, `demo`, `stress` and `validate`: studies from files to reports and tables."""

from __future__ import annotations

import math
import os
import shlex
import sys
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.errors import InputError, Problem
from collatrisk.cli import talk
from collatrisk.cli.start import STUDY_FILE, write_template

if TYPE_CHECKING:
    from collatrisk.study import Study, StudyResult

CELLS = ".cells"
_MOST_FAILURES = 8
_LONGEST_NAME = 48
_RATINGS = {"within": "within limits", "borderline": "borderline", "breach": "BREACH", "failed": "FAILED"}


def workers_or_default(workers: int | None) -> int:
    """As many threads as the machine lets this process use, unless a number is given.

    Kernels release the interpreter's lock, so that threads are enough.
    """
    if workers is not None:
        return workers
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else (os.cpu_count() or 1)


def run_file(path: Path, out: Path, *, workers: int | None, seed: int | None, n_paths: int | None) -> StudyResult:
    """Read, run and report one study file; its findings and its table go to the terminal."""
    from collatrisk.study import load_study

    study = load_study(path)
    study = study if seed is None else replace(study, seed=seed)
    study = study if n_paths is None else replace(study, n_paths=n_paths)
    return run_and_report(study, out, workers)


def run_and_report(study: Study, out: Path, workers: int | None) -> StudyResult:
    """Run a study into a folder: report.html, report.json, tables, and the cells that a later run goes on from."""
    from collatrisk.report import write_report
    from collatrisk.study import run_study

    _usable_folder(out)
    count = workers_or_default(workers)
    start = time.perf_counter()
    talk.say(f"{study.headline}: {study.n_paths:,} paths, {talk.counted(count, 'worker')}")
    with talk.progress(study.name) as report, ThreadPoolExecutor(count) as executor:
        result = run_study(study, executor=executor, progress=report, cells_dir=out / CELLS, command=_command())
    files = write_report(result, out)
    summary(result)
    resumed = int(result.timings["resumed"].sum())
    again = f", {resumed} cells from an earlier run" if resumed else ""
    talk.say(f"{time.perf_counter() - start:.1f} s{again}. Status: {result.status}. Report: {files.html}", "bold")
    return result


def run_json(result: StudyResult, out: Path) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "status": result.status,
        "exit_code": result.exit_code,
        "study": result.study.name,
        "config_sha256": result.run.hashes["config"],
        "seconds": round(result.run.seconds, 3),
        "files": {"html": str(out / "report.html"), "json": str(out / "report.json"), "tables": str(out / "tables")},
        "executive": result.executive.to_dict("records"),
        "failures": result.failures.to_dict("records"),
        "timings": result.timings.to_dict("records"),
    }


def demo(out: Path, workers: int | None) -> list[tuple[Path, StudyResult]]:
    """Both templates, each in a folder of its own; files from an earlier demo are replaced."""
    done = []
    for name in ("lombard", "crypto-lending"):
        folder = out / name
        write_template(name, folder, force=True)
        done.append((folder, run_file(folder / STUDY_FILE, folder, workers=workers, seed=None, n_paths=None)))
    return done


def validate(path: Path) -> dict[str, Any]:
    """Everything that can be known without simulating: the file, the market's data, and whether they fit.

    Raises
    ------
    InputError, DataError : with all problems.
    """
    from collatrisk.study import load_study
    from collatrisk.study.check import check_study

    study = load_study(path)
    checked = check_study(study)
    return {
        "status": "ok",
        "exit_code": 0,
        "study": study.name,
        "config_sha256": study.fingerprint(),
        "assets": list(checked.assets),
        "books": [book.name for book in study.books],
        "terms": list(study.terms),
        "clock": checked.clock,
        "findings": [finding.to_dict() for finding in checked.findings],
    }


def stress_file(path: Path, scenarios: tuple[str, ...], workers: int | None) -> list[dict[str, Any]]:
    """The scenarios of a study (or those named) on its books, without the rest of the study."""
    from collatrisk.scenarios import load_catalogue
    from collatrisk.study import load_study
    from collatrisk.study.run import run_stress

    study = load_study(path)
    known = list(load_catalogue())
    unknown = [name for name in scenarios if name not in known]
    if unknown:
        raise InputError("Scenarios", [_unknown_scenario(name, known) for name in unknown])
    if scenarios:
        study = replace(study, stress=replace(study.stress, scenarios=scenarios))
    with talk.progress("stress tests") as report, ThreadPoolExecutor(workers_or_default(workers)) as executor:
        frame = run_stress(study, executor=executor, progress=report)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def summary(result: StudyResult) -> None:
    """The executive table on the terminal, with 95 % intervals."""
    heads = ("Book", "Terms", "Assessment", "Haircut", "LTV", "Max LTV", "Threshold", "Called", "Liquidated")
    names = ("haircut", "ltv", "max_ltv", "liquidation_threshold", "call_probability", "liquidation_probability")
    rows = []
    for row in result.executive.to_dict("records"):
        numbers = [_estimate(row, name, 2 if "probability" in name else 1) for name in names]
        rating = _RATINGS.get(row["rating"], row["rating"])
        rows.append([row["book"], row["terms"], rating, *(numbers if row["status"] == "ok" else [""] * len(names))])
    talk.table(result.study.headline, heads, rows)
    failures = result.failures.to_dict("records")
    for row in failures[:_MOST_FAILURES]:
        where = ", ".join(_short(row[name]) for name in ("cell", "book", "terms", "scenario") if row[name])
        talk.error(f"  failed: {where}: {row['reason']}")
    if len(failures) > _MOST_FAILURES:
        talk.error(f"  and {len(failures) - _MOST_FAILURES} more: tables/failures.csv has them all")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."


def _estimate(row: Mapping[Hashable, Any], name: str, decimals: int) -> str:
    """A number of the table, its 95 % interval below it."""
    shown = _percent(row[name], decimals)
    if row[name] != row[name] or f"{name}_low" not in row:
        return shown
    low, high = 100 * row[f"{name}_low"], 100 * row[f"{name}_high"]
    bounds = f"{low:.{decimals}f}-{high:.{decimals}f}" if math.isfinite(high) else f"from {low:.{decimals}f}"
    return f"{shown}\n{bounds}"


def _unknown_scenario(name: str, known: list[str]) -> Problem:
    meant = get_close_matches(name, known, n=1)
    remedy = f"did you mean {meant[0]!r}?" if meant else "`collatrisk stress --list` shows them"
    return Problem("--scenario", repr(name), "is not in the catalogue", remedy)


def _percent(value: float, decimals: int) -> str:
    return f"{100 * value:.{decimals}f} %" if value == value else "n/a"


def _usable_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = Problem("--out", str(out), f"cannot be a folder: {error.strerror}", "give another folder")
        raise InputError("Output", [problem]) from None


def _command() -> str:
    """What was typed, with the program's name instead of its path."""
    return shlex.join(["collatrisk", *sys.argv[1:]])
