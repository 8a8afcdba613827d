"""One asset over time, ready to simulate: its volatility model, its parameters and the state it was left in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.errors import InputError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility import forecast
from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.distributions import second_moment_below_zero
from collatrisk.volatility.likelihood import parameter_names
from collatrisk.volatility.season import Season
from collatrisk.volatility.specs import GarchCoefficients, VolatilitySpec, garch_coefficients, spec_from_dict
from collatrisk.volatility.tail_law import InnovationLaw, law_from_dict


@dataclass(frozen=True, slots=True)
class Marginal:
    """One asset's return process r_t = mu + e_t, e_t = sqrt(h_t) z_t, with the state from which it goes on.

    h_{T+1} = omega + sum_i (alpha_i + gamma_i 1{e < 0}) e_{T+1-i}^2 + sum_j beta_j h_{T+1-j}; r is a step's log return.

    Attributes
    ----------
    asset : its name.
    spec : the volatility model.
    params : parameters by arch's names, in decimals of log return a step (mu, omega, alpha[1], gamma[1], beta[1], nu,
        lambda).
    std_errors : robust (Bollerslev-Wooldridge) standard errors by the same names; empty if the parameters were given.
    last_residuals : the last max(p, o) residuals e_t, oldest first.
    last_variances : the last q conditional variances h_t, oldest first.
    n_obs : returns used, 0 if the parameters were given.
    loglikelihood : in nats of decimal returns; None if the parameters were given.
    findings : what the fit noticed.
    uncertainty : the covariance of the parameters and the slopes of the last variances, for `draw_models`; None if the
        parameters were given or the model was saved without it.
    innovations : a law that takes the place of the spec's in simulation (`GpdTails`, `FilteredHistorical`); None for
        the spec's own. The spec's is then only the likelihood by which the parameters were estimated.
    season : factors by which the standard deviation moves through the week; None where there are none. Parameters,
        state, variances and forecasts of this class are those of returns divided by their factor.

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

    def __post_init__(self) -> None:
        problems = Problems(f"Marginal of {self.asset!r}")
        name_ok = isinstance(self.asset, str) and bool(self.asset.strip())
        problems.check(name_ok, "asset", self.asset, "must be a name", "give the price column's name")
        for kind, values in (("params", self.params), ("std_errors", self.std_errors)):
            for key, value in values.items():
                problems.number(f"{kind}[{key}]", value, remedy="give a finite number in decimals a step")
        for kind, state in (("last_residuals", self.last_residuals), ("last_variances", self.last_variances)):
            low = 0.0 if kind == "last_variances" else -math.inf
            for i, value in enumerate(state):
                problems.number(f"{kind}[{i}]", value, low=low, remedy="give a finite number in decimals a step")
        if self.loglikelihood is not None:
            problems.number("loglikelihood", self.loglikelihood, remedy="None where nothing was fitted")
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

    def _check_against_spec(self, problems: Problems) -> None:
        try:
            coefficients = self.coefficients
        except InputError as error:
            problems.found.extend(error.problems)
            return
        for name, needed in (
            ("mu", self.spec.mean == "constant"),
            ("nu", self.dist != "normal"),
            ("lambda", self.dist == "skewt"),
        ):
            if needed:
                problems.check(
                    name in self.params, "params", sorted(self.params), f"{self.spec} needs {name!r}", "give it"
                )
        if self.dist != "normal" and "nu" in self.params:
            problems.number("params[nu]", self.params["nu"], low=2, open_low=True, remedy="above 2: a finite variance")
        if self.dist == "skewt" and "lambda" in self.params:
            lam = self.params["lambda"]
            problems.number(
                "params[lambda]", lam, low=-1, high=1, open_low=True, open_high=True, remedy="0: no skewness"
            )
        problems.number("omega", coefficients.omega, low=0, remedy="a variance is not negative")
        for name, state, lags in (
            ("last_residuals", self.last_residuals, coefficients.residual_lags),
            ("last_variances", self.last_variances, coefficients.variance_lags),
        ):
            rule = f"{self.spec} needs the last {lags}, oldest first"
            problems.check(len(state) == lags, name, state, rule, "take them from the fit")
        if self.uncertainty is not None:
            names, depth = parameter_names(self.spec), len(self.uncertainty.state_slopes)
            fits = self.uncertainty.names == names and depth == coefficients.variance_lags
            rule = f"must be of {names}, with {coefficients.variance_lags} rows of slopes"
            problems.check(fits, "uncertainty", (self.uncertainty.names, depth), rule, "take it from the fit")

    @property
    def coefficients(self) -> GarchCoefficients:
        """omega, alpha, gamma, beta: the one numeric form of every volatility model."""
        return garch_coefficients(self.spec, self.params)

    @property
    def dist(self) -> str:
        """The law of the innovations: ``"normal"``, ``"t"`` or ``"skewt"``."""
        return self.spec.dist

    @property
    def nu(self) -> float:
        """Degrees of freedom of the innovations; infinite for the normal law."""
        return math.inf if self.dist == "normal" else self.params["nu"]

    @property
    def lam(self) -> float:
        """Hansen's skewness in (-1, 1); 0 unless the law is the skewed t."""
        return self.params["lambda"] if self.dist == "skewt" else 0.0

    @property
    def mu(self) -> float:
        """Mean log return a step; 0 for a zero-mean model."""
        return self.params.get("mu", 0.0)

    @property
    def below_zero(self) -> float:
        """E[z^2 1(z < 0)] of the innovations: the weight of gamma in the persistence."""
        if self.innovations is not None:
            return self.innovations.below_zero
        return second_moment_below_zero(self.dist, self.nu, self.lam)

    @property
    def next_variance(self) -> float:
        """h_{T+1}, the variance of the next log return."""
        return float(self.variance_forecast(1)[0])

    @property
    def persistence(self) -> float:
        """sum alpha + E[z^2 1(z < 0)] sum gamma + sum beta; the share of a variance shock that is left a step later."""
        return forecast.persistence(self.coefficients, self.below_zero)

    @property
    def long_run_volatility(self) -> float:
        """sqrt(omega / (1 - persistence)) a step; inf at a persistence of 1 or more, nan for an EWMA."""
        return forecast.long_run_volatility(self.coefficients, self.below_zero)

    def variance_forecast(self, horizon: int) -> NDArray[np.float64]:
        """Expected variance of each of the next `horizon` >= 1 steps, float64 (horizon,)."""
        return forecast.variance_forecast(
            self.coefficients, self.last_residuals, self.last_variances, horizon, self.below_zero
        )

    def scaled(self, factor: float) -> Marginal:
        """The same process with every standard deviation multiplied by `factor` > 0 (next and long-run alike).

        omega and the lagged variances take factor^2, the lagged residuals factor; the mean and the persistence stay.
        """
        problems = Problems(f"Marginal of {self.asset!r}")
        problems.number("factor", factor, low=0, open_low=True, remedy="1.5 for half as much again")
        problems.raise_if_any()
        square = factor * factor
        return replace(
            self,
            params={key: value * square if key == "omega" else value for key, value in self.params.items()},
            std_errors={key: value * square if key == "omega" else value for key, value in self.std_errors.items()},
            last_residuals=tuple(factor * value for value in self.last_residuals),
            last_variances=tuple(square * value for value in self.last_variances),
            loglikelihood=self.loglikelihood if factor == 1.0 else None,
            uncertainty=None if self.uncertainty is None else self.uncertainty.scaled(factor),
        )

    def started_at(self, multiple: float) -> Marginal:
        """The same process, started in a crisis: its next volatility is `multiple` > 0 times its average.

        The average is the long-run volatility where that is finite, today's otherwise. The start is never below
        today's, the long-run level stays, and the crisis fades with the half-life of the process; a constant volatility
        has no state to start from and is multiplied for good.

        Lagged variances and squared residuals are multiplied by g^2 = (h* - omega) / (h - omega), so that the next
        variance h = omega + (what is linear in them) becomes h*.
        """
        current = self.next_variance
        omega = self.coefficients.omega
        average = self.long_run_volatility if math.isfinite(self.long_run_volatility) else math.sqrt(current)
        if current <= omega or not self.last_residuals:
            return self.scaled(multiple)
        wanted = max((multiple * average) ** 2, current)
        square = (wanted - omega) / (current - omega)
        return replace(
            self,
            last_residuals=tuple(math.sqrt(square) * value for value in self.last_residuals),
            last_variances=tuple(square * value for value in self.last_variances),
            loglikelihood=self.loglikelihood if square == 1.0 else None,
            uncertainty=self.uncertainty
            if self.uncertainty is None or square == 1.0
            else self.uncertainty.with_given_state(),
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; without ``uncertainty``, ``innovations``, ``season`` where there are none."""
        optional = {"uncertainty": self.uncertainty, "innovations": self.innovations, "season": self.season}
        kept = {name: part.to_dict() for name, part in optional.items() if part is not None}
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
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only views of mappings do not pickle; their JSON form does, exactly.
        return Marginal.from_dict, (self.to_dict(),)
