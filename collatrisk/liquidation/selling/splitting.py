"""A sale split over time: by a share of the volume of each step, or by a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from collatrisk.base.errors import InputError
from collatrisk.base.validation import Problems
from collatrisk.liquidation.selling.checks import check_array
from collatrisk.liquidation.selling.fill import CALM, Fill, FloatArray, MarketState, SalesVenue


@dataclass(frozen=True, slots=True)
class Splitting:
    """How much may be sold in each step. Without any rule, all at once in the first step.

    Parameters
    ----------
    volume : units that the market trades in a step: a number, or one for each step (the last one goes on). None: no
        limit by volume.
    participation : largest share of that volume, (0, 1].
    schedule : shares of the whole sale in each step, at least 0, adding up to 1; None: as much as the limits allow.
        What a limit leaves over is sold in later steps.
    max_slippage : a step sells only down to ``price * (1 - max_slippage)``; None: at any price. [0, 1).

    Raises
    ------
    InputError : with all broken rules at once.
    """

    volume: float | tuple[float, ...] | None = None
    participation: float = 1.0
    schedule: tuple[float, ...] | None = None
    max_slippage: float | None = None

    def __post_init__(self) -> None:
        problems = Problems("Splitting")
        volume, schedule = (
            None if value is None else check_array(problems, name, value, remedy=remedy)
            for name, value, remedy in (
                ("volume", self.volume, "give units traded in a step"),
                ("schedule", self.schedule, "give shares of the whole sale"),
            )
        )
        for name, array in (("volume", volume), ("schedule", schedule)):
            if array is not None and array.ndim:
                object.__setattr__(self, name, tuple(array.reshape(-1).tolist()))
                problems.check(array.ndim == 1, name, array.shape, "must be in one row", "give one number a step")
                problems.check(array.size > 0, name, (), "must not be empty", "give one number a step")
        remedy = "give 0.1 for a tenth of the volume"
        share = problems.number("participation", self.participation, low=0, high=1, open_low=True, remedy=remedy)
        limited = share == 1.0 or math.isnan(share) or self.volume is not None
        rule = "needs the volume that it is a share of"
        problems.check(limited, "participation", self.participation, rule, "give volume, in units a step")
        if schedule is not None and problems.check(
            schedule.ndim > 0, "schedule", self.schedule, "must be shares, one a step", "give (0.5, 0.5)"
        ):
            total = math.fsum(schedule.reshape(-1).tolist())
            problems.check(abs(total - 1.0) <= 1e-9, "schedule", total, "must add up to 1", "divide by the sum")
        if self.max_slippage is not None:
            remedy = "give 0.05 for 5 %, or None to sell at any price"
            problems.number("max_slippage", self.max_slippage, low=0, high=1, open_high=True, remedy=remedy)
        problems.raise_if_any()

    @classmethod
    def evenly(cls, steps: int) -> Splitting:
        """The same amount in each of `steps` steps."""
        problems = Problems("Splitting.evenly")
        steps = problems.integer("steps", steps, low=1, remedy="give a number of steps")
        problems.raise_if_any()
        return cls(schedule=(1.0 / steps,) * steps)

    def largest(self, step: int, units: FloatArray, left: FloatArray) -> FloatArray:
        """What this step may sell of `left`, after `units` in all, before the limit by slippage."""
        amount = left
        if self.schedule is not None:
            due = math.fsum(self.schedule[: step + 1]) if step + 1 < len(self.schedule) else 1.0
            amount = np.minimum(amount, np.maximum(units * due - (units - left), 0.0))
        if self.volume is not None:
            traded = (
                self.volume if isinstance(self.volume, float | int) else self.volume[min(step, len(self.volume) - 1)]
            )
            amount = np.minimum(amount, self.participation * traded)
        return np.asarray(amount)


@dataclass(frozen=True, slots=True, eq=False)
class SplitFill:
    """A sale over several steps.

    Attributes
    ----------
    sold, proceeds : by step, float64 (n_steps, ...): units, currency.
    left : units that the steps did not sell, float64 (...).
    days : from the start to the settlement of the last part sold; 0 where all was sold at the start. float64 (...).
    cost : what the units sold were worth at the first price less their proceeds (implementation shortfall), currency.
    slippage : what they were worth at the prices of their steps less their proceeds: the part that the sale itself
        caused, currency.
    """

    sold: FloatArray
    proceeds: FloatArray
    left: FloatArray
    days: FloatArray
    cost: FloatArray
    slippage: FloatArray


def sell_over(
    venue: SalesVenue,
    units: ArrayLike,
    prices: ArrayLike,
    splitting: Splitting = Splitting(),
    *,
    step_days: float = 1.0,
    state: MarketState = CALM,
    stress_depth: float = 0.0,
    calm_price: ArrayLike | None = None,
) -> SplitFill:
    """Sell `units` along prices, one part a step; between steps the market recovers as the venue says.

    Parameters
    ----------
    venue : any `SalesVenue`. units : to sell, >= 0, a number or one for each path.
    prices : (n_steps, ...), the price without the sale at each step: the first part is sold at ``prices[0]``.
    splitting : how much each step may sell. step_days : days between steps, > 0. state : of the market before.
    stress_depth : how fast depth goes with the price: it is that of `state` times
        ``min(price / calm_price, 1)**stress_depth``, >= 0; 0: it stays.
    calm_price : the price at which depth is whole, > 0; None: the first.

    Returns
    -------
    SplitFill. A part that a venue settles after a delay has the price of then; one that would be settled after the last
    price is not sold.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    amounts, path = _checked(venue, units, prices, splitting, step_days, stress_depth, calm_price)
    calm, whole = (path[0] if calm_price is None else np.asarray(calm_price, dtype=np.float64)), np.asarray(state.depth)
    delay = math.ceil(venue.delay_days / step_days - 1e-9)
    left, days = np.array(amounts), np.zeros(amounts.shape)
    sold, proceeds = np.zeros(path.shape), np.zeros(path.shape)
    worth = np.zeros(amounts.shape)
    for step in range(path.shape[0] - delay):
        offered = splitting.largest(step, amounts, left)
        price = path[step + delay]
        if stress_depth > 0.0:
            state = replace(state, depth=whole * np.minimum(price / calm, 1.0) ** stress_depth)
        if splitting.max_slippage is not None:
            offered = np.minimum(offered, venue.capacity(splitting.max_slippage, price, state=state))
        fill: Fill = venue.sell(offered, price, state=state)
        sold[step], proceeds[step] = fill.sold, fill.proceeds
        worth = worth + fill.sold * price
        left = np.maximum(left - fill.sold, 0.0)
        days = np.where(np.asarray(fill.sold) > 0.0, (step + delay) * step_days, days)
        state = venue.rest(fill.state, step_days)
        if not left.any():
            break
    fetched, total = proceeds.sum(axis=0), sold.sum(axis=0)
    return SplitFill(sold, proceeds, left, days, total * path[0] - fetched, worth - fetched)


def _checked(
    venue: object,
    units: ArrayLike,
    prices: ArrayLike,
    splitting: object,
    step_days: object,
    stress_depth: object,
    calm_price: object,
) -> tuple[FloatArray, FloatArray]:
    problems = Problems("sell_over")
    problems.check(isinstance(venue, SalesVenue), "venue", venue, "must be a venue of sales", "give PriceImpact(1e-8)")
    usable = isinstance(splitting, Splitting)
    problems.check(usable, "splitting", splitting, "must be a Splitting", "give Splitting.evenly(5)")
    amounts = check_array(problems, "units", units, remedy="give what is to be sold")
    path = check_array(problems, "prices", prices, open_low=True, remedy="an asset without a price cannot be sold")
    problems.check(path.ndim >= 1 and path.size > 0, "prices", path.shape, "must have at least one step", "add a step")
    problems.number("step_days", step_days, low=0, open_low=True, remedy="give 1 / 24 for an hour")
    problems.number("stress_depth", stress_depth, low=0, remedy="give 2: at half the price a quarter of the depth")
    if calm_price is not None:
        check_array(problems, "calm_price", calm_price, open_low=True, remedy="give the price in quiet times")
    problems.raise_if_any()
    try:
        return np.array(np.broadcast_to(amounts, path.shape[1:])), path
    except ValueError as error:
        rule = f"must be one number, or of shape {path.shape[1:]}"
        problems.add("units", amounts.shape, rule, "give one for each path")
        raise InputError(problems.title, problems.found) from error
