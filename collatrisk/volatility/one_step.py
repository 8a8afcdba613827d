"""One-step forecasts of variance, VaR and ES by one spec, refitted through time on a rolling window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collatrisk.base.errors import CollatriskError
from collatrisk.base.findings import Finding
from collatrisk.volatility.bootstrap import is_fast
from collatrisk.volatility.distributions import Array, ppf, tail_mean
from collatrisk.volatility.fit import VolatilityFit, fit_volatility
from collatrisk.volatility.likelihood import Presample
from collatrisk.volatility.rolling import rolling_fit
from collatrisk.volatility.specs import Garch, VolatilitySpec


@dataclass(frozen=True, slots=True, eq=False)
class OneStep:
    """Forecasts of each return after the first window, from the returns before it.

    Attributes
    ----------
    mean, variance : (n_forecasts,) of the return. var, es : (n_forecasts,) positive losses at the level. nan where the
        last refit failed.
    findings : what the refits noticed.
    """

    mean: Array
    variance: Array
    var: Array
    es: Array
    findings: tuple[Finding, ...]


def one_step(
    name: str,
    returns: pd.Series,
    spec: VolatilitySpec,
    *,
    window: int,
    refit_every: int,
    level: float,
    presample: Presample,
) -> OneStep:
    """Rolling one-step forecasts: parameters of the last refit, run on over the returns since."""
    if isinstance(spec, Garch) and is_fast(spec):
        fits = rolling_fit(returns, spec, window=window, refit_every=refit_every, presample=presample)
        table = fits.params.to_numpy(dtype=np.float64)
        names = list(fits.params.columns)
        rows = [dict(zip(names, row, strict=True)) for row in table.tolist()]
        variance = fits.variance_forecast.to_numpy(dtype=np.float64)
        findings = tuple(f for f in fits.findings if f.severity != "info")
    else:
        rows, variance, findings = _refitted(name, returns, spec, window, refit_every, presample)
    held = np.arange(variance.size) // refit_every
    shapes = np.array([_shape(spec.dist, level, row) for row in rows])[held]
    sd = np.sqrt(variance)
    mean = shapes[:, 0]
    own = tuple(Finding(f.code, f.severity, name, f.message, f.rows) for f in findings)
    return OneStep(mean, variance, -(mean + sd * shapes[:, 1]), -(mean + sd * shapes[:, 2]), own)


def _shape(dist: str, level: float, params: dict[str, float]) -> tuple[float, float, float]:
    """Mean of the returns, lower quantile and mean beyond it of the standardised law."""
    mean, nu, lam = params.get("mu", 0.0), params.get("nu", math.inf), params.get("lambda", 0.0)
    if any(math.isnan(value) for value in (mean, nu, lam)):
        return math.nan, math.nan, math.nan
    tail = 1.0 - level
    return mean, float(ppf(dist, tail, nu, lam)), tail_mean(dist, tail, nu, lam)


def _refitted(
    name: str, returns: pd.Series, spec: VolatilitySpec, window: int, every: int, presample: Presample
) -> tuple[list[dict[str, float]], Array, tuple[Finding, ...]]:
    """The same by `fit_volatility`, for the specs that have no fast path."""
    values = returns.to_numpy(dtype=np.float64)
    variance = np.full(values.size - window, np.nan)
    rows: list[dict[str, float]] = []
    failed: list[str] = []
    reason = ""
    for start in range(0, values.size - window, every):
        ahead = values[start + window : min(start + window + every, values.size)]
        try:
            fit = fit_volatility(values[start : start + window], spec, presample=presample)
        except CollatriskError as error:
            rows.append({"mu": math.nan})
            failed.append(str(returns.index[start + window - 1]))
            reason = reason or str(error)
            continue
        rows.append(dict(fit.params))
        variance[start : start + ahead.size] = run_on(fit, ahead)
    if not failed:
        return rows, variance, ()
    text = f"{len(failed)} of {len(rows)} refits failed: {reason}"
    return rows, variance, (Finding("not-fitted", "error", name, text, (*failed[:5],)),)


def run_on(fit: VolatilityFit, returns: Array) -> Array:
    """The variance of each return after the sample of a fit, given the returns before it (n,)."""
    found = fit.coefficients
    mean = fit.params.get("mu", 0.0)
    residuals, variances = list(fit.last_residuals), list(fit.last_variances)
    ahead = np.empty(returns.size)
    for t, value in enumerate(returns.tolist()):
        h = found.omega
        h += math.fsum(weight * residuals[-lag] ** 2 for lag, weight in enumerate(found.alpha, 1))
        h += math.fsum(weight * min(residuals[-lag], 0.0) ** 2 for lag, weight in enumerate(found.gamma, 1))
        h += math.fsum(weight * variances[-lag] for lag, weight in enumerate(found.beta, 1))
        ahead[t] = h
        residuals.append(value - mean)
        variances.append(h)
    return ahead
