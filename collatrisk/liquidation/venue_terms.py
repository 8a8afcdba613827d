"""Which frozen rules a venue's figures build, and which settings they need."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from collatrisk.base.validation import Problems
from collatrisk.liquidation.aave_v3 import AaveV3Terms
from collatrisk.liquidation.aave_v4 import AaveV4Terms
from collatrisk.liquidation.compound import CompoundV2Terms, CompoundV3Terms
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


BUILDERS: Final[Mapping[str, Mapping[str, Callable[..., Any]]]] = {
    "aave-v3": {"liquidation": AaveV3Terms},
    "aave-v4": {"liquidation": AaveV4Terms},
    "compound-v2": {"liquidation": CompoundV2Terms},
    "compound-v3": {"absorption": CompoundV3Terms},
    "dydx-v4": {"liquidation": DydxTerms},
    "euler-v1": {"liquidation": EulerV1Terms},
    "euler-v2": {"liquidation": EulerV2Terms},
    "gmx-v2": {"liquidation": GmxTerms},
    "liquity-v1": {"liquidation": LiquityTerms},
    "maker": {"auction": dutch_terms},
    "maker-flip": {"auction": EnglishTerms},
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
