"""`collatrisk calibrate`: prices to a saved market model with its provenance."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.validation import Problems
from collatrisk.cli import talk

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation import MarketModel

_SHORT: dict[str, dict[str, Any]] = {"tgarch": {"kind": "garch", "power": 1.0}}  # models that are settings of a kind
_DEPENDENCE = ("student-t", "gaussian", "independent", "dcc", "ewma", "filtered-historical")


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of `collatrisk calibrate`."""

    clock: str | None = None
    volatility: str = "garch"
    dependence: str = "student-t"
    per_asset: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    until: str | None = None
    source: str | None = None
    history: str = "common"
    margins: str = "law"
    spot: bool = True
    tails: float | None = None
    season: bool = False


def calibrate(path: Path, choices: Choices) -> tuple[MarketModel, list[Any]]:
    """Fit a model to a file of prices.

    Returns
    -------
    The model and the findings on the data.

    Raises
    ------
    InputError : options that do not fit. DataError, FitError : prices that cannot be used or fitted.
    """
    from collatrisk.dependence.specs import spec_from_dict as dependence_from_dict
    from collatrisk.market import inspect_prices
    from collatrisk.simulation import fit_market
    from collatrisk.volatility import GpdTails, HourOfWeek

    specs, until = _checked(choices)
    prices, report = inspect_prices(path, clock=choices.clock, assets=list(choices.assets) or None)
    report.raise_if_errors()
    if until is not None:
        prices = _until(prices, until)
    talk.say(f"Fitting {prices.shape[1]} assets to {len(prices):,} rows")
    model = fit_market(
        prices,
        volatility=specs,
        dependence=dependence_from_dict({"kind": choices.dependence}),
        innovations=None if choices.tails is None else GpdTails(choices.tails),
        season=HourOfWeek() if choices.season else None,
        clock=choices.clock,
        history=choices.history,  # type: ignore[arg-type]
        margins=choices.margins,  # type: ignore[arg-type]
        source=choices.source or path.name,
    )
    if not choices.spot:
        told = {**model.provenance, "spot": "1 per unit of every asset: the prices themselves are not in this file"}
        model = replace(model.with_spot(dict.fromkeys(model.assets, 1.0)), provenance=told)
    return model, list(report.findings)


def _checked(choices: Choices) -> tuple[dict[str, Any], dt.date | None]:
    from collatrisk.volatility.peg_spec import marginal_spec_from_dict
    from collatrisk.volatility.specs import KINDS

    known = (*KINDS, *_SHORT, "peg")
    problems = Problems("collatrisk calibrate")
    problems.choice("--volatility", choices.volatility, known)
    problems.choice("--dependence", choices.dependence, _DEPENDENCE)
    problems.choice("--history", choices.history, ("common", "own"))
    problems.choice("--margins", choices.margins, ("law", "ranks"))
    if choices.clock is not None:
        problems.choice("--clock", choices.clock, ("24/7", "business"))
    pairs: dict[str, str] = {"*": choices.volatility}
    for text in choices.per_asset:
        asset, sign, kind = text.partition("=")
        well_formed = bool(asset and sign and kind)
        problems.check(well_formed, "--per-asset", text, "must be ASSET=MODEL", "such as USDC=peg")
        if well_formed:
            problems.choice("--per-asset", kind, known)
            pairs[asset] = kind
    until = None
    if choices.until is not None:
        try:
            until = dt.date.fromisoformat(choices.until)
        except ValueError:
            problems.add("--until", choices.until, "must be a date", "write it as 2023-12-31")
    problems.raise_if_any()
    # Innovations that come from the residuals want a quasi-likelihood that holds for any law.
    from_residuals = choices.tails is not None or choices.dependence == "filtered-historical"
    law = {"dist": "normal"} if from_residuals else {}
    specs = {
        asset: {**_SHORT.get(kind, {"kind": kind}), **(law if kind != "peg" else {})} for asset, kind in pairs.items()
    }
    return {asset: marginal_spec_from_dict(spec) for asset, spec in specs.items()}, until


def _until(prices: pd.DataFrame, until: dt.date) -> pd.DataFrame:
    import pandas as pd

    last = pd.Timestamp(until, tz="UTC") + pd.Timedelta(days=1)
    kept = prices.loc[prices.index < last]
    problems = Problems("collatrisk calibrate")
    rule = f"is before the first price, {prices.index[0].date()}"
    problems.check(len(kept) > 0, "--until", str(until), rule, "give a later date")
    problems.raise_if_any()
    return kept
