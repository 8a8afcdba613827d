"""Jumps as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.simulation.model import Jump

if TYPE_CHECKING:
    from collatrisk.kernels.jumps import JumpInputs


def jump_inputs(jumps: Sequence[Jump], assets: Sequence[str], step_years: float, seed: int) -> JumpInputs:
    """What `collatrisk.kernels.jumps` reads."""
    from collatrisk.kernels.jumps import JumpInputs

    sizes = [[jump.log_sizes.get(asset, 0.0) for asset in assets] for jump in jumps]
    return JumpInputs(
        key=stream_key(seed, Purpose.JUMPS),
        probability=np.array([-np.expm1(-jump.intensity_per_year * step_years) for jump in jumps]),
        size=np.array(sizes).reshape(len(jumps), len(assets)),
    )
