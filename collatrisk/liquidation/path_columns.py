"""What an engine found on every path of a source, as columns, and the questions that can be put to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.frozen import FrozenDict
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.risk import (
    Estimate,
    estimate_expected_shortfall,
    estimate_mean,
    estimate_value_at_risk,
    probability,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PathColumns:
    """One number of each metric on each path. Every answer comes as an `Estimate` with its interval.

    Attributes
    ----------
    title : of what was run. columns : metric -> float64 (n_paths,). units : metric -> its unit in words.
    overlap, seed : of the source. findings : what is worth knowing before the numbers are used.
    """

    title: str
    columns: Mapping[str, FloatArray]
    units: Mapping[str, str]
    overlap: int = 1
    seed: int = 0
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", FrozenDict(self.columns))
        object.__setattr__(self, "units", FrozenDict(self.units))

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be asked for."""
        return tuple(self.columns)

    @property
    def n_paths(self) -> int:
        """The number of paths."""
        return int(next(iter(self.columns.values())).size)

    def values(self, metric: str) -> FloatArray:
        """The metric on every path, float64 (n_paths,).

        Raises
        ------
        InputError : for an unknown metric.
        """
        problems = Problems(self.title)
        problems.choice("metric", metric, self.metrics)
        problems.raise_if_any()
        return self.columns[metric]

    def probability(self, metric: str, above: float = 0.0) -> Estimate:
        """The probability that a metric is above a number."""
        return probability(self.values(metric) > above, overlap=self.overlap)

    def mean(self, metric: str) -> Estimate:
        """The mean of a metric over all paths."""
        return estimate_mean(self.values(metric), overlap=self.overlap, seed=self.seed)

    def value_at_risk(self, metric: str, level: float = 0.99) -> Estimate:
        """The order statistic ceil(n x level) of a metric, large values bad."""
        return estimate_value_at_risk(self.values(metric), level, overlap=self.overlap, seed=self.seed)

    def expected_shortfall(self, metric: str, level: float = 0.99) -> Estimate:
        """The Acerbi-Tasche tail mean of a metric, large values bad."""
        return estimate_expected_shortfall(self.values(metric), level, overlap=self.overlap, seed=self.seed)

    def summary(self, level: float = 0.99) -> pd.DataFrame:
        """Metric -> unit, mean, its 95 % bounds, value_at_risk, expected_shortfall."""
        import pandas as pd

        rows = []
        for metric in self.metrics:
            mean = self.mean(metric)
            low, high = mean.ci()
            tail = (self.value_at_risk(metric, level).value, self.expected_shortfall(metric, level).value)
            rows.append((metric, self.units[metric], mean.value, low, high, *tail))
        columns = ["metric", "unit", "mean", "low", "high", "value_at_risk", "expected_shortfall"]
        return pd.DataFrame(rows, columns=columns).set_index("metric")

    def to_frame(self) -> pd.DataFrame:
        """One row a path, one column a metric."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))

    def __reduce__(self) -> tuple[Any, ...]:
        values = [getattr(self, field.name) for field in fields(self)]
        return type(self), tuple(dict(value) if isinstance(value, FrozenDict) else value for value in values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title}: {self.n_paths} paths of {', '.join(self.metrics)})"

    def _repr_html_(self) -> str:
        rows = [
            (metric, self.units[metric], str(self.mean(metric)), f"{self.expected_shortfall(metric).value:.6g}")
            for metric in self.metrics
        ]
        notes = [(finding.code, finding.severity, finding.message, "") for finding in self.findings]
        return html_table(("metric", "unit", "mean [95 %]", "ES 0.99"), [*rows, *notes], self.title)
