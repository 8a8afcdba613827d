"""Copula scores: correlated normals, and Student t scores where one mixing variable is common to all assets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collatrisk.kernels.cubics import interpolate_even
from collatrisk.kernels.random import MIXING_SLOT, fill_normals
from collatrisk.kernels.rows import add_four_rows, add_row, multiply_row, scale_row


class ScoreInputs(NamedTuple):
    """The copula; built by `collatrisk.simulation.score_inputs.score_inputs`.

    Attributes
    ----------
    key : uint64 Philox key.
    lower : (d, d) lower Cholesky factor of the scores' correlation. correlated : False if it is the identity.
    mixed : True for a t copula. mixing : (2 m, 4) cubic segments of sqrt(nu / chi2) in the normal score g,
        `mixing_scale` segments to a unit. conditional : (nu - 2) / nu, so that h * conditional * nu / chi2 has mean h.
    """

    key: np.uint64
    lower: NDArray[np.float64]
    correlated: bool
    mixed: bool
    mixing: NDArray[np.float64]
    mixing_scale: float
    conditional: float


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def draw_pair(inputs, first, pair, scores, mixing, rows):  # type: ignore[no-untyped-def]
    """Correlated scores (2, d, n) and mixing variables (2, n) of the steps 2 `pair` and 2 `pair` + 1."""
    assets = scores.shape[1]
    for i in range(assets):
        fill_normals(inputs.key, first, pair, i, scores[0, i], scores[1, i])
    if inputs.mixed:
        fill_normals(inputs.key, first, pair, MIXING_SLOT, mixing[0], mixing[1])
    for half in range(2):
        if inputs.correlated:
            correlate(inputs.lower, scores[half])
        if inputs.mixed:
            interpolate_even(inputs.mixing, inputs.mixing_scale, mixing[half], rows)
            for i in range(assets):
                multiply_row(mixing[half], scores[half, i])


@njit(cache=True, nogil=True, error_model="numpy")
def correlate(lower, scores):  # type: ignore[no-untyped-def]
    """scores <- lower @ scores in place, (d, n); from the last row up, so that the rows still needed are untouched."""
    for i in range(scores.shape[0] - 1, -1, -1):
        row = scores[i]
        scale_row(lower[i, i], row)
        j = 0
        while j + 4 <= i:
            add_four_rows(lower[i, j : j + 4], scores[j], scores[j + 1], scores[j + 2], scores[j + 3], row)
            j += 4
        while j < i:
            add_row(lower[i, j], scores[j], row)
            j += 1
