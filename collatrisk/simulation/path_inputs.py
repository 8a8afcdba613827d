"""From a market model to the arrays of the path kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collatrisk.market.clock import Clock
from collatrisk.simulation.history_inputs import history_inputs
from collatrisk.simulation.jump_inputs import jump_inputs
from collatrisk.simulation.law_inputs import law_inputs
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.score_inputs import score_inputs
from collatrisk.simulation.step_inputs import Drift, step_inputs

if TYPE_CHECKING:
    from collatrisk.kernels.paths import PathInputs


def path_inputs(model: MarketModel, clock: Clock, seed: int, drift: Drift) -> PathInputs:
    """Everything that `collatrisk.kernels.paths.simulate_block` reads.

    Parameters
    ----------
    clock : the clock of the simulated steps; finer than the model's only where every variance is constant.
    """
    from collatrisk.kernels.paths import PathInputs

    return PathInputs(
        spot=np.array(model.spot),
        scores=score_inputs(model.dependence, seed),
        laws=law_inputs(model.marginals, model.dependence.nu),
        steps=step_inputs(model.marginals, model.clock, clock, drift),
        jumps=jump_inputs(model.jumps, model.assets, clock.step_years, seed),
        history=history_inputs(model.dependence, seed),
    )
