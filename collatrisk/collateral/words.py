"""Small checks and words that mixes and accounts share."""

from __future__ import annotations

from collections.abc import Mapping

from collatrisk.base.validation import Problems


def check_prices_mapping(problems: Problems, prices: object) -> None:
    """Refuse at once what is no mapping of prices: nothing more can be said of it."""
    remedy = "give currency per unit, such as {'ETH': 2000.0}"
    problems.check(isinstance(prices, Mapping), "prices", prices, "must be a mapping from asset to price", remedy)
    problems.raise_if_any()


def amounts_text(items: Mapping[str, float]) -> str:
    """``"12.5 ETH, 0.4 BTC"``; ``"none"`` when empty."""
    return ", ".join(f"{amount:.6g} {asset}" for asset, amount in items.items()) or "none"
