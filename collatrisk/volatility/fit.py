"""`fit_volatility`: from one return series to a `VolatilityFit`, whatever the unit of the returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from collatrisk.base.errors import FitError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.checks import checked_returns, fit_findings, residual_tests
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.covariance import transformed
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.estimate import Optimum, search
from collatrisk.volatility.forecast import checked_horizon
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import PRESAMPLES, Likelihood, Presample
from collatrisk.volatility.recursions import Recursion, recursion_of
from collatrisk.volatility.specs import VolatilitySpec, is_spec

if TYPE_CHECKING:
    from collatrisk.volatility.covariance import ParameterUncertainty
    from collatrisk.volatility.uncertainty import ParameterDraws


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VolatilityFit:
    """The volatility of one asset over time, estimated. All figures are in the unit of the returns, per step.

    Attributes
    ----------
    spec, presample : what was fitted and how the recursion was started.
    name : the series.
    params : the estimated parameters by arch's names: mu, ar[1], omega, alpha[i], gamma[i], beta[i], delta, phi, d,
        beta, nu, lambda, as far as the spec has them. A constant volatility has omega, its variance; EWMA and
        RiskMetrics 2006 have no volatility parameter (the decays are in the spec).
    std_errors : ``"hessian"``, ``"opg"`` (outer product of the scores, Berndt, Hall, Hall and Hausman 1974) and
        ``"robust"`` (Hessian^-1 OPG Hessian^-1, White 1982, Bollerslev and Wooldridge 1992), each by parameter; nan for
        a parameter on a bound.
    covariance : (k, k) robust covariance, in the order of params; nan as above.
    hessian_covariance : (k, k) the inverse of minus the Hessian, likewise. The scores times it are what the
        observations add to the estimates.
    loglikelihood : of the returns in the user's unit.
    n_obs : how many returns are explained: all, but with an AR(1) mean not the first.
    returns : float64, all that were given.
    conditional_volatility : (n_obs,) sd of each step given the steps before.
    std_resid : (n_obs,) residual over conditional volatility.
    last_residuals, last_variances : the state of the recursion, oldest first: of a GARCH model the last max(p, o)
        residuals and q conditional variances, of a FIGARCH `truncation` residuals; see the recursion's own class.
    next_variance : the variance of the step after the last.
    checks : ``gradient`` (distance to the optimum in standard errors), ``starts_gap`` (spread of the log-likelihoods
        that the starts reached), ``ljung_box_pvalue``, ``arch_lm_pvalue``.
    findings : what a reader should know before using it; ``diagnostics`` is the same.
    """

    spec: VolatilitySpec
    presample: Presample
    name: str
    params: Mapping[str, float]
    std_errors: Mapping[str, Mapping[str, float]]
    covariance: Array
    hessian_covariance: Array
    loglikelihood: float
    n_obs: int
    returns: Array
    conditional_volatility: Array
    std_resid: Array
    last_residuals: tuple[float, ...]
    last_variances: tuple[float, ...]
    next_variance: float
    checks: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def diagnostics(self) -> tuple[Finding, ...]:
        """The findings."""
        return self.findings

    @property
    def coefficients(self) -> Recursion:
        """The recursion with its numbers."""
        return recursion_of(self.spec, self.params)

    @property
    def law(self) -> Law:
        """The law of the standardised residual."""
        return Law.of(self.spec.dist, self.params)

    @property
    def nu(self) -> float:
        """Degrees of freedom of the residual's law; inf for the normal."""
        return self.params.get("nu", math.inf)

    @property
    def lam(self) -> float:
        """Skewness of the residual's law; 0 for the symmetric ones."""
        return self.params.get("lambda", 0.0)

    @property
    def persistence(self) -> float:
        """What is left of a shock after a step, in the scale in which the recursion is linear.

        ``sum(alpha) + E[z^2 1(z < 0)] sum(gamma) + sum(beta)`` for GARCH and GJR; sum(beta), of ln h, for an EGARCH.
        """
        return self.coefficients.persistence(self.law)

    @property
    def long_run_volatility(self) -> float:
        """The sd per step of the stationary law; inf where it has no variance, nan for an EWMA."""
        return math.sqrt(self.coefficients.long_run_variance(self.law))

    @property
    def half_life(self) -> float:
        """Steps after which half of a shock is left, in the scale in which the recursion is linear."""
        return self.coefficients.half_life(self.law)

    def forecast(self, horizon: int) -> Array:
        """The expected variance of each of the next `horizon` residuals, (horizon,).

        Exact where there is a closed form: recursions that are linear in the variance (GARCH, GJR, FIGARCH of power 2,
        APARCH with delta 2, EWMA, RiskMetrics 2006), TGARCH(1,1), and EGARCH, which with t innovations has none but the
        next: inf. Otherwise (APARCH, TGARCH with more lags) the mean of 4 096 continuations with a fixed seed.
        """
        state = np.array(self.last_residuals), np.array(self.last_variances)
        return self.coefficients.forecast(*state, checked_horizon(horizon), self.law)

    def scores(self) -> Array | None:
        """The slope of each observation's log-density in the parameters, (n_obs, k); None where it is not finite."""
        found = Likelihood(self.returns, self.spec, self.presample).evaluate(as_vector(self.spec, self.params))
        return None if found is None else found[1]

    @property
    def uncertainty(self) -> ParameterUncertainty:
        """The covariance and the slopes of the last variances: what a model keeps to draw parameters later."""
        from collatrisk.volatility.covariance import uncertainty_of

        return uncertainty_of(self)

    def draw_params(self, n: int, rng: np.random.Generator) -> ParameterDraws:
        """Draw `n` parameter sets within their estimation error; see `collatrisk.volatility.draw_params`."""
        from collatrisk.volatility.uncertainty import draw_params

        return draw_params(self, n, rng)

    def summary(self) -> pd.DataFrame:
        """One row a parameter: estimate, robust, Hessian and OPG standard error, t (robust)."""
        table = pd.DataFrame(
            {
                "estimate": dict(self.params),
                "robust se": dict(self.std_errors["robust"]),
                "hessian se": dict(self.std_errors["hessian"]),
                "opg se": dict(self.std_errors["opg"]),
            },
            index=list(self.params),
            dtype=np.float64,
        )
        table["t"] = table["estimate"] / table["robust se"]
        table.index.name = "parameter"
        return table

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.6g}" for name, value in self.params.items())
        return f"VolatilityFit({self.spec}: {values}; log-likelihood {self.loglikelihood:.3f}, n {self.n_obs})"

    def _repr_html_(self) -> str:
        rows = [
            (name, *(f"{value:.6g}" for value in row))
            for name, row in zip(self.params, self.summary().to_numpy(), strict=True)
        ]
        caption = (
            f"{self.name}: {self.spec}, {self.n_obs} steps, log-likelihood {self.loglikelihood:.3f}, "
            f"persistence {self.persistence:.4f}, long-run volatility {self.long_run_volatility:.4g} a step"
        )
        table = html_table(["parameter", "estimate", "robust se", "hessian se", "opg se", "t"], rows, caption)
        if not self.findings:
            return table
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return table + html_table(["finding", "severity", "message"], notes)


def fit_volatility(
    returns: ArrayLike | pd.Series, spec: VolatilitySpec, *, presample: Presample = "mean_square"
) -> VolatilityFit:
    """Fit a volatility spec to one return series by maximum likelihood.

    The returns are divided by their sd first and the results put back, so that decimals and percents give the same
    answer. GARCH(1,1) and GJR(1,1,1) begin at the common optimum of the compiled fit's five starts; where these
    disagree, and at other orders, they are estimated by arch from four starts. The others begin at the best points of a
    grid. Each start is polished by Newton steps on the exact likelihood with analytic scores, from which the standard
    errors come as well.

    Parameters
    ----------
    returns : (n,) log returns, one a step, in time order, any unit (decimals in the rest of the library).
    spec : any of the volatility specs.
    presample : what stands for the squared residual and the variance before the sample. ``"mean_square"``: the mean
        squared residual at the estimated mean (Fiorentini, Calzolari and Panattoni 1996, the published benchmarks);
        ``"backcast"``: arch's exponentially weighted start. The squared negative part is half of it in both.
        ``fit_volatility(dem_gbp, Garch(o=0, dist="normal"))`` gives the published estimates and, in ``std_errors``, the
        published Hessian, OPG and robust standard errors (docs/models.md).

    Raises
    ------
    InputError : spec or presample is not one of those above.
    DataError : the returns are not finite numbers in one dimension, are constant or too few.
    FitError : no start has a finite likelihood.
    """
    problems = Problems("fit_volatility")
    problems.check(is_spec(spec), "spec", spec, "must be a volatility spec", "give Garch(), for example")
    problems.choice("presample", presample, PRESAMPLES)
    problems.raise_if_any()
    name, values = checked_returns(returns, spec)
    scale = float(np.sqrt(np.mean(values**2))) if spec.mean == "zero" else float(np.std(values))
    likelihood = Likelihood(values / scale, spec, presample)
    try:
        optimum, reached = search(likelihood)
    except ArithmeticError as error:
        remedy = "look at the returns, or use ConstantVolatility()"
        problem = Problem(name, f"{values.size} returns", f"could not be fitted: {error}", remedy)
        raise FitError(f"fit of {spec}", [problem]) from error
    return _in_user_units(name, likelihood, optimum, reached, scale)


def _in_user_units(
    name: str, likelihood: Likelihood, optimum: Optimum, reached: tuple[float, ...], scale: float
) -> VolatilityFit:
    """Undo the scaling: mu by the scale, the parameters of the variance as their family says, the rest has no unit."""
    names, n = likelihood.names, likelihood.n
    theta, jacobian = likelihood.rescaled(optimum.theta, scale)
    params = dict(zip(names, (theta + 0.0).tolist(), strict=True))
    covariances = {
        kind: transformed(found, jacobian)
        for kind, found in (("hessian", optimum.hessian), ("robust", optimum.robust), ("opg", optimum.opg))
    }
    filtered, law = likelihood.filter(optimum.theta), likelihood.law(optimum.theta)
    sd = np.sqrt(filtered.variances)
    std_resid = filtered.residuals / sd
    recursion = recursion_of(likelihood.spec, params)
    variances = filtered.variances * scale**2
    residuals, variances = recursion.state(filtered.residuals * scale, variances, filtered.start * scale**2)
    checks = {
        "gradient": math.sqrt(max(optimum.decrement, 0.0)),
        "starts_gap": max(reached) - min(reached),
        **residual_tests(std_resid),
    }
    return VolatilityFit(
        spec=likelihood.spec,
        presample=likelihood.presample,
        name=name,
        params=params,
        std_errors={
            kind: dict(zip(names, np.sqrt(np.diag(found)).tolist(), strict=True)) for kind, found in covariances.items()
        },
        covariance=_frozen(covariances["robust"]),
        hessian_covariance=_frozen(covariances["hessian"]),
        loglikelihood=optimum.loglikelihood - n * math.log(scale),
        n_obs=n,
        returns=_frozen(likelihood.returns * scale),
        conditional_volatility=_frozen(sd * scale),
        std_resid=_frozen(std_resid),
        last_residuals=tuple(residuals.tolist()),
        last_variances=tuple(variances.tolist()),
        next_variance=float(recursion.forecast(residuals, variances, 1, law)[0]),
        checks=checks,
        findings=fit_findings(optimum, reached, recursion, checks),
    )


def _frozen(values: Array) -> Array:
    values = np.ascontiguousarray(values, dtype=np.float64)
    values.setflags(write=False)
    return values
