"""Maximum likelihood of the two-regime peg: unbounded coordinates, starts, the optimum and its covariance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from collatrisk.volatility.peg_spec import MAX_PHI, PEG_PARAMETERS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

NORMAL_NU = 1e9
"""What the kernels take for the normal law."""
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "phi": (0.0, MAX_PHI),
    "nu": (2.05, 100.0),
    "entry": (1e-6, 0.5),
    "exit": (1e-4, 0.95),
    "phi_stressed": (0.0, MAX_PHI),
}
_LOGS = ("sigma", "drop", "sigma_stressed")
_EDGE = 9.0  # a coordinate further out has run to its bound: the parameter is within a share of 1.2e-4 of it
_FAR = 1e10


def to_coordinate(name: str, value: float) -> float:
    """A parameter on the whole line: logit within its bounds, the logarithm of a size, itself otherwise."""
    if name in _LOGS:
        return math.log(value)
    if name not in _BOUNDS:
        return value
    low, high = _BOUNDS[name]
    share = min(max((value - low) / (high - low), 1e-9), 1.0 - 1e-9)
    return float(logit(share))


def from_coordinate(name: str, coordinate: float) -> float:
    """The inverse of `to_coordinate`."""
    if name in _LOGS:
        return math.exp(min(max(coordinate, -40.0), 5.0))
    if name not in _BOUNDS:
        return coordinate
    low, high = _BOUNDS[name]
    return float(low + (high - low) * expit(coordinate))


def slope(name: str, value: float) -> float:
    """d parameter / d coordinate at a value."""
    if name in _LOGS:
        return value
    if name not in _BOUNDS:
        return 1.0
    low, high = _BOUNDS[name]
    return (value - low) * (high - value) / (high - low)


def kernel_vector(params: Mapping[str, float], depeg: float) -> FloatArray:
    """The parameters in the order in which the kernels read them; a normal law has `NORMAL_NU`."""
    defaults = {"nu": NORMAL_NU, "accrual": 0.0, "sensitivity": 0.0, "down": 1.0}
    return np.array([*(params.get(name, defaults.get(name, math.nan)) for name in PEG_PARAMETERS), depeg])


@dataclass(frozen=True, eq=False)
class Filtered:
    """What the filter tells at given parameters; all (n,).

    Attributes
    ----------
    loglikelihood : of the usable rows. contributions : of each row.
    predicted, stressed : probability of the stressed regime before and after each row.
    smoothed, arrivals : probability of the stressed regime, and of having entered it at the row, given all rows.
    """

    loglikelihood: float
    contributions: FloatArray
    predicted: FloatArray
    stressed: FloatArray
    smoothed: FloatArray
    arrivals: FloatArray


@dataclass(frozen=True, eq=False)
class PegData:
    """A basis with the shocks of its market.

    Attributes
    ----------
    basis : float64 (n,), log price less log anchor without accrual.
    gap : float64 (n,), the same less the centre from which it is told whether a row is outside the peg.
    shock : float64 (n,), standardised; row 0 is not read.
    usable : bool (n,), False for prints that are left out.
    depeg : distance from the centre beyond which a basis may be stressed.
    """

    basis: FloatArray
    gap: FloatArray
    shock: FloatArray
    usable: BoolArray
    depeg: float

    def filter(self, params: Mapping[str, float]) -> Filtered:
        """Run the filter and the smoother."""
        from collatrisk.kernels.peg_filter import peg_filter, peg_smoother  # numba is slow to import

        predicted, stressed, entered, left = (np.empty(self.basis.size) for _ in range(4))
        contributions, smoothed, arrivals = (np.empty(self.basis.size) for _ in range(3))
        theta = kernel_vector(params, self.depeg)
        total = peg_filter(
            self.basis, self.gap, self.shock, self.usable, theta, contributions, predicted, stressed, entered, left
        )
        peg_smoother(stressed, entered, left, smoothed, arrivals)
        return Filtered(float(total), contributions, predicted, stressed, smoothed, arrivals)

    def distance(self, params: Mapping[str, float]) -> FloatArray:
        """The basis less its centre, (n,)."""
        n = self.basis.size
        found: FloatArray = self.basis - params["center"] - params["accrual"] * (np.arange(n) - (n - 1))
        return found


def centred(data: PegData, params: Mapping[str, float]) -> PegData:
    """The same data with the edges of the peg around the centre of `params`."""
    return replace(data, gap=data.distance(params))


def maximise(data: PegData, starts: Sequence[Mapping[str, float]], free: tuple[str, ...]) -> dict[str, float]:
    """The best parameters from several starts, or from one that is an optimum of much the same likelihood.

    Each start is walked by BFGS; the best end of several by the simplex of Nelder and Mead and by BFGS once more.
    """
    best: tuple[float, FloatArray] | None = None
    for start in starts:
        x = np.array([to_coordinate(name, start[name]) for name in free])
        end = _walk(_Cost(data, start, free), x, free, start)
        if best is None or end[0] < best[0]:
            best = end
    assert best is not None
    base = dict(starts[0])
    if len(starts) == 1:
        return base | _parameters(free, best[1])
    simplex = minimize(
        _Cost(data, base, free),
        best[1],
        method="Nelder-Mead",
        options={"maxfev": 1500, "adaptive": True, "xatol": 1e-6},
    )
    refined = _walk(_Cost(data, base, free), simplex.x, free, base)
    _, x = min(best, (float(simplex.fun), simplex.x), refined, key=lambda one: one[0])
    return base | _parameters(free, x)


def _parameters(free: tuple[str, ...], x: FloatArray) -> dict[str, float]:
    return {name: from_coordinate(name, float(c)) for name, c in zip(free, x, strict=True)}


class _Cost:
    """Minus the log-likelihood in coordinates; the units of the centre and the accrual are those of the data."""

    def __init__(self, data: PegData, base: Mapping[str, float], free: tuple[str, ...]) -> None:
        self._data, self._base, self._free = data, dict(base), free
        self._work = tuple(np.empty(data.basis.size) for _ in range(5))

    def __call__(self, x: FloatArray) -> float:
        from collatrisk.kernels.peg_filter import peg_filter  # numba is slow to import

        params = self._base | _parameters(self._free, x)
        data = self._data
        theta = kernel_vector(params, data.depeg)
        total = peg_filter(data.basis, data.gap, data.shock, data.usable, theta, *self._work)
        return -float(total) if math.isfinite(total) else _FAR


def _walk(cost: _Cost, x: FloatArray, free: tuple[str, ...], base: Mapping[str, float]) -> tuple[float, FloatArray]:
    """BFGS in units that suit each coordinate."""
    units = np.array([_unit(name, base) for name in free])
    start: FloatArray = x / units
    end = minimize(lambda y: cost(units * y), start, method="BFGS", options={"gtol": 1e-4})  # type: ignore[call-overload]
    return float(end.fun), np.asarray(end.x) * units


def _unit(name: str, base: Mapping[str, float]) -> float:
    if name == "center":
        return base["sigma"]
    return base["sigma"] * 1e-2 if name == "accrual" else 1.0


def covariance(
    data: PegData, params: Mapping[str, float], free: tuple[str, ...]
) -> tuple[tuple[str, ...], FloatArray | None, FloatArray | None]:
    """The parameters inside their bounds and their covariance in coordinates: robust (sandwich), and from the Hessian.

    None where the log-likelihood has no maximum in them: then there are no standard errors.
    """
    inside = tuple(name for name in free if _is_inside(name, params[name]))
    if not inside:
        return inside, None, None
    x = np.array([to_coordinate(name, params[name]) for name in inside])
    units = np.array([_unit(name, params) for name in inside])

    def contributions(point: FloatArray) -> FloatArray:
        moved = dict(params) | {name: from_coordinate(name, float(c)) for name, c in zip(inside, point, strict=True)}
        return data.filter(moved).contributions

    moves = np.diag(1e-3 * units)
    here = contributions(x)
    up, down = [contributions(x + move) for move in moves], [contributions(x - move) for move in moves]
    scores = np.column_stack([(u - d) / (2.0 * move.sum()) for u, d, move in zip(up, down, moves, strict=True)])
    hessian = np.empty((len(inside), len(inside)))
    for i, one in enumerate(moves):
        hessian[i, i] = (up[i] - 2.0 * here + down[i]).sum() / one.sum() ** 2
        for j, other in enumerate(moves[:i]):
            corners = [sign * contributions(x + one + sign * other).sum() for sign in (1.0, -1.0)]
            corners += [-sign * contributions(x - one + sign * other).sum() for sign in (1.0, -1.0)]
            hessian[i, j] = hessian[j, i] = sum(corners) / (4.0 * one.sum() * other.sum())
    try:
        inverse = np.linalg.inv(-hessian)
    except np.linalg.LinAlgError:
        return inside, None, None
    if np.linalg.eigvalsh(-hessian)[0] <= 0.0:
        return inside, None, None
    robust = inverse @ (scores.T @ scores) @ inverse
    return inside, 0.5 * (robust + robust.T), 0.5 * (inverse + inverse.T)


def _is_inside(name: str, value: float) -> bool:
    return name not in _BOUNDS or abs(to_coordinate(name, value)) < _EDGE
