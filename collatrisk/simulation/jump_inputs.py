"""Jumps as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammainc

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.simulation.jumps import JUMP_SIZE_KEYS, Jump, JumpSize, growth
from collatrisk.simulation.step_inputs import Drift

if TYPE_CHECKING:
    from collatrisk.kernels.jumps import JumpInputs


def jump_inputs(
    jumps: Sequence[Jump], assets: Sequence[str], pegs: Collection[str], step_years: float, seed: int, drift: Drift
) -> JumpInputs:
    """What `collatrisk.kernels.jumps` reads.

    Parameters
    ----------
    assets : in the order of the kernel. pegs : those whose drift is not theirs to compensate: a peg goes home anyway.
    """
    from collatrisk.kernels.jumps import MOST, JumpInputs

    shape = (len(jumps), len(assets))
    size, law = np.zeros(shape), np.zeros((*shape, len(JUMP_SIZE_KEYS)))
    random = np.zeros(shape, dtype=np.bool_)
    rates = np.array([jump.intensity_per_year * step_years for jump in jumps])
    compensation = np.zeros(len(assets))
    for j, jump in enumerate(jumps):
        for asset, found in jump.log_sizes.items():
            i = assets.index(asset)
            if isinstance(found, JumpSize):
                random[j, i] = True
                law[j, i] = list(found.to_dict().values())
            else:
                size[j, i] = found
            if jump.compensated and drift == "martingale" and asset not in pegs:
                compensation[i] -= rates[j] * growth(found)
    counts = np.arange(1, MOST + 1)
    return JumpInputs(
        key=stream_key(seed, Purpose.JUMPS),
        tails=np.array([gammainc(counts, rate) for rate in rates]).reshape(len(jumps), MOST),
        size=size,
        random=random,
        law=law,
        together=np.array([jump.together for jump in jumps]),
        drift=compensation,
    )
