"""What positions are worth: spot positions as matrices of units, and options on forwards by Black's formula."""

from collatrisk.pricing.black import BlackGreeks, black_greeks, black_price, implied_volatility
from collatrisk.pricing.positions import Positions, positions

__all__ = ["BlackGreeks", "Positions", "black_greeks", "black_price", "implied_volatility", "positions"]
