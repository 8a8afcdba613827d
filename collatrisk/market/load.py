"""Files of prices to frames that the rest of the house can use, or one error with everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from collatrisk.market.clock import Clock
from collatrisk.market.quality import DataQualityReport, examine
from collatrisk.market.read import Assets, read_raw


class InspectedPrices(NamedTuple):
    """A file of prices and what was found in it.

    Attributes
    ----------
    prices : DataFrame in order of date, one row a date, NaN where there is no price.
    report : findings with the lines of the file.
    """

    prices: pd.DataFrame
    report: DataQualityReport


def load_prices(
    path: str | os.PathLike[str],
    *,
    clock: Clock | str | None = None,
    assets: Assets = None,
    strict: bool = True,
    day_first: bool | None = None,
) -> pd.DataFrame:
    """Read prices from a file.

    Parameters
    ----------
    path : CSV (separated by comma, semicolon, tab or bar; decimal point or comma), gzipped CSV, or Parquet (needs
        pyarrow). Wide: a column of dates and one column an asset. Long: columns named date, asset (or symbol, ticker)
        and close (or price).
    clock : a `Clock`, ``"24/7"`` or ``"business"`` to check the dates against; None infers it.
    assets : the assets to keep, in this order; a mapping renames them: ``{"Close": "SPX"}``.
    strict : False returns the rows as the file has them (its order, repeated dates, NaN for what is not a price), for
        `check_prices` to examine.
    day_first : for dates such as 01/02/2024; None finds out from the column, and refuses where it cannot.

    Returns
    -------
    DataFrame (n_rows, n_assets): UTC DatetimeIndex named ``date``, strictly increasing; float64; NaN where the file has
    no price. Nothing is filled in. Dates without a time zone are read as UTC, offsets are converted; midnights of
    another zone are read as dates. Warnings are not shown: `inspect_prices` or `check_prices` report them.

    Raises
    ------
    InputError : no such file, unknown asset, Parquet without pyarrow.
    DataError : every finding of severity error at once, with lines of the file; see `check_prices`.
    """
    if not strict:
        return read_raw(path, assets=assets, day_first=day_first).frame
    prices, report = inspect_prices(path, clock=clock, assets=assets, day_first=day_first)
    report.raise_if_errors()
    return prices


def inspect_prices(
    path: str | os.PathLike[str],
    *,
    clock: Clock | str | None = None,
    assets: Assets = None,
    day_first: bool | None = None,
    pegs: Mapping[str, float] | None = None,
) -> InspectedPrices:
    """Read prices and report on them with the lines of the file, without refusing errors in the rows.

    Parameters are those of `load_prices` and `check_prices`. A file without dates or without an asset still raises.
    """
    raw = read_raw(path, assets=assets, day_first=day_first)
    prices, report = examine(raw.frame, raw.names, clock, pegs, raw.findings, source=os.fspath(path))
    return InspectedPrices(prices, report)
