"""The pegs of a market fitted after its other assets, whose shocks and prices they may depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.errors import CollatriskError, DataError, Problem
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.volatility.peg_fit import PegFit, fit_peg
from collatrisk.volatility.peg_spec import COMMON, Peg

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit


def check_pegs(problems: Problems, pegs: Mapping[str, Peg], assets: list[str]) -> None:
    """What a peg depends on must be in the market, and its shock must come from an asset that is no peg."""
    free = [asset for asset in assets if asset not in pegs]
    for asset, spec in pegs.items():
        others = [other for other in assets if other != asset]
        problems.known(f"underlying of {asset}", [spec.underlying] if spec.underlying else [], others)
        problems.known(f"market of {asset}", [spec.market] if spec.market else [], [*free, COMMON])
        told = spec.market != COMMON or bool(free)
        problems.check(told, f"market of {asset}", COMMON, "needs an asset that is no peg", "leave it out")


def fit_pegs(
    prices: pd.DataFrame,
    pegs: Mapping[str, Peg],
    fits: Mapping[str, VolatilityFit],
    dates: Mapping[str, pd.Index],
    clock: Clock,
) -> tuple[dict[str, PegFit], dict[str, pd.Index]]:
    """Every peg's fit, and the dates of its steps.

    Parameters
    ----------
    prices : of all assets; a peg uses the rows on which it and its underlying have a price.
    fits, dates : of the assets that are no pegs.

    Raises
    ------
    DataError : pegs that could not be fitted, all of them at once.
    """
    found: dict[str, PegFit] = {}
    steps: dict[str, pd.Index] = {}
    failed: list[Problem] = []
    for asset, spec in pegs.items():
        columns = [asset] if spec.underlying is None else [asset, spec.underlying]
        own = prices[columns].dropna()
        underlying = None if spec.underlying is None else own[spec.underlying]
        shock = None if spec.market is None else _shock(spec.market, fits, dates)
        try:
            found[asset] = fit_peg(own[asset], spec, underlying=underlying, shock=shock, clock=clock)
        except CollatriskError as error:
            failed += error.problems or (Problem(asset, "prices", error.title, "give its parameters: PegMarginal"),)
            continue
        steps[asset] = own.index[1:]
    if failed:
        raise DataError(f"fit_market: {len(pegs) - len(found)} of {len(pegs)} pegs could not be fitted", failed)
    return found, steps


def _shock(market: str, fits: Mapping[str, VolatilityFit], dates: Mapping[str, pd.Index]) -> pd.Series:
    """Standardised residuals of one asset, or of the mean of all, at unit variance, on their common dates."""
    import pandas as pd

    if market != COMMON:
        return pd.Series(np.asarray(fits[market].std_resid), index=dates[market])
    table = pd.concat([pd.Series(np.asarray(fit.std_resid), index=dates[asset]) for asset, fit in fits.items()], axis=1)
    mean = table.dropna().mean(axis=1)
    return mean / float(np.sqrt(np.mean(np.square(mean))))
