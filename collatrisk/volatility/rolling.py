"""The fast path for one series through time: `rolling_fit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility.checks import shortest
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import Presample
from collatrisk.volatility.panel import (
    check_options,
    fast_findings,
    kernel_options,
    params_frame,
    table_html,
    why_not,
)
from collatrisk.volatility.specs import Garch


@dataclass(frozen=True, slots=True, eq=False)
class RollingFit:
    """One volatility spec refitted through time on one series. Figures are in the unit of the returns, per step.

    Attributes
    ----------
    spec, presample, window, refit_every, expanding : as given.
    name : the series.
    params : DataFrame, one row a refit, labelled by the last return that it knows; nan where the fit failed.
    loglikelihood, converged : Series a refit.
    variance_forecast : Series, the variance of each return after the first window given the returns before it: the
        recursion runs on with the parameters of the last refit from the start of its window.
    next_variance : the variance of the step after the last return.
    findings : what a reader should know; rows name the refits.
    """

    spec: Garch
    presample: Presample
    window: int
    refit_every: int
    expanding: bool
    name: str
    params: pd.DataFrame
    loglikelihood: pd.Series
    converged: pd.Series
    variance_forecast: pd.Series
    next_variance: float
    findings: tuple[Finding, ...]

    def summary(self) -> pd.DataFrame:
        """One row a refit: parameters, log-likelihood, whether it converged."""
        table = self.params.copy()
        table["loglikelihood"] = self.loglikelihood
        table["converged"] = self.converged
        return table

    def _repr_html_(self) -> str:
        kind = "expanding from" if self.expanding else "rolling over"
        caption = f"{self.name}: {self.spec}, {kind} {self.window} returns, refitted every {self.refit_every}"
        return table_html(self.summary(), caption)


def rolling_fit(
    returns: ArrayLike | pd.Series,
    spec: Garch | None = None,
    *,
    window: int,
    refit_every: int = 1,
    expanding: bool = False,
    presample: Presample = "mean_square",
    starts: int = 5,
    restart_every: int = 20,
) -> RollingFit:
    """Refit through time, each time from where the refit before ended, and forecast the variance one step ahead.

    Parameters
    ----------
    returns : (n,) log returns, one a step, in time order, any unit. A window with NaN is a row with a reason.
    spec : as in `fit_panel`. presample, starts : as there.
    window : returns in a fit (in the first fit, if `expanding`), at least 50 and at most n.
    refit_every : returns between refits.
    expanding : know all returns so far, instead of the last `window`.
    restart_every : each so many refits (and where a refit does not converge) there are walks from all starts as well,
        so that an optimum which the warm start has lost is found again.

    Raises
    ------
    InputError : an argument breaks a rule.
    DataError : the returns are not numbers in one dimension.
    """
    spec = Garch() if spec is None else spec
    problems = Problems("rolling_fit")
    check_options(problems, spec, presample, starts)
    name, values = _one_series(returns)
    low = shortest(spec if isinstance(spec, Garch) else Garch())
    window = problems.integer(
        "window", window, low=low, high=max(values.size, low), remedy="250 to 2500 days are usual"
    )
    every = problems.integer("refit_every", refit_every, low=1, remedy="1 refits after every return")
    again = problems.integer("restart_every", restart_every, low=1, remedy="20 suits nearly every series")
    enough = f"must hold at least the window, {window}"
    problems.check(values.size >= window, "returns", f"{values.size} returns", enough, "give a smaller window")
    problems.raise_if_any()
    from collatrisk.kernels import quasi_fit as kernel

    options = kernel_options(spec, presample, starts)
    results, forecasts = _refit(values, window, every, bool(expanding), again, options)
    index = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(values.size)
    ends = [window + k * every - 1 for k in range(results.shape[0])]
    labels = index[ends]
    return RollingFit(
        spec=spec,
        presample=presample,
        window=window,
        refit_every=every,
        expanding=bool(expanding),
        name=name,
        params=params_frame(spec, results, labels),
        loglikelihood=pd.Series(results[:, kernel.LOGLIKELIHOOD], labels, name="loglikelihood"),
        converged=pd.Series(results[:, kernel.STATUS] == 0, labels, name="converged"),
        variance_forecast=pd.Series(forecasts[:-1], index[window:], name="variance"),
        next_variance=float(forecasts[-1]),
        findings=_rolling_findings(name, spec, values, results, ends, labels, window, expanding),
    )


def _refit(
    values: Array, window: int, every: int, expanding: bool, again: int, options: tuple[int, bool, bool, bool, int, int]
) -> tuple[Array, Array]:
    """Results (refits, .) and forecasts (n - window + 1,): the last is for the step after the data."""
    from collatrisk.kernels import bfgs, quasi_fit as kernel

    dist, asymmetric, mean, backcast, starts, least = options
    n = values.size
    results = np.empty(((n - window) // every + 1, kernel.RESULTS))
    forecasts = np.full(n - window + 1, np.nan)
    best, hessian, variances = np.empty(bfgs.SIZE), np.empty((bfgs.SIZE, bfgs.SIZE)), np.empty(n + 1)
    pivot = -1
    for k, result in enumerate(results):
        last = window + k * every
        first = 0 if expanding else last - window
        known = values[first:last]
        attempts = [starts] if pivot < 0 or k % again == 0 else [0, starts]
        for several in attempts:
            pivot = kernel.fit_one(
                known, dist, asymmetric, mean, backcast, several, least, pivot, best, hessian, result
            )
            if pivot < 0 or result[kernel.STATUS] == bfgs.CONVERGED:
                break
        if pivot >= 0:
            stop = min(last + every - 1, n)
            before = kernel.presample_value(known, result[kernel.MU], mean, backcast)
            kernel.filter_next(values[first:stop], result, before, variances)
            forecasts[last - window : stop + 1 - window] = variances[last - first : stop + 1 - first]
    return results, forecasts


def _one_series(returns: Any) -> tuple[str, Array]:
    name = str(returns.name) if isinstance(returns, pd.Series) and returns.name is not None else "returns"
    problems = Problems("returns", DataError)
    try:
        values = np.array(returns, dtype=np.float64)  # a copy: pandas may give a read-only view, compiled for apart
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
        problems.add(name, type(returns).__name__, "must hold numbers", "give log returns as float64 (log_returns)")
    one = "must be one-dimensional: one return a step"
    problems.check(values.ndim == 1, name, f"shape {values.shape}", one, "give one column at a time")
    problems.raise_if_any()
    return name, values


def _rolling_findings(
    name: str, spec: Garch, values: Array, results: Array, ends: list[int], labels: Any, window: int, expanding: bool
) -> tuple[Finding, ...]:
    """One finding a code, with the refits that it concerns."""
    from collatrisk.kernels import quasi_fit as kernel

    groups: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Finding] = {}
    for result, end, label in zip(results, ends, labels, strict=True):
        known = values[0 if expanding else end + 1 - window : end + 1]
        if np.isnan(result[kernel.LOGLIKELIHOOD]):
            found = [Finding("not-fitted", "error", name, why_not(name, known, spec))]
        else:
            found = fast_findings(name, spec, result, known.size)
        for finding in found:
            key = (finding.code, finding.message.partition(" ")[0] if finding.code == "parameter-on-bound" else "")
            first.setdefault(key, finding)
            groups.setdefault(key, []).append(str(label))
    merged = []
    for key, finding in first.items():
        rows = groups[key]
        text = f"{finding.message} (at {rows[0]}; {len(rows)} of {len(ends)} refits)"
        shown = (*rows[:5], "...") if len(rows) > 5 else tuple(rows)
        merged.append(Finding(finding.code, finding.severity, name, text, shown))
    return tuple(merged)
