"""One-step forecasts of variance, VaR and ES by one spec, refitted through time on a rolling window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collatrisk.base.errors import CollatriskError
from collatrisk.base.findings import Finding
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.distributions import Array, ppf, tail_mean
from collatrisk.volatility.fit import VolatilityFit, fit_volatility
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import Likelihood, Presample
from collatrisk.volatility.quasi import is_fast
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
    before = returns.to_numpy(dtype=np.float64)[window - 1 : -1]
    mean = shapes[:, 0] + shapes[:, 1] * before
    own = tuple(Finding(f.code, f.severity, name, f.message, f.rows) for f in findings)
    return OneStep(mean, variance, -(mean + sd * shapes[:, 2]), -(mean + sd * shapes[:, 3]), own)


def _shape(dist: str, level: float, params: dict[str, float]) -> tuple[float, float, float, float]:
    """Constant and slope (on the return before) of the mean; lower quantile of the standardised law, mean beyond it."""
    mean, law = params.get("mu", 0.0), Law.of(dist, params)
    if any(math.isnan(value) for value in (mean, law.nu, law.lam)):
        return (math.nan,) * 4
    tail = 1.0 - level
    quantile = float(ppf(dist, tail, law.nu, law.lam))
    return mean, params.get("ar[1]", 0.0), quantile, tail_mean(dist, tail, law.nu, law.lam)


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
    theta = as_vector(fit.spec, fit.params)
    start = Likelihood(fit.returns, fit.spec, fit.presample).filter(theta).start
    longer = Likelihood(np.concatenate((fit.returns, returns)), fit.spec, fit.presample)
    mean, own, _ = longer.parts(theta)
    variances = longer.family.recursion(own).variances(longer.mean.residuals(mean), start)
    return np.asarray(variances[variances.size - returns.size :], dtype=np.float64)
