"""Orders of sale side by side on the same paths: which asset first, which account first, into a narrow market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems
from collatrisk.collateral import SaleRule, Terms
from collatrisk.collateral.per_asset import PerAsset
from collatrisk.collateral.sale_rules import ASSET_ORDERS, AssetOrder
from collatrisk.execution import MICRO_BLOCK, iter_blocks
from collatrisk.kernels import columns as at
from collatrisk.liquidation import RuleArrays, rule_arrays
from collatrisk.liquidation.shared_market import AccountOrder, account_order, capacities, check_book
from collatrisk.margining.run import Accounts, account_pairs, steps_to_run
from collatrisk.pricing import Positions, positions
from collatrisk.risk import check_levels, estimate_expected_shortfall, estimate_mean
from collatrisk.simulation.scratch import read_scratch
from collatrisk.simulation.source import PathSource, check_source

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Order = TypeVar("Order")
_SAMPLE = 1024
_MEANS = {
    "debt_repaid": at.REPAID,
    "collateral_seized": at.SEIZED,
    "liquidator_bonus": at.BONUS_PAID,
    "slippage_cost": at.SLIPPAGE,
}


def compare_orders(
    source: PathSource,
    accounts: Accounts,
    terms: Terms | Sequence[Terms],
    *,
    asset_orders: Iterable[AssetOrder | Sequence[str]] = ASSET_ORDERS,
    account_orders: Iterable[AccountOrder | Sequence[str]] = ("severity",),
    capacity: PerAsset | None = None,
    level: float = 0.99,
    horizon_days: float | None = None,
    executor: Executor | None = None,
) -> pd.DataFrame:
    """Named orders of sale compared on common random numbers, for a book whose accounts share the market.

    In each step, accounts below a health factor of 1 at its end are sold in the order of the accounts, each by its
    rule with the order of assets put in, at end prices; they share the price impact of the step and its `capacity`.
    What finds no room waits for the next step. Marks are at the ends of steps, whatever ``terms.mark`` says; margin
    calls and cures are not followed.

    Parameters
    ----------
    source, accounts, terms, horizon_days, executor : as in `run_margin`; terms with a `SaleRule` (or the plain one),
        without delay.
    asset_orders : each an order of `SaleRule`. ``"most_volatile"`` uses the rule's `volatility`, or else the volatility
        of the source's first 1 024 paths.
    account_orders, capacity : as in `liquidate_book`; capacity is for each step.
    level : confidence of the expected shortfall, in (0, 1).

    Returns
    -------
    DataFrame : one row an (account order, asset order), in currency: mean ``shortfall`` of the book and its standard
        error, ``shortfall_es``, ``difference`` to the first row and ``difference_error`` (of paired paths), means of
        `debt_repaid`, `collateral_seized`, `liquidator_bonus`, `slippage_cost`, ``accounts_sold``, ``days_unhealthy``
        (account-days below a health factor of 1 after the sales of a step), means a path.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    import pandas as pd

    problems = Problems("compare_orders")
    check_source(problems, source)
    check_levels(level, problems)
    problems.raise_if_any()
    spot = dict(zip(source.assets, source.spot.tolist(), strict=True))
    held, rules, names = account_pairs(accounts, terms, spot)
    check_book(problems, held, rules)
    for rule in dict.fromkeys(rules):
        delay = rule.liquidation_delay_days
        problems.check(delay == 0, "liquidation_delay_days", delay, "must be 0 where accounts compete", "leave it out")
    matrices = positions(held, source.assets)
    room = capacities(problems, capacity, matrices.assets, source.assets)
    listed = _listed(problems, "account_orders", account_orders), _listed(problems, "asset_orders", asset_orders)
    problems.raise_if_any()
    queues = {_name(order): account_order(problems, order, names) for order in listed[0]}
    problems.raise_if_any()
    orders = {_name(order): order for order in listed[1]}
    n_steps = steps_to_run(source, horizon_days)
    rows: dict[tuple[str, str], dict[str, float]] = {}
    first: FloatArray | None = None
    for queue_name, (kind, ranks) in queues.items():
        for order_name, order in orders.items():
            ordered = [_with_order(rule, order, source, matrices) for rule in rules]
            arrays = rule_arrays(held, ordered, matrices.assets, source.clock)
            task = BookTask(source, matrices, arrays, kind, ranks, room, n_steps)
            blocks = list(iter_blocks(task, source.n_paths, size=4 * MICRO_BLOCK, executor=executor))
            totals, counts = (np.concatenate([block[part] for block in blocks]) for part in (0, 1))
            first = totals[:, at.SHORTFALL] if first is None else first
            rows[queue_name, order_name] = _row(source, totals, counts, first, level)
    index = pd.MultiIndex.from_tuples(list(rows), names=["account_order", "asset_order"])
    return pd.DataFrame(list(rows.values()), index=index)


def _row(
    source: PathSource, totals: FloatArray, counts: NDArray[np.int64], first: FloatArray, level: float
) -> dict[str, float]:
    shortfall = np.ascontiguousarray(totals[:, at.SHORTFALL])
    mean = estimate_mean(shortfall, overlap=source.overlap, seed=source.seed, floor=0.0)
    tail = estimate_expected_shortfall(shortfall, level, overlap=source.overlap, seed=source.seed, floor=0.0)
    paired = estimate_mean(shortfall - first, overlap=source.overlap, seed=source.seed)
    return {
        "shortfall": mean.value,
        "shortfall_error": mean.standard_error,
        "shortfall_es": tail.value,
        "difference": paired.value,
        "difference_error": paired.standard_error,
        **{name: float(totals[:, column].mean()) for name, column in _MEANS.items()},
        "accounts_sold": float(counts[:, 0].mean()),
        "days_unhealthy": float(counts[:, 1].mean()) * source.clock.days(1),
    }


def _listed(problems: Problems, name: str, orders: Iterable[Order]) -> list[Order]:
    """Every order as its name or as the names in it."""
    found = list(orders) if isinstance(orders, Iterable) else []
    usable = bool(found) and not isinstance(orders, str)
    for one in found:
        parts = [one] if isinstance(one, str) else one
        usable = usable and isinstance(parts, Sequence) and all(isinstance(part, str) for part in parts)
    rule = "must be several, each one of the named orders or names in their order"
    problems.check(usable, name, orders, rule, "give ('pro_rata', ('ETH', 'BTC'))")
    return found if usable else []


def _name(order: str | Sequence[str]) -> str:
    return order if isinstance(order, str) else ", ".join(order)


def _with_order(terms: Terms, order: AssetOrder | Sequence[str], source: PathSource, matrices: Positions) -> Terms:
    rule = terms.rule
    assert isinstance(rule, SaleRule)
    volatility: Mapping[str, float] = rule.volatility
    if order == "most_volatile" and not volatility:
        volatility = _volatility(source, matrices)
    return terms.with_rule(replace(rule, order=order, volatility=volatility))


def _volatility(source: PathSource, matrices: Positions) -> dict[str, float]:
    """A year's volatility of each asset over the first paths of the source."""
    block = source.read(0, min(source.n_paths, _SAMPLE))
    steps = np.diff(np.log(block.prices[:, matrices.columns]), axis=0)
    spread = np.sqrt((steps**2).mean(axis=(0, 2)) / source.clock.step_years)
    return {asset: max(float(sd), 1e-12) for asset, sd in zip(matrices.assets, spread, strict=True)}


@dataclass(frozen=True, slots=True)
class BookTask:
    """A picklable function of a range of paths: totals and counts of `collatrisk.kernels.shared_market.book_block`.

    Parameters
    ----------
    source, positions, rules : the paths, the accounts and their terms. order, ranks, capacity, n_steps : as there.
    """

    source: PathSource
    positions: Positions
    rules: RuleArrays
    order: int
    ranks: FloatArray
    capacity: FloatArray
    n_steps: int

    def __call__(self, first: int, last: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """Run the paths `first` to `last` - 1."""
        # numba is slow to import: only workers that run paths need it.
        from collatrisk.kernels.shared_market import book_block

        totals = np.empty((last - first, at.N_ALL_AMOUNTS))
        counts = np.empty((last - first, 2), dtype=np.int64)
        for low in range(first, last, MICRO_BLOCK):
            high = min(low + MICRO_BLOCK, last)
            block = read_scratch(self.source, low, high, self.n_steps, variance=False)
            part = slice(low - first, high - first)
            book_block(
                np.ascontiguousarray(block.prices), self.positions.columns, self.n_steps, self.positions.held,
                self.positions.owed, self.rules.thresholds, self.rules.impacts, self.rules.by_slot, self.rules.rules,
                self.rules.switches, self.order, self.ranks, self.capacity, totals[part], counts[part],
            )  # fmt: skip
        return totals, counts
