"""Every figure of Maker's own tests again, this time through `run_auctions` on paths written by hand.

An auction of the figure's lot and sum is started at the first tick, and a keeper with just the money, at a market with
just the prices, makes it happen. `tests/test_liquidation_maker.py` holds the pure objects to the same figures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from liquidation_vectors import cases, compare
from margin_cases import FakePaths
from test_liquidation_maker import curve_of

from collatrisk.collateral import Account
from collatrisk.liquidation import AuctionTerms, DutchTerms, EnglishTerms, Keepers, LinearDecrease, run_auctions
from collatrisk.market.clock import Clock

CASES = cases("maker")
FLAT = LinearDecrease(1e12)
MINUTES = Clock(steps_per_day=1440)
NOBODY = Keepers(number=0)


def auctions(prices, account, rule, bidders, tick_s=60.0, clock=MINUTES, **options):
    """The auctions of one account on one path, by name of their columns; `lender` starts unless said otherwise."""
    source = FakePaths(("X",), np.array(prices, dtype=float)[None, :, None], clock=clock)
    threshold = options.pop("liquidation_threshold", 1.0)
    terms = AuctionTerms(rule, liquidation_threshold=threshold, **{"started_by": "lender", **options})
    out = run_auctions(source, account, terms, keepers=bidders, tick_s=tick_s, keep="paths")
    return out, out.auctions()


def vault(lot: float, debt: float) -> Account:
    return Account({"X": lot}, {"USD": debt})


def sold_after(curve, top: float, seconds: int) -> float:
    """The price at which a lot is sold some seconds after its start.

    The market is worth little until the minute of that second, then rises so fast that it pays for the keeper's gas at
    that second for the first time.
    """
    minute, second = (seconds - 1) // 60, (seconds - 1) % 60 + 1
    worth, rise = 1e3 * top, 2.0 ** min(second, 20)
    prices = [worth / rise] * (minute + 1) + [worth * rise ** ((60 - second) / second)]
    prices = prices if seconds else [worth, worth]
    gas = 0.99 * worth - top if seconds else 0.0
    rule = DutchTerms(curve, buffer=top / prices[0])
    debt = 10 * worth  # never raised: the whole lot is sold
    _, table = auctions(prices, vault(1.0, debt), rule, Keepers(1, 0.0, gas=gas), tick_s=1.0)
    (row,) = table.to_dict("records")
    assert row["purchases"] == 1
    assert row["end_s"] - row["first_s"] == seconds
    return row["raised"]


def abacus(given: dict[str, Any]) -> dict[str, Any]:
    return {"price": [sold_after(curve_of(given), given["top"], seconds) for seconds in given["elapsed_s"]]}


def bark(given: dict[str, Any]) -> dict[str, Any]:
    found = []
    for limit in ("capacity", "collateral_capacity"):
        rule = DutchTerms(FLAT, 1.25, dust=given["dust"], penalty=given["chop"] - 1, **{limit: given["room"]})
        feed = 2 * given["spot"]
        account = vault(given["ink"], given["art"] * given["rate"])
        out, table = auctions([feed, feed], account, rule, NOBODY, liquidation_threshold=0.5)
        (row,) = table.to_dict("records")
        left = out[0].values("remaining_collateral")[0] / feed - row["lot"]
        debt_left = out[0].values("outstanding_debt")[0] - row["debt"]
        found.append({"reverts": False, "tab": row["tab"], "lot": row["lot"], "ink_left": left, "art_left": debt_left})
    assert found[0] == found[1]
    return found[0]


def kick(given: dict[str, Any]) -> dict[str, Any]:
    rule = DutchTerms(FLAT, given["buf"], tip=given["tip"], chip=given["chip"], penalty=0.1)
    feed = given["feed"]
    lot = vault(10, given["tab"] / 1.1)  # worth 40: it falls short of its debt
    _, table = auctions([feed, feed], lot, rule, Keepers(1, 0.5), started_by="keeper")
    return {"top": table.top[0], "keeper_coin": table.rewards[0]}


def take(given: dict[str, Any]) -> dict[str, Any]:
    """The buyer has the money for `amount` units and a market at his highest price; it never comes back to him."""
    price, lot, tab = given["price"], given["lot"], given["tab"]
    rule = DutchTerms(FLAT, price / given["max_price"], dust=given["chost"])
    buyer = Keepers(1, 0.0, capital=given["amount"] * price, turnaround_s=math.inf)
    prices = [given["max_price"]] * 2
    account = vault(lot, tab)
    threshold = 0.999 * tab / (lot * given["max_price"])  # just unhealthy
    _, table = auctions(prices, account, rule, buyer, liquidation_threshold=min(threshold, 1.0))
    (row,) = table.to_dict("records")
    assert row["top"] == pytest.approx(price)
    if row["purchases"] == 0:
        reason = "too expensive" if price > given["max_price"] else "no partial purchase"
        return {"reverts": True, "reason": reason}
    state = {"closed": math.isfinite(row["end_s"]), "returned_to_owner": row["returned"]}
    sums = {"tab": row["tab"], "lot": row["lot"], "shortfall": row["given_up"]}
    return {"reverts": False, "slice": row["sold"], "owe": row["raised"], **state, **sums}


def redo(given: dict[str, Any]) -> dict[str, Any]:
    """The feed falls in the minute in which the reset is due to what it is at that second."""
    curve, due = curve_of(given), given["elapsed_s"][-1]
    rule = DutchTerms(curve, given["buf"], tail_s=given["tail_s"], cusp=given["cusp"])
    before, feed = given["top"] / given["buf"], given["feed_at_redo"]
    minutes = due // 60
    seconds = due - 60 * minutes
    assert 0 < seconds < 60
    last = before * (feed / before) ** (60 / seconds)
    prices = [*[before] * (minutes + 1), last]
    _, table = auctions(prices, vault(40, 4000), rule, NOBODY, tick_s=1.0)
    (row,) = table.to_dict("records")
    assert row["resets"] == 1
    return {"needs_redo": [row["start_s"] <= each for each in given["elapsed_s"]], "new_top": row["top"]}


def redo_incentive(given: dict[str, Any]) -> dict[str, Any]:
    coins = []
    for case in given["cases"]:
        rule = DutchTerms(LinearDecrease(1e4), 1.25, tail_s=60, tip=case["tip"], chip=case["chip"], dust=case["chost"])
        feed, lot, tab = given["feed"], given["lot"], given["tab"]
        threshold = 0.999 * tab / (lot * feed)
        _, table = auctions(
            [feed] * 3, vault(lot, tab), rule, Keepers(1, 0.5), started_by="keeper", liquidation_threshold=threshold
        )
        first = case["tip"] + case["chip"] * tab
        assert table.resets[0] == 1
        coins.append(table.rewards[0] - first)
    return {"keeper_coin": coins}


def breaker(given: dict[str, Any]) -> dict[str, Any]:
    """The breaker is tripped at the start for starts, and once an auction runs for resets and purchases."""
    found: dict[str, list[bool]] = {"kick_allowed": [], "redo_allowed": [], "take_allowed": []}
    for level in given["stopped"]:
        rule = DutchTerms(LinearDecrease(1e4), 1.25, tail_s=60, breaker=level)
        found["kick_allowed"].append(len(auctions([1.0] * 3, vault(1, 2), rule, NOBODY)[1]) == 1)
        _, table = auctions([1.0] * 4, vault(1, 2), rule, NOBODY, breaker_from_s=30)
        found["redo_allowed"].append(bool(table.resets[0]))
        _, table = auctions([1.0, 10.0], vault(1, 2), rule, Keepers(1, 0.0), tick_s=30, breaker_from_s=30)
        found["take_allowed"].append(bool(table.purchases[0]))
    return found


def english(given: dict[str, Any]) -> dict[str, Any]:
    """Two keepers of equal means: a standing bid of one is raised by the market, as far as the rule lets the other."""
    if "steps" in given:
        return {"accepted": [stands(given, step) for step in given["steps"]]}
    # The tab is bid at the first tick; then the market rises until `offer` of the lot is worth the tab.
    lot, tab = given["lot"], 50.0
    rule = EnglishTerms(given["beg"], bid_s=120, length_s=1e5)
    left = []
    for offer in given["offers"]:
        prices = [tab / lot] + [tab / offer] * 6
        _, table = auctions(prices, vault(lot, tab), rule, Keepers(2, 0.0), liquidation_threshold=0.999)
        left.append(table.returned[0])
    found = {"accepted": [units > 0 for units in left]}
    return {**found, "returned_to_owner_after_95": left[-1]}


def stands(given: dict[str, Any], step: dict[str, Any]) -> bool:
    """Whether the bid wins over the previous one (nothing: the market is worth next to nothing at the first tick)."""
    rule = EnglishTerms(given["beg"], bid_s=120, length_s=1e5)
    prices = [step["previous"] or 1e-12] + [step["bid"]] * 6
    _, table = auctions(prices, vault(1, given["tab"]), rule, Keepers(2, 0.0), liquidation_threshold=0.5)
    assert table.raised[0] in (prices[0], step["bid"])
    return bool(table.raised[0] == step["bid"])


def delay(given: dict[str, Any]) -> dict[str, Any]:
    curve = curve_of({"curve": "stairstep", **given})
    rule = DutchTerms(curve, given["buf"])
    _, table = auctions([1.0] * 60, vault(1, 2), rule, Keepers(1, given["arbitrage_margin"]), tick_s=30.0)
    continuous = curve.continuous_time_to((1 - given["arbitrage_margin"]) / given["buf"])
    return {"continuous_s": continuous, "stairstep_s": table.end_s[0]}


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
def test_vector_by_the_public_call(case: dict[str, Any]) -> None:
    adapter = next(adapter for prefix, adapter in ADAPTERS.items() if case["name"].startswith(prefix))
    compare(adapter(case["inputs"]), case["expected"], case["tolerance"])
