"""The names of what the margin engine reports, in the order of the kernel's rows."""

from __future__ import annotations

EVENTS = ("margin_called", "cured", "liquidated", "exhausted", "shortfall")
"""Events of a path. `shortfall` is judged at the end of the run; the others at their first occurrence."""

METRICS = (
    "shortfall",
    "debt_repaid",
    "collateral_seized",
    "liquidator_bonus",
    "lender_fee",
    "slippage_cost",
    "top_up",
    "interest",
    "outstanding_debt",
    "remaining_collateral",
    "min_health_factor",
)
"""Quantities of a path: currency, but for the health factor."""

MIN_HEALTH = METRICS.index("min_health_factor")

TAIL_METRICS = (
    "shortfall",
    "debt_repaid",
    "collateral_seized",
    "liquidator_bonus",
    "lender_fee",
    "slippage_cost",
    "top_up",
    "min_health_factor",
)
"""Quantities whose bad tails are held: large amounts, low health factors."""
