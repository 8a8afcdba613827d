"""From prices to a market model: align, fit each asset, transform to uniforms, fit the dependence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from collatrisk.base.errors import CollatriskError, DataError, FitError, Problem
from collatrisk.base.validation import Problems
from collatrisk.base.version import __version__
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.specs import DependenceSpec, GaussianCopula, Independent, StudentTCopula
from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.uniforms import MARGINS, Margins, clock_findings, to_uniforms
from collatrisk.volatility.specs import ConstantVolatility, Ewma, Garch, VolatilitySpec

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.likelihood import Presample

History: TypeAlias = Literal["common", "own"]

ANY_ASSET = "*"
_HISTORIES = ("common", "own")
_GARCH = Garch()
_STUDENT = StudentTCopula()
_TITLE = "fit_market"


def fit_market(
    prices: pd.DataFrame,
    *,
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec] = _GARCH,
    dependence: DependenceSpec = _STUDENT,
    clock: Clock | str | None = None,
    presample: Presample = "mean_square",
    history: History = "common",
    margins: Margins = "law",
    source: str = "prices given as a DataFrame",
    created: str | None = None,
) -> MarketModel:
    """Fit a market model: volatility of each asset, then the dependence of their standardised residuals.

    Two steps (inference functions for margins, Joe 1997): the copula is fitted to F_i(z_it), F_i the law fitted to the
    standardised residuals of asset i, or to their ranks. Its standard errors take those uniforms as given.

    Parameters
    ----------
    prices : DataFrame, dates in order, one column an asset, > 0. Rows on which any asset has no price are dropped with
        a finding for each such asset; nothing is filled.
    volatility : one spec for all assets, or ``{"ETH": Garch(), "USDC": ConstantVolatility(), "*": Garch()}`` where
        ``"*"`` is for those not named.
    dependence : the copula.
    clock : a `Clock`, ``"24/7"``, ``"business"``, or None to infer it from the dates. Assets of different clocks
        (crypto and equities) need an explicit choice; they are then fitted on common dates, with a finding.
    presample : see `fit_volatility`.
    history : ``"common"``: volatilities are fitted on the common dates; ``"own"``: each on all of its asset's own
        prices up to the last common date (assets of one clock only). The dependence is on common dates always.
    margins : ``"law"``: uniforms by the fitted law of the innovations, with a finding where they are not uniform;
        ``"ranks"``: by ranks, which no wrong law can bend (Genest, Ghoudi and Rivest 1995).
    source : where the prices come from, for the provenance.
    created : a date or time for the provenance; left out unless given, so that the same input gives the same file.

    Returns
    -------
    MarketModel; its spot is the last common row, its findings name the asset they are about.

    Raises
    ------
    InputError : arguments that do not fit.
    DataError : prices that cannot be used; all assets' problems at once.
    FitError : assets that could not be fitted; all of them at once.
    """
    from collatrisk.market.align import align_prices
    from collatrisk.market.frames import ordered_prices
    from collatrisk.market.patterns import resolve_clock
    from collatrisk.market.provenance import frame_hash
    from collatrisk.market.returns import log_returns

    _check_arguments(dependence, history, margins)
    used_clock = resolve_clock(prices, clock)
    aligned, alignment = align_prices(prices, how="intersection")
    specs = _spec_of_each(volatility, [str(name) for name in aligned.columns])
    returns = log_returns(aligned)
    series = {asset: returns[asset] for asset in specs}
    if history == "own":
        series = _own_returns(ordered_prices(prices, _TITLE).loc[: aligned.index[-1]])
    fits = _fit_each(series, specs, presample)
    dates = {asset: one.index for asset, one in series.items()}
    uniforms, transformed = to_uniforms(fits, dates, returns.index, margins)
    assets = tuple(fits)
    joint = fit_dependence(uniforms, dependence, assets=assets)
    joint_text = _DEPENDENCE_TEXT[type(dependence)]
    texts = {
        "source": source,
        "prices_sha256": frame_hash(prices),
        "first": str(aligned.index[0].date()),
        "last": str(aligned.index[-1].date()),
        "n_obs": str(len(returns)),
        "estimator": f"maximum likelihood, presample {presample}, {history} history; {joint_text}, {margins} margins",
        "collatrisk": __version__,
        "numpy": np.__version__,
        "arch": version("arch"),
    }
    if created is not None:
        texts["created"] = created
    return MarketModel(
        assets=assets,
        spot=aligned.to_numpy(dtype=np.float64)[-1],
        clock=used_clock,
        marginals=tuple(_marginal(asset, fit) for asset, fit in fits.items()),
        dependence=joint,
        provenance=texts,
        findings=(*alignment, *clock_findings(aligned, used_clock), *transformed),
    )


_DEPENDENCE_TEXT: dict[type, str] = {
    Independent: "no dependence",
    GaussianCopula: "Gaussian copula by the correlation of normal scores",
    StudentTCopula: "t copula by Kendall's tau and maximum likelihood in nu",
}


def _check_arguments(dependence: object, history: object, margins: object) -> None:
    problems = Problems(_TITLE)
    fits = type(dependence) in _DEPENDENCE_TEXT
    problems.check(fits, "dependence", dependence, "must be a dependence spec", "use StudentTCopula()")
    problems.choice("history", history, _HISTORIES)
    problems.choice("margins", margins, MARGINS)
    problems.raise_if_any()


def _spec_of_each(
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec], assets: list[str]
) -> dict[str, VolatilitySpec]:
    problems = Problems(_TITLE)
    chosen: dict[str, VolatilitySpec] = {}
    if isinstance(volatility, Mapping):
        problems.known("volatility", volatility, [*assets, ANY_ASSET])
        for asset in assets:
            spec = volatility.get(asset, volatility.get(ANY_ASSET))
            rule = f"names no spec for {asset!r} and has no '*' for the rest"
            if problems.check(spec is not None, "volatility", list(volatility), rule, "add {'*': Garch()}"):
                assert spec is not None
                chosen[asset] = spec
    else:
        chosen = dict.fromkeys(assets, volatility)
    wrong = [(asset, spec) for asset, spec in chosen.items() if not isinstance(spec, Garch | Ewma | ConstantVolatility)]
    for asset, bad in wrong if isinstance(volatility, Mapping) else wrong[:1]:
        name = f"volatility[{asset}]" if isinstance(volatility, Mapping) else "volatility"
        problems.add(name, bad, "must be a Garch, an Ewma or a ConstantVolatility", "give Garch(), for example")
    problems.raise_if_any()
    return chosen


def _own_returns(prices: pd.DataFrame) -> dict[str, pd.Series]:
    """Each asset's returns between its own prices."""
    from collatrisk.market.patterns import asset_patterns, common_kind
    from collatrisk.market.returns import log_returns

    patterns = asset_patterns(prices)
    kind, disagreement = common_kind(patterns)
    agree = kind is not None or not any(pattern.kind for pattern in patterns.values())
    problems = Problems(_TITLE)
    # A Monday's return would span the weekend for one asset and a day for another.
    rule = f"'own' needs assets of one clock ({disagreement})"
    problems.check(agree, "history", "own", rule, "use history='common'")
    problems.raise_if_any()
    return {str(asset): log_returns(prices[[asset]].dropna())[asset] for asset in prices.columns}


def _fit_each(
    series: Mapping[str, pd.Series], specs: Mapping[str, VolatilitySpec], presample: Presample
) -> dict[str, VolatilityFit]:
    """Every asset's fit; what fails is collected, so that one run tells of all."""
    from collatrisk.volatility.fit import fit_volatility

    fits: dict[str, VolatilityFit] = {}
    failures: list[CollatriskError] = []
    problems: list[Problem] = []
    for asset, spec in specs.items():
        try:
            fits[asset] = fit_volatility(series[asset], spec, presample=presample)
        except CollatriskError as error:
            failures.append(error)
            problems += _naming(asset, error)
    if failures:
        # Where only data are to blame, so says the error; a FitError otherwise.
        kind = DataError if all(isinstance(error, DataError) for error in failures) else FitError
        raise kind(f"{_TITLE}: {len(failures)} of {len(specs)} assets could not be fitted", problems)
    return fits


def _naming(asset: str, error: CollatriskError) -> list[Problem]:
    found = error.problems or (Problem(asset, "returns", error.title, "use ConstantVolatility() or leave it out"),)
    return [
        problem
        if asset in problem.name
        else Problem(f"{asset}: {problem.name}", problem.value, problem.rule, problem.remedy)
        for problem in found
    ]


def _marginal(asset: str, fit: VolatilityFit) -> Marginal:
    robust = {name: float(value) for name, value in fit.std_errors["robust"].items() if np.isfinite(value)}
    return Marginal(
        asset=asset,
        spec=fit.spec,
        params=fit.params,
        std_errors=robust,
        last_residuals=fit.last_residuals,
        last_variances=fit.last_variances,
        n_obs=fit.n_obs,
        loglikelihood=fit.loglikelihood,
        findings=tuple(replace(f, subject=asset, message=f"{f.subject}: {f.message}") for f in fit.findings),
        uncertainty=fit.uncertainty,
    )
