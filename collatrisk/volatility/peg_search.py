"""How a peg is searched for: first guesses, the edges around the centre, and what is done where no stress was seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.market.clock import Clock
from collatrisk.volatility.peg_defaults import DEFAULT_SOURCE, MIN_ENTRIES, MIN_STRESSED, default_stress
from collatrisk.volatility.peg_estimate import PegData, centred, maximise
from collatrisk.volatility.peg_spec import STRESSED_PARAMETERS, Peg

_ROUNDS = 4
_SETTLED = 1e-3  # of the depeg: how far the edges may be from the centre


def search_peg(
    name: str, data: PegData, spec: Peg, clock: Clock
) -> tuple[PegData, dict[str, float], tuple[str, ...], list[Finding]]:
    """The data with the edges of the peg in place, the parameters, which of them were estimated, and findings."""
    findings: list[Finding] = []
    held = _held(spec, clock)
    free = tuple(parameter for parameter in spec.parameters if parameter not in held and parameter != "down")
    data, params = _settled(data, _starts(_start(data, held), free), free)
    filtered = data.filter(params)
    entries, stressed = float(filtered.arrivals.sum()), float(filtered.smoothed.sum())
    if entries < MIN_ENTRIES or stressed < MIN_STRESSED:
        held, findings = _by_default(name, spec, clock, held, entries, stressed, data.basis.size)
        free = tuple(parameter for parameter in free if parameter not in held)
        data, params = _settled(data, [params | held], free)
    if "down" not in held:
        params = _with_side(data, params, free)
        free = (*free, "down")
    return data, params, free, findings


def _held(spec: Peg, clock: Clock) -> dict[str, float]:
    """Parameters that are not estimated: given, or without meaning for this spec."""
    held = dict(spec.given)
    if spec.accrual is not None:
        held.setdefault("accrual", spec.accrual * clock.step_years)
    if spec.market is None:
        held.setdefault("sensitivity", 0.0)
    return held


def _start(data: PegData, held: Mapping[str, float]) -> dict[str, float]:
    """Robust first guesses."""
    basis, third = data.basis, data.basis.size // 3
    accrual = held.get("accrual", float(np.median(basis[-third:]) - np.median(basis[:third])) / (2.0 * third))
    flat = basis - accrual * (np.arange(basis.size) - (basis.size - 1))
    spread = 1.4826 * float(np.median(np.abs(np.diff(flat))))
    guesses = {
        "center": float(np.median(flat)),
        "accrual": accrual,
        "phi": 0.5,
        "sigma": max(1.5 * spread, 1e-6),
        "nu": 3.0,
        "entry": 0.005,
        "exit": 0.05,
        "drop": 2.0 * data.depeg,
        "phi_stressed": 0.9,
        "sigma_stressed": max(3.0 * spread, 0.5 * data.depeg),
        "sensitivity": 0.0,
        "down": 0.8,
    }
    return guesses | dict(held)


def _starts(start: Mapping[str, float], free: tuple[str, ...]) -> list[dict[str, float]]:
    """The guesses, and others in what the likelihood has several optima in."""
    moves: list[dict[str, float]] = [
        {},
        {"phi_stressed": 0.5},
        {"phi": 0.9, "sigma_stressed": 3.0 * start["sigma_stressed"]},
    ]
    return [dict(start) | {name: value for name, value in move.items() if name in free} for move in moves]


def _by_default(
    name: str, spec: Peg, clock: Clock, held: dict[str, float], entries: float, stressed: float, rows: int
) -> tuple[dict[str, float], list[Finding]]:
    """What cannot be estimated from so rare a stress, and the findings that say so."""
    missing = [parameter for parameter in STRESSED_PARAMETERS if parameter not in held]
    seen = f"the stress was seen too rarely to be estimated ({entries:.1f} entries, {stressed:.0f} steps; rule: "
    seen += f"at least {MIN_ENTRIES} and {MIN_STRESSED})"
    held = dict(held)
    if "entry" not in held:
        held["entry"] = min((entries + 0.5) / max(rows - 1 - stressed, 1.0), 0.5)
    findings = [Finding("peg-stress-not-identified", "warning", name, seen)]
    for parameter in missing:
        held.setdefault(parameter, default_stress(clock.step_days)[parameter])
        text = f"{parameter} is the default {held[parameter]:.4g} ({DEFAULT_SOURCE}); give it in Peg(given=...)"
        findings.append(Finding("peg-default-used", "info", parameter, text))
    return held, findings


def _settled(data: PegData, starts: list[dict[str, float]], free: tuple[str, ...]) -> tuple[PegData, dict[str, float]]:
    """The optimum with the edges of the peg around its own centre: estimated, moved there, estimated again."""
    data = centred(data, starts[0])
    params = maximise(data, starts, free)
    for _ in range(_ROUNDS):
        moved = abs(float(np.max(np.abs(data.distance(params) - data.gap))))
        if moved <= _SETTLED * data.depeg:
            break
        data = centred(data, params)
        params = maximise(data, [params], free)
    return data, params


def _with_side(data: PegData, params: dict[str, float], free: tuple[str, ...]) -> dict[str, float]:
    """The share of entries that are falls, by steps of EM: (falls + 1/2) / (entries + 1), and the rest again."""
    for _ in range(2):
        arrivals = data.filter(params).arrivals
        falls = float(arrivals[data.gap < 0.0].sum())
        down = (falls + 0.5) / (float(arrivals.sum()) + 1.0)
        params = maximise(data, [params | {"down": down}], free)
    return params
