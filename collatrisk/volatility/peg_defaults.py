"""What a stress of a peg is taken to be where an asset's own history holds too few."""

from __future__ import annotations

MIN_ENTRIES = 5
MIN_STRESSED = 20
"""Fewer expected entries or stressed steps than these, and the stress is not estimated from the asset's own history."""

DEFAULT_SOURCE = "pooled daily closes of USDC, USDT and DAI, see docs/pegs_and_jumps.md"

# A day. The drop is beyond `depeg`.
_EXIT, _PHI, _SIGMA, _DROP = 0.03, 0.78, 0.008, 0.010


def default_stress(depeg: float, step_days: float) -> dict[str, float]:
    """Default parameters of the stress for steps of `step_days`.

    The daily autoregression is read at another step as the Ornstein-Uhlenbeck process that has it: phi to the power of
    the days, and the sd that keeps the spread.
    """
    phi = _PHI**step_days
    sigma = _SIGMA * ((1.0 - phi**2) / (1.0 - _PHI**2)) ** 0.5
    exit_ = 1.0 - (1.0 - _EXIT) ** step_days
    return {"exit": exit_, "phi_stressed": phi, "sigma_stressed": sigma, "drop": _DROP, "sensitivity": 0.0}
