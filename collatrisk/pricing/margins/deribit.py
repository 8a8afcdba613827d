"""Deribit: margin of linear perpetuals, of single options, and portfolio margin on a grid of price and volatility.

Source: Deribit's support articles and API reference. Positions in coin: an inverse contract of `pos` coins at the
reference price gains ``pos * s / (1 + s)`` coins for a relative move s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems
from collatrisk.pricing.margins.black import black76

FloatArray = NDArray[np.float64]
_BASE = 0.15
_LEAST = 0.10
_MAINTENANCE = 0.075


def linear_margin(size: float, price: float, base: float, per_coin: float) -> float:
    """Initial or maintenance margin of a linear perpetual: ``(base + per_coin * |size|) * |size| * price``.

    Parameters
    ----------
    size : coins, signed. price : > 0. base : share of the notional, [0, 1]. per_coin : added per coin, >= 0.
    """
    problems = Problems("linear_margin")
    problems.number("size", size, remedy="give coins")
    problems.number("price", price, low=0, open_low=True, remedy="give a price above 0")
    problems.number("base", base, low=0, high=1, remedy="give 0.02 for 2 %")
    problems.number("per_coin", per_coin, low=0, remedy="give 5e-5 for 0.005 % a coin")
    problems.raise_if_any()
    return (base + per_coin * abs(size)) * abs(size) * price


class DeribitOptionMargin(NamedTuple):
    """Coins per contract, of the shape of the inputs."""

    initial: FloatArray
    maintenance: FloatArray


def option_margin(mark: ArrayLike, otm_over_underlying: ArrayLike, *, call: bool) -> DeribitOptionMargin:
    """Standard margin of short options, coins a contract.

    Call: ``max(0.15 - OTM / U, 0.1) + mark`` and ``0.075 + mark``. Put: maintenance ``max(0.075, 0.075 mark) + mark``,
    initial at least that.

    Parameters
    ----------
    mark : price of the option in coins, >= 0. otm_over_underlying : how far out of the money over the underlying's
        price, >= 0; 0 in the money.
    """
    problems = Problems("option_margin")
    value, away = (np.asarray(x, dtype=np.float64) for x in (mark, otm_over_underlying))
    for name, array in (("mark", value), ("otm_over_underlying", away)):
        good = bool(np.all(np.isfinite(array) & (array >= 0.0)))
        problems.check(good, name, array.min(initial=0.0), "must be finite and at least 0", "give coins a contract")
    problems.raise_if_any()
    initial = np.maximum(_BASE - away, _LEAST) + value
    if call:
        return DeribitOptionMargin(initial, _MAINTENANCE + value)
    least = np.maximum(_MAINTENANCE, _MAINTENANCE * value) + value
    return DeribitOptionMargin(np.maximum(initial, least), least)


@dataclass(frozen=True, slots=True)
class DeribitPortfolioTerms:
    """The grid of one currency; the defaults are those of BTC seen in the API's example of 2024.

    Parameters
    ----------
    price_range : largest regular move. buckets : points on each side. extended_moves : beyond it, with volatility up.
    extended_dampener : money by which a gain or loss is reduced per range beyond the first.
    volatility_up, volatility_down : shocks at 30 days. least_volatility_up : floor of the raised volatility.
    power_short, power_long : of 30 / days to expiry, below and above 30 days.
    annualised_move_risk, least_move : roll shock of futures: ``|pos| max(least, risk * years)``.
    gain_offset : share of a positive result that counts. mm_factor : maintenance over the risk matrix.
    """

    price_range: float = 0.16
    buckets: int = 4
    extended_moves: tuple[float, ...] = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    extended_dampener: float = 100_000.0
    volatility_up: float = 0.5
    volatility_down: float = 0.25
    least_volatility_up: float = 0.5
    power_short: float = 0.30
    power_long: float = 0.13
    annualised_move_risk: float = 0.075
    least_move: float = 0.01
    gain_offset: float = 0.0
    mm_factor: float = 0.8

    def shocked_volatility(self, iv: ArrayLike, days: ArrayLike, *, up: bool) -> FloatArray:
        """``max(IV (1 + up m), floor)`` or ``IV (1 - down m)``, ``m = (30 / days)**p``."""
        sigma, left = np.asarray(iv, dtype=np.float64), np.asarray(days, dtype=np.float64)
        scale = (30.0 / left) ** np.where(left < 30.0, self.power_short, self.power_long)
        if up:
            return np.asarray(np.maximum(sigma * (1.0 + self.volatility_up * scale), self.least_volatility_up))
        return np.asarray(sigma * (1.0 - self.volatility_down * scale))


@dataclass(frozen=True, slots=True)
class InversePositions:
    """Positions of one currency.

    Parameters
    ----------
    index : price of the coin, > 0. futures : name -> (coins at the index, signed; years to expiry, 0 for a perpetual).
    options : name -> (contracts, signed; strike; forward; implied volatility; days to expiry; whether a call).
    """

    index: float
    futures: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    options: Mapping[str, tuple[float, float, float, float, float, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems("InversePositions")
        problems.number("index", self.index, low=0, open_low=True, remedy="give a price above 0")
        for name, (coins, years) in self.futures.items():
            problems.number(f"futures[{name!r}] coins", coins, remedy="give coins, below 0 for a short")
            problems.number(f"futures[{name!r}] years", years, low=0, remedy="give 0 for a perpetual")
        for name, (contracts, *numbers, _) in self.options.items():
            problems.number(f"options[{name!r}] contracts", contracts, remedy="give contracts")
            for part, number in zip(("strike", "forward", "iv", "days"), numbers, strict=True):
                problems.number(f"options[{name!r}] {part}", number, low=0, open_low=True, remedy="above 0")
        problems.raise_if_any()


class PortfolioMargin(NamedTuple):
    """Coins. `worst_move`, `worst_volatility` : where the grid loses most."""

    worst_case: float
    roll_shock: float
    risk_matrix_margin: float
    initial_margin: float
    maintenance_margin: float
    worst_move: float
    worst_volatility: str


def deribit_portfolio_margin(
    positions: InversePositions,
    terms: DeribitPortfolioTerms = DeribitPortfolioTerms(),
    *,
    open_orders_margin: float = 0.0,
    mmp_margin: float = 0.0,
    delta_shock: float = 0.0,
    correlation_contingency: float = 0.0,
) -> PortfolioMargin:
    """Portfolio margin of one currency, in coins.

    ``worst = -min over the grid of P&L`` (gains count by `gain_offset`), plus the roll shock of futures and the given
    charges; ``MM = mm_factor * risk matrix``, ``IM = risk matrix + open orders + market-maker protection``.

    Parameters
    ----------
    positions, terms : see there. open_orders_margin, mmp_margin, delta_shock, correlation_contingency : coins, >= 0, as
        the venue computes them from its books.
    """
    problems = Problems("deribit_portfolio_margin")
    charges = {"open_orders_margin": open_orders_margin, "mmp_margin": mmp_margin, "delta_shock": delta_shock}
    for name, value in {**charges, "correlation_contingency": correlation_contingency}.items():
        problems.number(name, value, low=0, remedy="give coins")
    problems.raise_if_any()
    n = terms.buckets
    grid = [(terms.price_range * k / n, state) for k in range(-n, n + 1) for state in ("up", "same", "down")]
    grid += [(move, "up") for move in terms.extended_moves]
    results = [
        _counted(_damped(_pnl(positions, move, state, terms), move, positions, terms), terms) for move, state in grid
    ]
    worst = int(np.argmin(results))
    loss = max(-results[worst], 0.0)
    moves = (max(terms.least_move, terms.annualised_move_risk * years) for _, years in positions.futures.values())
    roll = sum(abs(coins) * move for (coins, _), move in zip(positions.futures.values(), moves, strict=True))
    matrix = loss + roll + delta_shock + correlation_contingency
    initial = matrix + open_orders_margin + mmp_margin
    return PortfolioMargin(loss, roll, matrix, initial, terms.mm_factor * matrix, *grid[worst])


def _pnl(positions: InversePositions, move: float, state: str, terms: DeribitPortfolioTerms) -> float:
    total = sum(coins * move / (1.0 + move) for coins, _ in positions.futures.values())
    for contracts, strike, forward, iv, days, call in positions.options.values():
        sigma = iv if state == "same" else float(terms.shocked_volatility(iv, days, up=state == "up"))
        moved = forward * (1.0 + move)
        now = float(black76(forward, strike, iv, days / 365.0, call)) / forward
        total += contracts * (float(black76(moved, strike, sigma, days / 365.0, call)) / moved - now)
    return total


def _damped(pnl: float, move: float, positions: InversePositions, terms: DeribitPortfolioTerms) -> float:
    """Beyond the price range a result is reduced by the dampener, towards zero."""
    beyond = max(abs(move) / terms.price_range, 1.0) - 1.0
    cut = min(abs(pnl), beyond * terms.extended_dampener / positions.index)
    return pnl - cut if pnl > 0.0 else pnl + cut


def _counted(pnl: float, terms: DeribitPortfolioTerms) -> float:
    return pnl * terms.gain_offset if pnl > 0.0 else pnl
