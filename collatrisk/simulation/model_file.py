"""Reading and writing market models: versioned JSON, exact to the bit, refused unless every entry is right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from collatrisk.base.errors import CollatriskError
from collatrisk.base.findings import SEVERITIES, Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.result import DependenceFit
from collatrisk.market.clock import Clock
from collatrisk.simulation.jumps import JUMP_SIZE_KEYS, Jump
from collatrisk.simulation.model import FORMAT, VERSION, MarketModel
from collatrisk.simulation.peg_marginal import is_peg, marginal_from_dict

_TITLE = "Market model file"
_REMEDY = "save the model again with MarketModel.save"


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, (list, tuple)) and all(map(check, value))


def _text(value: object) -> bool:
    return isinstance(value, str)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _table(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value))


def _table_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Mapping) and _table(value) and all(map(check, value.values()))


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


Schema = Mapping[str, tuple[str, Callable[[object], bool]]]

_NUMBERS = ("a list of numbers", _list_of(_number))
_TEXTS = ("a list of texts", _list_of(_text))
_TABLES = ("a list of tables", _list_of(_table))
_NUMBER_TABLE = ("a table of numbers", _table_of(_number))
_MAYBE = ("a number or null", _or_null(_number))

_MODEL: Schema = {
    "format": (f"{FORMAT!r}", lambda value: value == FORMAT),
    "version": (f"{VERSION}, the version that this release reads", lambda value: _whole(value) and value == VERSION),
    "assets": _TEXTS,
    "spot": _NUMBERS,
    "clock": ("a table", _table),
    "marginals": _TABLES,
    "dependence": ("a table", _table),
    "jumps": _TABLES,
    "provenance": ("a table of texts", _table_of(_text)),
    "findings": _TABLES,
}
_CLOCK: Schema = {
    "kind": ("a text", _text),
    "steps_per_day": ("a whole number", _whole),
    "days_per_year": ("a number", _number),
    "holidays": _TEXTS,
}
_MARGINAL: Schema = {
    "asset": ("a text", _text),
    "spec": ("a table", _table),
    "params": _NUMBER_TABLE,
    "std_errors": _NUMBER_TABLE,
    "last_residuals": _NUMBERS,
    "last_variances": _NUMBERS,
    "n_obs": ("a whole number", _whole),
    "loglikelihood": _MAYBE,
    "findings": _TABLES,
}
_STATES = ("last_residuals", "last_variances")
_PEG: Schema = {
    **{key: rule for key, rule in _MARGINAL.items() if key not in _STATES},
    "last_distance": ("a number", _number),
    "last_stressed": ("a number", _number),
}
# Not in every file: models of given parameters and files of before have none.
_MARGINAL_OPTIONAL: Schema = {
    **dict.fromkeys(("uncertainty", "innovations", "season"), ("a table", _table)),
    "last_return": ("a number", _number),
    "sample_volatility": ("a number", _number),
}
_ROWS = _list_of(_list_of(_number))
_UNCERTAINTY: Schema = {
    "names": _TEXTS,
    "covariance": ("a list of rows of numbers or null", _or_null(_ROWS)),
    "state_slopes": ("a list of rows of numbers", _ROWS),
}
_UNCERTAINTY_OPTIONAL: Schema = {"loadings": ("a list of rows of numbers", _ROWS), "shared": ("a text", _text)}
_DEPENDENCE: Schema = {
    "spec": ("a table", _table),
    "assets": _TEXTS,
    "correlation": ("a list of rows of numbers", _list_of(_list_of(_number))),
    "nu": _MAYBE,
    "nu_std_error": _MAYBE,
    "loglikelihood": _MAYBE,
    "n_obs": ("a whole number", _whole),
    "shrinkage": ("a number", _number),
    "findings": _TABLES,
}
# Rows of history, which only models of `FilteredHistorical` hold.
# The motion of a correlation and groups of degrees of freedom belong to the specs that have them.
_DEPENDENCE_OPTIONAL: Schema = {
    "rows": ("a list of rows of numbers", _ROWS),
    "dynamics": ("a table", _table),
    "groups": _TABLES,
}
_DYNAMICS: Schema = {
    "motion": ("a text", _text),
    "a": ("a number", _number),
    "b": ("a number", _number),
    "g": ("a number", _number),
    "state": ("a list of rows of numbers", _ROWS),
    "negatives": ("a list of rows of numbers or null", _or_null(_ROWS)),
    "names": _TEXTS,
    "covariance": ("a list of rows of numbers or null", _or_null(_ROWS)),
    "likelihood": ("a text", _text),
}
_GROUP: Schema = {"name": ("a text", _text), "assets": _TEXTS, "nu": ("a number", _number), "nu_std_error": _MAYBE}


def _is_size(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == set(JUMP_SIZE_KEYS) and all(map(_number, value.values()))


_JUMP_OPTIONAL: Schema = {
    "compensated": ("true or false", lambda value: isinstance(value, bool)),
    "together": ("a number", _number),
    "count": ("a whole number", _whole),
}
_JUMP: Schema = {
    "label": ("a text", _text),
    "intensity_per_year": ("a number", _number),
    "log_sizes": ("a table of numbers, or of laws", _table_of(lambda value: _number(value) or _is_size(value))),
}
_FINDING: Schema = {
    "code": ("a text", _text),
    "severity": (f"one of {', '.join(SEVERITIES)}", lambda value: value in SEVERITIES),
    "subject": ("a text", _text),
    "message": ("a text", _text),
    "rows": _TEXTS,
}


def save_model(model: MarketModel, path: str | PathLike[str]) -> None:
    """Write a model and its fingerprint."""
    data = {**model.to_dict(), "fingerprint": model.fingerprint()}
    problems = Problems(f"Saving {_TITLE}")
    try:
        _path(problems, path).write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        problems.add("path", str(path), f"cannot be written ({error.strerror})", "name a file in a folder that exists")
    problems.raise_if_any()


def _path(problems: Problems, path: object) -> Path:
    if not isinstance(path, str | PathLike):
        problems.add("path", path, "must be a path", "give 'model.json'")
        problems.raise_if_any()
    return Path(path)  # type: ignore[arg-type]


def load_model(path: str | PathLike[str]) -> MarketModel:
    """Read a model; refuses what is not exactly what `save_model` wrote."""
    problems = Problems(f"{_TITLE} {path}")
    where = _path(problems, path)
    data: Any = None
    try:
        data = json.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        problems.add("path", str(path), f"cannot be read ({error.strerror})", "give the path of a saved model")
    except (ValueError, RecursionError) as error:
        problems.add("content", str(error), "must be JSON in UTF-8", _REMEDY)
    problems.raise_if_any()
    if isinstance(data, dict):
        written = data.pop("fingerprint", None)
        problems.check(_text(written), "fingerprint", written, "must be there", _REMEDY)
    model = model_from_dict(data, problems)
    if model.fingerprint() != written:
        rule = "does not fit the content: the file was changed after it was saved"
        remedy = "change a model in Python (stress_model, with_spot) and save it, so that the change is on record"
        problems.add("fingerprint", written, rule, remedy)
    problems.raise_if_any()
    return model


def model_from_dict(data: object, problems: Problems | None = None) -> MarketModel:
    """A model from its dictionary, with every broken entry named by its path."""
    problems = problems or Problems(_TITLE)
    _check_finite(problems, data, "")
    _check_tables(problems, data)
    problems.raise_if_any()
    assert isinstance(data, Mapping)
    parts: dict[str, Any] = {}
    for name, build in (
        ("clock", lambda: Clock.from_dict(dict(data["clock"]))),
        ("marginals", lambda: tuple(map(marginal_from_dict, data["marginals"]))),
        ("dependence", lambda: DependenceFit.from_dict(data["dependence"])),
        ("jumps", lambda: tuple(map(Jump.from_dict, data["jumps"]))),
        ("findings", lambda: tuple(map(Finding.from_dict, data["findings"]))),
    ):
        try:
            parts[name] = build()
        except CollatriskError as error:
            problems.found.extend(error.problems)
        except (KeyError, TypeError, ValueError) as error:
            problems.add(name, data[name], f"cannot be read ({error})", _REMEDY)
    problems.raise_if_any()
    spot = np.array(data["spot"], dtype=np.float64)
    return MarketModel(assets=tuple(data["assets"]), spot=spot, provenance=data["provenance"], **parts)


def _check_tables(problems: Problems, data: object) -> None:
    if not _check_table(problems, data, "", _MODEL):
        return
    assert isinstance(data, Mapping)
    _check_table(problems, data["clock"], "clock.", _CLOCK)
    for i, part in enumerate(data["marginals"]):
        if _check_table(problems, part, f"marginals[{i}].", _PEG if is_peg(part) else _MARGINAL, _MARGINAL_OPTIONAL):
            _check_findings(problems, part["findings"], f"marginals[{i}].findings")
            if "uncertainty" in part:
                where = f"marginals[{i}].uncertainty."
                _check_table(problems, part["uncertainty"], where, _UNCERTAINTY, _UNCERTAINTY_OPTIONAL)
    if _check_table(problems, data["dependence"], "dependence.", _DEPENDENCE, _DEPENDENCE_OPTIONAL):
        _check_findings(problems, data["dependence"]["findings"], "dependence.findings")
        if "dynamics" in data["dependence"]:
            _check_table(problems, data["dependence"]["dynamics"], "dependence.dynamics.", _DYNAMICS)
        for i, group in enumerate(data["dependence"].get("groups", ())):
            _check_table(problems, group, f"dependence.groups[{i}].", _GROUP)
    for i, jump in enumerate(data["jumps"]):
        _check_table(problems, jump, f"jumps[{i}].", _JUMP, _JUMP_OPTIONAL)
    _check_findings(problems, data["findings"], "findings")


def _check_findings(problems: Problems, findings: Any, path: str) -> None:
    for i, finding in enumerate(findings):
        _check_table(problems, finding, f"{path}[{i}].", _FINDING)


def _check_table(
    problems: Problems, data: object, path: str, schema: Schema, optional: Schema = MappingProxyType({})
) -> bool:
    before = len(problems.found)
    if not isinstance(data, Mapping):
        problems.add(path.rstrip(".") or "content", data, "must be a table", _REMEDY)
        return False
    for key, (wanted, check) in {**schema, **optional}.items():
        if key not in data and key in optional:
            continue
        if key not in data:
            problems.add(f"{path}{key}", "nothing", f"is missing; must be {wanted}", _REMEDY)
        elif not check(data[key]):
            problems.add(f"{path}{key}", data[key], f"must be {wanted}", _REMEDY)
    for key in data:
        problems.check(
            key in schema or key in optional, f"{path}{key}", data[key], "is not a key of this format", "remove it"
        )
    return len(problems.found) == before


def _check_finite(problems: Problems, data: object, path: str) -> None:
    if isinstance(data, float) and not math.isfinite(data):
        problems.add(path, data, "must be a finite number", _REMEDY)
    elif isinstance(data, Mapping):
        for key, value in data.items():
            _check_finite(problems, value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, (list, tuple)):
        for i, value in enumerate(data):
            _check_finite(problems, value, f"{path}[{i}]")
