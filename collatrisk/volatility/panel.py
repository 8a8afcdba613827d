"""The fast path for many series at once: `fit_panel`.

The same likelihood, bounds and pre-sample values as `fit_volatility`, for GARCH(1,1) and GJR(1,1,1), maximised by our
own compiled BFGS with the exact gradient. It leaves out inference: for standard errors, residual tests and every
other order there is `fit_volatility`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.checks import checked_returns, shortest
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.likelihood import LAMBDA_BOUNDS, NU_BOUNDS, PRESAMPLES, Presample, parameter_names
from collatrisk.volatility.quasi import is_fast
from collatrisk.volatility.specs import DISTS, Garch

_CHUNK = 16  # series a task: some milliseconds
_FEWEST_TASKS = 4  # of a small panel, so that workers share it
_MOST_STARTS = 8
_LEAST_GAIN = 4.0  # half the 95 % point of chi-square(3): alpha, gamma and beta


@dataclass(frozen=True, eq=False, repr=False)
class PanelFit:
    """One volatility spec fitted to many series. Figures are in the unit of the returns, per step.

    Tables are made of the results when they are first asked for.

    Attributes
    ----------
    spec, presample : as given.
    assets : the names of the series.
    results : float64 (n_assets, 16), the rows of `collatrisk.kernels.quasi_fit`.
    lengths : how many returns each series has.
    reasons : by asset, why it could not be fitted.
    """

    spec: Garch
    presample: Presample
    assets: tuple[str, ...]
    results: Array
    lengths: tuple[int, ...]
    reasons: Mapping[str, str]

    @cached_property
    def params(self) -> pd.DataFrame:
        """One row an asset, one column a parameter by arch's names; nan where the fit failed."""
        return params_frame(self.spec, self.results, self._labels)

    @cached_property
    def loglikelihood(self) -> pd.Series:
        """By asset, of the returns in the user's unit."""
        from collatrisk.kernels.quasi_fit import LOGLIKELIHOOD

        return pd.Series(self.results[:, LOGLIKELIHOOD], self._labels, name="loglikelihood")

    @cached_property
    def next_variance(self) -> pd.Series:
        """By asset, the variance of the step after the last."""
        from collatrisk.kernels.quasi_fit import NEXT_VARIANCE

        return pd.Series(self.results[:, NEXT_VARIANCE], self._labels, name="next_variance")

    @cached_property
    def converged(self) -> pd.Series:
        """By asset, bool: the Newton decrement at the end is below 1e-11, or no step gains and it is below 1e-6."""
        from collatrisk.kernels.quasi_fit import STATUS

        return pd.Series(self.results[:, STATUS] == 0, self._labels, name="converged")

    @cached_property
    def n_obs(self) -> pd.Series:
        """By asset, int, how many returns it has."""
        return pd.Series(list(self.lengths), self._labels, name="n_obs")

    @cached_property
    def findings(self) -> Mapping[str, tuple[Finding, ...]]:
        """By asset, what a reader should know; ``not-fitted`` with the reason where a series could not be fitted."""
        return {
            name: (Finding("not-fitted", "error", name, self.reasons[name]),)
            if name in self.reasons
            else tuple(fast_findings(name, self.spec, result, n))
            for name, result, n in zip(self.assets, self.results, self.lengths, strict=True)
        }

    @cached_property
    def _labels(self) -> pd.Index:
        return pd.Index(list(self.assets), name="asset")

    @property
    def failed(self) -> dict[str, str]:
        """The reason by asset, for the series that could not be fitted."""
        return dict(self.reasons)

    def std_resid(self, returns: pd.DataFrame | Sequence[ArrayLike | pd.Series]) -> dict[str, Array]:
        """The standardised residuals of each asset, (n,): those of the returns that were fitted, or of later ones.

        Parameters
        ----------
        returns : as `fit_panel` takes them, the same assets in the same order; pre-sample values are taken anew.

        Raises
        ------
        InputError : other assets than those of the fit. DataError : returns that cannot be used.
        """
        from collatrisk.kernels import quasi_fit as kernel

        problems = Problems("PanelFit.std_resid")
        named = _named(returns, problems)
        assets, given = list(self.assets), [name for name, _ in named]
        rule = "must be those of the fit, in their order"
        problems.check(given == assets, "assets", given, rule, "give the returns that were fitted")
        problems.raise_if_any()
        found = {}
        rows = np.array(self.results)  # a copy: read-only arrays are a type of their own to the compiler
        for (name, values), row in zip(named, rows, strict=True):
            known = _float64(values, self.spec)
            found[name] = np.empty(known.size)
            kernel.standardise(known, row, self.presample == "backcast", self.spec.mean == "constant", found[name])
        return found

    def summary(self) -> pd.DataFrame:
        """One row an asset: parameters, log-likelihood, next volatility, converged, codes of findings."""
        table = self.params.copy()
        table["loglikelihood"] = self.loglikelihood
        table["next volatility"] = np.sqrt(self.next_variance)
        table["converged"] = self.converged
        table["findings"] = [", ".join(finding.code for finding in self.findings[asset]) for asset in table.index]
        return table

    def __repr__(self) -> str:
        return f"PanelFit({self.spec}: {len(self.assets)} series, {len(self.failed)} not fitted)"

    def _repr_html_(self) -> str:
        caption = f"{self.spec}: {len(self.assets)} series, {len(self.failed)} not fitted"
        return table_html(self.summary(), caption)


def fit_panel(
    returns: pd.DataFrame | Sequence[ArrayLike | pd.Series],
    spec: Garch | None = None,
    *,
    presample: Presample = "mean_square",
    starts: int = 5,
    executor: Executor | None = None,
) -> PanelFit:
    """Fit one GARCH(1,1) or GJR(1,1,1) to every series, some hundred times as fast as arch.

    Parameters
    ----------
    returns : a DataFrame, one column an asset, without NaN; or a list of series or arrays, of any lengths (assets with
        a shorter history). Log returns per step, any unit (decimals in the rest of the library).
    spec : `Garch` with p = q = 1 and o = 0 or 1; the default is ``Garch()``.
    presample : ``"mean_square"`` or ``"backcast"``, as in `fit_volatility`.
    starts : 1 to 8 starting points. Five is the default: one misses the best optimum of some series in a hundred.
    executor : any `concurrent.futures.Executor`; threads do, the compiled code holds no lock. None: this thread. The
        result does not depend on it.

    Raises
    ------
    InputError : an argument breaks a rule. A series that cannot be fitted raises nothing: it is a row with a reason.
    """
    from collatrisk.kernels.quasi_fit import LOGLIKELIHOOD

    spec = Garch() if spec is None else spec
    problems = Problems("fit_panel")
    check_options(problems, spec, presample, starts)
    named = _named(returns, problems)
    problems.check(
        executor is None or callable(getattr(executor, "submit", None)),
        "executor",
        executor,
        "must be None or a concurrent.futures.Executor",
        "give ThreadPoolExecutor(2), for example",
    )
    problems.raise_if_any()
    series, reasons = [], {}
    for name, values in named:
        try:
            series.append(_float64(values, spec))
        except DataError as error:
            series.append(np.empty(0))
            reasons[name] = _reason(error)
    results = _fit_all(series, kernel_options(spec, presample, starts), executor)
    names = tuple(name for name, _ in named)
    for place in np.flatnonzero(np.isnan(results[:, LOGLIKELIHOOD])):
        reasons.setdefault(names[place], why_not(names[place], series[place], spec))
    results.setflags(write=False)
    return PanelFit(spec, presample, names, results, tuple(values.size for values in series), reasons)


def check_options(problems: Problems, spec: object, presample: object, starts: object) -> None:
    fast = isinstance(spec, Garch) and is_fast(spec)
    rule = "must be a Garch with p = 1, q = 1, o = 0 or 1, power 2, a normal, t or skewed t law and no AR(1) mean"
    problems.check(fast, "spec", spec, rule, "use fit_volatility for other models")
    problems.choice("presample", presample, PRESAMPLES)
    problems.integer("starts", starts, low=1, high=_MOST_STARTS, remedy="5 is the default")


def kernel_options(spec: Garch, presample: Presample, starts: int) -> tuple[int, bool, bool, bool, int, int]:
    return (
        DISTS.index(spec.dist),
        spec.o == 1,
        spec.mean == "constant",
        presample == "backcast",
        int(starts),
        shortest(spec),
    )


def _named(returns: Any, problems: Problems) -> list[tuple[str, Any]]:
    """The series with their names, which must differ."""
    rule = "must be a DataFrame with a column an asset or a list of series"
    remedy = "give log_returns(prices), for example"
    if isinstance(returns, pd.DataFrame):
        values = returns.to_numpy()
        columns: Any = (returns.iloc[:, k] for k in range(returns.shape[1]))
        if values.dtype == np.float64:  # numbers throughout
            columns = np.ascontiguousarray(values.T)
        named = list(zip(map(str, returns.columns), columns, strict=True))
    elif isinstance(returns, Sequence) and not isinstance(returns, str | bytes):
        named = [(str(getattr(one, "name", None) or f"series {k}"), one) for k, one in enumerate(returns)]
    else:
        problems.add("returns", returns, rule, remedy)
        return []
    problems.check(len(named) > 0, "returns", "no series", rule, remedy)
    seen = [name for name, _ in named]
    twice = sorted({name for name in seen if seen.count(name) > 1}) if len(set(seen)) < len(seen) else []
    problems.check(not twice, "returns", twice, "must have a name of its own for each series", "rename the series")
    return named


def _float64(values: Any, spec: Garch) -> Array:
    """The values, unexamined where they are floats already: the kernel finds what is wrong in less time."""
    raw = values.to_numpy() if isinstance(values, pd.Series) else values
    if isinstance(raw, np.ndarray) and raw.dtype == np.float64 and raw.ndim == 1:
        return np.array(raw)  # a copy: pandas may give a read-only view, which is a type of its own to the compiler
    return checked_returns(values, spec)[1]


def fit_values(values: Array, spec: Garch, presample: Presample, starts: int = 5) -> Array:
    """The kernel's result row of one series: `kernels.quasi_fit` names its places."""
    result: Array = _fit_range([values], kernel_options(spec, presample, starts))[0]
    return result


def _fit_range(series: list[Array], options: tuple[Any, ...]) -> Array:
    """The results of some series; what a worker runs."""
    from collatrisk.kernels import bfgs, quasi_fit as kernel

    best, hessian = np.empty(bfgs.SIZE), np.empty((bfgs.SIZE, bfgs.SIZE))
    results = np.empty((len(series), kernel.RESULTS))
    for values, result in zip(series, results, strict=True):
        kernel.fit_one(values, *options, -1, best, hessian, result)
    return results


def _fit_all(series: list[Array], options: tuple[Any, ...], executor: Executor | None) -> Array:
    if executor is None:
        return _fit_range(series, options)
    size = min(_CHUNK, -(-len(series) // _FEWEST_TASKS))
    tasks = [(series[first : first + size], options) for first in range(0, len(series), size)]
    return np.concatenate([future.result() for future in [executor.submit(_fit_range, *task) for task in tasks]])


def result_columns(spec: Garch) -> dict[str, int]:
    """The place of each parameter of the spec in a row of results."""
    from collatrisk.kernels import quasi_fit as kernel

    places = {
        "mu": kernel.MU,
        "omega": kernel.OMEGA,
        "alpha[1]": kernel.ALPHA,
        "gamma[1]": kernel.GAMMA,
        "beta[1]": kernel.BETA,
        "nu": kernel.NU,
        "lambda": kernel.LAMBDA,
    }
    return {name: places[name] for name in parameter_names(spec)}


def params_frame(spec: Garch, results: Array, labels: Any) -> pd.DataFrame:
    places = result_columns(spec)
    return pd.DataFrame(results[:, list(places.values())], index=labels, columns=list(places))


def why_not(name: str, values: Array, spec: Garch) -> str:
    """The reason for which a series could not be fitted, in the words of `fit_volatility`."""
    try:
        checked_returns(pd.Series(values, name=name), spec)
    except DataError as error:
        return _reason(error)
    return "the likelihood is not finite at any start; look at the returns"


def _reason(error: DataError) -> str:
    return "; ".join(f"{problem.value}: {problem.rule}" for problem in error.problems)


def fast_findings(name: str, spec: Garch, result: Array, n: int) -> list[Finding]:
    """What a reader of one fit should know."""
    from collatrisk.kernels import quasi_fit as kernel

    found = []
    if result[kernel.STATUS] != 0:
        left = float(np.sqrt(max(result[kernel.DECREMENT], 0.0)))
        text = (
            f"the search stopped about {left:.2g} standard errors from an optimum; try fit_volatility or a simpler spec"
        )
        found.append(Finding("not-converged", "error", name, text))
    if n < 500:
        text = f"{n} returns; at least 500 are wanted: give a longer history"
        found.append(Finding("too-few-observations", "warning", name, text))
    if result[kernel.OTHER] > 0:
        text = (
            f"{int(result[kernel.OTHER])} start(s) ended in another optimum, up to {result[kernel.GAP]:.3g} lower in "
            "log-likelihood; the best is used. With little volatility clustering in the data there may be a better one"
        )
        found.append(Finding("starts-disagree", "info", name, text))
    alpha, gamma, beta = result[kernel.ALPHA], result[kernel.GAMMA], result[kernel.BETA]
    if alpha == 0.0 and gamma == 0.0:
        text = "alpha is 0: the volatility does not answer to returns and beta means little; ConstantVolatility may do"
        found.append(Finding("not-identified", "warning", name, text))
    elif result[kernel.GAIN] < _LEAST_GAIN:
        text = (
            f"a constant volatility is only {result[kernel.GAIN]:.2g} lower in log-likelihood (rule: {_LEAST_GAIN:g}): "
            "the data do not tell the dynamics from noise; ConstantVolatility may do"
        )
        found.append(Finding("not-identified", "warning", name, text))
    for label, value, bounds in _bounded(spec, result):
        if value in bounds:
            text = f"{label} is on its bound {value:g}"
            harmless = value == 0.0
            found.append(Finding("parameter-on-bound", "info" if harmless else "warning", name, text))
    if alpha + 0.5 * gamma + beta >= 1.0 - 1e-8:
        text = "alpha + gamma / 2 + beta is 1, its bound: no finite long-run variance for a symmetric law"
        found.append(Finding("persistence-at-or-above-one", "warning", name, text))
    return found


def _bounded(spec: Garch, result: Array) -> list[tuple[str, float, tuple[float, ...]]]:
    from collatrisk.kernels import quasi_fit as kernel

    rows: list[tuple[str, float, tuple[float, ...]]] = [
        ("alpha[1]", float(result[kernel.ALPHA]), (0.0, 1.0)),
        ("beta[1]", float(result[kernel.BETA]), (0.0, 1.0)),
    ]
    if spec.o == 1:
        rows.append(("alpha[1] + gamma[1]", float(result[kernel.ALPHA] + result[kernel.GAMMA]), (0.0,)))
    if spec.dist != "normal":
        rows.append(("nu", float(result[kernel.NU]), NU_BOUNDS))
    if spec.dist == "skewt":
        rows.append(("lambda", float(result[kernel.LAMBDA]), LAMBDA_BOUNDS))
    return rows


def table_html(table: pd.DataFrame, caption: str) -> str:
    rows = [
        (label, *(f"{value:.6g}" if isinstance(value, float) else value for value in row))
        for label, row in zip(table.index[:50], table.head(50).itertuples(index=False), strict=True)
    ]
    more = f"; the first 50 of {len(table)} rows" if len(table) > 50 else ""
    return html_table([str(table.index.name or ""), *map(str, table.columns)], rows, caption + more)
