"""What a stress of a peg is taken to be where an asset's own history holds too few."""

from __future__ import annotations

MIN_ENTRIES = 5
MIN_STRESSED = 20
"""Fewer expected entries or stressed steps than these, and the stress is not estimated from the asset's own history."""

DEFAULT_SOURCE = "daily closes of USDC, USDT and DAI together, see docs/pegs_and_jumps.md"

# A day. The maximum likelihood of one stress shared by USDC (from October 2018), USDT (from November 2017) and DAI
# (from 2022) has persistence 0.83 and noise 0.0060 to 0.0068, at a depeg of 0.5 and 1 % (`benchmarks/
# pegs_evidence.py`); the noise is rounded up. Exits are on their bound of 0 there; 0.03 lets an announcement end a
# stress, as on 2023-03-13. The drop beyond depeg is 0.0032 there, an average over many small ones of 2018 to 2020; USDC
# and DAI fell by 0.024 and 0.034 beyond it on 2023-03-11. With 0.010 such falls are 9 % and 3 % of the entries. Four
# entries of five are taken for falls, for the sake of who lends against the coin: most that were seen were premiums.
_EXIT, _PHI, _SIGMA, _DROP, _DOWN = 0.03, 0.83, 0.008, 0.010, 0.8


def default_stress(step_days: float) -> dict[str, float]:
    """Default parameters of the stress for steps of `step_days`.

    The daily autoregression is read at another step as the Ornstein-Uhlenbeck process that has it: phi to the power of
    the days, and the sd that keeps the spread.
    """
    phi = _PHI**step_days
    sigma = _SIGMA * ((1.0 - phi**2) / (1.0 - _PHI**2)) ** 0.5
    exit_ = 1.0 - (1.0 - _EXIT) ** step_days
    return {
        "exit": exit_,
        "drop": _DROP,
        "phi_stressed": phi,
        "sigma_stressed": sigma,
        "sensitivity": 0.0,
        "down": _DOWN,
    }
