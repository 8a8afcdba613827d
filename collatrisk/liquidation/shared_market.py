"""Accounts that compete for one market at one moment: who is sold first, and what is left for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.frozen import FrozenDict
from collatrisk.base.validation import Problems
from collatrisk.collateral import Account, Loan, SaleRule, Terms, as_account
from collatrisk.collateral.per_asset import ANY_ASSET, PerAsset, checked_figure
from collatrisk.kernels import columns as at
from collatrisk.liquidation.rules import RuleArrays, rule_arrays
from collatrisk.market.clock import Clock
from collatrisk.pricing import positions

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
AccountOrder = Literal["severity", "largest", "smallest", "given"]
ACCOUNT_ORDERS: Final[tuple[AccountOrder, ...]] = ("severity", "largest", "smallest", "given")
_COLUMNS: Final = {
    "debt_repaid": at.REPAID,
    "collateral_seized": at.SEIZED,
    "liquidator_bonus": at.BONUS_PAID,
    "lender_fee": at.FEE_PAID,
    "slippage_cost": at.SLIPPAGE,
    "debt_written_off": at.WRITTEN_OFF,
}


@dataclass(frozen=True, slots=True)
class BookLiquidation:
    """What happened to each account, and what the market took.

    Attributes
    ----------
    accounts : names. turn : by account, its turn in the queue from 0, -1 if it was healthy.
    health_before, health_after : float64 (n_accounts,); inf without debt.
    amounts : quantity -> float64 (n_accounts,), currency; as the metrics of `run_margin`.
    collateral_left, debt_left : float64 (n_accounts,), currency.
    sold : asset -> value sold by all accounts together.
    """

    accounts: tuple[str, ...]
    turn: NDArray[np.int64]
    health_before: FloatArray
    health_after: FloatArray
    amounts: Mapping[str, FloatArray]
    collateral_left: FloatArray
    debt_left: FloatArray
    sold: Mapping[str, float]

    def to_frame(self) -> pd.DataFrame:
        """One row an account."""
        import pandas as pd

        columns = {
            "turn": self.turn,
            "health_before": self.health_before,
            **self.amounts,
            "health_after": self.health_after,
            "collateral_left": self.collateral_left,
            "debt_left": self.debt_left,
        }
        return pd.DataFrame(columns, index=pd.Index(self.accounts, name="account"))


def liquidate_book(
    accounts: Sequence[Account | Loan],
    prices: Mapping[str, float],
    terms: Terms | Sequence[Terms],
    *,
    order: AccountOrder | Sequence[str] = "severity",
    capacity: PerAsset | None = None,
) -> BookLiquidation:
    """Liquidate all accounts that are unhealthy at some prices, one after the other, into one market.

    Parameters
    ----------
    accounts : names (labels) should differ; a loan becomes an account at `prices`.
    prices : asset -> currency per unit, > 0.
    terms : one for all or one for each, with a `SaleRule` (or none: the plain one); of them the rule, the thresholds
        and the price impact are used. What an account sells moves the price for those that come after it.
    order : ``"severity"`` (the lowest health factor first, of equal ones the larger debt), ``"largest"``,
        ``"smallest"`` (debt), ``"given"``, or names of accounts (those not named come last, as given).
    capacity : the value of an asset that the market takes in all, >= 0; one number for each asset or asset -> number
        (``"*"``: others; not named: any amount). Cash is never short. None: any amount.

    Returns
    -------
    BookLiquidation

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems("liquidate_book")
    given = problems.listed("accounts", accounts, (Account, Loan), "give a list of accounts")
    rules = problems.listed("terms", terms, (Terms,), "give Terms(...), or one for each account")
    problems.raise_if_any()
    rules = rules * len(given) if len(rules) == 1 else rules
    held = [as_account(account, prices) for account in given]
    check_book(problems, held, rules)
    problems.raise_if_any()
    for account in held:
        account.prices(prices)  # refuses an asset without a price
    # In the order of the prices, so that nothing is summed in another order when the accounts are.
    book = positions(held, [asset for asset in prices if asset != held[0].currency])
    arrays = rule_arrays(held, rules, book.assets, Clock())
    names = tuple(account.label for account in held)
    kind, ranks = account_order(problems, order, names)
    room = capacities(problems, capacity, book.assets, tuple(prices))
    problems.raise_if_any()
    row = np.array([*(prices[asset] for asset in book.assets), 1.0])
    units = np.ascontiguousarray(np.stack([book.held, book.owed], axis=1))
    return _sell(names, (*book.assets, held[0].currency), row, units, arrays, kind, ranks, room)


def _sell(
    names: tuple[str, ...],
    slots: tuple[str, ...],
    prices: FloatArray,
    units: FloatArray,
    rules: RuleArrays,
    kind: int,
    ranks: FloatArray,
    room: FloatArray,
) -> BookLiquidation:
    # numba is slow to import: only who liquidates needs it.
    from collatrisk.kernels.margin_rules import N_SCRATCH, SOLD
    from collatrisk.kernels.shared_market import measure, queue, sell_queue

    n, n_slots = len(names), len(slots)
    before = np.array([measure(prices, units[a], rules.thresholds[a]) for a in range(n)])
    waiting, turn = np.empty(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    debt = np.ascontiguousarray(before[:, 1])
    n_waiting = queue(kind, ranks, np.ascontiguousarray(before[:, 0]), debt, rules.rules, waiting)
    turn[waiting[:n_waiting]] = np.arange(n_waiting)
    amounts = np.zeros((n, at.N_ALL_AMOUNTS))
    market = np.zeros((N_SCRATCH, n_slots + 1))
    sell_queue(
        prices, waiting, n_waiting, units, rules.thresholds, rules.impacts, rules.by_slot, rules.rules, rules.switches,
        room, np.empty(n_slots, dtype=np.int64), market, amounts,
    )  # fmt: skip
    after = np.array([measure(prices, units[a], rules.thresholds[a]) for a in range(n)])
    return BookLiquidation(
        accounts=names,
        turn=turn,
        health_before=before[:, 0],
        health_after=after[:, 0],
        amounts=FrozenDict({name: amounts[:, column] for name, column in _COLUMNS.items()}),
        collateral_left=units[:, 0] @ prices,
        debt_left=after[:, 1],
        sold=FrozenDict(dict(zip(slots, market[SOLD, :n_slots].tolist(), strict=True))),
    )


def check_book(problems: Problems, accounts: Sequence[Account], terms: Sequence[Terms]) -> None:
    """One currency, terms for each account, and rules that sell."""
    text = f"must be one for all or one for each of {len(accounts)} accounts"
    problems.check(len(terms) == len(accounts), "terms", f"{len(terms)} terms", text, "repeat or leave out")
    currencies = list(dict.fromkeys(account.currency for account in accounts))
    problems.check(len(currencies) == 1, "accounts", currencies, "must share one currency", "convert them")
    for rule in dict.fromkeys(terms):
        sells = isinstance(rule.rule, SaleRule)
        said = "hands collateral over: such accounts do not compete for the market"
        problems.check(sells, "liquidation", type(rule.rule).__name__, said, "give a SaleRule, or use run_margin")


def account_order(
    problems: Problems, order: AccountOrder | Sequence[str], names: tuple[str, ...]
) -> tuple[int, FloatArray]:
    """The order as the kernel knows it, and the ranks of the accounts."""
    if isinstance(order, str):
        problems.choice("order", order, ACCOUNT_ORDERS)
        kind = ACCOUNT_ORDERS.index(order) if order in ACCOUNT_ORDERS else 0
        return kind, np.arange(len(names), dtype=np.float64)
    problems.known("order", tuple(order), names)
    ranked = [order.index(name) if name in order else len(names) + row for row, name in enumerate(names)]
    return ACCOUNT_ORDERS.index("given"), np.array(ranked, dtype=np.float64)


def capacities(
    problems: Problems, capacity: PerAsset | None, assets: tuple[str, ...], known: Sequence[str]
) -> FloatArray:
    """By slot, cash last: the value that the market takes, inf for any amount. `known` : names that may be given."""
    if capacity is None:
        return np.full(len(assets) + 1, np.inf)
    remedy = "give a value in currency, or a mapping by asset"
    rule = checked_figure(problems, "capacity", capacity, low=0, remedy=remedy)
    if isinstance(rule, Mapping):
        problems.known("capacity", [name for name in rule if name != ANY_ASSET], known)
        return np.array([*(rule.get(asset, rule.get(ANY_ASSET, np.inf)) for asset in assets), np.inf])
    return np.array([*([rule] * len(assets)), np.inf])
