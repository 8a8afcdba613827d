"""Terms, keepers and depth as the arrays that the kernel reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account
from collatrisk.kernels import auction_rules, auction_state as at
from collatrisk.liquidation.auctions.depth import KINDS, Depth
from collatrisk.liquidation.auctions.keepers import Keepers
from collatrisk.liquidation.auctions.terms import ACCOUNT_ORDERS, AuctionRule, AuctionTerms
from collatrisk.liquidation.curves import LinearDecrease, StairstepExponentialDecrease
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import EnglishTerms
from collatrisk.market.clock import Clock

FloatArray = NDArray[np.float64]
_DAY_S = 86_400.0
_CURVES = {"LinearDecrease": auction_rules.LINEAR, "StairstepExponentialDecrease": auction_rules.STAIRSTEP}


@dataclass(frozen=True, slots=True)
class AuctionRows:
    """Everything of one run but the paths and the accounts' units; see `collatrisk.kernels.auctions.auction_block`."""

    rules: FloatArray
    book: FloatArray
    switches: NDArray[np.int64]
    ranks: NDArray[np.int64]
    thresholds: FloatArray
    margins: FloatArray
    impacts: FloatArray
    most_running: int


def step_seconds(clock: Clock) -> float:
    """The length of a step: a business day counts as 24 hours."""
    return _DAY_S / clock.steps_per_day


def auction_rows(
    problems: Problems,
    terms: AuctionTerms,
    keepers: Keepers,
    depth: Depth,
    accounts: Sequence[Account],
    assets: Sequence[str],
    known: Sequence[str],
    clock: Clock,
    n_ticks: int,
) -> AuctionRows:
    """The arrays of one run on the `assets` in use, among those `known`; what is missing goes to `problems`."""
    step_s = step_seconds(clock)
    tick_s = step_s / n_ticks
    delay = round(terms.feed_delay_s / tick_s)
    whole = math.isclose(delay * tick_s, terms.feed_delay_s, rel_tol=1e-9, abs_tol=1e-6)
    text = f"must be a whole number of ticks of {tick_s:g} s, at most a step of {step_s:g} s"
    problems.check(whole and delay <= n_ticks, "feed_delay_s", terms.feed_delay_s, text, "choose another tick_s")
    rules = np.zeros((len(assets), at.N_RULES))
    impacts = np.zeros(len(assets))
    for i, asset in enumerate(assets):
        rule, impact = terms.rule_of(asset), depth.impact_of(asset)
        if problems.check(rule is not None, "rule", asset, "has no rule of sale", "name it, or give '*'"):
            rules[i] = _rule_row(rule, terms.max_lot_of(asset))  # type: ignore[arg-type]
        if problems.check(impact is not None, "depth", asset, "has no market to be resold in", "name it, or give '*'"):
            impacts[i] = impact
    book = np.zeros(at.N_BOOK)
    book[at.CAPACITY] = terms.capacity
    book[at.GROWTH] = math.exp(terms.borrow_rate * clock.step_years)
    book[at.TICK] = tick_s
    book[at.LOOK] = keepers.look_probability(tick_s)
    book[at.GAS], book[at.GAS_STRESS] = keepers.gas, keepers.gas_stress
    book[at.TOLERANCE], book[at.CAPITAL] = keepers.slippage_tolerance, keepers.capital
    book[at.TIED_KEEP] = 0.0 if keepers.turnaround_s == 0 else math.exp(-tick_s / keepers.turnaround_s)
    book[at.DEPTH_STRESS], book[at.PRESSURE_KEEP] = depth.stress, depth.kept(tick_s)
    book[at.BREAKER_FROM] = terms.breaker_from_s
    switches = np.zeros(at.N_SWITCHES, dtype=np.int64)
    switches[at.RECOURSE] = terms.recourse
    switches[at.LENDER_STARTS] = terms.started_by == "lender"
    switches[at.DELAY] = delay
    switches[at.ORDER] = ACCOUNT_ORDERS.index(terms.account_order)
    switches[at.DEPTH_KIND] = KINDS.index(depth.kind)
    switches[at.SCAVENGER] = keepers.scavenger
    switches[at.STRESS_STEPS] = max(round(depth.stress_days * clock.steps_per_day), 1)
    switches[at.IN_TURN] = terms.asset_order != "pro_rata"
    return AuctionRows(
        rules,
        book,
        switches,
        _ranks(problems, terms, assets, known),
        _thresholds(problems, terms, accounts, assets),
        keepers.margins,
        impacts,
        terms.most_running,
    )


def _rule_row(rule: AuctionRule, max_lot: float) -> FloatArray:
    row = np.zeros(at.N_RULES)
    row[at.PENALTY], row[at.DUST] = rule.penalty, rule.dust
    row[at.ROOM], row[at.LARGEST] = rule.collateral_capacity, max_lot
    if isinstance(rule, DutchTerms):
        curve = rule.curve
        row[at.KIND] = at.DUTCH
        row[at.TIP], row[at.CHIP], row[at.BREAKER] = rule.tip, rule.chip, rule.breaker
        row[at.CURVE] = _CURVES.get(type(curve).__name__, auction_rules.EXPONENTIAL)
        row[at.FIRST] = curve.tau_s if isinstance(curve, LinearDecrease) else curve.cut  # type: ignore[attr-defined]
        row[at.STAIR] = curve.step_s if isinstance(curve, StairstepExponentialDecrease) else 1.0
        row[at.BUFFER], row[at.TAIL], row[at.CUSP] = rule.buffer, rule.tail_s, rule.cusp
    elif isinstance(rule, EnglishTerms):
        row[at.KIND] = at.ENGLISH
        row[at.RAISE], row[at.BID_LENGTH], row[at.LENGTH] = rule.step, rule.bid_s, rule.length_s
    else:
        row[at.KIND] = at.BATCH
        row[at.RESERVE], row[at.LENGTH] = rule.reserve, rule.length_s
    return row


def _ranks(problems: Problems, terms: AuctionTerms, assets: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    named = () if isinstance(terms.asset_order, str) else tuple(terms.asset_order)
    problems.known("asset_order", named, tuple(known))
    first = [list(assets).index(name) for name in named if name in assets]
    return np.array([*first, *(i for i in range(len(assets)) if i not in first)], dtype=np.int64)


def _thresholds(
    problems: Problems, terms: AuctionTerms, accounts: Sequence[Account], assets: Sequence[str]
) -> FloatArray:
    found = np.ones((len(accounts), len(assets) + 1))
    for row, account in enumerate(accounts):
        for slot, asset in enumerate((*assets, account.currency)):
            if account.holdings.get(asset, 0.0) > 0:
                try:
                    found[row, slot] = terms.threshold_of(asset, account.currency)
                except InputError as error:
                    problems.found.extend(problem for problem in error.problems if problem not in problems.found)
    return found
