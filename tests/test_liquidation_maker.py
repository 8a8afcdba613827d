"""Maker's auctions against the figures of its own tests (tests/vectors/maker.json: all 26 are reproduced)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from liquidation_vectors import cases, compare, refused

from collatrisk.liquidation import auction_book as dog
from collatrisk.liquidation.curves import ExponentialDecrease, LinearDecrease, StairstepExponentialDecrease
from collatrisk.liquidation.dutch import DutchAuction
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import EnglishTerms

CASES = cases("maker")
FLAT = LinearDecrease(1e12)  # a price that stands still for the length of a test


def curve_of(given: dict[str, Any]) -> Any:
    kinds = {
        "linear": lambda: LinearDecrease(given["tau_s"]),
        "exponential": lambda: ExponentialDecrease(given["cut"]),
        "stairstep": lambda: StairstepExponentialDecrease(given["cut"], given["step_s"]),
    }
    return kinds[given["curve"]]()


def abacus(given: dict[str, Any]) -> dict[str, Any]:
    curve = curve_of(given)
    return {"price": [curve.price(given["top"], seconds) for seconds in given["elapsed_s"]]}


def bark(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for limit in ("capacity", "collateral_capacity"):  # the same result whichever limit binds
        penalty = given["chop"] - 1
        terms = DutchTerms(FLAT, buffer=1.25, dust=given["dust"], penalty=penalty, **{limit: given["room"]})
        feed = {"feed": 2 * given["spot"], "liquidation_threshold": 0.5}  # spot is the feed times the threshold
        done = dog.bark(terms, collateral=given["ink"], debt=given["art"] * given["rate"], **feed)
        lot, tab = done.auction.lot, done.auction.tab
        assert done.book.raising[""] == tab
        left = {"ink_left": done.collateral_left, "art_left": done.debt_left / given["rate"]}
        found.append({"reverts": False, "tab": tab, "lot": lot, **left})
    assert found[0] == found[1]
    return found[0]


def kick(given: dict[str, Any]) -> dict[str, Any]:
    assert given["par"] == 1
    terms = DutchTerms(FLAT, buffer=given["buf"], tip=given["tip"], chip=given["chip"], penalty=0.1)
    auction = DutchAuction.start(terms, collateral=40, debt=given["tab"] / 1.1, feed=given["feed"])
    return {"top": auction.top, "keeper_coin": auction.rewards}


def running(given: dict[str, Any], **settings: Any) -> DutchAuction:
    terms = DutchTerms(FLAT, buffer=1.0, dust=given.get("chost", 0), **settings)
    return DutchAuction.start(terms, collateral=given["lot"], debt=given["tab"], feed=given.get("price", 1))


def take(given: dict[str, Any]) -> dict[str, Any]:
    auction = running(given)
    if refused(lambda: auction.take(given["amount"], given["max_price"], time_s=0)):
        with pytest.raises(ValueError, match=r"allows no partial purchase|the price is") as caught:
            auction.take(given["amount"], given["max_price"], time_s=0)
        reason = "no partial purchase" if "partial" in str(caught.value) else "too expensive"
        return {"reverts": True, "reason": reason}
    done = auction.take(given["amount"], given["max_price"], time_s=0)
    after = done.auction
    state = {"closed": after.closed, "returned_to_owner": after.returned, "tab": after.tab, "lot": after.lot}
    return {"reverts": False, "slice": done.sold, "owe": done.paid, "shortfall": after.bad_debt, **state}


def redo(given: dict[str, Any]) -> dict[str, Any]:
    terms = DutchTerms(curve_of(given), buffer=given["buf"], tail_s=given["tail_s"], cusp=given["cusp"])
    auction = DutchAuction.start(terms, collateral=40, debt=100, feed=given["top"] / given["buf"])
    assert auction.top == given["top"]
    due = [auction.needs_reset(seconds) for seconds in given["elapsed_s"]]
    allowed = [not refused(lambda s=s: auction.redo(given["feed_at_redo"], time_s=s)) for s in given["elapsed_s"]]
    sold = [not refused(lambda s=s: auction.take(1, 10, time_s=s)) for s in given["elapsed_s"]]
    assert due == allowed == [not taken for taken in sold]
    again = auction.redo(given["feed_at_redo"], time_s=given["elapsed_s"][-1]).auction
    assert again.resets == 1
    assert not again.needs_reset(given["elapsed_s"][-1])
    return {"needs_redo": due, "new_top": again.top}


def redo_incentive(given: dict[str, Any]) -> dict[str, Any]:
    coins = []
    for case in given["cases"]:
        terms = DutchTerms(LinearDecrease(10), 1.25, tail_s=5, tip=case["tip"], chip=case["chip"], dust=case["chost"])
        auction = DutchAuction.start(terms, collateral=given["lot"], debt=given["tab"], feed=given["feed"])
        coins.append(auction.redo(given["feed"], time_s=6).reward)
    return {"keeper_coin": coins}


def breaker(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, list[bool]] = {"kick_allowed": [], "redo_allowed": [], "take_allowed": []}
    terms = DutchTerms(LinearDecrease(10), 1.25, tail_s=5)
    start = {"collateral": 1, "debt": 1, "feed": 1}
    open_auction = DutchAuction.start(terms, **start)
    for level in given["stopped"]:
        stopped = replace(terms, breaker=level)
        auction = replace(open_auction, terms=stopped)
        found["kick_allowed"].append(not refused(lambda stopped=stopped: DutchAuction.start(stopped, **start)))
        found["redo_allowed"].append(not refused(lambda auction=auction: auction.redo(1, time_s=6)))
        found["take_allowed"].append(not refused(lambda auction=auction: auction.take(1, 2, time_s=1)))
    return found


def english(given: dict[str, Any]) -> dict[str, Any]:
    terms = EnglishTerms(step=given["beg"], bid_s=10_800, length_s=172_800)
    if "steps" in given:
        bids = [terms.accepts_bid(step["bid"], step["previous"], given["tab"]) for step in given["steps"]]
        return {"accepted": bids}
    accepted = [terms.accepts_offer(lot, given["lot"]) for lot in given["offers"]]
    best = next(lot for lot, good in zip(given["offers"], accepted, strict=True) if good)
    return {"accepted": accepted, "returned_to_owner_after_95": given["lot"] - best}


def delay(given: dict[str, Any]) -> dict[str, Any]:
    curve, margin = StairstepExponentialDecrease(given["cut"], given["step_s"]), given["arbitrage_margin"]
    terms = DutchTerms(curve, given["buf"])
    stairs = terms.time_until_taken(margin)
    auction = DutchAuction.start(terms, collateral=1, debt=1, feed=100)
    assert auction.time_until_taken(margin, 100) == stairs
    assert auction.price_at(stairs) <= 100 * (1 - margin) < auction.price_at(stairs - given["step_s"])
    return {"continuous_s": curve.continuous_time_to((1 - margin) / given["buf"]), "stairstep_s": stairs}


ADAPTERS = {
    "maker.abacus.": abacus,
    "maker.dog.": bark,
    "maker.clip.kick_": kick,
    "maker.clip.take_": take,
    "maker.clip.redo_by": redo,
    "maker.clip.redo_incentive": redo_incentive,
    "maker.clip.circuit_breaker": breaker,
    "maker.flip.": english,
    "maker.auction_delay.": delay,
}


@pytest.mark.parametrize("case", CASES)
def test_vector(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])


def test_every_vector_is_reproduced() -> None:
    assert len(CASES) == 26
