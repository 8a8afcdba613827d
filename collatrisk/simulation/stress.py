"""Stressed models: the same market with more volatility, tighter correlation, and crashes that may arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import equicorrelation
from collatrisk.dependence.result import DependenceFit
from collatrisk.dependence.specs import GaussianCopula, Independent
from collatrisk.simulation.model import Jump, MarketModel

_TITLE = "stress_model"


def stress_model(
    model: MarketModel,
    *,
    volatility_scale: float | Mapping[str, float] = 1.0,
    correlation: tuple[float, float] | None = None,
    jumps: Sequence[Jump] = (),
    label: str = "stress",
) -> MarketModel:
    """A new model under stress; the old one is untouched.

    Parameters
    ----------
    volatility_scale : > 0, one number or one an asset (1 for those not named). Multiplies the next and the long-run
        standard deviation: omega and lagged variances by its square, lagged residuals by itself.
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
    named = isinstance(volatility_scale, Mapping)
    scales = dict(volatility_scale) if isinstance(volatility_scale, Mapping) else {}
    problems.known("volatility_scale", scales, model.assets)
    factors = [
        problems.number(
            f"volatility_scale[{asset}]" if named else "volatility_scale",
            scales.get(asset, 1.0) if named else volatility_scale,
            low=0,
            open_low=True,
            remedy="1.5 for half as much again",
        )
        for asset in model.assets[: None if named else 1]
    ]
    if not named:
        factors *= model.n_assets
    problems.check(bool(label.strip()), "label", label, "must say what the stress is", "give it a name")
    for i, jump in enumerate(jumps):
        problems.known(f"jumps[{i}].log_sizes", jump.log_sizes, model.assets)
    if correlation is not None:
        _check_correlation(problems, correlation, model.n_assets)
    problems.raise_if_any()
    stressed = replace(
        model,
        marginals=tuple(m.scaled(factor) for m, factor in zip(model.marginals, factors, strict=True)),
        dependence=model.dependence if correlation is None else _tightened(model.dependence, *correlation),
        jumps=(*model.jumps, *jumps),
    )
    return _on_record(stressed, dict(zip(model.assets, factors, strict=True)), correlation, jumps, label)


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


def _tightened(dependence: DependenceFit, rho: float, weight: float) -> DependenceFit:
    if weight == 0.0 or len(dependence.assets) < 2:
        return dependence
    target = equicorrelation(len(dependence.assets), rho)
    mixed = (1.0 - weight) * dependence.correlation + weight * target
    np.fill_diagonal(mixed, 1.0)
    spec = GaussianCopula() if isinstance(dependence.spec, Independent) else dependence.spec
    return replace(dependence, spec=spec, correlation=mixed, loglikelihood=None)


def _on_record(
    model: MarketModel,
    factors: Mapping[str, float],
    correlation: tuple[float, float] | None,
    jumps: Sequence[Jump],
    label: str,
) -> MarketModel:
    """Every override is written where reports show it."""
    parts = []
    moved = {asset: factor for asset, factor in factors.items() if factor != 1.0}
    if moved:
        one = len(set(factors.values())) == 1
        shown = f"{next(iter(moved.values())):g}" if one else ", ".join(f"{a} {x:g}" for a, x in moved.items())
        parts.append(f"volatility x {shown}")
    if correlation is not None:
        parts.append(f"correlation moved to {correlation[0]:g} with weight {correlation[1]:g}")
    parts += [f"jump {jump.label!r} {jump.intensity_per_year:g} a year" for jump in jumps]
    text = f"{label}: {'; '.join(parts) or 'nothing changed'}"
    before = model.provenance.get("stress")
    provenance = {**model.provenance, "stress": f"{before} | {text}" if before else text}
    finding = Finding("stressed-model", "info", label, f"parameters were overridden by a stress, not fitted: {text}")
    return replace(model, provenance=provenance, findings=(*model.findings, finding))
