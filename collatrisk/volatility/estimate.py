"""Maximum likelihood: several starts, then Newton steps on the exact likelihood until none gains.

Where the starts come from is said in `collatrisk.volatility.starts`. Each is polished by an active-set Newton method
with the analytic scores of `collatrisk.volatility.likelihood`. Progress is measured by the Newton decrement
``g' (-H)^-1 g``, twice the gain in log-likelihood that the quadratic model still expects: it does not depend on any
scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from collatrisk.volatility.curvature import covariances, curvature, free_directions, natural_units, newton_step
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import Likelihood, State
from collatrisk.volatility.recursions import Constraint
from collatrisk.volatility.starts import starting_points

# Above this decrement the Hessian is replaced by the outer product of the scores, which costs nothing.
_FAR = 1.0
_DONE = 1e-16
_LAST = 1e-9  # a Newton step from here ends at rounding
_ROUNDING = 1e-9  # of a sum of log-likelihoods
_ON_BOUND = 1e-9
_AT_ONE = 1e-6  # a persistence that a curved constraint holds to 1, after the search's tangents
_MAX_STEPS = 60
_MAX_TANGENTS = 40
_MAX_PROJECTIONS = 20
_STAYS = 1e-7  # natural steps
_SPIKE, _FLAT = 0.1, 1e-8  # log-likelihood that a kink in mu is not worth; decrement of an end without slope


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    theta : (k,) the parameters.
    loglikelihood : at theta.
    decrement : g' (-H)^-1 g within the constraints that hold with equality.
    identified : whether H is negative definite there; if not, some direction leaves the likelihood flat.
    active : the rows of `Likelihood.constraints` that hold with equality.
    hessian : (k, k) covariance from the inverse of minus the Hessian; nan for parameters on a bound.
    robust : (k, k) sandwich covariance of Bollerslev and Wooldridge (1992).
    opg : (k, k) inverse of the outer product of the scores (Berndt, Hall, Hall and Hausman 1974).
    likelihood : whose constraints `active` counts.
    """

    theta: Array
    loglikelihood: float
    decrement: float
    identified: bool
    active: tuple[int, ...]
    hessian: Array
    robust: Array
    opg: Array
    likelihood: Likelihood


def search(likelihood: Likelihood, starts: list[Array] | None = None) -> tuple[Optimum, tuple[float, ...]]:
    """The best optimum over all starts (None: those of `starting_points`), and the log-likelihood that each reached.

    Raises
    ------
    ArithmeticError : no start has a finite likelihood.
    """
    ends: list[tuple[float, Array, Likelihood]] = []
    for start in starting_points(likelihood) if starts is None else starts:
        reached = _polish(likelihood, start)
        if reached is not None:
            ends.append((*reached, likelihood))
    if likelihood.family.curved:
        ends = [_stationary(*end) for end in ends]
    if not ends:
        raise ArithmeticError("the likelihood is not finite at any start")
    best = max(ends, key=lambda end: end[0])
    if not likelihood.is_smooth:
        best = _off_kinks(ends, best)
    return _describe(best[2], best[1]), tuple(value for value, *_ in ends)


def _off_kinks(
    ends: list[tuple[float, Array, Likelihood]], best: tuple[float, Array, Likelihood]
) -> tuple[float, Array, Likelihood]:
    """An end without slope that is as good as the best, or the best one held on its kinks.

    |e|^power with a power of 1 or less puts a spike on the likelihood wherever a residual is 0. They are narrow and
    low, but a climber that meets one stays on it. With an AR(1) mean two residuals may be 0 at once.
    """
    for end in sorted(ends, key=lambda end: -end[0]):
        if end[0] > best[0] - _SPIKE and _slope_left(end[2], end[1]) < _FLAT:
            return end
    held: list[int] = []
    while len(held) < best[2].mean.slopes.shape[0] and _slope_left(best[2], best[1]) >= _FLAT:
        _, theta, likelihood = best
        distance = np.abs(likelihood.filter(theta).residuals)
        distance[held] = np.inf
        held.append(int(np.argmin(distance)))
        bounded = replace(likelihood, extra=(*likelihood.extra, *_kink(likelihood, held[-1])))
        reached = _polish(bounded, theta)
        if reached is None:
            break
        best = (*reached, bounded)
    return best


def _kink(likelihood: Likelihood, place: int) -> tuple[Constraint, Constraint]:
    """That a residual is 0, as two constraints."""
    row = np.zeros(len(likelihood.names))
    row[: likelihood.mean.slopes.shape[0]] = -likelihood.mean.slopes[:, place]
    limit = float(likelihood.mean.explained[place])
    return (row, limit, "kink"), (-row, -limit, "kink")


def _slope_left(likelihood: Likelihood, theta: Array) -> float:
    state = likelihood.state(theta)
    return float("inf") if state is None else _ascent(likelihood, theta, state, near=True)[1]


def _stationary(value: float, theta: Array, likelihood: Likelihood) -> tuple[float, Array, Likelihood]:
    """An end of persistence above 1 moved to the best point of persistence 1.

    The constraint is not linear in the parameters: it is replaced by its tangent plane at the point in hand, the search
    is repeated on that side of the plane, and so on until the point stays (sequential linear constraints).
    """
    if likelihood.persistence(theta) <= 1.0 + _ON_BOUND:
        return value, theta, likelihood
    here = _onto_persistence_one(likelihood, theta)
    unit = np.ones(theta.size)
    for _ in range(_MAX_TANGENTS):
        state = likelihood.state(here)
        if state is None:
            break
        unit = natural_units(state.outer)
        slope = _persistence_slope(likelihood, here, unit)
        limit = likelihood.persistence(here) - 1.0 - float(slope @ here)
        bounded = replace(likelihood, extra=((-slope, limit, "persistence"),))
        reached = _polish(bounded, here)
        if reached is None:
            break
        moved = float(np.max(np.abs(reached[1] - here) / unit))
        value, here, likelihood = reached[0], reached[1], bounded
        if moved < _STAYS:
            break
    return value, here, likelihood


def _onto_persistence_one(likelihood: Likelihood, theta: Array) -> Array:
    first = likelihood.mean.slopes.shape[0]
    last = first + len(likelihood.family.names)
    found = np.array(theta)
    found[first:last] = likelihood.family.pull(found[first:last], likelihood.law(theta), 0.0)
    return found


def _persistence_slope(likelihood: Likelihood, theta: Array, unit: Array) -> Array:
    bounds = likelihood.bounds
    found = np.zeros(theta.size)
    for place in range(theta.size):
        ends = []
        for sign in (1.0, -1.0):
            point = np.array(theta)
            point[place] = np.clip(theta[place] + sign * 1e-4 * unit[place], *bounds[place])
            ends.append((likelihood.persistence(point), float(point[place])))
        (high, right), (low, left) = ends
        found[place] = (high - low) / (right - left) if right > left else 0.0
    return found


def _polish(likelihood: Likelihood, start: Array) -> tuple[float, Array] | None:
    """Climb from `start` within the constraints; None where the likelihood is not finite there."""
    theta = _inside(likelihood, start)
    state = likelihood.state(theta)
    if state is None:
        return None
    near = False
    for _ in range(_MAX_STEPS):
        step, decrement = _ascent(likelihood, theta, state, near)
        if decrement < _DONE:
            break
        if decrement < _FAR and not near:
            near = True  # the same point once more, with its Hessian
            continue
        if near and decrement < _LAST:
            last = _last_step(likelihood, theta, step, state.value)
            if last is not None:
                return last
        moved = _line_search(likelihood, theta, step, state.value)
        if moved is None and decrement < _LAST:
            moved = _by_slope(likelihood, theta, step, decrement)
        if moved is None:
            if near:
                break
        else:
            theta, state = moved
        near = near or moved is None
    return state.value, theta


def _last_step(likelihood: Likelihood, theta: Array, step: Array, value: float) -> tuple[float, Array] | None:
    """The end of a Newton step whose gain is lost in the rounding of the sum; None where a constraint is near.

    So close to the optimum the step squares the distance, which no comparison of likelihoods could see.
    """
    rows, limits, _ = likelihood.constraints
    point = theta + step
    if min((rows @ theta - limits).min(initial=1.0), (rows @ point - limits).min(initial=1.0)) <= _ON_BOUND:
        return None
    there = likelihood.totals(point[None, :])
    found = float("-inf") if there is None else float(there[0][0])
    return (found, point) if found > value - _ROUNDING else None


def _ascent(likelihood: Likelihood, theta: Array, state: State, near: bool) -> tuple[Array, float]:
    """The Newton step that leaves no constraint at once, and its decrement.

    A step that would leave a constraint which holds with equality, though the gradient does not, is taken along it.
    """
    rows, limits, _ = likelihood.constraints
    gradient, unit = state.gradient, natural_units(state.outer)
    touching = rows @ theta - limits <= _ON_BOUND
    active = _active(rows, limits, theta, gradient)
    bent: Array | None = None
    while True:
        free = free_directions(rows[list(active)], unit)
        if free.shape[1] == 0:
            return np.zeros_like(theta), 0.0
        if near:
            if bent is None:
                basis, bent = free, -curvature(likelihood, theta, free, unit)
            along = bent
            if free is not basis:  # later faces lie within the first one: no new differences are needed
                inner = np.linalg.lstsq(basis / unit[:, None], free / unit[:, None], rcond=None)[0]
                along = inner.T @ bent @ inner
            direction, decrement = newton_step(along, free.T @ gradient)
        else:
            direction, decrement = newton_step(free.T @ state.outer @ free, free.T @ gradient)
        step = free @ direction
        blocked = touching & (rows @ step < -1e-9 * (np.abs(rows) @ np.abs(step)))
        blocked[list(active)] = False
        if not blocked.any():
            return step, decrement
        active = (*active, *map(int, np.flatnonzero(blocked)))


def _describe(likelihood: Likelihood, theta: Array) -> Optimum:
    """The optimum with what inference needs."""
    state = likelihood.state(theta)
    if state is None:
        raise ArithmeticError("the likelihood is not finite at the optimum")
    rows, limits, labels = likelihood.constraints
    active = _active(rows, limits, theta, state.gradient)
    unit = natural_units(state.outer)
    free = free_directions(rows[list(active)], unit)
    information = -curvature(likelihood, theta, free, unit)
    decrement = newton_step(information, free.T @ state.gradient)[1] if free.shape[1] else 0.0
    kinks = [row for row in active if labels[row] == "kink"]
    if kinks and not likelihood.has_spikes(theta):
        free = free_directions(rows[[row for row in active if row not in kinks]], unit)
        information = -curvature(likelihood, theta, free, unit)
    identified, (hessian, robust, opg) = covariances(state.outer, free, information)
    hit = tuple(int(row) for row in np.flatnonzero(rows @ theta - limits <= _ON_BOUND))
    return Optimum(theta, state.value, decrement, identified, hit, hessian, robust, opg, likelihood)


def _inside(likelihood: Likelihood, theta: Array) -> Array:
    """The point moved inside the constraints where it lies outside: arch's optimum may be, by its tolerance or more."""
    bounds = likelihood.bounds
    moved = np.asarray(np.clip(theta, bounds[:, 0], bounds[:, 1]), dtype=np.float64)
    rows, limits, _ = likelihood.constraints
    for _ in range(_MAX_PROJECTIONS):
        outside = np.flatnonzero(rows @ moved < limits)
        if outside.size == 0:
            break
        moved = np.clip(_onto(rows[outside], limits[outside], moved), bounds[:, 0], bounds[:, 1])
    return moved


def _active(rows: Array, limits: Array, theta: Array, gradient: Array) -> tuple[int, ...]:
    """The constraints that hold with equality and that the gradient pushes against."""
    active = [int(row) for row in np.flatnonzero(rows @ theta - limits <= _ON_BOUND)]
    while active:
        # At a constrained maximum gradient = -rows' m with m >= 0; a row with m < 0 should be left.
        multipliers = -np.linalg.lstsq(rows[active].T, gradient, rcond=None)[0]
        worst = int(np.argmin(multipliers))
        if multipliers[worst] >= 0.0:
            break
        del active[worst]
    return tuple(active)


def tangent_directions(likelihood: Likelihood, theta: Array, state: State) -> Array:
    """(k, free) directions along which an optimum can vary: those that keep the constraints it is held by.

    Parameters
    ----------
    theta : an optimum of `likelihood`. state : of the likelihood there.
    """
    unit = natural_units(state.outer)
    if likelihood.family.curved and likelihood.persistence(theta) >= 1.0 - _AT_ONE:
        slope = _persistence_slope(likelihood, theta, unit)
        likelihood = replace(likelihood, extra=((-slope, -float(slope @ theta), "persistence"),))
    rows, limits, _ = likelihood.constraints
    active = _active(rows, limits, theta, state.gradient)
    return free_directions(rows[list(active)], unit)


def _line_search(likelihood: Likelihood, theta: Array, step: Array, value: float) -> tuple[Array, State] | None:
    """The first point along the step that raises the likelihood, cut at the first constraint; None if none does."""
    rows, limits, _ = likelihood.constraints
    speed, slack = rows @ step, rows @ theta - limits
    towards = np.flatnonzero((speed < 0.0) & (slack > _ON_BOUND))
    reach = slack[towards] / -speed[towards]
    longest = min(1.0, float(reach.min(initial=np.inf)))
    held = np.concatenate([np.flatnonzero((slack <= _ON_BOUND) & (speed <= 0.0)), towards[reach <= longest]])
    size = longest
    for _ in range(30):
        point = theta + size * step
        if size == longest:
            point = _onto(rows[held], limits[held], point)
        state = likelihood.state(point)
        if state is not None and state.value > value:
            return point, state
        size *= 0.5
    return None


def _by_slope(likelihood: Likelihood, theta: Array, step: Array, slope: float) -> tuple[Array, State] | None:
    """The end of a step within the constraints that takes most of the slope away, where values no longer tell."""
    rows, limits, _ = likelihood.constraints
    held = (rows @ theta - limits <= _ON_BOUND) & (rows @ step <= 0.0)
    point = _onto(rows[held], limits[held], theta + step)
    state = likelihood.state(point) if np.all((rows @ point >= limits) | held) else None
    if state is None or abs(float(state.gradient @ step)) > 0.5 * slope:
        return None
    return point, state


def _onto(rows: Array, edges: Array, point: Array) -> Array:
    """The nearest point at which the given constraints hold exactly, against rounding."""
    if rows.shape[0] == 0:
        return point
    return np.asarray(point + np.linalg.lstsq(rows, edges - rows @ point, rcond=None)[0], dtype=np.float64)
