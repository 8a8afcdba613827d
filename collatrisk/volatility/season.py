"""The season of the week in the size of returns: estimated, taken out before a fit, put back by the clock.

``r_t = s_b(t) x_t``, b(t) the bin of the week in which the middle of step t lies (the hour of the week for steps of an
hour or less; UTC), s_b a factor with mean square 1, x_t the return that the volatility model sees. After Andersen and
Bollerslev (1997, Journal of Empirical Finance 4(2-3)): absolute returns are first divided by a slow level (their mean
over the week around), so that calm and wild months weigh the same; their mean in a bin is its factor, here shrunk
towards the mean of all bins by how well it is known (empirical Bayes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from collatrisk.base.errors import DataError
from collatrisk.base.findings import Finding
from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array

MINUTES_A_WEEK = 10_080
MOST_BINS = 168

_FEWEST_WEEKS, _WANTED_WEEKS = 4, 12
_WHOLE = 0.9  # of a week's bins must be there for it to count in the test


@dataclass(frozen=True, slots=True)
class HourOfWeek:
    """A factor of volatility for each hour of the week (each step of the week where steps are longer).

    Parameters
    ----------
    shrink : draw each factor towards 1 by how much of what tells it from the others may be noise.
    """

    shrink: bool = True

    def __post_init__(self) -> None:
        problems = Problems("HourOfWeek")
        problems.check(isinstance(self.shrink, bool), "shrink", self.shrink, "must be True or False", "leave it out")
        problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class Season:
    """Factors of the standard deviation through the week, and where in the week the history ended.

    Attributes
    ----------
    factors : one a bin, > 0, mean square 1; the first bin begins on Monday 00:00 UTC, and all have the same length.
    start : minutes since Monday 00:00 UTC of the last observation, in [0, 10080): the first step begins there.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    factors: tuple[float, ...]
    start: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems("Season")
        values = np.asarray(self.factors, dtype=np.float64)
        count_ok = values.ndim == 1 and values.size > 0 and MINUTES_A_WEEK % values.size == 0
        rule = "must be a number that divides the minutes of a week, 168 for hours"
        problems.check(count_ok, "factors", values.shape, rule, "fit_season gives them")
        if count_ok:
            fair = bool(np.all(values > 0.0)) and abs(float(np.mean(values**2)) - 1.0) < 1e-9
            problems.check(fair, "factors", self.factors, "must be above 0 with mean square 1", "divide by its root")
        problems.number("start", self.start, low=0, high=MINUTES_A_WEEK, open_high=True, remedy="0 for Monday 00:00")
        problems.raise_if_any()
        object.__setattr__(self, "factors", tuple(values.tolist()))
        object.__setattr__(self, "start", float(self.start))

    def at(self, minutes: Array) -> Array:
        """The factors at minutes since some Monday 00:00 UTC."""
        width = MINUTES_A_WEEK / len(self.factors)
        place = np.floor(np.asarray(minutes) % MINUTES_A_WEEK / width).astype(np.int64)
        return np.asarray(self.factors)[np.minimum(place, len(self.factors) - 1)]

    def steps(self, steps_per_day: int) -> Array:
        """The factors of a week's steps from `start` on, (7 steps_per_day,); each by the middle of its step."""
        length = MINUTES_A_WEEK / (7 * steps_per_day)
        return self.at(np.asarray(self.start + length * (np.arange(7 * steps_per_day) + 0.5), dtype=np.float64))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"factors": list(self.factors), "start": self.start}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Season:
        """The inverse of `to_dict`."""
        problems = Problems("Season")
        problems.known("key", data, ("factors", "start"))
        problems.raise_if_any()
        return cls(tuple(data["factors"]), data["start"])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SeasonFit:
    """The season of one series.

    Attributes
    ----------
    name : the series. season : the factors. returns : Series, divided by their factor.
    log_factors, std_errors : (bins,) before shrinkage: log of the bin's mean over that of all, and its standard error.
    counts : (bins,) observations.
    weight : (bins,) what is left of the log factor after shrinkage, in [0, 1].
    log_scale : the sum of ln(factor) over the observations: what the log-likelihood of the returns has less than that
        of `returns`.
    before, after : p-values that all bins are alike, of the returns and of what is left (analysis of variance over
        weeks, see `docs/tails_and_intraday.md`); nan with fewer than two weeks without gaps.
    findings : what a reader should know.
    """

    name: str
    season: Season
    returns: pd.Series
    log_factors: Array
    std_errors: Array
    counts: Array
    weight: Array
    log_scale: float
    before: float
    after: float
    findings: tuple[Finding, ...]

    def summary(self) -> pd.DataFrame:
        """One row a bin: factor, observations, the unshrunk log factor with its standard error."""
        bins = len(self.season.factors)
        width = MINUTES_A_WEEK // bins
        days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        labels = [f"{days[m // 1440]} {m % 1440 // 60:02d}:{m % 60:02d}" for m in range(0, MINUTES_A_WEEK, width)]
        columns = {
            "factor": self.season.factors,
            "observations": self.counts.astype(np.int64),
            "log_factor": self.log_factors,
            "std_error": self.std_errors,
        }
        return pd.DataFrame(columns, index=pd.Index(labels, name="bin (UTC)"))

    def __repr__(self) -> str:
        low, high = min(self.season.factors), max(self.season.factors)
        return f"SeasonFit({self.name}: {len(self.season.factors)} bins, factors {low:.2f} to {high:.2f})"


def fit_season(returns: pd.Series, spec: HourOfWeek | None = None, *, steps_per_day: int) -> SeasonFit:
    """Estimate the season of the week.

    Parameters
    ----------
    returns : (n,) with a DatetimeIndex: the end of each step (without a time zone it is taken as UTC). At least four
        weeks; a year and more are wanted for 168 bins.
    spec : `HourOfWeek()` unless given.
    steps_per_day : of the clock; must divide the minutes of a day.

    Raises
    ------
    InputError, DataError : arguments or returns that cannot be used.
    """
    spec = HourOfWeek() if spec is None else spec
    name, values, minutes = _checked(returns, spec, steps_per_day)
    bins = min(MOST_BINS, 7 * steps_per_day)
    length = 1440.0 / steps_per_day
    place = np.floor((minutes - 0.5 * length) % MINUTES_A_WEEK / (MINUTES_A_WEEK / bins)).astype(np.int64)
    sizes = np.abs(values - np.mean(values))
    levelled = _levelled(sizes, 7 * steps_per_day)
    log_means, errors, counts = _bins(levelled, place, bins)
    centred = log_means - np.mean(log_means)
    weight = np.ones(bins)
    if spec.shrink:
        between = max(0.0, float(np.mean(centred**2) - np.mean(errors**2)))
        weight = between / (between + errors**2)
    factors = np.exp(weight * centred)
    factors /= math.sqrt(float(np.mean(factors**2)))
    season = Season(tuple(factors.tolist()), float(minutes[-1] % MINUTES_A_WEEK))
    own = season.at(minutes - 0.5 * length)
    rest = _levelled(sizes / own, 7 * steps_per_day)
    week = np.arange(values.size) // (7 * steps_per_day)
    return SeasonFit(
        name,
        season,
        pd.Series(values / own, returns.index, name=returns.name),
        centred,
        errors,
        counts,
        weight,
        float(np.sum(np.log(own))),
        _alike(levelled, week, place, bins),
        _alike(rest, week, place, bins),
        _season_findings(name, values.size / (7 * steps_per_day)),
    )


def _checked(returns: Any, spec: Any, steps_per_day: Any) -> tuple[str, Array, Array]:
    problems = Problems("fit_season")
    problems.check(isinstance(spec, HourOfWeek), "season", spec, "must be an HourOfWeek", "give HourOfWeek()")
    dated = isinstance(returns, pd.Series) and isinstance(returns.index, pd.DatetimeIndex)
    rule = "must be a Series with dates: the clock time of a return is what matters"
    problems.check(dated, "returns", type(returns).__name__, rule, "give log_returns(prices)[asset]")
    steps = problems.integer("steps_per_day", steps_per_day, low=1, high=1440, remedy="24 for hourly prices")
    problems.check(1440 % max(steps, 1) == 0, "steps_per_day", steps, "must divide the minutes of a day", "24 or 1440")
    problems.raise_if_any()
    name = str(returns.name) if returns.name is not None else "returns"
    values = returns.to_numpy(dtype=np.float64)
    problems = Problems("fit_season", DataError)
    problems.check(bool(np.all(np.isfinite(values))), name, "missing values", "must be finite", "drop these rows")
    weeks = values.size / (7 * steps)
    rule = f"must be at least {_FEWEST_WEEKS} weeks"
    problems.check(weeks >= _FEWEST_WEEKS, name, f"{weeks:.1f} weeks", rule, "give a longer history, or no season")
    problems.raise_if_any()
    index = returns.index if returns.index.tz is None else returns.index.tz_convert("UTC")
    minutes = index.day_of_week * 1440 + index.hour * 60 + index.minute + index.second / 60.0
    return name, values, np.asarray(minutes, dtype=np.float64)


def _levelled(sizes: Array, week: int) -> Array:
    """Sizes over their mean in the week around."""
    level = pd.Series(sizes).rolling(week + 1, center=True, min_periods=week // 2).mean().to_numpy(dtype=np.float64)
    return sizes / np.where(level > 0.0, level, 1.0)


def _bins(sizes: Array, place: Any, bins: int) -> tuple[Array, Array, Array]:
    """Log of the mean size of each bin, its standard error, and the observations.

    Bins differ by a factor alone, so the variance of a size over its bin's mean is one for all of them: a bin's own
    would be lowest where its mean happens to be.
    """
    counts = np.bincount(place, minlength=bins).astype(np.float64)
    held = np.maximum(counts, 1.0)
    means = np.bincount(place, sizes, bins) / held
    overall = float(np.mean(sizes))
    means = np.where((counts > 1.0) & (means > 0.0), means, overall)
    relative = float(np.sum((sizes / means[place] - 1.0) ** 2)) / max(sizes.size - bins, 1)
    return np.log(means), np.sqrt(relative / held), counts


def _alike(sizes: Array, week: Any, place: Any, bins: int) -> float:
    """p-value that the mean size is the same in all bins of the week.

    Two tests, of the profile of the day (harmonics of 24 hours) and of all else in the week, since most seasons are
    mostly the former, which 168 bins at once would drown; the smaller p-value, times two. ``week`` counts from the
    first observation; weeks with many gaps are left out.
    """
    weeks = int(week[-1]) + 1
    cells = week * bins + place
    counts = np.bincount(cells, minlength=weeks * bins).reshape(weeks, bins)
    sums = np.bincount(cells, sizes, minlength=weeks * bins).reshape(weeks, bins)
    whole = np.mean(counts > 0, axis=1) >= _WHOLE
    table = np.where(counts > 0, sums / np.maximum(counts, 1), float(np.mean(sizes)))[whole]
    if len(table) < 2:
        return math.nan
    components = np.fft.rfft(table, axis=1)[:, 1:]
    double = np.full(components.shape[1], 2.0)  # a sine and a cosine
    if bins % 2 == 0:
        double[-1] = 1.0
    of_day = np.arange(1, double.size + 1) % 7 == 0
    groups = [group for group in (of_day, ~of_day) if group.any()]
    found = [_no_mean(components[:, group], double[group]) for group in groups]
    return min(1.0, len(found) * min(found))


def _no_mean(components: NDArray[np.complex128], double: Array) -> float:
    """p-value that Fourier components (weeks, k), each of `double` dimensions, have mean 0.

    Analysis of variance with the weeks as repetitions: the noise of a component is measured by how the weeks differ.
    Volatility clusters, so that low frequencies are noisier; Box's (1954) degrees of freedom allow for that, with the
    sum of squared variances freed of the error of their estimates.
    """
    repeats = len(components)
    mean = components.mean(axis=0)
    noise = np.sum(np.abs(components - mean) ** 2, axis=0) / (repeats - 1)
    total = float(double @ noise)
    ratio = repeats * float(double @ np.abs(mean) ** 2) / total
    freedom = total**2 / (float(double @ noise**2) * (repeats - 1) / repeats)
    return float(special.fdtrc(freedom, freedom * (repeats - 1), ratio))


def _season_findings(name: str, weeks: float) -> tuple[Finding, ...]:
    if weeks >= _WANTED_WEEKS:
        return ()
    text = f"{weeks:.0f} weeks (wanted: {_WANTED_WEEKS}): each hour of the week is seen that often only"
    return (Finding("short-season", "warning", name, f"{text}; the factors are shrunk, but rough"),)
