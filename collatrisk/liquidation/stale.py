"""A source whose prices never move: allowed, and said loudly."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from collatrisk.base.findings import Finding
from collatrisk.simulation.source import PathSource

_LOOKED_AT = 64


def stale_findings(source: PathSource, assets: Iterable[str]) -> tuple[Finding, ...]:
    """``stale-price`` for each asset whose price is the same at all steps of the first 64 paths."""
    prices = source.read(0, min(source.n_paths, _LOOKED_AT)).prices
    columns = {asset: source.assets.index(asset) for asset in dict.fromkeys(assets)}
    still = [asset for asset, column in columns.items() if np.ptp(prices[:, column]) == 0.0]
    text = "the price never moves: an oracle that is not updated liquidates nobody; check the source"
    return tuple(Finding("stale-price", "warning", asset, text) for asset in still)
