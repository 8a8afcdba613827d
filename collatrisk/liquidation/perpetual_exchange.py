"""A generic exchange: maintenance margin by brackets of notional, liquidation and bankruptcy prices, account ratio.

Source: the published bracket tables and formulas of large exchanges (see the preset ``exchange``). Money is the quote
currency; quantities are signed, long positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import ANY, POSITIVE, check, check_lengths, refuse

FloatArray = NDArray[np.float64]
Bracket = tuple[float, float]
Deleveraging = Literal["profit_leverage", "pro_rata", "none"]
DELEVERAGING: tuple[Deleveraging, ...] = ("none", "profit_leverage", "pro_rata")


@dataclass(frozen=True, slots=True)
class Brackets:
    """Maintenance rates by notional, continuous: ``margin = notional * rate - amount``.

    ``amount_k = amount_{k-1} + cap_{k-1} (rate_k - rate_{k-1})``: only the part of the notional in a bracket is charged
    with its rate.

    Parameters
    ----------
    rows : (largest notional, maintenance rate), rising caps, rates in [0, 1] that do not fall. Above the last cap the
        last rate goes on.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    rows: tuple[Bracket, ...]

    def __post_init__(self) -> None:
        problems = Problems("Brackets")
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        problems.check(len(self.rows) > 0, "rows", (), "must not be empty", "give ((inf, 0.005),) for one rate")
        for i, (cap, rate) in enumerate(self.rows):
            if cap != math.inf:
                problems.number(f"rows[{i}] cap", cap, low=0, open_low=True, remedy="give a notional, or inf")
            problems.number(f"rows[{i}] rate", rate, low=0, high=1, remedy="give 0.005 for 0.5 %")
        if not problems.found:
            for i in range(1, len(self.rows)):
                (cap, rate), (before, lower) = self.rows[i], self.rows[i - 1]
                problems.check(cap > before, f"rows[{i}] cap", cap, f"must be above {before:g}", "sort by notional")
                problems.check(rate >= lower, f"rows[{i}] rate", rate, f"must be at least {lower:g}", "check the row")
        problems.raise_if_any()

    @classmethod
    def flat(cls, rate: float) -> Brackets:
        """One rate for any notional."""
        return cls(((math.inf, rate),))

    @property
    def amounts(self) -> tuple[float, ...]:
        """The deduction of each bracket."""
        found = [0.0]
        for (cap, rate), (_, higher) in zip(self.rows[:-1], self.rows[1:], strict=True):
            found.append(found[-1] + cap * (higher - rate))
        return tuple(found)

    def margin(self, notional: ArrayLike) -> FloatArray:
        """Maintenance margin of notionals, >= 0."""
        values = np.abs(np.asarray(notional, dtype=np.float64))
        caps = np.array([cap for cap, _ in self.rows[:-1]])
        k = np.searchsorted(caps, values, side="left")
        rates, amounts = np.array([rate for _, rate in self.rows]), np.array(self.amounts)
        return np.asarray(values * rates[k] - amounts[k])

    def liquidation_price(self, wallet: float, quantity: float, entry: float) -> float:
        """The price at which ``wallet + quantity (price - entry)`` equals the margin; 0 if no price does.

        Formula: ``(wallet + amount - quantity entry) / (|quantity| (rate - side))`` in the bracket of its own notional.
        """
        check("Brackets", {"wallet": (wallet, ANY), "entry": (entry, POSITIVE), "quantity": (quantity, ANY)})
        if quantity == 0.0:
            refuse("Brackets", "quantity", quantity, "must not be 0", "there is nothing to liquidate")
        side, low = math.copysign(1.0, quantity), 0.0
        found = 0.0
        for (cap, rate), amount in zip(self.rows, self.amounts, strict=True):
            if rate != side:
                price = (wallet + amount - quantity * entry) / (abs(quantity) * (rate - side))
                last = cap if cap < self.rows[-1][0] else math.inf
                if price > 0.0 and low <= abs(quantity) * price <= last:
                    found = price
            low = cap
        return found


def bankruptcy_price(wallet: float, quantity: float, entry: float) -> float:
    """The price at which equity is zero: ``entry - wallet / quantity``."""
    check("bankruptcy_price", {"wallet": (wallet, ANY), "entry": (entry, POSITIVE), "quantity": (quantity, ANY)})
    if quantity == 0.0:
        refuse("bankruptcy_price", "quantity", quantity, "must not be 0", "there is nothing to close")
    return entry - wallet / quantity


def account_ratio(
    equity: Sequence[float], price: Sequence[float], rate: Sequence[float], maintenance_margin: float
) -> float:
    """``sum(min(equity price rate, equity price)) / maintenance``: only positive equity is discounted.

    Parameters
    ----------
    equity : units by asset, signed. price : > 0. rate : collateral rates, [0, 1]. maintenance_margin : > 0.
    """
    check_lengths("account_ratio", equity=equity, price=price, rate=rate)
    check("account_ratio", {"maintenance_margin": (maintenance_margin, POSITIVE)})
    values = [units * at for units, at in zip(equity, price, strict=True)]
    return math.fsum(min(value * share, value) for value, share in zip(values, rate, strict=True)) / maintenance_margin


@dataclass(frozen=True, slots=True)
class ExchangeTerms:
    """How an exchange of perpetuals liquidates.

    Parameters
    ----------
    brackets : (largest notional, maintenance rate) rows, see `Brackets`.
    close_share : of a position closed at a time, (0, 1].
    fund_takes_rest : whether what is left beyond bankruptcy goes to the insurance fund; else to the owner.
    fund : the insurance fund at the start, currency, >= 0.
    deleveraging : who closes against a bankrupt account when the fund cannot pay: ``"profit_leverage"`` (the highest
        profit times leverage first), ``"pro_rata"`` or ``"none"``.
    impact : relative fall of the fill price per unit of currency closed in a step, >= 0.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    brackets: tuple[Bracket, ...]
    close_share: float = 1.0
    fund_takes_rest: bool = True
    fund: float = 0.0
    deleveraging: Deleveraging = "profit_leverage"
    impact: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "brackets", Brackets(self.brackets).rows)
        problems = Problems("ExchangeTerms")
        remedy = "give 1 to close all at once"
        problems.number("close_share", self.close_share, low=0, high=1, open_low=True, remedy=remedy)
        problems.number("fund", self.fund, low=0, remedy="give currency, 0 for no fund")
        problems.number("impact", self.impact, low=0, remedy="give 1e-9 for 0.1 % per million")
        problems.choice("deleveraging", self.deleveraging, DELEVERAGING)
        problems.raise_if_any()
