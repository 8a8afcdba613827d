"""Studies: books x terms x scenarios on one set of paths, resumable, from a strict TOML file to tables.

Names are loaded on first use: the command line must be able to ask for one of them without paying for all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collatrisk.study.reader import load_study as load_study, study_schema as study_schema
    from collatrisk.study.result import StudyResult as StudyResult
    from collatrisk.study.run import run_study as run_study
    from collatrisk.study.spec import (
        Book as Book,
        Grid as Grid,
        MarketPlan as MarketPlan,
        Sizing as Sizing,
        StressPlan as StressPlan,
    )
    from collatrisk.study.stress_table import stress as stress
    from collatrisk.study.study import Study as Study

_HOME = {
    "load_study": "reader",
    "study_schema": "reader",
    "StudyResult": "result",
    "run_study": "run",
    "Book": "spec",
    "Grid": "spec",
    "MarketPlan": "spec",
    "Sizing": "spec",
    "StressPlan": "spec",
    "stress": "stress_table",
    "Study": "study",
}

__all__ = ["Book", "Grid", "MarketPlan", "Sizing", "StressPlan", "Study", "StudyResult"]
__all__ += ["load_study", "run_study", "stress", "study_schema"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'collatrisk.study' has no attribute {name!r}")
    return getattr(import_module(f"collatrisk.study.{_HOME[name]}"), name)
