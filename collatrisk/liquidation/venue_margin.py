"""What a lending venue's figures mean to the margin engine: its `Terms`, liquidation rule included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

from collatrisk.base.validation import Problems
from collatrisk.collateral import (
    AbsorbRule,
    CloseFactor,
    FixedBonus,
    GrowingBonus,
    GrowingDiscount,
    LiquidationRule,
    PoolRule,
    SaleRule,
    TargetHealth,
    Terms,
)
from collatrisk.liquidation.aave_v3 import AaveV3Terms
from collatrisk.liquidation.aave_v4 import AaveV4Terms
from collatrisk.liquidation.compound import CompoundV2Terms, CompoundV3Terms
from collatrisk.liquidation.euler import EulerV1Terms, EulerV2Terms
from collatrisk.liquidation.liquity import LiquityTerms
from collatrisk.liquidation.morpho import MorphoTerms


class Lending(NamedTuple):
    """The rule of a venue, and the liquidation threshold where the venue's figures say it."""

    rule: LiquidationRule
    threshold: float | None = None


def _aave_v3(terms: AaveV3Terms) -> Lending:
    size = CloseFactor(terms.close_factor, terms.full_close_health, terms.small_position, terms.min_leftover)
    return Lending(SaleRule(FixedBonus(terms.bonus), size, fee_of_bonus=terms.protocol_fee, write_off_from=0.0))


def _aave_v4(terms: AaveV4Terms) -> Lending:
    bonus = GrowingBonus(terms.max_bonus, terms.bonus_factor, terms.health_for_max_bonus)
    size = TargetHealth(terms.target_health, terms.dust_value)
    return Lending(
        SaleRule(bonus, size, fee_of_bonus=terms.fee_rate, write_off_from=0.0), threshold=terms.collateral_factor
    )


def _compound_v2(terms: CompoundV2Terms) -> Lending:
    return Lending(SaleRule(FixedBonus(terms.incentive - 1.0), CloseFactor(terms.close_factor)))


def _compound_v3(terms: CompoundV3Terms) -> Lending:
    return Lending(AbsorbRule(terms.liquidation_factor, terms.discount), threshold=terms.liquidate_factor)


def _morpho(terms: MorphoTerms) -> Lending:
    bonus = FixedBonus(terms.incentive_factor - 1.0)
    return Lending(SaleRule(bonus, CloseFactor(1.0), write_off_from=0.0), threshold=terms.lltv)


def _euler_v1(terms: EulerV1Terms) -> Lending:
    bonus = GrowingDiscount(terms.max_discount, terms.base_discount, most_boost=terms.max_boost)
    return Lending(SaleRule(bonus, TargetHealth(terms.target_health), liquidator_fee=terms.reserve_fee))


def _euler_v2(terms: EulerV2Terms) -> Lending:
    write_off = terms.min_socialised if terms.socialise else None
    bonus = GrowingDiscount(terms.max_discount)
    return Lending(SaleRule(bonus, CloseFactor(1.0), write_off_from=write_off, at_one=True))


def _liquity(terms: LiquityTerms) -> Lending:
    rule = PoolRule(
        pool=0.0,
        minimum_ratio=terms.minimum_ratio,
        critical_ratio=terms.critical_ratio,
        gas_share=terms.gas_share,
    )
    return Lending(rule, threshold=1.0 / terms.minimum_ratio)


LENDING: Final[Mapping[str, Callable[[Any], Lending]]] = {
    "aave-v3": _aave_v3,
    "aave-v4": _aave_v4,
    "compound-v2": _compound_v2,
    "compound-v3": _compound_v3,
    "euler-v1": _euler_v1,
    "euler-v2": _euler_v2,
    "liquity-v1": _liquity,
    "morpho-blue": _morpho,
}
"""By venue: its rule from its terms. Venues that are not here do not liquidate loans against collateral at a rule."""

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {"liquity-v1": ("pool",)}
_SAID_BY_RULE: Final = ("liquidation", "liquidation_bonus", "liquidation_fee", "close_factor")
_NO_CALLS: Final = {"margin_call": 1.0, "restore_to": 1.0}  # borrowers are not called, only liquidated


def margin_terms(name: str, terms: object, changes: Mapping[str, Any]) -> Terms:
    """The `Terms` of a lending venue.

    Parameters
    ----------
    name : of the venue. terms : its rules, as `Venue.terms` builds them.
    changes : fields of `Terms`, and of the venue's liquidation rule, in place of the venue's.

    Raises
    ------
    InputError : the venue does not lend, a field is unknown, a needed one is missing, or a rule is broken.
    """
    problems = Problems(f"Venue {name}")
    rule = "is no lending venue: it has no terms for run_margin"
    problems.check(name in LENDING, "name", name, rule, f"use one of {', '.join(LENDING)}")
    problems.raise_if_any()
    lending = LENDING[name](terms)
    of_rule = tuple(item.name for item in fields(lending.rule))
    of_terms = tuple(item.name for item in fields(Terms) if item.name not in _SAID_BY_RULE)
    problems.known("change", changes, (*of_rule, *of_terms))
    needed = _NEEDED.get(name, ()) + (() if lending.threshold is not None else ("liquidation_threshold",))
    for field in needed:
        remedy = f"margin_terms({field}=...)"
        problems.check(field in changes, field, "nothing", "is set for each market and must be given", remedy)
    problems.raise_if_any()
    own = {key: value for key, value in changes.items() if key in of_rule}
    if isinstance(lending.rule, SaleRule) and isinstance(own.get("bonus"), int | float | Mapping):
        own["bonus"] = FixedBonus(own["bonus"])
    threshold = {} if lending.threshold is None else {"liquidation_threshold": lending.threshold}
    given = {key: value for key, value in changes.items() if key in of_terms}
    return Terms(**{**_NO_CALLS, **threshold, **given}, liquidation=replace(lending.rule, **own))
