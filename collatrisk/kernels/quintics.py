"""An odd smooth function from its values, slopes and curvatures at even distances: piecewise quintic polynomials."""

from __future__ import annotations

import math

from collatrisk.kernels.jit import njit


@njit(cache=True, nogil=True, error_model="numpy")
def fit_quintics(value, slope, curvature, rows):  # type: ignore[no-untyped-def]
    """The polynomial of each segment, in the place s of [0, 1) within it (Hermite's conditions at both ends).

    Parameters
    ----------
    value, slope, curvature : float64 (n + 1,), at the nodes; slope and curvature per segment.
    rows : float64 (n, 6), coefficients from s^0 to s^5, overwritten.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        rise = value[k + 1] - value[k] - slope[k] - 0.5 * curvature[k]
        turn = slope[k + 1] - slope[k] - curvature[k]
        bend = curvature[k + 1] - curvature[k]
        row[0], row[1], row[2] = value[k], slope[k], 0.5 * curvature[k]
        row[3] = 10.0 * rise - 4.0 * turn + 0.5 * bend
        row[4] = -15.0 * rise + 7.0 * turn - bend
        row[5] = 6.0 * rise - 3.0 * turn + 0.5 * bend


@njit(cache=True, nogil=True, error_model="numpy")
def odd_quintic(points, per_unit, rows, out):  # type: ignore[no-untyped-def]
    """f(x) = sign(x) f(|x|) at every point; beyond the last segment its polynomial goes on.

    Parameters
    ----------
    points, out : float64 (n,). per_unit : float, segments a unit. rows : float64 (segments, 6).
    """
    last = rows.shape[0] - 1
    for i in range(points.size):
        size = abs(points[i]) * per_unit
        k = min(int(size), last)
        s = size - k
        c = rows[k]
        found = c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * c[5]))))
        out[i] = math.copysign(found, points[i])
