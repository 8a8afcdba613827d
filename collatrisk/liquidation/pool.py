"""A stability pool (archetype D): depositors absorb debt and share the collateral, in constant time per liquidation.

Every deposit d made when the product was P0 and the sum S0 is worth ``d P / P0`` now and has gained ``d (S - S0) /
P0``. A liquidation of `debt` with `collateral` does ``S += collateral * P / total``, then ``P *= 1 - debt / total``.
Source: liquity/dev, StabilityPool.sol (rules only).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import did_you_mean
from collatrisk.liquidation.checks import AMOUNT, POSITIVE, check, refuse

_TITLE = "StabilityPool"
SCALE: Final = 1e9
"""When the product falls below ``1 / SCALE`` it is multiplied by SCALE and the scale counter rises."""
_NOTHING: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Deposit:
    """An amount and the pool's product, sum, scale and epoch when it was made."""

    amount: float
    product: float
    total: Fraction
    scale: int
    epoch: int


@dataclass(frozen=True, slots=True)
class StabilityPool:
    """The pool between two events; every event returns a new pool.

    Attributes
    ----------
    total : debt tokens in the pool. product, scale, epoch : the running product; the epoch rises when the pool is
        emptied.
    sums : the running sum of each (epoch, scale), exact: a
        deposit gains a small difference of large sums. deposits : by name. paid : collateral paid out so far, by name.
    """

    total: float = 0.0
    product: float = 1.0
    scale: int = 0
    epoch: int = 0
    sums: Mapping[tuple[int, int], Fraction] = field(default_factory=dict)
    deposits: Mapping[str, Deposit] = field(default_factory=dict)
    paid: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("sums", "deposits", "paid"):
            object.__setattr__(self, name, FrozenDict(getattr(self, name)))

    def value(self, name: str) -> float:
        """What is left of a deposit: ``d P / P0``; 0 once the pool was emptied, and for a name without deposit."""
        made = self.deposits.get(name)
        if made is None or made.epoch < self.epoch:
            return 0.0
        return made.amount * self.product / made.product / SCALE ** (self.scale - made.scale)

    def gain(self, name: str) -> float:
        """Collateral gained by a deposit and not paid yet: ``d (S - S0) / P0`` over the scales since.

        The venue counts the deposit's own and the next scale only; further ones (below 1e-18 of the deposit) count
        here.
        """
        made = self.deposits.get(name)
        if made is None:
            return 0.0
        parts = [
            float(total - (made.total if scale == made.scale else 0)) / SCALE ** (scale - made.scale)
            for (epoch, scale), total in self.sums.items()
            if epoch == made.epoch and scale >= made.scale
        ]
        return made.amount * math.fsum(parts) / made.product

    def deposit(self, name: str, amount: float) -> StabilityPool:
        """Add `amount` > 0 to the deposit of `name`; what it gained so far is paid out."""
        check(_TITLE, {"amount": (amount, POSITIVE)})
        return self._replace(name, self.value(name) + amount, self.total + amount)

    def withdraw(self, name: str, amount: float = math.inf) -> StabilityPool:
        """Take `amount`, or all that is left, and be paid what the deposit gained.

        Raises
        ------
        InputError : no deposit of that name, or a negative amount.
        """
        if name not in self.deposits:
            remedy = did_you_mean(name, tuple(self.deposits))
            refuse(_TITLE, "name", name, "has no deposit", remedy)
        if amount != math.inf:
            check(_TITLE, {"amount": (amount, AMOUNT)})
        held = self.value(name)
        taken = min(amount, held)
        return self._replace(name, held - taken, self.total - taken)

    def offset(self, debt: float, collateral: float) -> StabilityPool:
        """Burn `debt` of the pool against `collateral`, shared by all deposits.

        Raises
        ------
        InputError : more debt than the pool holds (split it first, see `liquity.settle`), or a negative amount.
        """
        check(_TITLE, {"debt": (debt, AMOUNT), "collateral": (collateral, AMOUNT)})
        if debt > self.total:
            refuse(
                _TITLE, "debt", debt, f"is above the pool's {self.total:g}", "offset that much, redistribute the rest"
            )
        if debt == 0.0:
            return self if collateral == 0.0 else _gift(collateral)
        key = self.epoch, self.scale
        sums = {**self.sums, key: self.sums.get(key, _NOTHING) + Fraction(collateral * self.product / self.total)}
        if debt == self.total:
            return replace(self, total=0.0, product=1.0, scale=0, epoch=self.epoch + 1, sums=sums)
        product, scale = self.product * ((self.total - debt) / self.total), self.scale
        while product < 1.0 / SCALE:
            product, scale = product * SCALE, scale + 1
        return replace(self, total=self.total - debt, product=product, scale=scale, sums=sums)

    def _replace(self, name: str, amount: float, total: float) -> StabilityPool:
        paid = {**self.paid, name: self.paid.get(name, 0.0) + self.gain(name)}
        deposits = {key: made for key, made in self.deposits.items() if key != name}
        if amount > 0:
            start = self.sums.get((self.epoch, self.scale), _NOTHING)
            deposits[name] = Deposit(amount, self.product, start, self.scale, self.epoch)
        return replace(self, total=max(total, 0.0) if deposits else 0.0, deposits=deposits, paid=paid)


def _gift(collateral: float) -> StabilityPool:
    refuse(_TITLE, "collateral", collateral, "comes without debt: nothing is offset", "give the debt that it secures")
