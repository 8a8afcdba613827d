"""The parts of a scenario: sourced numbers, windows, proxy rules and the stressed-model block. Plain records."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

QUALITIES = ("computed from prices", "sourced", "disputed", "unverified", "assumption")
KINDS = ("historical", "hypothetical")
ANY_ASSET = "*"


@dataclass(frozen=True, slots=True)
class Window:
    """Two dates, both included, UTC."""

    first: dt.date
    last: dt.date

    def __str__(self) -> str:
        return f"{self.first.isoformat()} to {self.last.isoformat()}"


@dataclass(frozen=True, slots=True)
class Number:
    """One number with all that is needed to judge it.

    Attributes
    ----------
    asset : what it is about.
    value : for a shock the relative change of the price, in [-1, inf): a fall is negative.
    measure : how it was taken, such as ``"peak_to_trough_hourly_close"``.
    source : the key of the scenario's `sources`.
    quality : ``"computed from prices"``, ``"sourced"`` (read in the publication), ``"disputed"`` (sources disagree or
        the print is bad), ``"unverified"`` (no readable source) or ``"assumption"`` (nobody observed it).
    unit : ``"fraction"`` for a shock.
    window : the days over which it was taken; None: the scenario's own window.
    venue : where it was marked; venues differ by much in a crash.
    note : levels behind a percentage, a contradiction, a gap.
    """

    asset: str
    value: float
    measure: str = "assumed"
    source: str = "user"
    quality: str = "assumption"
    unit: str = "fraction"
    window: Window | None = None
    venue: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """What an asset follows where the scenario does not name it.

    ``shock = factor * (1 + shock of the reference) ** beta - 1``: `beta` is a beta of log prices, so that no fall
    exceeds 100 %; `factor` is a change of the asset's price in units of the reference (a staked token's discount).

    Attributes
    ----------
    asset, of : the follower and its reference.
    beta : >= 0.
    factor : > 0; 1 leaves the ratio to the reference as it is.
    source, quality, note : as in `Number`.
    """

    asset: str
    of: str
    beta: float = 1.0
    factor: float = 1.0
    source: str = "user"
    quality: str = "assumption"
    note: str = ""

    def shock(self, reference: float) -> float:
        """The follower's shock for a shock of the reference in [-1, inf)."""
        return float(self.factor * (1.0 + reference) ** self.beta - 1.0)

    def __str__(self) -> str:
        discount = "" if self.factor == 1.0 else f" at {self.factor:g}"
        return f"proxy {self.of} x{self.beta:g}{discount}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A jump of the stressed model: at each arrival of a Poisson clock every named price changes by its size.

    Attributes
    ----------
    label : what it is.
    intensity_per_year : >= 0, in years of the model's clock.
    sizes : asset -> relative change of the price, in (-1, inf). Prices do not come back.
    note : why.
    """

    label: str
    intensity_per_year: float
    sizes: Mapping[str, float] = field(hash=False)
    note: str = ""

    def log_sizes(self, assets: tuple[str, ...]) -> dict[str, float]:
        """The changes of the log prices of those of `assets` that are named."""
        return {asset: math.log1p(size) for asset, size in self.sizes.items() if asset in assets}


@dataclass(frozen=True, slots=True)
class StressedModel:
    """How a scenario changes a market model.

    Attributes
    ----------
    volatility_scale : volatility in the event as a multiple of its average, > 0: one number, or asset -> number with
        ``"*"`` for those not named (1 without it). The stressed model starts there, never below today's volatility, and
        the crisis fades as the fitted process does (`stress_model`, `initial_volatility`).
    correlation : (rho, weight), both in [0, 1], of `stress_model`; None leaves it as fitted.
    arrivals : jumps and depegs.
    quality, note : as in `Number`.
    """

    volatility_scale: float | Mapping[str, float] = field(default=1.0, hash=False)
    correlation: tuple[float, float] | None = None
    arrivals: tuple[Arrival, ...] = ()
    quality: str = "assumption"
    note: str = ""

    def scale_of(self, asset: str) -> float:
        """The volatility multiple of one asset."""
        if isinstance(self.volatility_scale, Mapping):
            return self.volatility_scale.get(asset, self.volatility_scale.get(ANY_ASSET, 1.0))
        return self.volatility_scale
