"""The machine-readable part of a report: JSON that every parser reads, CSV that no spreadsheet executes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.tables import neutralise_formula

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.study.result import StudyResult

FORMAT = "collatrisk-report"
VERSION = 1


def result_json(result: StudyResult) -> str:
    """The result as JSON: what was asked, how it was run, every finding and every table. Not finite becomes null."""
    run = result.run
    body = {
        "format": FORMAT,
        "version": VERSION,
        "title": result.study.headline,
        "status": result.status,
        "exit_code": result.exit_code,
        "study": result.study.to_dict(),
        "run": {name: _plain(getattr(run, name)) for name in run.__dataclass_fields__},
        "findings": [finding.to_dict() for finding in result.findings],
        "tables": {name: frame.to_dict("records") for name, frame in result.tables.items()},
    }
    return json.dumps(_plain(body), indent=1, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c") + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """A table as CSV (UTF-8, full precision); text that a spreadsheet would execute is made harmless."""
    safe = frame.rename(columns=lambda name: neutralise_formula(str(name)))
    for column in safe.columns:
        # Whatever kind of column pandas makes of text: objects, or its own strings.
        if any(isinstance(value, str) for value in safe[column]):
            safe[column] = [neutralise_formula(value) if isinstance(value, str) else value for value in safe[column]]
    safe.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def findings_frame(result: StudyResult) -> pd.DataFrame:
    """The findings as a table."""
    import pandas as pd

    columns = ["severity", "subject", "code", "message", "rows"]
    rows = [{**finding.to_dict(), "rows": "; ".join(finding.rows)} for finding in result.findings]
    return pd.DataFrame(rows, columns=columns).astype(object)
