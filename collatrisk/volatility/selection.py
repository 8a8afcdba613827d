"""`select_volatility`: which spec forecasts best out of sample, and whether the data can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from collatrisk.base.errors import CollatriskError, DataError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility.checks import checked_returns, shortest
from collatrisk.volatility.fit import fit_volatility
from collatrisk.volatility.likelihood import Presample, parameter_names
from collatrisk.volatility.one_step import OneStep, one_step
from collatrisk.volatility.ranges import RangeVariance
from collatrisk.volatility.realized import fit_realized
from collatrisk.volatility.realized_specs import REALIZED_SPECS, AnySpec, Har, RealizedGarch
from collatrisk.volatility.realized_steps import realized_one_step
from collatrisk.volatility.scores import diebold_mariano, fissler_ziegel, qlike, quantile_score
from collatrisk.volatility.selected import VolatilitySelection
from collatrisk.volatility.spec_text import spec_label
from collatrisk.volatility.specs import SPECS, is_spec

_TITLE = "select_volatility"
_FEWEST = 50  # forecasts
_MOST_MISSING = 0.2
_FEW_EXCEEDANCES = 5.0


def select_volatility(
    returns: ArrayLike | pd.Series,
    candidates: Mapping[str, AnySpec] | Sequence[AnySpec],
    *,
    window: int,
    refit_every: int = 5,
    level: float = 0.99,
    proxy: ArrayLike | pd.Series | RangeVariance | None = None,
    measure: ArrayLike | pd.Series | RangeVariance | None = None,
    presample: Presample = "mean_square",
    reps: int = 1000,
    seed: int = 0,
) -> VolatilitySelection:
    """Compare volatility specs: in sample by AIC and BIC, out of sample by rolling one-step forecasts.

    Every candidate is refitted on the last `window` returns every `refit_every` steps and forecasts the next step's
    variance, VaR and ES (from its own law). Scores: QLIKE of the variance, the tick loss of VaR, FZ0 of VaR and ES
    jointly. Differences:
    Diebold-Mariano with HAC errors against the best, and the model confidence set at 90 % (`arch.bootstrap.MCS`,
    stationary bootstrap, range statistic).

    Parameters
    ----------
    returns : (n,) log returns, one a step, in time order, any unit.
    candidates : specs by name, or a list of specs, which are then named after what they are.
    window : returns in each fit. At least 50 returns must be left to forecast; 500 and more are wanted for a level of
        0.99, because only exceedances tell the tails apart.
    refit_every : steps between refits.
    level : of VaR and ES, confidence in [0.5, 1).
    proxy : of the variance, for QLIKE: None for the squared return; a Series with the dates of the returns, an array of
        their length, or the result of `range_variance`, in the square of the returns' unit. Missing values are left out
        of QLIKE. A proxy of another scale (open to close for close to close) favours forecasts that are wrong likewise.
    presample : see `fit_volatility`.
    measure : a realised measure of each step's variance (a range or a sum of squared intraday returns), which `Har` and
        `RealizedGarch` need among the candidates. Every return needs one.
    reps, seed : of the bootstrap of the model confidence set.

    Raises
    ------
    InputError : an argument breaks a rule.
    DataError : the returns cannot be used, or no candidate has forecasts.
    """
    specs = _named(candidates)
    name, values = checked_returns(returns, next(iter(specs.values())))
    window, every, level = _checked(specs, values.size, window, refit_every, level, reps, seed)
    index = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(values.size)
    series = pd.Series(values, index, name=name)
    seen, proxy_text = _proxy(proxy, series)
    realised_measure = _measure(measure, series, specs)
    walk: dict[str, Any] = {"window": window, "refit_every": every, "level": level}
    forecasts = {
        key: realized_one_step(key, series, realised_measure, spec, **walk)
        if isinstance(spec, REALIZED_SPECS)
        else one_step(key, series, spec, **walk, presample=presample)
        for key, spec in specs.items()
    }
    findings = [finding for found in forecasts.values() for finding in found.findings]
    kept, rows = _common(forecasts, findings)
    if not kept:
        remedy = "look at the returns, or give a longer window"
        raise DataError(
            _TITLE, [Problem(f.subject, f.code, f.message, remedy) for f in findings if f.severity == "error"]
        )
    ahead = series.iloc[window:]
    frames = {
        what: pd.DataFrame({key: getattr(forecasts[key], what) for key in specs}, index=ahead.index)
        for what in ("variance", "var", "es")
    }
    realised = ahead[rows]
    scores = _losses(frames, realised, seen.iloc[window:], rows, kept, level)
    table = _in_sample(series, realised_measure, specs, presample, findings)
    beyond = {key: int((-realised > frames["var"].loc[rows, key]).sum()) for key in kept}
    table["exceedances"] = pd.Series(beyond, dtype=np.float64)
    table["expected"] = (1.0 - level) * realised.size
    for score, losses in scores.items():
        _compare(table, score, losses, reps, seed)
    if (1.0 - level) * realised.size < _FEW_EXCEEDANCES:
        text = f"{(1.0 - level) * realised.size:.2g} exceedances are expected (wanted: {_FEW_EXCEEDANCES:g} or more)"
        text += ": FZ0 tells little; use a longer history or a lower level"
        findings.append(Finding("few-exceedances", "warning", name, text))
    return VolatilitySelection(
        name, specs, level, window, every, proxy_text, table, **frames, **scores, confidence=0.9, findings=(*findings,)
    )


def _named(candidates: Any) -> dict[str, AnySpec]:
    problems = Problems(_TITLE)
    rule, remedy = "must be volatility specs, by name or in a list", "give [Garch(), Garch(o=0), Ewma()]"
    if isinstance(candidates, Mapping):
        specs = {str(key): spec for key, spec in candidates.items()}
    elif isinstance(candidates, Sequence) and not isinstance(candidates, str):
        labels = [_label(spec) for spec in candidates]
        alike = len(set(labels)) < len(labels)
        specs = dict(zip(map(repr, candidates) if alike else labels, candidates, strict=True))
        problems.check(len(specs) == len(candidates), "candidates", labels, "must differ", "give each spec once")
    else:
        specs = {}
    fair = bool(specs) and all(is_spec(spec) or isinstance(spec, REALIZED_SPECS) for spec in specs.values())
    problems.check(fair, "candidates", candidates, rule, remedy)
    problems.raise_if_any()
    return specs


def _label(spec: object) -> str:
    if isinstance(spec, Har):
        return f"HAR{spec.lags} {spec.dist}"
    if isinstance(spec, RealizedGarch):
        return f"Realized GARCH {spec.dist}"
    return spec_label(spec) if isinstance(spec, SPECS) else repr(spec)


def _checked(
    specs: Mapping[str, AnySpec], n: int, window: Any, every: Any, level: Any, reps: Any, seed: Any
) -> tuple[int, int, float]:
    problems = Problems(_TITLE)
    low = max(shortest(spec) for spec in specs.values())
    remedy = f"leave at least {_FEWEST} of the {n} returns to forecast"
    window = problems.integer("window", window, low=low, high=max(n - _FEWEST, low), remedy=remedy)
    problems.check(n - window >= _FEWEST, "returns", n, f"must be {_FEWEST} more than the window", "give more data")
    every = problems.integer("refit_every", every, low=1, remedy="5 refits every 5 steps")
    level = problems.number("level", level, low=0.5, high=1.0, open_high=True, remedy="0.99 for 99 %")
    problems.integer("reps", reps, low=100, high=100_000, remedy="1000 is usual")
    problems.integer("seed", seed, low=0, high=2**32 - 1, remedy="any whole number")
    problems.raise_if_any()
    return window, every, level


def _proxy(proxy: Any, returns: pd.Series) -> tuple[pd.Series, str]:
    """The proxy by the rows of the returns, nan where missing, and its name."""
    if proxy is None:
        return returns**2, "squared returns"
    given = proxy.variance if isinstance(proxy, RangeVariance) else proxy
    problems = Problems(_TITLE)
    if isinstance(given, pd.Series):
        seen, text = given.reindex(returns.index).astype(np.float64), str(given.name or "the proxy")
    else:
        values = np.asarray(given, dtype=np.float64)
        rule = f"must have one value for each of the {returns.size} returns"
        problems.check(values.shape == returns.shape, "proxy", values.shape, rule, "give a Series with their dates")
        problems.raise_if_any()
        seen, text = pd.Series(values, returns.index), "the proxy"
    share = float(seen.notna().mean())
    rule = "must be known for half of the returns at least"
    problems.check(share >= 0.5, "proxy", f"{share:.0%} known", rule, "give it the dates of the returns")
    negative = int((seen < 0.0).sum())
    problems.check(negative == 0, "proxy", f"{negative} below 0", "must be at least 0", "it is a variance")
    problems.raise_if_any()
    return seen, text


def _common(forecasts: Mapping[str, OneStep], findings: list[Finding]) -> tuple[list[str], Any]:
    """The candidates with enough usable forecasts, and the rows on which they all have one."""
    usable = {}
    for key, found in forecasts.items():
        with np.errstate(invalid="ignore"):
            usable[key] = (found.variance > 0.0) & (found.var > 0.0) & (found.es >= found.var)
    kept = [key for key, good in usable.items() if 1.0 - float(np.mean(good)) <= _MOST_MISSING]
    for key, good in usable.items():
        if key not in kept:
            text = f"only {float(np.mean(good)):.0%} of its forecasts can be used: it is not compared"
            findings.append(Finding("forecasts-missing", "error", key, text))
    rows = np.logical_and.reduce([usable[key] for key in kept]) if kept else np.zeros(0, dtype=bool)
    if kept and not rows.all():
        text = f"{int((~rows).sum())} steps without a forecast of every candidate are left out of the scores"
        findings.append(Finding("steps-left-out", "warning", "forecasts", text))
    return kept, rows


def _measure(measure: Any, returns: pd.Series, specs: Mapping[str, AnySpec]) -> pd.Series:
    """The measure by the rows of the returns; missing where none is needed."""
    needing = [key for key, spec in specs.items() if isinstance(spec, REALIZED_SPECS)]
    problems = Problems(_TITLE)
    rule = f"is needed by {', '.join(needing)}"
    problems.check(not needing or measure is not None, "measure", measure, rule, "give range_variance(bars)")
    problems.raise_if_any()
    if not needing:
        return returns * math.nan
    if isinstance(measure, pd.Series | RangeVariance):
        given = measure.variance if isinstance(measure, RangeVariance) else measure
        return given.reindex(returns.index).astype(np.float64)
    values = np.asarray(measure, dtype=np.float64)
    rule = f"must have one value for each of the {returns.size} returns"
    problems.check(values.shape == returns.shape, "measure", values.shape, rule, "give a Series with their dates")
    problems.raise_if_any()
    return pd.Series(values, returns.index)


def _losses(
    frames: Mapping[str, pd.DataFrame],
    realised: pd.Series,
    target: pd.Series,
    rows: NDArray[np.bool_],
    kept: Sequence[str],
    level: float,
) -> dict[str, pd.DataFrame]:
    """What every candidate that is `kept` loses on each day by each score: QLIKE where the proxy `target` is known, the
    tick score and FZ0 on the days `rows` of `realised`."""
    told = rows & target.notna().to_numpy()
    variance, var, es = frames["variance"].loc[told], frames["var"].loc[rows], frames["es"].loc[rows]
    return {
        "qlike": pd.DataFrame({key: qlike(variance[key], target[told]) for key in kept}, index=variance.index),
        "tick": pd.DataFrame({key: quantile_score(realised, var[key], level) for key in kept}, index=var.index),
        "fz0": pd.DataFrame({key: fissler_ziegel(realised, var[key], es[key], level) for key in kept}, index=var.index),
    }


def _in_sample(
    returns: pd.Series,
    measure: pd.Series,
    specs: Mapping[str, AnySpec],
    presample: Presample,
    findings: list[Finding],
) -> pd.DataFrame:
    """Parameters, log-likelihood, AIC and BIC of each candidate on all returns."""
    rows = {}
    for key, spec in specs.items():
        try:
            if isinstance(spec, REALIZED_SPECS):
                # Not a likelihood of all returns by maximum likelihood: no AIC to compare.
                size = len(fit_realized(returns, measure, spec).params)
                value = math.nan
            else:
                size = len(parameter_names(spec))
                value = fit_volatility(returns, spec, presample=presample).loglikelihood
        except CollatriskError as error:
            findings.append(Finding("not-fitted", "error", key, f"not fitted on all returns: {error}"))
            size, value = 0, math.nan
        penalty = math.log(returns.size) * size
        rows[key] = (float(size), value, 2.0 * size - 2.0 * value, penalty - 2.0 * value)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["parameters", "loglikelihood", "aic", "bic"])
    table.index.name = "candidate"
    return table


def _compare(table: pd.DataFrame, score: str, losses: pd.DataFrame, reps: int, seed: int) -> None:
    """The mean score, the Diebold-Mariano test against the best, and the model confidence set."""
    table[score] = losses.mean()
    best = str(losses.mean().idxmin())
    table[f"dm_{score}"] = pd.Series({key: diebold_mariano(losses[key], losses[best])[1] for key in losses})
    table[f"mcs_{score}"] = _confidence_set(losses, reps, seed)


def _confidence_set(losses: pd.DataFrame, reps: int, seed: int) -> pd.Series:
    """The p-value of each candidate in the model confidence set; candidates with the same scores share theirs."""
    from arch.bootstrap import MCS

    names = [str(key) for key in losses]
    twins = {key: next(other for other in names if losses[other].equals(losses[key])) for key in names}
    own = losses[list(dict.fromkeys(twins.values()))]
    if own.shape[1] == 1:
        return pd.Series(1.0, index=losses.columns)
    block = max(2, round(len(losses) ** (1.0 / 3.0)))
    numbered = own.set_axis(range(own.shape[1]), axis=1)
    procedure = MCS(numbered, size=0.1, reps=reps, block_size=block, method="R", bootstrap="stationary", seed=seed)
    procedure.compute()
    found = procedure.pvalues["Pvalue"]
    values = dict(zip(map(str, own.columns), found.loc[list(range(own.shape[1]))].tolist(), strict=True))
    return pd.Series({key: values[twin] for key, twin in twins.items()})
