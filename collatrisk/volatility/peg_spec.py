"""What a user asks for where an asset is meant to hold a level: the two-regime peg.

The basis b_t is the log price less the log of the anchor: 1 for a dollar stablecoin, the underlying's price for a
wrapped or staked token. With d_t its distance from the centre, ``d_t = b_t - center - accrual (t - T)`` (T the last
row of the history)::

    pegged    d_t = phi d_{t-1} + sigma z_t,                             z_t Student t or normal, unit variance
    stressed  d_t = phi_stressed d_{t-1} + sigma_stressed w_t,           w_t normal
    entry     d_t = -(depeg + X), or with probability 1 - down +(...),   X exponential with mean drop

A pegged step enters the stress with probability logistic(logit(entry) - sensitivity x_t), x_t the standardised shock of
the market in that step; a stressed step leaves it with probability exit, and then moves as a pegged one. A stressed
token that comes back to within `depeg` of the centre is pegged again: that is what the word means here, and it is what
keeps the second regime from being merely a time of more noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from collatrisk.base.validation import Problems
from collatrisk.volatility.specs import VolatilitySpec, spec_from_dict

PegDist: TypeAlias = Literal["t", "normal"]

COMMON = "*"
"""As `Peg.market`: the mean of the innovations of all assets that are no pegs, at unit variance."""

PEG_PARAMETERS = (
    *("center", "accrual", "phi", "sigma", "nu", "entry", "exit", "drop"),
    *("phi_stressed", "sigma_stressed", "sensitivity", "down"),
)
STRESSED_PARAMETERS = ("exit", "drop", "phi_stressed", "sigma_stressed", "sensitivity", "down")

# Highest persistence of either regime: a basis with a unit root has no anchor.
MAX_PHI = 0.9999
_RANGES: Mapping[str, tuple[float, float, bool]] = MappingProxyType(
    {
        "center": (-math.inf, math.inf, False),
        "accrual": (-math.inf, math.inf, False),
        "phi": (0.0, MAX_PHI, False),
        "sigma": (0.0, math.inf, True),
        "nu": (2.0, math.inf, True),
        "entry": (0.0, 0.5, False),
        "exit": (0.0, 1.0, False),
        "drop": (0.0, math.inf, True),
        "phi_stressed": (0.0, MAX_PHI, False),
        "sigma_stressed": (0.0, math.inf, True),
        "sensitivity": (-math.inf, math.inf, False),
        "down": (0.0, 1.0, False),
    }
)


@dataclass(frozen=True, slots=True)
class Peg:
    """An asset that holds a level, until it does not: a mean-reverting basis with a pegged and a stressed regime.

    Parameters
    ----------
    underlying : the asset that anchors the price (``"ETH"`` for stETH); None: the quote currency.
    level : the anchor, in units of the quote currency or of the underlying, > 0. The centre of the basis is estimated
        anyway; a level near the truth keeps the basis readable.
    accrual : log growth a year of the anchor, for tokens that accrue (wstETH): a number, or None to estimate it.
    depeg : a basis further than this from its centre may be stressed, > 0, log units: 0.005 is half a percent.
    market : the asset whose shock makes an entry likelier, ``"*"`` for the common shock of all assets that are no pegs,
        None for none.
    dist : law of the noise while pegged, unit variance: ``"t"`` bears single bad prints, or ``"normal"``.
    lone_prints : ``"trim"`` leaves out single prints far from both of their neighbours (which agree and are pegged),
        with a finding that names them; ``"keep"`` takes them for moves.
    given : parameters held at these values instead of being estimated, by the names above, a step.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    underlying: str | None = None
    level: float = 1.0
    accrual: float | None = 0.0
    depeg: float = 0.005
    market: str | None = None
    dist: PegDist = "t"
    lone_prints: Literal["trim", "keep"] = "trim"
    given: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        problems = Problems("Peg")
        for name in ("underlying", "market"):
            value = getattr(self, name)
            named = value is None or (isinstance(value, str) and bool(value.strip()))
            problems.check(named, name, value, "must be an asset's name or None", "give 'ETH', for example")
        problems.number("level", self.level, low=0, open_low=True, remedy="1.0 for a dollar stablecoin")
        if self.accrual is not None:
            problems.number("accrual", self.accrual, remedy="0.04 for 4 % a year, None to estimate it")
        problems.number("depeg", self.depeg, low=0, open_low=True, remedy="0.005: half a percent")
        problems.choice("dist", self.dist, ("t", "normal"))
        problems.choice("lone_prints", self.lone_prints, ("trim", "keep"))
        mapped = isinstance(self.given, Mapping)
        problems.check(mapped, "given", self.given, "must map parameters to values", "give {'entry': 0.001}")
        if mapped:
            problems.known("given", self.given, self.parameters)
            for name, value in self.given.items():
                if name in _RANGES:
                    check_parameter(problems, f"given[{name}]", name, value)
        problems.raise_if_any()
        values = {str(name): float(value) for name, value in self.given.items()}
        object.__setattr__(self, "given", MappingProxyType(values))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that the model has."""
        absent = {"nu"} if isinstance(self.dist, str) and self.dist == "normal" else set()
        return tuple(name for name in PEG_PARAMETERS if name not in absent)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by `peg_from_dict`."""
        names = ("underlying", "level", "accrual", "depeg", "market", "dist", "lone_prints")
        return {"kind": "peg", **{name: getattr(self, name) for name in names}, "given": dict(self.given)}

    def __reduce__(self) -> tuple[Any, ...]:
        return peg_from_dict, (self.to_dict(),)  # read-only views of mappings do not pickle

    def __str__(self) -> str:
        return f"Peg to {self.underlying or format(self.level, 'g')}"


def peg_from_dict(data: Mapping[str, Any]) -> Peg:
    """The spec that `Peg.to_dict` wrote; missing fields take their defaults.

    Raises
    ------
    InputError : an unknown field, or a value that breaks a rule.
    """
    problems = Problems("Peg")
    fields = {name: value for name, value in data.items() if name != "kind"}
    problems.known("field", fields, list(Peg.__dataclass_fields__))
    problems.raise_if_any()
    return Peg(**fields)


def check_parameter(problems: Problems, label: str, name: str, value: object) -> float:
    """One parameter of a peg within its range."""
    low, high, open_low = _RANGES[name]
    text = f"{low:g} to {high:g}" if math.isfinite(high) else f"a number above {low:g}"
    return problems.number(label, value, low=low, high=high, open_low=open_low, remedy=f"give {text}, a step")


def marginal_spec_from_dict(data: Mapping[str, Any]) -> VolatilitySpec | Peg:
    """A peg or a volatility spec from what their `to_dict` wrote.

    Raises
    ------
    InputError : unknown kind, unknown field, or a value that breaks a rule.
    """
    return peg_from_dict(data) if isinstance(data, Mapping) and data.get("kind") == "peg" else spec_from_dict(data)
