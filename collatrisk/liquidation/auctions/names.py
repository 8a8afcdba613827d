"""The names of what auctions report, in the order of the kernel's columns."""

from __future__ import annotations

EVENTS = ("triggered", "auctioned", "reset", "failed", "zero_bid", "shortfall")
"""Events of a path. `shortfall` is judged at the end of the run; the others at their first occurrence."""

METRICS = (
    "shortfall",
    "debt_auctioned",
    "collateral_auctioned",
    "collateral_sold",
    "raised",
    "debt_repaid",
    "penalty_paid",
    "written_off",
    "borrower_cost",
    "keeper_rewards",
    "slippage_cost",
    "keeper_profit",
    "outstanding_debt",
    "remaining_collateral",
    "interest",
    "cash_used",
    "auctions",
    "failed_auctions",
    "resets",
    "zero_bid_auctions",
    "clearing_days",
)
"""Quantities of a path: currency, but for the last five, which are counts and days."""

CLEARING = METRICS.index("clearing_days")

TAIL_METRICS = (
    "shortfall",
    "debt_auctioned",
    "written_off",
    "borrower_cost",
    "keeper_rewards",
    "slippage_cost",
    "clearing_days",
)
"""Quantities whose upper tails are held; none is below 0 but `borrower_cost`, which counts as 0 there."""

RATIOS = {
    "failed_share": ("failed_auctions", "auctions"),
    "zero_bid_share": ("zero_bid_auctions", "auctions"),
    "recovery": ("debt_repaid", "debt_auctioned"),
    "loss_rate": ("shortfall", "debt_auctioned"),
    "penalty_share": ("borrower_cost", "debt_repaid"),
    "clearing_days": ("clearing_days", "triggered"),
}
"""Ratios of means: what is seen per auction, per unit of debt, or per path with a trigger."""

RECORD = (
    "path",
    "account",
    "asset",
    "resets",
    "purchases",
    "first_s",
    "start_s",
    "top",
    "lot",
    "tab",
    "collateral",
    "debt",
    "target",
    "sold",
    "raised",
    "returned",
    "given_up",
    "rewards",
    "value_sold",
    "resold",
    "gas_paid",
    "feed",
    "end_s",
)
"""Columns of an auction's record: see `AuctionOutcomes.auctions`."""
