"""What a comparison of volatility specs found: `VolatilitySelection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.realized_specs import AnySpec

SCORES = ("qlike", "tick", "fz0")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VolatilitySelection:
    """Specs compared on one series.

    Attributes
    ----------
    name : the series.
    candidates : the specs by their names.
    level, window, refit_every, proxy : of the forecasts; proxy in words.
    table : one row a candidate; see `summary`.
    variance, var, es : DataFrames of the one-step forecasts, a column a candidate; VaR and ES are positive losses.
    qlike, tick, fz0 : DataFrames of the scores, of the rows that all candidates have.
    confidence : of the model confidence sets, 0.90: a candidate whose p-value is at least 0.10 is in.
    findings : what a reader should know.
    """

    name: str
    candidates: Mapping[str, AnySpec]
    level: float
    window: int
    refit_every: int
    proxy: str
    table: pd.DataFrame
    variance: pd.DataFrame
    var: pd.DataFrame
    es: pd.DataFrame
    qlike: pd.DataFrame
    fz0: pd.DataFrame
    tick: pd.DataFrame
    confidence: float
    findings: tuple[Finding, ...]

    @property
    def best(self) -> str:
        """The candidate with the lowest mean FZ0 score: the best forecasts of VaR and ES."""
        return str(self.table["fz0"].idxmin())

    def confidence_set(self, score: str = "fz0") -> tuple[str, ...]:
        """The candidates that cannot be told from the best (Hansen, Lunde and Nason 2011).

        Parameters
        ----------
        score : ``"fz0"``, ``"tick"`` or ``"qlike"``.
        """
        problems = Problems("confidence_set")
        problems.choice("score", score, SCORES)
        problems.raise_if_any()
        kept = self.table[f"mcs_{score}"] >= 1.0 - self.confidence
        return tuple(str(name) for name in self.table.index[kept])

    def summary(self) -> pd.DataFrame:
        """One row a candidate, the lowest mean FZ0 first.

        In sample: parameters, loglikelihood, aic, bic (missing for realised models, which are estimated in parts). Out
        of sample: mean qlike, tick and fz0, exceedances of the VaR and how many were expected; for each score the
        p-value of Diebold and Mariano against the best (1 for the best; not corrected for having chosen it) and the
        p-value of the model confidence set, which is.
        """
        return self.table.sort_values("fz0")

    def __repr__(self) -> str:
        return f"VolatilitySelection({self.name}: {len(self.candidates)} candidates, best {self.best})"

    def _repr_html_(self) -> str:
        table = self.summary()
        rows = [(name, *map(_show, row)) for name, row in zip(table.index, table.to_numpy(), strict=True)]
        caption = (
            f"{self.name}: {len(self.fz0)} one-step forecasts, window {self.window}, refitted every "
            f"{self.refit_every}; VaR and ES at {self.level:g}; QLIKE against {self.proxy}"
        )
        found = html_table(["candidate", *table.columns], rows, caption)
        notes = [(finding.code, finding.severity, finding.subject, finding.message) for finding in self.findings]
        return found + (html_table(["finding", "severity", "subject", "message"], notes) if notes else "")


def _show(value: Any) -> str:
    return f"{float(value):.5g}"
