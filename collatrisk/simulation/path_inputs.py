"""From a market model to the arrays of the path kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.market.clock import Clock
from collatrisk.simulation.history_inputs import history_inputs
from collatrisk.simulation.jump_inputs import jump_inputs
from collatrisk.simulation.law_inputs import law_inputs
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_inputs import peg_inputs, stepping_order
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.simulation.score_inputs import score_inputs
from collatrisk.simulation.step_inputs import Drift, step_inputs
from collatrisk.volatility.tail_law import HistoricalLaw

if TYPE_CHECKING:
    from collatrisk.kernels.paths import PathInputs


def path_inputs(model: MarketModel, clock: Clock, seed: int, drift: Drift, n_steps: int) -> PathInputs:
    """Everything that `collatrisk.kernels.paths.simulate_block` reads.

    Parameters
    ----------
    clock : the clock of the simulated steps; finer than the model's only where every variance is constant.
    n_steps : the longest horizon that will be simulated.
    """
    from collatrisk.kernels.paths import PathInputs

    order = stepping_order(model.marginals)
    assets = tuple(model.assets[place] for place in order)
    marginals = [model.marginals[place] for place in order]
    # A peg's row of laws and recursions holds its noise while pegged; the kernel of the pegs does the rest.
    pegs = {one.asset for one in marginals if isinstance(one, PegMarginal)}
    plain = [one.noise() if isinstance(one, PegMarginal) else one for one in marginals]
    if model.dependence.rows is not None:
        # What is drawn are innovations already, a peg's noise too: no law stands between.
        plain = [replace(one, innovations=one.innovations or HistoricalLaw(0.5)) for one in plain]
    dependence = model.dependence if assets == model.assets else model.dependence.select(assets)
    return PathInputs(
        spot=np.array(model.spot[order]),
        columns=np.array(order, dtype=np.int64),
        scores=score_inputs(dependence, seed),
        laws=law_inputs(plain, dependence.nus),
        steps=step_inputs(plain, model.clock, clock, drift, n_steps),
        jumps=jump_inputs(model.jumps, assets, pegs, clock.step_years, seed, drift),
        pegs=peg_inputs(marginals, dependence, seed),
        history=history_inputs(dependence, seed),
    )
