"""Soft liquidation in bands (LLAMMA of crvUSD): terms, band prices, sizes and health as pure functions.

Source: curvefi/curve-stablecoin, AMM.vy and controller.vy (formulas and figures only). Band n spans the oracle prices
from ``p_base ((A-1)/A)**(n+1)`` to ``p_base ((A-1)/A)**n``: higher bands have lower prices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import ANY, INSIDE, POSITIVE, SHARE, Range, check, refuse

FloatArray = NDArray[np.float64]
_TITLE = "bands"


class BandPrices(NamedTuple):
    """Of one band: where it starts and ends in oracle prices, and its own price at both ends for an oracle price."""

    oracle_up: float
    oracle_down: float
    current_down: float
    current_up: float


@dataclass(frozen=True, slots=True)
class BandTerms:
    """A market with bands.

    Parameters
    ----------
    a : amplification: a band spans 1/a of its price, > 1. fee : of each conversion, paid into the bands, [0, 1).
    loan_discount, liquidation_discount : (0, 1): how far the debt is below what the bands would fetch, at the start and
        when it is liquidated; the first is at least the second.
    borrow_rate : a year, continuously, [-0.1, 10].
    oracle_days : time constant of the oracle's exponential average, >= 0; 0: the oracle is the price.
    keeper_margin : share of the collateral's value that a liquidator needs to come, [0, 1).

    Raises
    ------
    InputError : with all broken rules at once.
    """

    a: float
    fee: float
    loan_discount: float
    liquidation_discount: float
    borrow_rate: float = 0.0
    oracle_days: float = 0.0
    keeper_margin: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("BandTerms")
        problems.number("a", self.a, low=1, open_low=True, remedy="give 100 for bands of 1 %")
        for name in ("fee", "keeper_margin"):
            problems.number(name, getattr(self, name), low=0, high=1, open_high=True, remedy="give 0.006 for 0.6 %")
        for name in ("loan_discount", "liquidation_discount"):
            remedy = "give 0.09 for 9 %"
            problems.number(name, getattr(self, name), low=0, high=1, open_low=True, open_high=True, remedy=remedy)
        problems.number("borrow_rate", self.borrow_rate, low=-0.1, high=10, remedy="give 0.05 for 5 % a year")
        problems.number("oracle_days", self.oracle_days, low=0, remedy="give 0.007 for ten minutes")
        if not problems.found:
            rule = f"must be at least liquidation_discount = {self.liquidation_discount:g}"
            holds = self.loan_discount >= self.liquidation_discount
            problems.check(holds, "loan_discount", self.loan_discount, rule, "or a new loan is liquidated at once")
        problems.raise_if_any()

    @property
    def step(self) -> float:
        """``ln(A / (A - 1))``, the width of a band in log price."""
        return math.log(self.a / (self.a - 1.0))

    def prices(self, band: int, base_price: float, oracle_price: float) -> BandPrices:
        """A band's prices: ``current_down = p^3 / up^2``, ``current_up = p^3 / down^2``."""
        check(_TITLE, {"base_price": (base_price, POSITIVE), "oracle_price": (oracle_price, POSITIVE)})
        up = base_price * ((self.a - 1.0) / self.a) ** band
        down = up * (self.a - 1.0) / self.a
        return BandPrices(up, down, oracle_price**3 / up**2, oracle_price**3 / down**2)

    def effective_collateral(self, collateral: float, bands: int) -> float:
        """What `collateral` in that many bands fetches on the way down, at the upper price of the first; discounted.

        ``collateral (1 - loan_discount) / N sqrt((A-1)/A) sum_{k<N} ((A-1)/A)^k``.
        """
        check(_TITLE, {"collateral": (collateral, POSITIVE), "bands": (bands, Range(1.0))})
        ratio = (self.a - 1.0) / self.a
        span = math.fsum(ratio**k for k in range(bands))
        return collateral * (1.0 - self.loan_discount) / bands * math.sqrt(ratio) * span

    def first_band(self, collateral: float, debt: float, bands: int, base_price: float) -> int:
        """The highest-priced band that a loan may start from: ``floor(ln(y_eff p_base / debt) / ln(A / (A-1)))``."""
        check(_TITLE, {"debt": (debt, POSITIVE), "base_price": (base_price, POSITIVE)})
        worth = self.effective_collateral(collateral, bands) * base_price
        return math.floor(math.log(worth / debt) / self.step)

    def largest_debt(self, collateral: float, bands: int, price: float) -> float:
        """What can be borrowed in bands just below `price`."""
        check(_TITLE, {"price": (price, POSITIVE)})
        return self.effective_collateral(collateral, bands) * price

    def rule_array(self, base_price: float, step_years: float, step_days: float) -> FloatArray:
        """float64 (7,), as the kernel reads them: growth of the debt a step, memory of the oracle over `step_days`."""
        memory = math.exp(-step_days / self.oracle_days) if self.oracle_days > 0.0 else 0.0
        growth = math.exp(self.borrow_rate * step_years)
        rules = (self.a, self.fee, self.liquidation_discount, growth, memory, base_price, self.keeper_margin)
        return np.array(rules)


@dataclass(frozen=True, slots=True)
class BandPosition:
    """A loan whose collateral lies in bands, the same amount in each.

    Parameters
    ----------
    collateral : units, > 0. debt : currency, > 0. bands : how many, 4 to 50 (the venue's limits).
    first_band : the highest-priced one; None: as high as the debt allows (`BandTerms.first_band`).
    name : how tables call it.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    collateral: float
    debt: float
    bands: int = 10
    first_band: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        problems = Problems("BandPosition")
        problems.number("collateral", self.collateral, low=0, open_low=True, remedy="give units of the asset")
        problems.number("debt", self.debt, low=0, open_low=True, remedy="give currency")
        problems.integer("bands", self.bands, low=4, high=50, remedy="give 10")
        if self.first_band is not None:
            problems.integer("first_band", self.first_band, low=-10_000, high=10_000, remedy="leave it out")
        problems.raise_if_any()

    def placed(self, terms: BandTerms, base_price: float, oracle_price: float) -> int:
        """The highest-priced band of the position.

        Raises
        ------
        InputError : a band that starts at or above the oracle price: the debt is too high for the collateral.
        """
        band = self.first_band
        if band is None:
            band = terms.first_band(self.collateral, self.debt, self.bands, base_price)
        if terms.prices(band, base_price, oracle_price).oracle_up >= oracle_price:
            most = terms.largest_debt(self.collateral, self.bands, oracle_price * (terms.a - 1.0) / terms.a)
            rule = f"puts its first band at or above the oracle price of {oracle_price:g}"
            refuse("BandPosition", "debt", self.debt, rule, f"borrow {most:.6g} at most, or in fewer bands")
        return band


def removed_share(fraction: float, health_limit: float) -> float:
    """Share of the collateral that a liquidator of `fraction` of the debt gets.

    ``((1 + h/2) / (1 + h) (1 - f) + f) f`` with h the health limit; f where h is 0.
    """
    check(_TITLE, {"fraction": (fraction, SHARE), "health_limit": (health_limit, Range())})
    if health_limit == 0.0:
        return fraction
    return ((1.0 + health_limit / 2.0) / (1.0 + health_limit) * (1.0 - fraction) + fraction) * fraction


def value_ratio(health: float, liquidation_discount: float) -> float:
    """What the bands would fetch over the debt: ``(1 + health) / (1 - liquidation_discount)``."""
    check(_TITLE, {"health": (health, ANY), "liquidation_discount": (liquidation_discount, INSIDE)})
    return (1.0 + health) / (1.0 - liquidation_discount)


class PartialRepayment(NamedTuple):
    """Of selling a share of a position and repaying with all that it fetches."""

    ratio: float
    surplus: float
    fraction_price: float
    collateral_after: float
    debt_after_partial: float
    debt_after_repay: float


def repay_partly(
    collateral: float, debt: float, health: float, liquidation_discount: float, fraction: float
) -> PartialRepayment:
    """Repay `fraction` of the debt out of that share of the collateral, worth `value_ratio` times as much; the surplus
    repays more debt."""
    check(_TITLE, {"collateral": (collateral, POSITIVE), "debt": (debt, POSITIVE), "fraction": (fraction, SHARE)})
    ratio = value_ratio(health, liquidation_discount)
    surplus = fraction * debt * (ratio - 1.0)
    partial = debt * (1.0 - fraction)
    return PartialRepayment(
        ratio, surplus, debt * ratio / collateral, collateral * (1.0 - fraction), partial, partial - surplus
    )
