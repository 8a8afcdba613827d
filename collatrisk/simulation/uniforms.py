"""Between volatility and dependence: residuals to uniforms, and what the dates say of the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from collatrisk.base.findings import Finding
from collatrisk.market.clock import Clock
from collatrisk.simulation.common_dates import places_of
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.peg_fit import PegFit

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit
    from collatrisk.volatility.tails import TailFit

FloatArray = NDArray[np.float64]
Margins: TypeAlias = Literal["law", "ranks"]

MARGINS = ("law", "ranks")
_EDGE = 1e-15
_REJECT = 0.01


def to_uniforms(
    fits: Mapping[str, VolatilityFit | PegFit],
    dates: Mapping[str, pd.Index],
    common: pd.Index,
    margins: Margins,
    tails: Mapping[str, TailFit],
) -> tuple[FloatArray, list[Finding]]:
    """The standardised residuals of the common dates as uniforms, and which assets' law they contradict.

    Parameters
    ----------
    fits : one fit an asset.
    dates : the dates of each fit's returns.
    common : the dates to use, n_obs of them; each in all of `dates`.
    tails : of the assets whose law is semiparametric: F_i is theirs.
    margins : ``"law"``: F_i(z), kept inside [1e-15, 1 - 1e-15]; ``"ranks"``: (average rank - 1/2) / n_obs.

    Returns
    -------
    float64 (n_obs, n_assets) in (0, 1), and findings ``"residual-beyond-law"`` and ``"pit-not-uniform"``.
    """
    columns: list[FloatArray] = []
    findings: list[Finding] = []
    for asset, fit in fits.items():
        if asset in tails:
            law = tails[asset].uniforms
        else:
            law = _by_law(fit)
            findings += _law_findings(asset, fit, law, margins)
        places = places_of(common, dates[asset])
        if margins == "law":
            columns.append(np.clip(law[places], _EDGE, 1.0 - _EDGE))
        else:
            columns.append(_ranks(fit.std_resid[places]))
    return np.ascontiguousarray(np.column_stack(columns)), findings


def _by_law(fit: VolatilityFit | PegFit) -> FloatArray:
    """Ranks of the residuals in the fitted law; of a peg, of each step in its predictive law."""
    if isinstance(fit, PegFit):
        return fit.uniforms
    return np.asarray(cdf(fit.spec.dist, fit.std_resid, fit.nu, fit.lam), dtype=np.float64)


def _ranks(values: FloatArray) -> FloatArray:
    """(average rank - 1/2) / n."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return np.asarray((below + not_above) / (2.0 * len(values)))


def _law_findings(asset: str, fit: VolatilityFit | PegFit, law: FloatArray, margins: Margins) -> list[Finding]:
    findings = []
    effect = "ranks keep the copula free of it" if margins == "ranks" else "it bends the copula's nu too"
    outside = int(np.sum((law < _EDGE) | (law > 1.0 - _EDGE)))
    if outside:
        message = (
            f"{outside} standardised residuals are beyond what the fitted {fit.spec.dist} law can produce (chance "
            f"below {_EDGE:g}); {effect}; use dist='t', or look at the prices"
        )
        findings.append(Finding("residual-beyond-law", "warning", asset, message))
    n_obs = len(law)
    ordered = np.sort(law)
    steps = np.arange(n_obs + 1) / n_obs
    distance = float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))
    chance = float(kolmogorov(math.sqrt(n_obs) * distance))
    if chance < _REJECT:
        message = (
            f"the residuals do not follow the fitted {fit.spec.dist} law (Kolmogorov-Smirnov distance {distance:.3f}, "
            f"p-value {chance:.2g}, rule: >= {_REJECT}); {effect}; use another law, or margins='ranks' for the copula"
        )
        findings.append(Finding("pit-not-uniform", "warning", asset, message))
    return findings


def clock_findings(aligned: pd.DataFrame, clock: Clock) -> list[Finding]:
    """Common dates that do not follow the clock used, and returns that span more than one of its steps."""
    from collatrisk.market.patterns import asset_patterns, common_kind

    findings = []
    kind, _ = common_kind(asset_patterns(aligned))
    if kind not in {None, clock.kind}:
        message = (
            f"the common dates follow a {kind} pattern but the clock is {clock.kind}: its steps and years do not fit "
            f"them, and annualised figures are off; use clock={kind!r}"
        )
        findings.append(Finding("clock-mismatch", "warning", "clock", message))
    if clock.kind == "business" and clock.steps_per_day > 1:
        return findings  # the session's hours are not known, so neither is a step's end
    places = clock.expected_index(aligned.index[0], aligned.index[-1]).get_indexer(aligned.index)
    spans = np.diff(places[places >= 0])
    if spans.size and spans.max() > 1:
        message = (
            f"{int(np.sum(spans > 1))} of {len(aligned) - 1} returns span more than one step of the {clock.kind} clock "
            f"(the longest {int(spans.max())}), used as one step; give the clock its holidays or a fuller history"
        )
        findings.append(Finding("long-steps", "info", "clock", message))
    return findings
