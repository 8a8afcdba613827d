"""One-step forecasts of variance, VaR and ES by a realised model, refitted through time on a rolling window."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from collatrisk.base.errors import CollatriskError
from collatrisk.base.findings import Finding
from collatrisk.volatility.distributions import ppf, tail_mean
from collatrisk.volatility.one_step import OneStep
from collatrisk.volatility.realized import RealizedFit, fit_realized
from collatrisk.volatility.realized_specs import RealizedSpec


def realized_one_step(
    name: str,
    returns: pd.Series,
    measure: pd.Series,
    spec: RealizedSpec,
    *,
    window: int,
    refit_every: int,
    level: float,
) -> OneStep:
    """Rolling one-step forecasts: parameters of the last refit, run on over the measures since."""
    r, x = returns.to_numpy(dtype=np.float64), measure.to_numpy(dtype=np.float64)
    ahead = r.size - window
    mean, variance, quantile, beyond = (np.full(ahead, np.nan) for _ in range(4))
    before: RealizedFit | None = None
    failed: list[str] = []
    reason, tail = "", 1.0 - level
    for begin in range(0, ahead, refit_every):
        end = min(begin + refit_every, ahead)
        here = slice(begin, end)
        try:
            fit = fit_realized(r[begin : begin + window], x[begin : begin + window], spec, start=before)
            variance[here] = fit.run_on(x[begin + window : end + window])
        except CollatriskError as error:
            failed.append(str(returns.index[begin + window - 1]))
            reason = reason or str(error)
            continue
        before = fit
        mean[here] = fit.params["mu"]
        quantile[here] = float(ppf(spec.dist, tail, fit.nu, fit.lam))
        beyond[here] = tail_mean(spec.dist, tail, fit.nu, fit.lam)
    findings: tuple[Finding, ...] = ()
    if failed:
        text = f"{len(failed)} of {math.ceil(ahead / refit_every)} refits failed: {reason}"
        findings = (Finding("not-fitted", "error", name, text, (*failed[:5],)),)
    sd = np.sqrt(variance)
    return OneStep(mean, variance, -(mean + sd * quantile), -(mean + sd * beyond), findings)
