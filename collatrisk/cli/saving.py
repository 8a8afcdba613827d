"""Files that a command writes on its own: never over what is there, unless it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    from collatrisk.simulation import MarketModel


def new_file(path: Path, force: bool) -> None:
    """Refuse a file that exists, or a folder that does not.

    Raises
    ------
    InputError
    """
    problems = Problems("Output")
    problems.check(force or not path.exists(), "--out", str(path), "exists already", "move it, or say --force")
    problems.check(path.parent.is_dir(), "--out", str(path), "is in a folder that does not exist", "make the folder")
    problems.raise_if_any()


def shown(model: MarketModel, path: Path) -> dict[str, Any]:
    """What `calibrate --json` prints."""
    return {
        "status": "ok",
        "exit_code": 0,
        "file": str(path),
        "fingerprint": model.fingerprint(),
        "assets": list(model.assets),
        "clock": str(model.clock),
        "dependence": model.dependence.describe(),
        "provenance": dict(model.provenance),
        "marginals": [
            {"asset": one.asset, "params": dict(one.params), "std_errors": dict(one.std_errors)}
            for one in model.marginals
        ],
        "findings": [finding.to_dict() for finding in model.findings],
    }
