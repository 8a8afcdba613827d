"""What every section of a study file is: strict, and described for the JSON schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def doc(text: str, **bounds: float) -> Any:
    """A field with its description and its range, which the JSON schema shows and the built object checks."""
    return Field(description=text, json_schema_extra=dict(bounds) or None)


class Section(BaseModel):
    """Strict: no unknown key, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True)
