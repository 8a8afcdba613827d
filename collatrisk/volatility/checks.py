"""What is examined before and after a fit: the returns that come in, the optimum and the residuals that go out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding, Severity
from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.estimate import Optimum
from collatrisk.volatility.likelihood import NU_BOUNDS, Likelihood, parameter_names
from collatrisk.volatility.realized_specs import REALIZED_SPECS, AnySpec, Har
from collatrisk.volatility.recursions import ArchWeights, EgarchCoefficients, Recursion
from collatrisk.volatility.specs import Ewma, RiskMetrics2006, VolatilitySpec

# sqrt(g' (-H)^-1 g): how far the optimum is, in standard errors.
_GRADIENT_SEEN, _GRADIENT_AT_KINKS, _GRADIENT_FAILED = 1e-4, 1e-2, 1e-1
_SAME_OPTIMUM = 1e-2
_REJECT = 0.01
_MANY_ZEROS = 0.2
_SHOWN_ROWS = 5
_COLLINEAR = 1e-12  # a share of the variance below which lagged squares are combinations of each other


def checked_returns(returns: object, spec: AnySpec) -> tuple[str, Array]:
    """The name and the values of a return series, or all that is wrong with it.

    Raises
    ------
    DataError : not one-dimensional, not numbers, NaN, infinite, constant, or too short for the spec.
    """
    name = str(returns.name) if isinstance(returns, pd.Series) and returns.name is not None else "returns"
    problems = Problems(f"returns of {name!r}" if name != "returns" else "returns", DataError)
    values = _as_numbers(returns, name, problems)
    problems.raise_if_any()
    shape_rule = "must be one-dimensional: one return a step"
    problems.check(values.ndim == 1, name, f"shape {values.shape}", shape_rule, "fit one column at a time")
    problems.raise_if_any()
    for what, bad in (("NaN", np.isnan(values)), ("infinite values", np.isinf(values))):
        remedy = "drop the rows or mend the prices (align_prices, log_returns)"
        if bad.any():
            problems.add(name, _where(returns, bad), f"must hold no {what}", remedy)
    least = shortest(spec)
    problems.check(
        values.size >= least, name, f"{values.size} returns", f"must hold at least {least}", "give more data"
    )
    problems.raise_if_any()
    size = float(np.max(np.abs(values)))
    rule = "must be small enough to be squared" if size > 1.0 else "must be large enough to be squared"
    problems.check(size == 0.0 or 1e-100 < size < 1e100, name, f"up to {size:g}", rule, "check the unit of the returns")
    problems.raise_if_any()
    spread = float(np.std(values))
    rule = "must vary: a constant series has no volatility to estimate"
    problems.check(
        spread > 1e-10 * size, name, f"all about {values[0]:g}", rule, "leave the asset out or mend its prices"
    )
    problems.raise_if_any()
    return name, np.ascontiguousarray(values)


def shortest(spec: AnySpec) -> int:
    """The fewest returns that a fit accepts: 50 for a recursion, 100 beside a realised measure, 20 otherwise."""
    if isinstance(spec, REALIZED_SPECS):
        return 100 + (spec.lags[-1] if isinstance(spec, Har) else 0)
    return 50 if _is_dynamic(spec) else 20


def _is_dynamic(spec: VolatilitySpec) -> bool:
    """Whether more than a level of the variance is estimated."""
    shared = {"mu", "ar[1]", "omega", "nu", "lambda"}
    return any(name not in shared for name in parameter_names(spec))


def ljung_box(values: Array, lags: int) -> float:
    """The p-value of Ljung and Box (1978): no autocorrelation up to `lags`."""
    centred = values - np.mean(values)
    total, n = float(centred @ centred), values.size
    squares = [(float(centred[lag:] @ centred[:-lag]) / total) ** 2 / (n - lag) for lag in range(1, lags + 1)]
    return float(special.chdtrc(lags, n * (n + 2.0) * math.fsum(squares)))


def arch_lm(values: Array, lags: int) -> float:
    """The p-value of Engle's (1982) LM test: the squares do not regress on their own lags."""
    squares = values**2
    target = squares[lags:]
    if np.ptp(target) <= 1e-12 * float(np.max(target)):
        return 1.0  # equal squares, as of returns that only change their sign: nothing to regress
    # Lags and target about their means, each of length 1: the regression with a constant from 11 x 11 products.
    columns = np.array([squares[lags - lag : squares.size - lag] for lag in range(lags + 1)])
    columns -= columns.mean(axis=1, keepdims=True)
    products = columns @ columns.T
    size = np.sqrt(np.diag(products))
    products /= np.outer(size, size) + (size == 0.0)
    along = products[0, 1:]
    explained = float(along @ np.linalg.pinv(products[1:, 1:], rcond=_COLLINEAR, hermitian=True) @ along)
    return float(special.chdtrc(lags, target.size * explained))


def residual_tests(std_resid: Array) -> dict[str, float]:
    """p-values on the standardised residuals; the estimation of the parameters is not allowed for."""
    lags = max(1, min(10, std_resid.size // 10))
    return {"ljung_box_pvalue": ljung_box(std_resid, lags), "arch_lm_pvalue": arch_lm(std_resid, lags)}


def fit_findings(
    optimum: Optimum, reached: Sequence[float], recursion: Recursion, checks: Mapping[str, float]
) -> tuple[Finding, ...]:
    """All that a reader should know before using the fit."""
    found = [
        *_sample_findings(optimum.likelihood),
        *_optimum_findings(optimum, reached),
        *_bound_findings(optimum.likelihood, optimum),
        *_persistence_findings(optimum.likelihood, optimum, recursion),
        *_law_findings(optimum.likelihood, optimum, recursion),
    ]
    for key, code, text in (
        ("ljung_box_pvalue", "ljung-box", "standardised residuals are autocorrelated (Ljung-Box); the mean misses it"),
        ("arch_lm_pvalue", "arch-lm", "squared standardised residuals are autocorrelated (ARCH-LM); try other orders"),
    ):
        if checks[key] < _REJECT:
            found.append(
                Finding(code, "warning", "residuals", f"{text}; p-value {checks[key]:.2g}, rule: >= {_REJECT}")
            )
    return tuple(found)


def _sample_findings(likelihood: Likelihood) -> list[Finding]:
    n = likelihood.returns.size
    found = []
    enough = 500 if _is_dynamic(likelihood.spec) else 60
    if n < enough:
        text = f"{n} returns; at least {enough} are wanted, standard errors are rough below: give a longer history"
        found.append(Finding("too-few-observations", "warning", "returns", text))
    zeros = float(np.mean(likelihood.returns == 0.0))
    if zeros > _MANY_ZEROS:
        text = f"{zeros:.0%} of the returns are exactly 0 (rule: <= {_MANY_ZEROS:.0%}): stale or rounded prices"
        found.append(Finding("many-zero-returns", "warning", "returns", text))
    return found


def _optimum_findings(optimum: Optimum, reached: Sequence[float]) -> list[Finding]:
    found = []
    distance = math.sqrt(max(optimum.decrement, 0.0))
    if not distance <= _GRADIENT_FAILED:
        text = f"the optimum is still {distance:.2g} standard errors away (rule: <= {_GRADIENT_FAILED}); do not use it"
        found.append(Finding("not-converged", "error", "optimum", text))
    seen = _GRADIENT_SEEN if optimum.likelihood.is_smooth else _GRADIENT_AT_KINKS
    if not distance <= seen:
        text = f"gradient of {distance:.2g} standard errors is left at the optimum (rule: <= {seen})"
        found.append(
            Finding("gradient-not-zero", "warning", "optimum", f"{text}; check the data or use a simpler spec")
        )
    if not optimum.identified:
        text = "the likelihood is flat in some direction, so there are no standard errors; use a simpler spec"
        found.append(Finding("not-identified", "warning", "optimum", text))
    behind = [optimum.loglikelihood - value for value in reached]
    apart = sum(gap > _SAME_OPTIMUM for gap in behind)
    if apart:
        agree = len(behind) - apart
        text = (
            f"{apart} of {len(behind)} starts ended up to {max(behind):.3g} in log-likelihood below the best "
            f"(rule: <= {_SAME_OPTIMUM}); the best is used, reached by {agree}"
        )
        found.append(Finding("starts-disagree", "info" if agree > 1 else "warning", "optimum", text))
    return found


def _bound_findings(likelihood: Likelihood, optimum: Optimum) -> list[Finding]:
    rows, limits, labels = likelihood.constraints
    found: list[Finding] = []
    for row in optimum.active:
        label = labels[row]
        if label == "kink" and any(finding.code == "parameter-on-kink" for finding in found):
            continue
        if label == "persistence":
            continue
        if label == "kink":
            text = "a residual is exactly 0, where the likelihood has a kink in the mean; "
            spiked = likelihood.has_spikes(optimum.theta)
            text += "its standard error is " + ("not defined there" if spiked else "from the slopes on both sides")
            found.append(Finding("parameter-on-kink", "info", "mu", text))
            continue
        letter = label.partition("[")[0]
        value = float(np.sign(rows[row].sum()) * limits[row])
        if label in likelihood.names:
            text = f"{label} is on its bound {value:g}; its standard error is not defined there"
        else:
            text = f"{label} holds with equality; standard errors are those along it, too small if the truth is off it"
        harmless = letter in {"alpha", "gamma", "beta", "phi"} and value == 0.0
        severity: Severity = "info" if harmless else "warning"
        found.append(Finding("parameter-on-bound", severity, label, f"{text}; a simpler spec may do"))
    return found


def _persistence_findings(likelihood: Likelihood, optimum: Optimum, recursion: Recursion) -> list[Finding]:
    persistence = recursion.persistence(likelihood.law(optimum.theta))
    if isinstance(likelihood.spec, Ewma | RiskMetrics2006):
        flat = "a flat variance forecast" if isinstance(likelihood.spec, Ewma) else "given weights"
        text = f"{type(likelihood.spec).__name__} has persistence 1 by construction: no long-run volatility, {flat}"
        return [Finding("persistence-at-or-above-one", "info", "persistence", text)]
    if isinstance(recursion, ArchWeights):
        text = (
            f"long memory: the weights of {recursion.residual_lags} lags add up to {math.fsum(recursion.weights):.4g}, "
            "those of the uncut model to 1; a long-run volatility, where there is one, is made by the cut"
        )
        return [Finding("long-memory", "info", "persistence", text)]
    if persistence >= 1.0 - 1e-8:
        text = f"persistence {persistence:.6g} (rule: < 1): no long-run variance; use a longer history or bound it"
        return [Finding("persistence-at-or-above-one", "warning", "persistence", text)]
    return []


def _law_findings(likelihood: Likelihood, optimum: Optimum, recursion: Recursion) -> list[Finding]:
    found = []
    law = likelihood.law(optimum.theta)
    if isinstance(recursion, EgarchCoefficients) and not law.exponential_tails:
        text = (
            f"E[exp(alpha |z|)] is infinite under a {law.dist} law with nu = {law.nu:.3g}: no variance beyond the next "
            "step is finite, forecasts are inf and no drift makes the price a martingale; paths and quantiles are "
            "sound, means are not: use dist='normal' or 'ged' where a variance is needed"
        )
        found.append(Finding("infinite-variance", "warning", "variance", text))
    if law.dist in {"t", "skewt"} and _nu_is_flat(likelihood, optimum):
        text = f"nu = {law.nu:.4g} is not told apart from {NU_BOUNDS[1]:g}, all but normal: its standard error means"
        found.append(Finding("flat-nu", "info", "nu", f"{text} little; dist='normal' (or lambda alone) fits as well"))
    return found


def _nu_is_flat(likelihood: Likelihood, optimum: Optimum) -> bool:
    """Whether raising nu to its upper bound, all else held, costs less than half the 95 % point of chi-square(1)."""
    theta = optimum.theta.copy()
    theta[likelihood.names.index("nu")] = NU_BOUNDS[1]
    there = likelihood.totals(theta[None, :])
    return there is not None and optimum.loglikelihood - float(there[0][0]) < 1.92


def _as_numbers(returns: object, name: str, problems: Problems) -> Array:
    """The values as float64; records a problem for text, booleans and objects."""
    raw = returns.to_numpy() if isinstance(returns, pd.Series | pd.DataFrame) else np.asarray(returns)
    if raw.dtype.kind in "iuf":
        return raw.astype(np.float64)
    try:
        if raw.dtype.kind != "O":
            raise TypeError
        return np.array([_number(value) for value in raw.ravel()], dtype=np.float64).reshape(raw.shape)
    except (TypeError, ValueError, OverflowError):
        first = raw.ravel()[0] if raw.size else raw
        problems.add(name, first, f"must hold numbers, not {raw.dtype}", "give log returns as float64 (log_returns)")
        return np.empty(0)


def _number(value: Any) -> float:
    if value is None or value is pd.NA:
        return math.nan
    if isinstance(value, str | bytes | bool):
        raise TypeError
    return float(value)


def _where(returns: object, bad: Array) -> str:
    """How many and where, as a person would name the rows."""
    places = np.flatnonzero(bad)
    labels = returns.index[places[:_SHOWN_ROWS]] if isinstance(returns, pd.Series) else places[:_SHOWN_ROWS]
    more = ", ..." if places.size > _SHOWN_ROWS else ""
    return f"{places.size} at {', '.join(str(label) for label in labels)}{more}"
