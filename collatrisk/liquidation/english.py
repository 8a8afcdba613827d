"""The English two-phase auction that Maker used until 2021: who may bid what.

First phase (*tend*): bids of money for the whole lot rise up to what is to be raised. Second phase (*dent*): offers
to take less and less of the lot for that money; the rest goes back to the owner. Source: makerdao/dss, src/flip.sol
(rules only).
"""

from __future__ import annotations

from dataclasses import dataclass

from collatrisk.liquidation.checks import AMOUNT, POSITIVE, Range, check, check_fields


@dataclass(frozen=True, slots=True)
class EnglishTerms:
    """Rules of the two-phase auction.

    Parameters
    ----------
    step : factor by which a bid or an offer must be better than the last, > 1 (``beg``). bid_s : seconds that a best
        bid must stand, > 0 (``ttl``). length_s : seconds that the auction lasts at most, > 0 (``tau``).
    """

    step: float
    bid_s: float
    length_s: float

    def __post_init__(self) -> None:
        check_fields(self, {"step": Range(1.0, open_low=True), "bid_s": POSITIVE, "length_s": POSITIVE})

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
