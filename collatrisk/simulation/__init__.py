from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import Jump, MarketModel
from collatrisk.simulation.source import PathBlock, PathSource

__all__ = ["Jump", "Marginal", "MarketModel", "PathBlock", "PathSource"]
