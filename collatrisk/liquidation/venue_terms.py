"""Which frozen rules a venue's figures build, and which settings they need."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from collatrisk.base.validation import Problems
from collatrisk.collateral import Terms
from collatrisk.liquidation.aave_v3 import AaveV3Terms
from collatrisk.liquidation.aave_v4 import AaveV4Terms
from collatrisk.liquidation.bands import BandTerms
from collatrisk.liquidation.compound import CompoundV2Terms, CompoundV3Terms
from collatrisk.liquidation.csa import CsaTerms
from collatrisk.liquidation.curves import (
    ExponentialDecrease,
    LinearDecrease,
    PriceCurve,
    StairstepExponentialDecrease,
)
from collatrisk.liquidation.dutch_terms import DutchTerms
from collatrisk.liquidation.english import EnglishTerms
from collatrisk.liquidation.euler import EulerV1Terms, EulerV2Terms
from collatrisk.liquidation.liquity import LiquityTerms
from collatrisk.liquidation.morpho import MorphoTerms
from collatrisk.liquidation.perpetual_dydx import DydxTerms
from collatrisk.liquidation.perpetual_exchange import ExchangeTerms
from collatrisk.liquidation.perpetual_gmx import GmxTerms
from collatrisk.liquidation.perpetual_synthetix import KeeperTerms, SynthetixMarket

_CURVES: Final = ("linear", "stairstep", "exponential")


def dutch_terms(
    *,
    curve: str,
    buffer: float,
    tau_s: float | None = None,
    cut: float | None = None,
    step_s: float | None = None,
    tail_s: float = math.inf,
    cusp: float = 0.0,
    tip: float = 0.0,
    chip: float = 0.0,
    dust: float = 0.0,
    penalty: float = 0.0,
    capacity: float = math.inf,
    collateral_capacity: float = math.inf,
    breaker: int = 0,
) -> DutchTerms:
    """`DutchTerms` from plain settings: a curve by name, with the numbers that it needs.

    Parameters
    ----------
    curve : "linear" (needs `tau_s`), "stairstep" (`cut` and `step_s`) or "exponential" (`cut`).
    Others as for `DutchTerms`.

    Raises
    ------
    InputError : an unknown curve, a curve without its numbers, or any broken rule of `DutchTerms`.
    """
    return DutchTerms(
        _curve(curve, {"tau_s": tau_s, "cut": cut, "step_s": step_s}),
        buffer=buffer,
        tail_s=tail_s,
        cusp=cusp,
        tip=tip,
        chip=chip,
        dust=dust,
        penalty=penalty,
        capacity=capacity,
        collateral_capacity=collateral_capacity,
        breaker=breaker,
    )


def _curve(kind: str, numbers: Mapping[str, float | None]) -> PriceCurve:
    problems = Problems("DutchTerms")
    problems.choice("curve", kind, _CURVES)
    problems.raise_if_any()
    needed = {"linear": ("tau_s",), "stairstep": ("cut", "step_s"), "exponential": ("cut",)}[kind]
    for name in needed:
        problems.check(numbers[name] is not None, name, "nothing", f"is needed by a {kind} curve", "give it")
    problems.raise_if_any()
    kinds = {"linear": LinearDecrease, "stairstep": StairstepExponentialDecrease, "exponential": ExponentialDecrease}
    make: Callable[..., PriceCurve] = kinds[kind]
    return make(**{name: numbers[name] for name in needed})


def lombard_terms(
    *,
    lending_value: float,
    margin_call_ltv: float,
    close_out_ltv: float,
    cure_days: float,
    cure_probability: float = 0.0,
    close_out_delay_days: float = 0.0,
    close_out_fee: float = 0.0,
    borrow_rate: float = 0.0,
    price_impact: float = 0.0,
) -> Terms:
    """A lender against securities, as `Terms` of the margin engine.

    The close-out level is the liquidation threshold; a call is made at ``margin_call_ltv`` and cured by coming back to
    ``lending_value``; an uncured call, or an LTV above the close-out level, closes the loan.

    Parameters
    ----------
    lending_value, margin_call_ltv, close_out_ltv : loan over market value of the collateral, (0, 1], rising.
    cure_days : to meet a call. cure_probability : that it is met, [0, 1]. close_out_delay_days : from the decision to
        the sale. close_out_fee : kept by the lender, share of the repaid value. Others as in `Terms`.

    Raises
    ------
    InputError : levels that do not rise, or any broken rule of `Terms`.
    """
    problems = Problems("lombard_terms")
    levels = {"lending_value": lending_value, "margin_call_ltv": margin_call_ltv, "close_out_ltv": close_out_ltv}
    for name, level in levels.items():
        problems.number(name, level, low=0, high=1, open_low=True, remedy="give 0.6 for 60 %")
    if not problems.found:
        rule = f"must be at least lending_value = {lending_value:g}"
        problems.check(margin_call_ltv >= lending_value, "margin_call_ltv", margin_call_ltv, rule, "raise it")
        rule = f"must be at least margin_call_ltv = {margin_call_ltv:g}"
        problems.check(close_out_ltv >= margin_call_ltv, "close_out_ltv", close_out_ltv, rule, "raise it")
    problems.raise_if_any()
    return Terms(
        liquidation_threshold=close_out_ltv,
        margin_call=close_out_ltv / margin_call_ltv,
        restore_to=close_out_ltv / lending_value,
        liquidation_fee=close_out_fee,
        close_factor=1.0,
        cure_days=cure_days,
        cure_probability=cure_probability,
        uncured="liquidate",
        liquidation_delay_days=close_out_delay_days,
        borrow_rate=borrow_rate,
        price_impact=price_impact,
    )


BUILDERS: Final[Mapping[str, Mapping[str, Callable[..., Any]]]] = {
    "aave-v3": {"liquidation": AaveV3Terms},
    "aave-v4": {"liquidation": AaveV4Terms},
    "compound-v2": {"liquidation": CompoundV2Terms},
    "compound-v3": {"absorption": CompoundV3Terms},
    "crvusd": {"bands": BandTerms},
    "csa": {"annex": CsaTerms},
    "dydx-v4": {"liquidation": DydxTerms},
    "euler-v1": {"liquidation": EulerV1Terms},
    "euler-v2": {"liquidation": EulerV2Terms},
    "exchange": {"liquidation": ExchangeTerms},
    "gmx-v2": {"liquidation": GmxTerms},
    "liquity-v1": {"liquidation": LiquityTerms},
    "lombard": {"margin": lombard_terms},
    "maker": {"auction": dutch_terms},
    "maker-eth-b": {"auction": dutch_terms},
    "maker-flip": {"auction": EnglishTerms},
    "maker-univ2": {"auction": dutch_terms},
    "maker-yfi-a": {"auction": dutch_terms},
    "morpho-blue": {"liquidation": MorphoTerms},
    "synthetix-v3": {"market": SynthetixMarket, "keeper": KeeperTerms},
}
"""By venue, then by part: what builds its rules from plain settings."""


@lru_cache(maxsize=64)
def settings_of(build: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The settings that a builder needs, and all that it knows."""
    parameters = inspect.signature(build).parameters.values()
    needed = tuple(parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty)
    return needed, tuple(parameter.name for parameter in parameters)
