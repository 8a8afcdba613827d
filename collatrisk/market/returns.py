"""Prices to returns. A missing price makes missing returns: nothing is filled, nothing is bridged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from collatrisk.base.errors import DataError, Problem
from collatrisk.market.frames import FloatArray, RowNames, ordered_prices


def log_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Log returns ln(p_t / p_{t-1}) of consecutive rows, as decimals per step.

    Parameters
    ----------
    prices : DataFrame (n_rows, n_assets), dates in order, prices > 0 or NaN. A Series is one asset.

    Returns
    -------
    DataFrame (n_rows - 1, n_assets), indexed by the later date. A return next to a missing price is NaN: use
    `align_prices` first for a frame without any.

    Raises
    ------
    InputError : if `prices` is not a frame of dates.
    DataError : fewer than two rows, dates out of order, prices that are zero, negative or infinite (all at once).
    """
    checked = _checked(prices, "log_returns")
    return _frame(checked, np.diff(np.log(checked.to_numpy()), axis=0))


def simple_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Simple returns p_t / p_{t-1} - 1 of consecutive rows, as decimals per step; otherwise as `log_returns`."""
    checked = _checked(prices, "simple_returns")
    values = checked.to_numpy()
    return _frame(checked, values[1:] / values[:-1] - 1.0)


def _frame(prices: pd.DataFrame, values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(values, index=prices.index[1:], columns=prices.columns)


def _checked(prices: pd.DataFrame, title: str) -> pd.DataFrame:
    frame = ordered_prices(prices, title)
    values = frame.to_numpy()
    rows = RowNames(pd.DatetimeIndex(frame.index))
    problems = [
        Problem(
            str(name),
            f"{values[bad[0], k]} on {rows.name(int(bad[0]))}" + (f" and {bad.size - 1} more" if bad.size > 1 else ""),
            "prices must be positive and finite",
            "correct or drop these rows, or leave the asset out",
        )
        for k, name in enumerate(frame.columns)
        if (bad := np.flatnonzero((values[:, k] <= 0) | np.isinf(values[:, k]))).size
    ]
    if len(frame) < 2:
        problems.append(Problem("prices", f"{len(frame)} rows", "a return needs two rows", "load more history"))
    if problems:
        raise DataError(title, problems)
    return frame
