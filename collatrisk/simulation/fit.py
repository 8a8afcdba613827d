"""From prices to a market model: align, fit each asset, transform to uniforms, fit the dependence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collatrisk import __version__
from collatrisk.base.errors import CollatriskError, DataError, FitError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.fit import fit_dependence
from collatrisk.dependence.specs import DependenceSpec, GaussianCopula, Independent, StudentTCopula
from collatrisk.market.clock import Clock
from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.model import MarketModel
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.specs import Garch, VolatilitySpec

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.likelihood import Presample

FloatArray = NDArray[np.float64]

ANY_ASSET = "*"
_GARCH = Garch()
_STUDENT = StudentTCopula()
_TITLE = "fit_market"
_EDGE = 1e-15


def fit_market(
    prices: pd.DataFrame,
    *,
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec] = _GARCH,
    dependence: DependenceSpec = _STUDENT,
    clock: Clock | str | None = None,
    presample: Presample = "mean_square",
    source: str = "prices given as a DataFrame",
    created: str | None = None,
) -> MarketModel:
    """Fit a market model: volatility of each asset, then the dependence of their standardised residuals.

    Two steps (inference functions for margins, Joe 1997): the copula is fitted to F_i(z_it), F_i the law fitted to the
    standardised residuals of asset i. Its standard errors take those uniforms as given.

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
    from collatrisk.market.patterns import resolve_clock
    from collatrisk.market.provenance import frame_hash
    from collatrisk.market.returns import log_returns

    used_clock = resolve_clock(prices, clock)
    aligned, alignment = align_prices(prices, how="intersection")
    specs = _spec_of_each(volatility, dependence, [str(name) for name in aligned.columns])
    returns = log_returns(aligned)
    fits = _fit_each(returns, specs, presample)
    uniforms, clipped = _uniforms(fits)
    assets = tuple(fits)
    joint = fit_dependence(uniforms, dependence, assets=assets)
    joint_text = _DEPENDENCE_TEXT[type(dependence)]
    texts = {
        "source": source,
        "prices_sha256": frame_hash(prices),
        "first": str(aligned.index[0].date()),
        "last": str(aligned.index[-1].date()),
        "n_obs": str(len(returns)),
        "estimator": f"maximum likelihood (arch, polished), presample {presample}; {joint_text}",
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
        findings=(*alignment, *_clock_findings(prices, aligned, used_clock), *clipped),
    )


_DEPENDENCE_TEXT: dict[type, str] = {
    Independent: "no dependence",
    GaussianCopula: "Gaussian copula by the correlation of normal scores",
    StudentTCopula: "t copula by Kendall's tau and maximum likelihood in nu",
}


def _spec_of_each(
    volatility: VolatilitySpec | Mapping[str, VolatilitySpec], dependence: DependenceSpec, assets: list[str]
) -> dict[str, VolatilitySpec]:
    problems = Problems(_TITLE)
    fits = type(dependence) in _DEPENDENCE_TEXT
    problems.check(fits, "dependence", dependence, "must be a dependence spec", "use StudentTCopula()")
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
    problems.raise_if_any()
    return chosen


def _fit_each(
    returns: pd.DataFrame, specs: Mapping[str, VolatilitySpec], presample: Presample
) -> dict[str, VolatilityFit]:
    """Every asset's fit; what fails is collected, so that one run tells of all."""
    from collatrisk.volatility.fit import fit_volatility

    fits: dict[str, VolatilityFit] = {}
    failures: list[CollatriskError] = []
    problems: list[Problem] = []
    for asset, spec in specs.items():
        try:
            fits[asset] = fit_volatility(returns[asset], spec, presample=presample)
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
    )


def _uniforms(fits: Mapping[str, VolatilityFit]) -> tuple[FloatArray, list[Finding]]:
    """F_i(z_it) of each asset, kept off 0 and 1, where a quantile would be infinite."""
    columns, findings = [], []
    for asset, fit in fits.items():
        column = np.asarray(cdf(fit.spec.dist, fit.std_resid, fit.nu, fit.lam), dtype=np.float64)
        outside = int(np.sum((column < _EDGE) | (column > 1.0 - _EDGE)))
        if outside:
            message = (
                f"{outside} standardised residuals are beyond what the fitted {fit.spec.dist} law can produce (chance "
                f"below {_EDGE:g}); they enter the copula at that chance; use dist='t' or look at the prices"
            )
            findings.append(Finding("residual-beyond-law", "warning", asset, message))
        columns.append(np.clip(column, _EDGE, 1.0 - _EDGE))
    return np.ascontiguousarray(np.column_stack(columns)), findings


def _clock_findings(prices: pd.DataFrame, aligned: pd.DataFrame, clock: Clock) -> list[Finding]:
    """Assets of another clock than the one used, and returns that span more than one of its steps."""
    from collatrisk.market.frames import ordered_prices
    from collatrisk.market.patterns import asset_patterns

    findings = []
    kinds = {asset: found.kind for asset, found in asset_patterns(ordered_prices(prices, _TITLE)).items()}
    others = {asset: kind for asset, kind in kinds.items() if kind not in {None, clock.kind}}
    for asset, kind in others.items():
        message = (
            f"prices follow a {kind} pattern but the model's clock is {clock.kind}: returns run between common dates, "
            "and moves while another market was closed fall into its next step"
        )
        findings.append(Finding("mixed-clocks", "warning", asset, message))
    places = clock.expected_index(aligned.index[0], aligned.index[-1]).get_indexer(aligned.index)
    spans = np.diff(places[places >= 0])
    if spans.size and spans.max() > 1:
        message = (
            f"{int(np.sum(spans > 1))} of {len(aligned) - 1} returns span more than one step of the {clock.kind} clock "
            f"(the longest {int(spans.max())}), used as one step; give the clock its holidays or a fuller history"
        )
        findings.append(Finding("long-steps", "info", "clock", message))
    return findings
