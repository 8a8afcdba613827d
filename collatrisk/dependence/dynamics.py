"""How a fitted correlation moves, and the state from which it goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.validation import Problems

FloatArray = NDArray[np.float64]
Motion: TypeAlias = Literal["standard", "corrected", "asymmetric", "ewma"]

MOTIONS: tuple[Motion, ...] = ("standard", "corrected", "asymmetric", "ewma")
_REMEDY = "take it from a fit"
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class CorrelationDynamics:
    """``Q_{t+1} = (1 - a - b) S - g N + a u_t u_t' + g n_t n_t' + b Q_t``; see `collatrisk.dependence.Dcc`.

    S is the correlation of the `DependenceFit` that holds this; for ``"ewma"`` a + b = 1 and S does not matter.

    Attributes
    ----------
    motion : ``"standard"``, ``"corrected"``, ``"asymmetric"`` or ``"ewma"``.
    a, b, g : >= 0, a + b <= 1; g is 0 unless asymmetric.
    state : float64 (d, d), Q of the step after the last observation: the whole memory of the process.
    negatives : float64 (d, d), N, of an asymmetric model; None otherwise.
    names : the estimated parameters, of ``"a"``, ``"b"``, ``"g"``, ``"nu"``, in the order of `covariance`.
    covariance : float64 (k, k), two-step (see `docs/dependence.md`); None where there is none.
    likelihood : ``"full"``, ``"composite"``, or ``"given"`` where nothing was estimated.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    motion: Motion
    a: float
    b: float
    state: FloatArray
    g: float = 0.0
    negatives: FloatArray | None = None
    names: tuple[str, ...] = ()
    covariance: FloatArray | None = None
    likelihood: str = "given"

    def __post_init__(self) -> None:
        problems = Problems("CorrelationDynamics")
        problems.choice("motion", self.motion, MOTIONS)
        for name in ("a", "b", "g"):
            value = problems.number(name, getattr(self, name), low=0, high=1, remedy=_REMEDY)
            object.__setattr__(self, name, value)
        total = self.a + self.b
        problems.check(not total > 1.0 + _ROUNDING, "a + b", total, "must not exceed 1", _REMEDY)
        asymmetric = self.motion == "asymmetric"
        problems.check(asymmetric or self.g == 0.0, "g", self.g, "must be 0 unless asymmetric", _REMEDY)
        given = self.negatives is not None
        problems.check(given == asymmetric, "negatives", given, "belong to an asymmetric model only", _REMEDY)
        object.__setattr__(self, "names", tuple(self.names))
        size = len(np.atleast_1d(np.asarray(self.state, dtype=np.float64)))
        for name, wanted in (("state", size), ("negatives", size), ("covariance", len(self.names))):
            if getattr(self, name) is not None:
                self._matrix(problems, name, wanted)
        problems.raise_if_any()
        smallest = float(np.linalg.eigvalsh(self.state)[0]) if size else 0.0
        positive = bool(np.all(np.diag(self.state) > 0)) and smallest >= -_ROUNDING * max(size, 1)
        problems.check(positive, "state", smallest, "must have no negative eigenvalue (this is the smallest)", _REMEDY)
        problems.raise_if_any()

    def _matrix(self, problems: Problems, name: str, size: int) -> None:
        try:
            values = np.array(getattr(self, name), dtype=np.float64, order="C")
        except (TypeError, ValueError, OverflowError):
            values = np.empty(0)
        fair = values.shape == (size, size) and bool(np.isfinite(values).all())
        fair = fair and bool(np.all(np.abs(values - values.T) <= 1e-12 + 1e-9 * np.abs(values)))
        problems.check(fair, name, values.shape, f"must be ({size}, {size}), finite and symmetric", _REMEDY)
        values.flags.writeable = False
        object.__setattr__(self, name, values)

    @property
    def persistence(self) -> float:
        """The share of a shock to Q that is left a step later: a + b + g / 2 (half of all scores fall), up to 1."""
        return min(self.a + self.b + 0.5 * self.g, 1.0)

    @property
    def next_correlation(self) -> FloatArray:
        """R of the next step, float64 (d, d): where a simulation starts."""
        return scaled_to_correlation(self.state)

    @property
    def std_errors(self) -> dict[str, float]:
        """Two-step standard errors by parameter; empty where there are none."""
        if self.covariance is None:
            return {}
        return dict(zip(self.names, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    def limit(self, correlation: FloatArray) -> float:
        """delta, the largest eigenvalue of S^{-1/2} N S^{-1/2}: C is PSD if and only if a + b + delta g <= 1.

        1 where there is no N.
        """
        if self.negatives is None:
            return 1.0
        values, vectors = np.linalg.eigh(correlation)
        root = vectors / np.sqrt(np.maximum(values, 1e-12))
        return float(np.linalg.eigvalsh(root.T @ self.negatives @ root)[-1])

    def constant(self, correlation: FloatArray) -> FloatArray:
        """What Q gets in every step whatever happens: (1 - a - b) S - g N, float64 (d, d), PSD up to rounding."""
        if self.motion == "ewma":
            return np.zeros_like(correlation)
        level = max(1.0 - self.a - self.b, 0.0) * correlation
        return level if self.negatives is None else level - self.g * self.negatives

    def forecast(self, correlation: FloatArray, steps: int) -> FloatArray:
        """Expected correlation of each of the next `steps` steps, float64 (steps, d, d).

        Engle and Sheppard's (2001) approximation: E[Q] moves from the state to S as if E[u u'] were Q itself, and is
        then scaled. ``E[Q_{T+k}] = S + (a + b + g / 2)^(k - 1) (Q_{T+1} - S)``; for EWMA it stays at the state.
        """
        shares = (1.0 if self.motion == "ewma" else self.persistence) ** np.arange(steps)
        levels = correlation + shares[:, None, None] * (self.state - correlation)
        return scaled_to_correlation(levels)

    def select(self, rows: Sequence[int]) -> CorrelationDynamics:
        """The same motion of some of the assets: elements of Q do not lean on each other."""
        chosen = np.ix_(rows, rows)
        negatives = None if self.negatives is None else self.negatives[chosen]
        return replace(self, state=self.state[chosen], negatives=negatives)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "motion": self.motion,
            "a": self.a,
            "b": self.b,
            "g": self.g,
            "state": self.state.tolist(),
            "negatives": None if self.negatives is None else self.negatives.tolist(),
            "names": list(self.names),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "likelihood": self.likelihood,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CorrelationDynamics:
        """The inverse of `to_dict`."""
        values = dict(data)
        problems = Problems("CorrelationDynamics")
        names = ("motion", "a", "b", "state", "g", "negatives", "names", "covariance", "likelihood")
        problems.known("key", values, names)
        for name in names:
            problems.check(name in values, name, "nothing", "is missing", _REMEDY)
        problems.raise_if_any()
        return cls(**values)

    def describe(self) -> str:
        """The parameters with their standard errors in a line."""
        errors = self.std_errors
        parts = []
        for name in ("a", "b", "g")[: 3 if self.motion == "asymmetric" else 2]:
            error = f" (s.e. {errors[name]:.2g})" if name in errors and math.isfinite(errors[name]) else ""
            parts.append(f"{name} = {getattr(self, name):.4g}{error}")
        return ", ".join(parts)


def scaled_to_correlation(matrices: FloatArray) -> FloatArray:
    """Matrices (..., d, d) with positive diagonals, scaled to exact unit diagonals."""
    unit = np.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1))
    scaled = matrices / (unit[..., :, None] * unit[..., None, :])
    places = np.arange(matrices.shape[-1])
    scaled[..., places, places] = 1.0
    return np.asarray(np.clip(scaled, -1.0, 1.0), dtype=np.float64)
