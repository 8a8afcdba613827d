"""Accounts: units held against units owed. A loan is a shorthand for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collatrisk.base.frozen import FrozenMap, checked_map
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.collateral.mix import Mix
from collatrisk.collateral.words import amounts_text, check_prices_mapping

_UNITS_REMEDY = "give units of each asset, such as {'ETH': 10.0}; what is owed goes into debts, as a positive number"


def _check_currency_and_name(problems: Problems, currency: object, name: object) -> None:
    named = isinstance(currency, str) and bool(currency.strip())
    problems.check(named, "currency", currency, "must be text that is not empty", "give 'USD'")
    problems.check(isinstance(name, str), "name", name, "must be text", "give a name or leave it out")


@dataclass(frozen=True, slots=True)
class Account:
    """Collateral held against debts, in units of assets.

    Parameters
    ----------
    holdings : asset -> units held as collateral, >= 0.
    debts : asset -> units owed, >= 0; several debts and debts in volatile assets are allowed.
    currency : the currency of all values. An entry named like it (in holdings or debts) is cash at price 1.
    name : how tables call it.

    Raises
    ------
    InputError : with all broken rules at once (negative or missing amounts, an empty account).
    """

    holdings: Mapping[str, float]
    debts: Mapping[str, float]
    currency: str = "USD"
    name: str = ""

    def __post_init__(self) -> None:
        problems = Problems("Account")
        holdings = checked_map(problems, "holdings", self.holdings, low=0, remedy=_UNITS_REMEDY)
        debts = checked_map(problems, "debts", self.debts, low=0, remedy=_UNITS_REMEDY)
        _check_currency_and_name(problems, self.currency, self.name)
        if not problems.found:
            any_amount = any(holdings.values()) or any(debts.values())
            problems.check(any_amount, "holdings", {}, "an account must hold or owe something", _UNITS_REMEDY)
        problems.raise_if_any()
        object.__setattr__(self, "holdings", holdings)
        object.__setattr__(self, "debts", debts)

    @property
    def assets(self) -> tuple[str, ...]:
        """The priced assets held or owed (cash left out), in the order given, each once."""
        names = [*self.holdings, *self.debts]
        used = (a for a in names if a != self.currency and (self.holdings.get(a, 0) or self.debts.get(a, 0)))
        return tuple(dict.fromkeys(used))

    @property
    def label(self) -> str:
        """The name, or the holdings and debts in words."""
        return self.name or f"{amounts_text(self.holdings)} against {amounts_text(self.debts)}"

    def prices(self, prices: Mapping[str, float]) -> FrozenMap:
        """The prices of what is held and owed, cash at 1.

        Raises
        ------
        InputError : for an asset without a price or a price that is not a positive number.
        """
        problems = Problems(f"Account {self.name}".strip())
        check_prices_mapping(problems, prices)
        problems.known("asset", self.assets, tuple(prices))
        problems.raise_if_any()
        priced = {asset: prices[asset] for asset in self.assets}
        checked = checked_map(
            problems, "prices", priced, low=0, open_low=True, remedy="give currency per unit, above zero"
        )
        problems.raise_if_any()
        return FrozenMap({**checked, self.currency: 1.0})

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "holdings": dict(self.holdings),
            "debts": dict(self.debts),
            "currency": self.currency,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Account:
        """The inverse of `to_dict`."""
        return cls(data["holdings"], data["debts"], data.get("currency", "USD"), data.get("name", ""))

    def _repr_html_(self) -> str:
        names = dict.fromkeys([*self.holdings, *self.debts])
        rows = [(a, f"{self.holdings.get(a, 0.0):,.6g}", f"{self.debts.get(a, 0.0):,.6g}") for a in names]
        return html_table(("asset", "units held", "units owed"), rows, f"Account {self.name} ({self.currency})")


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan of money against a mix: a shorthand for an `Account` once the prices are known.

    Parameters
    ----------
    mix : the collateral by value (weights or the name of one asset are accepted too).
    collateral_value : market value of the collateral at the start, > 0, in `currency`.
    ltv : debt / market value of the collateral at the start, in (0, 1).
    currency : the currency of the debt and of all values.
    name : how tables call it.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    mix: Mix
    collateral_value: float
    ltv: float
    currency: str = "USD"
    name: str = ""

    def __post_init__(self) -> None:
        problems = Problems("Loan")
        value = problems.number(
            "collateral_value", self.collateral_value, low=0, open_low=True, remedy="give its market value, above zero"
        )
        ltv = problems.number(
            "ltv", self.ltv, low=0, high=1, open_low=True, open_high=True, remedy="give 0.7 for a debt of 70 %"
        )
        _check_currency_and_name(problems, self.currency, self.name)
        usable = isinstance(self.mix, (Mix, str, Mapping))
        problems.check(usable, "mix", self.mix, "must be a Mix", "give Mix({'ETH': 0.6, 'BTC': 0.4})")
        problems.raise_if_any()
        object.__setattr__(self, "mix", Mix.of(self.mix))
        object.__setattr__(self, "collateral_value", value)
        object.__setattr__(self, "ltv", ltv)

    @property
    def debt(self) -> float:
        """What is owed at the start: ``ltv * collateral_value``, in `currency`."""
        return self.ltv * self.collateral_value

    @property
    def assets(self) -> tuple[str, ...]:
        """The priced assets of the mix (cash left out)."""
        return tuple(asset for asset in self.mix.assets if asset != self.currency)

    @property
    def label(self) -> str:
        """The name, or the loan in words."""
        return self.name or f"{self.mix.label} at {100 * self.ltv:.4g}% LTV"

    def account(self, spot: Mapping[str, float]) -> Account:
        """The account that this loan is at the prices `spot` (currency per unit).

        Raises
        ------
        InputError : for an asset without a price.
        """
        units = self.mix.units(self.collateral_value, spot, self.currency)
        return Account(units, {self.currency: self.debt}, self.currency, self.label)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "mix": self.mix.to_dict(),
            "collateral_value": self.collateral_value,
            "ltv": self.ltv,
            "currency": self.currency,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Loan:
        """The inverse of `to_dict`."""
        mix = Mix.from_dict(data["mix"])
        return cls(mix, data["collateral_value"], data["ltv"], data.get("currency", "USD"), data.get("name", ""))

    def _repr_html_(self) -> str:
        rows = [
            ("mix", self.mix.label),
            ("collateral value", f"{self.collateral_value:,.2f} {self.currency}"),
            ("LTV", f"{100 * self.ltv:.4g}%"),
            ("debt", f"{self.debt:,.2f} {self.currency}"),
        ]
        return html_table(("item", "value"), rows, f"Loan {self.name}".strip())


def as_account(account: Account | Loan, spot: Mapping[str, float]) -> Account:
    """An account as it is, or the account that a loan is at the prices `spot`.

    Raises
    ------
    InputError : for what is neither, or an asset of the loan without a price.
    """
    problems = Problems("account")
    usable = isinstance(account, Account | Loan)
    problems.check(usable, "account", account, "must be an Account or a Loan", "give Loan({'ETH': 1.0}, 1e6, 0.7)")
    problems.raise_if_any()
    return account.account(spot) if isinstance(account, Loan) else account
