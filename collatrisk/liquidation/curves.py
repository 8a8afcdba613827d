"""Price curves of time-decay auctions: the price as a share of its start, by seconds since the start.

Source: makerdao/dss, src/abaci.sol (formulas only). On chain, time is whole seconds and powers carry 27 decimals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from collatrisk.kernels.auction_rules import EXPONENTIAL, LINEAR, STAIRSTEP, curve_share
from collatrisk.liquidation.checks import AMOUNT, INSIDE, POSITIVE, check, check_fields


class PriceCurve(Protocol):
    """A curve that starts at 1 and never rises."""

    def share(self, elapsed_s: float) -> float:
        """The price as a share of its start, `elapsed_s` >= 0 seconds later."""
        ...

    def price(self, top: float, elapsed_s: float) -> float:
        """The price `elapsed_s` >= 0 seconds after the start at `top`."""
        ...

    def time_to(self, share: float) -> float:
        """The first second at which ``price <= share * top``; inf if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class LinearDecrease:
    """``top * (tau - t) / tau``, zero from `tau_s` seconds on."""

    tau_s: float

    def __post_init__(self) -> None:
        check_fields(self, {"tau_s": POSITIVE})

    def share(self, elapsed_s: float) -> float:
        """The price as a share of its start, `elapsed_s` >= 0 seconds later."""
        _elapsed(elapsed_s)
        return curve_share(LINEAR, self.tau_s, 1.0, elapsed_s)

    def price(self, top: float, elapsed_s: float) -> float:
        """The price `elapsed_s` >= 0 seconds after the start at `top`."""
        return top * self.share(elapsed_s)

    def time_to(self, share: float) -> float:
        """The first second at which ``price <= share * top``."""
        return self.tau_s * (1.0 - min(max(share, 0.0), 1.0))


@dataclass(frozen=True, slots=True)
class ExponentialDecrease:
    """``top * cut**t``, `cut` a second, in (0, 1)."""

    cut: float

    def __post_init__(self) -> None:
        check_fields(self, {"cut": INSIDE})

    def share(self, elapsed_s: float) -> float:
        """The price as a share of its start, `elapsed_s` >= 0 seconds later."""
        _elapsed(elapsed_s)
        return curve_share(EXPONENTIAL, self.cut, 1.0, elapsed_s)

    def price(self, top: float, elapsed_s: float) -> float:
        """The price `elapsed_s` >= 0 seconds after the start at `top`."""
        return top * self.share(elapsed_s)

    def time_to(self, share: float) -> float:
        """The first second at which ``price <= share * top``; inf for a share of 0."""
        return _log_time(share, self.cut)


@dataclass(frozen=True, slots=True)
class StairstepExponentialDecrease:
    """``top * cut**floor(t / step)``: one cut, in (0, 1), every `step_s` seconds."""

    cut: float
    step_s: float

    def __post_init__(self) -> None:
        check_fields(self, {"cut": INSIDE, "step_s": POSITIVE})

    def share(self, elapsed_s: float) -> float:
        """The price as a share of its start, `elapsed_s` >= 0 seconds later."""
        _elapsed(elapsed_s)
        return curve_share(STAIRSTEP, self.cut, self.step_s, elapsed_s)

    def price(self, top: float, elapsed_s: float) -> float:
        """The price `elapsed_s` >= 0 seconds after the start at `top`."""
        return top * self.share(elapsed_s)

    def time_to(self, share: float) -> float:
        """The first multiple of the step at which ``price <= share * top``; inf for a share of 0."""
        exact = _log_time(share, self.cut)
        if math.isinf(exact):
            return exact
        steps = math.ceil(exact)
        while steps > 0 and self.cut ** (steps - 1) <= share:  # the logarithm may be a rounding error too late ...
            steps -= 1
        while self.cut**steps > share:  # ... or too early
            steps += 1
        return float(steps * self.step_s)

    def continuous_time_to(self, share: float) -> float:
        """The same with the stairs smoothed: ``step * ln(share) / ln(cut)``."""
        return self.step_s * _log_time(share, self.cut)


def _log_time(share: float, cut: float) -> float:
    if share <= 0.0:
        return math.inf
    return max(math.log(share) / math.log(cut), 0.0)


def _elapsed(elapsed_s: float) -> None:
    if not 0.0 <= elapsed_s < math.inf:
        check("Auction", {"elapsed_s": (elapsed_s, AMOUNT)})
