"""What a dependence fit gives: correlation, degrees of freedom, errors and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.dependence.correlation import correlation_factor
from collatrisk.dependence.density import grouped_tail_dependence, t_tail_dependence
from collatrisk.dependence.dynamic_specs import Dcc, EwmaCorrelation
from collatrisk.dependence.dynamics import CorrelationDynamics
from collatrisk.dependence.historical import FilteredHistorical, empirical_tail_dependence
from collatrisk.dependence.specs import (
    DependenceSpec,
    GroupedTCopula,
    Independent,
    StudentTCopula,
    spec_from_dict,
)
from collatrisk.dependence.t_group import TGroup

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_PSD_TOLERANCE, _ROUNDING = 1e-10, 1e-12
_REPAIR = "use collatrisk.dependence.nearest_correlation"


@dataclass(frozen=True, eq=False)
class DependenceFit:
    """How the innovations of many assets move together.

    Attributes
    ----------
    spec : the copula.
    assets : names, in the order of the correlation's rows.
    correlation : float64 (n_assets, n_assets), symmetric, unit diagonal, positive semi-definite, read-only. The
        parameter of the copula: Kendall's tau of a pair is 2 asin(rho) / pi, for the Gaussian and the t copula alike.
    nu : degrees of freedom of the t copula, > 2; None for the others.
    nu_std_error : its standard error; None where there is none (not fitted, or nu on its bound).
    loglikelihood : of the copula at the fit, in nats; None if not fitted.
    n_obs : observations used, 0 if not fitted.
    shrinkage : weight of the shrinkage target in the correlation, in [0, 1].
    findings : what the fit noticed.
    rows : float64 (n_rows, n_assets) standardised residuals, a row a date, from which `FilteredHistorical` draws;
        None for the others. read-only.
    dynamics : how the correlation moves and where it stands; `correlation` is then its long-run level (of an EWMA,
        which has none, that of the next step). None where it is constant.
    groups : the groups of a grouped t copula, each with its nu; empty for the others.

    Raises
    ------
    InputError : with all broken rules at once.
    """

    spec: DependenceSpec
    assets: tuple[str, ...]
    correlation: FloatArray
    nu: float | None = None
    nu_std_error: float | None = None
    loglikelihood: float | None = None
    n_obs: int = 0
    shrinkage: float = 0.0
    findings: tuple[Finding, ...] = ()
    rows: FloatArray | None = field(default=None, repr=False)
    dynamics: CorrelationDynamics | None = None
    groups: tuple[TGroup, ...] = ()

    def __post_init__(self) -> None:
        correlation = np.array(self.correlation, dtype=np.float64, order="C")
        correlation.flags.writeable = False
        object.__setattr__(self, "assets", tuple(self.assets))
        object.__setattr__(self, "findings", tuple(self.findings))
        object.__setattr__(self, "groups", tuple(self.groups))
        object.__setattr__(self, "correlation", correlation)
        object.__setattr__(self, "n_obs", int(self.n_obs))
        for name in ("nu", "nu_std_error", "loglikelihood"):
            object.__setattr__(self, name, _optional(getattr(self, name)))
        problems = Problems("Dependence")
        self._hold_rows(problems)
        check_correlation(problems, "correlation", correlation, len(self.assets))
        if self.nu_std_error is not None:
            problems.number("nu_std_error", self.nu_std_error, low=0, remedy="None where there is none")
        if self.loglikelihood is not None:
            problems.number("loglikelihood", self.loglikelihood, remedy="None where nothing was fitted")
        problems.number("shrinkage", self.shrinkage, low=0, high=1, remedy="0 without shrinkage")
        self._check_law(problems)
        self._check_motion(problems)
        problems.raise_if_any()

    def _check_law(self, problems: Problems) -> None:
        has_nu = isinstance(self.spec, StudentTCopula) or getattr(self.spec, "copula", "") == "t"
        if has_nu:
            problems.number("nu", self.nu, low=2.0, open_low=True, remedy="a t copula needs degrees of freedom above 2")
        else:
            problems.check(self.nu is None, "nu", self.nu, "only a t copula has degrees of freedom", "leave it out")
        identity = np.array_equal(self.correlation, np.eye(len(self.assets)))
        if isinstance(self.spec, Independent):
            rule = "independent assets have the identity"
            problems.check(identity, "correlation", self.correlation.tolist(), rule, "use GaussianCopula")
        grouped = [asset for group in self.groups for asset in group.assets]
        wanted = list(self.assets) if isinstance(self.spec, GroupedTCopula) else []
        rule = "must hold every asset once for a grouped t copula, and be empty for others"
        problems.check(sorted(grouped) == sorted(wanted), "groups", grouped, rule, "take them from the fit")

    def _check_motion(self, problems: Problems) -> None:
        moving = isinstance(self.spec, Dcc | EwmaCorrelation)
        has = self.dynamics is not None
        problems.check(
            has == moving, "dynamics", has, "belong to a Dcc or an EwmaCorrelation", "take them from the fit"
        )
        if self.dynamics is not None and moving:
            wanted = self.spec.variant if isinstance(self.spec, Dcc) else "ewma"
            motion, shape = self.dynamics.motion, self.dynamics.state.shape
            fits = motion == wanted and shape == (len(self.assets),) * 2
            rule = f"must be {wanted!r} and of {len(self.assets)} assets"
            problems.check(fits, "dynamics", (motion, shape), rule, "take them from the fit")

    def _hold_rows(self, problems: Problems) -> None:
        wanted = isinstance(self.spec, FilteredHistorical)
        rule = "belong to FilteredHistorical, and to it alone"
        problems.check(wanted == (self.rows is not None), "rows", self.rows is not None, rule, "use fit_history")
        if self.rows is None:
            return
        rows = np.array(self.rows, dtype=np.float64, order="C")
        rows.flags.writeable = False
        object.__setattr__(self, "rows", rows)
        fits = rows.ndim == 2 and rows.shape[1] == len(self.assets) and len(rows) > 0 and bool(np.isfinite(rows).all())
        rule = f"must be finite, of shape (n_rows, {len(self.assets)})"
        problems.check(fits, "rows", rows.shape, rule, "one column an asset")

    def select(self, assets: tuple[str, ...]) -> DependenceFit:
        """The same dependence between some of the assets, in the order given (a copula's margins are of its kind)."""
        problems = Problems("Dependence.select")
        problems.known("assets", assets, self.assets)
        problems.raise_if_any()
        rows = [self.assets.index(asset) for asset in assets]
        correlation = self.correlation[np.ix_(rows, rows)]
        groups = ((group, tuple(asset for asset in assets if asset in group.assets)) for group in self.groups)
        return replace(
            self,
            spec=self.spec.select(assets) if isinstance(self.spec, GroupedTCopula) else self.spec,
            assets=tuple(assets),
            correlation=correlation,
            loglikelihood=self.loglikelihood if tuple(sorted(rows)) == tuple(range(len(self.assets))) else None,
            rows=None if self.rows is None else self.rows[:, rows],
            dynamics=None if self.dynamics is None else self.dynamics.select(rows),
            groups=tuple(replace(group, assets=left) for group, left in groups if left),
        )

    @property
    def nus(self) -> tuple[float | None, ...]:
        """Degrees of freedom that each asset's scores have; None for normal scores."""
        if not self.groups:
            return (self.nu,) * len(self.assets)
        return tuple(next(group.nu for group in self.groups if asset in group.assets) for asset in self.assets)

    @property
    def next_correlation(self) -> FloatArray:
        """The correlation of the next step, float64 (n_assets, n_assets): where a simulation starts."""
        return self.correlation if self.dynamics is None else self.dynamics.next_correlation

    def forecast_correlation(self, steps: int) -> FloatArray:
        """The expected correlation of each of the next `steps` steps, float64 (steps, n_assets, n_assets).

        Engle and Sheppard's approximation where correlation moves; see `CorrelationDynamics.forecast`.
        """
        problems = Problems("Dependence.forecast_correlation")
        count = problems.integer("steps", steps, low=1, remedy="30 for a month of daily steps")
        problems.raise_if_any()
        if self.dynamics is None:
            return np.broadcast_to(self.correlation, (count, *self.correlation.shape))
        return self.dynamics.forecast(self.correlation, count)

    @property
    def n_params(self) -> int:
        """Parameters: correlations, degrees of freedom, and those of the motion."""
        size = len(self.assets)
        pairs = 0 if isinstance(self.spec, Independent) else size * (size - 1) // 2
        moving = {"standard": 2, "corrected": 2, "asymmetric": 3}
        motion = 0 if self.dynamics is None else moving.get(self.dynamics.motion, 0)
        return pairs + motion + len(self.groups) + (self.nu is not None)

    @property
    def aic(self) -> float | None:
        """2 n_params - 2 log-likelihood of the copula; None if not fitted."""
        return None if self.loglikelihood is None else 2.0 * self.n_params - 2.0 * self.loglikelihood

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; the keys ``rows``, ``dynamics`` and ``groups`` are left out where there are none."""
        kept = {} if self.rows is None else {"rows": self.rows.tolist()}
        moving: dict[str, Any] = {} if self.dynamics is None else {"dynamics": self.dynamics.to_dict()}
        if self.groups:
            moving["groups"] = [group.to_dict() for group in self.groups]
        return {
            "spec": self.spec.to_dict(),
            "assets": list(self.assets),
            "correlation": self.correlation.tolist(),
            "nu": self.nu,
            "nu_std_error": self.nu_std_error,
            "loglikelihood": self.loglikelihood,
            "n_obs": self.n_obs,
            "shrinkage": self.shrinkage,
            "findings": [finding.to_dict() for finding in self.findings],
            **kept,
            **moving,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DependenceFit:
        """The inverse of `to_dict`."""
        return cls(
            spec_from_dict(data["spec"]),
            tuple(data["assets"]),
            np.array(data["correlation"], dtype=np.float64),
            _optional(data["nu"]),
            _optional(data["nu_std_error"]),
            _optional(data["loglikelihood"]),
            int(data["n_obs"]),
            float(data["shrinkage"]),
            tuple(Finding.from_dict(finding) for finding in data["findings"]),
            np.array(data["rows"], dtype=np.float64) if data.get("rows") is not None else None,
            CorrelationDynamics.from_dict(data["dynamics"]) if data.get("dynamics") is not None else None,
            tuple(map(TGroup.from_dict, data.get("groups", ()))),
        )

    def summary(self) -> pd.DataFrame:
        """The correlation matrix with the assets' names."""
        import pandas as pd

        return pd.DataFrame(self.correlation, index=list(self.assets), columns=list(self.assets))

    @property
    def factor(self) -> FloatArray:
        """A lower triangular square root of the correlation, also where that is singular (`correlation_factor`)."""
        return correlation_factor(self.correlation)

    def tail_dependence(self) -> pd.DataFrame:
        """Chance, by pair, of one asset's extreme fall given the other's; 0 without a t copula.

        The limit of the copula, at its long-run level where correlation moves; for rows of history their own figure:
        how often the column's asset is among its worst 5 % on the dates on which the row's is.
        """
        import pandas as pd

        if self.rows is not None:
            found = empirical_tail_dependence(self.rows)
            return pd.DataFrame(found, index=list(self.assets), columns=list(self.assets))
        size, nus = len(self.assets), self.nus
        values = np.eye(size)
        for i in range(size):
            for j in range(i):
                rho, nu, other = float(self.correlation[i, j]), nus[i], nus[j]
                if nu is not None and other is not None:
                    one = t_tail_dependence(rho, nu) if nu == other else grouped_tail_dependence(rho, nu, other)
                    values[i, j] = values[j, i] = one
        return pd.DataFrame(values, index=list(self.assets), columns=list(self.assets))

    def describe(self) -> str:
        """One line: the copula, its degrees of freedom and how its correlation moves."""
        parts = [str(self.spec)]
        if self.dynamics is not None:
            parts.append(self.dynamics.describe())
        parts += [str(group) for group in self.groups]
        if self.nu is not None:
            error = "" if self.nu_std_error is None else f" (s.e. {self.nu_std_error:.2g})"
            parts.append(f"nu = {self.nu:.4g}{error}")
        return ", ".join(parts)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, DependenceFit) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.spec, self.assets, self.correlation.tobytes(), self.nu))

    def __reduce__(self) -> tuple[Any, ...]:
        # A plain pickle would give back writeable arrays.
        return DependenceFit.from_dict, (self.to_dict(),)

    def _repr_html_(self) -> str:
        rows = [
            [asset, *(f"{value:.3f}" for value in row)]
            for asset, row in zip(self.assets, self.correlation, strict=True)
        ]
        return html_table(["", *self.assets], rows, self.describe())


def check_correlation(problems: Problems, name: str, matrix: FloatArray, size: int) -> None:
    """Record what keeps `matrix` from being a correlation matrix of `size` assets."""
    if not problems.check(
        matrix.shape == (size, size), name, matrix.shape, f"must have shape ({size}, {size})", "one row an asset"
    ):
        return
    if not problems.check(bool(np.isfinite(matrix).all()), name, matrix.tolist(), "must be finite", "remove NaN"):
        return
    if np.max(np.abs(matrix - matrix.T), initial=0.0) > _ROUNDING:
        problems.add(name, matrix.tolist(), "must be symmetric", _REPAIR)
    if np.max(np.abs(np.diag(matrix) - 1.0), initial=0.0) > _ROUNDING:
        problems.add(name, np.diag(matrix).tolist(), "must have ones on its diagonal", _REPAIR)
    smallest = float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0]) if size else 0.0
    problems.check(
        smallest >= -_PSD_TOLERANCE * max(size, 1),
        name,
        smallest,
        "must have no negative eigenvalue (this is the smallest)",
        _REPAIR,
    )


def _optional(value: float | None) -> float | None:
    return None if value is None else float(value)
