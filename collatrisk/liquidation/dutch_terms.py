"""The settings of a time-decay auction (archetype A)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.kernels.auction_rules import reset_due
from collatrisk.liquidation.checks import AMOUNT, BELOW_ONE, INSIDE, LIMIT, POSITIVE, Range, check, record
from collatrisk.liquidation.curves import (
    ExponentialDecrease,
    LinearDecrease,
    PriceCurve,
    StairstepExponentialDecrease,
)

_RANGES = {
    "buffer": POSITIVE,
    "tail_s": LIMIT,
    "cusp": BELOW_ONE,
    "tip": AMOUNT,
    "chip": BELOW_ONE,
    "dust": AMOUNT,
    "penalty": AMOUNT,
    "capacity": Range(infinite=True),
    "collateral_capacity": Range(infinite=True),
}


@dataclass(frozen=True, slots=True)
class DutchTerms:
    """Rules of a Dutch auction by time. Money is in the debt's currency, prices in it per unit of collateral.

    Parameters
    ----------
    curve : `LinearDecrease`, `StairstepExponentialDecrease` or `ExponentialDecrease`.
    buffer : starting price over the feed, > 0 (Maker ``buf``).
    tail_s : seconds after which a reset is due, > 0 or inf. cusp : share of the starting price below which it is due,
        in [0, 1). Both comparisons are strict.
    tip, chip : reward of the keeper who starts or resets: flat money >= 0, and a share of what is to be raised, [0, 1).
    dust : smallest debt that may stay behind, >= 0.
    penalty : share of the debt raised on top of it, >= 0 (Maker ``chop`` - 1).
    capacity, collateral_capacity : money that all auctions, and those of one collateral, may try to raise at one time
        (debt and penalty), >= 0 or inf (Maker ``Hole`` and ``hole``).
    breaker : 0 all allowed; 1 no start; 2 also no reset; 3 also no purchase.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    curve: PriceCurve
    buffer: float
    tail_s: float = math.inf
    cusp: float = 0.0
    tip: float = 0.0
    chip: float = 0.0
    dust: float = 0.0
    penalty: float = 0.0
    capacity: float = math.inf
    collateral_capacity: float = math.inf
    breaker: int = 0

    def __post_init__(self) -> None:
        problems = Problems("DutchTerms")
        curves = (LinearDecrease, StairstepExponentialDecrease, ExponentialDecrease)
        rule = f"must be a {', '.join(kind.__name__ for kind in curves)}"
        problems.check(isinstance(self.curve, curves), "curve", self.curve, rule, "give LinearDecrease(3600), say")
        for name, allowed in _RANGES.items():
            record(problems, name, getattr(self, name), allowed)
        problems.integer("breaker", self.breaker, low=0, high=3, remedy="0 lets everything happen")
        problems.raise_if_any()

    @property
    def smallest_rest(self) -> float:
        """The least money that may stay to be raised after a partial purchase: ``dust * (1 + penalty)``."""
        return self.dust * (1.0 + self.penalty)

    def reward(self, to_raise: float) -> float:
        """The keeper's reward for a start or a reset: ``tip + chip * to_raise``."""
        return self.tip + self.chip * to_raise

    def needs_reset(self, elapsed_s: float) -> bool:
        """Whether nobody may buy before a reset: ``elapsed > tail`` or ``price / top < cusp``."""
        return reset_due(self.curve.share(elapsed_s), elapsed_s, self.tail_s, self.cusp)

    def time_until_taken(self, margin: float, *, feed_ratio: float = 1.0) -> float:
        """Seconds until a keeper who wants `margin` buys, at a constant feed; inf if a reset is due before.

        Formula: the first time with ``price <= feed * (1 - margin)``; on stairs
        ``step * ceil(ln((1 - margin) / buffer) / ln(cut))``. Every reset starts the same race again, so inf means that
        the auction never clears while the feed stands still.

        Parameters
        ----------
        margin : share of the feed price, in (0, 1). feed_ratio : feed now over the feed at the start, > 0.
        """
        check("DutchTerms.time_until_taken", {"margin": (margin, INSIDE), "feed_ratio": (feed_ratio, POSITIVE)})
        seconds = self.curve.time_to(feed_ratio * (1.0 - margin) / self.buffer)
        return math.inf if math.isinf(seconds) or self.needs_reset(seconds) else seconds

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``auction-cannot-clear`` when the price is still at or above an unchanged feed as the reset falls due."""
        if math.isfinite(self.time_until_taken(1e-9)):
            return ()
        message = (
            f"buffer = {self.buffer:g}: the reset falls due (tail_s = {self.tail_s:g}, cusp = {self.cusp:g}) before the"
            " price is below an unchanged feed, so it only clears if the market rises; lower the buffer or the cusp, or"
            " lengthen the tail"
        )
        return (Finding("auction-cannot-clear", "warning", "DutchTerms", message),)
