"""Accounts as matrices: units held and owed, one row an account, one column an asset, cash last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.collateral.account import Account

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positions:
    """Units of every account.

    Attributes
    ----------
    assets : the assets that any account holds or owes, in the order of the source.
    columns : int64 (n_assets,), where the source has them.
    held, owed : float64 (n_accounts, n_assets + 1), units; the last column is cash at price 1.
    """

    assets: tuple[str, ...]
    columns: NDArray[np.int64]
    held: FloatArray
    owed: FloatArray


def positions(accounts: Sequence[Account], assets: Sequence[str]) -> Positions:
    """The matrices of `accounts` against the assets of a source; assets that no account uses are left out.

    Raises
    ------
    InputError : for every asset that the source does not have, with the account's name; for a currency that is also
        an asset of the source (its price would be both 1 and the market's).
    """
    problems = Problems("Accounts")
    for account in accounts:
        problems.known(f"account {account.label}", account.assets, tuple(assets))
        problems.check(
            account.currency not in assets,
            f"account {account.label}",
            account.currency,
            "is both the account's currency and an asset of the source",
            "rename one of them: values are in the quote currency of the prices",
        )
    problems.raise_if_any()
    wanted = {asset for account in accounts for asset in account.assets}
    used = tuple(asset for asset in assets if asset in wanted)
    columns = np.array([list(assets).index(asset) for asset in used], dtype=np.int64)
    held = np.zeros((len(accounts), len(used) + 1))
    owed = np.zeros_like(held)
    for row, account in enumerate(accounts):
        for column, asset in enumerate((*used, account.currency)):
            held[row, column] = account.holdings.get(asset, 0.0)
            owed[row, column] = account.debts.get(asset, 0.0)
    return Positions(used, columns, held, owed)
