"""One asset over time, ready to simulate: its volatility model, its parameters and the state it was left in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility.coordinates import as_vector
from collatrisk.volatility.covariance import ParameterUncertainty, transformed
from collatrisk.volatility.forecast import checked_horizon
from collatrisk.volatility.law import Law
from collatrisk.volatility.likelihood import parameter_names
from collatrisk.volatility.means import mean_names
from collatrisk.volatility.recursions import Family, Recursion, family_of, recursion_of
from collatrisk.volatility.season import Season
from collatrisk.volatility.specs import VolatilitySpec, is_spec, spec_from_dict
from collatrisk.volatility.tail_law import InnovationLaw, law_from_dict

MOST = 1e6  # times a volatility: no market knows it, and squares of more soon overflow


def check_multiple(asset: str, name: str, multiple: float) -> None:
    """Refuse what is no multiple of a volatility: not a number in (0, `MOST`]."""
    problems = Problems(f"Marginal of {asset!r}")
    problems.number(name, multiple, low=0, high=MOST, open_low=True, remedy="1.5 for half as much again")
    problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class Marginal:
    """One asset's return process r_t = mu + ar[1] r_{t-1} + e_t, e_t = sqrt(h_t) z_t, with the state it goes on from.

    r is a step's log return; h obeys the recursion of the spec (`collatrisk.volatility.recursions`), for a GJR model
    h_{T+1} = omega + sum_i (alpha_i + gamma_i 1{e < 0}) e_{T+1-i}^2 + sum_j beta_j h_{T+1-j}.

    Attributes
    ----------
    asset : its name.
    spec : the volatility model.
    params : parameters by arch's names, in decimals of log return a step (mu, omega, alpha[1], gamma[1], beta[1], nu,
        lambda, and what else the spec has).
    std_errors : robust (Bollerslev-Wooldridge) standard errors by the same names; empty if the parameters were given.
    last_residuals, last_variances : the state of the recursion, oldest first: of a GARCH model the last max(p, o)
        residuals e_t and the last q conditional variances h_t.
    n_obs : returns used, 0 if the parameters were given.
    loglikelihood : in nats of decimal returns; None if the parameters were given.
    findings : what the fit noticed.
    uncertainty : the covariance of the parameters and the slopes of the last variances, for `draw_models`; None if the
        parameters were given or the model was saved without it.
    innovations : a law that takes the place of the spec's in simulation (`GpdTails`, `FilteredHistorical`); None for
        the spec's own. The spec's is then only the likelihood by which the parameters were estimated.
    season : factors by which the standard deviation moves through the week; None where there are none. Parameters,
        state, variances and forecasts of this class are those of returns divided by their factor.
    last_return : the last log return (divided by its factor), where the mean is an AR(1); None otherwise.
    sample_volatility : the root mean square of the residuals of the fit, a step; None if the parameters were given.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    asset: str
    spec: VolatilitySpec
    params: Mapping[str, float] = field(hash=False)
    std_errors: Mapping[str, float] = field(default_factory=dict, hash=False)
    last_residuals: tuple[float, ...] = ()
    last_variances: tuple[float, ...] = ()
    n_obs: int = 0
    loglikelihood: float | None = None
    findings: tuple[Finding, ...] = ()
    uncertainty: ParameterUncertainty | None = None
    innovations: InnovationLaw | None = None
    season: Season | None = None
    last_return: float | None = None
    sample_volatility: float | None = None

    def __post_init__(self) -> None:
        problems = Problems(f"Marginal of {self.asset!r}")
        name_ok = isinstance(self.asset, str) and bool(self.asset.strip())
        problems.check(name_ok, "asset", self.asset, "must be a name", "give the price column's name")
        self._check_kinds(problems)
        problems.raise_if_any()
        for kind, values in (("params", self.params), ("std_errors", self.std_errors)):
            for key, value in values.items():
                problems.number(f"{kind}[{key}]", value, remedy="give a finite number in decimals a step")
        for kind, state in (("last_residuals", self.last_residuals), ("last_variances", self.last_variances)):
            low = 0.0 if kind == "last_variances" else -math.inf
            for i, value in enumerate(state):
                problems.number(f"{kind}[{i}]", value, low=low, remedy="give a finite number in decimals a step")
        if self.loglikelihood is not None:
            problems.number("loglikelihood", self.loglikelihood, remedy="None where nothing was fitted")
        if self.last_return is not None:
            problems.number("last_return", self.last_return, remedy="None unless the mean is an AR(1)")
        if self.sample_volatility is not None:
            problems.number("sample_volatility", self.sample_volatility, low=0, remedy="None where nothing was fitted")
        self._check_against_spec(problems)
        problems.raise_if_any()
        for kind in ("params", "std_errors"):
            values = {str(key): float(value) for key, value in getattr(self, kind).items()}
            object.__setattr__(self, kind, MappingProxyType(values))
        object.__setattr__(self, "last_residuals", tuple(map(float, self.last_residuals)))
        object.__setattr__(self, "last_variances", tuple(map(float, self.last_variances)))
        object.__setattr__(self, "findings", tuple(self.findings))
        object.__setattr__(self, "n_obs", int(self.n_obs))
        if self.loglikelihood is not None:
            object.__setattr__(self, "loglikelihood", float(self.loglikelihood))

    def _check_kinds(self, problems: Problems) -> None:
        problems.check(is_spec(self.spec), "spec", self.spec, "must be a volatility model", "give Garch(), for example")
        for name, kind, rule in (
            ("params", Mapping, "must map names to numbers"),
            ("std_errors", Mapping, "must map names to numbers"),
            ("last_residuals", Sequence, "must be a list of numbers"),
            ("last_variances", Sequence, "must be a list of numbers"),
        ):
            fits = isinstance(getattr(self, name), kind) and not isinstance(getattr(self, name), str | bytes)
            problems.check(fits, name, getattr(self, name), rule, "take it from the fit")

    def _check_against_spec(self, problems: Problems) -> None:
        try:
            coefficients = self.coefficients
        except InputError as error:
            problems.found.extend(error.problems)
            return
        for name in parameter_names(self.spec):
            rule = f"{self.spec} needs {name!r}"
            problems.check(name in self.params, "params", sorted(self.params), rule, "give it")
        self._check_shapes(problems)
        if "omega" in self.params and self.family.omega_is_positive:
            problems.number("omega", self.params["omega"], low=0, remedy="a variance is not negative")
        for name, state, lags in (
            ("last_residuals", self.last_residuals, coefficients.residual_lags),
            ("last_variances", self.last_variances, coefficients.variance_lags),
        ):
            rule = f"{self.spec} needs the last {lags}, oldest first"
            problems.check(len(state) == lags, name, state, rule, "take them from the fit")
        lagging = self.spec.mean == "ar1"
        rule = "must be given with an AR(1) mean, and only then"
        problems.check(lagging == (self.last_return is not None), "last_return", self.last_return, rule, "see the fit")
        if self.uncertainty is not None:
            names, depth = parameter_names(self.spec), len(self.uncertainty.state_slopes)
            fits = self.uncertainty.names == names and depth == coefficients.variance_lags
            rule = f"must be of {names}, with {coefficients.variance_lags} rows of slopes"
            problems.check(fits, "uncertainty", (self.uncertainty.names, depth), rule, "take it from the fit")

    def _check_shapes(self, problems: Problems) -> None:
        nu, lam = self.params.get("nu"), self.params.get("lambda")
        if self.dist in {"t", "skewt"} and nu is not None:
            problems.number("params[nu]", nu, low=2, open_low=True, remedy="above 2: a finite variance")
        if self.dist == "ged" and nu is not None:
            problems.number("params[nu]", nu, low=0, open_low=True, remedy="2 is the normal law")
        if self.dist == "skewt" and lam is not None:
            remedy = "0: no skewness"
            problems.number("params[lambda]", lam, low=-1, high=1, open_low=True, open_high=True, remedy=remedy)

    @property
    def coefficients(self) -> Recursion:
        """The recursion with its numbers."""
        return recursion_of(self.spec, self.params)

    @property
    def family(self) -> Family:
        """What the spec does to the variance."""
        return family_of(self.spec)

    @property
    def law(self) -> Law:
        """The law of the innovations, as the recursion sees it."""
        return Law(self.dist, self.nu, self.lam, self.innovations)

    @property
    def dist(self) -> str:
        """The law of the innovations: ``"normal"``, ``"t"``, ``"skewt"`` or ``"ged"``."""
        return self.spec.dist

    @property
    def nu(self) -> float:
        """Degrees of freedom of the innovations, or the shape of the GED; infinite for the normal law."""
        return math.inf if self.dist == "normal" else self.params["nu"]

    @property
    def lam(self) -> float:
        """Hansen's skewness in (-1, 1); 0 unless the law is the skewed t."""
        return self.params["lambda"] if self.dist == "skewt" else 0.0

    @property
    def mu(self) -> float:
        """Mean log return a step, of an AR(1) its constant; 0 for a zero-mean model."""
        return self.params.get("mu", 0.0)

    @property
    def ar(self) -> float:
        """What a step inherits of the log return before it: ar[1], or 0."""
        return self.params.get("ar[1]", 0.0)

    @property
    def next_variance(self) -> float:
        """h_{T+1}, the variance of the next log return."""
        return float(self.variance_forecast(1)[0])

    @property
    def persistence(self) -> float:
        """What is left of a variance shock a step later, in the scale in which the recursion is linear."""
        return self.coefficients.persistence(self.law)

    @property
    def long_run_volatility(self) -> float:
        """Of the residuals, a step: sqrt(omega / (1 - persistence)) for GARCH and GJR.

        inf where there is no variance in the long run, nan where it is not defined (EWMA).
        """
        return math.sqrt(self.coefficients.long_run_variance(self.law))

    @property
    def average_volatility(self) -> float:
        """What is usual for the asset, a step: `sample_volatility`, or else the long run where finite, or else today's.

        What was seen comes first because the long run of a model whose persistence is near 1 is hardly determined by
        the data: it can lie far above any volatility of the sample, or be infinite.
        """
        if self.sample_volatility is not None:
            return self.sample_volatility
        long_run = self.long_run_volatility
        return long_run if math.isfinite(long_run) else math.sqrt(self.next_variance)

    @property
    def half_life(self) -> float:
        """Steps after which half of a variance shock is left."""
        return self.coefficients.half_life(self.law)

    def variance_forecast(self, horizon: int) -> NDArray[np.float64]:
        """Expected variance of the residual of each of the next `horizon` >= 1 steps, float64 (horizon,)."""
        state = np.array(self.last_residuals), np.array(self.last_variances)
        return self.coefficients.forecast(*state, checked_horizon(horizon), self.law)

    def scaled(self, factor: float) -> Marginal:
        """The same process with every standard deviation multiplied by `factor`, in (0, 1e6] (next and long-run alike).

        The lagged variances take factor^2, the lagged residuals factor, omega what its unit asks for (factor^2 in a
        GJR model); the mean and the persistence stay. Standard errors without a covariance are moved as if they were
        not correlated.
        """
        check_multiple(self.asset, "factor", factor)
        if factor == 1.0:
            return self
        params, jacobian = self._rescaled(factor)
        moved = None if self.uncertainty is None else self.uncertainty.moved(jacobian)
        return replace(
            self,
            params=params,
            std_errors=self._moved_errors(jacobian),
            last_residuals=tuple(factor * value for value in self.last_residuals),
            last_variances=tuple(factor * factor * value for value in self.last_variances),
            loglikelihood=None,
            uncertainty=moved,
            sample_volatility=None if self.sample_volatility is None else factor * self.sample_volatility,
        )

    def _rescaled(self, factor: float) -> tuple[dict[str, float], NDArray[np.float64]]:
        """The parameters of the residuals times `factor`, the mean aside, and their derivatives."""
        names, first = parameter_names(self.spec), len(mean_names(self.spec.mean))
        theta = as_vector(self.spec, self.params)
        last = first + len(self.family.names)
        jacobian = np.eye(theta.size)
        theta[first:last], jacobian[first:last, first:last] = self.family.rescale(theta[first:last], factor)
        return {**self.params, **dict(zip(names, theta.tolist(), strict=True))}, jacobian

    def _moved_errors(self, jacobian: NDArray[np.float64]) -> dict[str, float]:
        names = parameter_names(self.spec)
        known = self.uncertainty.covariance if self.uncertainty is not None else None
        variances = np.array([self.std_errors.get(name, math.nan) ** 2 for name in names])
        found = transformed(np.diag(variances) if known is None else known, jacobian)
        errors = np.sqrt(np.diag(found))
        return {name: float(value) for name, value in zip(names, errors, strict=True) if math.isfinite(value)}

    def started_at(self, multiple: float) -> Marginal:
        """The same process, started in a crisis: its next volatility is `multiple` times its average.

        The multiple lies in (0, 1e6], the average is `average_volatility`. The start is never below today's, the
        long-run level stays, and the crisis fades with the half-life of the process, which near a persistence of 1 is
        longer than any horizon; a constant volatility has no state to start from and is multiplied for good.

        Lagged residuals are multiplied by one factor g and lagged variances by g^2, such that the next variance is the
        one wanted: g^2 = (h* - omega) / (h - omega) in a GJR model, whose h is omega + (what is linear in them).
        """
        check_multiple(self.asset, "multiple", multiple)
        recursion, current = self.coefficients, self.next_variance
        wanted = max((multiple * self.average_volatility) ** 2, current)
        if not self.last_residuals or recursion.stretch(current, 2.0 * current) == 1.0:
            return self.scaled(multiple)
        factor = recursion.stretch(current, wanted) if wanted > current else 1.0
        if factor == 1.0:
            return self
        return replace(
            self,
            last_residuals=tuple(factor * value for value in self.last_residuals),
            last_variances=tuple(factor * factor * value for value in self.last_variances),
            loglikelihood=None,
            uncertainty=None if self.uncertainty is None else self.uncertainty.with_given_state(),
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; without ``uncertainty``, ``innovations``, ``season``, ``last_return`` if none."""
        optional = {"uncertainty": self.uncertainty, "innovations": self.innovations, "season": self.season}
        kept: dict[str, Any] = {name: part.to_dict() for name, part in optional.items() if part is not None}
        numbers = {"last_return": self.last_return, "sample_volatility": self.sample_volatility}
        kept |= {name: value for name, value in numbers.items() if value is not None}
        return {
            "asset": self.asset,
            "spec": self.spec.to_dict(),
            "params": dict(self.params),
            "std_errors": dict(self.std_errors),
            "last_residuals": list(self.last_residuals),
            "last_variances": list(self.last_variances),
            "n_obs": self.n_obs,
            "loglikelihood": self.loglikelihood,
            "findings": [finding.to_dict() for finding in self.findings],
            **kept,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Marginal:
        """The inverse of `to_dict`."""
        return cls(
            data["asset"],
            spec_from_dict(data["spec"]),
            data["params"],
            data["std_errors"],
            tuple(data["last_residuals"]),
            tuple(data["last_variances"]),
            int(data["n_obs"]),
            None if data["loglikelihood"] is None else float(data["loglikelihood"]),
            tuple(Finding.from_dict(finding) for finding in data["findings"]),
            ParameterUncertainty.from_dict(data["uncertainty"]) if data.get("uncertainty") is not None else None,
            law_from_dict(data["innovations"]) if data.get("innovations") is not None else None,
            Season.from_dict(data["season"]) if data.get("season") is not None else None,
            None if data.get("last_return") is None else float(data["last_return"]),
            None if data.get("sample_volatility") is None else float(data["sample_volatility"]),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only views of mappings do not pickle; their JSON form does, exactly.
        return Marginal.from_dict, (self.to_dict(),)
