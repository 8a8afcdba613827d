"""Backtests: what was promised, held against history out of sample."""

from collatrisk.backtest.auction_result import AuctionBacktest
from collatrisk.backtest.auctions import auctions

__all__ = ["AuctionBacktest", "auctions"]
