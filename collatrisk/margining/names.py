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

MEANING = {
    "margin_called": "the mark fell below margin_call",
    "cured": "the borrower topped up at the deadline of a call",
    "liquidated": "collateral was sold",
    "exhausted": "all collateral is gone while debt remains",
    "shortfall": "outstanding debt less what is left, at the end of the run, not below 0",
    "debt_repaid": "debt repaid by sales",
    "collateral_seized": "collateral sold, at sale prices before impact",
    "liquidator_bonus": "to the liquidator",
    "lender_fee": "to the lender",
    "slippage_cost": "lost to price impact",
    "top_up": "collateral added by the borrower",
    "interest": "interest accrued on the debts",
    "outstanding_debt": "debt at the end of the run",
    "remaining_collateral": "collateral at the end of the run",
    "min_health_factor": "the lowest mark of the health factor",
}
