"""Perpetual venues as one set of rules, that the engine reads: built from the terms of each venue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import AMOUNT, ANY, LIMIT, POSITIVE, SHARE, check_fields
from collatrisk.liquidation.perpetual_dydx import DydxTerms
from collatrisk.liquidation.perpetual_exchange import DELEVERAGING, Brackets, Deleveraging, ExchangeTerms
from collatrisk.liquidation.perpetual_gmx import GmxTerms
from collatrisk.liquidation.perpetual_synthetix import KeeperTerms, SynthetixMarket, size_haircut

FloatArray = NDArray[np.float64]
ANY_MARKET = "*"


@dataclass(frozen=True, slots=True)
class PerpetualMarket:
    """One market's margin and the price at which a position is closed.

    Parameters
    ----------
    brackets : maintenance rates by notional. slope : added to the rate per unit of size, >= 0. floor : money added to
        the requirement of a position, >= 0. on_entry : the notional is that at entry, not at the mark.
    reward_ratio : liquidation reward, share of the notional, [0, 1]; asked on top of the requirement.
    impact : relative fall of the fill price per unit of currency closed in a step, >= 0.
    skew_scale : size at which the fill price would have doubled, > 0; inf: the fill price follows `impact` instead.
    outside_skew : net size of all who are not among the accounts.
    impact_exponent, positive_factor, negative_factor : of the money that moving the imbalance costs (GMX); factors 0:
        none. max_impact_factor : its cap in the test, share of the size at entry.
    closing_fee : share of the notional, [0, 1]. funding_rate : that longs pay to shorts a day, share of the notional,
        signed. largest_step : size closed in the market in one step at most, over all accounts, > 0; inf: no limit.
    """

    brackets: Brackets
    slope: float = 0.0
    floor: float = 0.0
    on_entry: bool = False
    reward_ratio: float = 0.0
    impact: float = 0.0
    skew_scale: float = math.inf
    outside_skew: float = 0.0
    impact_exponent: float = 1.0
    positive_factor: float = 0.0
    negative_factor: float = 0.0
    max_impact_factor: float = 1.0
    closing_fee: float = 0.0
    funding_rate: float = 0.0
    largest_step: float = math.inf

    def __post_init__(self) -> None:
        amounts = dict.fromkeys(("slope", "floor", "impact", "positive_factor", "negative_factor"), AMOUNT)
        shares = dict.fromkeys(("reward_ratio", "max_impact_factor", "closing_fee"), SHARE)
        rest = {"skew_scale": LIMIT, "outside_skew": ANY, "impact_exponent": POSITIVE}
        rest |= {"funding_rate": ANY, "largest_step": LIMIT}
        check_fields(self, {**amounts, **shares, **rest})

    def row(self, step_days: float) -> list[float]:
        """The market as the kernel reads it, for steps of that many days."""
        price = (self.impact, self.skew_scale, self.outside_skew)
        cost = (self.impact_exponent, self.positive_factor, self.negative_factor, self.max_impact_factor)
        margin = (self.slope, self.floor, float(self.on_entry), self.reward_ratio)
        return [*margin, *price, *cost, self.closing_fee, self.funding_rate * step_days, self.largest_step]


@dataclass(frozen=True, slots=True)
class PerpetualTerms:
    """The rules of a venue.

    Parameters
    ----------
    markets : by asset; ``"*"`` for all others.
    limit_spread : largest distance of the venue's limit price from the mark, over the requirement, [0, 1]; None: its
        orders fill at any price. bankruptcy_adjustment : how fast that distance grows with the deficit, >= 1.
    most_fee : of the traded money that the insurance fund takes of what is left beyond bankruptcy; inf: all of it.
    close_share : of a position closed at a time, (0, 1].
    equality_liquidates : whether equity equal to the requirement is liquidated. zero_liquidates : whether equity of
        zero is, whatever the requirement.
    deleveraging : as in `ExchangeTerms`. least_requirement : of an account with positions, money, >= 0.
    fund : the insurance fund at the start, >= 0. keeper : bounds on the reward; None: the markets' ratios alone.
    haircuts : by asset of collateral: a share of its value, or (scalar, skew_scale, lower, upper) of `size_haircut`.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    markets: Mapping[str, PerpetualMarket]
    limit_spread: float | None = None
    bankruptcy_adjustment: float = 1.0
    most_fee: float = math.inf
    close_share: float = 1.0
    equality_liquidates: bool = False
    zero_liquidates: bool = False
    deleveraging: Deleveraging = "profit_leverage"
    least_requirement: float = 0.0
    fund: float = 0.0
    keeper: KeeperTerms | None = None
    haircuts: Mapping[str, float | tuple[float, float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems("PerpetualTerms")
        good = isinstance(self.markets, Mapping) and all(isinstance(m, PerpetualMarket) for m in self.markets.values())
        remedy = "give {'ETH': PerpetualMarket(Brackets.flat(0.01))}"
        problems.check(good and len(self.markets) > 0, "markets", self.markets, "must map assets to markets", remedy)
        if self.limit_spread is not None:
            problems.number("limit_spread", self.limit_spread, low=0, high=1, remedy="give 0.1, or None for no limit")
        problems.number("bankruptcy_adjustment", self.bankruptcy_adjustment, low=1, remedy="give 1")
        if self.most_fee != math.inf:
            problems.number("most_fee", self.most_fee, low=0, remedy="give 0.005 for 0.5 %, inf for all that is left")
        remedy = "give 1 to close all at once"
        problems.number("close_share", self.close_share, low=0, high=1, open_low=True, remedy=remedy)
        problems.choice("deleveraging", self.deleveraging, DELEVERAGING)
        for name in ("least_requirement", "fund"):
            problems.number(name, getattr(self, name), low=0, remedy="give currency, or 0")
        problems.raise_if_any()
        object.__setattr__(self, "markets", FrozenDict(self.markets))
        object.__setattr__(self, "haircuts", FrozenDict(self.haircuts))

    @classmethod
    def of(cls, terms: object, **changes: Any) -> PerpetualTerms:
        """The rules of a venue from its own terms.

        Parameters
        ----------
        terms : `PerpetualTerms`, `ExchangeTerms`, `GmxTerms`, or a `SynthetixMarket` or a mapping of them by asset.
            `DydxTerms` need ``maintenance``, a mapping from asset to maintenance fraction (`from_dydx`).
        changes : any field of `PerpetualTerms`.
        """
        if isinstance(terms, PerpetualTerms):
            base = {name: getattr(terms, name) for name in cls.__slots__}
        elif isinstance(terms, ExchangeTerms):
            base = _exchange(terms)
        elif isinstance(terms, GmxTerms):
            base = _gmx(terms)
        elif isinstance(terms, DydxTerms):
            base = _dydx(terms, changes.pop("maintenance", {}))
        else:
            by_asset = terms if isinstance(terms, Mapping) else {ANY_MARKET: terms}
            problems = Problems("PerpetualTerms.of")
            markets = {asset: market for asset, market in by_asset.items() if isinstance(market, SynthetixMarket)}
            remedy = "give PerpetualTerms, ExchangeTerms, DydxTerms, GmxTerms or SynthetixMarkets by asset"
            problems.check(len(markets) == len(by_asset), "terms", terms, "must be terms of a perpetual venue", remedy)
            problems.raise_if_any()
            base = {
                "markets": {asset: _synthetix(market) for asset, market in markets.items()},
                "deleveraging": "none",
            }
        return cls(**{**base, **changes})

    def market(self, asset: str) -> PerpetualMarket | None:
        """The market of an asset; None if there is none."""
        return self.markets.get(asset, self.markets.get(ANY_MARKET))

    def counted(self, asset: str, units: float) -> float:
        """Units of collateral after its haircut."""
        rule = self.haircuts.get(asset, 0.0)
        if isinstance(rule, tuple):
            scalar, skew_scale, lower, upper = rule
            return units * (1.0 - size_haircut(units, scalar=scalar, skew_scale=skew_scale, lower=lower, upper=upper))
        return units * (1.0 - rule)

    def tier_array(self, assets: tuple[str, ...]) -> FloatArray:
        """float64 (n_markets, n_tiers, 3): cap, rate, amount; short tables repeat their last row."""
        tables = [self._market(asset).brackets for asset in assets]
        longest = max(len(table.rows) for table in tables)
        array = np.empty((len(assets), longest, 3))
        for m, table in enumerate(tables):
            rows = [(cap, rate, amount) for (cap, rate), amount in zip(table.rows, table.amounts, strict=True)]
            array[m] = rows + [rows[-1]] * (longest - len(rows))
        return array

    def market_array(self, assets: tuple[str, ...], step_days: float) -> FloatArray:
        """float64 (n_markets, 14), as the kernel reads them."""
        return np.array([self._market(asset).row(step_days) for asset in assets])

    def rule_array(self) -> FloatArray:
        """float64 (16,), as the kernel reads them."""
        keeper, bounds = self.keeper, [0.0] * 7
        if keeper is not None:
            least, most = keeper.min_reward, keeper.max_reward
            bounds = [1.0, least, most, keeper.min_profit_ratio, keeper.max_scaling, keeper.flag_cost_per_feed]
            bounds.append(keeper.liquidate_cost)
        spread = -1.0 if self.limit_spread is None else self.limit_spread
        switches = [float(self.equality_liquidates), float(self.zero_liquidates)]
        ranking = float(DELEVERAGING.index(self.deleveraging))
        head = [spread, self.bankruptcy_adjustment, self.most_fee, self.close_share]
        return np.array([*head, *switches, ranking, self.least_requirement, self.fund, *bounds])

    def _market(self, asset: str) -> PerpetualMarket:
        market = self.market(asset)
        assert market is not None, "checked before arrays are built"
        return market


def _exchange(terms: ExchangeTerms) -> dict[str, Any]:
    return {
        "markets": {ANY_MARKET: PerpetualMarket(Brackets(terms.brackets), impact=terms.impact)},
        "most_fee": math.inf if terms.fund_takes_rest else 0.0,
        "close_share": terms.close_share,
        "equality_liquidates": True,
        "deleveraging": terms.deleveraging,
        "fund": terms.fund,
    }


def _dydx(terms: DydxTerms, maintenance: Mapping[str, float]) -> dict[str, Any]:
    problems = Problems("PerpetualTerms.of(DydxTerms)")
    remedy = "give maintenance={'BTC': 0.012}: the initial margin times the tier's maintenance fraction"
    problems.check(len(maintenance) > 0, "maintenance", dict(maintenance), "must name every market", remedy)
    problems.raise_if_any()
    return {
        "markets": {asset: PerpetualMarket(Brackets.flat(rate)) for asset, rate in maintenance.items()},
        "limit_spread": terms.spread_to_maintenance,
        "bankruptcy_adjustment": terms.bankruptcy_adjustment,
        "most_fee": terms.max_fee,
    }


def _gmx(terms: GmxTerms) -> dict[str, Any]:
    market = PerpetualMarket(
        Brackets.flat(terms.min_collateral_factor), on_entry=True, max_impact_factor=terms.max_impact_factor
    )
    least = terms.min_collateral_usd or 0.0
    rules = {"zero_liquidates": True, "least_requirement": least, "most_fee": 0.0, "deleveraging": "none"}
    return {"markets": {ANY_MARKET: market}, **rules}


def _synthetix(market: SynthetixMarket) -> PerpetualMarket:
    return PerpetualMarket(
        Brackets.flat(market.minimum_initial_ratio * market.maintenance_scalar),
        slope=market.initial_fraction * market.maintenance_scalar / market.skew_scale,
        floor=market.minimum_margin,
        reward_ratio=market.reward_ratio,
        skew_scale=market.skew_scale,
    )
