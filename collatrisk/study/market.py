"""From the [market] section of a study to a model: load and examine prices, fit, or read a calibration."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.study.cells import CellStore, versions
from collatrisk.study.spec import DEFAULT_ASSET, MarketPlan
from collatrisk.study.study import canonical_hash, spec_dict

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.simulation import MarketModel


@dataclass(frozen=True)
class LoadedMarket:
    """A model and where it comes from.

    Attributes
    ----------
    model : of the assets that the study names, or of all.
    prices : aligned prices (UTC index, no NaN), None with a calibration.
    findings : on the data; those on the model are the model's own.
    input_hash : SHA-256 (hex) of the file or the frame.
    resumed : whether the fit was read from an earlier run.
    """

    model: MarketModel
    prices: pd.DataFrame | None
    findings: tuple[Finding, ...]
    input_hash: str
    resumed: bool = False


def load_market(plan: MarketPlan, store: CellStore) -> LoadedMarket:
    """The market of a study.

    Raises
    ------
    DataError : prices that cannot be used. FitError : a model that cannot be estimated. InputError : a bad calibration.
    """
    if plan.calibration is not None:
        return _calibrated(plan)
    return _fitted(plan, store)


def load_frame(plan: MarketPlan) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """The prices of a plan with what an examination found; errors raise.

    Raises
    ------
    DataError : every finding of severity error at once.
    """
    from collatrisk.market import check_prices, inspect_prices

    if isinstance(plan.prices, Path):
        prices, report = inspect_prices(plan.prices, clock=plan.clock, assets=list(plan.assets) or None)
    else:
        assert plan.prices is not None
        prices = plan.prices[list(plan.assets)] if plan.assets else plan.prices
        report = check_prices(prices, plan.clock)
    report.raise_if_errors()
    return prices, report.findings


def _calibrated(plan: MarketPlan) -> LoadedMarket:
    from collatrisk.simulation import MarketModel

    if isinstance(plan.calibration, Path):
        model = MarketModel.load(plan.calibration)
        digest = hashlib.sha256(plan.calibration.read_bytes()).hexdigest()
    else:
        assert plan.calibration is not None
        model, digest = plan.calibration, plan.calibration.fingerprint()
    problems = Problems("Market")
    if plan.clock is not None:
        rule = f"must be the calibration's own clock, {model.clock.kind!r}"
        same = plan.clock in (model.clock, model.clock.kind)
        problems.check(same, "market.clock", plan.clock, rule, "leave it out")
    problems.known("market.assets", plan.assets, model.assets)
    problems.raise_if_any()
    return LoadedMarket(model.select(plan.assets) if plan.assets else model, None, (), digest)


def _fitted(plan: MarketPlan, store: CellStore) -> LoadedMarket:
    from collatrisk.market import align_prices, frame_hash

    prices, findings = load_frame(plan)
    digest = frame_hash(prices)
    aligned, _ = align_prices(prices, how=plan.align)
    key = canonical_hash({"question": "model", "input": digest, "plan": fit_dict(plan), "versions": versions()})
    kept = _read_model(store, key)
    if kept is not None:
        return LoadedMarket(kept, aligned, findings, digest, resumed=True)
    model = fit(plan, prices)
    if store.folder is not None:
        store.folder.mkdir(parents=True, exist_ok=True)
        model.save(store.folder / f"model-{key}.json")
    return LoadedMarket(model, aligned, findings, digest)


def fit(plan: MarketPlan, prices: pd.DataFrame) -> MarketModel:
    """The model of a plan, fitted to prices."""
    from collatrisk.dependence import FilteredHistorical, StudentTCopula
    from collatrisk.simulation import fit_market
    from collatrisk.volatility import Garch

    specs: dict[str, Any] = {asset: spec for asset, spec in plan.volatility.items() if asset != DEFAULT_ASSET}
    from_residuals = plan.innovations is not None or isinstance(plan.dependence, FilteredHistorical)
    specs["*"] = plan.volatility.get(DEFAULT_ASSET, Garch(dist="normal") if from_residuals else Garch())
    return fit_market(
        prices,
        volatility=specs,
        dependence=StudentTCopula() if plan.dependence is None else plan.dependence,
        innovations=plan.innovations,
        season=plan.season,
        clock=plan.clock,
        presample=plan.presample,
        source=plan.prices.name if isinstance(plan.prices, Path) else "prices given as a DataFrame",
    )


def fit_dict(plan: MarketPlan) -> dict[str, Any]:
    """What a fit depends on besides the prices."""
    options = {"innovations": plan.innovations, "season": plan.season}
    return {
        "clock": spec_dict(plan.clock) if isinstance(plan.clock, Clock) else plan.clock,
        "align": plan.align,
        "volatility": {asset: spec_dict(spec) for asset, spec in plan.volatility.items()},
        "dependence": spec_dict(plan.dependence),
        "presample": plan.presample,
        **{name: spec_dict(option) for name, option in options.items() if option is not None},
    }


def _read_model(store: CellStore, key: str) -> MarketModel | None:
    from collatrisk.base.errors import CollatriskError
    from collatrisk.simulation import MarketModel

    path = None if store.folder is None else store.folder / f"model-{key}.json"
    if path is None or not path.is_file():
        return None
    try:
        return MarketModel.load(path)
    except CollatriskError:
        return None
