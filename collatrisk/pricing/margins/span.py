"""SPAN risk arrays: sixteen scenarios of price and volatility, and the largest loss of a portfolio over them.

Source: CME SPAN methodology; McMillan, Options as a Strategic Investment, pp. 668-670, for the figures. Gains are
positive here; official arrays store the loss of one long contract as positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]
_MOVES: Final = (("0", 0.0), ("+1/3", 1 / 3), ("-1/3", -1 / 3), ("+2/3", 2 / 3), ("-2/3", -2 / 3), ("+3/3", 1.0))
_ALL_MOVES: Final = (*_MOVES, ("-3/3", -1.0))
SPAN_SCENARIOS: Final = (
    *(f"{move} {state}" for move, _ in _ALL_MOVES for state in ("up", "down")),
    "extreme up",
    "extreme down",
)
"""Price move in thirds of the scan range and state of volatility; the last two are extreme moves of the price."""


class ScanResult(NamedTuple):
    """`requirement` : the largest loss, >= 0. `worst_scenario` : its name. `pnl` : of the portfolio, float64 (16,)."""

    requirement: float
    worst_scenario: str
    pnl: FloatArray


def price_scan_range(points: float, contract_value_factor: float) -> float:
    """The move of one contract's value over the scan range: ``points * contract_value_factor``."""
    return points * contract_value_factor


def future_array(scan_range: float, extreme_pnl: float, *, rounding: float = 0.0) -> FloatArray:
    """The array of one long future: the moves times the scan range; `extreme_pnl` is that of the extreme rise, which
    counts in part only. `rounding` : to a multiple of it, 0 for none."""
    problems = Problems("future_array")
    for name, value in (("scan_range", scan_range), ("extreme_pnl", extreme_pnl), ("rounding", rounding)):
        problems.number(name, value, low=0, remedy="give money of one contract")
    problems.raise_if_any()
    gains = [move * scan_range for _, move in _ALL_MOVES for _ in range(2)]
    array = np.array([*gains, extreme_pnl, -extreme_pnl])
    return np.round(array / rounding) * rounding if rounding else array


def scan_requirement(arrays: Mapping[str, ArrayLike], positions: Mapping[str, float]) -> ScanResult:
    """The scan risk of a portfolio.

    Parameters
    ----------
    arrays : by contract, profit of one long contract in each of `SPAN_SCENARIOS`, (16,). positions : contracts, signed.

    Raises
    ------
    InputError : a contract without an array, an array that is not of sixteen numbers.
    """
    problems = Problems("scan_requirement")
    problems.known("position", positions, tuple(arrays))
    profits = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
    for name, profit in profits.items():
        good = profit.shape == (len(SPAN_SCENARIOS),) and bool(np.all(np.isfinite(profit)))
        problems.check(good, f"arrays[{name!r}]", profit.shape, "must be 16 finite numbers", "one a scenario")
    problems.raise_if_any()
    pnl = np.zeros(len(SPAN_SCENARIOS))
    for name, contracts in positions.items():
        pnl += contracts * profits[name]
    worst = int(np.argmin(pnl))
    return ScanResult(max(-float(pnl[worst]), 0.0), SPAN_SCENARIOS[worst], pnl)
