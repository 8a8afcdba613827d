"""Write a report: one page, one JSON file, one CSV a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collatrisk.report.files import findings_frame, result_json, write_csv
from collatrisk.report.page import render_html

if TYPE_CHECKING:
    from collatrisk.study.result import StudyResult


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report lies."""

    html: Path
    json: Path
    tables: tuple[Path, ...]


def write_report(result: StudyResult, out_dir: str | Path) -> ReportFiles:
    """Write ``report.html``, ``report.json`` and ``tables/*.csv`` into a folder, which is made if needed.

    Parameters
    ----------
    result : what `run_study` returned.
    out_dir : existing files of these names are replaced, each in one step: a reader never sees half a report.

    Returns
    -------
    ReportFiles with the paths written.
    """
    out = Path(out_dir)
    (out / "tables").mkdir(parents=True, exist_ok=True)
    paths = []
    for name, frame in {**result.tables, "findings": findings_frame(result)}.items():
        path = out / "tables" / f"{name}.csv"
        partial = path.with_suffix(".csv.part")
        write_csv(frame, partial)
        os.replace(partial, path)
        paths.append(path)
    json_path = write_text(out / "report.json", result_json(result))
    return ReportFiles(write_text(out / "report.html", render_html(result)), json_path, tuple(paths))


def write_text(path: Path, text: str) -> Path:
    """Write a text file in one step."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)
    return path
