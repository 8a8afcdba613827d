"""OKX portfolio margin: how its charges combine, and the charge for a stablecoin that loses its peg.

Source: OKX notices. The charges themselves (spot and volatility, term structure, basis, rates, extreme moves) depend on
tables that change often, and are not here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from collatrisk.base.validation import Problems


def portfolio_charge(mr1: float, mr2: float, mr3: float, mr4: float, mr5: float, mr6: float) -> float:
    """``max(MR1, MR2, MR6) + MR3 + MR4 + MR5`` (the combination before 2025), each in currency, >= 0."""
    problems = Problems("portfolio_charge")
    for i, charge in enumerate((mr1, mr2, mr3, mr4, mr5, mr6), start=1):
        problems.number(f"mr{i}", charge, low=0, remedy="give a charge in currency")
    problems.raise_if_any()
    return max(mr1, mr2, mr6) + mr3 + mr4 + mr5


def depeg_charge(tier_amounts: Sequence[float], tier_rates: Sequence[float]) -> float:
    """MR9: the amount that falls in each tier times the tier's rate, added up."""
    problems = Problems("depeg_charge")
    same = len(tier_amounts) == len(tier_rates)
    problems.check(same, "tier_rates", len(tier_rates), f"must be {len(tier_amounts)}, one a tier", "add or drop some")
    for name, values in (("tier_amounts", tier_amounts), ("tier_rates", tier_rates)):
        for i, value in enumerate(values):
            problems.number(f"{name}[{i}]", value, low=0, remedy="give a number of at least 0")
    problems.raise_if_any()
    return math.fsum(amount * rate for amount, rate in zip(tier_amounts, tier_rates, strict=True))
