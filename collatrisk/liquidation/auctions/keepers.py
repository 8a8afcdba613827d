"""The bidders: what they ask for, what they have, when they look, and what a transaction costs them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import AMOUNT, BELOW_ONE, LIMIT, POSITIVE_SHARE, Range, record

MOST = 62
_RANGES = {
    "margin": BELOW_ONE,
    "capital": LIMIT,
    "turnaround_s": Range(infinite=True),
    "latency_s": AMOUNT,
    "gas": AMOUNT,
    "gas_stress": AMOUNT,
    "slippage_tolerance": POSITIVE_SHARE,
}


@dataclass(frozen=True, slots=True)
class Keepers:
    """Those who buy in auctions and resell in the market at once.

    Parameters
    ----------
    number : how many there are, 0 to 62.
    margin, highest_margin : what they require, as a share of what the resale fetches, in [0, 1): the first keeper asks
        for `margin`, the last for `highest_margin` (default: the same), the others lie evenly between.
    capital : money that each has for purchases, > 0 or inf. turnaround_s : mean seconds until money that was spent is
        back: what is tied up fades as exp(-t / turnaround), >= 0 or inf (never).
    latency_s : mean seconds between the moments at which a keeper looks, which are random (Poisson), >= 0; at 0 they
        look at every tick.
    gas : money that a purchase, a start or a reset costs, >= 0. gas_stress : it costs ``gas * exp(gas_stress * fall)``
        where `fall` is how far the asset lies below the highest of the last days (`Depth.stress_days`), >= 0. At 7 a
        fall of 43 % makes gas 20 times as dear.
    slippage_tolerance : no unit is resold for less than ``1 - slippage_tolerance`` of the undisturbed price, in (0, 1].
    scavenger : whether somebody bids nothing, always, and gets what nobody else wants.

    Raises
    ------
    InputError : with all broken rules at once.

    Notes
    -----
    The moments at which they look are drawn from a stream of its own by path, tick and keeper: the same whatever is
    auctioned, and for fewer keepers those of the first of more.
    """

    number: int = 5
    margin: float = 0.02
    highest_margin: float | None = None
    capital: float = math.inf
    turnaround_s: float = 3600.0
    latency_s: float = 0.0
    gas: float = 0.0
    gas_stress: float = 0.0
    slippage_tolerance: float = 1.0
    scavenger: bool = False

    def __post_init__(self) -> None:
        problems = Problems("Keepers")
        problems.integer("number", self.number, low=0, high=MOST, remedy="5, say")
        for name, allowed in _RANGES.items():
            record(problems, name, getattr(self, name), allowed)
        if self.highest_margin is not None:
            margin = problems.number(
                "highest_margin", self.highest_margin, low=0, high=1, open_high=True, remedy="0.05 for 5 %"
            )
            rule = f"must be at least margin = {self.margin}"
            problems.check(not margin < self.margin, "highest_margin", margin, rule, "raise it or leave it out")
        problems.check(isinstance(self.scavenger, bool), "scavenger", self.scavenger, "must be True or False", "")
        problems.raise_if_any()

    @property
    def margins(self) -> NDArray[np.float64]:
        """What each requires, ascending, float64 (number,)."""
        highest = self.margin if self.highest_margin is None else self.highest_margin
        return np.linspace(self.margin, highest, self.number)

    def look_probability(self, tick_s: float) -> float:
        """The probability that a keeper looks at a tick: ``1 - exp(-tick / latency)``."""
        return 1.0 if self.latency_s == 0 else -math.expm1(-tick_s / self.latency_s)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``no-bidder`` where nobody bids."""
        if self.number > 0:
            return ()
        who = "only the scavenger, who pays nothing" if self.scavenger else "nobody"
        return (Finding("no-bidder", "warning", "Keepers", f"number = 0: {who} bids"),)
