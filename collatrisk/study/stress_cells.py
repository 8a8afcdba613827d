"""What the cells of a stress test share: the rows of its table, accounts at today's prices, their clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from collatrisk.collateral import Account, Loan, Terms
from collatrisk.market.clock import Clock
from collatrisk.scenarios import Proxy, Scenario

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation.model import MarketModel

EVENTS = {"margin_called": "margin_called", "liquidated": "liquidated", "shortfall_probability": "shortfall"}
AMOUNTS = ("shortfall", "debt_repaid")
_HEAD = ("scenario", "title", "kind", "application", "account", "status", "reason", "applied")
_STATE = ("collateral_before", "collateral_after", "collateral_change", "health_factor_before", "health_factor_after")
_BOUNDED = tuple(f"{name}{end}" for name in (*EVENTS, *AMOUNTS) for end in ("", "_low", "_high"))
COLUMNS = (*_HEAD, "n_paths", "horizon_days", *_STATE, "after_is", *_BOUNDED)
"""The columns of the table, in order; `collatrisk.study.stress_table.stress` says what they hold."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    scenario: Scenario
    application: str
    account: str
    status: str = "ok"
    reason: str = ""
    applied: str = ""
    after_is: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """Column -> value; a number that is not known is NaN."""
        texts = {
            "scenario": self.scenario.id,
            "title": self.scenario.title,
            "kind": self.scenario.kind,
            "application": self.application,
            "account": self.account,
            "status": self.status,
            "reason": self.reason,
            "applied": self.applied,
            "after_is": self.after_is,
        }
        return {name: texts[name] if name in texts else self.numbers.get(name, math.nan) for name in COLUMNS}


@dataclass(frozen=True)
class Priced:
    """An account at today's prices; `account` is None, and `reason` says why, where it has none."""

    name: str
    account: Account | None
    spot: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True)
class Cells:
    """Everything that the cells of one call of `stress` share."""

    accounts: tuple[Priced, ...]
    terms: Terms
    model: MarketModel | None
    prices: pd.DataFrame | None
    n_paths: int
    horizon_days: float
    seed: int
    clock: Clock | str | None
    proxies: Sequence[Proxy] | None
    executor: Executor | None

    def shock_clock(self, account: Account) -> Clock:
        """The clock of shocks: the one given, the model's, that of the account's prices, or 24/7."""
        if self.clock is not None:
            return Clock.of(self.clock)
        if self.model is not None:
            return self.model.clock
        columns = [] if self.prices is None else [asset for asset in account.assets if asset in self.prices.columns]
        return self.price_clock(columns) if columns else Clock.of("24/7")

    def price_clock(self, columns: Sequence[str]) -> Clock:
        """The clock of some columns of the prices; their spacing decides the steps, whatever the model's are."""
        from collatrisk.market import resolve_clock

        assert self.prices is not None
        return resolve_clock(self.prices[list(columns)], self.clock)


def priced_accounts(
    items: Sequence[Account | Loan], model: MarketModel | None, prices: pd.DataFrame | None
) -> tuple[Priced, ...]:
    """Every account at the model's spot, else at the last prices; a loan, which counts value, else at 1 per unit."""
    known = _known_prices(model, prices)
    names = _unique([item.label for item in items])
    return tuple(_priced(name, item, known) for name, item in zip(names, items, strict=True))


def blank_row(priced: Priced, scenario: Scenario, application: str) -> Row:
    """The row before its numbers are known: refused already where the account has no price."""
    status = "refused" if priced.account is None else "ok"
    return Row(scenario, application, priced.name, status, priced.reason)


def _known_prices(model: MarketModel | None, prices: pd.DataFrame | None) -> dict[str, float]:
    known: dict[str, float] = {}
    if prices is not None:
        for name in prices.columns:
            column = prices[name].dropna()
            if len(column):
                known[str(name)] = float(column.iloc[-1])
    if model is not None:
        known |= dict(zip(model.assets, map(float, model.spot), strict=True))
    return known


def _priced(name: str, item: Account | Loan, known: Mapping[str, float]) -> Priced:
    missing = [asset for asset in item.assets if asset not in known]
    if missing and isinstance(item, Account):
        why = f"no price of {', '.join(missing)}: an account counts units; give a model or prices that have them"
        return Priced(name, None, {}, why)
    spot = {asset: known.get(asset, 1.0) for asset in item.assets}
    account = item.account(spot) if isinstance(item, Loan) else item
    if not account.assets:
        return Priced(name, None, {}, "the account has no priced asset, only cash: no scenario moves it")
    return Priced(name, replace(account, name=name), spot)


def _unique(labels: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        names.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return tuple(names)
