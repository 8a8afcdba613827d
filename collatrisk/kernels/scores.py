"""Copula scores: correlated normals, and Student t scores where mixing variables are common to groups of assets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.cubics import interpolate_even
from collatrisk.kernels.jit import njit
from collatrisk.kernels.motion import move_scores
from collatrisk.kernels.random import MIXING_SLOT, fill_normals
from collatrisk.kernels.rows import add_four_rows, add_row, copy_row, multiply_row, scale_row
from collatrisk.kernels.vector_products import TILE_BYTES, TILE_ROWS, product_tile_wide
from collatrisk.kernels.vectors import WIDE


class ScoreInputs(NamedTuple):
    """The copula; built by `collatrisk.simulation.score_inputs.score_inputs`.

    Attributes
    ----------
    key : uint64 Philox key.
    lower : (d, d) lower Cholesky factor of the scores' correlation. correlated : False if it is the identity. Where
        correlation moves neither matters.
    mixed : True for a t copula. group : int64 (d,), the group of each asset; one group but for a grouped t copula.
    mixing : (rows, 4) cubic segments of sqrt(nu / chi2) in the normal score g, one table a group after the other:
        `mixing_rows` int64 (groups + 1,) where each begins, `mixing_scale` (groups,) segments to a unit.
    conditional : (d,) (nu - 2) / nu, so that h * conditional * nu / chi2 has mean h.
    """

    key: np.uint64
    lower: NDArray[np.float64]
    correlated: bool
    mixed: bool
    group: NDArray[np.int64]
    mixing: NDArray[np.float64]
    mixing_rows: NDArray[np.int64]
    mixing_scale: NDArray[np.float64]
    conditional: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def draw_pair(inputs, motion, first, pair, scores, mixing, q, work, rows):  # type: ignore[no-untyped-def]
    """Correlated scores (2, d, n or more) and mixing variables (2, groups, n) of the steps 2 `pair` and 2 `pair` + 1.

    `motion` may be None; `q` and `work` are those of `collatrisk.kernels.motion.motion_work`.
    """
    assets, size = scores.shape[1], mixing.shape[2]
    for i in range(assets):
        fill_normals(inputs.key, first, pair, i, scores[0, i, :size], scores[1, i, :size])
    if inputs.mixed:
        _draw_mixing(inputs, first, pair, mixing, rows)
    if motion is not None and motion.moving:
        move_scores(motion, inputs.group, scores, mixing, q, work)
        return
    for half in range(2):
        if inputs.correlated:
            correlate(inputs.lower, scores[half])
        if inputs.mixed:
            for i in range(assets):
                multiply_row(mixing[half, inputs.group[i]], scores[half, i, :size])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _draw_mixing(inputs, first, pair, mixing, rows):  # type: ignore[no-untyped-def]
    """One normal a path and step; each group takes its own chi-square quantile of its rank."""
    last = mixing.shape[1] - 1
    fill_normals(inputs.key, first, pair, MIXING_SLOT, mixing[0, last], mixing[1, last])
    for half in range(2):
        for group in range(last + 1):
            row = mixing[half, group]
            if group < last:
                copy_row(mixing[half, last], row)
            cubics = inputs.mixing[inputs.mixing_rows[group] : inputs.mixing_rows[group + 1]]
            interpolate_even(cubics, inputs.mixing_scale[group], row, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def correlate_plain(lower, scores):  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True, error_model="numpy")
def correlate_wide(lower, scores):  # type: ignore[no-untyped-def]
    """`correlate_plain`, four rows of 256 bytes at a time with their sums in registers, the rest as there."""
    assets, size = scores.shape
    lanes = TILE_BYTES // scores.itemsize
    tiled = assets - assets % TILE_ROWS if size % lanes == 0 else 0
    for at in range(0, size if tiled > 0 else 0, lanes):
        for above in range(0, tiled, TILE_ROWS):
            product_tile_wide(lower, scores, assets - TILE_ROWS - above, at)
    if tiled < assets:
        correlate_plain(lower, scores[: assets - tiled])


correlate = correlate_wide if WIDE else correlate_plain
