"""`GpdTails`: innovations from the standardised residuals themselves, with generalised Pareto tails.

The second step of McNeil and Frey (2000, Journal of Empirical Finance 7(3-4)): after a (quasi-)likelihood fit of the
volatility the residuals are treated as independent draws of one law, whose centre is known from many observations and
whose tails are extrapolated by the peaks-over-threshold method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.tables import html_table
from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.pareto import ParetoFit, fit_pareto
from collatrisk.volatility.tail_law import ParetoTail, TailLaw

SIDES = ("lower", "upper")
STABILITY_THRESHOLDS = (0.025, 0.05, 0.075, 0.1, 0.125, 0.15)

_FEWEST, _WANTED = 15, 50  # exceedances a tail
_SMALLEST = 1e-100  # the largest residual: squares of less vanish, and squares of its inverse overflow
_KNOT_WIDTH = 0.125  # of the normal score


@dataclass(frozen=True, slots=True)
class GpdTails:
    """Innovations with an empirical centre and generalised Pareto tails, fitted to the standardised residuals.

    Parameters
    ----------
    threshold : the share of the residuals in each tail, in [0.005, 0.25]. 0.1 is McNeil and Frey's: their simulations
        favour about 100 exceedances of 1000. Look at `TailFit.stability` before trusting another.

    Raises
    ------
    InputError : a threshold outside its range.
    """

    threshold: float = 0.1

    def __post_init__(self) -> None:
        problems = Problems("GpdTails")
        problems.number("threshold", self.threshold, low=0.005, high=0.25, remedy="0.1 puts a tenth in each tail")
        problems.raise_if_any()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"kind": "gpd-tails", "threshold": self.threshold}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TailFit:
    """Residuals with generalised Pareto tails, fitted. Intervals take the residuals as observed, without error.

    Attributes
    ----------
    spec : what was asked for.
    name : the series.
    values : (n,) the residuals, standardised to mean 0 and variance 1, in the order given.
    law : the law, mean 0 and variance 1 exactly (the fitted tails miss them by a little: `centre` and `spread`).
    centre, spread : of the law before it was moved: z -> (z - centre) / spread. The residuals go through it as well
        where their rank is asked for (`uniforms`).
    lower, upper : the fitted tails; the lower one of -z.
    findings : what a reader should know before using it.
    """

    spec: GpdTails
    name: str
    values: Array
    law: TailLaw
    centre: float
    spread: float
    lower: ParetoFit
    upper: ParetoFit
    findings: tuple[Finding, ...]

    @property
    def uniforms(self) -> Array:
        """(n,) the residuals' places under the law, F(z): the probability integral transform."""
        return self.law.cdf((self.values - self.centre) / self.spread)

    def tail(self, side: str) -> ParetoFit:
        """The fit of the ``"lower"`` or the ``"upper"`` tail."""
        problems = Problems("TailFit")
        problems.choice("side", side, SIDES)
        problems.raise_if_any()
        return self.lower if side == "lower" else self.upper

    def summary(self) -> pd.DataFrame:
        """One row a tail: exceedances, threshold, xi, scale, and the 99 % and 99.9 % quantiles with 95 % intervals.

        The thresholds and quantiles of the lower tail are those of -z. Intervals by the profile likelihood; the
        Anderson-Darling p-value by parametric bootstrap.
        """
        rows = {}
        for side in SIDES:
            fit = self.tail(side)
            row: dict[str, float] = {
                "exceedances": fit.n_exceedances,
                "threshold": fit.threshold,
                "xi": fit.xi,
                "xi low": fit.xi_interval()[0],
                "xi high": fit.xi_interval()[1],
                "scale": fit.scale,
            }
            for level in (0.99, 0.999):
                if 1.0 - level < fit.share:
                    low, high = fit.quantile_interval(level)
                    row |= {f"q{level:g}": fit.quantile(level), f"q{level:g} low": low, f"q{level:g} high": high}
            row["anderson-darling p"] = fit.anderson_darling()[1]
            rows[side] = row
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index.name = "tail"
        return table

    def stability(self, thresholds: Sequence[float] = STABILITY_THRESHOLDS, side: str = "lower") -> pd.DataFrame:
        """One row a threshold: xi with its standard error, the modified scale, the 99 % and 99.9 % quantiles.

        Above a threshold that is high enough xi, the modified scale (scale - xi u) and the quantiles stand still but
        for noise. Thresholds with fewer than 15 exceedances are left out.
        """
        data = self.values if side == "upper" else -self.values
        self.tail(side)
        rows = []
        for share in thresholds:
            count = round(share * data.size)
            if count < _FEWEST:
                continue
            fit = fit_pareto(data, _threshold(data, count))
            quantiles = [fit.quantile(level) if 1.0 - level < fit.share else math.nan for level in (0.99, 0.999)]
            modified = fit.scale - fit.xi * fit.threshold
            rows.append(
                (share, fit.n_exceedances, fit.threshold, fit.xi, fit.xi_std_error, fit.scale, modified, *quantiles)
            )
        columns = ["share", "exceedances", "threshold", "xi", "xi_se", "scale", "modified_scale", "q0.99", "q0.999"]
        return pd.DataFrame(rows, columns=columns).set_index("share")

    def mean_excess(self, side: str = "lower", points: int = 12) -> pd.DataFrame:
        """Mean excess over higher and higher thresholds, with its standard error and the line of the fitted tail.

        The mean excess of a generalised Pareto law over v is linear, (scale + xi (v - u)) / (1 - xi).
        """
        fit = self.tail(side)
        rows = []
        for place in np.unique(np.linspace(0, fit.n_exceedances - 10, points).astype(np.int64)):
            v = 0.0 if place == 0 else float(fit.excesses[place - 1])
            over = fit.excesses[place:] - v
            error = float(np.std(over, ddof=1)) / math.sqrt(over.size)
            line = (fit.scale + fit.xi * v) / (1.0 - fit.xi) if fit.xi < 1.0 else math.inf
            rows.append((fit.threshold + v, over.size, float(np.mean(over)), error, line))
        return pd.DataFrame(rows, columns=["threshold", "exceedances", "mean_excess", "std_error", "fitted"])

    def __repr__(self) -> str:
        return f"TailFit({self.name}: {self.law}, {self.values.size} residuals)"

    def _repr_html_(self) -> str:
        table = self.summary()
        rows = [(side, *(f"{value:.4g}" for value in row)) for side, row in zip(table.index, table.values, strict=True)]
        found = html_table(["tail", *table.columns], rows, f"{self.name}: {self.law}, {self.values.size} residuals")
        notes = [(finding.code, finding.severity, finding.message) for finding in self.findings]
        return found + (html_table(["finding", "severity", "message"], notes) if notes else "")


def fit_tails(residuals: ArrayLike | pd.Series, spec: GpdTails | None = None) -> TailFit:
    """Fit the semiparametric law of `GpdTails` to standardised residuals.

    The residuals are first brought to mean 0 and variance 1. In each tail the k = round(threshold n) outermost ones are
    fitted by a generalised Pareto law over the next one (the order statistic). Between the thresholds the law runs
    through the quantiles of Harrell and Davis (1982, Biometrika 69(3)), averages of all order statistics with beta
    weights, at normal scores about 1/8 apart, joined by monotone cubics.

    Parameters
    ----------
    residuals : (n,) such as `VolatilityFit.std_resid`; finite, not constant, at least 15 in each tail.
    spec : `GpdTails()` unless given.

    Raises
    ------
    InputError, DataError : a spec or residuals that cannot be used.
    FitError : a tail of ties.
    """
    spec = GpdTails() if spec is None else spec
    problems = Problems("fit_tails")
    problems.check(isinstance(spec, GpdTails), "spec", spec, "must be a GpdTails", "give GpdTails(threshold=0.1)")
    problems.raise_if_any()
    name, values = _checked(residuals, spec)
    spread = float(np.std(values))
    standardised = (values - np.mean(values)) / spread
    standardised.setflags(write=False)
    count = round(spec.threshold * values.size)
    lower = fit_pareto(-standardised, _threshold(-standardised, count))
    upper = fit_pareto(standardised, _threshold(standardised, count))
    tails = [ParetoTail(fit.share, fit.xi, fit.scale, fit.n_exceedances) for fit in (lower, upper)]
    raw = TailLaw(tails[0], tails[1], _knots(standardised, lower, upper))
    mean, variance = raw.moments
    moves = math.isfinite(variance) and math.isfinite(mean)
    centre, width = (mean, math.sqrt(variance)) if moves else (0.0, 1.0)
    findings = (*_tail_findings("lower", lower), *_tail_findings("upper", upper), *_spread_findings(spread))
    return TailFit(spec, name, standardised, raw.moved(centre, width), centre, width, lower, upper, findings)


def innovations_from_dict(data: Mapping[str, Any]) -> GpdTails:
    """The spec that `GpdTails.to_dict` wrote.

    Raises
    ------
    InputError : another kind, or a value that breaks a rule.
    """
    problems = Problems("innovations")
    problems.choice("kind", data.get("kind"), ("gpd-tails",))
    problems.known("field", [key for key in data if key != "kind"], ("threshold",))
    problems.raise_if_any()
    return GpdTails(float(data.get("threshold", 0.1)))


def _checked(residuals: Any, spec: GpdTails) -> tuple[str, Array]:
    name = str(residuals.name) if isinstance(residuals, pd.Series) and residuals.name is not None else "residuals"
    problems = Problems("fit_tails", DataError)
    try:
        values = np.array(residuals, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0)
        problems.add(name, type(residuals).__name__, "must hold numbers", "give VolatilityFit.std_resid")
    problems.raise_if_any()
    flat = values.ndim == 1 and bool(np.all(np.isfinite(values)))
    problems.check(flat, name, f"shape {values.shape}", "must be one finite number a step", "drop missing values")
    problems.raise_if_any()
    varies = values.size > 0 and float(np.ptp(values)) > 0.0
    problems.check(varies, name, "constant", "must vary", "leave the series out")
    largest = float(np.max(np.abs(values), initial=0.0))
    usual = not varies or _SMALLEST <= largest <= 1.0 / _SMALLEST
    rule = f"must lie within -+{1.0 / _SMALLEST:g}, and the largest be at least {_SMALLEST:g}"
    problems.check(usual, name, f"the largest is {largest:g}", rule, "standardise them: about 1 is usual")
    count = round(spec.threshold * values.size)
    rule = f"must leave at least {_FEWEST} in each tail (threshold {spec.threshold:g})"
    problems.check(count >= _FEWEST, name, f"{values.size} residuals", rule, "raise the threshold or give more data")
    problems.raise_if_any()
    return name, values


def _threshold(data: Array, count: int) -> float:
    """The order statistic that exactly `count` observations exceed (fewer where there are ties)."""
    return float(np.partition(data, data.size - count - 1)[data.size - count - 1])


def _knots(values: Array, lower: ParetoFit, upper: ParetoFit) -> tuple[float, ...]:
    """The thresholds and between them Harrell-Davis quantiles at evenly spaced normal scores."""
    ordered, n = np.sort(values), values.size
    first, last = float(special.ndtri(lower.share)), -float(special.ndtri(upper.share))
    pieces = max(4, round((last - first) / _KNOT_WIDTH))
    edges = np.arange(n + 1) / n
    found = [-lower.threshold]
    for level in special.ndtr(first + (last - first) * np.arange(1, pieces) / pieces).tolist():
        weights = np.diff(special.betainc((n + 1.0) * level, (n + 1.0) * (1.0 - level), edges))
        found.append(float(weights @ ordered))
    found.append(upper.threshold)
    # Ties and the smoothing near a threshold may bring neighbours together: a least distance keeps the order.
    least = 1e-6 * (found[-1] - found[0])
    for place in range(1, pieces):
        found[place] = min(max(found[place], found[place - 1] + least), found[-1] - (pieces - place) * least)
    return tuple(found)


def _tail_findings(side: str, fit: ParetoFit) -> list[Finding]:
    found = []
    if fit.n_exceedances < _WANTED:
        text = f"{fit.n_exceedances} exceedances (wanted: {_WANTED}): xi is known to {fit.xi_std_error:.2f} at best"
        found.append(Finding("few-exceedances", "warning", side, f"{text}; raise the threshold or give more data"))
    if fit.xi >= 1.0:
        text = f"xi = {fit.xi:.2f}: the tail has no mean, so no expected shortfall; look at the prices"
        found.append(Finding("tail-without-mean", "error", side, text))
    elif fit.xi >= 0.5:
        text = f"xi = {fit.xi:.2f} (rule: < 0.5): the tail has no variance: a volatility does not describe it"
        found.append(
            Finding("tail-without-variance", "error", side, f"{text}; look at the prices, or a wider threshold")
        )
    elif fit.xi + 1.96 * fit.xi_std_error >= 0.5:
        text = f"xi = {fit.xi:.2f} (standard error {fit.xi_std_error:.2f}) may be 0.5, where variance ends"
        found.append(Finding("tail-near-no-variance", "info", side, text))
    if fit.xi <= -0.5 + 1e-6:
        text = "xi is on its bound -1/2: the tail seems to end; bounded or censored prices?"
        found.append(Finding("tail-on-bound", "warning", side, text))
    return found


def _spread_findings(spread: float) -> list[Finding]:
    if abs(spread**2 - 1.0) <= 0.1:
        return []
    text = (
        f"the residuals had a variance of {spread**2:.3f} and are brought to 1 (rule: within 10 %): the law of the "
        "first step does not fit their scale; use dist='normal', whose quasi-likelihood holds for any law"
    )
    return [Finding("residual-variance-not-one", "warning", "residuals", text)]
