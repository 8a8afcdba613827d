"""Auctions of whole books on any path source: rules, keepers, depth, outcomes."""

from collatrisk.liquidation.auctions.calibrate import CalibratedAuction, calibrate_auction
from collatrisk.liquidation.auctions.depth import Depth
from collatrisk.liquidation.auctions.keepers import Keepers
from collatrisk.liquidation.auctions.outcomes import AuctionOutcomes
from collatrisk.liquidation.auctions.run import run_auctions
from collatrisk.liquidation.auctions.targets import AuctionTargets
from collatrisk.liquidation.auctions.terms import AuctionTerms
from collatrisk.liquidation.auctions.view import AccountAuctions

__all__ = [
    "AccountAuctions",
    "AuctionOutcomes",
    "AuctionTargets",
    "AuctionTerms",
    "CalibratedAuction",
    "Depth",
    "Keepers",
    "calibrate_auction",
    "run_auctions",
]
