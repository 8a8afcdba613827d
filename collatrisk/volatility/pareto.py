"""The generalised Pareto law of what exceeds a high threshold: likelihood, errors and profile intervals.

``P(Y > y) = (1 + xi y / scale)^(-1 / xi)`` for y > 0 (xi = 0: exponential). Pickands (1975) and Balkema and de Haan
(1974): the law of the excesses over a high threshold, whatever the law above which they stand. xi > 0 is a power tail:
moments of order 1 / xi and more are infinite.

The likelihood is maximised along theta = xi / scale alone: given theta, xi is the mean of ln(1 + theta y) (Grimshaw
1993, Technometrics 35(2)). Fits are held to xi >= -1/2, where the usual asymptotics end (Smith 1985, Biometrika 72(1)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import overload

import numpy as np

from collatrisk.base.errors import FitError, Problem
from collatrisk.volatility.distributions import Array

LOWEST_XI = -0.5
_SMALL = 1e-6  # below it xi is treated as 0: the expansions agree to rounding
_GRID = 60
_CHI_SQUARE_95 = 3.841458820694124
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@dataclass(frozen=True, slots=True)
class ParetoFit:
    """Excesses over a threshold, fitted. Figures are in the unit of the data.

    Attributes
    ----------
    excesses : (k,) > 0, ascending, read-only.
    share : the share of all observations that exceed the threshold, in (0, 1].
    threshold : above which the excesses lie.
    xi, scale : the estimates. xi_std_error, scale_std_error : from the expected information: (1 + xi) / sqrt(k) and
        scale sqrt(2 (1 + xi) / k).
    loglikelihood : of the excesses.
    """

    excesses: Array
    share: float
    threshold: float
    xi: float
    scale: float
    loglikelihood: float

    @property
    def n_exceedances(self) -> int:
        """How many observations exceed the threshold."""
        return int(self.excesses.size)

    @property
    def xi_std_error(self) -> float:
        """Asymptotic standard error of xi (Smith 1987)."""
        return (1.0 + self.xi) / math.sqrt(self.n_exceedances)

    @property
    def scale_std_error(self) -> float:
        """Asymptotic standard error of the scale."""
        return self.scale * math.sqrt(2.0 * (1.0 + self.xi) / self.n_exceedances)

    def quantile(self, level: float) -> float:
        """The `level` quantile of the data, for levels above 1 - share: ``u + scale / xi ((share / p)^xi - 1)``."""
        return self.threshold + self.scale * growth(math.log(self.share / (1.0 - level)), self.xi)

    def shortfall(self, level: float) -> float:
        """The mean beyond the `level` quantile q: ``q + (scale + xi (q - u)) / (1 - xi)``; inf for xi >= 1."""
        if self.xi >= 1.0:
            return math.inf
        over = self.quantile(level) - self.threshold
        return self.threshold + over + (self.scale + self.xi * over) / (1.0 - self.xi)

    def xi_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The xi whose profile likelihood is within half the chi-square point of the highest."""
        top = float(self.excesses[-1])

        def profile(xi: float) -> float:
            floor = math.log(-xi * top * (1.0 + 1e-9)) if xi < 0.0 else math.log(self.scale) - 12.0
            return _highest(lambda s: loglikelihood(self.excesses, xi, math.exp(s)), floor, math.log(self.scale) + 6.0)

        return _interval(profile, self.xi, self.xi_std_error, self._cut(confidence), LOWEST_XI, math.inf)

    def quantile_interval(self, level: float, confidence: float = 0.95) -> tuple[float, float]:
        """The quantiles within half the chi-square point of the highest profile likelihood (McNeil and Frey 2000).

        The likelihood is written in (q, xi), with ``scale = (q - u) xi / ((share / p)^xi - 1)``. The share of
        exceedances is taken as known, as are the data where they are residuals.
        """
        depth = math.log(self.share / (1.0 - level))

        def profile(q: float) -> float:
            return _highest(
                lambda xi: loglikelihood(self.excesses, xi, (q - self.threshold) / growth(depth, xi)), LOWEST_XI, 3.0
            )

        q = self.quantile(level)
        step = 0.25 * (q - self.threshold)
        return _interval(profile, q, step, self._cut(confidence), self.threshold, math.inf)

    def shortfall_interval(self, level: float, confidence: float = 0.95) -> tuple[float, float]:
        """The mean beyond the quantile, by its profile likelihood; the upper end is inf where xi reaches 1."""
        depth = math.log(self.share / (1.0 - level))

        def profile(mean: float) -> float:
            def along(xi: float) -> float:
                # mean - u = scale (growth + (1 + xi growth) / (1 - xi))
                grown = growth(depth, xi)
                unit = grown + (1.0 + xi * grown) / (1.0 - xi)
                return loglikelihood(self.excesses, xi, (mean - self.threshold) / unit)

            return _highest(along, LOWEST_XI, 1.0 - 1e-6)

        if self.xi >= 1.0:
            return math.nan, math.inf
        mean = self.shortfall(level)
        return _interval(profile, mean, 0.25 * (mean - self.threshold), self._cut(confidence), self.threshold, math.inf)

    def anderson_darling(self, reps: int = 199, seed: int = 0) -> tuple[float, float]:
        """The statistic A^2 of the fit, and the share of samples of the fitted law, fitted again, that exceed it.

        The parameters being estimated, the usual tables do not hold: hence the parametric bootstrap.
        """
        own = _anderson_darling(self.excesses, self.xi, self.scale)
        rng = np.random.default_rng(seed)
        beyond = 0
        for _ in range(reps):
            sample = np.sort(self.scale * growth(rng.standard_exponential(self.n_exceedances), self.xi))
            xi, scale, _ = maximise(sample)
            beyond += _anderson_darling(sample, xi, scale) >= own
        return own, (beyond + 1.0) / (reps + 1.0)

    def _cut(self, confidence: float) -> float:
        if confidence == 0.95:
            return self.loglikelihood - 0.5 * _CHI_SQUARE_95
        from scipy.special import chdtri

        return self.loglikelihood - 0.5 * float(chdtri(1.0, 1.0 - confidence))


def fit_pareto(values: Array, threshold: float) -> ParetoFit:
    """Fit the excesses of `values` over a threshold by maximum likelihood.

    Parameters
    ----------
    values : (n,) all observations, those below the threshold included: they give the share.
    threshold : at least 5 values must exceed it; 50 and more are wanted.

    Raises
    ------
    FitError : too few exceedances, or all alike.
    """
    data = np.asarray(values, dtype=np.float64)
    excesses = np.sort(data[data > threshold] - threshold)
    if excesses.size < 5 or np.ptp(excesses) <= 1e-9 * excesses[-1]:
        rule = "must be at least 5 different exceedances of the threshold"
        problem = Problem("threshold", f"{excesses.size} exceedances", rule, "lower the threshold or give more data")
        raise FitError("fit_pareto", [problem])
    excesses.setflags(write=False)
    xi, scale, value = maximise(excesses)
    return ParetoFit(excesses, excesses.size / data.size, float(threshold), xi, scale, value)


@overload
def growth(depth: float, xi: float) -> float: ...
@overload
def growth(depth: Array, xi: float) -> Array: ...
def growth(depth: Array | float, xi: float) -> Array | float:
    """``(exp(xi depth) - 1) / xi``: the quantile of depth -ln P(Y > y) in units of the scale; `depth` for xi = 0."""
    if abs(xi) < _SMALL:
        return depth * (1.0 + 0.5 * xi * depth)
    grown = np.expm1(xi * depth) / xi
    return grown if isinstance(depth, np.ndarray) else float(grown)


def depth_of(excess: Array, xi: float, scale: float) -> Array:
    """``-ln P(Y > y)``: the inverse of scale times `growth`; inf beyond the upper end of a law with xi < 0."""
    y = excess / scale
    if abs(xi) < _SMALL:
        return np.asarray(y * (1.0 - 0.5 * xi * y), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log1p(np.maximum(xi * y, -1.0)) / xi, dtype=np.float64)


def loglikelihood(excesses: Array, xi: float, scale: float) -> float:
    """The log-likelihood of excesses; -inf outside the support."""
    if not scale > 0.0 or 1.0 + xi * float(excesses[-1]) / scale <= 0.0:
        return -math.inf
    return -excesses.size * math.log(scale) - (1.0 + xi) * float(np.sum(depth_of(excesses, xi, scale)))


def maximise(excesses: Array) -> tuple[float, float, float]:
    """xi, scale and log-likelihood at the maximum along theta = xi / scale; `excesses` ascending."""
    top, mean = float(excesses[-1]), float(np.mean(excesses))

    def point(theta: float) -> tuple[float, float]:
        if abs(theta) * mean < _SMALL:
            return 0.0, mean
        xi = max(float(np.mean(np.log1p(theta * excesses))), LOWEST_XI)
        return xi, xi / theta

    def value(theta: float) -> float:
        return loglikelihood(excesses, *point(theta))

    # theta from just above the support's edge over 0 (exponential) to very heavy tails.
    below = -(1.0 - np.geomspace(1e-4, 1.0, _GRID // 2)) / top
    above = np.geomspace(1e-3, 1e3, _GRID) / mean
    grid = np.concatenate([below, above])
    place = int(np.argmax([value(theta) for theta in grid.tolist()]))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, grid.size - 1)]
    theta = _golden(value, float(low), float(high))
    xi, scale = point(theta)
    return xi, scale, value(theta)


def _golden(value: Callable[[float], float], low: float, high: float) -> float:
    """The place of the maximum of a function with one, by golden sections."""
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_a, at_b = value(a), value(b)
    for _ in range(80):
        if at_a >= at_b:
            high, b, at_b = b, a, at_a
            a = high - _GOLDEN * (high - low)
            at_a = value(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + _GOLDEN * (high - low)
            at_b = value(b)
        if high - low <= 1e-10 * (abs(low) + abs(high)):
            break
    return a if at_a >= at_b else b


def _highest(value: Callable[[float], float], low: float, high: float) -> float:
    """The maximum over an interval: the best of a grid, then golden sections around it."""
    grid = np.linspace(low, high, 25).tolist()
    values = [value(x) for x in grid]
    place = int(np.argmax(values))
    if values[place] == -math.inf:
        return -math.inf
    return value(_golden(value, grid[max(place - 1, 0)], grid[min(place + 1, 24)]))


def _interval(
    profile: Callable[[float], float], best: float, step: float, cut: float, low: float, high: float
) -> tuple[float, float]:
    """Where the profile crosses the cut on both sides of its maximum; a bound where it does not."""
    return _crossing(profile, best, -step, cut, low), _crossing(profile, best, step, cut, high)


def _crossing(profile: Callable[[float], float], best: float, step: float, cut: float, bound: float) -> float:
    inside, outside = best, best
    for _ in range(60):
        outside = outside + step
        if (outside - bound) * step >= 0.0:
            if bound != best and profile(bound + 1e-9 * (best - bound)) >= cut:
                return bound
            outside = bound
        if profile(outside) < cut:
            break
        inside = outside
        step *= 1.6
    else:
        return math.copysign(math.inf, step)
    for _ in range(50):
        middle = 0.5 * (inside + outside)
        if profile(middle) >= cut:
            inside = middle
        else:
            outside = middle
        if abs(outside - inside) <= 1e-8 * (abs(inside) + abs(outside)):
            break
    return 0.5 * (inside + outside)


def _anderson_darling(excesses: Array, xi: float, scale: float) -> float:
    """``A^2 = -n - sum (2 i - 1) (ln F(y_i) + ln(1 - F(y_{n+1-i}))) / n``."""
    depth = np.clip(depth_of(excesses, xi, scale), 1e-300, 700.0)
    n = depth.size
    weights = 2.0 * np.arange(1, n + 1) - 1.0
    return float(-n - np.sum(weights * (np.log(-np.expm1(-depth)) - depth[::-1])) / n)
