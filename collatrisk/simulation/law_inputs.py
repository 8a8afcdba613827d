"""The innovations' laws as arrays of the path kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collatrisk.simulation.marginals import Marginal
from collatrisk.simulation.tables import CubicTable, normal_score_table, t_score_table

if TYPE_CHECKING:
    from collatrisk.kernels.laws import LawInputs


def law_inputs(marginals: Sequence[Marginal], copula_nu: float | None) -> LawInputs:
    """How each asset's score becomes its innovation; assets of one law share a table."""
    from collatrisk.kernels.laws import EVEN, LINEAR, OCTAVE, LawInputs

    size = len(marginals)
    law, power, offset, segments = (np.zeros(size, dtype=np.int64) for _ in range(4))
    scale = np.ones(size)
    tables: dict[tuple[str, float, float], tuple[CubicTable, int]] = {}
    stacked = [np.zeros((2, 4))]
    for i, marginal in enumerate(marginals):
        factor = _linear_scale(marginal, copula_nu)
        if factor is not None:
            law[i], scale[i] = LINEAR, factor
            continue
        shape = (marginal.dist, marginal.nu, marginal.lam)
        if shape not in tables:
            table = normal_score_table(*shape) if copula_nu is None else t_score_table(copula_nu, *shape)
            tables[shape] = (table, sum(map(len, stacked)))
            stacked.append(table.cubics)
        table, offset[i] = tables[shape]
        law[i] = OCTAVE if table.octaves else EVEN
        scale[i], power[i], segments[i] = float(2**table.power), table.power, table.segments
    cubics = np.ascontiguousarray(np.concatenate(stacked))
    return LawInputs(law, scale, power, offset, segments, cubics)


def _linear_scale(marginal: Marginal, copula_nu: float | None) -> float | None:
    """The factor from score to innovation where they differ by no more; None where a table is needed."""
    if copula_nu is None:
        return 1.0 if marginal.dist == "normal" else None
    same = marginal.dist != "normal" and marginal.lam == 0.0 and marginal.nu == copula_nu
    return float(np.sqrt((copula_nu - 2.0) / copula_nu)) if same else None
