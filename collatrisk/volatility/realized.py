"""`fit_realized`: the variance of returns from a realised measure of each step, by `Har` or `RealizedGarch`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from collatrisk.base.errors import DataError, FitError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility import har, realized_garch
from collatrisk.volatility.checks import residual_tests, shortest
from collatrisk.volatility.distributions import Array, ppf, tail_mean
from collatrisk.volatility.ranges import RangeVariance
from collatrisk.volatility.realized_specs import REALIZED_SPECS, Har, RealizedGarch, RealizedSpec
from collatrisk.volatility.shapes import fit_shapes

_HORIZON = 1_000_000
_REJECT = 0.01
_SEEN = 0.1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RealizedFit:
    """A model of returns and a realised measure, estimated. Figures are in the unit of the returns, per step.

    Attributes
    ----------
    spec, name : what was fitted, and the series.
    params : Har: mu, const, har[lag], sigma_u (sd of the error of ln x), scale (c). RealizedGarch: mu, omega, beta,
        gamma, xi, phi, tau1, tau2, sigma_u. Then nu and lambda of the law, as far as it has them.
    std_errors : of the dynamics: Newey-West for Har, the sandwich for RealizedGarch; nan for the rest.
    loglikelihood : of the returns given their variances, under the law of the spec.
    joint_loglikelihood : RealizedGarch: the normal quasi-likelihood of returns and log measures; nan for Har.
    n_obs : returns used for it (Har: those after the longest lag).
    conditional_volatility, std_resid : (n_obs,).
    next_variance : of the step after the last.
    checks : ``gradient`` (distance to the optimum in standard errors), ``persistence`` of ln h (of ln x for
        Har), ``ljung_box_pvalue``, ``arch_lm_pvalue``.
    findings : what a reader should know.
    """

    spec: RealizedSpec
    name: str
    params: Mapping[str, float]
    std_errors: Mapping[str, float]
    loglikelihood: float
    joint_loglikelihood: float
    n_obs: int
    conditional_volatility: Array
    std_resid: Array
    next_variance: float
    checks: Mapping[str, float]
    findings: tuple[Finding, ...]
    _returns: Array
    _log_x: Array

    @property
    def nu(self) -> float:
        """Degrees of freedom of the residual's law; inf for the normal."""
        return self.params.get("nu", math.inf)

    @property
    def lam(self) -> float:
        """Skewness of the residual's law."""
        return self.params.get("lambda", 0.0)

    def forecast(self, horizon: int) -> Array:
        """The expected variance of each of the next steps, (horizon,)."""
        problems = Problems("RealizedFit.forecast")
        horizon = problems.integer("horizon", horizon, low=1, high=_HORIZON, remedy="10 for ten steps")
        problems.raise_if_any()
        theta = np.array([*self.params.values()])
        if isinstance(self.spec, Har):
            count = 1 + len(self.spec.lags)
            errors = self.params["sigma_u"] ** 2
            ahead = har.expected_measures(theta[1 : 1 + count], errors, self._log_x, self.spec.lags, horizon)
            return np.asarray(self.params["scale"] * ahead, dtype=np.float64)
        along = realized_garch.path(theta[:9], self._returns, self._log_x)
        return realized_garch.expected_variances(
            theta, float(along.log_h[-1]), float(self._log_x[-1]), along.errors, horizon
        )

    def run_on(self, measures: Array) -> Array:
        """The variance of each return after the sample (n,), given the measures before it; the last is not read."""
        log_x = np.log(np.asarray(measures, dtype=np.float64))
        if isinstance(self.spec, Har):
            known = np.concatenate([self._log_x, log_x[:-1]])
            rows = har.regressors(known, self.spec.lags)[-log_x.size :]
            b = np.array([self.params["const"], *(self.params[f"har[{lag}]"] for lag in self.spec.lags)])
            return np.asarray(self.params["scale"] * np.exp(rows @ b + 0.5 * self.params["sigma_u"] ** 2))
        omega, beta, gamma = (self.params[name] for name in ("omega", "beta", "gamma"))
        log_h, last = math.log(self.next_variance), np.empty(log_x.size)
        for t, value in enumerate(log_x.tolist()):
            last[t] = log_h
            log_h = omega + beta * log_h + gamma * value
        return np.asarray(np.exp(last), dtype=np.float64)

    def value_at_risk(self, level: float) -> tuple[float, float]:
        """VaR and ES of the next return as positive losses, from the law of the residuals."""
        tail = 1.0 - level
        quantile = float(ppf(self.spec.dist, tail, self.nu, self.lam))
        beyond = tail_mean(self.spec.dist, tail, self.nu, self.lam)
        sd = math.sqrt(self.next_variance)
        return -(self.params["mu"] + sd * quantile), -(self.params["mu"] + sd * beyond)

    def summary(self) -> pd.DataFrame:
        """One row a parameter: estimate and standard error."""
        table = pd.DataFrame({"estimate": dict(self.params), "std error": dict(self.std_errors)}, list(self.params))
        table.index.name = "parameter"
        return table.astype(np.float64)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        return f"RealizedFit({self.spec}: {values}; n {self.n_obs})"

    def _repr_html_(self) -> str:
        rows = [
            (name, *(f"{value:.5g}" for value in row))
            for name, row in zip(self.params, self.summary().to_numpy(), strict=True)
        ]
        found = html_table(
            ["parameter", "estimate", "std error"], rows, f"{self.name}: {self.spec}, {self.n_obs} steps"
        )
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return found + (html_table(["finding", "severity", "message"], notes) if notes else "")


def fit_realized(
    returns: ArrayLike | pd.Series,
    measure: ArrayLike | pd.Series | RangeVariance,
    spec: RealizedSpec | None = None,
    *,
    start: RealizedFit | None = None,
) -> RealizedFit:
    """Fit returns beside a realised measure of their variance.

    Parameters
    ----------
    returns : (n,) log returns, any unit.
    measure : a variance a step in the square of the returns' unit: the result of `range_variance`, a Series with the
        dates of the returns, or an array of their length. A measure of 0 (no trade) is set to the smallest above 0,
        with a finding.
    spec : `RealizedGarch()` unless given.
    start : a fit of the same spec on nearly the same data, from which the search of `RealizedGarch` starts.

    Raises
    ------
    InputError, DataError, FitError : arguments or data that cannot be used.
    """
    spec = RealizedGarch() if spec is None else spec
    problems = Problems("fit_realized")
    rule = "must be a Har or a RealizedGarch"
    problems.check(isinstance(spec, REALIZED_SPECS), "spec", spec, rule, "give RealizedGarch()")
    problems.raise_if_any()
    name, r, x, findings = checked_pair(returns, measure, spec)
    scale = float(np.std(r))
    r, log_x = r / scale, np.log(x / scale**2)
    if isinstance(spec, Har):
        params, errors, variances = _har(r, log_x, spec)
        joint, used, distance = math.nan, slice(spec.lags[-1], None), 0.0
        dynamics = sum(params[f"har[{lag}]"] for lag in spec.lags)
    else:
        try:
            theta = realized_garch.maximise(r, log_x, None if start is None else _theta(start, scale))
        except ArithmeticError as error:
            problem = Problem(name, f"{r.size} returns", f"could not be fitted: {error}", "look at the measures")
            raise FitError(f"fit of {spec}", [problem]) from error
        params = dict(zip(realized_garch.NAMES, theta.tolist(), strict=True))
        found, distance = _sandwich(theta, r, log_x)
        errors = dict(zip(realized_garch.NAMES, found.tolist(), strict=True))
        along = realized_garch.path(theta, r, log_x)
        variances, used = np.exp(along.log_h), slice(0, None)
        joint = float(np.sum(realized_garch.terms(theta, r, log_x))) - r.size * math.log(scale)
        dynamics = params["beta"] + params["phi"] * params["gamma"]
    sd = np.sqrt(variances)
    z = (r[used] - params["mu"]) / sd
    shapes, density = fit_shapes(z, spec.dist)
    params, errors = _in_user_units(params, errors, scale, spec)
    params |= shapes
    checks = {"gradient": distance, "persistence": dynamics, **residual_tests(z)}
    fit = RealizedFit(
        spec,
        name,
        params,
        errors | dict.fromkeys(shapes, math.nan),
        float(np.sum(density - np.log(sd * scale))),
        joint,
        z.size,
        sd * scale,
        z,
        math.nan,
        checks,
        (*findings, *_findings(params, checks)),
        np.ascontiguousarray(r * scale),
        np.asarray(log_x + 2.0 * math.log(scale)),
    )
    object.__setattr__(fit, "next_variance", float(fit.forecast(1)[0]))
    return fit


def checked_pair(returns: object, measure: object, spec: RealizedSpec) -> tuple[str, Array, Array, list[Finding]]:
    """Returns and measures of the same steps, all measures above 0.

    Raises
    ------
    DataError : missing or negative values, other lengths, too few steps.
    """
    name = str(returns.name) if isinstance(returns, pd.Series) and returns.name is not None else "returns"
    given = measure.variance if isinstance(measure, RangeVariance) else measure
    if isinstance(given, pd.Series) and isinstance(returns, pd.Series):
        given = given.reindex(returns.index)
    problems = Problems("fit_realized", DataError)
    r, x = (np.array(values, dtype=np.float64) for values in (returns, given))
    fits = r.ndim == 1 and r.shape == x.shape
    problems.check(fits, "measure", x.shape, f"must have one value for each return, {r.shape}", "give matching dates")
    problems.raise_if_any()
    for what, values in (("returns", r), ("measure", x)):
        bad = int(np.sum(~np.isfinite(values)))
        remedy = "drop these steps; the measure needs the dates of the returns"
        problems.check(bad == 0, what, f"{bad} missing", "must be finite", remedy)
    problems.raise_if_any()
    problems.check(bool(np.all(x >= 0.0)), "measure", float(np.min(x)), "must be at least 0", "it is a variance")
    least = shortest(spec)
    problems.check(r.size >= least, name, f"{r.size} steps", f"must be at least {least}", "give a longer history")
    varies = r.size > 0 and float(np.std(r)) > 0.0 and float(np.ptp(x)) > 0.0
    problems.check(varies, name, "constant", "must vary, as must the measure", "look at the prices")
    problems.raise_if_any()
    zeros = int(np.sum(x == 0.0))
    if not zeros:
        return name, r, x, []
    text = f"{zeros} measures are 0 (no trade?) and set to the smallest above 0; look at them"
    return name, r, np.where(x == 0.0, np.min(x[x > 0.0]), x), [Finding("flat-measures", "warning", "measure", text)]


def _har(r: Array, log_x: Array, spec: Har) -> tuple[dict[str, float], dict[str, float], Array]:
    found, variance, covariance = har.estimate(log_x, spec.lags)
    expected = np.exp(har.regressors(log_x, spec.lags)[:-1] @ found + 0.5 * variance)
    mu = float(np.mean(r))
    scale = float(np.mean((r[spec.lags[-1] :] - mu) ** 2 / expected))
    names = ("const", *(f"har[{lag}]" for lag in spec.lags))
    params = {"mu": mu, **dict(zip(names, found.tolist(), strict=True)), "sigma_u": math.sqrt(variance), "scale": scale}
    errors = dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    known = {"mu": float(np.std(r)) / math.sqrt(r.size), **errors, "sigma_u": math.nan, "scale": math.nan}
    return params, known, np.asarray(scale * expected, dtype=np.float64)


def _in_user_units(
    params: dict[str, float], errors: dict[str, float], scale: float, spec: RealizedSpec
) -> tuple[dict[str, float], dict[str, float]]:
    """Undo the division of the returns by `scale`: logarithms of variances move by 2 ln(scale)."""
    shift = 2.0 * math.log(scale)
    moved = params | {"mu": params["mu"] * scale}
    if isinstance(spec, Har):
        moved["const"] += shift * (1.0 - sum(params[f"har[{lag}]"] for lag in spec.lags))
    else:
        moved["omega"] += shift * (1.0 - params["beta"] - params["gamma"])
        moved["xi"] += shift * (1.0 - params["phi"])
    return moved, errors | {"mu": errors["mu"] * scale}


def _theta(fit: RealizedFit, scale: float) -> Array:
    """The searched parameters of a fit in the unit of returns divided by `scale`."""
    p, shift = fit.params, 2.0 * math.log(scale)
    omega = p["omega"] - shift * (1.0 - p["beta"] - p["gamma"])
    return np.array([p["mu"] / scale, omega, p["beta"], p["gamma"]])


def _sandwich(theta: Array, r: Array, log_x: Array) -> tuple[Array, float]:
    """Robust standard errors from differenced scores (Bollerslev and Wooldridge 1992), and how far the optimum is.

    The distance, in standard errors, is the root of the Newton decrement g' (-H)^-1 g.
    """
    steps = 1e-4 * np.maximum(np.abs(theta), 0.1)

    def scores(at: Array) -> Array:
        columns = []
        for place, step in enumerate(steps.tolist()):
            ahead, behind = at.copy(), at.copy()
            ahead[place] += step
            behind[place] -= step
            columns.append(
                (realized_garch.terms(ahead, r, log_x) - realized_garch.terms(behind, r, log_x)) / (2.0 * step)
            )
        return np.column_stack(columns)

    hessian = np.empty((theta.size, theta.size))
    for place, step in enumerate(steps.tolist()):
        ahead, behind = theta.copy(), theta.copy()
        ahead[place] += step
        behind[place] -= step
        hessian[place] = (scores(ahead).sum(axis=0) - scores(behind).sum(axis=0)) / (2.0 * step)
    own = scores(theta)
    bread = np.linalg.pinv(-0.5 * (hessian + hessian.T))
    variances = np.diag(bread @ (own.T @ own) @ bread)
    gradient = own.sum(axis=0)
    distance = math.sqrt(max(float(gradient @ bread @ gradient), 0.0))
    return np.sqrt(np.where(variances > 0.0, variances, math.nan)), distance


def _findings(params: Mapping[str, float], checks: Mapping[str, float]) -> list[Finding]:
    found = []
    if not checks["gradient"] <= _SEEN:
        text = f"the optimum is {checks['gradient']:.2g} standard errors away (rule: <= {_SEEN}); look at the measures"
        found.append(Finding("not-converged", "error", "optimum", text))
    if checks["persistence"] >= 0.999:
        text = f"persistence {checks['persistence']:.4f} of the log variance (rule: < 0.999): forecasts hardly revert"
        found.append(Finding("persistence-near-one", "warning", "persistence", f"{text}; use a longer history"))
    if params.get("gamma", 1.0) <= 0.0:
        text = f"gamma = {params['gamma']:.3g} (rule: > 0): the measure says nothing of the next variance; look at it"
        found.append(Finding("measure-without-use", "warning", "gamma", text))
    for key, code, what in (
        ("ljung_box_pvalue", "ljung-box", "standardised residuals"),
        ("arch_lm_pvalue", "arch-lm", "squared standardised residuals"),
    ):
        if checks[key] < _REJECT:
            text = f"{what} are autocorrelated (p-value {checks[key]:.2g}, rule: >= {_REJECT}); the model misses it"
            found.append(Finding(code, "warning", "residuals", text))
    return found
