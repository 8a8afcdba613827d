"""What a user asks for: one frozen description per way of modelling the volatility of one asset.

All three have one numeric form, the coefficients of a GJR recursion (`garch_coefficients`), so that filters, forecasts
and path kernels need to know only that form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from collatrisk.base.validation import Problems

Dist: TypeAlias = Literal["normal", "t", "skewt"]
Mean: TypeAlias = Literal["constant", "zero"]

DISTS: tuple[Dist, ...] = ("normal", "t", "skewt")
MEANS: tuple[Mean, ...] = ("constant", "zero")
MAX_ORDER = 10


@dataclass(frozen=True, slots=True)
class Garch:
    """GJR-GARCH(p, o, q) of Glosten, Jagannathan and Runkle (1993); o = 0 is the GARCH of Bollerslev (1986).

    ``h_t = omega + sum_i (alpha_i + gamma_i 1(e_{t-i} < 0)) e_{t-i}^2 + sum_j beta_j h_{t-j}``, with
    ``e_t = sqrt(h_t) z_t``.

    Parameters
    ----------
    p, o, q : whole numbers in [0, 10], p + o >= 1: lags of the squared residual, of its negative part, of the variance.
    dist : law of z_t, unit variance: ``"normal"``, ``"t"`` (Student), ``"skewt"`` (Hansen 1994).
    mean : ``"constant"`` estimates the mean of the returns with the rest, ``"zero"`` holds it at 0.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    p: int = 1
    o: int = 1
    q: int = 1
    dist: Dist = "t"
    mean: Mean = "constant"

    def __post_init__(self) -> None:
        problems = Problems("Garch")
        for name in ("p", "o", "q"):
            remedy = "orders of 1 suit nearly every series"
            problems.integer(name, getattr(self, name), low=0, high=MAX_ORDER, remedy=remedy)
        if not problems.found:
            rule = "p + o must be at least 1, or the residuals never enter"
            problems.check(self.p + self.o > 0, "p", self.p, rule, "use p=1, or ConstantVolatility()")
        _check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "garch", **asdict(self)}


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
        _check_shape(problems, self.dist, self.mean)
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
        _check_shape(problems, self.dist, self.mean)
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `spec_from_dict`."""
        return {"kind": "constant", **asdict(self)}


VolatilitySpec: TypeAlias = Garch | Ewma | ConstantVolatility

_KINDS: dict[str, type[Garch] | type[Ewma] | type[ConstantVolatility]] = {
    "garch": Garch,
    "ewma": Ewma,
    "constant": ConstantVolatility,
}
_FIELDS = {
    "garch": ("p", "o", "q", "dist", "mean"),
    "ewma": ("decay", "mean", "dist"),
    "constant": ("mean", "dist"),
}


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
    problems.choice("kind", kind, tuple(_FIELDS))
    problems.raise_if_any()
    fields = {name: value for name, value in data.items() if name != "kind"}
    problems.known("field", fields, _FIELDS[kind])
    problems.raise_if_any()
    return _KINDS[kind](**fields)


@dataclass(frozen=True, slots=True)
class GarchCoefficients:
    """The numeric form of every volatility spec: the coefficients of a GJR recursion.

    Attributes
    ----------
    omega : variance per step, >= 0, in the square of the returns' unit.
    alpha, gamma, beta : one number a lag, the nearest lag first; may be empty.
    """

    omega: float
    alpha: tuple[float, ...]
    gamma: tuple[float, ...]
    beta: tuple[float, ...]

    @property
    def residual_lags(self) -> int:
        """How many past residuals the recursion needs: max(p, o)."""
        return max(len(self.alpha), len(self.gamma))

    @property
    def variance_lags(self) -> int:
        """How many past variances the recursion needs: q."""
        return len(self.beta)


def garch_coefficients(spec: VolatilitySpec, params: Mapping[str, float]) -> GarchCoefficients:
    """The GJR coefficients of a spec with its parameters.

    Parameters
    ----------
    spec : Garch (reads omega, alpha[i], gamma[i], beta[i]), Ewma (omega 0, alpha 1 - decay, beta decay; reads nothing)
        or ConstantVolatility (reads omega, the variance per step).
    params : values by arch's names, in the square of the returns' unit where that applies.

    Raises
    ------
    InputError : a parameter that the spec needs is missing or not finite.
    """
    problems = Problems("volatility parameters")

    def read(name: str) -> float:
        remedy = f"needed by {type(spec).__name__}; give all of its parameters"
        return problems.number(name, params.get(name), remedy=remedy)

    if isinstance(spec, Ewma):
        return GarchCoefficients(0.0, (1.0 - spec.decay,), (), (spec.decay,))
    if isinstance(spec, ConstantVolatility):
        found = GarchCoefficients(read("omega"), (), (), ())
    else:
        alpha, gamma, beta = (
            tuple(read(f"{letter}[{lag}]") for lag in range(1, order + 1))
            for letter, order in (("alpha", spec.p), ("gamma", spec.o), ("beta", spec.q))
        )
        found = GarchCoefficients(read("omega"), alpha, gamma, beta)
    problems.raise_if_any()
    return found


def _check_shape(problems: Problems, dist: object, mean: object) -> None:
    problems.choice("dist", dist, DISTS)
    problems.choice("mean", mean, MEANS)
