"""How uncertain estimated parameters are, small enough to be kept with them: `ParameterUncertainty`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array

if TYPE_CHECKING:
    from collatrisk.volatility.fit import VolatilityFit

_REMEDY = "take it from a fit"
_KEYS = ("names", "covariance", "state_slopes")
_JOINT_KEYS = ("loadings", "shared")


@dataclass(frozen=True, slots=True, eq=False)
class ParameterUncertainty:
    """The robust covariance of estimated parameters, and how the last variances lean on the parameters.

    With other parameters the filter would have ended in another variance; the slopes say in which, to first order,
    where the returns themselves are no longer at hand.

    Attributes
    ----------
    names : the parameters, in the order of rows and columns.
    covariance : float64 (k, k), symmetric, positive semi-definite, in the units of the parameters; None where a
        parameter on a bound has left the fit without one.
    state_slopes : float64 (lags, k), d log h / d parameter of each of the last conditional variances, oldest first;
        zero rows where the state is given and not filtered.
    loadings : float64 (k, m), the errors as ``loadings @ e`` with m standard normals e that all assets of one fit
        share: their errors are correlated as their scores are. None where there is no such joint law.
    shared : a name of that joint law; errors of assets with different names are independent.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    names: tuple[str, ...]
    covariance: Array | None
    state_slopes: Array
    loadings: Array | None = None
    shared: str = ""

    def __post_init__(self) -> None:
        size = len(self.names)
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        problems = Problems("ParameterUncertainty")
        slopes = self._matrix(problems, "state_slopes")
        problems.check(slopes.shape[1:] == (size,), "state_slopes", slopes.shape, f"must have {size} columns", _REMEDY)
        if self.covariance is not None:
            covariance = self._matrix(problems, "covariance")
            rule = f"must be ({size}, {size}), symmetric, without negative eigenvalues"
            fair = covariance.shape == (size, size) and _is_covariance(covariance)
            problems.check(fair, "covariance", covariance.tolist(), rule, _REMEDY)
        if self.loadings is not None:
            loadings = self._matrix(problems, "loadings")
            fair = loadings.shape[:1] == (size,) and _is_square_of(loadings, self.covariance)
            problems.check(fair, "loadings", loadings.tolist(), "must have the covariance as their square", _REMEDY)
            problems.check(bool(self.shared), "shared", self.shared, "must name what the loadings are on", _REMEDY)
        problems.raise_if_any()

    def _matrix(self, problems: Problems, name: str) -> Array:
        """The attribute as a frozen matrix; records a problem unless it is finite."""
        try:
            values = np.array(getattr(self, name), dtype=np.float64, order="C")
        except (TypeError, ValueError, OverflowError):
            problems.add(name, getattr(self, name), "must be rows of numbers of one length", _REMEDY)
            problems.raise_if_any()
        if values.size == 0 and values.ndim != 2:
            values = np.zeros((0, len(self.names)))
        problems.check(bool(np.isfinite(values).all()), name, values.tolist(), "must be finite", _REMEDY)
        values.setflags(write=False)
        object.__setattr__(self, name, values)
        return values

    def moved(self, jacobian: Array) -> ParameterUncertainty:
        """Of parameters that are a function of these with the derivatives `jacobian` (k, k)."""
        covariance = None if self.covariance is None else jacobian @ self.covariance @ jacobian.T
        symmetric = None if covariance is None else 0.5 * (covariance + covariance.T)
        loadings = None if self.loadings is None else jacobian @ self.loadings
        slopes = self.state_slopes @ np.linalg.inv(jacobian)
        return replace(self, covariance=symmetric, state_slopes=slopes, loadings=loadings)

    def with_given_state(self) -> ParameterUncertainty:
        """The same where the state is set by hand, so that no estimate moves it."""
        return replace(self, state_slopes=np.zeros_like(self.state_slopes))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; the keys ``loadings`` and ``shared`` are left out where there are none."""
        joint = {} if self.loadings is None else {"loadings": self.loadings.tolist(), "shared": self.shared}
        return {
            "names": list(self.names),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "state_slopes": self.state_slopes.tolist(),
            **joint,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ParameterUncertainty:
        """The inverse of `to_dict`."""
        problems = Problems("ParameterUncertainty")
        problems.known("key", data, (*_KEYS, *_JOINT_KEYS))
        for key in _KEYS:
            problems.check(key in data, key, "nothing", "is missing", _REMEDY)
        problems.raise_if_any()
        joint = (data.get("loadings"), data.get("shared", ""))
        return cls(tuple(data["names"]), data["covariance"], data["state_slopes"], *joint)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, ParameterUncertainty) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.names, self.state_slopes.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        # A plain pickle would give back writeable arrays.
        return ParameterUncertainty.from_dict, (self.to_dict(),)


def uncertainty_of(fit: VolatilityFit) -> ParameterUncertainty:
    """What a fit knows of its own uncertainty; without a covariance where a parameter lies on a bound.

    The slopes are those of the conditional variances in the state; a RiskMetrics 2006 state, which keeps components in
    their place and leans on the mean alone, has slopes of 0.
    """
    from collatrisk.volatility.coordinates import as_vector
    from collatrisk.volatility.likelihood import Likelihood
    from collatrisk.volatility.specs import RiskMetrics2006

    theta = as_vector(fit.spec, fit.params)
    likelihood = Likelihood(fit.returns, fit.spec, fit.presample)
    lags = len(fit.last_variances)
    slopes = np.zeros((lags, theta.size))
    if lags and not isinstance(fit.spec, RiskMetrics2006):
        filtered = likelihood.filter(theta)
        derivatives = likelihood.variance_derivatives(theta, filtered)
        slopes[:, : derivatives.shape[0]] = (derivatives[:, -lags:] / filtered.variances[-lags:]).T
    known = bool(np.isfinite(fit.covariance).all())
    return ParameterUncertainty(likelihood.names, fit.covariance if known else None, slopes)


def transformed(covariance: Array, jacobian: Array) -> Array:
    """J C J', where parameters without a covariance (nan) spoil only those that lean on them."""
    known = np.isfinite(np.diag(covariance))
    found = jacobian @ np.where(np.outer(known, known), covariance, 0.0) @ jacobian.T
    spoiled = np.any((jacobian != 0.0) & ~known[None, :], axis=1)
    found[spoiled, :] = found[:, spoiled] = np.nan
    return np.asarray(found, dtype=np.float64)


def _is_covariance(values: Array) -> bool:
    if values.size == 0 or not np.isfinite(values).all():
        return True  # what is not finite has been named already
    unit = np.sqrt(np.maximum(np.diag(values), 1e-300))
    scaled = values / np.outer(unit, unit)
    fair = bool(np.allclose(scaled, scaled.T, rtol=0.0, atol=1e-9))
    return fair and float(np.linalg.eigvalsh(scaled)[0]) > -1e-8 * values.shape[0]


def _is_square_of(loadings: Array, covariance: Array | None) -> bool:
    """Whether loadings @ loadings' is the covariance, to 1e-6 of the variances."""
    if covariance is None or covariance.shape != (len(loadings),) * 2 or not np.isfinite(loadings).all():
        return False
    square = loadings @ loadings.T
    unit = np.sqrt(np.maximum(np.diag(square), 1e-300))
    return bool(np.all(np.abs(square - covariance) <= 1e-6 * np.outer(unit, unit)))
