"""One pegged asset, ready to simulate: its parameters and where its basis was left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.simulation.marginals import Marginal, check_multiple
from collatrisk.volatility.covariance import ParameterUncertainty
from collatrisk.volatility.peg_moments import stressed_share
from collatrisk.volatility.peg_spec import COMMON, Peg, check_parameter, peg_from_dict
from collatrisk.volatility.recursions.base import decay_time
from collatrisk.volatility.specs import ConstantVolatility

if TYPE_CHECKING:
    from collatrisk.volatility.peg_fit import PegFit

_SIZES = ("sigma", "sigma_stressed")

LARGEST_STEP = 5.0
"""What no multiple takes the standard deviations and the mean drop of a peg beyond, a step: 150 times the price."""


@dataclass(frozen=True, slots=True)
class PegMarginal:
    """One asset's two-regime peg (see `Peg`), with the state from which it goes on.

    All volatilities are of the basis; a token on an underlying has those of the underlying on top.

    Attributes
    ----------
    asset : its name.
    spec : the peg.
    params : every parameter of `Peg` by its name, a step.
    std_errors : robust standard errors by the same names; empty if the parameters were given.
    last_distance : of the last price from the centre, log units.
    last_stressed : probability in [0, 1] that the last step ended in the stress.
    n_obs : steps used, 0 if the parameters were given.
    loglikelihood : None if the parameters were given.
    findings : what the fit noticed.
    uncertainty : the covariance in the coordinates of `collatrisk.volatility.peg_estimate`, for `draw_models`.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    asset: str
    spec: Peg
    params: Mapping[str, float] = field(hash=False)
    std_errors: Mapping[str, float] = field(default_factory=dict, hash=False)
    last_distance: float = 0.0
    last_stressed: float = 0.0
    n_obs: int = 0
    loglikelihood: float | None = None
    findings: tuple[Finding, ...] = ()
    uncertainty: ParameterUncertainty | None = None

    def __post_init__(self) -> None:
        problems = Problems(f"PegMarginal of {self.asset!r}")
        name_ok = isinstance(self.asset, str) and bool(self.asset.strip())
        problems.check(name_ok, "asset", self.asset, "must be a name", "give the price column's name")
        problems.check(isinstance(self.spec, Peg), "spec", self.spec, "must be a Peg", "give Peg()")
        problems.raise_if_any()
        problems.known("params", self.params, self.spec.parameters)
        for name in self.spec.parameters:
            if problems.check(name in self.params, "params", sorted(self.params), f"need {name!r}", "give it"):
                check_parameter(problems, f"params[{name}]", name, self.params[name])
        for name, value in self.std_errors.items():
            problems.number(f"std_errors[{name}]", value, low=0, remedy="leave out what was not estimated")
        problems.number("last_distance", self.last_distance, remedy="0 for a price at the centre")
        problems.number("last_stressed", self.last_stressed, low=0, high=1, remedy="a probability")
        if self.loglikelihood is not None:
            problems.number("loglikelihood", self.loglikelihood, remedy="None where nothing was fitted")
        for name, other in (("underlying", self.spec.underlying), ("market", self.spec.market)):
            problems.check(other != self.asset, name, other, "must be another asset", "leave it out")
        problems.raise_if_any()
        for kind in ("params", "std_errors"):
            values = {str(key): float(value) for key, value in getattr(self, kind).items()}
            object.__setattr__(self, kind, MappingProxyType(values))
        object.__setattr__(self, "findings", tuple(self.findings))

    @classmethod
    def of(cls, asset: str, fit: PegFit) -> PegMarginal:
        """From a fit."""
        robust = {name: float(value) for name, value in fit.std_errors["robust"].items() if math.isfinite(value)}
        known = None
        if fit.covariance is not None:
            known = ParameterUncertainty(fit.names, fit.covariance, np.zeros((0, len(fit.names))))
        return cls(
            asset=asset,
            spec=fit.spec,
            params=fit.params,
            std_errors=robust,
            last_distance=fit.last_distance,
            last_stressed=fit.last_stressed,
            n_obs=fit.n_obs,
            loglikelihood=fit.loglikelihood,
            findings=tuple(finding.of_part(asset) for finding in fit.findings),
            uncertainty=known,
        )

    @property
    def dist(self) -> str:
        """The law of the noise while pegged."""
        return self.spec.dist

    @property
    def nu(self) -> float:
        """Its degrees of freedom; infinite for the normal law."""
        return self.params.get("nu", math.inf)

    @property
    def lam(self) -> float:
        """0: the law is symmetric."""
        return 0.0

    @property
    def mu(self) -> float:
        """Growth of the anchor a step, in logs."""
        return self.params["accrual"]

    @property
    def persistence(self) -> float:
        """phi: the share of a distance from the centre that is left a step later while pegged."""
        return self.params["phi"]

    @property
    def stressed_share(self) -> float:
        """The share of steps that are stressed in the long run, without shocks of the market."""
        return stressed_share(self.params, self.spec.depeg)

    @property
    def next_variance(self) -> float:
        """Of the noise in the next step, entries apart."""
        return self._mixed(self.last_stressed)

    @property
    def half_life(self) -> float:
        """Steps after which half of a distance from the centre is left while pegged."""
        return decay_time(self.params["phi"])

    @property
    def long_run_volatility(self) -> float:
        """Sd of the noise a step, averaged over both regimes in the long run, entries apart."""
        return math.sqrt(self._mixed(self.stressed_share))

    @property
    def average_volatility(self) -> float:
        """That of the long run: both regimes of a peg are stationary."""
        return self.long_run_volatility

    def _mixed(self, stressed: float) -> float:
        calm, stress = self.params["sigma"] ** 2, self.params["sigma_stressed"] ** 2
        return (1.0 - stressed) * calm + stressed * stress

    def noise(self) -> Marginal:
        """The noise while pegged as a marginal by itself: of constant variance, with the law of the peg."""
        params = {"omega": self.params["sigma"] ** 2} | ({} if self.dist == "normal" else {"nu": self.nu})
        return Marginal(self.asset, ConstantVolatility(mean="zero", dist=self.spec.dist), params)

    def scaled(self, factor: float) -> PegMarginal:
        """The same peg with the noise of both regimes and the mean drop multiplied by `factor`, in (0, 1e6].

        What counts as a depeg stays, and so do the persistences and the probabilities.

        Raises
        ------
        InputError : for another factor, and for one that makes the noise or the mean drop larger than `LARGEST_STEP`.
        """
        check_multiple(self.asset, "factor", factor)
        problems = Problems(f"PegMarginal of {self.asset!r}")
        check_scale(problems, "factor", self, factor)
        problems.raise_if_any()
        if factor == 1.0:
            return self
        sizes = (*_SIZES, "drop")
        return replace(
            self,
            params={name: value * factor if name in sizes else value for name, value in self.params.items()},
            std_errors={name: value * factor if name in sizes else value for name, value in self.std_errors.items()},
            loglikelihood=None,
        )

    def started_at(self, multiple: float) -> PegMarginal:
        """The same peg, started in a crisis: the sd of its next noise is `multiple` times its long-run one.

        The state of a peg is the probability of the stress, so that is what is raised: to (m^2 v - v0) / (v1 - v0), v
        the long-run variance, v0 and v1 those of the regimes; never below what it is, never above 1. m lies in
        (0, 1e6]. The crisis fades as stresses do.
        """
        check_multiple(self.asset, "multiple", multiple)
        calm, stress = self.params["sigma"] ** 2, self.params["sigma_stressed"] ** 2
        wanted = (multiple * self.long_run_volatility) ** 2
        share = (wanted - calm) / (stress - calm) if stress > calm else 0.0
        raised = min(max(share, self.last_stressed), 1.0)
        changed = raised != self.last_stressed
        return replace(self, last_stressed=raised, loglikelihood=None if changed else self.loglikelihood)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; the key ``uncertainty`` is left out where there is none."""
        kept = {} if self.uncertainty is None else {"uncertainty": self.uncertainty.to_dict()}
        return {
            "asset": self.asset,
            "spec": self.spec.to_dict(),
            "params": dict(self.params),
            "std_errors": dict(self.std_errors),
            "last_distance": self.last_distance,
            "last_stressed": self.last_stressed,
            "n_obs": self.n_obs,
            "loglikelihood": self.loglikelihood,
            "findings": [finding.to_dict() for finding in self.findings],
            **kept,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PegMarginal:
        """The inverse of `to_dict`."""
        return cls(
            data["asset"],
            peg_from_dict(data["spec"]),
            data["params"],
            data["std_errors"],
            float(data["last_distance"]),
            float(data["last_stressed"]),
            int(data["n_obs"]),
            None if data["loglikelihood"] is None else float(data["loglikelihood"]),
            tuple(Finding.from_dict(finding) for finding in data["findings"]),
            ParameterUncertainty.from_dict(data["uncertainty"]) if data.get("uncertainty") is not None else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return PegMarginal.from_dict, (self.to_dict(),)  # read-only views of mappings do not pickle


def check_scale(problems: Problems, name: str, peg: PegMarginal, factor: float) -> None:
    """A multiple of the sizes of a peg that prices can follow; one below 1 always is."""
    largest = max(peg.params[size] for size in (*_SIZES, "drop"))
    most = max(LARGEST_STEP / largest, 1.0)
    rule = f"takes the basis of {peg.asset} {factor * largest:.3g} a step in logs, and no price follows that"
    problems.check(factor <= most, name, factor, rule, f"give at most {most:.4g}")


AnyMarginal: TypeAlias = Marginal | PegMarginal


def marginal_from_dict(data: Mapping[str, Any]) -> AnyMarginal:
    """A marginal of either kind from what its `to_dict` wrote."""
    return PegMarginal.from_dict(data) if is_peg(data) else Marginal.from_dict(data)


def is_peg(data: Mapping[str, Any]) -> bool:
    """Whether a saved marginal is a peg."""
    spec = data.get("spec")
    return isinstance(spec, Mapping) and spec.get("kind") == "peg"


def check_links(problems: Problems, marginals: Sequence[AnyMarginal], names: Sequence[str]) -> None:
    """What pegs depend on must be in the model, their shocks must come from assets that are no pegs, without rings."""
    pegs = {one.asset: one.spec for one in marginals if isinstance(one, PegMarginal)}
    for asset, spec in pegs.items():
        for what, other in (("anchored to", spec.underlying), ("stressed by", spec.market)):
            rule = f"must name {other!r} as well: {asset} is {what} it"
            known = other in {None, COMMON, *names}
            problems.check(known, "assets", list(names), rule, f"add {other!r}, or leave {asset} out")
        rule = f"cannot be {spec.market!r}: the shock must come from an asset that is no peg"
        problems.check(spec.market not in pegs, f"market of {asset}", spec.market, rule, "give its own underlying")
        chain, at = [asset], spec.underlying
        while at in pegs and at not in chain:
            chain.append(at)
            at = pegs[at].underlying
        problems.check(
            at not in chain, f"underlying of {asset}", chain, "must not lead back to itself", "break the ring"
        )
