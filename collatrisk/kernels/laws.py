"""Scores to innovations of each asset's own law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.cubics import interpolate_even, interpolate_octaves
from collatrisk.kernels.jit import njit
from collatrisk.kernels.rows import scale_row

LINEAR = 0  # innovation = scale * score
EVEN = 1  # cubic segments of equal width in |score|
OCTAVE = 2  # cubic segments in 1 + |score|, 2**k of them to each power of two


class LawInputs(NamedTuple):
    """How each asset's score becomes its innovation; built by `collatrisk.simulation.law_inputs.law_inputs`.

    Attributes
    ----------
    law : int64 (d,) LINEAR, EVEN or OCTAVE. scale : (d,) factor, or segments to a unit.
    power : int64 (d,) 2**power segments to an octave.
    offset, segments : int64 (d,) first row and rows a side in `cubics` (n, 4), coefficients from the constant up.
    """

    law: NDArray[np.int64]
    scale: NDArray[np.float64]
    power: NDArray[np.int64]
    offset: NDArray[np.int64]
    segments: NDArray[np.int64]
    cubics: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def innovate(inputs, i, row, rows):  # type: ignore[no-untyped-def]
    """Scores of asset i to innovations of its own law, in place."""
    cubics = inputs.cubics[inputs.offset[i] : inputs.offset[i] + 2 * inputs.segments[i]]
    if inputs.law[i] == EVEN:
        interpolate_even(cubics, inputs.scale[i], row, rows)
    elif inputs.law[i] == OCTAVE:
        interpolate_octaves(cubics, inputs.power[i], row, rows)
    elif inputs.scale[i] != 1.0:
        scale_row(inputs.scale[i], row)
