"""What the coefficients of a GJR recursion (power 2) imply: persistence, long run, half-life, expected variances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from collatrisk.base.validation import Problems
from collatrisk.volatility.distributions import Array
from collatrisk.volatility.recursions.base import ROUNDING
from collatrisk.volatility.recursions.garch import GarchCoefficients


def persistence(coefficients: GarchCoefficients, below_zero: float = 0.5) -> float:
    """``sum(alpha) + below_zero * sum(gamma) + sum(beta)``: below 1 the variance has a finite long-run mean.

    Parameters
    ----------
    below_zero : E[z^2 1(z < 0)] of the standardised residual (`second_moment_below_zero`); 1/2 for a symmetric law.
    """
    return math.fsum((*coefficients.alpha, *(below_zero * g for g in coefficients.gamma), *coefficients.beta))


def long_run_volatility(coefficients: GarchCoefficients, below_zero: float = 0.5) -> float:
    """The sd per step of the stationary law, ``sqrt(omega / (1 - persistence))``.

    inf where the persistence is at or above 1; nan where omega is 0 too (EWMA), for which no long run is defined.
    """
    gap = 1.0 - persistence(coefficients, below_zero)
    if gap <= ROUNDING:
        return math.inf if coefficients.omega > 0.0 else math.nan
    return math.sqrt(coefficients.omega / gap)


def half_life(coefficients: GarchCoefficients, below_zero: float = 0.5) -> float:
    """Steps after which half of a shock to the expected variance is left, ``ln(1/2) / ln(r)``.

    r is the largest root of the recursion of expected variances, which is the persistence for orders up to 1. inf where
    it does not decay, 0 where nothing lasts beyond a step.
    """
    if persistence(coefficients, below_zero) >= 1.0 - ROUNDING:
        return math.inf
    lags = max(coefficients.residual_lags, coefficients.variance_lags)
    weights = np.zeros(lags)
    for values, factor in ((coefficients.alpha, 1.0), (coefficients.gamma, below_zero), (coefficients.beta, 1.0)):
        weights[: len(values)] += factor * np.asarray(values, dtype=np.float64)
    root = float(np.max(np.abs(np.roots(np.concatenate(([1.0], -weights)))), initial=0.0))
    return math.log(0.5) / math.log(root) if root > 0.0 else 0.0


def variance_forecast(
    coefficients: GarchCoefficients,
    last_residuals: Sequence[float],
    last_variances: Sequence[float],
    horizon: int,
    below_zero: float = 0.5,
) -> Array:
    """The expected variance of each of the next `horizon` steps given the past, exact for every order.

    ``E h_{T+k} = omega + sum_i (alpha_i E e^2_{T+k-i} + gamma_i E[e^2 1(e < 0)]_{T+k-i}) + sum_j beta_j E h_{T+k-j}``:
    known values up to T, and after it ``E e^2 = E h`` and ``E[e^2 1(e < 0)] = below_zero E h``.

    Parameters
    ----------
    last_residuals : the last max(p, o) residuals, oldest first.
    last_variances : the last q conditional variances, oldest first.
    horizon : steps, >= 1.

    Returns
    -------
    ndarray (horizon,): variance per step, in the square of the returns' unit.

    Raises
    ------
    InputError : horizon below 1, or fewer residuals or variances than the recursion reads.
    """
    lags, variance_lags = coefficients.residual_lags, coefficients.variance_lags
    problems = Problems("variance forecast")
    horizon = _horizon(problems, horizon)
    for name, given, needed in (
        ("last_residuals", last_residuals, lags),
        ("last_variances", last_variances, variance_lags),
    ):
        rule = f"must hold the last {needed} value(s), oldest first"
        problems.check(len(given) >= needed, name, len(given), rule, "take them from the fit")
    problems.raise_if_any()
    squares = [e * e for e in last_residuals]
    negatives = [e * e if e < 0.0 else 0.0 for e in last_residuals]
    variances = list(last_variances)
    for _ in range(horizon):
        variance = math.fsum(
            (
                coefficients.omega,
                *(weight * squares[-lag] for lag, weight in enumerate(coefficients.alpha, 1)),
                *(weight * negatives[-lag] for lag, weight in enumerate(coefficients.gamma, 1)),
                *(weight * variances[-lag] for lag, weight in enumerate(coefficients.beta, 1)),
            )
        )
        squares.append(variance)
        negatives.append(below_zero * variance)
        variances.append(variance)
    return np.array(variances[len(last_variances) :], dtype=np.float64)


def checked_horizon(horizon: object) -> int:
    """A number of steps.

    Raises
    ------
    InputError : not a whole number, or below 1.
    """
    problems = Problems("variance forecast")
    steps = _horizon(problems, horizon)
    problems.raise_if_any()
    return steps


def _horizon(problems: Problems, horizon: object) -> int:
    return problems.integer("horizon", horizon, low=1, high=_LONGEST, remedy="give a number of steps")


_LONGEST = 10_000_000
