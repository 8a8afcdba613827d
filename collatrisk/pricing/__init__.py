"""What positions are worth; in this version spot positions, which are matrices of units."""

from collatrisk.pricing.positions import Positions, positions

__all__ = ["Positions", "positions"]
