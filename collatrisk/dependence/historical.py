"""`FilteredHistorical`: innovations drawn as whole rows of standardised residuals, as history put them together.

Filtered historical simulation (Barone-Adesi, Giannopoulos and Vosper 1999, Journal of Futures Markets 19(5)): the
residuals of all assets on one date are drawn together and sent through the volatility models again. The rows hold
whatever law and dependence the data had, tails that fall together included; nothing is drawn beyond the worst of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems

if TYPE_CHECKING:
    from collatrisk.dependence.result import DependenceFit

FloatArray = NDArray[np.float64]

_FEWEST, _WANTED = 50, 500


@dataclass(frozen=True, slots=True)
class FilteredHistorical:
    """Draw rows of standardised residuals: this replaces both the copula and the laws of the innovations.

    Parameters
    ----------
    mean_block : mean length in steps of the runs of neighbouring rows that are drawn together, >= 1. Lengths are
        geometric and the end of history goes on at its beginning (the stationary bootstrap of Politis and Romano 1994,
        JASA 89(428)). 1 (default) draws every row by itself, which is right where the volatility models have left
        nothing over time; 5 to 20 days keep what they have left.

    Raises
    ------
    InputError : a mean block below 1.
    """

    mean_block: float = 1.0

    def __post_init__(self) -> None:
        problems = Problems("FilteredHistorical")
        problems.number("mean_block", self.mean_block, low=1, high=1e6, remedy="1 draws every row by itself")
        problems.raise_if_any()
        object.__setattr__(self, "mean_block", float(self.mean_block))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "filtered-historical", "mean_block": self.mean_block}

    def __str__(self) -> str:
        blocks = "" if self.mean_block == 1.0 else f" in blocks of {self.mean_block:g} steps on average"
        return f"filtered historical rows{blocks}"


def fit_history(residuals: FloatArray, spec: FilteredHistorical, *, assets: Sequence[str]) -> DependenceFit:
    """The rows from which innovations are drawn.

    Each column is brought to mean 0 and variance 1: the variance of a step is then the volatility model's own. The
    correlation of the fit is the rows' (Pearson's), for reports and for the bridge between steps.

    Parameters
    ----------
    residuals : float64 (n_obs, n_assets) standardised residuals of common dates, in time order; at least 50 rows.
    assets : the columns' names.

    Returns
    -------
    DependenceFit with `rows`; a finding says that the model then holds data.

    Raises
    ------
    DataError : too few rows, missing values, a constant column.
    """
    from collatrisk.dependence.result import DependenceFit

    data = np.array(residuals, dtype=np.float64)
    names = tuple(map(str, assets))
    problems = Problems("fit_history", DataError)
    shape_ok = data.ndim == 2 and data.shape[1] == len(names) and bool(np.all(np.isfinite(data)))
    rule = f"must be finite numbers of shape (n_obs, {len(names)})"
    problems.check(shape_ok, "residuals", data.shape, rule, "drop missing rows")
    problems.raise_if_any()
    remedy = "use a longer history, or a parametric law"
    problems.check(len(data) >= _FEWEST, "n_obs", len(data), f"must be at least {_FEWEST}", remedy)
    problems.raise_if_any()
    spread = data.std(axis=0)
    for name, size in zip(names, spread.tolist(), strict=True):
        problems.check(size > 0.0, name, size, "must vary", "leave the asset out of the fit")
    problems.raise_if_any()
    rows = (data - data.mean(axis=0)) / spread
    correlation = np.atleast_2d(np.corrcoef(rows, rowvar=False))
    np.fill_diagonal(correlation, 1.0)
    findings = _findings(len(data), names, spread)
    return DependenceFit(spec, names, correlation, n_obs=len(data), findings=findings, rows=rows)


def _findings(n_obs: int, names: tuple[str, ...], spread: FloatArray) -> tuple[Finding, ...]:
    text = (
        f"a file of this model holds data, {n_obs} rows of standardised residuals: save it only where the prices "
        "themselves may lie"
    )
    found = [Finding("holds-data", "warning", "dependence", text)]
    if n_obs < _WANTED:
        text = (
            f"{n_obs} rows (wanted: {_WANTED}): nothing beyond the worst of them is drawn, so that a quantile of one "
            f"step beyond 1 - {1.0 / n_obs:.2g} is the worst row; use a longer history, or GpdTails"
        )
        found.append(Finding("few-rows", "warning", "dependence", text))
    for name, size in zip(names, spread.tolist(), strict=True):
        if abs(size**2 - 1.0) > 0.1:
            text = (
                f"the residuals had a variance of {size**2:.3f} and are brought to 1 (rule: within 10 %): the law of "
                "the first step does not fit their scale; use dist='normal', whose quasi-likelihood holds for any law"
            )
            found.append(Finding("residual-variance-not-one", "warning", name, text))
    return tuple(found)


def resampled(rows: FloatArray, mean_block: float, rng: np.random.Generator) -> FloatArray:
    """As many rows drawn from `rows` by the stationary bootstrap: a history that might have been, for `draw_models`."""
    n = len(rows)
    fresh = rng.random(n) < 1.0 / mean_block
    fresh[0] = True
    starts = np.flatnonzero(fresh)
    begun = rng.integers(n, size=starts.size)
    run = np.cumsum(fresh) - 1
    places = (begun[run] + np.arange(n) - starts[run]) % n
    drawn = rows[places]
    spread = drawn.std(axis=0)
    return np.asarray((drawn - drawn.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0), dtype=np.float64)


def empirical_tail_dependence(rows: FloatArray, share: float = 0.05) -> FloatArray:
    """(d, d) the share of the dates with one asset among its worst `share` on which the other is as well."""
    count = max(1, round(share * len(rows)))
    worst = rows <= np.partition(rows, count - 1, axis=0)[count - 1]
    both = worst.T.astype(np.float64) @ worst.astype(np.float64)
    return np.asarray(both / np.maximum(np.diag(both)[:, None], 1.0), dtype=np.float64)
