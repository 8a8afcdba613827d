"""`fit_peg`: from the prices of a pegged asset to a `PegFit`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from collatrisk.base.errors import DataError, Problem
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.volatility.distributions import cdf
from collatrisk.volatility.peg_estimate import Filtered, PegData, covariance, slope
from collatrisk.volatility.peg_prints import lone_prints
from collatrisk.volatility.peg_search import search_peg
from collatrisk.volatility.peg_spec import Peg

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_MIN_ROWS = 100
_TITLE = "fit_peg"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PegFit:
    """A peg over time, estimated. Log units, per step.

    Attributes
    ----------
    spec, name : what was fitted, and the asset.
    params : estimated and given parameters, by the names of `Peg`; ``center`` is that of the last row.
    std_errors : ``"robust"`` (sandwich) and ``"hessian"``, each by parameter; nan where a parameter was given, is a
        default or sits on a bound.
    names, covariance : the estimated parameters inside their bounds and their robust covariance in the coordinates of
        `collatrisk.volatility.peg_estimate`; None where the likelihood has no maximum in them.
    loglikelihood : of the steps that were used. n_obs : how many they are.
    entries : expected number of entries into the stress given all prices. stressed_steps : expected steps in it.
    basis : (n,) log price less log anchor. distance : (n,) the same less its centre.
    stressed_probability : (n,) probability of the stress given the prices so far. smoothed : given all prices.
    uniforms : (n - 1,) rank of each step in its predictive law; 1/2 where a print was left out.
    findings : what a reader should know.
    """

    spec: Peg
    name: str
    params: Mapping[str, float]
    std_errors: Mapping[str, Mapping[str, float]]
    names: tuple[str, ...]
    covariance: FloatArray | None
    loglikelihood: float
    n_obs: int
    entries: float
    stressed_steps: float
    basis: FloatArray
    distance: FloatArray
    stressed_probability: FloatArray
    smoothed: FloatArray
    uniforms: FloatArray
    findings: tuple[Finding, ...]

    @property
    def diagnostics(self) -> tuple[Finding, ...]:
        """The findings."""
        return self.findings

    @property
    def std_resid(self) -> FloatArray:
        """The steps as normal scores of their uniforms, (n - 1,)."""
        return np.asarray(special.ndtri(self.uniforms))

    @property
    def last_distance(self) -> float:
        """Of the last price from the centre, in logs."""
        return float(self.distance[-1])

    @property
    def last_stressed(self) -> float:
        """Probability that the last step ended in the stress."""
        return float(self.stressed_probability[-1])

    def summary(self) -> pd.DataFrame:
        """One row a parameter: estimate, robust and Hessian standard error, and how it came about."""
        import pandas as pd

        how = dict.fromkeys(self.params, "estimated")
        how |= {"accrual": "given"} if self.spec.accrual is not None else {}
        how |= {"sensitivity": "none"} if self.spec.market is None else {}
        how |= dict.fromkeys(self.spec.given, "given")
        how |= {f.subject: "default" for f in self.findings if f.code == "peg-default-used"}
        table = pd.DataFrame(
            {
                "estimate": dict(self.params),
                "robust se": dict(self.std_errors["robust"]),
                "hessian se": dict(self.std_errors["hessian"]),
            },
            index=list(self.params),
            dtype=np.float64,
        )
        table["origin"] = [how[name] for name in self.params]
        table.index.name = "parameter"
        return table

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary of what was estimated, without the series."""
        errors = {
            kind: {name: value for name, value in values.items() if math.isfinite(value)}
            for kind, values in self.std_errors.items()
        }
        return {
            "spec": self.spec.to_dict(),
            "name": self.name,
            "params": dict(self.params),
            "std_errors": errors,
            "loglikelihood": self.loglikelihood,
            "n_obs": self.n_obs,
            "entries": self.entries,
            "stressed_steps": self.stressed_steps,
            "last_distance": self.last_distance,
            "last_stressed": self.last_stressed,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.6g}" for name, value in self.params.items())
        return f"PegFit({self.name}, {self.spec}: {values}; log-likelihood {self.loglikelihood:.3f}, n {self.n_obs})"

    def _repr_html_(self) -> str:
        rows = [(name, *(f"{v:.6g}" for v in row[:3]), row[3]) for name, *row in self.summary().itertuples()]
        caption = (
            f"{self.name}: {self.spec}, {self.n_obs} steps, log-likelihood {self.loglikelihood:.3f}, "
            f"{self.entries:.1f} entries, {self.stressed_steps:.0f} stressed steps"
        )
        table = html_table(["parameter", "estimate", "robust se", "hessian se", "origin"], rows, caption)
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return table + (html_table(["finding", "severity", "message"], notes) if notes else "")


def fit_peg(
    prices: pd.Series,
    spec: Peg,
    *,
    underlying: pd.Series | None = None,
    shock: pd.Series | None = None,
    clock: Clock | str = "24/7",
) -> PegFit:
    """Fit a two-regime peg by maximum likelihood with the Hamilton filter.

    Where the stress was seen too rarely (fewer than 5 entries or 20 stressed steps, expected given all prices), what it
    is like cannot be estimated from this history: its parameters that `spec.given` does not set take the stated
    defaults (`collatrisk.volatility.peg_defaults`), with findings, and entry is (entries + 1/2) / pegged steps (the
    mean under the prior of Jeffreys), which is above zero where nothing was ever seen.

    Parameters
    ----------
    prices : of the asset, in time order, one row a step, > 0.
    spec : a `Peg`.
    underlying : prices of `spec.underlying` on the same rows; None without one.
    shock : the standardised shock of the market, rows of `prices` (the first may be missing); needed if the spec has a
        `market`, unless its sensitivity is given as 0.
    clock : turns the accrual of a year and the defaults of a day into steps.

    Raises
    ------
    InputError : the arguments do not fit together.
    DataError : prices that are not positive numbers, or fewer than 100.
    """
    _check(spec, underlying, shock)
    clock = Clock.of(clock)
    name, basis = _basis(prices, spec, underlying)
    findings: list[Finding] = []
    usable = np.ones(basis.size, dtype=np.bool_)
    if spec.lone_prints == "trim":
        usable, findings = lone_prints(name, prices.index, basis, spec.depeg)
    shocks = np.zeros(basis.size) if shock is None else np.nan_to_num(shock.reindex(prices.index).to_numpy(np.float64))
    data, params, free, notes = search_peg(name, PegData(basis, basis, shocks, usable, spec.depeg), spec, clock)
    filtered = data.filter(params)
    if findings:
        # Only now is it known which of the prints that were left out belong to a stress.
        usable, findings = lone_prints(name, prices.index, basis, spec.depeg, filtered.smoothed)
        if np.any(usable != data.usable):
            found = search_peg(name, PegData(basis, basis, shocks, usable, spec.depeg), spec, clock)
            data, params, free, notes = found
            filtered = data.filter(params)
    findings += notes
    likely = tuple(parameter for parameter in free if parameter != "down")  # that has an estimate of its own
    inside, robust, hessian = covariance(data, params, likely)
    findings += _bound_findings(name, likely, inside, robust)
    return PegFit(
        spec=spec,
        name=name,
        params={parameter: params[parameter] for parameter in spec.parameters},
        std_errors={
            kind: _errors(spec, params, free, inside, found, filtered)
            for kind, found in (("robust", robust), ("hessian", hessian))
        },
        names=inside,
        covariance=robust,
        loglikelihood=filtered.loglikelihood,
        n_obs=int(np.sum(usable[1:] & usable[:-1])),
        entries=float(filtered.arrivals.sum()),
        stressed_steps=float(filtered.smoothed.sum()),
        basis=_frozen(basis),
        distance=_frozen(data.distance(params)),
        stressed_probability=_frozen(filtered.stressed),
        smoothed=_frozen(filtered.smoothed),
        uniforms=_frozen(predictive_ranks(data, params, filtered)),
        findings=tuple(findings),
    )


def predictive_ranks(data: PegData, params: Mapping[str, float], filtered: Filtered) -> FloatArray:
    """F(d_t | past) of each step, (n - 1,): uniform and independent where the model holds; 1/2 where unusable."""
    d = data.distance(params)
    before, now = d[:-1], d[1:]
    stressed = filtered.predicted[1:]
    odds = params["entry"] / (1.0 - params["entry"]) * np.exp(-params["sensitivity"] * data.shock[1:])
    entering = (1.0 - filtered.stressed[:-1]) * odds / (1.0 + odds)
    z = (now - params["phi"] * before) / params["sigma"]
    nu = params.get("nu", math.inf)
    calm = cdf("normal" if math.isinf(nu) else "t", z, nu, 0.0)
    held = special.ndtr((now - params["phi_stressed"] * before) / params["sigma_stressed"])
    down, drop = params["down"], params["drop"]
    fallen = np.exp(np.minimum(data.gap[1:] + data.depeg, 0.0) / drop)
    risen = -np.expm1(-np.maximum(data.gap[1:] - data.depeg, 0.0) / drop)
    ranks = (1.0 - stressed) * calm + (stressed - entering) * held + entering * (down * fallen + (1.0 - down) * risen)
    usable = data.usable[1:] & data.usable[:-1]
    return np.where(usable, np.clip(ranks, 1e-15, 1.0 - 1e-15), 0.5)


def _check(spec: object, underlying: object, shock: object) -> None:
    problems = Problems(_TITLE)
    problems.check(isinstance(spec, Peg), "spec", spec, "must be a Peg", "give Peg()")
    problems.raise_if_any()
    assert isinstance(spec, Peg)
    rule = f"must be the prices of {spec.underlying}" if spec.underlying else "must be left out: the peg is to a level"
    fits = (underlying is None) == (spec.underlying is None)
    problems.check(fits, "underlying", type(underlying).__name__, rule, "give the series that the spec names")
    told = shock is not None or spec.market is None or spec.given.get("sensitivity") == 0.0
    problems.check(told, "shock", None, f"must be the shocks of {spec.market}", "give its standardised residuals")
    problems.raise_if_any()


def _basis(prices: pd.Series, spec: Peg, underlying: pd.Series | None) -> tuple[str, FloatArray]:
    name = str(prices.name)
    values = np.asarray(prices, dtype=np.float64)
    anchor = np.full(values.size, spec.level)
    if underlying is not None:
        anchor = anchor * underlying.reindex(prices.index).to_numpy(np.float64)
    found = []
    if values.size < _MIN_ROWS:
        rule = f"must be at least {_MIN_ROWS} prices"
        found.append(Problem(name, f"{values.size} rows", rule, "give a longer history, or a PegMarginal"))
    for what, series in ((name, values), (str(spec.underlying), anchor)):
        wrong = ~(np.isfinite(series) & (series > 0.0))
        if wrong.any():
            row = str(prices.index[int(np.argmax(wrong))])
            found.append(
                Problem(what, str(series[np.argmax(wrong)]), f"must be a price above zero (row {row})", "drop it")
            )
    if found:
        raise DataError(f"{_TITLE}: {name}", found)
    return name, np.ascontiguousarray(np.log(values / anchor))


def _errors(
    spec: Peg,
    params: Mapping[str, float],
    free: tuple[str, ...],
    inside: tuple[str, ...],
    found: FloatArray | None,
    filtered: Filtered,
) -> dict[str, float]:
    """Standard errors by the delta method; nan for what was not estimated."""
    errors = dict.fromkeys(spec.parameters, math.nan)
    if found is not None:
        for place, parameter in enumerate(inside):
            errors[parameter] = math.sqrt(found[place, place]) * slope(parameter, params[parameter])
    if "down" in free:
        errors["down"] = math.sqrt(params["down"] * (1.0 - params["down"]) / (float(filtered.arrivals.sum()) + 2.0))
    return errors


def _bound_findings(
    name: str, free: tuple[str, ...], inside: tuple[str, ...], robust: FloatArray | None
) -> list[Finding]:
    outside = [parameter for parameter in free if parameter not in inside]
    found = []
    if outside:
        text = f"{', '.join(outside)} ended on a bound and has no standard error"
        found.append(Finding("parameter-on-bound", "info", name, text))
    if robust is None:
        text = "the likelihood has no clear maximum, so there are no standard errors; give some parameters"
        found.append(Finding("no-standard-errors", "warning", name, text))
    return found


def _frozen(values: FloatArray) -> FloatArray:
    values = np.ascontiguousarray(values, dtype=np.float64)
    values.setflags(write=False)
    return values
