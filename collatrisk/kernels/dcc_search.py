"""The search for a, b and g of a moving correlation: targets, evaluations and steps, each a call of compiled code.

Evaluations are called from outside, so that each of their two kinds is compiled when it is first needed, and once.
Quasi-Newton steps on the shares a, limit g and the slack 1 - a - b - limit g, so that all bounds but that of b are a
box and are met exactly. BFGS on the variables that the bounds leave free; the curvature is the outer product of the
scores at first, and again after each step from afar.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collatrisk.kernels.dcc import DccData, DccPoint, evaluate_dcc, stretch_into, work_size
from collatrisk.kernels.dcc_tiles import evaluate_tiles, shape_for, tiles_work_size
from collatrisk.kernels.jit import njit
from collatrisk.kernels.packed import LANES
from collatrisk.kernels.tile_machine import LANES_OF_SIDE
from collatrisk.kernels.vectors import WIDE

STANDARD, CORRECTED, ASYMMETRIC, EWMA = range(4)

LEAST_SLACK = 1e-6
LEAST_B = 1e-4
_AT_BOUND = 1e-12  # from the bound of b: on it
_MAX_STEPS = 100
_HALVINGS = 30
_FAR = 1.0  # decrement of a step after which the curvature is taken anew from the scores

# Rows of a walk: where it stands, the step, the trial and what was found there.
SIZE = 3
SHARES, SLOPES, STEP, TRIAL, AHEAD, VALUES, COUNTS, CURVATURE, OUTER = 0, 1, 2, 3, 4, 5, 6, 7, 10
WALK = 13
VALUE, FOUND, DECREMENT = range(3)  # in the row VALUES
STEPS, FRACTION, CUTS = range(3)  # in the row COUNTS


def layout(size: int, *, pairs: bool) -> tuple[tuple[int, ...], int, int]:
    """How `size` assets are evaluated: the shape of tiles (empty without), stretches of history, numbers of scratch."""
    if pairs or not WIDE:
        return (), LANES, work_size(size)
    shape = shape_for(size)
    return shape, LANES_OF_SIDE[len(shape)], tiles_work_size(size)


class DccProblem(NamedTuple):
    """A likelihood in (a, b, g) without its arguments.

    Attributes
    ----------
    scores : float64 (n, d), x. laid : the same in stretches, see `DccData`.
    driving, along : of a corrected model, overwritten in every evaluation; `laid` and (2, 0, d, lanes) otherwise.
    packed : (4, p) S and its derivatives in a and b, and N, by rows; of a corrected model overwritten.
    motion : one of `STANDARD`, `CORRECTED`, `ASYMMETRIC`, `EWMA`.
    nu : of the t copula; 0 for the Gaussian one. pairs : True for the sum over pairs of assets.
    shrinkage : weight of the constant-correlation target in S.
    share : what a sum over pairs is multiplied with. margins : what the values leave out, summed.
    limit : delta of an asymmetric model, else 1.
    work : scratch of the evaluation. no_leaning : (0, rows, lanes).
    """

    scores: NDArray[np.float64]
    laid: NDArray[np.float64]
    driving: NDArray[np.float64]
    along: NDArray[np.float64]
    packed: NDArray[np.float64]
    motion: int
    nu: float
    pairs: bool
    shrinkage: float
    share: float
    margins: float
    limit: float
    work: NDArray[np.float64]
    no_leaning: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def correct_scores(scores, a, b):  # type: ignore[no-untyped-def]
    """x sd of the corrected model and its derivatives in a and b: (3, n, d).

    The diagonal of Q moves by itself: q <- 1 - a - b + (a x^2 + b) q from 1 (Aielli 2013).
    """
    n_obs, size = scores.shape
    found = np.empty((3, n_obs, size))
    for i in range(size):
        q, qa, qb = 1.0, 0.0, 0.0
        for t in range(n_obs):
            x = scores[t, i]
            root = math.sqrt(q)
            found[0, t, i] = x * root
            found[1, t, i] = 0.5 * x * qa / root
            found[2, t, i] = 0.5 * x * qb / root
            kept = a * x * x + b
            qa = x * x * q - 1.0 + kept * qa
            qb = q - 1.0 + kept * qb
            q = 1.0 - a - b + kept * q
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def corrected_targets(driving, shrinkage):  # type: ignore[no-untyped-def]
    """S of the corrected model, shrunk, and its derivatives in a and b, (3, d, d), from `correct_scores`."""
    _, n_obs, size = driving.shape
    moments = np.zeros((3, size, size))
    for t in range(n_obs):
        for i in range(size):
            u, ua, ub = driving[0, t, i], driving[1, t, i], driving[2, t, i]
            for j in range(i + 1):
                other = driving[0, t, j]
                moments[0, i, j] += u * other
                moments[1, i, j] += ua * other + u * driving[1, t, j]
                moments[2, i, j] += ub * other + u * driving[2, t, j]
    found = np.empty((3, size, size))
    for part in range(3):
        total = 0.0
        for i in range(size):
            for j in range(i):
                unit = math.sqrt(moments[0, i, i] * moments[0, j, j])
                value = moments[0, i, j] / unit
                if part > 0:
                    # The change of a moment's correlation when the moment changes.
                    share = moments[part, i, i] / moments[0, i, i] + moments[part, j, j] / moments[0, j, j]
                    value = moments[part, i, j] / unit - 0.5 * value * share
                found[part, i, j] = value
                total += value
            found[part, i, i] = 1.0 if part == 0 else 0.0
        average = total / max(size * (size - 1) // 2, 1)
        for i in range(size):
            for j in range(i):
                found[part, i, j] = (1.0 - shrinkage) * found[part, i, j] + shrinkage * average
                found[part, j, i] = found[part, i, j]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _inputs(problem, theta, leaning):  # type: ignore[no-untyped-def]
    """The data and the point at theta = (a, b, g), with the targets that belong to it."""
    a, b, g = theta[0], theta[1], theta[2]
    packed = problem.packed
    if problem.motion == CORRECTED:
        driving = correct_scores(problem.scores, a, b)
        matrices = corrected_targets(driving, problem.shrinkage)
        stretch_into(driving[0], problem.driving)
        for part in range(2):
            stretch_into(driving[1 + part], problem.along[part])
        for part in range(3):
            k = 0
            for i in range(matrices.shape[1]):
                for j in range(i + 1):
                    packed[part, k] = matrices[part, i, j]
                    k += 1
    constants, start = np.empty(packed.shape), np.zeros(packed.shape)
    level = 1.0 - a - b
    for k in range(packed.shape[1]):
        own, in_a, in_b, falls = packed[0, k], packed[1, k], packed[2, k], packed[3, k]
        start[0, k], start[1, k], start[2, k] = own, in_a, in_b
        constants[0, k] = level * own - g * falls
        constants[1, k], constants[2, k], constants[3, k] = level * in_a - own, level * in_b - own, -falls
        if problem.motion == EWMA:
            for part in range(4):
                constants[part, k] = 0.0
    data = DccData(problem.laid, problem.driving, problem.along, problem.scores.shape[0])
    asymmetric = problem.motion == ASYMMETRIC
    return data, DccPoint(a, b, g, asymmetric, constants, start, problem.nu, problem.pairs, leaning)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_up(problem, values, scores, walk):  # type: ignore[no-untyped-def]
    """The log-likelihood, its slopes in the shares and the outer product of the scores in them, into the walk."""
    total = first = second = third = 0.0
    products = np.zeros(6)
    for t in range(values.size):
        total += values[t]
        in_b = scores[t, 1]
        one, two, three = scores[t, 0] - in_b, scores[t, 2] / problem.limit - in_b, -in_b
        first += one
        second += two
        third += three
        products[0] += one * one
        products[1] += one * two
        products[2] += one * three
        products[3] += two * two
        products[4] += two * three
        products[5] += three * three
    share = problem.share
    walk[AHEAD, 0], walk[AHEAD, 1], walk[AHEAD, 2] = share * first, share * second, share * third
    k = 0
    for i in range(SIZE):
        for j in range(i, SIZE):
            walk[OUTER + i, j] = walk[OUTER + j, i] = share * share * products[k]
            k += 1
    total = share * total + problem.margins
    walk[VALUES, FOUND] = total if math.isfinite(total) else -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_by_runs(problem, theta, leaning, values, scores, target_slopes, walk):  # type: ignore[no-untyped-def]
    """`evaluate_dcc` at theta = (a, b, g), targets included, summed up for the search.

    Parameters
    ----------
    problem : DccProblem; its `share` and `margins` are in the sums alone. leaning, values, scores, target_slopes : as
        there. walk : (`WALK`, 3) overwritten in `AHEAD`, `OUTER` and `FOUND`.
    """
    data, point = _inputs(problem, theta, leaning)
    evaluate_dcc(data, point, problem.work, values, scores, target_slopes)
    _sum_up(problem, values, scores, walk)


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_by_tiles(shape, problem, theta, leaning, values, scores, target_slopes, walk):  # type: ignore[no-untyped-def]
    """The same by `evaluate_tiles`; `shape`: `shape_for` the assets. It is no part of the problem: what works on
    problems alone would be compiled for every shape."""
    data, point = _inputs(problem, theta, leaning)
    evaluate_tiles(data, point, problem.work, values, scores, target_slopes, shape)
    _sum_up(problem, values, scores, walk)


@njit(cache=True, nogil=True, error_model="numpy")
def _direction(walk, free):  # type: ignore[no-untyped-def]
    """The Newton step of the variables that are free and that it does not push through a bound at once."""
    total = 0.0
    for i in range(SIZE):
        total += walk[SHARES, i]
    blocked = True
    while blocked:
        _solve(walk, free, 1.0 - total <= LEAST_B + _AT_BOUND)
        blocked = False
        for i in range(SIZE):
            low = LEAST_SLACK if i == SIZE - 1 else 0.0
            if free[i] and walk[SHARES, i] <= low and walk[STEP, i] < 0.0:
                free[i] = False
                blocked = True


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(walk, free, bounded):  # type: ignore[no-untyped-def]
    """Curvature times step = slopes among the free variables, with a little on the diagonal; 0 for the others.

    Where b is on its bound (`bounded`) and the step would lower it, the best step that leaves it there: the slopes
    less what they have in common, times the curvature's inverse.
    """
    trace = 0.0
    for i in range(SIZE):
        walk[STEP, i] = 0.0
        if free[i]:
            trace += walk[CURVATURE + i, i]
    ridge = 1e-10 * max(trace, 1e-300)
    work = np.zeros((SIZE, SIZE + 2))
    for i in range(SIZE):
        for j in range(SIZE):
            work[i, j] = walk[CURVATURE + i, j] if free[i] and free[j] else 0.0
        work[i, i] = work[i, i] + ridge if free[i] else 1.0
        work[i, SIZE] = walk[SLOPES, i] if free[i] else 0.0
        work[i, SIZE + 1] = 1.0 if free[i] else 0.0
    for i in range(SIZE):
        for k in range(i + 1, SIZE):
            factor = work[k, i] / work[i, i]
            for j in range(i, SIZE + 2):
                work[k, j] -= factor * work[i, j]
    total = rise = 0.0
    for i in range(SIZE - 1, -1, -1):
        for column in range(SIZE, SIZE + 2):
            for j in range(i + 1, SIZE):
                work[i, column] -= work[i, j] * work[j, column]
            work[i, column] /= work[i, i]
        total += work[i, SIZE]
        rise += work[i, SIZE + 1]
    common = total / rise if bounded and total > 0.0 and rise > 0.0 else 0.0
    for i in range(SIZE):
        walk[STEP, i] = work[i, SIZE] - common * work[i, SIZE + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _bend(walk):  # type: ignore[no-untyped-def]
    """Powell's damped BFGS update of the curvature, from where the walk stands to the trial."""
    bent, moved, gained = np.zeros(SIZE), np.empty(SIZE), np.empty(SIZE)
    curvature = along = reach = 0.0
    for i in range(SIZE):
        moved[i] = walk[TRIAL, i] - walk[SHARES, i]
    for i in range(SIZE):
        for j in range(SIZE):
            bent[i] += walk[CURVATURE + i, j] * moved[j]
        curvature += moved[i] * bent[i]
        along += moved[i] * (walk[SLOPES, i] - walk[AHEAD, i])
    if not curvature > 0.0:
        return
    keep = 1.0 if along >= 0.1 * curvature else 0.9 * curvature / (curvature - along)
    for i in range(SIZE):
        gained[i] = keep * (walk[SLOPES, i] - walk[AHEAD, i]) + (1.0 - keep) * bent[i]
        reach += gained[i] * moved[i]
    for i in range(SIZE):
        for j in range(SIZE):
            walk[CURVATURE + i, j] += gained[i] * gained[j] / reach - bent[i] * bent[j] / curvature


@njit(cache=True, nogil=True, error_model="numpy")
def begin(walk, known_curvature):  # type: ignore[no-untyped-def]
    """Take the point just evaluated (`TRIAL`, `AHEAD`, `FOUND`) as the one to walk from."""
    for i in range(SIZE):
        walk[SHARES, i], walk[SLOPES, i] = walk[TRIAL, i], walk[AHEAD, i]
        for j in range(SIZE):
            if not known_curvature:
                walk[CURVATURE + i, j] = walk[OUTER + i, j]
    walk[VALUES, VALUE] = walk[VALUES, FOUND]
    walk[COUNTS, STEPS] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def set_off(walk, theta, limit, asymmetric, done):  # type: ignore[no-untyped-def]
    """A new step from where the walk stands; False where none is needed or allowed."""
    free = np.empty(SIZE, dtype=np.bool_)
    for i in range(SIZE):
        low = LEAST_SLACK if i == SIZE - 1 else 0.0
        free[i] = (i != 1 or asymmetric) and not (walk[SHARES, i] <= low and walk[SLOPES, i] <= 0.0)
    _direction(walk, free)
    decrement = 0.0
    for i in range(SIZE):
        decrement += walk[SLOPES, i] * walk[STEP, i]
    walk[VALUES, DECREMENT] = decrement
    walk[COUNTS, STEPS] += 1.0
    if decrement < done or walk[COUNTS, STEPS] > _MAX_STEPS:
        return False
    walk[COUNTS, FRACTION], walk[COUNTS, CUTS] = 1.0, 0.0
    return _propose(walk, theta, limit)


@njit(cache=True, nogil=True, error_model="numpy")
def _propose(walk, theta, limit):  # type: ignore[no-untyped-def]
    """The trial at the present fraction of the step, projected on the box and cut where b meets its bound; False where
    no fraction is left."""
    begun = 0.0
    for i in range(SIZE):
        begun += walk[SHARES, i]
    while walk[COUNTS, CUTS] < _HALVINGS:
        total = 0.0
        for i in range(SIZE):
            low = LEAST_SLACK if i == SIZE - 1 else 0.0
            walk[TRIAL, i] = max(walk[SHARES, i] + walk[COUNTS, FRACTION] * walk[STEP, i], low)
            total += walk[TRIAL, i]
        walk[COUNTS, CUTS] += 1.0
        if 1.0 - total >= LEAST_B - _AT_BOUND:
            theta[0], theta[1], theta[2] = walk[TRIAL, 0], 1.0 - total, walk[TRIAL, 1] / limit
            return True
        room = 1.0 - LEAST_B - begun
        walk[COUNTS, FRACTION] *= room / (total - begun) if room > _AT_BOUND else 0.5
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def settle(walk, theta, limit, asymmetric, joint, done):  # type: ignore[no-untyped-def]
    """After an evaluation: take the trial or shorten the step. False where the walk has ended.

    Where the likelihood is the joint one (`joint`; of pairs the products of scores are no curvature), steps from afar
    renew the curvature, but not at a = 0, where the scores know nothing of b.

    Armijo's rule along the step projected on the box. Near the optimum the value is all rounding; a point that is no
    worse by more than that is taken if the slope along the step has fallen (Hager and Zhang 2005).
    """
    value, found = walk[VALUES, VALUE], walk[VALUES, FOUND]
    expected = after = 0.0
    for i in range(SIZE):
        moved = walk[TRIAL, i] - walk[SHARES, i]
        expected += walk[SLOPES, i] * moved
        after += walk[AHEAD, i] * moved
    finite, noise = math.isfinite(found), 1e-12 * (1.0 + abs(value))
    if found >= value + 1e-4 * expected or (finite and found >= value - noise and after <= 0.8 * expected):
        far = joint and walk[VALUES, DECREMENT] > _FAR and walk[TRIAL, 0] > 0.0
        if not far:
            _bend(walk)
        for i in range(SIZE):
            walk[SHARES, i], walk[SLOPES, i] = walk[TRIAL, i], walk[AHEAD, i]
            for j in range(SIZE):
                if far:
                    walk[CURVATURE + i, j] = walk[OUTER + i, j]
        walk[VALUES, VALUE] = found
        return set_off(walk, theta, limit, asymmetric, done)
    drop = 2.0 * (expected - (found - value))
    walk[COUNTS, FRACTION] *= min(max(expected / drop, 0.1), 0.5) if finite and drop > 0 else 0.1
    return _propose(walk, theta, limit)
