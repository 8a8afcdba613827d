"""Where collateral is sold: impact laws, pools, order books and blocks behind one interface, at once or over time."""

from collatrisk.liquidation.selling.almgren_chriss import AlmgrenChriss
from collatrisk.liquidation.selling.block_trade import BlockTrade
from collatrisk.liquidation.selling.fill import CALM, Fill, MarketState, SalesVenue
from collatrisk.liquidation.selling.order_book import OrderBook
from collatrisk.liquidation.selling.pool import ConstantProductPool
from collatrisk.liquidation.selling.price_impact import PriceImpact
from collatrisk.liquidation.selling.run import run_sale
from collatrisk.liquidation.selling.splitting import SplitFill, Splitting, sell_over

__all__ = [
    "CALM",
    "AlmgrenChriss",
    "BlockTrade",
    "ConstantProductPool",
    "Fill",
    "MarketState",
    "OrderBook",
    "PriceImpact",
    "SalesVenue",
    "SplitFill",
    "Splitting",
    "run_sale",
    "sell_over",
]
