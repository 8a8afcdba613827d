"""What came of accounts with perpetual positions: amounts of each path, and, if kept, every event and state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from collatrisk.liquidation.checks import refuse
from collatrisk.liquidation.path_columns import PathColumns

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
UNITS: Final = {
    "liquidated": "currency",
    "accounts_liquidated": "liquidations",
    "deleveraged": "currency",
    "deleverage_cost": "currency",
    "fund_paid": "currency",
    "fund_received": "currency",
    "fund_left": "currency",
    "uncovered": "currency",
    "slippage": "currency",
    "rewards": "currency",
    "owed": "currency",
    "traders_profit": "currency",
    "outside_profit": "currency",
}
"""Metrics in the order of the kernel, with their units.

liquidated : notional closed by force, at the marks. accounts_liquidated : how often an account was, by steps.
deleveraged : notional closed against counterparties; deleverage_cost : what that took from them against the marks.
fund_paid, fund_received, fund_left : of the insurance fund. uncovered : losses and rewards that nobody paid for.
slippage : value at the marks less what the market paid, fees and impact included. rewards : to liquidators.
owed : negative equity at the end. traders_profit, outside_profit : of the accounts, of everybody else.
traders_profit + outside_profit + change of the fund + rewards = uncovered, on every path.
"""
KINDS: Final = ("market", "deleveraged", "counterparty")


@dataclass(frozen=True, slots=True, eq=False)
class PerpetualStates:
    """Each account at the start of each step, before anything is done about it.

    Attributes
    ----------
    equity, liquidatable : float64, bool (n_paths, n_steps + 1, n_accounts).
    requirement, bankruptcy_price, limit_price : float64 (n_paths, n_steps + 1, n_accounts, n_markets); prices are nan
        where there is no position, or no limit.
    """

    equity: FloatArray
    liquidatable: NDArray[np.bool_]
    requirement: FloatArray
    bankruptcy_price: FloatArray
    limit_price: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PerpetualOutcomes(PathColumns):
    """See `UNITS` for the metrics.

    Attributes
    ----------
    accounts, markets : names. event_rows : float64 (n_events, 11) or None. states : None unless kept.
    """

    accounts: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    event_rows: FloatArray | None = None
    states: PerpetualStates | None = None

    def events(self) -> pd.DataFrame:
        """Every close by force: path, step, account, market, delta (of the position), mark, bankruptcy_price,
        limit_price, price (paid), fund (what it got), kind (`KINDS`).

        Raises
        ------
        InputError : unless events were kept.
        """
        import pandas as pd

        if self.event_rows is None:
            refuse(self.title, "keep", "summary", "events were not kept", 'run with keep="events"')
        names = ["path", "step", "account", "market", "delta", "mark", "bankruptcy_price", "limit_price", "price"]
        frame = pd.DataFrame(self.event_rows, columns=[*names, "fund", "kind"])
        whole = frame[["path", "step", "account", "market", "kind"]].astype(int)
        frame[["path", "step"]] = whole[["path", "step"]]
        frame["account"] = [self.accounts[i] for i in whole["account"]]
        frame["market"] = [self.markets[i] for i in whole["market"]]
        frame["kind"] = [KINDS[i] for i in whole["kind"]]
        return frame
