"""The mean of the returns: zero, constant, or AR(1) on all returns but the first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from collatrisk.volatility.distributions import Array
from collatrisk.volatility.spec_rules import Mean

AR_BOUNDS = (-0.999, 0.999)


def mean_names(mean: Mean) -> tuple[str, ...]:
    """The parameters of a mean: ``ar1`` is r_t = mu + ar[1] r_{t-1} + e_t, with arch's constant mu."""
    return {"zero": (), "constant": ("mu",), "ar1": ("mu", "ar[1]")}[mean]


@dataclass(frozen=True, slots=True)
class MeanModel:
    """A mean on one series.

    Attributes
    ----------
    mean : which. returns : (n + 1,) for the AR(1), (n,) otherwise.
    explained : (n,) the returns that have a mean. slopes : (m, n) d residual / d parameter, which is constant.
    """

    mean: Mean
    returns: Array
    explained: Array = field(init=False)
    slopes: Array = field(init=False)

    def __post_init__(self) -> None:
        returns, lagging = self.returns, self.mean == "ar1"
        explained = returns[1:] if lagging else returns
        rows = [-np.ones(explained.size)] if self.mean != "zero" else []
        if lagging:
            rows.append(-returns[:-1])
        object.__setattr__(self, "explained", explained)
        object.__setattr__(self, "slopes", np.array(rows).reshape(len(rows), explained.size))

    def residuals(self, values: Array) -> Array:
        """The returns less their means, at parameters (m,)."""
        return np.asarray(self.explained + values @ self.slopes, dtype=np.float64)

    def first_guess(self) -> Array:
        """Least squares."""
        if self.mean == "constant":
            return np.array([float(np.mean(self.explained))])
        if self.mean == "zero":
            return np.empty(0)
        found = np.linalg.lstsq(-self.slopes.T, self.explained, rcond=None)[0]
        return np.array([float(found[0]), float(np.clip(found[1], *AR_BOUNDS))])
