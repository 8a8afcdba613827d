"""Findings: what an examination of data, a fit or a run noticed, with a code that a program can test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was noticed.

    Attributes
    ----------
    code : a stable kebab-case name, such as ``"gap"`` or ``"parameter-on-bound"``.
    severity : ``"info"``, ``"warning"`` (use with care) or ``"error"`` (do not use as it is).
    subject : what it is about: an asset, a column, a parameter.
    message : one sentence with the value, the rule and the remedy.
    rows : the rows it was seen in, as a person would name them (dates, line numbers); shortened lists say so.
    """

    code: str
    severity: Severity
    subject: str
    message: str
    rows: tuple[str, ...] = ()

    def of_part(self, subject: str) -> Finding:
        """The same about `subject`, a part of which it names: before its message, unless that begins with the part."""
        if self.subject == subject:
            return self
        message = self.message if self.message.startswith(self.subject) else f"{self.subject}: {self.message}"
        return replace(self, subject=subject, message=message)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "code": self.code,
            "severity": self.severity,
            "subject": self.subject,
            "message": self.message,
            "rows": list(self.rows),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        """The inverse of `to_dict`."""
        return cls(data["code"], data["severity"], data["subject"], data["message"], tuple(data.get("rows", ())))


def worst_severity(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity among the findings, None without findings."""
    ranks = [SEVERITIES.index(finding.severity) for finding in findings]
    return SEVERITIES[max(ranks)] if ranks else None
