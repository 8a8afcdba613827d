"""Accounts with perpetual positions, and their arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.validation import Problems
from collatrisk.liquidation.perpetual_terms import PerpetualTerms

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PerpetualPositions:
    """An account: margin, signed positions, and collateral in other assets.

    Parameters
    ----------
    margin : currency, signed. Equity is ``margin + sum(size (price - entry)) + value of collateral after haircut``.
    sizes : asset -> signed size; long positive.
    entries : asset -> price at which `margin` was counted, >= 0. Left out: 0, which means that `margin` is a quote
        balance that already holds what the position cost.
    collateral : asset -> units, >= 0. name : how tables call it.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    margin: float
    sizes: Mapping[str, float]
    entries: Mapping[str, float] = field(default_factory=dict)
    collateral: Mapping[str, float] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        problems = Problems(f"PerpetualPositions {self.name}".strip())
        problems.number("margin", self.margin, remedy="give currency, below 0 for a debt")
        sizes = checked_map(problems, "sizes", self.sizes, low=-np.inf, remedy="give {'ETH': -2.5} for a short of 2.5")
        entries = checked_map(problems, "entries", self.entries, low=0, remedy="give the price of each position")
        held = checked_map(problems, "collateral", self.collateral, low=0, remedy="give units of each asset")
        problems.known("entries", entries, tuple(sizes))
        problems.raise_if_any()
        for name, value in (("sizes", sizes), ("entries", entries), ("collateral", held)):
            object.__setattr__(self, name, FrozenMap(value))


@dataclass(frozen=True, slots=True, eq=False)
class PositionArrays:
    """Accounts as the kernel reads them.

    Attributes
    ----------
    names : of the accounts, each once. markets, collaterals : assets. columns, collateral_columns : int64, their places
        in the source. margin : float64 (n_accounts,). sizes, entries : float64 (n_accounts, n_markets).
    collateral : float64 (n_accounts, n_collaterals), units after haircut.
    """

    names: tuple[str, ...]
    markets: tuple[str, ...]
    columns: NDArray[np.int64]
    collateral_columns: NDArray[np.int64]
    margin: FloatArray
    sizes: FloatArray
    entries: FloatArray
    collateral: FloatArray


def position_arrays(
    accounts: Sequence[PerpetualPositions], terms: PerpetualTerms, assets: tuple[str, ...]
) -> PositionArrays:
    """Accounts as arrays on the assets of a source.

    Raises
    ------
    InputError : with all assets that have no price in the source, or no market in the terms.
    """
    problems = Problems("run_perpetuals")
    markets = tuple(dict.fromkeys(asset for account in accounts for asset in account.sizes))
    collaterals = tuple(dict.fromkeys(asset for account in accounts for asset in account.collateral))
    problems.check(bool(markets), "accounts", 0, "must hold at least one position", "give sizes={'ETH': 1.0}")
    problems.known("asset without a price", (*markets, *collaterals), assets)
    for asset in markets:
        rule = f"has no market in the terms (markets: {', '.join(terms.markets)})"
        problems.check(terms.market(asset) is not None, "asset", asset, rule, "add it, or '*' for all others")
    problems.raise_if_any()

    def table(field_name: str, columns: tuple[str, ...]) -> FloatArray:
        rows = [[float(getattr(account, field_name).get(asset, 0.0)) for asset in columns] for account in accounts]
        return np.array(rows).reshape(len(accounts), len(columns))

    held = table("collateral", collaterals)
    for k, asset in enumerate(collaterals):
        held[:, k] = [terms.counted(asset, units) for units in held[:, k].tolist()]
    return PositionArrays(
        names=_names(accounts),
        markets=markets,
        columns=np.array([assets.index(asset) for asset in markets], dtype=np.int64),
        collateral_columns=np.array([assets.index(asset) for asset in collaterals], dtype=np.int64),
        margin=np.array([float(account.margin) for account in accounts]),
        sizes=table("sizes", markets),
        entries=table("entries", markets),
        collateral=held,
    )


def _names(accounts: Sequence[PerpetualPositions]) -> tuple[str, ...]:
    names = [account.name or f"account {i}" for i, account in enumerate(accounts)]
    return tuple(name if names.count(name) == 1 else f"{name} #{i}" for i, name in enumerate(names))
