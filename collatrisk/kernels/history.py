"""Innovations drawn as whole rows of standardised residuals: filtered historical simulation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.jit import njit
from collatrisk.kernels.random import HISTORY_SLOT, fill_uniform_pairs


class HistoryInputs(NamedTuple):
    """The rows; built by `collatrisk.simulation.history_inputs.history_inputs`.

    Attributes
    ----------
    key : uint64 Philox key.
    columns : (d, n) standardised residuals, a column of the history in each row; (d, 0) where none is drawn from.
    restart : the chance in (0, 1] that a step draws a new row instead of going on to the next.
    """

    key: np.uint64
    columns: NDArray[np.float64]
    restart: float


@njit(cache=True, nogil=True, error_model="numpy")
def draw_rows(inputs, first, step, places, draws, innovations):  # type: ignore[no-untyped-def]
    """One row a path, one uniform for the row and one for whether it is a new one.

    Parameters
    ----------
    first, step : index of the first path, and the step.
    places : int64 (n,), the rows of the step before, overwritten by those of this one (not read at step 0).
    draws : (2, n), scratch. innovations : (d, n or more), overwritten.
    """
    fill_uniform_pairs(inputs.key, first, step, HISTORY_SLOT, draws[0], draws[1])
    size = inputs.columns.shape[1]
    restart = 1.0 if step == 0 else inputs.restart
    for n in range(places.size):
        following = places[n] + 1
        if following >= size:
            following = 0
        fresh = min(np.int64(draws[0, n] * size), size - 1)
        places[n] = fresh if draws[1, n] < restart else following
    for i in range(innovations.shape[0]):
        _gather(inputs.columns[i], places, innovations[i, : places.size])


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(column, places, out):  # type: ignore[no-untyped-def]
    for n in range(out.size):
        out[n] = column[np.uint64(places[n])]
