"""The English two-phase auction that Maker used until 2021: who may bid what; and the sealed-bid batch auction.

First phase (*tend*): bids of money for the whole lot rise up to what is to be raised. Second phase (*dent*): offers
to take less and less of the lot for that money; the rest goes back to the owner. Source: makerdao/dss, src/flip.sol
(rules only).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collatrisk.liquidation.checks import AMOUNT, POSITIVE, SHARE, Range, check, check_fields

_SIZES = {
    "dust": AMOUNT,
    "penalty": AMOUNT,
    "capacity": Range(infinite=True),
    "collateral_capacity": Range(infinite=True),
}


@dataclass(frozen=True, slots=True)
class EnglishTerms:
    """Rules of the two-phase auction.

    Parameters
    ----------
    step : factor by which a bid or an offer must be better than the last, > 1 (``beg``). bid_s : seconds that a best
        bid must stand, > 0 (``ttl``). length_s : seconds that the auction lasts at most, > 0 (``tau``).
    dust, penalty, capacity, collateral_capacity : what goes to auction, as for `DutchTerms`.
    """

    step: float
    bid_s: float
    length_s: float
    dust: float = 0.0
    penalty: float = 0.0
    capacity: float = math.inf
    collateral_capacity: float = math.inf

    def __post_init__(self) -> None:
        own = {"step": Range(1.0, open_low=True), "bid_s": POSITIVE, "length_s": POSITIVE}
        check_fields(self, {**own, **_SIZES})

    def accepts_bid(self, bid: float, previous: float, tab: float) -> bool:
        """First phase: not above `tab`, above the previous bid, and by the factor `step` unless it equals `tab`."""
        check("EnglishTerms", {"bid": (bid, AMOUNT), "previous": (previous, AMOUNT), "tab": (tab, POSITIVE)})
        return previous < bid <= tab and (bid >= self.step * previous or bid == tab)

    def accepts_offer(self, lot: float, previous: float) -> bool:
        """Second phase, once the bid equals the tab: the lot must be smaller by the factor `step`."""
        check("EnglishTerms", {"lot": (lot, AMOUNT), "previous": (previous, POSITIVE)})
        return self.step * lot <= previous

    def ends_at(self, started_s: float, last_bid_s: float | None) -> float:
        """When the lot is settled: `bid_s` after the last bid, `length_s` after the start if that is earlier.

        Without any bid the auction expires then and may be started again.
        """
        end = started_s + self.length_s
        return end if last_bid_s is None else min(last_bid_s + self.bid_s, end)


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """Rules of a sealed-bid batch auction with one price for all.

    Bids for units at a price are collected for a round. The price is the highest bid at which all bids not below it
    take the lot or raise what is to be raised; if none does, the lowest bid. All who bid at least that pay it, the
    highest bids first. What is left goes into another round.

    Parameters
    ----------
    length_s : seconds of a round, > 0. reserve : the lowest bid that counts, as a share of the feed when the round
        ends, in [0, 1].
    dust, penalty, capacity, collateral_capacity : what goes to auction, as for `DutchTerms`.
    """

    length_s: float
    reserve: float = 0.0
    dust: float = 0.0
    penalty: float = 0.0
    capacity: float = math.inf
    collateral_capacity: float = math.inf

    def __post_init__(self) -> None:
        check_fields(self, {"length_s": POSITIVE, "reserve": SHARE, **_SIZES})
