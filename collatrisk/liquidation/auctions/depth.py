"""Where keepers resell: how far a sale moves the price, how soon that fades, and how much thinner markets get."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.validation import Problems
from collatrisk.liquidation.checks import AMOUNT, POSITIVE, Range, check, record

DepthKind = Literal["linear", "square_root", "constant_product"]
KINDS = ("linear", "square_root", "constant_product")
ANY_ASSET = "*"
_LN2 = math.log(2.0)


@dataclass(frozen=True, slots=True)
class Depth:
    """The market's depth. Build it with `linear`, `square_root`, `constant_product` or `unlimited`.

    Parameters
    ----------
    kind : the law of what selling v (units at the undisturbed price) fetches: ``"linear"`` ``v - c v^2 / 2``,
        ``"square_root"`` ``v - c v^1.5``, ``"constant_product"`` ``v / (1 + c v)``.
    impact : c, one number for all assets or asset -> number (``"*"``: every asset not named), >= 0; 0: unlimited.
    half_life_s : seconds until half of what was sold no longer weighs on the price, >= 0 or inf (never). Default 3600.
    stress : depth is ``exp(-stress * fall)`` of the usual, `fall` being how far the asset lies below the highest of
        the last `stress_days`, >= 0. Default 0. At 2 a fall of 43 % leaves 42 % of the depth.
    stress_days : days of the clock over which the fall is measured, > 0. Default 1.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    kind: DepthKind
    impact: float | Mapping[str, float]
    half_life_s: float = 3600.0
    stress: float = 0.0
    stress_days: float = 1.0

    def __post_init__(self) -> None:
        problems = Problems("Depth")
        problems.choice("kind", self.kind, KINDS)
        remedy = "give a number of at least 0, or asset -> number"
        if isinstance(self.impact, Mapping):
            object.__setattr__(self, "impact", checked_map(problems, "impact", self.impact, low=0, remedy=remedy))
            problems.check(len(self.impact) > 0, "impact", self.impact, "must name at least one asset", remedy)
        else:
            problems.number("impact", self.impact, low=0, remedy=remedy)
        record(problems, "half_life_s", self.half_life_s, Range(infinite=True))
        record(problems, "stress", self.stress, AMOUNT)
        record(problems, "stress_days", self.stress_days, POSITIVE)
        problems.raise_if_any()

    @classmethod
    def unlimited(cls) -> Depth:
        """Any amount can be sold at the market price."""
        return cls("linear", 0.0)

    @classmethod
    def linear(
        cls,
        impact: float | Mapping[str, float],
        *,
        half_life_s: float = 3600.0,
        stress: float = 0.0,
        stress_days: float = 1.0,
    ) -> Depth:
        """The price falls by `impact` per unit of currency sold (`linear_proceeds`)."""
        return cls("linear", impact, half_life_s, stress, stress_days)

    @classmethod
    def square_root(
        cls,
        adv: float | Mapping[str, float],
        daily_sigma: float | Mapping[str, float],
        *,
        k: float = 1.0,
        half_life_s: float = 3600.0,
        stress: float = 0.0,
        stress_days: float = 1.0,
    ) -> Depth:
        """The average price of a sale Q is lower by ``k * daily_sigma * sqrt(Q / adv)`` (`square_root_impact`).

        Parameters
        ----------
        adv : average daily volume in currency, > 0. daily_sigma : volatility a day, >= 0. k : the constant, about 1.
        """
        volumes, sigmas = _by_asset(adv), _by_asset(daily_sigma)
        pairs = {name: (_of(volumes, name), _of(sigmas, name)) for name in dict.fromkeys([*volumes, *sigmas])}
        known = {name: (v, s) for name, (v, s) in pairs.items() if v is not None and s is not None}
        check("Depth.square_root", {f"adv[{name!r}]": (volume, POSITIVE) for name, (volume, _) in known.items()})
        check("Depth.square_root", {f"daily_sigma[{name!r}]": (sigma, AMOUNT) for name, (_, sigma) in known.items()})
        impact = {name: k * sigma / math.sqrt(volume) for name, (volume, sigma) in known.items()}
        return cls("square_root", FrozenMap(impact), half_life_s, stress, stress_days)

    @classmethod
    def constant_product(
        cls,
        reserve: float | Mapping[str, float],
        *,
        half_life_s: float = 3600.0,
        stress: float = 0.0,
        stress_days: float = 1.0,
    ) -> Depth:
        """A pool x y = k whose reserve of the asset is worth `reserve`, > 0 (`constant_product`, without fee)."""
        reserves = _by_asset(reserve)
        check("Depth.constant_product", {f"reserve[{name!r}]": (value, POSITIVE) for name, value in reserves.items()})
        impact = {name: 1.0 / value for name, value in reserves.items()}
        return cls("constant_product", FrozenMap(impact), half_life_s, stress, stress_days)

    def impact_of(self, asset: str) -> float | None:
        """The coefficient of an asset; None if it has no book here."""
        return _of(_by_asset(self.impact), asset)

    def kept(self, seconds: float) -> float:
        """The share of what was sold that still weighs on the price some seconds later."""
        return 0.0 if self.half_life_s == 0 else math.exp(-_LN2 * seconds / self.half_life_s)


def _by_asset(values: float | Mapping[str, float]) -> Mapping[str, float]:
    return values if isinstance(values, Mapping) else {ANY_ASSET: values}


def _of(values: Mapping[str, float], asset: str) -> float | None:
    return values.get(asset, values.get(ANY_ASSET))
