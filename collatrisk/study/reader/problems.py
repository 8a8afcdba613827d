"""Pydantic's complaints as problems of the house: a TOML path, the value, the rule and the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from collatrisk.base.errors import Problem, show_value
from collatrisk.base.validation import did_you_mean
from collatrisk.study.reader.schema import TAGS, StudyFile

Location = tuple[str | int, ...]
_SEE = "see `collatrisk schema` for every key and its type"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_RULES = {
    "missing": "is required",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list in [brackets]",
    "dict_type": "must be a table of name = value",
    "model_type": "must be a table of key = value",
    "model_attributes_type": "must be a table of key = value",
}
_NOTHING = "(absent)"


def toml_path(location: Location) -> str:
    """A location as a reader of the file would write it: ``terms.lombard.margin_call``, ``mixes[1].weights.ETH``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{name}" if text else name
    return text


def shape_problems(error: ValidationError, document: Mapping[str, Any]) -> dict[Location, Problem]:
    """Each complaint of pydantic by its location in the document."""
    found: dict[Location, Problem] = {}
    for item in error.errors(include_url=False, include_context=True):
        location = _in_document(item["loc"], document)
        found.setdefault(location, _problem(item, location, document))
    return found


def _in_document(location: Location, document: Any) -> Location:
    """Without the parts that name a branch of a union."""
    kept: list[str | int] = []
    node = document
    for part in location:
        has_part = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if not has_part and part in TAGS:
            continue
        kept.append(part)
        node = node[part] if has_part else None
    return tuple(kept)


def _problem(item: Any, location: Location, document: Mapping[str, Any]) -> Problem:
    path, kind = toml_path(location), item["type"]
    if kind == "extra_forbidden":
        known = sorted(_keys_of(location[:-1], document))
        remedy = did_you_mean(str(location[-1]), known)
        remedy = remedy if remedy.startswith("did") else f"known keys: {', '.join(known)}"
        return Problem(path, show_value(item["input"]), "is not a known key", remedy)
    if kind == "missing":
        return Problem(path, _NOTHING, _RULES[kind], f"add it; {_SEE}")
    if kind in {"literal_error", "enum"}:
        allowed = re.findall(r"'([^']*)'", item["ctx"]["expected"])
        rule = f"must be one of {', '.join(map(repr, allowed))}"
        return Problem(path, show_value(item["input"]), rule, did_you_mean(item["input"], allowed))
    rule = _RULES.get(kind, item["msg"][:1].lower() + item["msg"][1:])
    return Problem(path, show_value(item["input"]), rule, _SEE)


def _keys_of(location: Location, document: Mapping[str, Any]) -> set[str]:
    """The keys that the section at `location` knows."""
    model: Any = StudyFile
    node: Any = document
    for part in location:
        node = node[part]
        model = _step(model, part)
    models = _models_in(model)
    if len(models) > 1:
        kind = node.get("kind", "garch")
        models = [one for one in models if kind in get_args(one.model_fields["kind"].annotation)] or models[:1]
    return {name for one in models for name in one.model_fields}


def _step(model: Any, part: str | int) -> Any:
    """The annotation under one key of a section, of a list of sections or of a table of sections."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_fields[str(part)].annotation
    return get_args(model)[-1]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
