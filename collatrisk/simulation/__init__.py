from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import Jump, MarketModel
from collatrisk.simulation.paths import PricePaths, simulate
from collatrisk.simulation.plan import PathPlan
from collatrisk.simulation.source import PathBlock, PathSource
from collatrisk.simulation.windows import HistoricalWindows

__all__ = [
    "HistoricalWindows",
    "Jump",
    "Marginal",
    "MarketModel",
    "PathBlock",
    "PathPlan",
    "PathSource",
    "PricePaths",
    "simulate",
]
