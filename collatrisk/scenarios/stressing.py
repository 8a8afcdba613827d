"""A scenario's stressed-model block applied to a market model: a new model, the old one untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collatrisk.base.errors import InputError
from collatrisk.scenarios.records import StressedModel
from collatrisk.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from collatrisk.simulation.model import MarketModel


def stressed_model(model: MarketModel, scenario: Scenario) -> MarketModel:
    """The model under the scenario: volatilities in a crisis, correlations raised, jumps and depegs added.

    Parameters
    ----------
    model : any model; jumps of assets that it does not have are left out (`stressed_text` says which).
    scenario : one with a stressed-model block.

    Raises
    ------
    InputError : the scenario has no such block.
    """
    from collatrisk.simulation.jumps import Jump
    from collatrisk.simulation.stress import stress_model

    block = _block(scenario)
    named = ((arrival, arrival.log_sizes(model.assets)) for arrival in block.arrivals)
    jumps = tuple(Jump(arrival.label, arrival.intensity_per_year, sizes) for arrival, sizes in named if sizes)
    scales = {asset: block.scale_of(asset) for asset in model.assets}
    return stress_model(
        model,
        initial_volatility=scales,
        correlation=block.correlation,
        jumps=jumps,
        label=f"{scenario.id}: {scenario.title}",
    )


def stressed_text(scenario: Scenario, assets: tuple[str, ...]) -> str:
    """One line: what the stressed-model block does to a model of `assets`, and what it leaves out."""
    block = _block(scenario)
    scales = dict.fromkeys(block.scale_of(asset) for asset in assets)
    multiples = ", ".join(_scale_text(block, scale, assets, len(scales) == 1) for scale in scales)
    parts = [f"volatility starts at {multiples}, never below today's"]
    if block.correlation is not None:
        rho, weight = block.correlation
        parts.append(f"correlation {rho:g} with weight {weight:g}, every pair")
    for arrival in block.arrivals:
        hit = [f"{a} {100 * arrival.sizes[a]:+.0f}%" for a in arrival.sizes if a in assets]
        rate = f"{arrival.intensity_per_year:g} a year"
        parts.append(
            f"{arrival.label} {rate}: {', '.join(hit)}" if hit else f"{arrival.label}: no such asset, left out"
        )
    return "; ".join(parts) + f" ({block.quality})"


def _scale_text(block: StressedModel, scale: float, assets: tuple[str, ...], only: bool) -> str:
    names = "" if only else " " + "/".join(asset for asset in assets if block.scale_of(asset) == scale)
    return f"{scale:g} x average{names}"


def _block(scenario: Scenario) -> StressedModel:
    if scenario.stressed is None:
        raise InputError(f"Scenario {scenario.id}: there is no stressed-model block; give it one, or apply its shocks")
    return scenario.stressed
