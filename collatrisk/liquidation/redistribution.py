"""Redistribution of a liquidated position over all others, in proportion to their stakes, in constant time.

``L_coll += collateral / total stakes`` and ``L_debt += debt / total stakes``; a position gains its stake times the
growth of both since it was opened. A position opened after a liquidation gets the stake ``collateral * (stakes /
collateral in all)`` as of that liquidation, so that those who already carry redistributed collateral are not diluted.
Source: liquity/dev, TroveManager.sol (rules only; its carried integer errors are not needed here).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import did_you_mean
from collatrisk.liquidation.checks import AMOUNT, POSITIVE, check, refuse

_TITLE = "TroveBook"


@dataclass(frozen=True, slots=True)
class Trove:
    """Collateral and debt when it was last touched, its stake, and L_coll and L_debt then."""

    collateral: float
    debt: float
    stake: float
    l_collateral: float
    l_debt: float


@dataclass(frozen=True, slots=True)
class TroveBook:
    """All open positions; every event returns a new book.

    Attributes
    ----------
    troves : by name. l_collateral, l_debt : the running sums a unit of stake. stake_share : stakes over collateral as
        of the last liquidation.
    """

    troves: Mapping[str, Trove] = field(default_factory=dict)
    l_collateral: float = 0.0
    l_debt: float = 0.0
    stake_share: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "troves", FrozenDict(self.troves))

    @property
    def total_stakes(self) -> float:
        """Of all open positions."""
        return math.fsum(trove.stake for trove in self.troves.values())

    def collateral(self, name: str) -> float:
        """A position's collateral with what was redistributed to it."""
        trove = self._trove(name)
        return trove.collateral + trove.stake * (self.l_collateral - trove.l_collateral)

    def debt(self, name: str) -> float:
        """A position's debt with what was redistributed to it."""
        trove = self._trove(name)
        return trove.debt + trove.stake * (self.l_debt - trove.l_debt)

    def open(self, name: str, collateral: float, debt: float = 0.0) -> TroveBook:
        """A new position with `collateral` > 0 and `debt` >= 0.

        Raises
        ------
        InputError : a position of that name is open, or an amount is out of its range.
        """
        check(_TITLE, {"collateral": (collateral, POSITIVE), "debt": (debt, AMOUNT)})
        if name in self.troves:
            refuse(_TITLE, "name", name, "is open already", "give another name")
        trove = Trove(collateral, debt, collateral * self.stake_share, self.l_collateral, self.l_debt)
        return replace(self, troves={**self.troves, name: trove})

    def close(self, name: str) -> TroveBook:
        """The book without a position (repaid by its owner, or to be redistributed next)."""
        self._trove(name)
        return replace(self, troves={key: trove for key, trove in self.troves.items() if key != name})

    def redistribute(self, collateral: float, debt: float) -> TroveBook:
        """Share `collateral` and `debt` of a position that was closed over all open ones.

        Raises
        ------
        InputError : no position is open, or an amount is negative.
        """
        check(_TITLE, {"collateral": (collateral, AMOUNT), "debt": (debt, AMOUNT)})
        stakes = self.total_stakes
        if stakes == 0.0:
            refuse(_TITLE, "troves", 0, "nobody is left to carry it: the last position is never liquidated", "keep it")
        after = replace(self, l_collateral=self.l_collateral + collateral / stakes, l_debt=self.l_debt + debt / stakes)
        held = math.fsum(after.collateral(name) for name in after.troves)
        return replace(after, stake_share=stakes / held)

    def _trove(self, name: str) -> Trove:
        if name not in self.troves:
            refuse(_TITLE, "name", name, "is not open", did_you_mean(name, tuple(self.troves)))
        return self.troves[name]
