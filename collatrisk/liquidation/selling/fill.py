"""What every venue of a sale shares: the state of the market before it, what came of it, and the checks of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.liquidation.selling.checks import check_array

FloatArray = NDArray[np.float64]
Amount = FloatArray | float


@dataclass(frozen=True, slots=True, eq=False)
class MarketState:
    """What earlier sales left behind, and how deep the market is.

    Parameters
    ----------
    consumed : units sold before that the market has not yet absorbed, >= 0: the next sale starts behind them.
    permanent : relative fall of the price that stays, [0, 1).
    depth : depth as a multiple of the venue's own, > 0: 0.3 where 70 % of it has gone in a stress.
        Each is a number, or an array that broadcasts with the amounts.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    consumed: Amount = 0.0
    permanent: Amount = 0.0
    depth: Amount = 1.0

    def __post_init__(self) -> None:
        problems = Problems("MarketState")
        below_one = "a fall of the whole price leaves nothing to sell at"
        for name, high, open_low, remedy in (
            ("consumed", np.inf, False, "give units"),
            ("permanent", 1.0, False, below_one),
            ("depth", np.inf, True, "1 for the venue's own depth, 0.5 for half of it"),
        ):
            check_array(problems, name, getattr(self, name), high=high, open_low=open_low, remedy=remedy)
        problems.raise_if_any()


CALM = MarketState()
"""Nothing sold before, the venue's own depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """What a sale brought. Numbers where all inputs were numbers, else arrays of their common shape.

    Attributes
    ----------
    sold, left : units; together what was offered.
    proceeds : currency, after the venue's fees.
    average_price : proceeds over units sold; where none was sold, what the first unit would have fetched.
    slippage : ``1 - average_price / price``, relative to the price without any sale.
    price_after : what the next unit would fetch at once; 0 if nobody would buy it.
    state : of the market after the sale; `SalesVenue.rest` carries it to the next one.
    delay_days : from the sale's agreement to the price that it is settled at.
    """

    sold: Amount
    left: Amount
    proceeds: Amount
    average_price: Amount
    slippage: Amount
    price_after: Amount
    state: MarketState
    delay_days: float = 0.0


@runtime_checkable
class SalesVenue(Protocol):
    """Where collateral is sold. Implementations are frozen; `sell` is a pure function, vectorised over arrays."""

    def sell(self, units: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Fill:
        """Sell `units` at once where the price without any sale is `price` (currency a unit)."""

    def capacity(self, slippage: ArrayLike, price: ArrayLike, *, state: MarketState = CALM) -> Amount:
        """Units that can be sold at once before the next one would fetch less than ``price * (1 - slippage)``."""

    def rest(self, state: MarketState, days: float) -> MarketState:
        """The state after `days` without sales."""

    @property
    def delay_days(self) -> float:
        """From the agreement of a sale to the price that it is settled at."""


def sale_inputs(units: object, price: object, state: MarketState, name: str = "units") -> tuple[FloatArray, ...]:
    """Units (or whatever `name` says), price, and the state's consumed, permanent and depth, of one shape.

    Raises
    ------
    InputError : negative or missing amounts, prices that are missing or not above zero, shapes that do not fit.
    """
    problems = Problems("sell")
    high = 1.0 if name == "slippage" else np.inf
    amounts = check_array(problems, name, units, high=high, remedy="give what is offered, as a number of at least 0")
    prices = check_array(problems, "price", price, open_low=True, remedy="an asset without a price cannot be sold")
    problems.raise_if_any()
    arrays = (amounts, prices, *(np.asarray(part) for part in (state.consumed, state.permanent, state.depth)))
    try:
        return tuple(np.broadcast_arrays(*arrays))
    except ValueError as error:
        shapes = ", ".join(str(array.shape) for array in arrays)
        problems.add(name, shapes, "shapes of units, price and state must broadcast", "give one of each a path")
        raise InputError(problems.title, problems.found) from error


def make_fill(
    units: FloatArray,
    sold: FloatArray,
    proceeds: FloatArray,
    price: FloatArray,
    first_price: FloatArray,
    price_after: FloatArray,
    state: MarketState,
    delay_days: float = 0.0,
) -> Fill:
    """A `Fill` from what was sold and fetched; scalars come back as numbers."""
    average = np.divide(proceeds, sold, out=np.array(first_price, dtype=np.float64), where=sold > 0.0)
    return Fill(
        sold=plain(sold),
        left=plain(units - sold),
        proceeds=plain(proceeds),
        average_price=plain(average),
        slippage=plain(1.0 - average / price),
        price_after=plain(price_after),
        state=state,
        delay_days=delay_days,
    )


def plain(array: FloatArray) -> Amount:
    """An array as it is, a single number as a float."""
    return float(array) if np.ndim(array) == 0 else array


def faded(consumed: Amount, days: float, half_life_days: float) -> Amount:
    """What is left of `consumed` after `days`: all of it within no time, half after each half-life."""
    if days <= 0.0:
        return consumed
    share = 0.0 if half_life_days == 0.0 else 2.0 ** (-days / half_life_days)
    return plain(np.asarray(consumed) * share)
