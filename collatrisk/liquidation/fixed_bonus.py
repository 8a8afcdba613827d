"""Liquidation at a fixed bonus: the arithmetic of one round and when it helps, as pure functions.

All values are in one currency; `penalty` is bonus + fee, a share of the repaid value that the borrower pays on top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collatrisk.liquidation.impact import linear_proceeds, linear_value


@dataclass(frozen=True, slots=True)
class Sale:
    """What one round did, in currency: ``seized = repaid + bonus + fee + slippage``."""

    repaid: float
    seized: float
    bonus: float
    fee: float
    slippage: float
    collateral_left: float
    debt_left: float

    @property
    def exhausted(self) -> bool:
        """All collateral is gone while debt remains."""
        return self.collateral_left == 0 and self.debt_left > 0


def one_round(
    collateral: float,
    debt: float,
    *,
    close_factor: float,
    bonus: float,
    fee: float = 0.0,
    impact: float = 0.0,
    sold: float = 0.0,
) -> Sale:
    """Repay ``close_factor * debt`` out of the collateral, or as much as all of it fetches.

    Parameters
    ----------
    collateral, debt : their values at the sale price, > 0.
    close_factor, bonus, fee : as in `Terms`.
    impact : linear, per unit of currency sold. sold : what was sold before at the same price.
    """
    cost = 1.0 + bonus + fee
    wanted = close_factor * debt
    seized = linear_value(wanted * cost, impact, sold)
    repaid = wanted
    if seized >= collateral:
        seized = collateral
        repaid = min(linear_proceeds(collateral, impact, sold) / cost, wanted)
    return Sale(
        repaid=repaid,
        seized=seized,
        bonus=bonus * repaid,
        fee=fee * repaid,
        slippage=seized - repaid * cost,
        collateral_left=collateral - seized,
        debt_left=max(debt - repaid, 0.0),
    )


def raises_health(health_factor: float, liquidation_threshold: float, penalty: float) -> bool:
    """Whether a liquidation raises the health factor: if and only if it is above ``threshold * (1 + penalty)``."""
    return health_factor > liquidation_threshold * (1.0 + penalty)


def health_after(
    health_factor: float, debt: float, repaid: float, liquidation_threshold: float, penalty: float
) -> float:
    """The health factor after `repaid` of `debt`, without impact: ``(HF D - LT (1 + penalty) R) / (D - R)``."""
    if repaid >= debt:
        return math.inf
    return (health_factor * debt - liquidation_threshold * (1.0 + penalty) * repaid) / (debt - repaid)


def spiral_ltv(penalty: float, loss_per_unit_sold: float = 1.0) -> float:
    """The loan to value from which each liquidation makes the account worse: ``1 / ((1 + penalty) * lambda)``.

    Parameters
    ----------
    penalty : bonus + fee.
    loss_per_unit_sold : lambda >= 1, relative loss of the total collateral value per unit of value sold (1 + impact).
        Source: McFarlane 2025, arXiv 2510.10171.
    """
    return 1.0 / ((1.0 + penalty) * loss_per_unit_sold)
