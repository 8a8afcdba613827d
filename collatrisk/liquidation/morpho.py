"""Morpho Blue (archetype B): an incentive set by the threshold, no close factor, bad debt taken from suppliers at once.

Source: morpho-org/morpho-blue, Morpho.sol and ConstantsLib.sol (rules and figures only).
"""

from __future__ import annotations

from dataclasses import dataclass

from collatrisk.liquidation.checks import AMOUNT, BELOW_ONE, INSIDE, POSITIVE, Range, check, check_fields, refuse
from collatrisk.liquidation.seizure import Seizure

_TITLE = "morpho"


@dataclass(frozen=True, slots=True)
class MorphoTerms:
    """`lltv` : threshold, (0, 1). `cursor` : how fast the incentive grows below it, [0, 1). `max_factor` : its cap,
    >= 1.
    """

    lltv: float
    cursor: float
    max_factor: float

    def __post_init__(self) -> None:
        check_fields(self, {"lltv": INSIDE, "cursor": BELOW_ONE, "max_factor": Range(1.0)})

    @property
    def incentive_factor(self) -> float:
        """``min(max_factor, 1 / (1 - cursor * (1 - lltv)))``; times `lltv` it is below 1 while the cap does not
        bind.
        """
        return min(self.max_factor, 1.0 / (1.0 - self.cursor * (1.0 - self.lltv)))


def liquidatable(debt: float, collateral: float, price: float, terms: MorphoTerms) -> bool:
    """Whether ``debt > collateral * price * lltv``; exactly at the limit the account is healthy."""
    return debt > collateral * price * terms.lltv


def liquidate(
    debt: float,
    collateral: float,
    *,
    price: float,
    repay: float | None = None,
    seize: float | None = None,
    terms: MorphoTerms,
) -> Seizure:
    """Repay `repay` units of debt or take `seize` units of collateral: ``seized = repaid * incentive factor / price``.

    When no collateral is left, the rest of the debt is written off.

    Parameters
    ----------
    debt, collateral : units, > 0. price : of collateral in units of debt, > 0. repay, seize : exactly one of them.

    Raises
    ------
    InputError : the account is healthy; both or neither of `repay` and `seize`; more than there is of either.
    """
    check(_TITLE, {"debt": (debt, POSITIVE), "collateral": (collateral, POSITIVE), "price": (price, POSITIVE)})
    if (repay is None) == (seize is None):
        refuse(_TITLE, "repay, seize", (repay, seize), "exactly one of the two must be given", "leave one out")
    if not liquidatable(debt, collateral, price, terms):
        limit = collateral * price * terms.lltv
        refuse(_TITLE, "debt", debt, f"is not above the limit of {limit:g}: the account is healthy", "leave it alone")
    factor = terms.incentive_factor
    if repay is None:
        seized = 0.0 if seize is None else seize
        repaid = seized * price / factor
    else:
        repaid, seized = repay, repay * factor / price
    check(_TITLE, {"repay": (repaid, AMOUNT), "seize": (seized, AMOUNT)})
    if seized > collateral:
        refuse(_TITLE, "seize", seized, f"is above the collateral of {collateral:g}", "seize that much at most")
    if repaid > debt:
        refuse(_TITLE, "repay", repaid, f"is above the debt of {debt:g}", "repay that much at most")
    left, owed = collateral - seized, debt - repaid
    return Seizure(repaid, seized, 0.0, left, 0.0 if left == 0 else owed, owed if left == 0 else 0.0)


@dataclass(frozen=True, slots=True)
class Market:
    """A lending market's totals, in units of the debt asset."""

    total_supply: float
    total_borrow: float

    def __post_init__(self) -> None:
        check("Market", {"total_supply": (self.total_supply, AMOUNT), "total_borrow": (self.total_borrow, AMOUNT)})

    def after(self, done: Seizure) -> Market:
        """The totals after a liquidation: suppliers lose what was written off, in proportion to their supply."""
        borrow = self.total_borrow - done.repaid - done.written_off
        return Market(self.total_supply - done.written_off, max(borrow, 0.0))
