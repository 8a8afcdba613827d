"""Liquidation: rules of sales and of venues as data, their arithmetic as pure functions, and terms as arrays.

Where collateral is sold: `selling`; impact laws from data: `impact_fit`. Engines on any path source: `bands_run`,
`perpetual_run`, `csa_run`. Modules by venue: `aave_v3`, `aave_v4`, `compound`, `morpho`, `euler`, `liquity`,
`perpetual_dydx`, `perpetual_gmx`, `perpetual_synthetix` and `perpetual_exchange`.
"""

from collatrisk.liquidation import (
    aave_v3,
    aave_v4,
    compound,
    euler,
    liquity,
    morpho,
    perpetual_dydx,
    perpetual_gmx,
    perpetual_synthetix,
    venues,
)
from collatrisk.liquidation.auction_book import AuctionBook, Bark, bark
from collatrisk.liquidation.auctions import (
    AccountAuctions,
    AuctionOutcomes,
    AuctionTargets,
    AuctionTerms,
    CalibratedAuction,
    Depth,
    Keepers,
    calibrate_auction,
    run_auctions,
)
from collatrisk.liquidation.curves import (
    ExponentialDecrease,
    LinearDecrease,
    PriceCurve,
    StairstepExponentialDecrease,
)
from collatrisk.liquidation.dutch import DutchAuction, Purchase, Reset
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import BatchTerms, EnglishTerms
from collatrisk.liquidation.fixed_bonus import Sale, health_after, one_round, raises_health, spiral_ltv
from collatrisk.liquidation.impact import (
    constant_product,
    linear_proceeds,
    linear_value,
    mixed_impact,
    square_root_impact,
)
from collatrisk.liquidation.pool import StabilityPool
from collatrisk.liquidation.redistribution import TroveBook
from collatrisk.liquidation.rules import RuleArrays, rule_arrays
from collatrisk.liquidation.seizure import Seizure
from collatrisk.liquidation.shared_market import BookLiquidation, liquidate_book
from collatrisk.liquidation.venue import Venue, VenueValue

__all__ = [
    "AccountAuctions",
    "AuctionBook",
    "AuctionOutcomes",
    "AuctionTargets",
    "AuctionTerms",
    "Bark",
    "BatchTerms",
    "BookLiquidation",
    "CalibratedAuction",
    "Depth",
    "DutchAuction",
    "DutchTerms",
    "EnglishTerms",
    "ExponentialDecrease",
    "Keepers",
    "LinearDecrease",
    "PriceCurve",
    "Purchase",
    "Reset",
    "RuleArrays",
    "Sale",
    "Seizure",
    "StabilityPool",
    "StairstepExponentialDecrease",
    "TroveBook",
    "Venue",
    "VenueValue",
    "aave_v3",
    "aave_v4",
    "bark",
    "calibrate_auction",
    "compound",
    "constant_product",
    "euler",
    "health_after",
    "linear_proceeds",
    "linear_value",
    "liquidate_book",
    "liquity",
    "mixed_impact",
    "morpho",
    "one_round",
    "perpetual_dydx",
    "perpetual_gmx",
    "perpetual_synthetix",
    "raises_health",
    "rule_arrays",
    "run_auctions",
    "spiral_ltv",
    "square_root_impact",
    "venues",
]
