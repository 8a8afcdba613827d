"""From prices to a market model: align, fit each asset, transform to uniforms, fit the dependence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from collatrisk.base.errors import CollatriskError, DataError, FitError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.base.version import __version__
from collatrisk.dependence.dynamic_specs import FEW_ASSETS, Dcc, EwmaCorrelation
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.historical import FilteredHistorical, fit_history
from collatrisk.dependence.specs import (
    DependenceSpec,
    GaussianCopula,
    GroupedTCopula,
    Independent,
    StudentTCopula,
)
from collatrisk.market.clock import Clock
from collatrisk.simulation.first_step import first_step
from collatrisk.simulation.joint_errors import joint_uncertainties
from collatrisk.simulation.jump_estimate import jumps_of
from collatrisk.simulation.jump_fit import JumpFit, Jumps
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_fits import check_pegs, fit_pegs
from collatrisk.simulation.peg_marginal import AnyMarginal, PegMarginal
from collatrisk.simulation.residuals import innovation_law, named, residual_rows, season_of_each, with_forecast_findings
from collatrisk.simulation.uniforms import MARGINS, Margins, clock_findings, to_uniforms
from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.peg_fit import PegFit
from collatrisk.volatility.peg_spec import Peg
from collatrisk.volatility.season import HourOfWeek, SeasonFit
from collatrisk.volatility.specs import Garch, VolatilitySpec, is_spec
from collatrisk.volatility.tail_law import InnovationLaw
from collatrisk.volatility.tails import GpdTails, TailFit, fit_tails

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.likelihood import Presample

History: TypeAlias = Literal["common", "own"]
Innovations: TypeAlias = GpdTails | Mapping[str, GpdTails | None] | None

ANY_ASSET = "*"
_HISTORIES = ("common", "own")
_GARCH = Garch()
_STUDENT = StudentTCopula()
_TITLE = "fit_market"


def fit_market(
    prices: pd.DataFrame,
    *,
    volatility: VolatilitySpec | Peg | Mapping[str, VolatilitySpec | Peg] | None = None,
    innovations: Innovations = None,
    season: HourOfWeek | None = None,
    jumps: Jumps | None = None,
    dependence: DependenceSpec = _STUDENT,
    clock: Clock | str | None = None,
    presample: Presample = "mean_square",
    history: History = "common",
    margins: Margins = "law",
    source: str = "prices given as a DataFrame",
    created: str | None = None,
) -> MarketModel:
    """Fit a market model: volatility of each asset, then the law and the dependence of their standardised residuals.

    In steps (inference functions for margins, Joe 1997): the copula is fitted to F_i(z_it), F_i the law fitted to the
    standardised residuals of asset i, or to their ranks. Its standard errors take those uniforms as given; those of a
    `Dcc` with uniforms by the specs' laws allow for the first step (up to 20 assets).

    Parameters
    ----------
    prices : DataFrame, dates in order, one column an asset, > 0. Rows on which any asset has no price are dropped with
        a finding for each such asset; nothing is filled.
    volatility : one spec for all assets, or ``{"ETH": Garch(), "USDC": Peg(), "STETH": Peg(underlying="ETH"), "*":
        Garch()}`` where ``"*"`` is for those not named. Pegs are fitted after the others, to prices. None: `Garch()`;
        where the innovations come from the residuals, `Garch(dist="normal")`, whose quasi-likelihood is consistent
        whatever their law.
    innovations : `GpdTails()`, for all assets or by name as `volatility`: the law of the residuals gets an empirical
        centre and generalised Pareto tails, and joins any copula. None: the law of the spec. Pegs keep their own.
    season : `HourOfWeek()` takes the season of the week out of each asset's returns before the fit; the paths put it
        back by the clock. A 24/7 clock only.
    jumps : `Jumps()` takes out of each asset's returns what stands out of its local volatility, estimates arrivals and
        sizes (see `fit_jumps`), and puts them into the model, compensated. Pegs have none. Not with a season.
    dependence : a copula, or `FilteredHistorical()`: rows of residuals are drawn as they are, without copula or law.
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

    _check_arguments(dependence, innovations, season, jumps, history, margins)
    used_clock = resolve_clock(prices, clock)
    aligned, alignment = align_prices(prices, how="intersection")
    names = [str(name) for name in aligned.columns]
    drawn = isinstance(dependence, FilteredHistorical)
    usual = Garch(dist="normal") if drawn or innovations is not None else _GARCH
    specs = spec_of_each(usual if volatility is None else volatility, names)
    laws = _laws_of_each(innovations, names)
    returns = log_returns(aligned)
    series = {asset: returns[asset] for asset in specs}
    if history == "own":
        series = _own_returns(ordered_prices(prices, _TITLE).loc[: aligned.index[-1]])
    pegs = {asset: spec for asset, spec in specs.items() if isinstance(spec, Peg)}
    moving = {asset: spec for asset, spec in specs.items() if not isinstance(spec, Peg)}
    seasons = season_of_each({asset: series[asset] for asset in moving}, season, used_clock)
    series = {asset: seasons[asset].returns if asset in seasons else one for asset, one in series.items()}
    jumped = _jumps_of(jumps, {asset: series[asset] for asset in moving}, moving, used_clock, presample)
    free = fit_each(series, moving, presample) if jumped is None else dict(jumped.fits)
    # With an AR(1) mean the first return has no residual.
    dates = {asset: one.index[one.size - free[asset].n_obs :] for asset, one in series.items() if asset in free}
    tails = {asset: fit_tails(named(free[asset], asset), law) for asset, law in laws.items() if asset in free}
    known = ordered_prices(prices, _TITLE).loc[: aligned.index[-1]] if history == "own" else aligned
    held, steps = fit_pegs(known, pegs, free, dates, used_clock)
    fits: dict[str, VolatilityFit | PegFit] = {asset: held[asset] if asset in held else free[asset] for asset in specs}
    dates |= steps
    common = returns.index[returns.index >= max(one[0] for one in dates.values())]
    assets = tuple(fits)
    if isinstance(dependence, FilteredHistorical):
        transformed: list[Finding] = []
        rows = residual_rows(fits, dates, common)
        joint = fit_history(rows, dependence, assets=assets)
    else:
        uniforms, transformed = to_uniforms(fits, dates, common, margins, tails)
        by_law = margins == "law" and not tails and isinstance(dependence, Dcc)
        before = first_step(fits, dates, common) if by_law and len(assets) <= FEW_ASSETS else None
        joint = fit_dependence(uniforms, dependence, assets=assets, first_step=before)
    errors = joint_uncertainties(fits, dates, common)
    laws_of = {asset: innovation_law(asset, tails, joint) for asset in fits}
    joint_text = _DEPENDENCE_TEXT[type(dependence)]
    texts = {
        "source": source,
        "prices_sha256": frame_hash(prices),
        "first": str(aligned.index[0].date()),
        "last": str(aligned.index[-1].date()),
        "n_obs": str(len(returns)),
        "estimator": f"maximum likelihood, presample {presample}, {history} history; "
        + _how(joint_text, margins, innovations, season, jumps, drawn),
        "collatrisk": __version__,
        "numpy": np.__version__,
        "arch": _arch_version(),
    }
    if created is not None:
        texts["created"] = created
    return MarketModel(
        assets=assets,
        spot=aligned.to_numpy(dtype=np.float64)[-1],
        clock=used_clock,
        marginals=tuple(
            _marginal(asset, fit, laws_of[asset], tails.get(asset), seasons.get(asset), errors.get(asset))
            for asset, fit in fits.items()
        ),
        dependence=joint,
        provenance=texts,
        jumps=() if jumped is None else jumped.jumps,
        findings=(
            *alignment,
            *clock_findings(aligned, used_clock),
            *transformed,
            *(() if jumped is None else jumped.findings),
        ),
    )


def _jumps_of(
    jumps: Jumps | None,
    series: Mapping[str, pd.Series],
    specs: Mapping[str, VolatilitySpec],
    clock: Clock,
    presample: Presample,
) -> JumpFit | None:
    """The jumps of the assets that are no pegs, with the volatilities of what is left."""
    if jumps is None:
        return None
    problems = Problems(_TITLE)
    lagging = [asset for asset, spec in specs.items() if spec.mean == "ar1"]
    rule = f"are found around a constant mean, but {', '.join(lagging)} has an AR(1)"
    problems.check(not lagging, "jumps", jumps, rule, "use mean='constant', or jumps=None")
    problems.raise_if_any()

    def fit(some: Mapping[str, pd.Series]) -> dict[str, VolatilityFit]:
        return fit_each(some, {asset: specs[asset] for asset in some}, presample)

    return jumps_of(series, jumps, clock, fit)


@lru_cache
def _arch_version() -> str:
    return version("arch")


_DEPENDENCE_TEXT: dict[type, str] = {
    Independent: "no dependence",
    GaussianCopula: "Gaussian copula by the correlation of normal scores",
    StudentTCopula: "t copula by Kendall's tau and maximum likelihood in nu",
    GroupedTCopula: "grouped t copula by Kendall's tau and maximum likelihood in each nu",
    Dcc: "dynamic conditional correlation, targets by moments, a and b by maximum likelihood",
    EwmaCorrelation: "exponentially weighted correlation",
    FilteredHistorical: "rows of residuals",
}


def _how(
    joint: str,
    margins: Margins,
    innovations: Innovations,
    season: HourOfWeek | None,
    jumps: Jumps | None,
    drawn: bool,
) -> str:
    """The end of the estimator's line: what came after the volatilities."""
    parts = [joint if drawn else f"{joint}, {margins} margins"]
    if innovations is not None:
        parts.append("innovations with generalised Pareto tails by maximum likelihood")
    if season is not None:
        parts.append("season of the week taken out")
    if jumps is not None:
        parts.append(f"jumps beyond {jumps.threshold:g} local sd taken out")
    return "; ".join(parts)


def _check_arguments(
    dependence: object, innovations: object, season: object, jumps: object, history: object, margins: object
) -> None:
    problems = Problems(_TITLE)
    known = jumps is None or isinstance(jumps, Jumps)
    problems.check(known, "jumps", jumps, "must be a Jumps or None", "give Jumps()")
    rule = "cannot go with a season yet: sizes would be in units of the season"
    problems.check(jumps is None or season is None, "jumps", jumps, rule, "leave one out")
    lone = innovations is None or not isinstance(dependence, FilteredHistorical)
    rule = "brings its own innovations: the rows of history"
    problems.check(lone, "dependence", dependence, rule, "leave innovations out, or use a copula")
    fair = season is None or isinstance(season, HourOfWeek)
    problems.check(fair, "season", season, "must be an HourOfWeek or None", "give HourOfWeek()")
    fits = type(dependence) in _DEPENDENCE_TEXT
    problems.check(fits, "dependence", dependence, "must be a dependence spec", "use StudentTCopula()")
    problems.choice("history", history, _HISTORIES)
    problems.choice("margins", margins, MARGINS)
    problems.raise_if_any()


def spec_of_each(
    volatility: VolatilitySpec | Peg | Mapping[str, VolatilitySpec | Peg], assets: list[str]
) -> dict[str, VolatilitySpec | Peg]:
    problems = Problems(_TITLE)
    chosen: dict[str, VolatilitySpec | Peg] = {}
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
    wrong = [(asset, spec) for asset, spec in chosen.items() if not (is_spec(spec) or isinstance(spec, Peg))]
    for asset, bad in wrong if isinstance(volatility, Mapping) else wrong[:1]:
        name = f"volatility[{asset}]" if isinstance(volatility, Mapping) else "volatility"
        problems.add(name, bad, "must be a volatility spec or a Peg", "give Garch(), for example")
    check_pegs(problems, {asset: spec for asset, spec in chosen.items() if isinstance(spec, Peg)}, assets)
    problems.raise_if_any()
    return chosen


def _laws_of_each(innovations: Innovations, assets: list[str]) -> dict[str, GpdTails]:
    """The asked law of the assets that shall have one."""
    problems = Problems(_TITLE)
    if isinstance(innovations, Mapping):
        problems.known("innovations", innovations, [*assets, ANY_ASSET])
        chosen = {asset: innovations.get(asset, innovations.get(ANY_ASSET)) for asset in assets}
    else:
        chosen = dict.fromkeys(assets, innovations)
    for asset, law in chosen.items():
        fair = law is None or isinstance(law, GpdTails)
        problems.check(fair, f"innovations[{asset}]", law, "must be a GpdTails or None", "give GpdTails()")
    problems.raise_if_any()
    return {asset: law for asset, law in chosen.items() if law is not None}


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


def fit_each(
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


def _marginal(
    asset: str,
    fit: VolatilityFit | PegFit,
    law: InnovationLaw | None,
    tails: TailFit | None,
    season: SeasonFit | None,
    errors: ParameterUncertainty | None,
) -> AnyMarginal:
    if isinstance(fit, PegFit):
        return PegMarginal.of(asset, fit)
    robust = {name: float(value) for name, value in fit.std_errors["robust"].items() if np.isfinite(value)}
    found = [*fit.findings, *(tails.findings if tails else ()), *(season.findings if season else ())]
    marginal = Marginal(
        asset=asset,
        spec=fit.spec,
        params=fit.params,
        std_errors=robust,
        last_residuals=fit.last_residuals,
        last_variances=fit.last_variances,
        n_obs=fit.n_obs,
        # The density of r = s x is that of x over s.
        loglikelihood=fit.loglikelihood - (season.log_scale if season else 0.0),
        findings=tuple(finding.of_part(asset) for finding in found),
        uncertainty=errors,
        innovations=law,
        season=season.season if season else None,
        last_return=float(fit.returns[-1]) if fit.spec.mean == "ar1" else None,
        sample_volatility=math.sqrt(float(np.mean((fit.std_resid * fit.conditional_volatility) ** 2))),
    )
    return with_forecast_findings(marginal)
