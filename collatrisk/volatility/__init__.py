"""One asset over time: volatility specs, their laws, their estimation and their forecasts. See docs/architecture.md."""

from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.fit import VolatilityFit, fit_volatility
from collatrisk.volatility.forecast import variance_forecast
from collatrisk.volatility.panel import PanelFit, fit_panel
from collatrisk.volatility.rolling import RollingFit, rolling_fit
from collatrisk.volatility.specs import (
    ConstantVolatility,
    Ewma,
    Garch,
    GarchCoefficients,
    VolatilitySpec,
    garch_coefficients,
    spec_from_dict,
)
from collatrisk.volatility.uncertainty import ParameterDraws, draw_params

__all__ = [
    "ConstantVolatility",
    "Ewma",
    "Garch",
    "GarchCoefficients",
    "PanelFit",
    "ParameterDraws",
    "ParameterUncertainty",
    "RollingFit",
    "VolatilityFit",
    "VolatilitySpec",
    "draw_params",
    "fit_panel",
    "fit_volatility",
    "garch_coefficients",
    "rolling_fit",
    "spec_from_dict",
    "variance_forecast",
]
