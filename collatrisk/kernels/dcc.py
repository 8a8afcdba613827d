"""Log-likelihood of dynamic conditional correlation and its exact gradient, every observation by itself.

Q_{t+1} = C + a u_t u_t' + g n_t n_t' + b Q_t with n = min(u, 0), and R_t is Q_t scaled to a unit diagonal. The
derivatives of Q in a, b and g obey linear recursions of their own; the slope of a log-density in Q is
P = (w v v' - Q^-1) / 2, v = Q^-1 (x sd), plus what the scaling adds to the diagonal, so that the score is the sum of P
times the derivative of Q.

The recursion is linear in Q, so that history is cut into `LANES` stretches that run side by side: first every stretch
from zero, then what each inherits from the one before, b^n of it, then the likelihood. Sources: Engle (2002); Aielli
(2013); Cappiello, Engle and Sheppard (2006); pairs: Engle, Shephard and Sheppard (2008), Pakel et al. (2021).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.dcc_pairs import PARTS, dcc_places, pair_slopes
from collatrisk.kernels.jit import njit
from collatrisk.kernels.packed import (
    LANES,
    clear,
    copy_runs,
    factorise,
    invert_factor,
    row_place,
    run_at,
    scale_run,
    solve_lower,
    subtract_inverse,
    subtract_products,
    subtract_transposed,
)
from collatrisk.kernels.special import log

VALUE, SLOPE_A, SLOPE_B, SLOPE_G, QUADRATIC, WEIGHT = range(6)
_SUMS = 6


class DccData(NamedTuple):
    """Scores laid out in stretches: lane j of row r is observation j * rows + r; zeros behind the last.

    There are `LANES` stretches, fewer for `collatrisk.kernels.dcc_tiles`.

    Attributes
    ----------
    scores : (rows, d, lanes), x: unit variance. driving : the same shape, u: x, or x sd of a corrected model.
    along : (2, rows, d, lanes), du/da and du/db of a corrected model; (2, 0, d, lanes) otherwise.
    n_obs : observations.
    """

    scores: NDArray[np.float64]
    driving: NDArray[np.float64]
    along: NDArray[np.float64]
    n_obs: int


class DccPoint(NamedTuple):
    """Where to evaluate.

    Attributes
    ----------
    a, b, g : the parameters. asymmetric : whether g matters.
    constants : (4, p) packed by rows: C and its derivatives in a, b and g.
    start : (4, p) Q of the first observation and its derivatives.
    nu : of the t copula; 0 for the Gaussian one. pairs : True for the sum over pairs of assets.
    leaning : (m, rows, lanes) by how much Q leans on each of m targets, a number an observation; m is 0 where the
        slopes in the targets are not wanted.
    """

    a: float
    b: float
    g: float
    asymmetric: bool
    constants: NDArray[np.float64]
    start: NDArray[np.float64]
    nu: float
    pairs: bool
    leaning: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def stretch_into(values, laid):  # type: ignore[no-untyped-def]
    """(n, d) to (rows, d, lanes); behind the last observation nothing is written."""
    n_obs, size = values.shape
    rows = laid.shape[0]
    for t in range(n_obs):
        lane, row = t // rows, t % rows
        for i in range(size):
            laid[row, i, lane] = values[t, i]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")  # compiled once, where it is called
def evaluate_dcc(data, point, flat, values, scores, target_slopes):  # type: ignore[no-untyped-def]
    """The log-density of every observation and its derivatives in a, b and g.

    Parameters
    ----------
    data : DccData. point : DccPoint. flat : float64 (`work_size`,), overwritten.
    values : (n,) overwritten by the log-density of the scores less what depends on nu and the margins only:
        ``-1/2 ln|R| - x'R^-1 x / 2``, or ``-1/2 ln|R| - (nu + d)/2 ln(1 + x'R^-1 x / (nu - 2))``; for pairs the sum of
        that over all pairs. nan where a matrix is not positive definite.
    scores : (n, 3) overwritten.
    target_slopes : (m, p) overwritten: slopes of the sum of the values in the targets' elements, packed; an element off
        the diagonal stands for both of its mirrored places.
    """
    rows, size = data.scores.shape[0], data.scores.shape[1]
    packed = row_place(size)
    kept = PARTS if point.asymmetric else PARTS - 1
    slopes, x = dcc_places(size, packed)[3:]
    sums = x + 5 * size * LANES
    clear(flat, 0, kept * packed)
    for k in range(target_slopes.size):
        target_slopes.flat[k] = 0.0
    for row in range(rows):
        _advance(flat, size, packed, data, row, point)
    _inherit(flat, packed, kept, rows, point)
    for row in range(rows):
        for i in range(size):
            copy_runs(data.scores[row, i], 0, flat, x + i * LANES, 1)
        if point.pairs:
            pair_slopes(flat, size, packed, point.nu)
        else:
            _joint_slopes(flat, size, packed, point.nu)
        clear(flat, sums + SLOPE_A * LANES, 3)
        for part in range(1, kept):
            subtract_products(flat, slopes, part * packed * LANES, packed, sums + (VALUE + part) * LANES)
        for target in range(target_slopes.shape[0]):
            _add_leaning(flat, slopes, packed, point.leaning[target, row], target_slopes[target])
        for lane in range(LANES):
            t = lane * rows + row
            if t < data.n_obs:
                values[t] = flat[sums + lane]
                for part in range(3):
                    scores[t, part] = -flat[sums + (SLOPE_A + part) * LANES + lane]
        if row + 1 < rows:
            _advance(flat, size, packed, data, row, point)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_leaning(flat, slopes, packed, leaning, target_slopes):  # type: ignore[no-untyped-def]
    """P of one row of observations, each times how much its Q leans on a target."""
    for k in range(packed):
        run = run_at(flat, slopes + k * LANES)
        total = 0.0
        for n in range(LANES):
            if leaning[n] != 0.0:
                total += leaning[n] * run[n]
        target_slopes[k] += total


@njit(cache=True, nogil=True, error_model="numpy")
def work_size(size):  # type: ignore[no-untyped-def]
    """Numbers that `evaluate_dcc` needs for `size` assets."""
    return ((PARTS + 3) * row_place(size) + 6 * size + _SUMS) * LANES


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(flat, size, packed, data, row, point):  # type: ignore[no-untyped-def]
    """Q and its derivatives one observation on."""
    corrected = data.along.shape[1] > 0
    k = 0
    for i in range(size):
        ui = data.driving[row, i]
        for j in range(i + 1):
            uj = data.driving[row, j]
            q, qa = run_at(flat, k * LANES), run_at(flat, (packed + k) * LANES)
            qb = run_at(flat, (2 * packed + k) * LANES)
            constants = point.constants[:, k]
            if corrected:
                _add_along(point.a, point.b, data.along[0, row, i], data.along[0, row, j], ui, uj, qa)
                _add_along(point.a, point.b, data.along[1, row, i], data.along[1, row, j], ui, uj, qb)
            _advance_run(point.a, point.b, constants[0], constants[1], constants[2], ui, uj, q, qa, qb)
            if point.asymmetric:
                qg = run_at(flat, (3 * packed + k) * LANES)
                _advance_asymmetry(point.g, point.b, constants[3], ui, uj, q, qg)
            k += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _advance_run(a, b, c, ca, cb, ui, uj, q, qa, qb):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        product = ui[n] * uj[n]
        qb[n] = cb + q[n] + b * qb[n]
        qa[n] = ca + product + b * qa[n]
        q[n] = c + a * product + b * q[n]


@njit(cache=True, nogil=True, error_model="numpy")
def _advance_asymmetry(g, b, cg, ui, uj, q, qg):  # type: ignore[no-untyped-def]
    for n in range(LANES):
        product = min(ui[n], 0.0) * min(uj[n], 0.0)
        qg[n] = cg + product + b * qg[n]
        q[n] += g * product


@njit(cache=True, nogil=True, error_model="numpy")
def _add_along(a, b, ai, aj, ui, uj, q):  # type: ignore[no-untyped-def]
    """Divided by b, because the recursion that follows multiplies by it."""
    factor = a / b
    for n in range(LANES):
        q[n] += factor * (ai[n] * uj[n] + ui[n] * aj[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _inherit(flat, packed, kept, rows, point):  # type: ignore[no-untyped-def]
    """From where every stretch ended when it began at zero to where it begins.

    b^rows of the start before; the derivative in b inherits rows b^(rows - 1) of Q's start as well.
    """
    power = point.b**rows
    slope = rows * point.b ** (rows - 1)
    for k in range(packed):
        for part in range(kept - 1, -1, -1):
            carried = point.start[part, k]
            level = point.start[0, k]
            for lane in range(LANES):
                place = (part * packed + k) * LANES + lane
                end = flat[place] + power * carried
                if part == 2:
                    end += slope * level
                    level = flat[k * LANES + lane] + power * level
                flat[place] = carried
                carried = end


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _joint_slopes(flat, size, packed, nu):  # type: ignore[no-untyped-def]
    """Value and P (packed, off-diagonal elements count twice) from the density of all assets."""
    factor, inverses, columns, slopes, x = dcc_places(size, packed)
    sd, solved, v, weighted = x + size * LANES, x + 2 * size * LANES, x + 3 * size * LANES, x + 4 * size * LANES
    sums = x + 5 * size * LANES
    copy_runs(flat, 0, flat, factor, packed)
    clear(flat, sums, 1)
    clear(flat, sums + QUADRATIC * LANES, 1)
    clear(flat, v, size)
    factorise(flat, factor, size, inverses)
    invert_factor(flat, factor, size, inverses, columns)
    for i in range(size):
        shift = i * LANES
        _standardise(
            run_at(flat, (row_place(i) + i) * LANES),
            run_at(flat, x + shift),
            run_at(flat, inverses + shift),
            run_at(flat, sd + shift),
            run_at(flat, solved + shift),
            run_at(flat, sums),
        )
    solve_lower(flat, factor, size, inverses, solved)
    subtract_transposed(flat, columns, size, solved, v)
    subtract_products(flat, solved, solved, size, sums + QUADRATIC * LANES)
    _density(flat, size, sums, nu)
    clear(flat, slopes, packed)
    subtract_inverse(flat, columns, size, slopes)
    for i in range(size):
        shift = i * LANES
        copy_runs(flat, v + shift, flat, weighted + shift, 1)
        scale_run(run_at(flat, sums + WEIGHT * LANES), run_at(flat, weighted + shift))
    for i in range(size):
        place = slopes + row_place(i) * LANES
        for j in range(i + 1):
            subtract_products(flat, weighted + i * LANES, v + j * LANES, 1, place + j * LANES)
        _add_scaling(
            run_at(flat, sd + i * LANES),
            run_at(flat, weighted + i * LANES),
            run_at(flat, x + i * LANES),
            run_at(flat, place + i * LANES),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _standardise(variance, x, inverse, sd, scaled, value):  # type: ignore[no-untyped-def]
    """sd and x sd of one asset; its share of -1/2 ln|R| added to the value."""
    for n in range(LANES):
        root = math.sqrt(variance[n])
        sd[n] = root
        scaled[n] = root * x[n]
    for n in range(LANES):
        value[n] += log(inverse[n] * sd[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _add_scaling(sd, weighted, x, slope):  # type: ignore[no-untyped-def]
    """A diagonal element of P, halved, with what the scaling of Q adds; `weighted` is w Q^-1 (x sd)."""
    for n in range(LANES):
        slope[n] = 0.5 * (slope[n] + (1.0 / sd[n] - weighted[n] * x[n]) / sd[n])


@njit(cache=True, nogil=True, error_model="numpy")
def _density(flat, size, sums, nu):  # type: ignore[no-untyped-def]
    """The value from ln|R| and minus the quadratic form; minus the weight w of the form's slope."""
    value, quadratic = run_at(flat, sums), run_at(flat, sums + QUADRATIC * LANES)
    weight = run_at(flat, sums + WEIGHT * LANES)
    for n in range(LANES):
        weight[n] = -1.0
    if nu > 0.0:
        for n in range(LANES):
            value[n] -= 0.5 * (nu + size) * log(1.0 - quadratic[n] / (nu - 2.0))
            weight[n] = -(nu + size) / (nu - 2.0 - quadratic[n])
    else:
        for n in range(LANES):
            value[n] += 0.5 * quadratic[n]
