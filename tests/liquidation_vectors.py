"""Figures of venues' own tests: read from tests/vectors, compared within the tolerance that each one states."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from collatrisk.base.errors import InputError

FOLDER = Path(__file__).parent / "vectors"


def cases(*families: str, left_out: Mapping[str, str] = {}) -> list[Any]:
    """The cases of the families as pytest parameters, without those named in `left_out` (name: reason)."""
    found = [case for family in families for case in json.loads((FOLDER / f"{family}.json").read_text())]
    names = {case["name"] for case in found}
    assert names >= set(left_out), "a case that is left out does not exist"
    return [pytest.param(case, id=case["name"]) for case in found if case["name"] not in left_out]


def refused(action: Callable[[], object]) -> bool:
    """Whether the action is refused with an InputError that names its rule."""
    try:
        action()
    except InputError as error:
        return bool(error.problems)
    return False


def compare(found: Any, expected: Any, tolerance: Mapping[str, float], path: str = "") -> None:
    """Numbers within ``max(abs, rel * |expected|)``; texts and truths equal; mappings and lists by element."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(found[key], value, tolerance, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for i, value in enumerate(expected):
            compare(found[i], value, tolerance, f"{path}[{i}]")
    elif isinstance(expected, bool | str):
        assert found == expected, path
    else:
        allowed = max(tolerance["abs"], tolerance["rel"] * abs(expected))
        assert abs(found - expected) <= allowed, f"{path}: {found!r} against {expected!r}"
