"""What one health-sized liquidation did, in units of the debt asset and of the collateral asset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seizure:
    """``collateral before = seized + collateral_left`` and ``debt before = repaid + debt_left + written_off``.

    Attributes
    ----------
    repaid : debt units that the liquidator extinguished.
    seized : collateral units taken from the account: ``to_liquidator + fee``.
    fee : collateral units that the protocol keeps. surcharge : debt units paid by the liquidator on top of `repaid`.
    collateral_left, debt_left : of this pair, still the account's.
    written_off : debt units that nobody will repay out of this account: the lenders' or the reserve's loss.
    """

    repaid: float
    seized: float
    fee: float
    collateral_left: float
    debt_left: float
    written_off: float = 0.0
    surcharge: float = 0.0

    @property
    def to_liquidator(self) -> float:
        """Collateral units that the liquidator gets."""
        return self.seized - self.fee
