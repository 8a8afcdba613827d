"""Stressed models: the same market with more volatility, tighter correlation, and crashes that may arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.tightened import tightened
from collatrisk.simulation.jumps import Jump
from collatrisk.simulation.marginals import MOST
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_marginal import AnyMarginal, PegMarginal, check_scale

_TITLE = "stress_model"


def stress_model(
    model: MarketModel,
    *,
    volatility_scale: float | Mapping[str, float] = 1.0,
    initial_volatility: float | Mapping[str, float] | None = None,
    correlation: tuple[float, float] | None = None,
    jumps: Sequence[Jump] = (),
    label: str = "stress",
) -> MarketModel:
    """A new model under stress; the old one is untouched.

    Parameters
    ----------
    volatility_scale : in (0, 1e6], one number or one an asset (1 for those not named); for a peg no more than takes its
        basis 5 a step in logs. Multiplies the next and the
        long-run standard deviation: omega and lagged variances by its square, lagged residuals by itself.
    initial_volatility : in (0, 1e6], one number or one an asset: the multiple of its average volatility at which the
        process starts, in a crisis that then fades (`Marginal.started_at`; a peg starts in its stress with the
        probability that gives the multiple, `PegMarginal.started_at`). None starts where the fit ended.
    correlation : (rho, weight). The stressed matrix is (1 - weight) R + weight E with E the matrix in which every pair
        has correlation rho: a mixture of two correlation matrices is one. weight in [0, 1], -1/(n-1) <= rho <= 1.
        Independent assets become a Gaussian copula.
    jumps : arrivals added to those that the model has.
    label : goes into the provenance and the findings, with every override.

    Returns
    -------
    MarketModel.

    Raises
    ------
    InputError : with all broken rules at once.
    """
    problems = Problems(_TITLE)
    known = isinstance(model, MarketModel)
    problems.check(known, "model", model, "must be a MarketModel", "fit_market(prices) gives one")
    listed = isinstance(jumps, Sequence) and all(isinstance(jump, Jump) for jump in jumps)
    problems.check(listed, "jumps", jumps, "must be a list of Jump", "give [Jump('crash', 1.0, {'ETH': -0.5})]")
    problems.raise_if_any()
    factors = _multiples(problems, "volatility_scale", volatility_scale, model.assets)
    given = {} if initial_volatility is None else initial_volatility
    for marginal in model.marginals:
        if isinstance(marginal, PegMarginal) and marginal.asset in factors:
            check_scale(problems, "volatility_scale", marginal, factors[marginal.asset])
    starts = _multiples(problems, "initial_volatility", given, model.assets)
    said = isinstance(label, str) and bool(label.strip())
    problems.check(said, "label", label, "must say what the stress is", "give it a name")
    for i, jump in enumerate(jumps):
        problems.known(f"jumps[{i}].log_sizes", jump.log_sizes, model.assets)
    if correlation is not None:
        copula = model.dependence.rows is None
        rule = "cannot be moved: rows of history have no correlation to set"
        remedy = "stress volatility or add jumps, or fit a copula (GpdTails keeps the residuals' own law)"
        problems.check(copula, "correlation", correlation, rule, remedy)
        _check_correlation(problems, correlation, model.n_assets)
    problems.raise_if_any()
    stressed = replace(
        model,
        marginals=tuple(_stressed(m, factors.get(m.asset), starts.get(m.asset)) for m in model.marginals),
        dependence=model.dependence if correlation is None else tightened(model.dependence, *correlation),
        jumps=(*model.jumps, *jumps),
    )
    parts = [
        *_volatility_text("volatility x", factors, model.n_assets),
        *_volatility_text("volatility starts at x", starts, model.n_assets),
    ]
    return _on_record(stressed, parts, correlation, jumps, label)


def _multiples(
    problems: Problems, name: str, given: float | Mapping[str, float], assets: tuple[str, ...]
) -> dict[str, float]:
    """Asset -> multiple, for those named or for all."""
    remedy = "1.5 for half as much again"
    if isinstance(given, Mapping):
        problems.known(name, given, assets)
        return {
            asset: problems.number(f"{name}[{asset}]", value, low=0, high=MOST, open_low=True, remedy=remedy)
            for asset, value in given.items()
        }
    return dict.fromkeys(assets, problems.number(name, given, low=0, high=MOST, open_low=True, remedy=remedy))


def _stressed(marginal: AnyMarginal, factor: float | None, start: float | None) -> AnyMarginal:
    scaled = marginal if factor is None or factor == 1.0 else marginal.scaled(factor)
    return scaled if start is None else scaled.started_at(start)


def _check_correlation(problems: Problems, correlation: tuple[float, float], size: int) -> None:
    pair = isinstance(correlation, (tuple, list)) and len(correlation) == 2
    if not problems.check(pair, "correlation", correlation, "must be (rho, weight)", "give (0.95, 0.5)"):
        return
    rho, weight = correlation
    lowest = -1.0 / (size - 1) if size > 1 else -1.0
    remedy = (
        f"{size} assets cannot all have less" if isinstance(rho, float) and rho < 0 else "0.95 is nearly one market"
    )
    problems.number("correlation rho", rho, low=lowest, high=1.0, remedy=remedy)
    problems.number("correlation weight", weight, low=0.0, high=1.0, remedy="0 keeps the model's, 1 takes rho for all")


def _volatility_text(what: str, multiples: Mapping[str, float], n_assets: int) -> list[str]:
    moved = {asset: multiple for asset, multiple in multiples.items() if multiple != 1.0}
    if not moved:
        return []
    one = len(multiples) == n_assets and len(set(multiples.values())) == 1
    return [what + (f"{next(iter(moved.values())):g}" if one else ", ".join(f" {a} {x:g}" for a, x in moved.items()))]


def _on_record(
    model: MarketModel,
    volatilities: Sequence[str],
    correlation: tuple[float, float] | None,
    jumps: Sequence[Jump],
    label: str,
) -> MarketModel:
    """Every override is written where reports show it."""
    parts = list(volatilities)
    if correlation is not None:
        parts.append(f"correlation moved to {correlation[0]:g} with weight {correlation[1]:g}")
    parts += [f"jump {jump.label!r} {jump.intensity_per_year:g} a year" for jump in jumps]
    text = f"{label}: {'; '.join(parts) or 'nothing changed'}"
    before = model.provenance.get("stress")
    provenance = {**model.provenance, "stress": f"{before} | {text}" if before else text}
    finding = Finding("stressed-model", "info", label, f"parameters were overridden by a stress, not fitted: {text}")
    return replace(model, provenance=provenance, findings=(*model.findings, finding))
