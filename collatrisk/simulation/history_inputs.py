"""Rows of history as arrays of the path kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collatrisk.base.keys import Purpose, stream_key
from collatrisk.dependence.historical import FilteredHistorical
from collatrisk.dependence.result import DependenceFit

if TYPE_CHECKING:
    from collatrisk.kernels.history import HistoryInputs


def history_inputs(dependence: DependenceFit, seed: int) -> HistoryInputs:
    """What `collatrisk.kernels.history` reads; no columns where the dependence is a copula."""
    from collatrisk.kernels.history import HistoryInputs

    rows = dependence.rows
    columns = np.empty((len(dependence.assets), 0)) if rows is None else np.ascontiguousarray(rows.T)
    spec = dependence.spec
    restart = 1.0 / spec.mean_block if isinstance(spec, FilteredHistorical) else 1.0
    return HistoryInputs(stream_key(seed, Purpose.PATHS), columns, restart)
