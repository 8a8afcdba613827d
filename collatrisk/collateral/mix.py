"""Mixes: what collateral is made of, by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.collateral.words import check_prices_mapping

_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Mix:
    """The composition of collateral by market value.

    Parameters
    ----------
    weights : asset -> share of the market value, each in [0, 1], together 1 (to 1e-9).
    name : how tables and charts call it; made from the weights when left out.

    Raises
    ------
    InputError : with all broken rules at once.

    Examples
    --------
    >>> Mix({"ETH": 0.6, "BTC": 0.4}).label
    '60% ETH, 40% BTC'
    """

    weights: Mapping[str, float]
    name: str = ""

    def __post_init__(self) -> None:
        problems = Problems("Mix")
        weights = checked_map(
            problems, "weights", self.weights, low=0, high=1, remedy="give shares such as {'ETH': 0.6, 'BTC': 0.4}"
        )
        problems.check(isinstance(self.name, str), "name", self.name, "must be text", "give a name or leave it out")
        total = math.fsum(weights.values())
        if not problems.found:
            problems.check(
                abs(total - 1) <= _SUM_TOLERANCE,
                "weights",
                dict(weights),
                f"must sum to 1 (they sum to {total:.12g})",
                "divide each by the sum" if total > 0 else "name at least one asset",
            )
        problems.raise_if_any()
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of(cls, mix: Mix | str | Mapping[str, float]) -> Mix:
        """A mix from the name of one asset or from its weights (a `Mix` is returned as it is)."""
        if isinstance(mix, Mix):
            return mix
        return cls({mix: 1.0}) if isinstance(mix, str) else cls(mix)

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets with a positive weight, in the order given."""
        return tuple(asset for asset, weight in self.weights.items() if weight > 0)

    @property
    def label(self) -> str:
        """The name, or the weights in words."""
        return self.name or ", ".join(f"{100 * self.weights[asset]:.4g}% {asset}" for asset in self.assets)

    def units(self, value: float, prices: Mapping[str, float], currency: str = "USD") -> FrozenMap:
        """The units of each asset in a mix worth `value` at `prices` (currency per unit).

        Formula: ``units_i = weight_i * value / price_i``; the entry named `currency` is cash at price 1.

        Raises
        ------
        InputError : for an asset without a price.
        """
        problems = Problems(f"Mix {self.label}")
        check_prices_mapping(problems, prices)
        problems.known("weights", [a for a in self.assets if a != currency], tuple(prices))
        problems.raise_if_any()
        return FrozenMap(
            {a: self.weights[a] * value / (1.0 if a == currency else float(prices[a])) for a in self.assets}
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"weights": dict(self.weights), "name": self.name}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Mix:
        """The inverse of `to_dict`."""
        return cls(data["weights"], data.get("name", ""))

    def _repr_html_(self) -> str:
        rows = [(asset, f"{100 * weight:.4g}%") for asset, weight in self.weights.items()]
        return html_table(("asset", "weight"), rows, f"Mix {self.name}".strip())
