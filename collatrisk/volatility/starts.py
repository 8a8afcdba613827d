"""Where the search for an optimum begins.

GARCH and GJR models of power 2 with a zero or constant mean begin at arch's estimates from four starts (SLSQP with
differenced gradients, right to three or four digits); where the compiled quasi-likelihood knows the model and its five
starts agree, at their common optimum instead, which spares nearly all of the time. All others begin at the best points
of a grid of their family.
"""

from __future__ import annotations

import warnings

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import Likelihood
from collatrisk.volatility.quasi import is_fast
from collatrisk.volatility.specs import Garch

_SHAPES: dict[str, tuple[tuple[float, ...], ...]] = {
    "normal": ((),),
    "t": ((8.0,), (4.0,)),
    "skewt": ((8.0, 0.0), (4.0, -0.1)),
    "ged": ((1.5,), (1.1,)),
}
_FROM_GRID = 5


def starting_points(likelihood: Likelihood) -> list[Array]:
    """Parameter vectors (k,), most of them near an optimum."""
    spec = likelihood.spec
    if isinstance(spec, Garch) and spec.power == 2.0 and spec.mean != "ar1" and spec.dist != "ged":
        return _agreed_optimum(likelihood, spec) or _arch_optima(likelihood, spec)
    return _grid_points(likelihood)


def _agreed_optimum(likelihood: Likelihood, spec: Garch) -> list[Array]:
    """The optimum at which all starts of the compiled fit ended, if there is one."""
    from collatrisk.kernels import quasi_fit as kernel
    from collatrisk.volatility.panel import fit_values, result_columns

    if not is_fast(spec):
        return []
    result = fit_values(np.array(likelihood.returns), spec, likelihood.presample)
    if result[kernel.STATUS] != 0 or result[kernel.OTHER] > 0:
        return []
    return [result[list(result_columns(spec).values())]]


def _grid_points(likelihood: Likelihood) -> list[Array]:
    """Of the family's grid the best point, the best of each third, and the best again with other shapes."""
    head, spec = likelihood.mean.first_guess(), likelihood.spec
    variance = float(np.mean(likelihood.mean.residuals(head) ** 2))
    shapes = _SHAPES[spec.dist]
    grid = [np.array([*head, *own, *shapes[0]]) for own in likelihood.family.starts(variance)]
    worth = np.array([likelihood.loglikelihood(point) for point in grid])
    chosen = [int(np.argmax(worth))]
    if len(grid) > _FROM_GRID:
        thirds = np.array_split(np.arange(len(grid)), 3)
        chosen += [int(third[np.argmax(worth[third])]) for third in thirds]
    points = [grid[place] for place in dict.fromkeys(chosen)]
    if len(grid) <= _FROM_GRID:
        points = grid
    cut = grid[0].size - len(shapes[0])
    return points + [np.concatenate((points[0][:cut], other)) for other in shapes[1:]]


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


def _arch_optima(likelihood: Likelihood, spec: Garch) -> list[Array]:
    """arch's estimates from its own start and from three others; a start that arch refuses is used as it is."""
    from arch import arch_model

    y = likelihood.returns
    head = likelihood.mean.first_guess().tolist()
    variance = float(np.var(y)) if spec.mean == "constant" else float(np.mean(y**2))
    mean = {"constant": "Constant", "zero": "Zero"}[spec.mean]
    model = arch_model(y, mean=mean, vol="GARCH", p=spec.p, o=spec.o, q=spec.q, dist=spec.dist, rescale=False)
    before = float(likelihood.backcast[0]) if likelihood.presample == "backcast" else variance
    optima: list[Array] = []
    for start in (None, *(np.array(head + own) for own in _spread(spec, variance))):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = model.fit(starting_values=start, backcast=before, disp="off", show_warning=False)
            optima.append(np.asarray(found.params, dtype=np.float64))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            if start is not None:
                optima.append(start)
    return optima
