"""Auctions of whole books on any path source: rules, keepers, depth, outcomes."""

from collatrisk.liquidation.auctions.depth import Depth
from collatrisk.liquidation.auctions.keepers import Keepers
from collatrisk.liquidation.auctions.outcomes import AuctionOutcomes
from collatrisk.liquidation.auctions.run import run_auctions
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.liquidation.auctions.view import AccountAuctions

__all__ = ["AccountAuctions", "AuctionOutcomes", "AuctionTerms", "Depth", "Keepers", "run_auctions"]
