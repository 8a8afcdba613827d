"""Terms: when margin is called, what a liquidation takes, and at which price it sells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.collateral.bonuses import CloseFactor, FixedBonus, TargetHealth
from collatrisk.collateral.per_asset import ANY_ASSET, PerAsset, checked_figure, figure_of, figure_text
from collatrisk.collateral.sale_rules import (
    AbsorbRule,
    LiquidationRule,
    PoolRule,
    SaleRule,
    rule_from_dict,
    rule_to_dict,
)

Uncured = Literal["hold", "liquidate"]
Mark = Literal["bridge", "close"]
SalePrice = Literal["worse", "end", "barrier"]

_PLAIN = {"liquidation_bonus": 0.05, "liquidation_fee": 0.0, "close_factor": 0.5}
"""What `SaleRule` replaces, with the defaults."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules of a collateralised debt. Every default is stated here and printed by `describe`.

    Parameters
    ----------
    liquidation_threshold : share of each asset's value that counts towards the health factor, in (0, 1]: one number
        for all assets, or asset -> number (``"*"``: every asset that is not named). Default 0.85. Cash in the
        account's own currency counts in full unless the mapping names it.
    margin_call : health-factor level below which margin is called, >= 1. Default 1.1.
    restore_to : health-factor level to which a call must be restored, >= `margin_call`. Default 1.2.
    liquidation_bonus : to the liquidator, share of the repaid value, in [0, 1). Default 0.05.
    liquidation_fee : to the lender, share of the repaid value, in [0, 1), paid by the borrower too. Default 0.
    close_factor : largest share of the debt that one liquidation repays, in (0, 1]. Default 0.5.
    cure_days : days of the clock that the borrower has after a call, >= 0. Default 1.
    cure_probability : probability that the borrower tops up at the deadline, in [0, 1]. Default 0 (never).
    uncured : what follows an uncured call: ``"hold"`` (wait for the health factor to reach `restore_to` or to fall
        below 1; default) or ``"liquidate"`` (sell at once, even above a health factor of 1).
    liquidation_delay_days : days from the trigger to the sale, >= 0. Default 0.
    borrow_rate : interest on all debts, per year, continuous, in [-0.1, 10]. Default 0.
    price_impact : relative fall of an asset's price per unit of currency sold, linear and gone after the step, >= 0;
        one number for all assets or asset -> number (assets not named have none; ``"*"`` as above). Default 0.
    mark : ``"bridge"`` (default; the lowest health factor within a step decides, sampled with a Brownian bridge where
        the source knows its step variance) or ``"close"`` (only the end of a step decides).
    sale_price : ``"worse"`` (default; the end of the step or the barrier, whichever is worse), ``"end"``, or
        ``"barrier"`` (sold the moment the health factor touches 1; needs no delay).
    liquidation : a `SaleRule`, `AbsorbRule` or `PoolRule` in place of `liquidation_bonus`, `liquidation_fee` and
        `close_factor` (which must then be left alone). Default None: these three, sold pro rata.

    Raises
    ------
    InputError : with all broken rules at once.

    Notes
    -----
    A liquidation triggers when the health factor is below 1 (strictly: at 1 the account is healthy, unless the rule
    says ``at_one``).
    """

    liquidation_threshold: PerAsset = 0.85
    margin_call: float = 1.1
    restore_to: float = 1.2
    liquidation_bonus: float = 0.05
    liquidation_fee: float = 0.0
    close_factor: float = 0.5
    cure_days: float = 1.0
    cure_probability: float = 0.0
    uncured: Uncured = "hold"
    liquidation_delay_days: float = 0.0
    borrow_rate: float = 0.0
    price_impact: PerAsset = 0.0
    mark: Mark = "bridge"
    sale_price: SalePrice = "worse"
    liquidation: LiquidationRule | None = None

    def __post_init__(self) -> None:
        problems = Problems("Terms")
        checked: dict[str, object] = {
            "liquidation_threshold": _checked_threshold(problems, self.liquidation_threshold),
            "price_impact": _checked_impact(problems, self.price_impact),
            **_checked_levels(problems, self),
            **_checked_shares(problems, self),
            **_checked_times(problems, self),
        }
        problems.choice("uncured", self.uncured, ("hold", "liquidate"))
        problems.choice("mark", self.mark, ("bridge", "close"))
        problems.choice("sale_price", self.sale_price, ("worse", "end", "barrier"))
        touched = isinstance(self.sale_price, str) and self.sale_price == "barrier"
        if touched and checked["liquidation_delay_days"] != 0:
            rule = "must be 0 when sale_price is 'barrier': a later sale cannot have the price of the touch"
            remedy = "use sale_price='worse' or no delay"
            problems.add("liquidation_delay_days", self.liquidation_delay_days, rule, remedy)
        _check_rule(problems, self)
        problems.raise_if_any()
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def threshold_of(self, asset: str, currency: str = "USD") -> float:
        """The liquidation threshold of an asset; 1 for cash in `currency` that the mapping does not name.

        Raises
        ------
        InputError : for an asset without a threshold.
        """
        cash = 1.0 if isinstance(currency, str) and asset == currency else None
        if cash is not None and not isinstance(self.liquidation_threshold, Mapping):
            return cash
        return figure_of("Terms", "liquidation_threshold", self.liquidation_threshold, asset, cash=cash)

    def impact_of(self, asset: str, currency: str = "USD") -> float:
        """The price impact of an asset, per unit of currency sold; 0 for cash and for assets that are not named."""
        if asset == currency:
            return 0.0
        rule = self.price_impact
        return rule.get(asset, rule.get(ANY_ASSET, 0.0)) if isinstance(rule, Mapping) else float(rule)

    @property
    def rule(self) -> LiquidationRule:
        """The liquidation rule in force: `liquidation`, or the one that the three plain numbers say."""
        if self.liquidation is not None:
            return self.liquidation
        return SaleRule(FixedBonus(self.liquidation_bonus), CloseFactor(self.close_factor), fee=self.liquidation_fee)

    def with_rule(self, rule: LiquidationRule) -> Terms:
        """The same terms under another liquidation rule, in place of the three plain numbers too."""
        bonus, fee, share = _PLAIN.values()
        return replace(self, liquidation_bonus=bonus, liquidation_fee=fee, close_factor=share, liquidation=rule)

    @property
    def penalty(self) -> float:
        """What the borrower pays on top of each unit repaid at a health of 1: bonus + fee, the largest of the assets;
        0 where all collateral is handed over."""
        if self.liquidation is not None:
            return self.liquidation.penalty
        return self.liquidation_bonus + self.liquidation_fee

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is allowed but worth knowing: ``liquidation-digs`` when a liquidation at a health factor of 1 lowers it.

        A liquidation of an asset raises the health factor if and only if it is above
        ``liquidation_threshold * (1 + bonus + fee)``. ``negative-bonus``: nobody would liquidate.
        ``target-out-of-reach``: no repayment restores the target health, so all debt is repaid.
        """
        rule = self.liquidation_threshold
        named = dict(rule) if isinstance(rule, Mapping) else {"all assets": float(rule)}
        digs = [
            Finding(
                "liquidation-digs",
                "warning",
                asset,
                f"liquidation_threshold x (1 + bonus + fee) = {threshold * (1 + self.penalty):.4f} for {asset}: at 1 or"
                " above, a liquidation at the threshold lowers the health factor; lower the threshold or the penalty",
            )
            for asset, threshold in named.items()
            if threshold * (1 + self.penalty) >= 1
        ]
        return (*digs, *_rule_findings(self.liquidation, max(named.values())))

    def describe(self) -> str:
        """Every value that is used, in one line of words."""
        delay = self.liquidation_delay_days
        cure = _days_text(self.cure_days)
        return (
            f"liquidation threshold {figure_text(self.liquidation_threshold)}, liquidated at a health factor below 1; "
            f"margin called below {self.margin_call:g}, restored to {self.restore_to:g} within {cure} "
            f"(cured with probability {self.cure_probability:g}, else {self.uncured}); "
            f"{self._sale_text()}, "
            f"sale {'at once' if delay == 0 else f'after {_days_text(delay)}'} at the {_SALE_TEXT[self.sale_price]}; "
            f"borrow rate {self.borrow_rate:g} a year, price impact {figure_text(self.price_impact)}, "
            f"marked {'within steps (bridge)' if self.mark == 'bridge' else 'at the end of each step'}"
        )

    def _sale_text(self) -> str:
        if self.liquidation is not None:
            return self.liquidation.describe()
        return f"bonus {self.liquidation_bonus:g}, fee {self.liquidation_fee:g}, close factor {self.close_factor:g}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_dict` takes it back. `liquidation` is in it only where one is set."""
        values = {field.name: rule_to_dict(getattr(self, field.name)) for field in fields(self)}
        if self.liquidation is None:
            del values["liquidation"]
        return values

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Terms:
        """The inverse of `to_dict`."""
        return cls(**{name: rule_from_dict(value) if name == "liquidation" else value for name, value in data.items()})

    def _repr_html_(self) -> str:
        return html_table(("term", "value"), [(name, _plain(value)) for name, value in self.to_dict().items()], "Terms")


_SALE_TEXT = {"worse": "end price or the barrier, whichever is worse", "end": "end price", "barrier": "barrier"}


def _days_text(days: float) -> str:
    return f"{days:g} {'day' if days == 1 else 'days'}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value["kind"]) if "kind" in value else figure_text(value)
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _checked_threshold(problems: Problems, rule: object) -> PerAsset:
    remedy = "give 0.85 for 85 %, or {'ETH': 0.85, '*': 0.8}"
    if isinstance(rule, Mapping):
        problems.check(len(rule) > 0, "liquidation_threshold", rule, "must name at least one asset", remedy)
    return checked_figure(problems, "liquidation_threshold", rule, low=0, high=1, open_low=True, remedy=remedy)


def _checked_impact(problems: Problems, rule: object) -> PerAsset:
    remedy = "give 1e-8 for a fall of 1 % per million sold, or a mapping by asset"
    return checked_figure(problems, "price_impact", rule, low=0, remedy=remedy)


def _check_rule(problems: Problems, terms: Terms) -> None:
    """The liquidation rule is one, is not given twice, and fits the thresholds."""
    rule: object = terms.liquidation
    if rule is None:
        return
    kinds = "must be a SaleRule, an AbsorbRule or a PoolRule"
    if not isinstance(rule, SaleRule | AbsorbRule | PoolRule):
        problems.add("liquidation", rule, kinds, "give SaleRule(bonus=FixedBonus(0.05), size=CloseFactor(0.5))")
        return
    for name, default in _PLAIN.items():
        said = f"is said by `liquidation` too, so it must be left at {default:g}"
        remedy = "put it into the rule, or leave `liquidation` out"
        problems.check(getattr(terms, name) == default, name, getattr(terms, name), said, remedy)
    if isinstance(rule, PoolRule):
        threshold = 1.0 / rule.minimum_ratio
        given = terms.liquidation_threshold
        same = all(abs(x - threshold) < 1e-9 for x in (given.values() if isinstance(given, Mapping) else [given]))
        said = f"must be 1 / minimum_ratio = {threshold:.10g} for every asset under a PoolRule"
        problems.check(same, "liquidation_threshold", given, said, "give 1 / 1.1 for a minimum ratio of 110 %")


def _rule_findings(rule: LiquidationRule | None, threshold: float) -> list[Finding]:
    if not isinstance(rule, SaleRule):
        return []
    found = []
    if isinstance(rule.bonus, FixedBonus):
        bonus = rule.bonus.bonus
        for asset, value in bonus.items() if isinstance(bonus, Mapping) else [("all assets", bonus)]:
            if value < 0:
                text = f"bonus {value:g} for {asset} is below 0: a liquidator would lose money; give at least 0"
                found.append(Finding("negative-bonus", "warning", asset, text))
    if isinstance(rule.size, TargetHealth) and threshold * (1 + rule.penalty) >= rule.size.health:
        text = (
            f"target health {rule.size.health:g} is not above liquidation_threshold x (1 + bonus + fee) = "
            f"{threshold * (1 + rule.penalty):.4f}: no repayment restores it, all debt is repaid"
        )
        found.append(Finding("target-out-of-reach", "warning", "liquidation", text))
    return found


def _checked_levels(problems: Problems, terms: Terms) -> dict[str, float]:
    margin_call = problems.number(
        "margin_call", terms.margin_call, low=1, remedy="a call below 1 would come after the liquidation"
    )
    restore_to = problems.number("restore_to", terms.restore_to, low=1, remedy="give a health factor such as 1.2")
    if restore_to < margin_call:
        rule = f"must be at least margin_call = {margin_call:g}"
        problems.add("restore_to", restore_to, rule, "a call cannot be cured below its own level")
    return {"margin_call": margin_call, "restore_to": restore_to}


def _checked_shares(problems: Problems, terms: Terms) -> dict[str, float]:
    def share(name: str, open_low: bool, open_high: bool, remedy: str) -> float:
        value = getattr(terms, name)
        return problems.number(name, value, low=0, high=1, open_low=open_low, open_high=open_high, remedy=remedy)

    return {
        "liquidation_bonus": share("liquidation_bonus", False, True, "give 0.05 for 5 % of the repaid value"),
        "liquidation_fee": share("liquidation_fee", False, True, "give 0.01 for 1 % of the repaid value"),
        "close_factor": share("close_factor", True, False, "give 0.5 to repay half of the debt at a time"),
        "cure_probability": share("cure_probability", False, False, "give 0.3 for three calls in ten cured"),
    }


def _checked_times(problems: Problems, terms: Terms) -> dict[str, float]:
    return {
        "cure_days": problems.number("cure_days", terms.cure_days, low=0, remedy="give days of the clock"),
        "liquidation_delay_days": problems.number(
            "liquidation_delay_days", terms.liquidation_delay_days, low=0, remedy="give days of the clock"
        ),
        "borrow_rate": problems.number(
            "borrow_rate", terms.borrow_rate, low=-0.1, high=10, remedy="give 0.05 for 5 % a year"
        ),
    }
