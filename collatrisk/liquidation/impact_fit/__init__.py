"""Impact laws from data: depth tables, or returns and signed volumes."""

from collatrisk.liquidation.impact_fit.calibrate import calibrate_impact
from collatrisk.liquidation.impact_fit.decay import DecayFit
from collatrisk.liquidation.impact_fit.laws import LawFit
from collatrisk.liquidation.impact_fit.result import ImpactFit

__all__ = ["DecayFit", "ImpactFit", "LawFit", "calibrate_impact"]
