"""A book: very many accounts as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.collateral.account import Account

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_UNITS = "units are finite and not negative; what is owed goes into `owed`"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Book:
    """The accounts of a lender or of a protocol, one row each: what `Account` is for one, without an object for each.

    Parameters
    ----------
    names : of the accounts, each once, (n_accounts,).
    assets : the priced assets that any account holds or owes, each once.
    held : float64 (n_accounts, n_assets + 1), units held as collateral, >= 0; the last column is cash in `currency`.
    owed : float64 (n_accounts, n_assets + 1), units owed, >= 0; the last column is cash.
    liquidation_threshold : float64 (n_accounts,), each account's own threshold for all its priced assets, in (0, 1];
        NaN: that of the terms. None: that of the terms for all accounts.
    currency : of the cash and of all values.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    names: tuple[str, ...]
    assets: tuple[str, ...]
    held: FloatArray
    owed: FloatArray
    liquidation_threshold: FloatArray | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        problems = Problems("Book")
        names, assets = (_names(problems, name, getattr(self, name)) for name in ("names", "assets"))
        problems.check(bool(names), "names", "no accounts", "must hold at least one account", "check the selection")
        named = isinstance(self.currency, str) and bool(self.currency.strip())
        problems.check(named, "currency", self.currency, "must be text that is not empty", "give 'USD'")
        rule = "is the currency: its units go into the last column"
        problems.check(
            not named or self.currency not in assets, "assets", self.currency, rule, "leave it out of the assets"
        )
        shape = (len(names), len(assets) + 1)
        held, owed = (_checked_units(problems, name, getattr(self, name), shape) for name in ("held", "owed"))
        thresholds = _checked_thresholds(problems, self.liquidation_threshold, len(names))
        problems.raise_if_any()
        fields = {"names": names, "assets": assets, "held": held, "owed": owed, "liquidation_threshold": thresholds}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, currency: str = "USD") -> Book:
        """A book from a table with a row for each position: an account and an asset.

        Parameters
        ----------
        frame : columns ``account`` and ``asset`` (text), ``held`` and ``owed`` (units, >= 0; one of the two columns
            may be absent, an empty cell is 0), optionally ``liquidation_threshold`` (in (0, 1], the same in all rows of
            an account; an empty cell leaves it to the others, and to the terms). Other columns are not read.
        currency : rows whose asset is this are cash at price 1.

        Raises
        ------
        InputError : with all broken rules at once: missing columns, text for numbers, negative or infinite units, an
            asset that comes twice in an account, thresholds that contradict each other.
        """
        from collatrisk.collateral.book_frame import read_book

        return cls(**read_book(frame, currency), currency=currency)

    @classmethod
    def from_accounts(cls, accounts: Sequence[Account]) -> Book:
        """A book of some accounts, in one currency; accounts without a name are called ``"account 1"`` and so on.

        Raises
        ------
        InputError : with all broken rules at once.
        """
        problems = Problems("Book")
        given = problems.listed("accounts", accounts, (Account,), "give accounts")
        problems.raise_if_any()
        currencies = list(dict.fromkeys(account.currency for account in given))
        problems.check(len(currencies) == 1, "accounts", currencies, "must share one currency", "one book for each")
        problems.raise_if_any()
        assets = tuple(dict.fromkeys(asset for account in given for asset in account.assets))
        held, owed = np.zeros((2, len(given), len(assets) + 1))
        for row, account in enumerate(given):
            for column, asset in enumerate((*assets, account.currency)):
                held[row, column] = account.holdings.get(asset, 0.0)
                owed[row, column] = account.debts.get(asset, 0.0)
        names = tuple(account.name or f"account {row + 1}" for row, account in enumerate(given))
        return cls(names, assets, held, owed, None, currencies[0])

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Book):
            return NotImplemented
        same = (self.names, self.assets, self.currency) == (other.names, other.assets, other.currency)
        ours, theirs = self.liquidation_threshold, other.liquidation_threshold
        alike = (ours is None) == (theirs is None) and (
            ours is None or theirs is None or np.array_equal(ours, theirs, equal_nan=True)
        )
        return same and alike and np.array_equal(self.held, other.held) and np.array_equal(self.owed, other.owed)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Book({len(self):,} accounts, {len(self.assets)} assets, {self.currency})"

    def _repr_html_(self) -> str:
        held, owed = self.held.sum(axis=0), self.owed.sum(axis=0)
        rows = [
            (asset, f"{units:,.6g}", f"{debt:,.6g}")
            for asset, units, debt in zip((*self.assets, self.currency), held, owed, strict=True)
        ]
        return html_table(("asset", "units held", "units owed"), rows, f"Book of {len(self):,} accounts")


def _names(problems: Problems, name: str, given: object) -> tuple[str, ...]:
    """Texts that are not empty, each once."""
    if not isinstance(given, Iterable):
        problems.add(name, given, "must be names", "give a tuple of text")
        return ()
    names = tuple(given)
    odd = [one for one in names if not isinstance(one, str) or not one.strip()]
    if odd:
        shown = f"{len(odd)} such as {odd[0]!r}"
        problems.add(name, shown, "must be text that is not empty", "name every one")
    elif len(set(names)) < len(names):
        seen: set[object] = set()
        twice = next(one for one in names if one in seen or seen.add(one))  # type: ignore[func-returns-value]
        problems.add(name, twice, "comes more than once", "give each its own name")
    return names


def _checked_units(problems: Problems, name: str, values: object, shape: tuple[int, int]) -> FloatArray:
    """Units as a read-only float64 matrix; the first cells that break a rule are named."""
    try:
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError):
        problems.add(name, values, "must be numbers", f"give a matrix of {shape[0]} x {shape[1]} units")
        return np.zeros(shape)
    if array.shape != shape:
        rule = f"must have shape {shape}: accounts x (assets and cash)"
        problems.add(name, f"shape {array.shape}", rule, "add the column of cash, zeros if there is none")
        return np.zeros(shape)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        shown = f"{int(bad.sum())} such as {array[row, column]:g} in row {row}, column {column}"
        problems.add(name, shown, "must be finite and not negative", _UNITS)
    array.flags.writeable = False
    return array


def _checked_thresholds(problems: Problems, values: object, n: int) -> FloatArray | None:
    if values is None:
        return None
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty((0, 0))
    if array.shape != (n,):
        problems.add("liquidation_threshold", values, f"must be {n} numbers, one for each account", "or leave it out")
        return None
    bad = ~(np.isnan(array) | ((array > 0) & (array <= 1)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        shown = f"{int(bad.sum())} such as {array[row]:g} in row {row}"
        problems.add("liquidation_threshold", shown, "must be in (0, 1]", "give 0.85 for 85 %, NaN for the terms' own")
    array.flags.writeable = False
    return array
