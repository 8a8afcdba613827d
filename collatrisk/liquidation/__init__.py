"""Liquidation at a fixed bonus with linear price impact: arithmetic as pure functions, and terms as arrays."""

from collatrisk.liquidation.fixed_bonus import Sale, health_after, one_round, raises_health, spiral_ltv
from collatrisk.liquidation.impact import (
    constant_product,
    linear_proceeds,
    linear_value,
    mixed_impact,
    square_root_impact,
)
from collatrisk.liquidation.rules import RuleArrays, rule_arrays

__all__ = [
    "RuleArrays",
    "Sale",
    "constant_product",
    "health_after",
    "linear_proceeds",
    "linear_value",
    "mixed_impact",
    "one_round",
    "raises_health",
    "rule_arrays",
    "spiral_ltv",
    "square_root_impact",
]
