"""What is asked of an estimation of jumps, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.market.clock import Clock
from collatrisk.simulation.jumps import Jump

if TYPE_CHECKING:
    import pandas as pd

    from collatrisk.volatility.fit import VolatilityFit


@dataclass(frozen=True, slots=True)
class Jumps:
    """Jumps found by thresholding on the local volatility.

    Parameters
    ----------
    threshold : a return further than this many conditional standard deviations from its mean is a jump; >= 3. A lower
        one takes for jumps what a fat-tailed innovation explains as well.
    common_share : a date on which at least two assets and at least this share of those with a price jump in one
        direction is a common jump; in (0, 1].

    Raises
    ------
    InputError : with every broken rule at once.
    """

    threshold: float = 4.0
    common_share: float = 0.5

    def __post_init__(self) -> None:
        problems = Problems("Jumps")
        problems.number("threshold", self.threshold, low=3, remedy="4 conditional standard deviations")
        problems.number("common_share", self.common_share, low=0, high=1, open_low=True, remedy="0.5: half of them")
        problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """The sizes of one asset's jumps in one direction: threshold + exponential.

    Attributes
    ----------
    count : jumps seen. minimum : the mean threshold at them. mean : of the size beyond the threshold, the maximum
        likelihood of an exponential (memoryless, so each may have a threshold of its own). std_error : mean /
        sqrt(count); nan where none was seen and the mean is that of the other direction.
    """

    count: int
    minimum: float
    mean: float
    std_error: float


@dataclass(frozen=True, eq=False, repr=False)
class JumpFit:
    """Jumps estimated, and what is left without them.

    Attributes
    ----------
    spec, clock : what was asked.
    jumps : the estimated arrivals, compensated, ready for `MarketModel`: the common ones first.
    arrivals : label -> (count, years, intensity a year, lower, upper 95 % bound), the bounds exact (Garwood 1936).
    sizes : asset -> {"up", "down"} -> `SizeEstimate`, over common and own jumps.
    detected : a row a jump: date, asset, return, conditional sd, whether it is common.
    returns : the returns without jumps: in their place stands one conditional sd, with alternating sign, which is what
        the variance expects there.
    fits : of the volatilities to those.
    findings : what a reader should know.
    """

    spec: Jumps
    clock: Clock
    jumps: tuple[Jump, ...]
    arrivals: Mapping[str, tuple[int, float, float, float, float]]
    sizes: Mapping[str, Mapping[str, SizeEstimate]]
    detected: pd.DataFrame
    returns: Mapping[str, pd.Series]
    fits: Mapping[str, VolatilityFit]
    findings: tuple[Finding, ...]

    def summary(self) -> pd.DataFrame:
        """One row an asset and direction: jumps seen, probability of the direction, size with standard errors."""
        import pandas as pd

        rows = []
        for asset, sides in self.sizes.items():
            total = sum(one.count for one in sides.values())
            for side, one in sides.items():
                share = one.count / total if total else math.nan
                rows.append(
                    {
                        "asset": asset,
                        "direction": side,
                        "count": one.count,
                        "probability": share,
                        "probability_se": math.sqrt(share * (1.0 - share) / total) if total else math.nan,
                        "minimum": one.minimum,
                        "mean_beyond": one.mean,
                        "mean_beyond_se": one.std_error,
                    }
                )
        return pd.DataFrame(rows).set_index(["asset", "direction"])

    def intensities(self) -> pd.DataFrame:
        """One row a kind of arrival: count, years, intensity a year with its exact 95 % interval."""
        import pandas as pd

        columns = ["count", "years", "intensity", "low", "high"]
        return pd.DataFrame.from_dict({k: list(v) for k, v in self.arrivals.items()}, orient="index", columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary of what was estimated."""
        return {
            "threshold": self.spec.threshold,
            "common_share": self.spec.common_share,
            "jumps": [jump.to_dict() for jump in self.jumps],
            "arrivals": {label: list(values) for label, values in self.arrivals.items()},
            "detected": len(self.detected),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __repr__(self) -> str:
        return f"JumpFit({len(self.detected)} jumps of {', '.join(self.sizes)}; {'; '.join(map(_shown, self.jumps))})"

    def _repr_html_(self) -> str:
        arrivals = self.intensities()
        rows = [[label, *(f"{value:.4g}" for value in row)] for label, *row in arrivals.itertuples()]
        sizes = self.summary()
        more = [[*map(str, index), *(f"{value:.4g}" for value in row)] for index, *row in sizes.itertuples()]
        first = html_table(["arrivals", *arrivals.columns], rows, f"Jumps beyond {self.spec.threshold:g} local sd")
        return first + html_table(["asset", "direction", *sizes.columns], more)


def _shown(jump: Jump) -> str:
    return f"{jump.label} {jump.intensity_per_year:.2g} a year"
