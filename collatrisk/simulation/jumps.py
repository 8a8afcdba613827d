"""Sudden moves that arrive by a Poisson clock: of fixed size for stresses, of random size where they are estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from collatrisk.base.validation import Problems


@dataclass(frozen=True, slots=True)
class JumpSize:
    """A random change of the log price: double exponential (Kou 2002), beyond a smallest jump where there is one.

    With probability `p_up` it is minimum_up + an exponential of mean `mean_up`, otherwise -(minimum_down + an
    exponential of mean `mean_down`).

    Attributes
    ----------
    p_up : in [0, 1].
    mean_up, mean_down : > 0, log units, beyond the smallest jump.
    minimum_up, minimum_down : >= 0, log units; 0 is Kou's law.
    hit : in [0, 1], the probability that an arrival moves this asset at all.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    p_up: float
    mean_up: float
    mean_down: float
    minimum_up: float = 0.0
    minimum_down: float = 0.0
    hit: float = 1.0

    def __post_init__(self) -> None:
        problems = Problems("JumpSize")
        for name in ("p_up", "hit"):
            problems.number(name, getattr(self, name), low=0, high=1, remedy="a probability")
        for name in ("mean_up", "mean_down"):
            problems.number(name, getattr(self, name), low=0, open_low=True, remedy="0.05 for five percent")
        for name in ("minimum_up", "minimum_down"):
            problems.number(name, getattr(self, name), low=0, remedy="0 for jumps of any size")
        problems.raise_if_any()

    @property
    def mean(self) -> float:
        """E[J] of an arrival, misses included."""
        up, down = self.minimum_up + self.mean_up, self.minimum_down + self.mean_down
        return self.hit * (self.p_up * up - (1.0 - self.p_up) * down)

    @property
    def mean_square(self) -> float:
        """E[J^2] of an arrival, misses included: the variance of the sum is intensity x time x this."""
        up = (self.minimum_up + self.mean_up) ** 2 + self.mean_up**2
        down = (self.minimum_down + self.mean_down) ** 2 + self.mean_down**2
        return self.hit * (self.p_up * up + (1.0 - self.p_up) * down)

    @property
    def growth(self) -> float:
        """E[exp(J)] - 1 of an arrival; infinite for a mean_up of 1 or more."""
        if self.p_up > 0.0 and self.mean_up >= 1.0:
            return math.inf
        up = math.exp(self.minimum_up) / (1.0 - self.mean_up) if self.p_up > 0.0 else 0.0
        down = math.exp(-self.minimum_down) / (1.0 + self.mean_down)
        return self.hit * (self.p_up * up + (1.0 - self.p_up) * down - 1.0)

    def to_dict(self) -> dict[str, float]:
        """A JSON-ready dictionary; the keyword arguments."""
        return {name: float(getattr(self, name)) for name in JUMP_SIZE_KEYS}


JUMP_SIZE_KEYS = ("p_up", "mean_up", "mean_down", "minimum_up", "minimum_down", "hit")

Size: TypeAlias = float | JumpSize

_LARGEST_UP = 0.9  # of a drawn mean: at 1 the expected price is infinite


@dataclass(frozen=True, slots=True)
class Jump:
    """A sudden move that arrives by a Poisson clock and hits every named asset at once: a crash, a depeg.

    Attributes
    ----------
    label : what it is.
    intensity_per_year : arrivals a year, >= 0, in the years of the model's clock.
    log_sizes : what it adds to each named asset's log price; ln(0.5) halves it, a `JumpSize` draws it. One draw of the
        direction serves all assets of an arrival, each has a draw of its own of the size.
    compensated : whether the drift takes the jump back under ``drift="martingale"``, so that the expected price stays.
        Not so for a stress, which is a loss and not a fair game; so for jumps that were estimated.
    together : in [0, 1], the probability that all assets of an arrival have the same rank in their laws of the size;
        it is the correlation between two exponential sizes of one arrival.
    count : arrivals seen, from which the jump was estimated; 0 where it was given.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    label: str
    intensity_per_year: float
    log_sizes: Mapping[str, Size] = field(hash=False)
    compensated: bool = False
    together: float = 0.0
    count: int = 0

    def __post_init__(self) -> None:
        problems = Problems(f"Jump {self.label!r}")
        remedy = "1 for once a year on average"
        intensity = problems.number("intensity_per_year", self.intensity_per_year, low=0, remedy=remedy)
        problems.check(isinstance(self.label, str), "label", self.label, "must be text", "say what jumps")
        problems.check(isinstance(self.compensated, bool), "compensated", self.compensated, "must be true or false", "")
        problems.number("together", self.together, low=0, high=1, remedy="0 for sizes that are independent")
        problems.integer("count", self.count, low=0, remedy="0 where nothing was counted")
        given = self.log_sizes if isinstance(self.log_sizes, Mapping) else {}
        problems.check(bool(given), "log_sizes", self.log_sizes, "must name an asset", "{'USDC': ln(0.9)}")
        sizes: dict[str, Size] = {}
        for asset, size in given.items():
            if not isinstance(size, JumpSize):
                size = problems.number(f"log_sizes[{asset}]", size, remedy="ln(0.9) for a fall of 10 %, or a JumpSize")
            sizes[str(asset)] = size
            rule = "must have an expected price to be compensated: mean_up below 1"
            finite = not self.compensated or math.isfinite(growth(size))
            problems.check(finite, f"log_sizes[{asset}]", size, rule, "lower mean_up, or compensated=False")
        problems.raise_if_any()
        object.__setattr__(self, "intensity_per_year", intensity)
        object.__setattr__(self, "log_sizes", MappingProxyType(sizes))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; what a plain stress does not use is left out."""
        sizes = {a: size.to_dict() if isinstance(size, JumpSize) else size for a, size in self.log_sizes.items()}
        found: dict[str, Any] = {
            "label": self.label,
            "intensity_per_year": self.intensity_per_year,
            "log_sizes": sizes,
        }
        if self.compensated:
            found["compensated"] = True
        if self.together:
            found["together"] = self.together
        if self.count:
            found["count"] = self.count
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Jump:
        """The inverse of `to_dict`."""
        sizes = {a: JumpSize(**size) if isinstance(size, Mapping) else size for a, size in data["log_sizes"].items()}
        together = float(data.get("together", 0.0))
        return cls(
            data["label"],
            data["intensity_per_year"],
            sizes,
            bool(data.get("compensated", False)),
            together,
            int(data.get("count", 0)),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Jump.from_dict, (self.to_dict(),)

    def drawn(self, rng: np.random.Generator) -> Jump:
        """The jump within its estimation error; itself where it was given.

        The posteriors under the priors of Jeffreys: intensity a gamma of count + 1/2, direction a beta, means beyond
        the threshold inverse gammas of the jumps seen in their direction. Sizes that were estimated from more jumps
        than these (an asset's common and own ones together) are drawn a little too widely.
        """
        if self.count == 0 or self.intensity_per_year == 0.0:
            return self
        years = self.count / self.intensity_per_year
        intensity = float(rng.gamma(self.count + 0.5)) / years
        ups = [size.p_up for size in self.log_sizes.values() if isinstance(size, JumpSize)]
        p_up = float(rng.beta(self.count * ups[0] + 0.5, self.count * (1.0 - ups[0]) + 0.5)) if ups else 0.0
        sizes: dict[str, Size] = {}
        for asset, size in self.log_sizes.items():
            if isinstance(size, JumpSize):
                seen = self.count * size.hit
                up = _drawn_mean(size.mean_up, seen * size.p_up, rng)
                down = _drawn_mean(size.mean_down, seen * (1.0 - size.p_up), rng)
                sizes[asset] = replace(size, p_up=p_up, mean_up=min(up, _LARGEST_UP), mean_down=down)
            else:
                sizes[asset] = size
        return replace(self, intensity_per_year=intensity, log_sizes=sizes, count=0)

    def describe(self) -> str:
        """One line: how often, and what it does to whom."""
        parts = []
        for asset, size in self.log_sizes.items():
            if isinstance(size, JumpSize):
                up, down = size.minimum_up + size.mean_up, size.minimum_down + size.mean_down
                missed = f", hit {size.hit:.0%}" if size.hit < 1.0 else ""
                parts.append(f"{asset} +{up:.3f} ({size.p_up:.0%}) or -{down:.3f} on average{missed}")
            else:
                parts.append(f"{asset} {size:+.3f}")
        return f"{self.intensity_per_year:g} a year, log moves: {'; '.join(parts)}"


def _drawn_mean(mean: float, seen: float, rng: np.random.Generator) -> float:
    """The mean of an exponential of which `seen` were seen, at least one taken for granted."""
    seen = max(seen, 1.0)
    return mean * seen / float(rng.gamma(seen))


def growth(size: Size) -> float:
    """E[exp(J)] - 1."""
    return size.growth if isinstance(size, JumpSize) else math.expm1(size)
