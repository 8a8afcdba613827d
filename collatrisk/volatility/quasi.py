"""The sum of a log-likelihood and its gradient from the compiled quasi-likelihood, for the specs that it knows."""

from __future__ import annotations

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.specs import DISTS, Garch, VolatilitySpec

_SMALLEST = float(np.finfo(np.float64).tiny)  # of a variance


def is_fast(spec: VolatilitySpec) -> bool:
    """Whether the compiled quasi-likelihood knows the spec."""
    if not isinstance(spec, Garch) or spec.mean == "ar1" or spec.dist == "ged" or spec.power != 2.0:
        return False
    return spec.p == 1 and spec.q == 1 and spec.o in {0, 1}


def quasi_totals(returns: Array, spec: Garch, points: Array, backcast: float | None) -> tuple[Array, Array] | None:
    """The log-likelihood (m,) and its gradient (m, k) at parameters (m, k); None where a variance is not positive.

    Parameters
    ----------
    returns : float64 (n,). spec : one of which `is_fast` is true.
    backcast : what stands for e^2 and h before the sample; None for the mean square at each point.
    """
    from collatrisk.kernels import quasi_likelihood as kernel

    n, moves = returns.size, spec.mean == "constant"
    rows = kernel.work_rows(n)
    work, sums, powers = np.empty((5, rows + 1, kernel.LANES)), np.empty(kernel.SUMS), np.empty(rows + 1)
    kernel.fill_work(np.array(returns), 1.0, work)
    order, dist, variances = np.arange(rows - 1, -1, -1), DISTS.index(spec.dist), work[3, 1:]
    values, slopes = np.empty(len(points)), np.empty((len(points), 7))
    centre = float(np.mean(returns)) if moves else 0.0
    about = float(np.mean((returns - centre) ** 2))
    for place, theta in enumerate(_as_known(points, spec)):
        before, along = backcast, 0.0
        if before is None:
            away = float(theta[0]) - centre
            before, along = about + away * away, 2.0 * away if moves else 0.0
        values[place] = kernel.evaluate(work, sums, powers, order, theta, dist, n, before, along, slopes[place])
        if not (variances.min() >= _SMALLEST or variances[work[2, :-1] > 0.0].min() >= _SMALLEST):
            return None
    found = _as_named(slopes, spec)
    return (values, found) if np.all(np.isfinite(found)) else None


def _as_known(points: Array, spec: Garch) -> Array:
    """Parameters as the kernel orders them: mu, omega, what a rise weighs, what a fall does, beta, nu, lambda."""
    first = int(spec.mean == "constant")
    known = np.zeros((len(points), 7))
    known[:, :first] = points[:, :first]
    known[:, 1] = points[:, first]
    known[:, 2] = points[:, first + 1]
    known[:, 3] = points[:, first + 1] + (points[:, first + 2] if spec.o else 0.0)
    known[:, 4 : 4 + points.shape[1] - first - 2 - spec.o] = points[:, first + 2 + spec.o :]
    return known


def _as_named(slopes: Array, spec: Garch) -> Array:
    """Slopes in the spec's own parameters from those in the kernel's."""
    own = [slopes[:, 0]] if spec.mean == "constant" else []
    own += [slopes[:, 1], slopes[:, 2] + slopes[:, 3]]
    own += [slopes[:, 3]] if spec.o else []
    own += [slopes[:, 4 + place] for place in range(1 + DISTS.index(spec.dist))]
    return np.column_stack(own)
