"""How long a stress of a peg lasts, and what share of the time it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

_NODES = 240
_REACH = 25.0  # of the entry's mean, or of the stressed regime's sd, beyond the edge: what is further is of no account


def mean_stress_steps(params: Mapping[str, float], depeg: float) -> float:
    """Expected steps in the stress of one entry, the step of entry included.

    With Q(d, d') the density of staying and landing at d' outside the edges, e the density of an entry: the sum over k
    of the integral of e Q^k, by the midpoint rule on both sides of the peg (a linear system).
    """
    phi, sigma, drop = params["phi_stressed"], params["sigma_stressed"], params["drop"]
    spread = sigma / math.sqrt(max(1.0 - phi * phi, 1e-6))
    width = max(_REACH * drop, 6.0 * spread)
    edges = depeg + width * np.linspace(0.0, 1.0, _NODES + 1) ** 2  # finer towards the edge
    middle, cell = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    places = np.concatenate([-middle[::-1], middle])
    cells = np.concatenate([cell[::-1], cell])
    z = (places[None, :] - phi * places[:, None]) / sigma
    staying = (1.0 - params["exit"]) * np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * sigma) * cells[None, :]
    # A cell wider than the noise would hold more than there is: what stays is at most 1 - exit.
    staying *= np.minimum(1.0, (1.0 - params["exit"]) / np.maximum(staying.sum(axis=1), 1e-300))[:, None]
    entry = np.diff(-np.exp(-(edges - depeg) / drop))
    arrival = np.concatenate([params["down"] * entry[::-1], (1.0 - params["down"]) * entry])
    steps = np.linalg.solve(np.eye(places.size) - staying, np.ones(places.size))
    return float(arrival @ steps / arrival.sum())


def stressed_share(params: Mapping[str, float], depeg: float) -> float:
    """The share of steps that are stressed in the long run: entry x length / (1 + entry x length)."""
    busy = params["entry"] * mean_stress_steps(params, depeg)
    return busy / (1.0 + busy)
