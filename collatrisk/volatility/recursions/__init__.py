"""One module a family of volatility recursions; what they have in common is in `base`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.volatility.recursions.aparch import AparchFamily
from collatrisk.volatility.recursions.base import Constraint, Family, Recursion, Walk, simulate_residuals
from collatrisk.volatility.recursions.egarch import EgarchCoefficients, EgarchFamily
from collatrisk.volatility.recursions.figarch import ArchWeights, FigarchFamily
from collatrisk.volatility.recursions.garch import GarchCoefficients
from collatrisk.volatility.recursions.garch_family import GarchFamily
from collatrisk.volatility.recursions.riskmetrics import EwmaMixture, RiskMetricsFamily
from collatrisk.volatility.specs import Aparch, Egarch, Figarch, RiskMetrics2006, VolatilitySpec

__all__ = [
    "ArchWeights",
    "Constraint",
    "EgarchCoefficients",
    "EwmaMixture",
    "Family",
    "GarchCoefficients",
    "Recursion",
    "Walk",
    "family_of",
    "recursion_of",
    "simulate_residuals",
]


def family_of(spec: VolatilitySpec) -> Family:
    """What estimation needs to know of a spec."""
    if isinstance(spec, Egarch):
        return EgarchFamily(spec)
    if isinstance(spec, Aparch):
        return AparchFamily(spec)
    if isinstance(spec, Figarch):
        return FigarchFamily(spec)
    if isinstance(spec, RiskMetrics2006):
        return RiskMetricsFamily(spec)
    return GarchFamily(spec)


def recursion_of(spec: VolatilitySpec, params: Mapping[str, float]) -> Recursion:
    """The recursion of a spec with its parameters.

    Parameters
    ----------
    params : values by arch's names, in the unit of the returns; those of mean and law are not read.

    Raises
    ------
    InputError : a parameter that the spec needs is missing or not finite.
    """
    family = family_of(spec)
    problems = Problems("volatility parameters")
    remedy = f"needed by {type(spec).__name__}; give all of its parameters"
    values = [problems.number(name, params.get(name), remedy=remedy) for name in family.names]
    problems.raise_if_any()
    return family.recursion(np.array(values, dtype=np.float64))
