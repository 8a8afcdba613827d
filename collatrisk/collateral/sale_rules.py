"""Liquidation rules as data: how collateral is sold, or to whom it is handed over. `Terms.liquidation` holds one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal, cast

from collatrisk.base.frozen import checked_map
from collatrisk.base.validation import Problems
from collatrisk.collateral.bonuses import (
    Bonus,
    CloseFactor,
    FixedBonus,
    GrowingBonus,
    GrowingDiscount,
    Size,
    TargetHealth,
)
from collatrisk.collateral.per_asset import PerAsset, checked_figure, figure_text, largest

AssetOrder = Literal["pro_rata", "most_liquid", "most_volatile", "least_cost"]
ASSET_ORDERS: Final[tuple[AssetOrder, ...]] = ("pro_rata", "most_liquid", "most_volatile", "least_cost")
_SHARE = "give 0.1 for a tenth"


@dataclass(frozen=True, slots=True)
class SaleRule:
    """Collateral is sold to liquidators in calls, until the account is healthy again.

    Parameters
    ----------
    bonus : `FixedBonus`, `GrowingBonus` or `GrowingDiscount`. size : `CloseFactor` or `TargetHealth`.
    fee : to the lender, share of the repaid value, in [0, 1), paid by the borrower on top of the bonus.
    fee_of_bonus : the protocol's share of the bonus, in [0, 1]; one number, or asset -> number.
    liquidator_fee : to the lender, share of the repaid value, in [0, 1), paid by the liquidator out of the bonus.
    order : which asset a call sells. ``"pro_rata"``: all, in proportion to their values; ``"most_liquid"``: the
        smallest price impact first; ``"most_volatile"``: needs `volatility`; ``"least_cost"``: where raising the amount
        takes the smallest value; or names of assets, those not named last and together. A call takes one asset (equals
        together, pro rata); the next call takes the next.
    volatility : asset -> volatility, > 0, for ``order="most_volatile"``; assets not named come last.
    write_off_from : debt of an account whose collateral is gone is written off at once if it was worth at least this
        before the call, >= 0; None: it stays with the account.
    at_one : whether an account is liquidatable at a health of exactly 1 too.
    calls_a_step : how many calls can follow each other in a step, >= 1.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    bonus: Bonus = field(default_factory=FixedBonus)
    size: Size = field(default_factory=CloseFactor)
    fee: float = 0.0
    fee_of_bonus: PerAsset = 0.0
    liquidator_fee: float = 0.0
    order: AssetOrder | Sequence[str] = "pro_rata"
    volatility: Mapping[str, float] = field(default_factory=dict)
    write_off_from: float | None = None
    at_one: bool = False
    calls_a_step: int = 32

    def __post_init__(self) -> None:
        problems = Problems("SaleRule")
        kinds = (FixedBonus, GrowingBonus, GrowingDiscount), (CloseFactor, TargetHealth)
        for name, allowed in zip(("bonus", "size"), kinds, strict=True):
            rule = f"must be {' or '.join(kind.__name__ for kind in allowed)}"
            usable = isinstance(getattr(self, name), allowed)
            problems.check(usable, name, getattr(self, name), rule, "give FixedBonus(0.05) and CloseFactor(0.5)")
        values: dict[str, object] = {
            name: problems.number(name, getattr(self, name), low=0, high=1, open_high=True, remedy=_SHARE)
            for name in ("fee", "liquidator_fee")
        }
        values["fee_of_bonus"] = checked_figure(
            problems, "fee_of_bonus", self.fee_of_bonus, low=0, high=1, remedy=_SHARE
        )
        values["volatility"] = checked_map(
            problems, "volatility", self.volatility, low=0, open_low=True, remedy="give 0.8 for 80 % a year"
        )
        values["order"] = _checked_order(problems, self.order)
        needs = values["order"] == "most_volatile" and not values["volatility"]
        remedy = "give volatility={'ETH': 0.8, 'BTC': 0.6}"
        problems.check(not needs, "volatility", {}, "is needed by order='most_volatile'", remedy)
        if self.write_off_from is not None:
            remedy = "give 0 to write off any debt, or None to keep it"
            values["write_off_from"] = problems.number("write_off_from", self.write_off_from, low=0, remedy=remedy)
        problems.check(isinstance(self.at_one, bool), "at_one", self.at_one, "must be true or false", "give False")
        values["calls_a_step"] = problems.integer(
            "calls_a_step", self.calls_a_step, low=1, high=10_000, remedy="give 32, or 1 for one call a step"
        )
        problems.raise_if_any()
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def penalty(self) -> float:
        """The most that a borrower pays on top of each unit repaid at a health of 1, over all assets named."""
        if isinstance(self.bonus, GrowingDiscount):
            discount = min(
                self.bonus.at_one * self.bonus.booster,
                self.bonus.at_one + (self.bonus.most_boost if self.bonus.most_boost is not None else 1.0),
                self.bonus.most,
            )
            return discount / (1 - discount) + self.fee
        if isinstance(self.bonus, GrowingBonus):
            return largest(self.bonus.most) * self.bonus.least + self.fee
        return largest(self.bonus.bonus) + self.fee

    def describe(self) -> str:
        """In words."""
        order = self.order.replace("_", " ") if isinstance(self.order, str) else f"in the order {', '.join(self.order)}"
        fees = f", fee {self.fee:g}" if self.fee else ""
        fees += f", {figure_text(self.fee_of_bonus)} of the bonus to the protocol" if self.fee_of_bonus else ""
        fees += f", the liquidator pays {self.liquidator_fee:g} of the repaid value" if self.liquidator_fee else ""
        left = "" if self.write_off_from is None else ", debt left without collateral is written off"
        return f"{self.bonus.describe()}{fees}, {self.size.describe()}, sold {order}{left}"


@dataclass(frozen=True, slots=True)
class AbsorbRule:
    """A fund takes all collateral and all debt of an account, and resells the collateral later (Compound v3).

    Parameters
    ----------
    credit : share of each asset's value that is credited against the debt, in [0, 1]; what is over is paid to the
        account in cash, what is missing is written off.
    resale_discount : below the market, to the buyers, in [0, 1); one number, or asset -> number.
    resale_delay_days : days of the clock from taking over to the resale, >= 0: the fund's price risk. What is unsold at
        the end of the paths counts at what it would fetch then.
    """

    credit: PerAsset
    resale_discount: PerAsset = 0.0
    resale_delay_days: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("AbsorbRule")
        values: dict[str, object] = {
            "credit": checked_figure(problems, "credit", self.credit, low=0, high=1, remedy="give 0.93 for 93 %"),
            "resale_discount": checked_figure(
                problems, "resale_discount", self.resale_discount, low=0, high=1, open_high=True, remedy=_SHARE
            ),
            "resale_delay_days": problems.number(
                "resale_delay_days", self.resale_delay_days, low=0, remedy="give days of the clock"
            ),
        }
        problems.raise_if_any()
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def penalty(self) -> float:
        """0: nothing of the collateral is left with a debt that it could no longer cover."""
        return 0.0

    def describe(self) -> str:
        """In words."""
        return (
            f"absorbed by a fund that credits {figure_text(self.credit)} of the value and resells after "
            f"{self.resale_delay_days:g} days at a discount of {figure_text(self.resale_discount)}"
        )


@dataclass(frozen=True, slots=True)
class PoolRule:
    """A stability pool burns debt against collateral; what it cannot burn is redistributed over the other borrowers.

    See `collatrisk.liquidation.liquity.action` for the modes. The liquidation threshold of every asset must be
    ``1 / minimum_ratio``.

    Parameters
    ----------
    pool : debt that the pool can burn, in the account's currency, >= 0.
    minimum_ratio : collateral over debt below which an account is liquidated, > 1.
    critical_ratio : of the whole system, below which recovery mode starts, >= `minimum_ratio`.
    system_ratio : of the whole system, > 0, the same on all paths; None: above the critical ratio.
    gas_share : share of the seized collateral that goes to the caller, in [0, 1).
    """

    pool: float
    minimum_ratio: float = 1.1
    critical_ratio: float = 1.5
    system_ratio: float | None = None
    gas_share: float = 0.005

    def __post_init__(self) -> None:
        problems = Problems("PoolRule")
        ratio = "give 1.1 for 110 %"
        values = {
            "pool": problems.number("pool", self.pool, low=0, remedy="give the debt that the pool can burn"),
            "minimum_ratio": problems.number("minimum_ratio", self.minimum_ratio, low=1, open_low=True, remedy=ratio),
            "critical_ratio": problems.number(
                "critical_ratio", self.critical_ratio, low=1, open_low=True, remedy=ratio
            ),
            "gas_share": problems.number("gas_share", self.gas_share, low=0, high=1, open_high=True, remedy=_SHARE),
        }
        if self.system_ratio is not None:
            values["system_ratio"] = problems.number(
                "system_ratio", self.system_ratio, low=0, open_low=True, remedy="give 1.4 for 140 %, or None"
            )
        if values["critical_ratio"] < values["minimum_ratio"]:
            rule = f"must be at least minimum_ratio = {values['minimum_ratio']:g}"
            problems.add("critical_ratio", self.critical_ratio, rule, "raise it")
        problems.raise_if_any()
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def penalty(self) -> float:
        """0: nothing of the collateral is left with a debt that it could no longer cover."""
        return 0.0

    def describe(self) -> str:
        """In words."""
        return f"offset against a pool of {self.pool:g}, the rest redistributed; {self.gas_share:g} to the caller"


LiquidationRule = SaleRule | AbsorbRule | PoolRule
_KINDS: Final = {
    kind.__name__: kind
    for kind in (
        SaleRule, AbsorbRule, PoolRule, FixedBonus, GrowingBonus, GrowingDiscount, CloseFactor, TargetHealth
    )
}  # fmt: skip


def _checked_order(problems: Problems, order: object) -> AssetOrder | tuple[str, ...]:
    if isinstance(order, str):
        problems.choice("order", order, ASSET_ORDERS)
        return cast(AssetOrder, order)
    names = tuple(order) if isinstance(order, Sequence) else ()
    usable = bool(names) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    rule = f"must be one of {', '.join(ASSET_ORDERS)}, or names of assets, each once"
    problems.check(usable, "order", order, rule, "give order=('USDC', 'ETH')")
    return names


def rule_to_dict(rule: object) -> Any:
    """A JSON-ready form of a rule and its parts, each with its ``"kind"``."""
    if is_dataclass(rule):
        return {
            "kind": type(rule).__name__,
            **{item.name: rule_to_dict(getattr(rule, item.name)) for item in fields(rule)},
        }
    if isinstance(rule, Mapping):
        return dict(rule)
    return list(rule) if isinstance(rule, tuple) else rule


def rule_from_dict(data: object) -> Any:
    """The inverse of `rule_to_dict`.

    Raises
    ------
    InputError : an unknown kind, an unknown key, or a value that breaks a rule.
    """
    if not isinstance(data, Mapping) or "kind" not in data:
        return data
    problems = Problems("liquidation")
    problems.choice("kind", data["kind"], tuple(_KINDS))
    problems.raise_if_any()
    kind = _KINDS[data["kind"]]
    known = tuple(item.name for item in fields(kind))
    given = {key: rule_from_dict(value) for key, value in data.items() if key != "kind"}
    problems.known(str(data["kind"]), given, known)
    problems.raise_if_any()
    return kind(**given)
