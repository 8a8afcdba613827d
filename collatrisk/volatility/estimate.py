"""Maximum likelihood: arch from several starts, then Newton steps on the exact likelihood until none gains.

The starts of a GARCH model are estimated by arch (SLSQP with differenced gradients), which leaves the parameters right
to three or four digits. Each is then polished by an active-set Newton method with the analytic scores of
`collatrisk.volatility.likelihood`. Progress is measured by the Newton decrement ``g' (-H)^-1 g``, twice the gain in
log-likelihood that the quadratic model still expects: it does not depend on any scale.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.specs import Garch

# Above this decrement the Hessian is replaced by the outer product of the scores, which costs nothing.
_FAR = 1.0
_DONE = 1e-16
_ON_BOUND = 1e-9
_MAX_STEPS = 60


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
    """

    theta: Array
    loglikelihood: float
    decrement: float
    identified: bool
    active: tuple[int, ...]
    hessian: Array
    robust: Array


def search(likelihood: Likelihood) -> tuple[Optimum, tuple[float, ...]]:
    """The best optimum over all starts, and the log-likelihood that each start reached.

    Raises
    ------
    ArithmeticError : no start has a finite likelihood.
    """
    ends: list[tuple[float, Array]] = []
    for start in _starts(likelihood):
        reached = _polish(likelihood, start)
        if reached is not None:
            ends.append(reached)
    if not ends:
        raise ArithmeticError("the likelihood is not finite at any start")
    best = max(ends, key=lambda end: end[0])
    return _describe(likelihood, best[1]), tuple(value for value, _ in ends)


def _starts(likelihood: Likelihood) -> list[Array]:
    """Starting points: arch's optima for a GARCH model, moments for the others."""
    spec, y = likelihood.spec, likelihood.returns
    head = [float(np.mean(y))] if spec.mean == "constant" else []
    if isinstance(spec, Garch):
        variance = float(np.var(y)) if spec.mean == "constant" else float(np.mean(y**2))
        return _arch_optima(likelihood, [np.array(head + own) for own in _spread(spec, variance)])
    if "omega" in likelihood.names:
        head.append(float(np.var(y)) if spec.mean == "constant" else float(np.mean(y**2)))
    if spec.dist == "normal":
        return [np.array(head)]
    return [np.array([*head, nu, lam][: len(likelihood.names)]) for nu, lam in ((8.0, 0.0), (4.0, -0.1))]


def _spread(spec: Garch, variance: float) -> list[list[float]]:
    """Three starts apart from arch's own: lively, slow, and short-memoried, all with the sample variance."""
    starts = []
    for alpha, gamma, beta, nu in ((0.05, 0.10, 0.85, 8.0), (0.02, 0.02, 0.95, 5.0), (0.15, 0.10, 0.50, 12.0)):
        a = [alpha / max(spec.p, 1)] * spec.p
        g = [gamma / max(spec.o, 1)] * spec.o
        b = [beta / max(spec.q, 1)] * spec.q
        omega = variance * (1.0 - sum(a) - 0.5 * sum(g) - sum(b))
        shape = [nu, 0.0][: {"normal": 0, "t": 1, "skewt": 2}[spec.dist]]
        starts.append([omega, *a, *g, *b, *shape])
    return starts


def _arch_optima(likelihood: Likelihood, spread: list[Array]) -> list[Array]:
    """arch's estimates from its own start and from the others; a start that arch refuses is used as it is."""
    from arch import arch_model

    spec, y = likelihood.spec, likelihood.returns
    if not isinstance(spec, Garch):
        raise TypeError("arch's starts are for GARCH models")
    mean = {"constant": "Constant", "zero": "Zero"}[spec.mean]
    model = arch_model(y, mean=mean, vol="GARCH", p=spec.p, o=spec.o, q=spec.q, dist=spec.dist, rescale=False)
    centred = y - np.mean(y) if spec.mean == "constant" else y
    before = likelihood.backcast if likelihood.presample == "backcast" else float(np.mean(centred**2))
    optima: list[Array] = []
    for start in (None, *spread):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = model.fit(starting_values=start, backcast=before, disp="off", show_warning=False)
            optima.append(np.asarray(found.params, dtype=np.float64))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            if start is not None:
                optima.append(start)
    return optima


def _polish(likelihood: Likelihood, start: Array) -> tuple[float, Array] | None:
    """Climb from `start` within the constraints; None where the likelihood is not finite there."""
    theta = _inside(likelihood, start)
    state = likelihood.evaluate(theta)
    if state is None:
        return None
    near = False
    for _ in range(_MAX_STEPS):
        step, decrement = _ascent(likelihood, theta, state[1], near)
        if decrement < _DONE:
            break
        moved = _line_search(likelihood, theta, step, float(state[0].sum()))
        if moved is None:
            if near:
                break
        else:
            theta, state = moved
        near = near or decrement < _FAR or moved is None
    return float(state[0].sum()), theta


def _ascent(likelihood: Likelihood, theta: Array, scores: Array, near: bool) -> tuple[Array, float]:
    """The Newton step that leaves no constraint at once, and its decrement.

    A step that would leave a constraint which holds with equality, though the gradient does not, is taken along it.
    """
    rows, limits, _ = likelihood.constraints()
    gradient, unit = scores.sum(axis=0), _units(scores)
    touching = rows @ theta - limits <= _ON_BOUND
    active = _active(rows, limits, theta, gradient)
    curvature: Array | None = None
    while True:
        free = _free_directions(rows[list(active)], unit)
        if free.shape[1] == 0:
            return np.zeros_like(theta), 0.0
        if near:
            if curvature is None:
                basis, curvature = free, -_curvature(likelihood, theta, free)
            # Later faces lie within the first one: no new differences are needed.
            inner = np.linalg.lstsq(basis / unit[:, None], free / unit[:, None], rcond=None)[0]
            direction, decrement = _newton(inner.T @ curvature @ inner, free.T @ gradient)
        else:
            direction, decrement = _newton((scores @ free).T @ (scores @ free), free.T @ gradient)
        step = free @ direction
        blocked = touching & (rows @ step < -1e-9 * (np.abs(rows) @ np.abs(step)))
        blocked[list(active)] = False
        if not blocked.any():
            return step, decrement
        active = (*active, *map(int, np.flatnonzero(blocked)))


def _describe(likelihood: Likelihood, theta: Array) -> Optimum:
    """The optimum with what inference needs."""
    state = likelihood.evaluate(theta)
    if state is None:
        raise ArithmeticError("the likelihood is not finite at the optimum")
    values, scores = state
    rows, limits, _ = likelihood.constraints()
    active = _active(rows, limits, theta, scores.sum(axis=0))
    unit = _units(scores)
    free = _free_directions(rows[list(active)], unit)
    k = theta.size
    covariances = [np.full((k, k), np.nan), np.full((k, k), np.nan)]
    decrement, identified = 0.0, True
    if free.shape[1]:
        information = -_curvature(likelihood, theta, free)
        decrement = _newton(information, free.T @ scores.sum(axis=0))[1]
        identified = bool(np.all(np.isfinite(information))) and _well_conditioned(information)
        if identified:
            inverse = np.linalg.inv(information)
            meat = (scores @ free).T @ (scores @ free)
            covariances = [free @ inverse @ free.T, free @ inverse @ meat @ inverse @ free.T]
            still = np.all(np.abs(free) < 1e-12 * unit[:, None], axis=1)
            for covariance in covariances:
                covariance[still, :] = covariance[:, still] = np.nan
    hit = tuple(int(row) for row in np.flatnonzero(rows @ theta - limits <= _ON_BOUND))
    return Optimum(theta, float(values.sum()), decrement, identified, hit, covariances[0], covariances[1])


def _well_conditioned(information: Array) -> bool:
    """Whether a symmetric matrix in natural steps is safely positive definite."""
    values = np.linalg.eigvalsh(information)
    return bool(values[0] > 1e-10 * values[-1])


def _inside(likelihood: Likelihood, theta: Array) -> Array:
    """The point moved inside the constraints where it lies outside: arch's optimum may be, by its tolerance or more."""
    bounds = likelihood.bounds()
    moved = np.clip(theta, bounds[:, 0], bounds[:, 1])
    spec, names = likelihood.spec, likelihood.names
    if not isinstance(spec, Garch):
        return moved
    for lag in range(1, min(spec.p, spec.o) + 1):
        alpha, gamma = names.index(f"alpha[{lag}]"), names.index(f"gamma[{lag}]")
        moved[gamma] = max(moved[gamma], -moved[alpha])
    dynamic = [names.index(name) for name in names if name.endswith("]")]
    found = likelihood.coefficients(moved)
    total = sum(found.alpha) + 0.5 * sum(found.gamma) + sum(found.beta)
    if total > 1.0:
        moved[dynamic] /= total
    return moved


def _units(scores: Array) -> Array:
    """A natural step for each parameter: its standard error were the others known."""
    size = np.sqrt(np.sum(scores**2, axis=0))
    return np.where(size > 0.0, 1.0 / np.maximum(size, 1e-300), 1.0)


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


def _free_directions(active_rows: Array, unit: Array) -> Array:
    """(k, free) directions that keep the active constraints, each about one natural step long."""
    if active_rows.shape[0] == 0:
        return np.asarray(np.diag(unit), dtype=np.float64)
    return np.asarray(unit[:, None] * linalg.null_space(active_rows * unit), dtype=np.float64)


def _curvature(likelihood: Likelihood, theta: Array, free: Array) -> Array:
    """The Hessian along the free directions: central differences of the analytic score over a thousandth of a step."""
    step = 1e-3
    columns = []
    for direction in free.T:
        ahead, behind = likelihood.evaluate(theta + step * direction), likelihood.evaluate(theta - step * direction)
        if ahead is None or behind is None:
            return np.full((free.shape[1], free.shape[1]), np.nan)
        columns.append(free.T @ (ahead[1].sum(axis=0) - behind[1].sum(axis=0)) / (2.0 * step))
    found = np.array(columns)
    return np.asarray(0.5 * (found + found.T), dtype=np.float64)


def _newton(curvature: Array, gradient: Array) -> tuple[Array, float]:
    """The ascent step and its decrement; directions of negative or no curvature are turned and bounded."""
    if not np.all(np.isfinite(curvature)):
        return gradient, float(gradient @ gradient)
    values, vectors = np.linalg.eigh(curvature)
    safe = np.maximum(np.abs(values), 1e-8 * max(float(np.abs(values).max()), 1e-12))
    along = vectors.T @ gradient
    return np.asarray(vectors @ (along / safe), dtype=np.float64), float(np.sum(along**2 / safe))


def _line_search(
    likelihood: Likelihood, theta: Array, step: Array, value: float
) -> tuple[Array, tuple[Array, Array]] | None:
    """The first point along the step that raises the likelihood, cut at the first constraint; None if none does."""
    rows, limits, _ = likelihood.constraints()
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
        state = likelihood.evaluate(point)
        if state is not None and float(state[0].sum()) > value:
            return point, state
        size *= 0.5
    return None


def _onto(rows: Array, edges: Array, point: Array) -> Array:
    """The nearest point at which the given constraints hold exactly, against rounding."""
    if rows.shape[0] == 0:
        return point
    return np.asarray(point + np.linalg.lstsq(rows, edges - rows @ point, rcond=None)[0], dtype=np.float64)
