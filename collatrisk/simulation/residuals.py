"""What is done to returns before the volatility fit and to its residuals after it: seasons, tails, rows of history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import CollatriskError, DataError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.result import DependenceFit
from collatrisk.market.clock import Clock
from collatrisk.simulation.common_dates import places_of
from collatrisk.simulation.marginals import Marginal
from collatrisk.volatility.season import HourOfWeek, SeasonFit, fit_season
from collatrisk.volatility.tail_law import HistoricalLaw, InnovationLaw, TailLaw
from collatrisk.volatility.tails import TailFit

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.peg_fit import PegFit

FloatArray = NDArray[np.float64]

_TITLE = "fit_market"


def season_of_each(series: Mapping[str, pd.Series], season: HourOfWeek | None, clock: Clock) -> dict[str, SeasonFit]:
    """The season of each asset, or nothing where none is asked for; all assets' problems at once."""
    if season is None:
        return {}
    problems = Problems(_TITLE)
    rule = "needs a 24/7 clock: when a session's steps lie in the week is not known"
    problems.check(clock.kind == "24/7", "season", str(clock), rule, "leave season out")
    problems.raise_if_any()
    found: dict[str, SeasonFit] = {}
    wrong: list[Problem] = []
    for asset, returns in series.items():
        try:
            found[asset] = fit_season(returns.rename(asset), season, steps_per_day=clock.steps_per_day)
        except CollatriskError as error:
            wrong += error.problems
    if wrong:
        raise DataError(f"{_TITLE}: {len(series) - len(found)} of {len(series)} assets have no season", wrong)
    return found


def named(fit: VolatilityFit, asset: str) -> pd.Series:
    """The standardised residuals under the asset's name."""
    import pandas as pd

    return pd.Series(fit.std_resid, name=asset)


def residual_rows(
    fits: Mapping[str, VolatilityFit | PegFit], dates: Mapping[str, pd.Index], common: pd.Index
) -> FloatArray:
    """The standardised residuals of the common dates, of a peg the normal scores of its steps, (n_obs, n_assets)."""
    columns = [fit.std_resid[places_of(common, dates[asset])] for asset, fit in fits.items()]
    return np.ascontiguousarray(np.column_stack(columns))


def innovation_law(asset: str, tails: Mapping[str, TailFit], joint: DependenceFit) -> InnovationLaw | None:
    """The law that takes the place of the spec's, if one does."""
    if joint.rows is None:
        return tails[asset].law if asset in tails else None
    column = joint.rows[:, joint.assets.index(asset)]
    return HistoricalLaw(float(np.mean(np.minimum(column, 0.0) ** 2)))


def with_forecast_findings(marginal: Marginal) -> Marginal:
    """The marginal, with a finding where the law of its innovations leaves no mean to the variance beyond a step."""
    law = marginal.innovations
    if not isinstance(law, TailLaw) or not marginal.coefficients.closed_form:
        return marginal
    if math.isfinite(marginal.variance_forecast(2)[1]):
        return marginal
    text = (
        f"E[exp(alpha |z|)] is infinite under Pareto tails (xi {law.lower.xi:.3g} below, {law.upper.xi:.3g} above): no "
        "variance beyond the next step is finite, forecasts are inf and no drift makes the price a martingale; paths "
        "(whose ln h is held to 9.21) and their quantiles are sound, means are not: use Garch, or no GpdTails, where a "
        "variance is needed"
    )
    finding = Finding("infinite-variance", "warning", marginal.asset, text)
    return replace(marginal, findings=(*marginal.findings, finding))
