"""Maximum likelihood of GARCH(1,1) and GJR(1,1,1) inside their bounds, by BFGS on variables with simple bounds.

The variables x (8,), of a series scaled to unit variance:

====  ===================  ===================================================================
0     mu                  free
1     log(omega + 0.005)  omega in [1e-8, 10] times the mean square; near 0 a log would creep
2, 3  alpha / 2 and       shares of the persistence (without asymmetry: alpha, and 0)
      (alpha + gamma) / 2
4     beta                share of the persistence
5     slack               1 - persistence; 2 to 5 are >= 0 and sum to 1
6     1 / nu              nu in [2.05, 500]; the likelihood is far more quadratic in it than in nu
7     lambda              in [-0.999, 0.999]
====  ===================  ===================================================================

Of the four shares the largest (`pivot`) is what the others leave: it is far from 0 where it is chosen, so that the
other bounds are a box, and a bound that holds in the optimum (no asymmetry, persistence 1) is met exactly. Steps are
Newton steps of the variables that the bounds leave free, projected on the box; the Hessian starts from differences of
the gradient and is updated by damped BFGS.
"""

from __future__ import annotations

import math

import numpy as np

from collatrisk.kernels.jit import njit
from collatrisk.kernels.quasi_likelihood import NORMAL, SKEWED, evaluate

SIZE = 8
_MU, _LOG_OMEGA, _UP, _DOWN, _BETA, _SLACK, _INVERSE_NU, _LAMBDA = range(SIZE)
CONVERGED, OUT_OF_STEPS, STUCK, NOT_FINITE, LEADS_TO_KNOWN, HOPELESS = range(6)

NU_LOW, NU_HIGH = 2.05, 500.0
_LAMBDA_HIGH = 0.999
_DONE = 1e-11  # Newton decrement g' H^-1 g: (distance to the optimum in standard errors)^2
_GOOD = 1e-6  # accepted where no step gains any more
_MAX_STEPS = 150
# A walk that is this near to a known optimum (squared, by its Hessian) leads there; further off, if it also lies below
# it by about what the Hessian says.
_BASIN, _FAR_BASIN = 0.05, 16.0
# A walk from another start is given up where it lies below the best by more than it may hope to gain.
_HOPE_STEPS, _HOPE_GAINS, _HOPE_MARGIN = 3, 3.0, 2.0
_OFFSET, _SMALLEST_OMEGA = 0.005, 1e-9
_STEP_LIMITS = np.array([0.5, 2.0, 0.25, 0.25, 0.25, 0.25, 0.1, 0.3])
_DIFFERENCES = np.array([1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-3])


@njit(cache=True, nogil=True, error_model="numpy")
def copy(source, target):  # type: ignore[no-untyped-def]
    """target <- source; a slice assignment would compile the texts of numpy's errors, for seconds."""
    for i in range(source.size):
        target.flat[i] = source.flat[i]


@njit(cache=True, nogil=True, error_model="numpy")
def omega_of(u):  # type: ignore[no-untyped-def]
    """omega from its variable."""
    return max(math.exp(u) - _OFFSET, _SMALLEST_OMEGA)


@njit(cache=True, nogil=True, error_model="numpy")
def variable_of(omega):  # type: ignore[no-untyped-def]
    """The variable from omega."""
    return math.log(omega + _OFFSET)


@njit(cache=True, nogil=True, error_model="numpy")
def objective(x, pivot, data, slopes):  # type: ignore[no-untyped-def]
    """Minus the log-likelihood at x and its gradient; 0 for the pivot and for variables that are held."""
    work, sums, powers, order, theta, natural, shape, moments = data
    n, dist, asymmetric, mean, backcast = shape
    omega, nu = omega_of(x[_LOG_OMEGA]), NU_HIGH
    if dist != NORMAL:
        nu = min(max(1.0 / x[_INVERSE_NU], NU_LOW), NU_HIGH)
    unit = 2.0 if asymmetric else 1.0
    theta[0], theta[1] = x[_MU], omega
    theta[2] = unit * x[_UP]
    theta[3] = unit * x[_DOWN] if asymmetric else theta[2]
    theta[4], theta[5], theta[6] = x[_BETA], nu, x[_LAMBDA]
    presample, along = moments[2], 0.0
    if not backcast:
        presample = moments[1] + x[_MU] * (x[_MU] - 2.0 * moments[0])
        along = 2.0 * (x[_MU] - moments[0])
    value = evaluate(work, sums, powers, order, theta, dist, n, presample, along, natural)
    slopes[_MU] = -natural[0] if mean else 0.0
    slopes[_LOG_OMEGA] = -(omega + _OFFSET) * natural[1]
    slopes[_UP] = -unit * natural[2]
    slopes[_DOWN] = -unit * natural[3]
    slopes[_BETA] = -natural[4]
    slopes[_SLACK] = 0.0
    if not asymmetric:
        slopes[_UP] += slopes[_DOWN]
    from_pivot = slopes[pivot]
    for i in range(_UP, _SLACK + 1):
        slopes[i] -= from_pivot
    if not asymmetric:
        slopes[_DOWN] = 0.0
    slopes[_INVERSE_NU] = nu * nu * natural[5] if dist != NORMAL else 0.0
    slopes[_LAMBDA] = -natural[6] if dist == SKEWED else 0.0
    return -value


@njit(cache=True, nogil=True, error_model="numpy")
def _best_pivot(x, asymmetric):  # type: ignore[no-untyped-def]
    """The largest share; alpha / 2 has an upper bound of its own and is left out."""
    best = _SLACK
    for i in range(_DOWN if asymmetric else _UP, _SLACK):
        if x[i] > x[best]:
            best = i
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(hessian, slopes, old, new, move):  # type: ignore[no-untyped-def]
    """The Hessian and the gradient in the variables of another pivot: old variables = move @ new variables."""
    move[:] = 0.0
    for i in range(SIZE):
        move[i, i] = 1.0
    move[old, old] = 0.0
    for i in range(_UP, _SLACK + 1):
        move[new, i] = -1.0
    move[new, new] = 0.0
    half = np.zeros((SIZE, SIZE))
    for i in range(SIZE):
        for j in range(SIZE):
            for k in range(SIZE):
                half[i, j] += hessian[i, k] * move[k, j]
    for i in range(SIZE):
        for j in range(SIZE):
            total = 0.0
            for k in range(SIZE):
                total += move[k, i] * half[k, j]
            hessian[i, j] = total
    from_new = slopes[new]
    slopes[old] = 0.0
    for i in range(_UP, _SLACK + 1):
        slopes[i] -= from_new


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(hessian, slopes, free, damping, factor, step):  # type: ignore[no-untyped-def]
    """The Newton step of the free variables (0 elsewhere), from H + damping diag(H); False if not positive."""
    for i in range(SIZE):
        step[i] = 0.0
        if not free[i]:
            continue
        for j in range(i + 1):
            if not free[j]:
                continue
            total = hessian[i, j]
            if i == j:
                total += damping * abs(hessian[i, i])
            smallest = 1e-13 * abs(total)
            for k in range(j):
                if free[k]:
                    total -= factor[i, k] * factor[j, k]
            if i == j:
                if not total > smallest:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for i in range(SIZE):
        if free[i]:
            total = -slopes[i]
            for k in range(i):
                if free[k]:
                    total -= factor[i, k] * step[k]
            step[i] = total / factor[i, i]
    for back in range(SIZE):
        i = SIZE - 1 - back
        if free[i]:
            total = step[i]
            for k in range(i + 1, SIZE):
                if free[k]:
                    total -= factor[k, i] * step[k]
            step[i] = total / factor[i, i]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _difference_hessian(  # type: ignore[no-untyped-def]
    x, pivot, slopes, movable, box, data, hessian, trial, ahead, factor, step
):
    """Forward differences of the gradient, made positive definite; returns the evaluations spent."""
    spent = 0
    hessian[:] = 0.0
    for i in range(SIZE):
        if not movable[i] or i == pivot:
            continue
        copy(x, trial)
        size = _DIFFERENCES[i] if x[i] + _DIFFERENCES[i] <= box[1, i] else -_DIFFERENCES[i]
        trial[i] += size
        if _UP <= i <= _SLACK:
            trial[pivot] -= size
        objective(trial, pivot, data, ahead)
        spent += 1
        for j in range(SIZE):
            hessian[i, j] = (ahead[j] - slopes[j]) / size
    free = np.zeros(SIZE, dtype=np.bool_)
    for i in range(SIZE):
        free[i] = movable[i] and i != pivot
        hessian[i, i] = max(abs(hessian[i, i]), 1e-3)
        for j in range(i):
            both = 0.5 * (hessian[i, j] + hessian[j, i])
            hessian[i, j] = hessian[j, i] = both if math.isfinite(both) else 0.0
    damping = 0.0
    while not _solve(hessian, slopes, free, damping, factor, step):
        damping = max(4.0 * damping, 0.02)
    for i in range(SIZE):
        hessian[i, i] *= 1.0 + damping
    return spent


@njit(cache=True, nogil=True, error_model="numpy")
def _direction(x, pivot, slopes, hessian, movable, box, free, factor, step):  # type: ignore[no-untyped-def]
    """The step that leaves no bound at once, and its decrement g' H^-1 g."""
    for i in range(SIZE):
        held = (x[i] <= box[0, i] and slopes[i] >= 0.0) or (x[i] >= box[1, i] and slopes[i] <= 0.0)
        free[i] = movable[i] and i != pivot and not held
    while True:
        damping = 0.0
        while not _solve(hessian, slopes, free, damping, factor, step):
            damping = max(4.0 * damping, 1e-8)
        decrement, blocked = 0.0, False
        for i in range(SIZE):
            decrement -= slopes[i] * step[i]
            if free[i] and ((x[i] <= box[0, i] and step[i] < 0.0) or (x[i] >= box[1, i] and step[i] > 0.0)):
                free[i] = False
                blocked = True
        if not blocked:
            return decrement


@njit(cache=True, nogil=True, error_model="numpy")
def _search(x, pivot, value, slopes, step, box, data, trial, ahead):  # type: ignore[no-untyped-def]
    """Armijo's rule along the projected step: (new value, evaluations), nan where nothing gains.

    Near the optimum the value is all rounding; a point that is no worse by more than that is taken if the slope along
    the step has fallen (Hager and Zhang 2005).
    """
    size = 1.0
    for i in range(SIZE):
        if abs(step[i]) * size > _STEP_LIMITS[i]:
            size = _STEP_LIMITS[i] / abs(step[i])
    noise = 1e-12 * (1.0 + abs(value))
    spent = 0
    for _ in range(40):
        expected, left = 0.0, 1.0
        for i in range(SIZE):
            trial[i] = min(max(x[i] + size * step[i], box[0, i]), box[1, i])
            expected += slopes[i] * (trial[i] - x[i])
            if _UP <= i <= _SLACK and i != pivot:
                left -= trial[i]
        trial[pivot] = left
        if left < 0.0:
            size *= 0.5
            continue
        found = objective(trial, pivot, data, ahead)
        spent += 1
        if math.isfinite(found):
            after = 0.0
            for i in range(SIZE):
                after += ahead[i] * (trial[i] - x[i])
            if found <= value + 1e-4 * expected or (found <= value + noise and after <= -0.8 * expected):
                return found, spent
            cut = -expected / (2.0 * (found - value - expected))
            size *= min(max(cut, 0.1), 0.5)
        else:
            size *= 0.1
    return np.nan, spent


@njit(cache=True, nogil=True, error_model="numpy")
def _update(hessian, x, trial, slopes, ahead, pivot, moved, gained):  # type: ignore[no-untyped-def]
    """Powell's damped BFGS update, in place."""
    along, curvature = 0.0, 0.0
    for i in range(SIZE):
        moved[i] = 0.0
        if i != pivot:
            for j in range(SIZE):
                if j != pivot:
                    moved[i] += hessian[i, j] * (trial[j] - x[j])
            along += (ahead[i] - slopes[i]) * (trial[i] - x[i])
            curvature += moved[i] * (trial[i] - x[i])
    if not curvature > 0.0:
        return
    keep = 1.0
    if along < 0.1 * curvature:
        keep = 0.9 * curvature / (curvature - along)
    total = 0.0
    for i in range(SIZE):
        gained[i] = keep * (ahead[i] - slopes[i]) + (1.0 - keep) * moved[i] if i != pivot else 0.0
        total += gained[i] * (trial[i] - x[i]) if i != pivot else 0.0
    for i in range(SIZE):
        for j in range(SIZE):
            hessian[i, j] += gained[i] * gained[j] / total - moved[i] * moved[j] / curvature


@njit(cache=True, nogil=True, error_model="numpy")
def minimise(  # type: ignore[no-untyped-def]
    x, pivot, hessian, has_hessian, known, known_hessian, known_pivot, known_value, clear, movable, box, data
):
    """Walk from x to an optimum; x and hessian are overwritten by where the walk ends.

    A walk that comes near the best optimum so far, `known` (value `known_value`, inf for none), is stopped, and where
    the data are clear so is one that lies far below it and gains little: the fate of nearly every start but the first.

    Returns
    -------
    (value, decrement, pivot, status, evaluations); the value is that of `known` for a walk that leads to it.
    """
    asymmetric = data[6][2]
    trial, slopes, ahead = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
    step, moved, gained = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
    factor, move = np.empty((SIZE, SIZE)), np.empty((SIZE, SIZE))
    free = np.zeros(SIZE, dtype=np.bool_)
    value = objective(x, pivot, data, slopes)
    spent = 1
    if not math.isfinite(value):
        return value, np.inf, pivot, NOT_FINITE, spent
    decrement = np.inf
    for walked in range(_MAX_STEPS):
        better = _best_pivot(x, asymmetric)
        if x[better] > 2.0 * x[pivot]:
            _turn(hessian, slopes, pivot, better, move)
            pivot = better
        if walked == 0 and not has_hessian:
            spent += _difference_hessian(x, pivot, slopes, movable, box, data, hessian, trial, ahead, factor, step)
        decrement = _direction(x, pivot, slopes, hessian, movable, box, free, factor, step)
        if decrement < _DONE:
            return value, decrement, pivot, CONVERGED, spent
        behind = value - known_value
        if behind >= 0.0:
            away = _distance(x, known, known_hessian, known_pivot)
            if away < _BASIN or (away < _FAR_BASIN and 0.15 * away < behind < 1.5 * away):
                return known_value, decrement, pivot, LEADS_TO_KNOWN, spent
            if clear and walked >= _HOPE_STEPS and behind > _HOPE_MARGIN + _HOPE_GAINS * decrement:
                return value, decrement, pivot, HOPELESS, spent
        found, tried = _search(x, pivot, value, slopes, step, box, data, trial, ahead)
        spent += tried
        if not math.isfinite(found):
            return value, decrement, pivot, CONVERGED if decrement < _GOOD else STUCK, spent
        _update(hessian, x, trial, slopes, ahead, pivot, moved, gained)
        copy(trial, x)
        copy(ahead, slopes)
        value = found
    return value, decrement, pivot, OUT_OF_STEPS, spent


@njit(cache=True, nogil=True, error_model="numpy")
def _distance(x, known, hessian, pivot):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(SIZE):
        for j in range(SIZE):
            if i != pivot and j != pivot:
                total += (x[i] - known[i]) * hessian[i, j] * (x[j] - known[j])
    return total
