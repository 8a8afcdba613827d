"""The innovations' laws as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.tables import (
    EMPIRICAL_TOLERANCE,
    TOLERANCE,
    CubicTable,
    ParametricLaw,
    normal_score_table,
    t_score_table,
)
from collatrisk.volatility.tail_law import HistoricalLaw, TailLaw

if TYPE_CHECKING:
    from collatrisk.kernels.laws import LawInputs


def law_inputs(marginals: Sequence[Marginal], nus: Sequence[float | None], tolerance: float = TOLERANCE) -> LawInputs:
    """How each asset's score, with the copula's degrees of freedom `nus`, becomes its innovation.

    Assets whose scores and innovations have one law each share a table. `tolerance` is that of the tables.
    """
    from collatrisk.kernels.laws import EVEN, LINEAR, OCTAVE, LawInputs

    size = len(marginals)
    law, power, offset, segments = (np.zeros(size, dtype=np.int64) for _ in range(4))
    scale = np.ones(size)
    tables: dict[tuple[ParametricLaw | TailLaw, float | None], tuple[CubicTable, int]] = {}
    stacked = [np.zeros((2, 4))]
    for i, (marginal, copula_nu) in enumerate(zip(marginals, nus, strict=True)):
        factor = _linear_scale(marginal, copula_nu)
        if factor is not None:
            law[i], scale[i] = LINEAR, factor
            continue
        shaped = (_law(marginal), copula_nu)
        if shaped not in tables:
            table = _table(*shaped, tolerance)
            tables[shaped] = (table, sum(map(len, stacked)))
            stacked.append(table.cubics)
        table, offset[i] = tables[shaped]
        law[i] = OCTAVE if table.octaves else EVEN
        scale[i], power[i], segments[i] = float(2**table.power), table.power, table.segments
    cubics = np.ascontiguousarray(np.concatenate(stacked))
    return LawInputs(law, scale, power, offset, segments, cubics)


def _law(marginal: Marginal) -> ParametricLaw | TailLaw:
    own = marginal.innovations
    return own if isinstance(own, TailLaw) else ParametricLaw(marginal.dist, marginal.nu, marginal.lam)


def _table(law: ParametricLaw | TailLaw, copula_nu: float | None, tolerance: float) -> CubicTable:
    tolerance = EMPIRICAL_TOLERANCE if isinstance(law, TailLaw) else tolerance
    if copula_nu is None:
        return normal_score_table(law, tolerance)
    return t_score_table(copula_nu, law, tolerance)


def _linear_scale(marginal: Marginal, copula_nu: float | None) -> float | None:
    """The factor from score to innovation where they differ by no more; None where a table is needed.

    Rows of history are innovations already.
    """
    if isinstance(marginal.innovations, HistoricalLaw):
        return 1.0
    if marginal.innovations is not None:
        return None
    if copula_nu is None:
        return 1.0 if marginal.dist == "normal" else None
    same = marginal.dist != "normal" and marginal.lam == 0.0 and marginal.nu == copula_nu
    return float(np.sqrt((copula_nu - 2.0) / copula_nu)) if same else None
