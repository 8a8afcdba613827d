"""The copula as arrays of the path kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.dependence.correlation import correlation_factor
from collatrisk.dependence.result import DependenceFit
from collatrisk.simulation.tables import mixing_table

if TYPE_CHECKING:
    from collatrisk.kernels.scores import ScoreInputs


def score_inputs(dependence: DependenceFit, seed: int) -> ScoreInputs:
    """What `collatrisk.kernels.scores` reads."""
    from collatrisk.kernels.scores import ScoreInputs

    nu, correlation = dependence.nu, dependence.correlation
    mixing = None if nu is None else mixing_table(nu)
    return ScoreInputs(
        key=stream_key(seed, Purpose.PATHS),
        lower=correlation_factor(correlation),
        correlated=not np.array_equal(correlation, np.eye(len(correlation))),
        mixed=mixing is not None,
        mixing=np.zeros((2, 4)) if mixing is None else mixing.cubics,
        mixing_scale=0.0 if mixing is None else float(2**mixing.power),
        conditional=1.0 if nu is None else (nu - 2.0) / nu,
    )
