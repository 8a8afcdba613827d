"""One asset over time: volatility specs, their laws, their estimation and their forecasts. See docs/architecture.md."""

from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.fit import VolatilityFit, fit_volatility
from collatrisk.volatility.forecast import variance_forecast
from collatrisk.volatility.panel import PanelFit, fit_panel
from collatrisk.volatility.peg_fit import PegFit, fit_peg
from collatrisk.volatility.peg_spec import Peg
from collatrisk.volatility.ranges import RangeVariance, range_variance
from collatrisk.volatility.realized import RealizedFit, fit_realized
from collatrisk.volatility.realized_specs import Har, RealizedGarch
from collatrisk.volatility.recursions import GarchCoefficients, recursion_of
from collatrisk.volatility.rolling import RollingFit, rolling_fit
from collatrisk.volatility.scores import diebold_mariano, fissler_ziegel, qlike, quantile_score
from collatrisk.volatility.season import HourOfWeek, Season, SeasonFit, fit_season
from collatrisk.volatility.selected import VolatilitySelection
from collatrisk.volatility.selection import select_volatility
from collatrisk.volatility.specs import (
    Aparch,
    ConstantVolatility,
    Egarch,
    Ewma,
    Figarch,
    Garch,
    RiskMetrics2006,
    VolatilitySpec,
    spec_from_dict,
)
from collatrisk.volatility.tail_law import HistoricalLaw, InnovationLaw, ParetoTail, TailLaw, law_from_dict
from collatrisk.volatility.tails import GpdTails, TailFit, fit_tails
from collatrisk.volatility.uncertainty import ParameterDraws, draw_params

__all__ = [
    "Aparch",
    "ConstantVolatility",
    "Egarch",
    "Ewma",
    "Figarch",
    "Garch",
    "GarchCoefficients",
    "GpdTails",
    "Har",
    "HistoricalLaw",
    "HourOfWeek",
    "InnovationLaw",
    "PanelFit",
    "ParameterDraws",
    "ParameterUncertainty",
    "ParetoTail",
    "Peg",
    "PegFit",
    "RangeVariance",
    "RealizedFit",
    "RealizedGarch",
    "RiskMetrics2006",
    "RollingFit",
    "Season",
    "SeasonFit",
    "TailFit",
    "TailLaw",
    "VolatilityFit",
    "VolatilitySelection",
    "VolatilitySpec",
    "diebold_mariano",
    "draw_params",
    "fissler_ziegel",
    "fit_panel",
    "fit_peg",
    "fit_realized",
    "fit_season",
    "fit_tails",
    "fit_volatility",
    "law_from_dict",
    "qlike",
    "quantile_score",
    "range_variance",
    "recursion_of",
    "rolling_fit",
    "select_volatility",
    "spec_from_dict",
    "variance_forecast",
]
