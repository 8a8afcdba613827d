"""`calibrate_impact`: an impact law from a depth table, or from returns and signed volumes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.liquidation.impact_fit.decay import DecayFit, fit_decay
from collatrisk.liquidation.impact_fit.laws import HIGHEST, LOWEST, LawFit, fit_laws
from collatrisk.liquidation.impact_fit.result import ImpactFit
from collatrisk.liquidation.impact_fit.sample import Sample, depth_sample, trades_sample

if TYPE_CHECKING:
    import pandas as pd

_POOR_R2 = 0.1
_FEW_QUOTES = 8
_SPARSE = 0.02
_LEAD = 0.1
_STAYS = 0.9


def calibrate_impact(
    *,
    depth: pd.DataFrame | Mapping[str, object] | None = None,
    trades: pd.DataFrame | Mapping[str, object] | None = None,
    average: bool = False,
    lags: int = 10,
    step_days: float = 1.0 / 1440.0,
    test_share: float = 0.3,
    seed: int = 0,
) -> ImpactFit:
    """Fit linear, square-root and power laws of price impact, and say how good they are.

    Parameters
    ----------
    depth : quotes with columns ``size`` (value sold, currency, > 0) and ``move`` (relative fall of the price, >= 0).
    trades : steps in order of time with columns ``return`` (of the step, relative) and ``volume`` (value, currency,
        purchases positive, sales negative). Exactly one of `depth` and `trades` is given.
    average : whether moves of `depth` are average slippage over the size, rather than where the price ends.
    lags : steps after which the decay of trades is still looked for, >= 1. step_days : days in a step of trades.
    test_share : the last part of the trades, kept out of the fit for testing, (0, 1). Depth is tested on each tenth in
        turn. seed : of the bootstrap.

    Returns
    -------
    ImpactFit. Intervals are from a bootstrap of blocks in time (of single quotes for depth).

    Raises
    ------
    InputError : with all broken rules at once: columns that lack, rows without a price, sizes that are no amounts.
    """
    problems = Problems("calibrate_impact")
    one = (depth is None) != (trades is None)
    given = "none" if depth is None else "both"
    problems.check(one, "depth, trades", given, "exactly one must be given", "fit each by itself")
    lags = problems.integer("lags", lags, low=1, remedy="give 10")
    problems.number("step_days", step_days, low=0, open_low=True, remedy="give 1 / 1440 for minutes")
    share = {"low": 0.0, "high": 1.0, "open_low": True, "open_high": True}
    problems.number("test_share", test_share, remedy="give 0.3", **share)  # type: ignore[arg-type]
    seed = problems.integer("seed", seed, low=0, high=2**64 - 1, remedy="any whole number, 0 for example")
    average_holds = trades is None or not average
    problems.check(average_holds, "average", average, "is for depth only", "returns of trades are where the price ends")
    problems.raise_if_any()
    sample = depth_sample(depth) if depth is not None else trades_sample(trades if trades is not None else {}, lags)
    laws: dict[str, LawFit] = {fit.law: fit for fit in fit_laws(sample, test_share, seed)}
    best = min(laws, key=lambda name: _or_inf(laws[name].test_rmse))
    fitted = sample.kind == "trades" and laws[best].typical_move.value > 0.0
    decay = fit_decay(sample, laws[best].exponent.value, lags, step_days, seed) if fitted else None
    findings = _findings(sample, laws[best], decay)
    return ImpactFit(sample.kind, sample.size, laws, best, decay, not average, findings)


def _or_inf(number: float) -> float:
    return math.inf if math.isnan(number) else number


def _findings(sample: Sample, best: LawFit, decay: DecayFit | None) -> tuple[Finding, ...]:
    found: list[Finding] = []

    def note(holds: bool, code: str, severity: str, message: str) -> None:
        if holds:
            found.append(Finding(code, severity, best.law, message))  # type: ignore[arg-type]

    tested = best.test_r_squared
    text = f"out of sample the law explains {tested:.1%} of the variance"
    note(not tested >= _POOR_R2, "poor-fit", "warning", f"{text}; read it as an order of magnitude")
    note(best.coefficient.value <= 0, "wrong-sign", "error", "prices rise while it is sold: no impact law can be used")
    low, high = best.exponent.ci()
    bound = best.law == "power" and (low <= LOWEST or high >= HIGHEST)
    text = f"its interval [{low:.3g}, {high:.3g}] reaches the end of what is searched"
    note(bound, "exponent-on-bound", "warning", f"{text}; give a wider range of amounts")
    if sample.kind == "depth":
        few = f"{sample.size} quotes give bootstrap intervals that are too narrow; give {_FEW_QUOTES} or more"
        note(sample.size < _FEW_QUOTES, "few-quotes", "warning", few)
        return tuple(found)
    active = float(np.mean(sample.amounts != 0.0))
    text = f"{active:.2%} of steps have volume"
    note(active < _SPARSE, "sparse", "warning", f"{text}; a few of them decide the fit")
    if decay is not None:
        lead, (low, _) = decay.lead.value, decay.lead.ci()
        text = f"prices move {lead:.0%} of the impact one step before the volume, which follows them too"
        note(lead > _LEAD and low > 0, "feedback", "warning", f"{text}; the coefficient is an upper bound of impact")
        stays = float(decay.response[-1])
        text = f"{stays:.0%} of the move is still there after {decay.response.size - 1} steps"
        note(stays > _STAYS, "no-decay", "info", f"{text}; the half-life says little")
    return tuple(found)
