"""What a book's auctions are: the rule of sale of each asset, what triggers it, sizes, order, and who starts it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.frozen import FrozenDict, FrozenMap
from collatrisk.base.validation import Problems
from collatrisk.collateral import Terms
from collatrisk.liquidation.checks import LIMIT, record
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import BatchTerms, EnglishTerms

AuctionRule = DutchTerms | EnglishTerms | BatchTerms
AccountOrder = Literal["severity", "largest", "listed"]
ACCOUNT_ORDERS = ("severity", "largest", "listed")
ANY_ASSET = "*"
_MOST_RUNNING = 4096


@dataclass(frozen=True, slots=True)
class AuctionTerms:
    """The rules under which the collateral of a book is auctioned.

    Parameters
    ----------
    rule : `DutchTerms`, `EnglishTerms` or `BatchTerms`: one for all assets, or asset -> rule (``"*"``: every asset
        that is not named). Their `capacity` is that of the whole book and must be the same in all.
    liquidation_threshold : as for `Terms`; an account goes to auction when its health factor at the feed is below 1
        (strictly). What is already in auctions counts neither as collateral nor as debt.
    max_lot : the most debt that one auction may have to repay, money > 0 or inf: one number, or asset -> number.
    account_order : who goes first where the limits have no room for all: ``"severity"`` (lowest health factor, ties by
        debt; default), ``"largest"`` (debt) or ``"listed"``.
    asset_order : ``"pro_rata"`` (the debt is shared out by value; default), or assets by name: each in turn is to repay
        its counted value, the last the rest. Assets not named come after those that are.
    recourse : whether what an auction did not raise is owed by the account again (True; default) or written off.
    started_by : ``"keeper"`` (default: somebody must look at that moment, and the reward must pay for the gas) or
        ``"lender"`` (at once and without reward).
    feed_delay_s : age of the prices that trigger and start auctions, seconds >= 0, at most a step of the paths.
    breaker_from_s : seconds from the start of the paths at which the breakers of the rules trip, >= 0. Default 0.
    borrow_rate : interest on what is owed outside auctions, per year, continuous, in [-0.1, 10].
    most_running : auctions that may run at one time, whole number from 1 to 4096.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    rule: AuctionRule | Mapping[str, AuctionRule]
    liquidation_threshold: float | Mapping[str, float] = 0.85
    max_lot: float | Mapping[str, float] = math.inf
    account_order: AccountOrder = "severity"
    asset_order: Literal["pro_rata"] | Sequence[str] = "pro_rata"
    recourse: bool = True
    started_by: Literal["keeper", "lender"] = "keeper"
    feed_delay_s: float = 0.0
    breaker_from_s: float = 0.0
    borrow_rate: float = 0.0
    most_running: int = 64

    def __post_init__(self) -> None:
        problems = Problems("AuctionTerms")
        rules = self.rule if isinstance(self.rule, Mapping) else {ANY_ASSET: self.rule}
        self._check_rules(problems, rules)
        try:
            threshold = Terms(self.liquidation_threshold).liquidation_threshold
            object.__setattr__(self, "liquidation_threshold", threshold)
        except InputError as error:
            problems.found.extend(error.problems)
        self._check_lots(problems, rules)
        problems.choice("account_order", self.account_order, ACCOUNT_ORDERS)
        problems.choice("started_by", self.started_by, ("keeper", "lender"))
        self._check_asset_order(problems)
        problems.check(isinstance(self.recourse, bool), "recourse", self.recourse, "must be True or False", "give True")
        problems.number("feed_delay_s", self.feed_delay_s, low=0, remedy="3600 for an hour")
        problems.number("breaker_from_s", self.breaker_from_s, low=0, remedy="0: from the start")
        problems.number("borrow_rate", self.borrow_rate, low=-0.1, high=10, remedy="give 0.05 for 5 % a year")
        problems.integer("most_running", self.most_running, low=1, high=_MOST_RUNNING, remedy="64, say")
        problems.raise_if_any()

    def _check_rules(self, problems: Problems, rules: Mapping[str, object]) -> None:
        remedy = "give DutchTerms(LinearDecrease(3600), buffer=1.2), or {'ETH': ..., '*': ...}"
        problems.check(bool(rules), "rule", rules, "must name at least one asset", remedy)
        good = {asset: rule for asset, rule in rules.items() if isinstance(rule, AuctionRule)}
        for asset in rules.keys() - good.keys():
            rule = "must be DutchTerms, EnglishTerms or BatchTerms"
            problems.add("rule" if asset == ANY_ASSET else f"rule[{asset!r}]", rules[asset], rule, remedy)
        capacities = {rule.capacity for rule in good.values()}
        text = "must be the same in all rules: it is the limit of the whole book"
        problems.check(
            len(capacities) <= 1, "capacity", sorted(capacities), text, "limit assets by collateral_capacity"
        )
        if isinstance(self.rule, Mapping) and len(good) == len(rules):
            object.__setattr__(self, "rule", FrozenDict(good))

    def _check_lots(self, problems: Problems, rules: Mapping[str, AuctionRule]) -> None:
        lots = self.max_lot if isinstance(self.max_lot, Mapping) else {ANY_ASSET: self.max_lot}
        for asset, lot in lots.items():
            name = f"max_lot[{asset!r}]" if isinstance(self.max_lot, Mapping) else "max_lot"
            record(problems, name, lot, LIMIT)
            for rule in rules.values() if asset == ANY_ASSET else filter(None, [rules.get(asset)]):
                dust = getattr(rule, "dust", 0.0)
                if isinstance(lot, int | float) and lot < dust:
                    text = f"is below dust = {dust:g}: no part of a debt could ever be auctioned"
                    problems.add(name, lot, text, "raise the lot or lower the dust")
        if isinstance(self.max_lot, Mapping):
            object.__setattr__(self, "max_lot", FrozenMap(self.max_lot))

    def _check_asset_order(self, problems: Problems) -> None:
        if isinstance(self.asset_order, str):
            problems.choice("asset_order", self.asset_order, ("pro_rata",))
            return
        names = tuple(self.asset_order)
        good = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        problems.check(good, "asset_order", names, "must be names, each once", "give ('BTC', 'ETH') or 'pro_rata'")
        object.__setattr__(self, "asset_order", names)

    def rule_of(self, asset: str) -> AuctionRule | None:
        """The rule by which an asset is sold; None if there is none."""
        if not isinstance(self.rule, Mapping):
            return self.rule
        return self.rule.get(asset, self.rule.get(ANY_ASSET))

    def threshold_of(self, asset: str, currency: str = "USD") -> float:
        """As `Terms.threshold_of`."""
        return Terms(self.liquidation_threshold).threshold_of(asset, currency)

    def max_lot_of(self, asset: str) -> float:
        """The most debt that one auction of an asset may have to repay; inf: no limit."""
        if not isinstance(self.max_lot, Mapping):
            return float(self.max_lot)
        return float(self.max_lot.get(asset, self.max_lot.get(ANY_ASSET, math.inf)))

    @property
    def rules(self) -> tuple[AuctionRule, ...]:
        """Every rule, each once."""
        return tuple(dict.fromkeys(self.rule.values() if isinstance(self.rule, Mapping) else (self.rule,)))

    @property
    def capacity(self) -> float:
        """Money that all auctions together may try to raise at one time."""
        return float(self.rules[0].capacity)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is allowed but worth knowing: the findings of its Dutch rules, and a breaker that stops auctions."""
        found: list[Finding] = []
        for rule in self.rules:
            if isinstance(rule, DutchTerms):
                found.extend(rule.findings)
                if rule.breaker:
                    what = ("", "starts", "starts or resets", "starts, resets or purchases")[rule.breaker]
                    text = f"breaker = {rule.breaker} allows no {what}; 0 lets everything happen"
                    found.append(Finding("breaker-tripped", "warning", "AuctionTerms", text))
        return tuple(dict.fromkeys(found))
