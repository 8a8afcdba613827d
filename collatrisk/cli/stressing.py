"""`collatrisk stress`: scenarios on the books of a study, or the catalogue itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from collatrisk.base.validation import Problems
from collatrisk.cli import talk
from collatrisk.cli.guard import OK, SOME_FAILED

_HEADS = ("Scenario", "Book", "Terms", "Applied as", "Collateral", "Health factor", "Outcome")


def catalogue(json: bool) -> int:
    """List the scenarios that ship with the package."""
    from collatrisk.scenarios import load_catalogue

    scenarios = load_catalogue()
    if json:
        talk.json_out({"scenarios": [scenario.to_dict() for scenario in scenarios.values()]})
        return OK
    width = max(map(len, scenarios))
    talk.text_out("\n".join(f"{name:{width}}  {scenario.title}" for name, scenario in scenarios.items()))
    return OK


def stress_study(
    study: Path | None, scenarios: tuple[str, ...], out: Path | None, workers: int | None, json: bool
) -> int:
    """Apply scenarios to a study's books; 4 if a cell failed.

    Raises
    ------
    InputError : no study, unknown scenarios, or a study file with mistakes.
    """
    problems = Problems("collatrisk stress")
    problems.check(study is not None, "STUDY.TOML", None, "is required", "name a study file, or say --list")
    there = out is None or out.parent.is_dir()
    problems.check(there, "--out", str(out), "is in a folder that does not exist", "make the folder")
    problems.raise_if_any()
    assert study is not None
    from collatrisk.cli.running import stress_file

    rows = stress_file(study, scenarios, workers)
    shown = [row for row in rows if row["status"] != "refused" or scenarios]
    talk.table("Stress tests", _HEADS, [_line(row) for row in shown])
    silent = len(rows) - len(shown)
    if silent:
        talk.say(f"Of {len(rows)} cells, {silent} say nothing about these assets: --json or --out shows why")
    if out is not None:
        import pandas as pd

        from collatrisk.report.files import write_csv

        write_csv(pd.DataFrame(rows), out)
        talk.say(f"wrote {out}")
    if json:
        talk.json_out({"rows": rows})
    return SOME_FAILED if any(row["status"] == "failed" for row in rows) else OK


def _line(row: dict[str, Any]) -> list[str]:
    head = [row["scenario"], row["book"], row["terms"], row["application"]]
    if row["status"] != "ok":
        return [*head, "", "", f"{row['status']}: {row['reason']}"]
    outcome = row["outcome"] or f"called {100 * row['margin_called']:.1f} %, sold {100 * row['liquidated']:.1f} %"
    return [*head, f"{100 * row['collateral_change']:+.1f} %", f"{row['health_factor_after']:.3f}", outcome]
