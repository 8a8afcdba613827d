"""From a market model to the arrays of the path kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.dependence import DependenceFit, Independent
from collatrisk.market.clock import Clock
from collatrisk.simulation.history_inputs import history_inputs
from collatrisk.simulation.jump_inputs import jump_inputs
from collatrisk.simulation.law_inputs import law_inputs
from collatrisk.simulation.model import MarketModel
from collatrisk.simulation.peg_inputs import peg_inputs, stepping_order
from collatrisk.simulation.peg_marginal import PegMarginal
from collatrisk.simulation.score_inputs import motion_inputs, score_inputs
from collatrisk.simulation.step_inputs import Drift, step_inputs
from collatrisk.volatility.tail_law import HistoricalLaw

if TYPE_CHECKING:
    from collatrisk.kernels.paths import PathInputs


def path_inputs(model: MarketModel, clock: Clock, seed: int, drift: Drift, n_steps: int) -> PathInputs:
    """Everything that `collatrisk.kernels.paths.simulate_block` reads.

    One asset alone is drawn without its copula, which says nothing about it: its score is normal and goes straight to
    its own law, with no mixing variable (and the bridge has the variance of the step, not that given a mixing
    variable).

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
    dependence = dependence_drawn(model.dependence if assets == model.assets else model.dependence.select(assets))
    steps, extras = step_inputs(plain, model.clock, clock, drift, n_steps)
    return PathInputs(
        spot=np.array(model.spot[order]),
        columns=np.array(order, dtype=np.int64),
        scores=score_inputs(dependence, seed),
        laws=law_inputs(plain, dependence.nus),
        steps=steps,
        extras=extras,
        motion=motion_inputs(dependence),
        history=history_inputs(dependence, seed),
        jumps=jump_inputs(model.jumps, assets, pegs, clock.step_years, seed, drift),
        pegs=peg_inputs(marginals, dependence, seed),
    )


def dependence_drawn(dependence: DependenceFit) -> DependenceFit:
    """The dependence that is drawn from: none for one asset, unless what is drawn are rows of its history."""
    if len(dependence.assets) > 1 or dependence.rows is not None:
        return dependence
    return DependenceFit(Independent(), dependence.assets, np.eye(1), None)


def without_unused(inputs: PathInputs) -> PathInputs:
    """The same paths from fewer parts: none of the optional ones, if the model uses none of them.

    The kernel then holds no code for what is None: it compiles in a fraction of the time and runs faster. It is all or
    nothing, so that there are two kernels and not one for every combination.
    """
    from collatrisk.kernels.steps import CONSTANT, GARCH

    extras, steps = inputs.extras, inputs.steps
    assert extras is not None
    assert inputs.motion is not None
    assert inputs.history is not None
    assert inputs.jumps is not None
    assert inputs.pegs is not None
    used = (
        inputs.motion.moving
        or inputs.history.columns.size
        or inputs.jumps.size.size
        or inputs.pegs.slots.size
        or np.any(extras.inherited != 0.0)
        or np.any(extras.season != 1.0)
        or np.any((steps.kind != CONSTANT) & ((steps.kind != GARCH) | (extras.lags > 1)))
    )
    return inputs if used else inputs._replace(extras=None, motion=None, history=None, jumps=None, pegs=None)
