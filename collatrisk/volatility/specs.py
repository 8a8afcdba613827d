"""What a user asks for: one frozen description per way of modelling the volatility of one asset.

The classics are here; `specs_asymmetric` and `specs_memory` hold the others. What a spec does to the variance is the
business of its family (`collatrisk.volatility.recursions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from collatrisk.base.validation import Problems
from collatrisk.volatility.spec_rules import (
    DISTS as DISTS,
    MEANS as MEANS,
    Dist as Dist,
    Mean as Mean,
    check_orders,
    check_shape,
)
from collatrisk.volatility.specs_asymmetric import Aparch as Aparch, Egarch as Egarch
from collatrisk.volatility.specs_memory import Figarch as Figarch, RiskMetrics2006 as RiskMetrics2006


@dataclass(frozen=True, slots=True)
class Garch:
    """GJR-GARCH(p, o, q) of Glosten, Jagannathan and Runkle (1993); o = 0 is the GARCH of Bollerslev (1986).

    ``h_t = omega + sum_i (alpha_i + gamma_i 1(e_{t-i} < 0)) e_{t-i}^2 + sum_j beta_j h_{t-j}``, with
    ``e_t = sqrt(h_t) z_t``. With another power, as in arch, h^(power / 2) and |e|^power stand for h and e^2: power 1 is
    the TGARCH of Zakoian (1994), in standard deviations.

    Parameters
    ----------
    p, o, q : whole numbers in [0, 10], p + o >= 1: lags of the squared residual, of its negative part, of the variance.
    dist : law of z_t, unit variance: ``"normal"``, ``"t"`` (Student), ``"skewt"`` (Hansen 1994), ``"ged"`` (generalised
        error, Nelson 1991).
    mean : ``"constant"`` estimates the mean of the returns with the rest, ``"zero"`` holds it at 0, ``"ar1"`` estimates
        r_t = mu + ar[1] r_{t-1} + e_t on all returns but the first.
    power : of the residuals, in [0.05, 4].

    Raises
    ------
    InputError : with every broken rule at once.
    """

    p: int = 1
    o: int = 1
    q: int = 1
    dist: Dist = "t"
    mean: Mean = "constant"
    power: float = 2.0

    def __post_init__(self) -> None:
        problems = Problems("Garch")
        check_orders(problems, self.p, self.o, self.q)
        problems.number("power", self.power, low=0.05, high=4.0, remedy="2 for GARCH and GJR, 1 for TGARCH")
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`; without the power where it is 2."""
        told = asdict(self)
        if self.power == 2.0:
            del told["power"]  # as in the files of the first version
        return {"kind": "garch", **told}


@dataclass(frozen=True, slots=True)
class Ewma:
    """Exponentially weighted variance with a given decay (RiskMetrics 1996).

    ``h_t = (1 - decay) e_{t-1}^2 + decay h_{t-1}``.
    An integrated GARCH with omega = 0: it has no long-run variance and its variance forecast is flat.

    Parameters
    ----------
    decay : float in (0, 1), per step. Given, never estimated; 0.94 is the RiskMetrics value for daily data.
    mean : ``"zero"`` or ``"constant"`` (estimated).
    dist : law of the standardised residual, unit variance; the shape of ``"t"`` and ``"skewt"`` is estimated.
    """

    decay: float = 0.94
    mean: Mean = "zero"
    dist: Dist = "normal"

    def __post_init__(self) -> None:
        problems = Problems("Ewma")
        remedy = "0.94 is the RiskMetrics value for daily data"
        problems.number("decay", self.decay, low=0, high=1, open_low=True, open_high=True, remedy=remedy)
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "ewma", **asdict(self)}


@dataclass(frozen=True, slots=True)
class ConstantVolatility:
    """One variance for all steps, ``h_t = omega``, estimated by maximum likelihood (normal: the mean squared residual).

    Parameters
    ----------
    mean : ``"zero"`` or ``"constant"`` (estimated).
    dist : law of the standardised residual, unit variance; the shape of ``"t"`` and ``"skewt"`` is estimated.
    """

    mean: Mean = "zero"
    dist: Dist = "normal"

    def __post_init__(self) -> None:
        problems = Problems("ConstantVolatility")
        check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "constant", **asdict(self)}


VolatilitySpec: TypeAlias = Garch | Ewma | ConstantVolatility | Egarch | Aparch | Figarch | RiskMetrics2006

_KINDS: dict[str, type[Any]] = {
    "garch": Garch,
    "egarch": Egarch,
    "aparch": Aparch,
    "figarch": Figarch,
    "ewma": Ewma,
    "riskmetrics2006": RiskMetrics2006,
    "constant": ConstantVolatility,
}
KINDS: tuple[str, ...] = tuple(_KINDS)
SPECS: tuple[type[Any], ...] = tuple(_KINDS.values())


def is_spec(value: object) -> bool:
    """Whether a value is a volatility spec."""
    return isinstance(value, SPECS)


def spec_from_dict(data: Mapping[str, Any]) -> VolatilitySpec:
    """The spec that `to_dict` wrote; missing fields take their defaults.

    Raises
    ------
    InputError : unknown kind, unknown field, or a value that breaks a rule.
    """
    problems = Problems("volatility spec")
    is_table = isinstance(data, Mapping)
    problems.check(is_table, "volatility", data, "must be a table with a kind", "give {kind = 'garch'}, for example")
    problems.raise_if_any()
    kind = data.get("kind", "garch")
    problems.choice("kind", kind, KINDS)
    problems.raise_if_any()
    given = {name: value for name, value in data.items() if name != "kind"}
    problems.known("field", given, [field.name for field in fields(_KINDS[kind])])
    problems.raise_if_any()
    spec: VolatilitySpec = _KINDS[kind](**given)
    return spec
