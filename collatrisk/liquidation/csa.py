"""A credit support annex: what collateral is called, delivered and returned, and the exposure that is left.

Source: Open Source Risk Engine, Docs/UserGuide/methods/xva.tex (formulas); rounding as in the ISDA annexes: deliveries
up, returns down. All values are ours: positive means that the other side owes us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CsaTerms:
    """The terms of an annex, in currency.

    Parameters
    ----------
    threshold_receive, threshold_pay : exposure without collateral, of the other side and of ours, >= 0.
    minimum_transfer : smaller deliveries and returns are not made, >= 0; one equal to it is.
    rounding : deliveries are rounded up to a multiple of it, returns down, >= 0; 0: none.
    independent_amount : added to the value before the threshold, signed: positive is asked of the other side.
    initial_margin : segregated margin that the other side posts by a model, >= 0, above `initial_margin_threshold`.
    settlement_days : from a call to its delivery, >= 0. mpor_days : from the last good delivery to close-out, >= 0.
    haircuts : by asset of collateral, [0, 1); ``"*"`` for all others; cash has none.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    threshold_receive: float = 0.0
    threshold_pay: float = 0.0
    minimum_transfer: float = 0.0
    rounding: float = 0.0
    independent_amount: float = 0.0
    initial_margin: float = 0.0
    initial_margin_threshold: float = 0.0
    settlement_days: float = 0.0
    mpor_days: float = 0.0
    haircuts: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems("CsaTerms")
        remedy = "give currency, or 0 for none"
        for name in ("threshold_receive", "threshold_pay", "minimum_transfer", "rounding", "initial_margin"):
            problems.number(name, getattr(self, name), low=0, remedy=remedy)
        problems.number("initial_margin_threshold", self.initial_margin_threshold, low=0, remedy=remedy)
        problems.number("independent_amount", self.independent_amount, remedy="give currency, below 0 if we post it")
        for name in ("settlement_days", "mpor_days"):
            problems.number(name, getattr(self, name), low=0, remedy="give days of the clock")
        remedy = "give {'ETH': 0.3, '*': 0.15}"
        cuts = checked_map(problems, "haircuts", self.haircuts, low=0, high=1, open_high=True, remedy=remedy)
        problems.raise_if_any()
        object.__setattr__(self, "haircuts", FrozenMap(cuts))

    @property
    def segregated(self) -> float:
        """Initial margin above its threshold: ``max(initial_margin - threshold, 0)``."""
        return max(self.initial_margin - self.initial_margin_threshold, 0.0)

    def haircut(self, asset: str) -> float:
        """Of an asset of collateral.

        Raises
        ------
        InputError : an asset that is not eligible: neither named nor covered by ``"*"``.
        """
        problems = Problems("CsaTerms")
        if "*" not in self.haircuts:
            problems.known("collateral", [asset], tuple(self.haircuts))
        problems.raise_if_any()
        return self.haircuts.get(asset, self.haircuts.get("*", 0.0))

    def credit_support(self, value: ArrayLike) -> FloatArray:
        """Collateral that the terms ask for at a value of the portfolio; negative if we owe it.

        ``max(0, V + IA - threshold_receive)`` if ``V + IA >= 0``, else ``min(0, V + IA + threshold_pay)``.
        """
        total = np.asarray(value, dtype=np.float64) + self.independent_amount
        asked = np.maximum(total - self.threshold_receive, 0.0)
        return np.where(total >= 0.0, asked, np.minimum(total + self.threshold_pay, 0.0))

    def delivery(self, value: ArrayLike, collateral: ArrayLike, outstanding: ArrayLike = 0.0) -> FloatArray:
        """What is called now, given the balance and calls on their way; negative: to be returned or posted.

        ``D = credit_support - collateral - outstanding`` if that is at least the minimum transfer in size, else 0.
        """
        gap = self.credit_support(value) - np.asarray(collateral) - np.asarray(outstanding)
        moved = np.where(np.abs(gap) >= self.minimum_transfer, gap, 0.0)
        if self.rounding == 0.0:
            return moved
        # A multiple up to the last bits is a multiple: 0.1 + 0.2 must not become a step more.
        steps = moved / self.rounding
        near = np.round(steps)
        whole = np.where(np.abs(steps - near) <= 1e-9 * np.maximum(np.abs(near), 1.0), near, np.ceil(steps))
        return np.asarray(whole * self.rounding)
