"""Prices: files to frames, clocks, data quality, common dates and returns."""

from collatrisk.market.align import align_prices
from collatrisk.market.clock import Clock
from collatrisk.market.load import InspectedPrices, inspect_prices, load_prices
from collatrisk.market.patterns import infer_clock, resolve_clock
from collatrisk.market.pegs import KNOWN_PEGS
from collatrisk.market.provenance import frame_hash
from collatrisk.market.quality import DataQualityReport, check_prices
from collatrisk.market.returns import log_returns, simple_returns

__all__ = [
    "KNOWN_PEGS",
    "Clock",
    "DataQualityReport",
    "InspectedPrices",
    "align_prices",
    "check_prices",
    "frame_hash",
    "infer_clock",
    "inspect_prices",
    "load_prices",
    "log_returns",
    "resolve_clock",
    "simple_returns",
]
