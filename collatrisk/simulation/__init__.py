"""A market as a source of price paths: models, plans, paths, windows. See docs/architecture.md."""

from collatrisk.simulation.fit import fit_market
from collatrisk.simulation.jump_fit import JumpFit, Jumps
from collatrisk.simulation.jump_market import fit_jumps
from collatrisk.simulation.jumps import Jump, JumpSize
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.paths import PricePaths, simulate
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.simulation.plan import PathPlan
from collatrisk.simulation.source import PathBlock, PathSource
from collatrisk.simulation.stress import stress_model
from collatrisk.simulation.uncertainty import draw_models, parameter_uncertainty
from collatrisk.simulation.windows import HistoricalWindows

__all__ = [
    "HistoricalWindows",
    "Jump",
    "JumpFit",
    "JumpSize",
    "Jumps",
    "Marginal",
    "MarketModel",
    "PathBlock",
    "PathPlan",
    "PathSource",
    "PegMarginal",
    "PricePaths",
    "draw_models",
    "fit_jumps",
    "fit_market",
    "parameter_uncertainty",
    "simulate",
    "stress_model",
]
