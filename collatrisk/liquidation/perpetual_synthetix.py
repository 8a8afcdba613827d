"""Synthetix v3 perpetuals: margins that grow with size, fill price, keeper reward, liquidation window.

Source: Synthetixio/synthetix-v3 (MIT), markets/perps-market (rules and figures only). Money is US dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collatrisk.liquidation.checks import AMOUNT, ANY, POSITIVE, POSITIVE_SHARE, SHARE, check, check_fields, refuse

_TITLE = "synthetix"


@dataclass(frozen=True, slots=True)
class SynthetixMarket:
    """One market.

    Parameters
    ----------
    skew_scale : size at which the fill price would have doubled, > 0. initial_fraction : growth of the initial margin
        ratio with size over skew scale, >= 0. minimum_initial_ratio : its value for a small size, [0, 1].
    maintenance_scalar : maintenance over initial margin ratio, (0, 1]. reward_ratio : liquidation reward, share of the
        notional, [0, 1]. minimum_margin : added to both requirements, money, >= 0.
    """

    skew_scale: float
    initial_fraction: float
    minimum_initial_ratio: float
    maintenance_scalar: float
    reward_ratio: float
    minimum_margin: float = 0.0

    def __post_init__(self) -> None:
        amounts = {"skew_scale": POSITIVE, "initial_fraction": AMOUNT, "minimum_margin": AMOUNT}
        shares = {"minimum_initial_ratio": SHARE, "maintenance_scalar": POSITIVE_SHARE, "reward_ratio": SHARE}
        check_fields(self, {**amounts, **shares})

    def fill_price(self, index: float, size: float, skew: float = 0.0) -> float:
        """Average price of an order: ``index * (1 + (skew + size / 2) / skew_scale)``."""
        check(_TITLE, {"index": (index, POSITIVE), "size": (size, ANY), "skew": (skew, ANY)})
        return index * (1.0 + (skew + size / 2.0) / self.skew_scale)

    def initial_ratio(self, size: float) -> float:
        """``|size| / skew_scale * initial_fraction + minimum_initial_ratio``."""
        return abs(size) / self.skew_scale * self.initial_fraction + self.minimum_initial_ratio

    def maintenance_ratio(self, size: float) -> float:
        """``initial_ratio * maintenance_scalar``."""
        return self.initial_ratio(size) * self.maintenance_scalar

    def initial_margin(self, size: float, index: float) -> float:
        """Money: ratio times notional at the index, plus `minimum_margin`."""
        return abs(size) * index * self.initial_ratio(size) + self.minimum_margin

    def maintenance_margin(self, size: float, index: float) -> float:
        """Money: ratio times notional at the index, plus `minimum_margin`."""
        return abs(size) * index * self.maintenance_ratio(size) + self.minimum_margin

    def liquidation_reward(self, size: float, index: float) -> float:
        """``reward_ratio`` of the notional."""
        return abs(size) * index * self.reward_ratio


def profit(size: float, entry: float, index: float) -> float:
    """Unrealised profit of a signed size at the index."""
    return size * (index - entry)


def available_margin(collateral_usd: float, profits: Sequence[float], debt: float = 0.0) -> float:
    """Discounted collateral + profits at the index - debt."""
    return collateral_usd + sum(profits) - debt


def liquidatable(available: float, maintenance: float, reward: float) -> bool:
    """``maintenance + liquidation reward > available``: at equality healthy."""
    return maintenance + reward > available


@dataclass(frozen=True, slots=True)
class KeeperTerms:
    """Bounds on what keepers get, in money: `min_reward` over costs; `min_profit_ratio` over costs; `max_reward`;
    `max_scaling` : largest share of the available margin, [0, 1]; costs of flagging (a price feed) and of liquidating.
    """

    min_reward: float
    max_reward: float
    min_profit_ratio: float = 0.0
    max_scaling: float = 1.0
    flag_cost_per_feed: float = 0.0
    liquidate_cost: float = 0.0

    def __post_init__(self) -> None:
        amounts = ("min_reward", "max_reward", "min_profit_ratio", "flag_cost_per_feed", "liquidate_cost")
        check_fields(self, {**dict.fromkeys(amounts, AMOUNT), "max_scaling": SHARE})
        if self.max_reward < self.min_reward:
            rule = f"must be at least min_reward = {self.min_reward:g}"
            refuse("KeeperTerms", "max_reward", self.max_reward, rule, "raise it")

    def cost(self, feeds: int) -> float:
        """Of flagging an account with that many price feeds (collaterals but the stablecoin, open markets) and
        closing it.
        """
        check(_TITLE, {"feeds": (feeds, AMOUNT)})
        return self.flag_cost_per_feed * feeds + self.liquidate_cost

    def reward(self, cost: float, reward: float = 0.0, *, available: float | None = None) -> float:
        """``min(max(min cap, reward + cost), max cap)``.

        ``min cap = max(cost + min_reward, cost (1 + min_profit_ratio))``; ``max cap = min(available * max_scaling,
        max_reward)``, or `max_reward` alone once the account is flagged (`available` None).
        """
        check(_TITLE, {"cost": (cost, AMOUNT), "reward": (reward, AMOUNT)})
        least = max(cost + self.min_reward, cost * (1.0 + self.min_profit_ratio))
        most = self.max_reward if available is None else min(max(available, 0.0) * self.max_scaling, self.max_reward)
        return min(max(least, reward + cost), most)


def window_size(fee_rate: float, skew_scale: float, multiplier: float, seconds: float) -> float:
    """Largest size liquidated in one window: ``(maker + taker fee) * skew_scale * multiplier * seconds``; the rest
    waits.
    """
    rates = {"fee_rate": (fee_rate, AMOUNT), "skew_scale": (skew_scale, POSITIVE)}
    check(_TITLE, {**rates, "multiplier": (multiplier, AMOUNT), "seconds": (seconds, AMOUNT)})
    return fee_rate * skew_scale * multiplier * seconds


def size_haircut(amount: float, *, scalar: float, skew_scale: float, lower: float, upper: float) -> float:
    """Haircut on an amount of collateral: ``clamp(amount * scalar / skew_scale, lower, upper)``."""
    amounts = {"amount": (amount, AMOUNT), "scalar": (scalar, AMOUNT), "skew_scale": (skew_scale, POSITIVE)}
    check(_TITLE, {**amounts, "lower": (lower, SHARE), "upper": (upper, SHARE)})
    if lower > upper:
        refuse(_TITLE, "lower", lower, f"is above upper = {upper:g}", "swap them")
    return min(max(amount * scalar / skew_scale, lower), upper)
