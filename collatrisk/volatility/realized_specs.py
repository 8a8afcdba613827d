"""Specs of models that see more than closes: a realised measure of each step's variance beside its return.

The measure is a realised variance (the sum of squared returns within the step) or a range estimator
(`collatrisk.volatility.range_variance`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from collatrisk.base.validation import Problems
from collatrisk.volatility.specs import DISTS, Dist, VolatilitySpec


@dataclass(frozen=True, slots=True)
class Har:
    """The heterogeneous autoregression of Corsi (2009, Journal of Financial Econometrics 7(2)), in logarithms.

    ``ln x_t = b_0 + sum_k b_k mean(ln x_{t-1} .. ln x_{t-lags_k}) + u_t``; the variance of the return is
    ``h_t = c E[x_t]``, ``E[x_t] = exp(forecast + var(u) / 2)``, and c makes the standardised residuals' variance 1: it
    covers what the measure does not see (nights, noise).

    Parameters
    ----------
    lags : increasing steps of the averages; (1, 7, 30) for a day, a week and a month on a 24/7 clock, (1, 5, 22) on
        business days.
    dist : law of the standardised residual, for VaR and ES; it has no part in the dynamics.

    Raises
    ------
    InputError : with every broken rule at once.
    """

    lags: tuple[int, ...] = (1, 7, 30)
    dist: Dist = "t"

    def __post_init__(self) -> None:
        problems = Problems("Har")
        listed = isinstance(self.lags, (tuple, list)) and len(self.lags) > 0
        whole = listed and all(isinstance(lag, int) and 1 <= lag <= 500 for lag in self.lags)
        ordered = whole and all(a < b for a, b in zip(self.lags, self.lags[1:], strict=False))
        problems.check(ordered, "lags", self.lags, "must be increasing whole numbers from 1 to 500", "give (1, 7, 30)")
        problems.choice("dist", self.dist, DISTS)
        problems.raise_if_any()
        object.__setattr__(self, "lags", tuple(self.lags))


@dataclass(frozen=True, slots=True)
class RealizedGarch:
    """The log-linear Realized GARCH(1,1) of Hansen, Huang and Shek (2012, Journal of Applied Econometrics 27(6)).

    ``r_t = mu + sqrt(h_t) z_t``, ``ln h_t = omega + beta ln h_{t-1} + gamma ln x_{t-1}``,
    ``ln x_t = xi + phi ln h_t + tau1 z_t + tau2 (z_t^2 - 1) + u_t``.

    Estimated by the joint normal quasi-likelihood of returns and measures: with t innovations exp(tau2 z^2) has no
    mean, so that a heavy-tailed law enters as the law of z alone, after the fit.

    Parameters
    ----------
    dist : law of the standardised residual, for VaR and ES.
    """

    dist: Dist = "t"

    def __post_init__(self) -> None:
        problems = Problems("RealizedGarch")
        problems.choice("dist", self.dist, DISTS)
        problems.raise_if_any()


RealizedSpec: TypeAlias = Har | RealizedGarch
AnySpec: TypeAlias = VolatilitySpec | RealizedSpec
REALIZED_SPECS = (Har, RealizedGarch)
