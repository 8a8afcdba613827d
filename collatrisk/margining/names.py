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
    "collateral_loss",
)
"""Quantities of a path: currency, but for the health factor. None is below zero but `collateral_loss`, which is what
the collateral as put in is worth less at the end than at the start, whatever was called, topped up or sold."""

MIN_HEALTH = METRICS.index("min_health_factor")

SETTLEMENT_METRICS = (
    "debt_written_off",
    "debt_redistributed",
    "collateral_absorbed",
    "resale_proceeds",
    "absorbed_loss",
)
"""Further quantities where a rule of the run writes debt off or hands collateral over, in currency.

Debt that lenders or reserves lose at once; debt passed on to other borrowers; value of the collateral that a fund, a
pool or other borrowers took over, less cash paid back for it; what that collateral fetched; what those who took it over
or wrote debt off have lost (the shortfall includes it).
"""

TAIL_METRICS = (
    "shortfall",
    "debt_repaid",
    "collateral_seized",
    "liquidator_bonus",
    "lender_fee",
    "slippage_cost",
    "top_up",
    "collateral_loss",
    "min_health_factor",
)
"""Quantities whose bad tails are held: large amounts, low health factors."""


def metrics_of(settles: bool) -> tuple[str, ...]:
    """The quantities of a run; `settles`: whether a rule can write debt off or hand collateral over."""
    return METRICS + SETTLEMENT_METRICS if settles else METRICS


def tail_metrics_of(settles: bool) -> tuple[str, ...]:
    """The quantities whose bad tails a run holds: amounts never below zero, then collateral losses, health factors."""
    return (*TAIL_METRICS[:-2], "absorbed_loss", *TAIL_METRICS[-2:]) if settles else TAIL_METRICS
