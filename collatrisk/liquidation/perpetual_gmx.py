"""GMX v2: the liquidation test and the price impact of an open-interest imbalance.

Source: gmx-io/gmx-synthetics, PositionUtils.sol, PricingUtils.sol (rules and figures only). Money is US dollars.
"""

from __future__ import annotations

from dataclasses import dataclass

from collatrisk.liquidation.checks import AMOUNT, ANY, POSITIVE, SHARE, check, check_fields

_TITLE = "gmx"


@dataclass(frozen=True, slots=True)
class GmxTerms:
    """`min_collateral_factor` : least collateral over position size, [0, 1]. `min_collateral_usd` : least collateral
    (None: not asked). `max_impact_factor` : cap on the negative price impact in the test, share of the size, [0, 1].
    """

    min_collateral_factor: float
    min_collateral_usd: float | None = None
    max_impact_factor: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self, {"min_collateral_factor": SHARE, "max_impact_factor": SHARE})
        if self.min_collateral_usd is not None:
            check_fields(self, {"min_collateral_usd": AMOUNT})


@dataclass(frozen=True, slots=True)
class GmxPosition:
    """`size_usd` : at entry. `size_tokens` : index tokens. `collateral` : units of the collateral token."""

    size_usd: float
    size_tokens: float
    collateral: float
    is_long: bool = True

    def __post_init__(self) -> None:
        check_fields(self, {"size_usd": POSITIVE, "size_tokens": POSITIVE, "collateral": AMOUNT})

    def profit(self, index_price: float) -> float:
        """Unrealised profit at an index price."""
        change = self.size_tokens * index_price - self.size_usd
        return change if self.is_long else -change


def remaining_collateral(
    position: GmxPosition,
    *,
    index_price: float,
    collateral_price: float,
    price_impact: float = 0.0,
    fees: float = 0.0,
    terms: GmxTerms,
) -> float:
    """Collateral at its lowest quoted price + profit + impact - closing fees.

    A positive impact counts as zero; a negative one is capped at ``size * max_impact_factor``, so that a thin market
    does not liquidate by its own impact.
    """
    prices = {"index_price": (index_price, POSITIVE), "collateral_price": (collateral_price, AMOUNT)}
    check(_TITLE, {**prices, "price_impact": (price_impact, ANY), "fees": (fees, AMOUNT)})
    counted = max(min(price_impact, 0.0), -terms.max_impact_factor * position.size_usd)
    return position.collateral * collateral_price + position.profit(index_price) + counted - fees


def liquidatable(remaining: float, size_usd: float, terms: GmxTerms) -> bool:
    """At or below zero, or strictly below ``min_collateral_factor * size`` or `min_collateral_usd`."""
    least = terms.min_collateral_factor * size_usd
    if terms.min_collateral_usd is not None:
        least = max(least, terms.min_collateral_usd)
    return remaining <= 0 or remaining < least


def imbalance_cost(imbalance_usd: float, *, factor: float, exponent: float) -> float:
    """``imbalance**exponent * factor``; zero below one dollar."""
    check(
        _TITLE, {"imbalance_usd": (imbalance_usd, AMOUNT), "factor": (factor, AMOUNT), "exponent": (exponent, POSITIVE)}
    )
    return 0.0 if imbalance_usd < 1.0 else float(imbalance_usd**exponent * factor)


def price_impact(
    before: float, after: float, *, positive_factor: float, negative_factor: float, exponent: float
) -> float:
    """Money that a trade gets (pays, if negative) for moving the imbalance from `before` to `after` (long minus short).

    ``|before|**e f - |after|**e f``: with the positive factor when the imbalance shrinks on its side, with the
    negative one when it grows; when the trade crosses over, what it removes counts with the positive, what it adds
    with the negative.
    """
    if before * after >= 0:
        factor = positive_factor if abs(after) < abs(before) else negative_factor
        both = {"factor": factor, "exponent": exponent}
        return imbalance_cost(abs(before), **both) - imbalance_cost(abs(after), **both)
    removed = imbalance_cost(abs(before), factor=positive_factor, exponent=exponent)
    return removed - imbalance_cost(abs(after), factor=negative_factor, exponent=exponent)
