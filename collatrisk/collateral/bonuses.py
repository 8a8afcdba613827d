"""What a liquidator gets, and how much a call repays: the parts of a `SaleRule`."""

from __future__ import annotations

from dataclasses import dataclass

from collatrisk.base.validation import Problems
from collatrisk.collateral.per_asset import PerAsset, checked_figure, figure_text

_BONUS = "give 0.05 for 5 % of the repaid value, or a mapping by asset"
_VALUE = "give a value in the account's currency, such as 1000"


@dataclass(frozen=True, slots=True)
class FixedBonus:
    """A bonus that does not change: `bonus`, share of the repaid value, > -1; one number, or asset -> number.

    Below zero the seized collateral is worth less than the debt repaid: nobody would come, and a finding says so.
    """

    bonus: PerAsset = 0.05

    def __post_init__(self) -> None:
        problems = Problems("FixedBonus")
        bonus = checked_figure(problems, "bonus", self.bonus, low=-1, open_low=True, remedy=_BONUS)
        problems.raise_if_any()
        object.__setattr__(self, "bonus", bonus)

    def describe(self) -> str:
        """In words."""
        return f"bonus {figure_text(self.bonus)}"


@dataclass(frozen=True, slots=True)
class GrowingBonus:
    """A bonus that grows as health falls: a Dutch auction driven by health (Aave v4).

    ``bonus = most * (least + (1 - least) * min((1 - health) / (1 - most_at), 1))``

    Parameters
    ----------
    most : share of the repaid value, >= 0; one number, or asset -> number.
    least : the bonus at a health of 1 over `most`, in [0, 1].
    most_at : health at and below which the bonus is `most`, in [0, 1).
    """

    most: PerAsset
    least: float = 0.0
    most_at: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("GrowingBonus")
        most = checked_figure(problems, "most", self.most, low=0, remedy=_BONUS)
        least = problems.number("least", self.least, low=0, high=1, remedy="give 0.5 for half of the largest bonus")
        at = problems.number("most_at", self.most_at, low=0, high=1, open_high=True, remedy="give a health below 1")
        problems.raise_if_any()
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "least", least)
        object.__setattr__(self, "most_at", at)

    def describe(self) -> str:
        """In words."""
        return f"bonus growing from {self.least:g} of it to {figure_text(self.most)} at a health of {self.most_at:g}"


@dataclass(frozen=True, slots=True)
class GrowingDiscount:
    """A discount on the seized collateral that grows as health falls (Euler v1 and v2).

    ``discount = min(base * booster, base + most_boost, most)`` with ``base = at_one + 1 - health``; the bonus on the
    repaid value is ``discount / (1 - discount)``.

    Parameters
    ----------
    most : the largest discount, in [0, 1). at_one : the discount at a health of 1, in [0, 1).
    booster : in [1, 2]. most_boost : the most that the booster adds, >= 0; None: no limit.
    """

    most: float
    at_one: float = 0.0
    booster: float = 1.0
    most_boost: float | None = None

    def __post_init__(self) -> None:
        problems = Problems("GrowingDiscount")
        for name in ("most", "at_one"):
            value = problems.number(
                name, getattr(self, name), low=0, high=1, open_high=True, remedy="give 0.2 for 20 % below the price"
            )
            object.__setattr__(self, name, value)
        booster = problems.number("booster", self.booster, low=1, high=2, remedy="give 1 for no booster")
        object.__setattr__(self, "booster", booster)
        if self.most_boost is not None:
            most = problems.number("most_boost", self.most_boost, low=0, remedy="give 0.025, or None for no limit")
            object.__setattr__(self, "most_boost", most)
        problems.raise_if_any()

    def describe(self) -> str:
        """In words."""
        return f"discount growing from {self.at_one:g} at a health of 1 by what is missing, at most {self.most:g}"


@dataclass(frozen=True, slots=True)
class CloseFactor:
    """A call repays a share of the debt; all of it where health or size is low (Aave v3).

    Parameters
    ----------
    share : of the account's debt, in (0, 1].
    full_at : health at and below which a call repays everything, in [0, 1]; 0: nowhere.
    full_below : debt or collateral worth less may be closed in full, >= 0.
    least_left : after a call each of debt and collateral (of the asset sold) is nothing or at least this, >= 0; a call
        is made smaller until it complies.
    """

    share: float = 0.5
    full_at: float = 0.0
    full_below: float = 0.0
    least_left: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("CloseFactor")
        values = {
            "share": problems.number(
                "share", self.share, low=0, high=1, open_low=True, remedy="give 0.5 to repay half of the debt at a time"
            ),
            "full_at": problems.number("full_at", self.full_at, low=0, high=1, remedy="give a health such as 0.95"),
            "full_below": problems.number("full_below", self.full_below, low=0, remedy=_VALUE),
            "least_left": problems.number("least_left", self.least_left, low=0, remedy=_VALUE),
        }
        problems.raise_if_any()
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def describe(self) -> str:
        """In words."""
        full = [f"all at a health of {self.full_at:g}"] if self.full_at else []
        full += [f"all of what is worth less than {self.full_below:g}"] if self.full_below else []
        full += [f"rests of at least {self.least_left:g}"] if self.least_left else []
        return ", ".join([f"close factor {self.share:g}", *full])


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """A call repays what lifts the account to a health (Aave v4, Euler v1), sized at prices without impact.

    ``repaid = debt (target - health) / (target - (1 + bonus + fee) threshold)``; all debt if nothing reaches it.

    Parameters
    ----------
    health : >= 1. dust : rests of debt or of collateral (of the asset sold) worth less are taken too, >= 0.
    """

    health: float
    dust: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("TargetHealth")
        health = problems.number("health", self.health, low=1, remedy="give the health to restore, such as 1.25")
        dust = problems.number("dust", self.dust, low=0, remedy=_VALUE)
        problems.raise_if_any()
        object.__setattr__(self, "health", health)
        object.__setattr__(self, "dust", dust)

    def describe(self) -> str:
        """In words."""
        return f"sized to a health of {self.health:g}" + (f" without dust below {self.dust:g}" if self.dust else "")


Bonus = FixedBonus | GrowingBonus | GrowingDiscount
Size = CloseFactor | TargetHealth
